"""`maintenance add|list|cancel`."""

from typing import Annotated

import typer

from engine.commands.common import AsJson, moment, office_of
from engine.commands.danish import Commands
from engine.commands.output import print_json, say, table
from engine.commands.system_options import MOST, Kommune, System

app = Commands("Servicevinduer: det, en leverandør har planlagt. Inden for dem sendes ingen mails.")

Number = Annotated[int, typer.Argument(metavar="NR", min=1, max=MOST, help="Servicevinduets nummer.")]


@app.says("add", "Planlæg et servicevindue for et modtagersystem.")
def add(
    ctx: typer.Context,
    *,
    code: Kommune,
    receiver: System,
    from_: Annotated[str, typer.Option("--from", metavar="TID", help='Fra, dansk tid: "2026-12-01 22:00".')],
    until: Annotated[str, typer.Option("--until", metavar="TID", help="Til, dansk tid.")],
    reason: Annotated[str, typer.Option(metavar="TEKST", help="Hvad leverandøren laver.")],
) -> None:
    from engine.desk.maintenance import plan_maintenance
    from engine.local_time import planned_text

    begins, ends = moment(from_, "begyndelsen"), moment(until, "slutningen")
    assert begins is not None
    assert ends is not None
    with office_of(ctx) as office, office.serving() as act:
        done = plan_maintenance(act, code, receiver, begins, ends, reason)
    say(
        f"Servicevindue {done.id} for {done.receiver} i {done.kommune_name}: "
        f"fra {planned_text(done.from_at)} til {planned_text(done.until_at)}.",
        "Det, der mangler imens, noteres på en sag, men der sendes ingen mail om det.",
    )


@app.says("list", "Vis de servicevinduer, der er planlagt eller i gang.")
def list_(
    ctx: typer.Context,
    kommune: Annotated[str | None, typer.Option(metavar="KODE", help="Kun denne kommune.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Også de overståede og aflyste.")] = False,
    as_json: AsJson = False,
) -> None:
    from engine.desk.maintenance import list_maintenance
    from engine.local_time import planned_text

    with office_of(ctx) as office, office.visiting() as visit:
        only = visit.only if kommune is None else [visit.kommune(kommune).code]
        now = office.clock.now()
        found = list_maintenance(visit.conn, now, only=only, every=every)
    if as_json:
        print_json(found)
    elif not found:
        say("Der er ingen servicevinduer.")
    else:
        rows = [
            (
                str(item.id),
                item.kommune_name.removesuffix(" Kommune"),
                item.receiver,
                planned_text(item.from_at),
                planned_text(item.until_at),
                item.state(now),
                item.reason,
            )
            for item in found
        ]
        table(("Nr.", "Kommune", "Modtagersystem", "Fra", "Til", "Tilstand", "Hvad"), rows, right=(0,))


@app.says("cancel", "Aflys et servicevindue; fra nu af sendes der mails igen.")
def cancel(ctx: typer.Context, window: Number) -> None:
    from engine.desk.maintenance import cancel_maintenance

    with office_of(ctx) as office, office.serving() as act:
        done = cancel_maintenance(act, window)
    say(f"Servicevindue {done.id} for {done.receiver} i {done.kommune_name} er aflyst.")
