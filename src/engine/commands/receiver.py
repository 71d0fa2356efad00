"""`receiver add|edit|remove|replace-primary|list|show`, and those for systems without acknowledgement."""

from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands import system_options as about
from engine.commands.common import AsJson, confirm, moment, office_of
from engine.commands.danish import Commands
from engine.commands.output import facts, heading, print_json, say, table, yes_no

if TYPE_CHECKING:
    from engine.desk.receivers import Registered
    from engine.desk.systems import SystemView

app = Commands("Modtagersystemer: dem, der kvitterer, og dem uden kvittering.")


@app.says("add", "Tilføj et kvitterende modtagersystem (3.1), aldrig som primært.")
def add(
    ctx: typer.Context,
    *,
    code: about.Kommune,
    name: about.Name = None,
    uuid: about.Uuid = None,
    vendor: about.Vendor = None,
    vendor_email: about.VendorEmail = None,
    area: about.Area = None,
    agreed_by: about.AgreedBy = None,
    only_kvittering: about.OnlyKvittering = False,
    agreement: about.Agreement = None,
    agreement_on: about.AgreementOn = None,
    certification: about.Certification = None,
    certified_on: about.CertifiedOn = None,
    connected_on: about.ConnectedOn = None,
    monitored_from: about.MonitoredFrom = None,
    overview: about.Overview = None,
    overview_emails: about.OverviewEmails = None,
    local_contact: about.LocalContact = None,
    vendor_contact: about.VendorContact = None,
    comment: about.Comment = None,
    procedure: about.Checklist = None,
) -> None:
    given = about.given_facts(locals())
    from engine.desk.receivers import add_receiver

    with office_of(ctx) as office:
        with office.administering() as act:
            done = add_receiver(act, code, given, procedure_id=procedure)
        office.home.make_dueslag(done.system_uuid)
    say(f"{done.receiver_name} ({done.system_uuid}) er tilføjet i {done.kommune_name}.")
    _say_checklist(done)


@app.says("edit", "Ret oplysninger om et modtagersystem. Kun det, der angives, ændres.")
def edit(
    ctx: typer.Context,
    *,
    code: about.Kommune,
    system: about.System,
    name: about.Name = None,
    uuid: about.Uuid = None,
    vendor: about.Vendor = None,
    vendor_email: about.VendorEmail = None,
    area: about.Area = None,
    agreed_by: about.AgreedBy = None,
    only_kvittering: Annotated[
        bool | None,
        typer.Option(
            "--only-kvittering/--not-only-kvittering",
            help="Om systemet i ADM kun afsender MedComKvittering 1.0.",
        ),
    ] = None,
    agreement: about.Agreement = None,
    agreement_on: about.AgreementOn = None,
    certification: about.Certification = None,
    certified_on: about.CertifiedOn = None,
    connected_on: about.ConnectedOn = None,
    monitored_from: about.MonitoredFrom = None,
    overview: about.Overview = None,
    overview_emails: about.OverviewEmails = None,
    local_contact: about.LocalContact = None,
    vendor_contact: about.VendorContact = None,
    comment: about.Comment = None,
    version: about.Version = None,
) -> None:
    given = about.given_facts(locals())
    from engine.desk.receivers import edit_receiver

    with office_of(ctx) as office, office.administering() as act:
        done = edit_receiver(act, code, system, given, seen=version)
    say(f"{done.receiver_name} ({done.system_uuid}) i {done.kommune_name} er rettet.")


