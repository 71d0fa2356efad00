"""`overview`: Kvitteringsoverblik as table, CSV and JSON."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.common import AsJson, office_of
from engine.commands.output import number, period, print_json, say, table

if TYPE_CHECKING:
    from datetime import date

    from engine.commands.danish import Commands
    from engine.flow.kvitteringsoverblik import OverblikLine

_MOST_DAYS = 92  # of the whole country; a quarter is a million adviser


def overview(
    ctx: typer.Context,
    *,
    kommune: Annotated[str | None, typer.Option(metavar="KODE", help="Kun denne kommune.")] = None,
    receiver: Annotated[
        str | None, typer.Option(metavar="SYSTEM", help="Kun systemer med dette UUID eller navn.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DAG", help="Første dag, fx 2026-12-01; ellers i går.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="DAG", help="Sidste dag, den selv med.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Skriv CSV, som Excel åbner den.")] = False,
    as_json: AsJson = False,
) -> None:
    from datetime import timedelta

    from engine.desk.exchange_files import csv_bytes
    from engine.domain.registration import checked_date
    from engine.errors import RuleError
    from engine.flow.kvitteringsoverblik import overblik
    from engine.flow.report import day_of
    from engine.local_time import local_date

    if as_csv and as_json:
        raise RuleError("Vælg enten --csv eller --json.")
    one_day = timedelta(days=1)
    with office_of(ctx) as office, office.visiting() as visit:
        now = office.clock.now()
        yesterday = local_date(now) - one_day
        first = (
            checked_date(from_, "første dag")
            if from_
            else (checked_date(to, "sidste dag") if to else yesterday)
        )
        last = checked_date(to, "sidste dag") if to else max(first, yesterday if from_ else first)
        if last < first:
            raise RuleError("Sidste dag ligger før første dag.")
        only = visit.only if kommune is None else [visit.kommune(kommune).code]
        if (last - first).days >= _MOST_DAYS and (only is None or len(only) > 1):
            raise RuleError(f"Vælg højst {_MOST_DAYS} dage, eller én kommune med --kommune.")
        found = overblik(visit.conn, day_of(first), day_of(last + one_day), now, kommuner=only)
    if receiver is not None:
        wanted = receiver.strip().casefold()
        found = [line for line in found if wanted in {line.receiver_uuid, line.receiver.casefold()}]
    if as_json:
        print_json({"from": first, "to": last, "receivers": found})
    elif as_csv:
        sys.stdout.flush()
        sys.stdout.buffer.write(csv_bytes(_csv_rows(first, last, found)))
        sys.stdout.buffer.flush()
    else:
        _print(first, last, found, receiver)


def add_to(app: "Commands") -> None:
    app.says("overview", "Kvitteringsoverblik: hvordan systemerne har kvitteret i en periode.")(overview)


def _csv_rows(first: "date", last: "date", found: "list[OverblikLine]") -> list[list[str]]:
    from engine.local_time import local_text

    head = "fra til kommunekode kommune modtagersystem uuid leverandør primært"
    counts = (
        "fordelt kvitteret negative for_sent mangler afventes median_sekunder p95_sekunder ældste_mangler"
    )
    rows = [[*head.split(), *counts.split()]]
    for line in found:
        oldest = "" if line.oldest_missing is None else local_text(line.oldest_missing)
        rows.append(
            [
                first.isoformat(),
                last.isoformat(),
                line.kommune,
                line.kommune_name,
                line.receiver,
                line.receiver_uuid,
                line.vendor,
                "ja" if line.primary else "nej",
                *map(str, _counts(line)),
                "" if line.median_s is None else f"{line.median_s:.0f}",
                "" if line.p95_s is None else f"{line.p95_s:.0f}",
                oldest,
            ]
        )
    return rows


def _counts(line: "OverblikLine") -> tuple[int, ...]:
    return (line.published, line.acknowledged, line.negative, line.late, line.missing, line.waiting)


def _print(first: "date", last: "date", found: "list[OverblikLine]", receiver: str | None) -> None:
    from engine.local_time import date_text, local

    span = date_text(first) if first == last else f"{date_text(first)} til {date_text(last)}"
    say(f"Kvitteringsoverblik for {span}", "")
    if not found:
        to = "" if receiver is None else f' til et system med navn eller UUID "{receiver}"'
        say(f"Intet er fordelt i perioden{to}.")
        return
    rows = [
        (
            line.kommune_name.removesuffix(" Kommune"),
            line.receiver + (" *" if line.primary else ""),
            *map(number, _counts(line)),
            "–" if line.median_s is None else period(round(line.median_s)),
            "–" if line.p95_s is None else period(round(line.p95_s)),
            "–" if line.oldest_missing is None else f"{local(line.oldest_missing):%d.%m. %H:%M}",
        )
        for line in found
    ]
    heads = ("Kommune", "System", "Fordelt", "Kvitteret", "Negative", "For sent", "Mangler", "Afventes")
    table((*heads, "Median", "95 %", "Ældste"), rows, right=tuple(range(2, 8)))
    say("", "* primært modtagersystem. Ældste: hvornår den ældste, der mangler, blev fordelt.")
