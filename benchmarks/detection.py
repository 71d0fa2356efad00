"""How soon it is seen that nothing flows, and how often it is seen where nothing is wrong: a simulated quarter.

Five regions with the traffic of the whole country, by day, night and weekend, public holidays at about half; outages
of every kind planted at random; the engine down for some minutes now and then; the clock changed to winter time. The
station that looks is the engine's own, on a database of its own; what it reads is written as the engine would have
written it. Prints one JSON line; delays in seconds, counted from when the condition held.
"""

import argparse
import asyncio
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, event, insert, select, update

from engine.clock import SimulatedClock
from engine.domain import pulse
from engine.domain.incident import Cause
from engine.domain.silence import WEEKS, is_day
from engine.flow.detect import Detect
from engine.flow.mail_texts import MailTexts
from engine.links.memory import MemoryInbox
from engine.local_time import local
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Tx
from engine.store.sqlite import SqliteDatabase
from engine.store.tables import to_microseconds
from engine.store.traffic import hour_of

T = TypeVar("T")

PER_YEAR = 5_000_000
REGIONS = {"1084": 0.32, "1082": 0.23, "1083": 0.21, "1085": 0.14, "1081": 0.10}
BEGINS = datetime(
    2026, 9, 28, tzinfo=UTC
)  # thirteen weeks: the change to winter time, Christmas at their end
BIN = timedelta(seconds=10)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
# Christmas, and two days that stand for the holidays of a spring: this autumn has none.
HOLIDAYS = {date(2026, 12, day) for day in (24, 25, 26, 31)} | {date(2026, 11, 11), date(2026, 10, 16)}
HOLIDAY_SHARE = 0.5
# Chance leaves out eight in a row once in three thousand times; no limit lies near that.
LONG = 8
REGULARLY = timedelta(minutes=10)
# What of a day comes in each hour: admissions by day, discharges before and after noon.
DAY = (
    *(0.25, 0.2, 0.18, 0.16, 0.18, 0.25, 0.5, 0.9, 1.4, 1.9, 2.1, 2.1),
    *(2.0, 2.0, 1.9, 1.6, 1.3, 1.1, 0.9, 0.8, 0.7, 0.55, 0.45, 0.35),
)
WEEKEND = 0.55


def rate(region: str, at: datetime) -> float:
    """Adviser an hour."""
    there = local(at)
    week = 5 + 2 * WEEKEND
    of_day = (WEEKEND if there.weekday() >= 5 else 1) * 7 / week
    of_hour = DAY[there.hour] * 24 / sum(DAY)
    holiday = HOLIDAY_SHARE if there.date() in HOLIDAYS else 1
    return PER_YEAR / 365 / 24 * REGIONS[region] * of_day * of_hour * holiday


@dataclass
class Outage:
    """`holds` is when its condition holds: a silence from its beginning, the others when the settings' time is over."""

    kind: str  # vans, region, age, failures, beskedfordeler
    begins: datetime
    ends: datetime
    holds: datetime
    cause: Cause | None
    region: str = ""
    seen: datetime | None = None


