"""`kommune connect|edit|list|show`."""

from typing import Annotated

import typer

from engine.commands import system_options as about
from engine.commands.common import AsJson, office_of
from engine.commands.danish import Commands
from engine.commands.output import facts, heading, print_json, say, table, yes_no

app = Commands("Kommuner og deres tilslutning.")


@app.says("connect", "Tilslut en kommune med dens primære modtagersystem.")
def connect(
    ctx: typer.Context,
    *,
    code: Annotated[str, typer.Argument(metavar="KODE", help="Kommunekoden, fx 0751.")],
    gln: Annotated[str, typer.Option(metavar="GLN", help="GLN for enheden Sygehusadviser, 13 cifre.")],
    sor: Annotated[str, typer.Option(metavar="SOR", help="Enhedens SOR-kode.")],
    contact_email: Annotated[str, typer.Option(metavar="E-MAIL", help="Kontaktpunktets e-mailadresse.")],
    contact_note: Annotated[str, typer.Option(metavar="TEKST", help="Andre aftalte kanaler.")] = "",
    primary_name: Annotated[str, typer.Option(metavar="NAVN", help="Det primære systems navn i ADM.")],
    primary_uuid: Annotated[str, typer.Option(metavar="UUID", help="Det primære systems UUID i ADM.")],
    vendor: Annotated[str, typer.Option(metavar="NAVN", help="Systemets leverandør.")],
    vendor_email: Annotated[str, typer.Option(metavar="E-MAIL", help="Leverandørens system-e-mail i ADM.")],
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
) -> None:
    given = about.given_facts({**locals(), "name": primary_name, "uuid": primary_uuid})
    from engine.desk.kommuner import ConnectKommune, connect_kommune

    order = ConnectKommune(
        code=code, gln=gln, sor=sor, contact_email=contact_email, contact_note=contact_note, primary=given
    )
    with office_of(ctx) as office:
        with office.administering() as act:
            done = connect_kommune(act, order)
        office.home.make_dueslag(done.system_uuid)
    say(
        f"{done.kommune_name} ({done.kommune_code}) er tilsluttet.",
        f"Primært modtagersystem: {done.receiver_name} ({done.system_uuid}).",
    )


@app.says("edit", "Ret enhedens GLN eller SOR-kode.")
def edit(
    ctx: typer.Context,
    code: about.Kommune,
    gln: Annotated[str | None, typer.Option(metavar="GLN", help="Enhedens GLN, 13 cifre.")] = None,
    sor: Annotated[str | None, typer.Option(metavar="SOR", help="Enhedens SOR-kode.")] = None,
    version: about.Version = None,
) -> None:
    from engine.desk.kommuner import change_kommune
    from engine.errors import RuleError

    if gln is None and sor is None:
        raise RuleError("Angiv, hvad der skal rettes: --gln GLN eller --sor SOR.")
    with office_of(ctx) as office, office.administering() as act:
        done = change_kommune(act, code, gln=gln, sor=sor, seen=version)
    say(f"{code} er rettet." if done else f"{code} står sådan i forvejen.")


@app.says("list", "Vis kommunerne og hvem der er tilsluttet.")
def list_(
    ctx: typer.Context,
    connected: Annotated[bool, typer.Option("--connected", help="Kun de tilsluttede.")] = False,
    as_json: AsJson = False,
) -> None:
    from engine.desk.registry import list_kommuner

    with office_of(ctx) as office, office.visiting() as visit:
        lines = list_kommuner(visit.conn, connected_only=connected, only=visit.only)
    if as_json:
        print_json(lines)
        return
    rows = [
        (
            line.code,
            line.name,
            line.gln or "–",
            line.primary or "–",
            str(line.receivers) if line.connected else "–",
        )
        for line in lines
    ]
    table(("Kode", "Navn", "GLN", "Primært system", "Systemer"), rows, right=(4,))


@app.says("show", "Vis en kommune med dens modtagersystemer.")
def show(
    ctx: typer.Context,
    kommune: Annotated[str, typer.Argument(metavar="KODE", help="Kommunekoden, navnet eller CVR-nummeret.")],
    as_json: AsJson = False,
) -> None:
    from engine.desk.registry import show_kommune
    from engine.local_time import local_text

    with office_of(ctx) as office, office.visiting() as visit:
        view = show_kommune(visit.conn, visit.kommune(kommune).code)
    if as_json:
        print_json(view)
        return
    facts(
        (
            ("Kommune", f"{view.name} ({view.code})"),
            ("CVR", view.cvr),
            ("Region", view.region),
            ("Journalsystem", view.epj),
            ("Tilsluttet", local_text(view.connected_at) if view.connected_at else "nej"),
            ("GLN", view.gln),
            ("SOR", view.sor),
            ("Kontaktpunkt", view.contact_email),
            ("Andre kanaler", view.contact_note or None),
        )
    )
    if view.receivers:
        heading("Modtagersystemer")
        rows = [(item.name, yes_no(item.primary), item.vendor, item.uuid) for item in view.receivers]
        table(("Navn", "Primært", "Leverandør", "UUID"), rows)
