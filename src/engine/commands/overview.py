"""`pending` and `status`."""

from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.common import AsJson, office_of
from engine.commands.danish import Commands
from engine.commands.output import (
    ago,
    dated,
    heading,
    number,
    paint,
    period,
    plain,
    print_json,
    printable,
    say,
    table,
    yes_no,
)
from engine.domain.events import Level

if TYPE_CHECKING:
    from datetime import datetime

    from engine.desk.overview import Channel, PendingLine, Status
    from engine.settings import Settings


def pending(
    ctx: typer.Context,
    kommune: Annotated[str | None, typer.Option(metavar="KODE", help="Kommunekode eller navn.")] = None,
    as_json: AsJson = False,
) -> None:
    from engine.desk.overview import list_pending

    with office_of(ctx) as office, office.visiting() as visit:
        only = visit.only if kommune is None else [visit.kommune(kommune).code]
        lines = list_pending(visit.conn, office.clock.now(), only=only)
    if as_json:
        print_json(lines)
    elif not lines:
        say("Ingen kvitteringer afventes.")
    else:
        rows = [
            (
                _left(line),
                line.kommune_name.removesuffix(" Kommune"),
                line.receiver,
                yes_no(line.primary),
                str(line.advis_id),
            )
            for line in lines
        ]
        table(("Frist", "Kommune", "Modtagersystem", "Primært", "Advis"), rows, right=(4,))


def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    from engine.desk.overview import status as read_status
    from engine.settings import Settings

    with office_of(ctx) as office:
        settings, running = Settings.load(office.home), office.engine_runs()
        with office.reading() as conn:
            found = read_status(conn, office.clock.now(), settings)
    if as_json:
        print_json({"engine_running": running, **plain(found)})
    else:
        _print_status(found, settings, running=running)


def _print_status(found: "Status", settings: "Settings", *, running: bool) -> None:
    oldest, verdicts = found.oldest_seconds, found.answered
    engine, is_well = _engine(found, settings, running=running)
    first = f"{engine} Tilsluttede kommuner: {number(found.connected_kommuner)}"
    print(first if is_well else paint(first, "red"))
    for incident in found.open_incidents:
        print(paint(printable(f"! Hændelse: {incident}"), "red"))
    for stall in found.stalls:
        print(
            paint(printable(f"! Står stille siden {_when(stall.since)}: {stall.detail}. {stall.do}"), "red")
        )
    for each in found.certificates:
        colour = "red" if each.level is Level.ALARM else "yellow"
        print(paint(printable(f"! {each.what}. {each.do}"), colour))
    heading("Forbindelser")
    for channel in found.channels:
        _print_channel(channel, found.at)
    heading("Adviser")
    _count("Modtaget", found.received)
    _count("Fordelt", found.published)
    _count("Besvaret med ok", verdicts["ok"])
    _count("Besvaret med fatal-error", verdicts["fatal-error"])
    _count("Afvist af Sundhedsagenten", found.refused)
    _count("Venter på Beskedfordeleren", found.waiting_publications, _oldest(oldest.publication))
    _count("  heraf forsinket", found.delayed_publications, colour="red")
    heading("Kvitteringer")
    _count("Afventes", found.pending)
    _count("  heraf over fristen", found.overdue, _oldest(oldest.overdue), colour="red")
    _count("Negative", found.negative_kvitteringer, colour="yellow")
    _count("Uafklarede", found.unmatched_kvitteringer, _oldest(oldest.unmatched), colour="yellow")
    heading("VANS")
    _count("Konvolutter, der venter", found.waiting_envelopes, _oldest(oldest.envelope))
    _count("Svar, VANS ikke har bekræftet", found.receipts_awaited)
    _count("  heraf sendt igen", found.receipts_missing, colour="yellow")
    _count("Afvist af VANS i det seneste døgn", found.receipts_negative, colour="red")
    _count("I karantæne", found.quarantined, colour="yellow")
    heading("Sager og mails")
    _count("Åbne sager", sum(found.open_cases.values()))
    _count("  heraf ikke taget", found.untaken_cases, colour="red")
    _count("Mails, der venter", found.waiting_mails)
    _count("Mails, der er afvist", found.refused_mails, colour="yellow")
    heading("Alarmer i det seneste døgn")
    _count("Alarmer", found.alarm_count, colour="red")
    for alarm in found.alarms:
        dated(alarm.local_time, alarm.sentence + (f" (advis {alarm.advis_id})" if alarm.advis_id else ""))


def _engine(found: "Status", settings: "Settings", *, running: bool) -> tuple[str, bool]:
    """How the engine does, and whether that is well."""
    seen = found.engine_seen_at
    if not running:
        return "Motoren kører ikke." + (f" Sidst set for {ago(seen, found.at)}." if seen else ""), False
    if seen is not None and found.at - seen > settings.monitor.station_after:
        return f"Motoren kører, men gav sidst livstegn for {ago(seen, found.at)}. Genstart den.", False
    return "Motoren kører.", True


def _print_channel(channel: "Channel", now: "datetime") -> None:
    if channel.up is None:
        sign, told, colour = "·", "ikke brugt endnu", "dim"
    elif channel.bad_since is None:
        sign, told, colour = "✓", "i orden", "green"
        if channel.good_at is not None:
            told += f", senest for {ago(channel.good_at, now)}"
    else:
        sign, colour = "✗", "red"
        told = f"fejler siden {_when(channel.bad_since)}: {channel.error}"
    print(paint(printable(f"{sign} {channel.what:<20}{told}"), colour))


def _when(at: "datetime") -> str:
    from engine.local_time import local

    return f"{local(at):%d.%m. kl. %H:%M}"


def _count(name: str, value: int, note: str = "", *, colour: str = "") -> None:
    line = f"{name:<36}{number(value):>10}{note}"
    print(paint(line, colour) if colour and value else line)


def _oldest(seconds: int | None) -> str:
    return "" if seconds is None else f"   ældste: {period(seconds)}"


def _left(line: "PendingLine") -> str:
    if line.seconds_left is None:
        return "ikke fordelt" if line.monitored else "overvåges ikke"
    left = period(line.seconds_left)
    return f"{left} over" if line.overdue else f"om {left}"


def add_to(app: Commands) -> None:
    app.says("pending", "Vis de kvitteringer, der afventes, de mest presserende først.")(pending)
    app.says("status", "Vis, hvordan det går: antal, ventetider og alarmer.")(status)