class Inline(SqliteDatabase):
    """Everything in one thread: half a million looks go by more quickly so."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        with self.reading() as conn:
            return work(conn)

    async def write(self, work: Callable[[Tx], T]) -> T:
        with self.writing() as tx:
            return work(tx)


@dataclass
class Quarter:
    folder: Path
    seed: int
    length: timedelta
    plain: bool  # no outages at all
    outages: list[Outage] = field(default_factory=list)
    false_proposals: int = 0
    false_warnings: int = 0
    looks: int = 0
    last_incident: int = 0
    last_event: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.settings = Settings()
        self.clock = SimulatedClock(BEGINS)
        self.inbox = MemoryInbox()
        path = self.folder / "detection.db"
        self.db = Inline(path)
        event.listen(self.db.engine, "connect", lambda conn, _: conn.execute("PRAGMA synchronous=OFF"))
        self.db.upgrade()
        self._seed_rows()
        self.raw = sqlite3.connect(path, isolation_level=None)
        self.raw.execute("PRAGMA synchronous=OFF")
        self.heard = dict.fromkeys(REGIONS, BEGINS)
        self.counts = dict.fromkeys(REGIONS, 0)
        self.sent: dict[str, datetime] = {}  # and not taken yet: the last of each region
        self.behind = False  # whether the engine was kept from taking what was sent
        self.rates = dict.fromkeys(REGIONS, 0.0)
        self.looked = self.beaten = BEGINS
        self.start()
        if not self.plain:
            self.plan()

    def start(self) -> None:
        self.detect = Detect(self.inbox, self.db, self.clock, self.settings, MailTexts())

    def _seed_rows(self) -> None:
        with self.db.writing() as tx:
            for number, code in enumerate(REGIONS):
                of = {"code": f"1{number:03}", "name": f"Kommune {number}", "cvr": f"{number:08}"}
                more = {
                    "fk_organisation_uuid": "x",
                    "region": f"Region {code}",
                    "region_code": code,
                    "epj": "E",
                }
                tx.insert(tables.kommune, [of | more])
                row = {"kommune_code": of["code"], "system_uuid": str(number), "name": "A", "vendor": "V"}
                made = insert(tables.receiver).values(**row, vendor_email="v@v.example", added_at=BEGINS)
                key = tx.conn.execute(made).inserted_primary_key
                assert key is not None
                connection = {"kommune_code": of["code"], "primary_receiver_id": key[0]}
                more = {"contact_email": "k@k.example", "connected_at": BEGINS}
                tx.insert(tables.connection, [connection | more])
            tx.insert(tables.payload, [{"id": 1, "sealed": b""}])
            rows = []
            for back in range(1, WEEKS * 168 + 1):
                at = BEGINS - back * HOUR
                rows += [
                    {"hour": at, "region_code": region, "count": self.drawn(rate(region, at))}
                    for region in REGIONS
                ]
            tx.conn.execute(insert(tables.traffic), [row for row in rows if row["count"]])

    def drawn(self, mean: float) -> int:
        """A Poisson number."""
        if mean > 30:
            return max(0, round(self.rng.gauss(mean, mean**0.5)))
        count, left = 0, self.rng.expovariate(1)
        while left < mean:
            count, left = count + 1, left + self.rng.expovariate(1)
        return count

    # --- outages --------------------------------------------------------------------------------------------------

    def plan(self) -> None:
        """One outage a day or so, at any hour, an hour or two long, none beside another."""
        incident = self.settings.incident
        at = BEGINS + HOUR
        kinds = ["vans", "vans", "region", "age", "failures", "beskedfordeler"]
        while True:
            at += timedelta(hours=self.rng.uniform(14, 36))
            ends = at + timedelta(minutes=self.rng.uniform(60, 150))
            if ends + 4 * HOUR > BEGINS + self.length:
                return
            kind = self.rng.choice(kinds)
            holds, cause = at, None
            if kind == "vans":
                cause = Cause.VANS_SILENT
            elif kind in {"age", "failures"}:
                # By share it holds with the last of the failures that are needed; they come at once here.
                holds = at + (incident.unprocessed_after if kind == "age" else timedelta())
                cause = Cause.PROCESSING
            elif kind == "beskedfordeler":
                holds, cause = at + incident.bfo_after, Cause.BESKEDFORDELER
            region = self.rng.choice(list(REGIONS)) if kind == "region" else ""
            self.outages.append(Outage(kind, at, ends, holds, cause, region))
            at = ends + 4 * HOUR

    def begin(self, outage: Outage) -> None:
        match outage.kind:
            case "age":
                self.inbox.oldest_at = outage.begins
            case "failures":
                self.fail(outage)
            case "beskedfordeler":
                self.refuse(outage)
            case _:
                pass

    def fail(self, outage: Outage) -> None:
        with self.db.writing() as tx:
            for number in range(2 * self.settings.incident.failure_least):
                at = {"received_at": outage.begins, "outcome": "rejected"}
                key = f"{outage.begins.isoformat()}-{number}"
                known = {"sender_type": "EAN", "sender_id": str(number % 7), "receiver_type": "EAN"}
                more = {"receiver_id": "x", "envelope_id": key, "message_id": key, "document_name": "x"}
                made = insert(tables.envelope_in).values(delivery_key=key, **at, **known, **more)
                row = tx.conn.execute(made).inserted_primary_key
                assert row is not None
                aside = {"delivery_key": key, "channel": "vans", "name": "x", "reason": "damaged-payload"}
                more = {"quarantined_at": outage.begins, "detail": "x", "envelope_in_id": row[0]}
                tx.insert(tables.quarantine, [aside | more])

    def refuse(self, outage: Outage) -> None:
        """Adviser of two kommuner wait after a first attempt that failed."""
        with self.db.writing() as tx:
            for number in (0, 1):
                key = f"{outage.begins.isoformat()}-{number}"
                row = {
                    "kommune_code": f"1{number:03}",
                    "addressee": "x",
                    "message_id": key,
                    "besked_id": key[:36],
                }
                state = {"received_at": outage.begins, "refused": False, "primary_receiver_id": 1}
                sent = {"vans_sender_type": "EAN", "vans_sender_id": "x", "vans_receiver_type": "EAN"}
                more = {
                    "media_type": "x",
                    "encoding": "x",
                    "findings": "[]",
                    "episodes": "[]",
                    "payload_id": 1,
                }
                made = insert(tables.advis).values(**row, **state, **sent, **more, report_of_admission=False)
                advis = tx.conn.execute(made).inserted_primary_key
                assert advis is not None
                waits = {"round": 1, "ordered_at": outage.begins, "attempts": 1, "next_at": outage.begins}
                tx.insert(
                    tables.publication, [{"id": tx.next_id("publication"), "advis_id": advis[0], **waits}]
                )
        self.pulse(pulse.BESKEDFORDELER, good_at=None, bad_since=outage.begins)

    def end(self, outage: Outage) -> None:
        match outage.kind:
            case "age":
                self.inbox.oldest_at = None
            case "beskedfordeler":
                with self.db.writing() as tx:
                    tx.conn.execute(update(tables.publication).values(next_at=None))
                self.pulse(pulse.BESKEDFORDELER, good_at=outage.ends, bad_since=None)
            case _:
                pass

    # --- time passes ----------------------------------------------------------------------------------------------

    def pulse(self, name: str, *, good_at: datetime | None, bad_since: datetime | None) -> None:
        values = [None if at is None else to_microseconds(at) for at in (good_at, bad_since)]
        self.raw.execute(
            "INSERT INTO pulse (name, good_at, bad_since) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (name) DO UPDATE SET good_at = ?2, bad_since = ?3",
            (name, *values),
        )

    def arrivals(self, begins: datetime, silent: set[str]) -> None:
        """What comes in one bin of time."""
        share = BIN / HOUR
        for region in REGIONS:
            if region in silent:
                continue
            count = self.drawn(self.rates[region] * share)
            if count:
                self.counts[region] += count
                self.sent[region] = begins + BIN * self.rng.random()

    def tell(self) -> None:
        """What the engine would have written by now."""
        self.raw.execute("BEGIN IMMEDIATE")
        for region, at in self.heard.items():
            self.pulse(pulse.region(region), good_at=at, bad_since=None)
        self.pulse(pulse.VANS_IN, good_at=max(self.heard.values()), bad_since=None)
        self.raw.execute("COMMIT")

    def end_of_hour(self, hour: datetime) -> None:
        for region, count in self.counts.items():
            if count:
                row = (to_microseconds(hour), region, count)
                self.raw.execute("INSERT INTO traffic (hour, region_code, count) VALUES (?, ?, ?)", row)
        self.counts = dict.fromkeys(REGIONS, 0)

    async def run(self) -> None:
        breaks = self.breaks()
        down, up = next(breaks)
        coming, under_way = list(self.outages), list[Outage]()
        while (now := self.clock.now()) < BEGINS + self.length:
            if hour_of(now) == now:
                self.end_of_hour(now - HOUR)
                self.rates = {region: rate(region, now) for region in REGIONS}
            while coming and coming[0].begins <= now:
                under_way.append(coming.pop(0))
                self.begin(under_way[-1])
            for outage in [each for each in under_way if each.ends <= now]:
                self.end(outage)
                under_way.remove(outage)
            silent = {outage.region for outage in under_way if outage.kind == "region"}
            if any(outage.kind == "vans" for outage in under_way):
                silent = set(REGIONS)
            self.arrivals(now, silent)
            self.clock.advance(BIN)
            if down <= now < up:
                continue
            if now >= up:
                await self.come_up()
                down, up = next(breaks)
            self.take(is_stuck=any(outage.kind == "age" for outage in under_way))
            if self.must_look(under_way, silent):
                await self.look()
            else:
                self.beat()

    def must_look(self, under_way: list[Outage], silent: set[str]) -> bool:
        """It looks every ten seconds. Here it is spared the looks that could find nothing."""
        now = self.clock.now()
        if now - self.looked >= REGULARLY or any(each.seen is None for each in under_way):
            return True
        others = ((region, at) for region, at in self.heard.items() if region not in silent)
        return any(self.rates[region] * ((now - at) / HOUR) > LONG for region, at in others)

    async def look(self) -> None:
        self.tell()
        self.looked = self.beaten = self.clock.now()
        self.looks += 1
        if await self.detect.step():
            self.judge()

    async def come_up(self) -> None:
        """The station looks before anything is taken of what waits, and then it is all taken at once."""
        self.behind = True
        self.start()
        if await self.detect.step():
            self.judge()

    def take(self, *, is_stuck: bool) -> None:
        if not is_stuck:
            now = self.clock.now()
            self.heard |= dict.fromkeys(self.sent, now) if self.behind else self.sent
            self.sent = {}
        self.behind = is_stuck

    def beat(self) -> None:
        """What the station writes every half minute is written for it where it is spared the look."""
        now = self.clock.now()
        if now - self.beaten >= MINUTE:
            values = (to_microseconds(now), pulse.WATCH)
            self.raw.execute("UPDATE pulse SET good_at = ? WHERE name = ?", values)
            self.beaten = now

    def breaks(self) -> Iterator[tuple[datetime, datetime]]:
        """When the engine goes down and when it comes up."""
        at = BEGINS
        while True:
            at += timedelta(hours=self.rng.uniform(2, 60))
            yield at, at + timedelta(minutes=self.rng.choice((0.2, 1, 1.5, 1.9, 2.5, 5)))

    # --- judging --------------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """A proposal belongs to an outage of its cause that is under way; people resolve it when that is over."""
        incident, happened = tables.incident, tables.event
        now = self.clock.now()
        with self.db.reading() as conn:
            proposed = conn.execute(select(incident).where(incident.c.id > self.last_incident)).all()
            open_ = conn.execute(select(incident).where(incident.c.state != "dismissed")).all()
            warned = conn.execute(
                select(happened).where(happened.c.id > self.last_event, happened.c.kind == "region-silent")
            ).all()
        for row in proposed:
            self.last_incident = row.id
            outage = self.of(lambda each, row=row: each.cause == row.cause, now)
            if outage is None:
                self.false_proposals += 1
            elif outage.seen is None:
                outage.seen = now
        for row in warned:
            self.last_event = row.id
            name = json.loads(row.data)["region"].removeprefix("Region ")
            outage = self.of(lambda each, name=name: each.region == name, now)
            if outage is None:
                self.false_warnings += 1
            elif outage.seen is None:
                outage.seen = now
        over = [row.id for row in open_ if row.state == "proposed" and row.over_at is not None]
        if over:
            with self.db.writing() as tx:
                done = {"state": "dismissed", "dismissed_at": now, "dismissed_by": "x", "reason": "forbi"}
                tx.conn.execute(update(incident).where(incident.c.id.in_(over)).values(**done))

    def of(self, is_of: Any, now: datetime) -> Outage | None:
        # What was silent stays so for a moment after its end: the first advis has yet to come.
        return next(
            (each for each in self.outages if is_of(each) and each.begins <= now <= each.ends + 2 * MINUTE),
            None,
        )

    def figures(self) -> dict[str, Any]:
        def delays(outages: list[Outage]) -> dict[str, Any]:
            seen = [(each.seen - each.holds) / SECOND for each in outages if each.seen]
            return {
                "planted": len(outages),
                "seen": len(seen),
                "median": round(statistics.median(seen)) if seen else None,
                "worst": round(max(seen)) if seen else None,
            }

        vans = [each for each in self.outages if each.kind == "vans"]
        region = [each for each in self.outages if each.kind == "region"]

        def by_day(outages: list[Outage], *, wanted: bool) -> dict[str, Any]:
            return delays([e for e in outages if (is_day(e.begins) and is_day(e.ends)) == wanted])

        return {
            "days": self.length // timedelta(days=1),
            "a_by_day": by_day(vans, wanted=True),
            "a_at_other_times": by_day(vans, wanted=False),
            "region_by_day": by_day(region, wanted=True),
            "region_at_other_times": by_day(region, wanted=False),
            "b": delays([each for each in self.outages if each.cause is Cause.PROCESSING]),
            "c": delays([each for each in self.outages if each.cause is Cause.BESKEDFORDELER]),
            "false_proposals": self.false_proposals,
            "false_warnings": self.false_warnings,
            "looks": self.looks,
        }


def simulate(folder: Path, *, days: int = 91, seed: int = 1, plain: bool = False) -> dict[str, Any]:
    quarter = Quarter(folder, seed, timedelta(days=days), plain)
    try:
        asyncio.run(quarter.run())
        return quarter.figures()
    finally:
        quarter.raw.close()
        quarter.db.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=91)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="no outages: what is seen is false")
    chosen = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        figures = simulate(Path(folder), days=chosen.days, seed=chosen.seed, plain=chosen.plain)
    print(json.dumps({"bench": "detection", **figures, "seconds": round(time.perf_counter() - began)}))


if __name__ == "__main__":
    main()
