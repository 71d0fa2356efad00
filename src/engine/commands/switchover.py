"""`switchover list|show|plan|change|cancel|undo|sheet`."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands import system_options as about
from engine.commands.common import AsJson, confirm, moment, office_of
from engine.commands.danish import Commands
from engine.commands.output import facts, heading, print_json, say, table

if TYPE_CHECKING:
    from engine.desk.switchover_sheet import Sheet, SheetAdvis
    from engine.desk.switchovers import Switchover

app = Commands("Omlægninger: et andet modtagersystem bliver primært (3.3).")

Number = Annotated[int, typer.Argument(metavar="NR", min=1, max=about.MOST, help="Omlægningens nummer.")]


@app.says("list", "Vis omlægninger, de planlagte først.")
def list_(
    ctx: typer.Context,
    kommune: Annotated[str | None, typer.Option(metavar="KODE", help="Kun denne kommune.")] = None,
    planned: Annotated[bool, typer.Option("--planned", help="Kun de planlagte.")] = False,
    as_json: AsJson = False,
) -> None:
    from engine.desk.switchovers import list_switchovers
    from engine.local_time import planned_text

    with office_of(ctx) as office, office.visiting() as visit:
        only = visit.only if kommune is None else [visit.kommune(kommune).code]
        found = list_switchovers(visit.conn, only=only, planned_only=planned)
    if as_json:
        print_json(found)
    elif not found:
        say("Der er ingen omlægninger.")
    else:
        rows = [
            (
                str(item.id),
                item.kommune_name,
                planned_text(item.at),
                _state(item, office.clock.now()),
                f"{item.old_name} → {item.new_name}",
            )
            for item in found
        ]
        table(("Nr.", "Kommune", "Tidspunkt", "Tilstand", "Omlægning"), rows, right=(0,))


@app.says("show", "Vis en omlægning.")
def show(ctx: typer.Context, number: Number, as_json: AsJson = False) -> None:
    from engine.desk.switchovers import show_switchover

    with office_of(ctx) as office, office.visiting() as visit:
        found = show_switchover(visit.conn, number)
        visit.kommune(found.kommune)
    if as_json:
        print_json(found)
    else:
        _print(found, office.clock.now())


@app.says("plan", "Planlæg, at et andet modtagersystem bliver primært på et tidspunkt.")
def plan(
    ctx: typer.Context,
    *,
    code: about.Kommune,
    old_name: about.OldName,
    old_uuid: about.OldUuid,
    new_name: about.NewName,
    new_uuid: about.NewUuid,
    at: about.At,
    procedure: about.Checklist = None,
) -> None:
    from engine.desk.switchovers import PlanSwitchover, plan_switchover

    order = PlanSwitchover(
        code=code,
        old_name=old_name,
        old_uuid=old_uuid,
        new_name=new_name,
        new_uuid=new_uuid,
        at=moment(at, "tidspunktet"),
    )
    with office_of(ctx) as office, office.administering() as act:
        done = plan_switchover(act, order, procedure_id=procedure)
    _say("er planlagt", done)


@app.says("change", "Flyt en planlagt omlægning til et andet tidspunkt.")
def change(
    ctx: typer.Context,
    number: Number,
    at: about.At,
    version: about.Version = None,
) -> None:
    from engine.desk.switchovers import change_switchover
    from engine.local_time import exact_moment

    when = exact_moment(at, "tidspunktet")
    with office_of(ctx) as office, office.administering() as act:
        done = change_switchover(act, number, when, seen=version)
    _say("er flyttet", done)


@app.says("cancel", "Annuller en planlagt omlægning: det primære forbliver.")
def cancel(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[str | None, typer.Option(metavar="TEKST", help="Hvorfor.")] = None,
    yes: about.Yes = False,
    version: about.Version = None,
) -> None:
    from engine.desk.switchovers import cancel_switchover

    with office_of(ctx) as office:
        confirm(f"Annuller omlægning {number}?", yes=yes)
        with office.administering() as act:
            done = cancel_switchover(act, number, reason=reason, seen=version)
    say(f"Omlægning {done.id} i {done.kommune_name} er annulleret; {done.old_name} forbliver primært.")


@app.says("undo", "Fortryd en gennemført omlægning med en ny tilbage.")
def undo(ctx: typer.Context, number: Number, at: about.AtOrNow = None, yes: about.Yes = False) -> None:
    from engine.desk.switchovers import undo_switchover
    from engine.settings import Settings

    when = moment(at, "tidspunktet")
    with office_of(ctx) as office:
        within = Settings.load(office.home).switchover.undo
        if when is None:
            confirm(f"Fortryd omlægning {number} nu?", yes=yes)
        with office.administering() as act:
            done = undo_switchover(act, number, within=within, at=when)
    _say("er planlagt" if done.carried_out_at is None else "er gennemført", done)


@app.says("sheet", "Vis arket til statusmødet: er den gennemførte omlægning gået godt?")
def sheet(ctx: typer.Context, number: Number, as_json: AsJson = False) -> None:
    from engine.desk.switchover_sheet import switchover_sheet
    from engine.desk.switchovers import show_switchover

    with office_of(ctx) as office, office.visiting() as visit:
        visit.kommune(show_switchover(visit.conn, number).kommune)
        found = switchover_sheet(visit.conn, number, office.clock.now())
    if as_json:
        print_json({"verified": found.is_verified, **_fields(found)})
    else:
        _print_sheet(found)


def _fields(found: "Sheet") -> dict[str, object]:
    from dataclasses import fields

    return {field.name: getattr(found, field.name) for field in fields(found)}


def _say(what: str, done: "Switchover") -> None:
    from engine.local_time import planned_text

    when = planned_text(done.at)
    say(
        f"Omlægning {done.id} i {done.kommune_name} {what}: {done.old_name} → {done.new_name}, {when}.",
        f"Arket til statusmødet bagefter: sundhedsagent switchover sheet {done.id}",
    )


def _state(item: "Switchover", now: datetime) -> str:
    if item.undone_by:
        return f"fortrudt med {item.undone_by}"
    waits = item.state == "planned" and item.at <= now
    return f"{item.state.danish}, venter på motoren" if waits else item.state.danish


def _print(item: "Switchover", now: datetime) -> None:
    from engine.local_time import local_text, planned_text

    facts(
        (
            ("Omlægning", str(item.id)),
            ("Kommune", f"{item.kommune_name} ({item.kommune})"),
            ("Fra", f"{item.old_name} ({item.old_uuid})"),
            ("Til", f"{item.new_name} ({item.new_uuid})"),
            ("Tidspunkt", planned_text(item.at)),
            ("Tilstand", _state(item, now)),
            ("Planlagt", f"{local_text(item.planned_at)} af {item.planned_by}"),
            ("Gennemført", local_text(item.carried_out_at) if item.carried_out_at else None),
            ("Fortryder", f"omlægning {item.undoes}" if item.undoes else None),
            ("Version", str(item.version)),
        )
    )


def _print_sheet(found: "Sheet") -> None:
    from engine.local_time import local_text

    _print(found.switchover, found.made_at)
    heading("Er omlægningen gået godt?")
    old, new = found.last_of_old, found.first_of_new
    facts(
        (
            (
                "Sidste kvittering fra det gamle",
                f"{local_text(old.at)} (advis {old.advis_id})" if old else "–",
            ),
            (
                "Første kvittering fra det nye",
                f"{local_text(new.at)} (advis {new.advis_id})" if new else "ingen endnu",
            ),
            ("Undervejs over skiftet", str(len(found.in_flight))),
            ("Modtaget siden", f"{found.since}, heraf besvaret {found.answered_since}"),
            ("Mangler siden", str(len(found.missing_since))),
            ("Samlet", "verificeret: intet mangler" if found.is_verified else "ikke verificeret endnu"),
        )
    )
    for title, lines in (("Undervejs over skiftet", found.in_flight), ("Mangler siden", found.missing_since)):
        if lines:
            heading(title)
            table(("Advis", "Modtaget", "Svarer", "Hvad blev der af det", "Svar"), map(_sheet_row, lines))


def _sheet_row(item: "SheetAdvis") -> tuple[str, str, str, str, str]:
    from engine.local_time import local_text

    verdict = f"{item.verdict} {local_text(item.verdict_at)}" if item.verdict and item.verdict_at else "–"
    return (str(item.id), local_text(item.received_at), item.primary, item.fate.danish, verdict)