@app.says("remove", "Fjern et modtagersystem (3.2). Det primære kan ikke fjernes.")
def remove(
    ctx: typer.Context,
    *,
    code: about.Kommune,
    name: Annotated[str, typer.Option(metavar="NAVN", help="Systemets navn i ADM.")],
    uuid: Annotated[str, typer.Option(metavar="UUID", help="Systemets UUID i ADM.")],
    force: Annotated[bool, typer.Option("--force", help="Også selv om det skylder sygehuset svar.")] = False,
    procedure: about.Checklist = None,
    yes: about.Yes = False,
    version: about.Version = None,
) -> None:
    from engine.desk.receivers import remove_receiver

    with office_of(ctx) as office:
        confirm(f"Fjern {name} i {code}?", yes=yes)
        with office.administering() as act:
            done = remove_receiver(
                act, code, name=name, uuid=uuid, force=force, procedure_id=procedure, seen=version
            )
    say(f"{done.receiver_name} ({done.system_uuid}) er fjernet fra {done.kommune_name}.")
    if done.waived:
        say(f"{done.waived} kvittering(er) afventes ikke længere; heraf {done.verdicts} svar til sygehuset.")
    say(f"Tjekliste: sundhedsagent procedure show {done.procedure_id}")


@app.says("replace-primary", "Udskift det primære modtagersystem (3.3): straks, eller planlagt med --at.")
def replace_primary(
    ctx: typer.Context,
    *,
    code: about.Kommune,
    old_name: about.OldName,
    old_uuid: about.OldUuid,
    new_name: about.NewName,
    new_uuid: about.NewUuid,
    at: about.AtOrNow = None,
    yes: about.Yes = False,
) -> None:
    from engine.desk.switchovers import PlanSwitchover, plan_switchover
    from engine.local_time import planned_text

    order = PlanSwitchover(
        code=code,
        old_name=old_name,
        old_uuid=old_uuid,
        new_name=new_name,
        new_uuid=new_uuid,
        at=moment(at, "tidspunktet"),
    )
    with office_of(ctx) as office:
        if order.at is None:
            confirm(f"Gør {new_name} primært i stedet for {old_name} i {code} nu?", yes=yes)
        with office.administering() as act:
            done = plan_switchover(act, order)
    said = "er gennemført" if done.carried_out_at else f"er planlagt til {planned_text(done.at)}"
    say(
        f"Omlægning {done.id} i {done.kommune_name} {said}.",
        f"{done.old_name} → {done.new_name}. Arket til statusmødet: sundhedsagent switchover sheet {done.id}",
    )


@app.says("list", "Vis en kommunes modtagersystemer, det primære først.")
def list_(ctx: typer.Context, kommune: about.Kommune, as_json: AsJson = False) -> None:
    from engine.desk.systems import list_systems

    with office_of(ctx) as office, office.visiting() as visit:
        lines = list_systems(visit.conn, visit.kommune(kommune).code)
    if as_json:
        print_json(lines)
    elif not lines:
        say("Kommunen har ingen modtagersystemer.")
    else:
        rows = [(line.name, line.part, line.vendor, line.uuid) for line in lines]
        table(("Navn", "Kvittering", "Leverandør", "UUID"), rows)


@app.says("show", "Vis alt, hvad registret ved om et modtagersystem.")
def show(ctx: typer.Context, kommune: about.Kommune, system: about.System, as_json: AsJson = False) -> None:
    from engine.desk.systems import show_system

    with office_of(ctx) as office, office.visiting() as visit:
        view = show_system(visit.conn, visit.kommune(kommune), system)
    if as_json:
        print_json(view)
    else:
        _print(view)


@app.says("note-without-ack", "Notér et system, der modtager uden kvittering (3.4). Det overvåges ikke.")
def note_without_ack(
    ctx: typer.Context,
    *,
    code: about.Kommune,
    name: about.Name = None,
    uuid: about.Uuid = None,
    vendor: about.Vendor = None,
    vendor_email: about.VendorEmail = None,
    area: about.Area = None,
    agreed_by: about.AgreedBy = None,
    agreement: about.Agreement = None,
    agreement_on: about.AgreementOn = None,
    certification: about.Certification = None,
    certified_on: about.CertifiedOn = None,
    connected_on: about.ConnectedOn = None,
    local_contact: about.LocalContact = None,
    vendor_contact: about.VendorContact = None,
    comment: about.Comment = None,
    procedure: about.Checklist = None,
) -> None:
    given = about.given_facts(locals())
    from engine.desk.noted import note_receiver

    with office_of(ctx) as office, office.administering() as act:
        done = note_receiver(act, code, given, procedure_id=procedure)
    say(f"{done.receiver_name} er noteret i {done.kommune_name} som system uden kvittering.")
    _say_checklist(done)


