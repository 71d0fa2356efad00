"""`kvittering unmatched|show`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.commands.common import AsJson, office_of
from engine.commands.danish import Commands
from engine.commands.output import facts, plain, print_json, say, table
from engine.commands.system_options import MOST

if TYPE_CHECKING:
    from engine.desk.kvitteringer import KvitteringLine

app = Commands("Kvitteringer: de uafklarede, og alt om én.")


@app.says("unmatched", "Vis de uafklarede kvitteringer, de ældste først.")
def unmatched(
    ctx: typer.Context,
    kommune: Annotated[str | None, typer.Option(metavar="KODE", help="Kun denne kommune.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Også dem, der er behandlet.")] = False,
    as_json: AsJson = False,
) -> None:
    from engine.desk.kvitteringer import list_unmatched
    from engine.local_time import local

    with office_of(ctx) as office, office.visiting() as visit:
        only = visit.only if kommune is None else [visit.kommune(kommune).code]
        found = list_unmatched(visit.conn, only=only, every=every)
    if as_json:
        print_json([_with_words(line) for line in found])
    elif not found:
        say("Der er ingen uafklarede kvitteringer.")
    else:
        rows = [
            (
                str(line.id),
                f"{local(line.received_at):%d.%m. %H:%M}",
                (line.kommune_name or "ukendt").removesuffix(" Kommune"),
                line.sender or line.system_uuid or "ukendt",
                line.code.value,
                line.reason or "",
            )
            for line in found
        ]
        table(("Nr.", "Modtaget", "Kommune", "System", "Kode", "Hvorfor"), rows, right=(0,))


@app.says("show", "Vis alt om en kvittering undtagen dens indhold.")
def show(
    ctx: typer.Context,
    kvittering: Annotated[int, typer.Argument(metavar="NR", min=1, max=MOST, help="Kvitteringens nummer.")],
    as_json: AsJson = False,
) -> None:
    from engine.desk.kvitteringer import show_kvittering, what_to_do
    from engine.local_time import local_text

    with office_of(ctx) as office, office.visiting() as visit:
        line = show_kvittering(visit.conn, kvittering, only=visit.only)
    if as_json:
        print_json({**_with_words(line), "todo": what_to_do(line)})
        return
    handled = (
        f"{line.handled_by} {local_text(line.handled_at)}: {line.handled_note}" if line.handled_at else None
    )
    facts(
        (
            ("Kode", line.code.value),
            ("Udfald", line.disposition.danish),
            ("Hvorfor", line.reason),
            ("Modtaget", local_text(line.received_at)),
            ("Kommune", line.kommune_name or "ukendt"),
            ("System", _system(line)),
            ("System-UUID", line.system_uuid or "ikke oplyst"),
            ("Leverandør", ", ".join(filter(None, (line.vendor, line.vendor_email))) or None),
            ("Kvitterer for", line.response_identifier),
            ("Advis", str(line.advis_id) if line.advis_id else "intet"),
            ("Behandlet", handled),
            ("Gør", what_to_do(line)),
        )
    )


def _system(line: "KvitteringLine") -> str:
    if line.sender is None:
        return "ikke registreret"
    elsewhere = line.kommune not in {None, line.sender_kommune}
    return f"{line.sender} (registreret i {line.sender_kommune_name})" if elsewhere else line.sender


def _with_words(line: "KvitteringLine") -> dict[str, Any]:
    return {**plain(line), "disposition_text": line.disposition.danish}