@app.says("edit-without-ack", "Ret, hvad der er noteret om et system uden kvittering.")
def edit_without_ack(
    ctx: typer.Context,
    *,
    code: about.Kommune,
    system: about.System,
    name: about.Name = None,
    uuid: about.Uuid = None,
    vendor: about.Vendor = None,
    vendor_email: about.VendorEmail = None,
    area: about.Area = None,
    agreed_by: about.AgreedBy = None,
    agreement: about.Agreement = None,
    agreement_on: about.AgreementOn = None,
    certification: about.Certification = None,
    certified_on: about.CertifiedOn = None,
    connected_on: about.ConnectedOn = None,
    local_contact: about.LocalContact = None,
    vendor_contact: about.VendorContact = None,
    comment: about.Comment = None,
    version: about.Version = None,
) -> None:
    given = about.given_facts(locals())
    from engine.desk.noted import edit_noted

    with office_of(ctx) as office, office.administering() as act:
        done = edit_noted(act, code, system, given, seen=version)
    say(f"{done.receiver_name} i {done.kommune_name} er rettet.")


@app.says("remove-without-ack", "Fjern et system uden kvittering fra notaterne (3.5).")
def remove_without_ack(
    ctx: typer.Context,
    code: about.Kommune,
    system: about.System,
    procedure: about.Checklist = None,
    yes: about.Yes = False,
) -> None:
    from engine.desk.noted import remove_noted

    with office_of(ctx) as office:
        confirm(f"Fjern {system} uden kvittering i {code}?", yes=yes)
        with office.administering() as act:
            done = remove_noted(act, code, system, procedure_id=procedure)
    say(f"{done.receiver_name} er ikke længere noteret i {done.kommune_name}.")
    _say_checklist(done)


def _say_checklist(done: "Registered") -> None:
    if done.procedure_id is not None:
        say(f"Tjekliste: sundhedsagent procedure show {done.procedure_id}")


def _print(view: "SystemView") -> None:
    from engine.domain.registration import begun
    from engine.local_time import date_text, planned_text

    known = view.facts
    dates = ", ".join(f"{state} {day}" for state, day in known.agreement_dates.items())
    facts(
        (
            ("Navn", known.name),
            ("UUID", known.uuid or None),
            ("Kommune", f"{view.kommune_name} ({view.kommune})"),
            ("Kvittering", view.part),
            ("Leverandør", known.vendor),
            ("System-e-mail", known.vendor_email),
            ("Forvaltningsområde", known.area or "–"),
            ("Aftalt med", known.agreed_by or "–"),
            ("Serviceaftale", known.agreement + (f" ({dates})" if dates else "")),
            (
                "MedCom",
                known.certification + (f" {date_text(known.certified_on)}" if known.certified_on else ""),
            ),
            ("Tilsluttet", date_text(view.connected_on)),
            ("Kun MedComKvittering", yes_no(known.only_kvittering) if view.acknowledges else None),
            ("Overvåges fra", planned_text(known.monitored_from) if known.monitored_from else None),
            ("Kvitteringsoverblik", _overview(view)),
            ("Version", str(view.version)),
        )
    )
    typed = [(label, item) for label, item in view.typed.items() if item.value]
    if typed:
        heading("Skrevet af kommunen eller en administrator")
        facts((begun(label), f"{item.value} ({item.typed_by})") for label, item in typed)


def _overview(view: "SystemView") -> str | None:
    if not view.acknowledges:
        return None
    emails = ", ".join(view.facts.overview_emails)
    return yes_no(view.facts.overview_enrolled) + (f" ({emails})" if emails else "")
