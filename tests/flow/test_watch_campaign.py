"""Tens of thousands of deadlines over a fortnight in which the engine is stopped, the machine booted anew and its clock
set again and again: every miss is recorded between 45:00 and 45:05 of elapsed time, and none that is no miss.

The test keeps time by its own count of what has passed; the engine has the machine's clock alone.
"""

import heapq
import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, func, select, update

from engine.clock import SimulatedClock
from engine.flow.mail_texts import MailTexts
from engine.flow.notify import Notify
from engine.flow.publish import _start_clocks
from engine.flow.timekeeping import open_ledger
from engine.flow.watch import Watch
from engine.settings import Settings
from engine.store import tables
from tests.flow.world import a_database

FORTNIGHT = 14 * 86_400.0
DEADLINE, LATEST = 45 * 60.0, 45 * 60.0 + 5
START = datetime(2026, 10, 17, 22, tzinfo=UTC)  # winter time begins in the middle of it
KOMMUNER, RECEIVERS = 98, 3
POLL = 0.25
SAME = {
    "addressee": "x",
    "refused": False,
    "vans_sender_type": "EAN",
    "vans_sender_id": "x",
    "vans_receiver_type": "EAN",
    "media_type": "x",
    "encoding": "x",
    "findings": "[]",
    "episodes": "[]",
    "report_of_admission": False,
}


@dataclass
class Expected:
    """One expected kvittering, by elapsed seconds."""

    published: float
    kvittering: float | None  # None: it comes at the very end
    joined: float | None = None
    settled: float | None = None


@dataclass
class Fortnight:
    """The engine's database and stations, and the test's own count of time."""

    folder: Path
    count: int
    seed: int
    elapsed: float = 0.0
    up: bool = True
    up_since: float = 0.0
    ups: list[tuple[float, float]] = field(default_factory=list)
    rows: dict[tuple[int, int], Expected] = field(default_factory=dict)
    last_event: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.clock = SimulatedClock(START)
        self.db = a_database(self.folder / "x.db")
        self.settings = Settings()
        with self.db.writing() as tx:
            tx.insert(
                tables.kommune,
                [
                    {
                        "code": f"1{n:03}",
                        "name": f"Kommune {n}",
                        "cvr": f"{n:08}",
                        "fk_organisation_uuid": "x",
                        "region": "R",
                        "region_code": "1084",
                        "epj": "E",
                    }
                    for n in range(KOMMUNER)
                ],
            )
            self.receivers = [
                self._receiver(tx, f"1{n:03}", m) for n in range(KOMMUNER) for m in range(RECEIVERS)
            ]
            tx.insert(tables.payload, [{"id": 1, "sealed": b""}])
            primaries = self.receivers[::RECEIVERS]
            tx.insert(
                tables.connection,
                [
                    {
                        "kommune_code": code,
                        "primary_receiver_id": receiver_id,
                        "contact_email": f"{code}@k.example",
                        "connected_at": START,
                    }
                    for code, receiver_id in primaries
                ],
            )
        self.start_stations()

    def _receiver(self, tx: Any, code: str, number: int) -> tuple[str, int]:
        row = {
            "kommune_code": code,
            "system_uuid": f"{code}{number:032}",
            "name": f"System {number}",
            "vendor": "V",
            "vendor_email": f"v{number}@v.example",
            "added_at": START,
        }
        key = tx.conn.execute(tables.receiver.insert().values(**row)).inserted_primary_key
        return code, key[0]

    def start_stations(self) -> None:
        self.watch = Watch(self.db, self.clock, self.settings)
        self.notify = Notify(self.db, self.clock, self.settings, MailTexts())
        self.up, self.up_since = True, self.elapsed

    def stop_stations(self) -> None:
        self.up = False
        self.ups.append((self.up_since, self.elapsed))

    # --- what happens ---------------------------------------------------------------------------------------------

    def plan(self) -> list[tuple[float, int, str, Any]]:
        """What happens, by elapsed time."""
        rng, serial = self.rng, itertools.count()
        plan: list[tuple[float, int, str, Any]] = []

        def add(at: float, what: str, detail: Any = None) -> None:
            plan.append((at, next(serial), what, detail))

        for _ in range(self.count):
            add(rng.uniform(0, FORTNIGHT), "publish")
        booted: list[tuple[float, float]] = []
        for n in range(30):
            at = FORTNIGHT * (n + rng.random() * 0.8) / 30
            up_at, boots = at + rng.choice((2, 30, 600, 7_200)), rng.random() < 0.3
            add(at, "stop")
            add(up_at, "boot" if boots else "start")
            if boots:
                booted.append((at, up_at))
        # A clock that is set while the machine is off, or before the engine has looked at it again, cannot be told from
        # time that passes: nobody does so here.
        steps = [(rng.uniform(0, FORTNIGHT), rng.choice((-1, 1)) * rng.uniform(1, 10_800)) for _ in range(40)]
        steps += [(rng.uniform(0, FORTNIGHT), rng.uniform(-0.9, 0.9)) for _ in range(30)]  # they add up
        steps += [
            (7.125 * 86_400, -3_600.0),
            (7.2 * 86_400, 3_600.0),
        ]  # somebody "corrects" the change to winter time
        for at, step in steps:
            add(next((up_at + 5 for off, up_at in booted if off <= at <= up_at + 5), at), "set-clock", step)
        return plan

    async def run(self) -> None:
        waiting = self.plan()
        heapq.heapify(waiting)
        serial = itertools.count(len(waiting))
        while waiting:
            at, _, what, detail = heapq.heappop(waiting)
            self.pass_until(at)
            if what in {"publish", "kvittering", "look"} and not self.up:
                if what != "look":  # whoever is not there does it when it is there again
                    heapq.heappush(waiting, (at + 60, next(serial), what, detail))
                continue
            match what:
                case "publish":
                    key, again = self.publish()
                    heapq.heappush(waiting, (again, next(serial), "look", key))
                    come = self.rows[key].kvittering
                    if come is not None:
                        heapq.heappush(waiting, (come, next(serial), "kvittering", key))
                case "kvittering":
                    await self.kvittering(detail)
                case "look":
                    await self.look()
                    # A slewed clock may have put it off by a moment: an engine looks again, and so does this one.
                    if detail is not None and self.is_awaited(detail, at):
                        heapq.heappush(waiting, (at + POLL, next(serial), "look", detail))
                case "set-clock":
                    self.clock.step(timedelta(seconds=detail))
                    heapq.heappush(waiting, (at + self.rng.uniform(0, POLL), next(serial), "look", None))
                case "stop":
                    self.stop_stations()
                case _:
                    if what == "boot":
                        self.clock.reboot()
                    self.start_stations()
                    heapq.heappush(waiting, (at + self.rng.uniform(0, 4), next(serial), "look", None))
        self.stop_stations()

    def pass_until(self, at: float) -> None:
        if at > self.elapsed:
            # Whole microseconds, as the clock has them, so that both counts stay the same.
            now = round(at, 6)
            self.clock.advance(timedelta(seconds=now) - timedelta(seconds=self.elapsed))
            self.elapsed = now

    def publish(self) -> tuple[tuple[int, int], float]:
        """One advis, accepted now and expected from one receiver; its key, and when the engine will look for it."""
        rng = self.rng
        first = rng.randrange(KOMMUNER) * RECEIVERS
        code, receiver_id = rng.choice(self.receivers[first : first + RECEIVERS])
        advis_id = len(self.rows) + 1
        with self.db.writing() as tx:
            ledger = open_ledger(tx, self.clock)
            row = {"id": advis_id, "kommune_code": code, "primary_receiver_id": self.receivers[first][1]}
            ids = {"message_id": f"m{advis_id}", "besked_id": f"b{advis_id}", "payload_id": 1}
            ledger.add(tables.advis, **row, **ids, **SAME, received_at=ledger.now, published_at=ledger.now)
            expected = {"advis_id": advis_id, "receiver_id": receiver_id, "state": "pending"}
            ledger.add(tables.expected_kvittering, **expected)
            ledger.write()
            _start_clocks(tx.conn, [advis_id], ledger.now, ledger.now + timedelta(seconds=DEADLINE))
        chance = rng.random()
        if chance < 0.6:
            come: float | None = self.elapsed + rng.uniform(1, DEADLINE - 1)
        else:
            come = self.elapsed + rng.uniform(DEADLINE + 10, 6 * 3_600) if chance < 0.95 else None
        self.rows[advis_id, receiver_id] = Expected(self.elapsed, come)
        # The engine looks four times a second. Only the look that can find something is made.
        return (advis_id, receiver_id), self.elapsed + DEADLINE + rng.uniform(0, POLL)

    async def kvittering(self, key: tuple[int, int]) -> None:
        """It comes; and where it was the last that a case missed, the case is closed with the next look."""
        expected = tables.expected_kvittering
        row = (expected.c.advis_id == bindparam("advis"), expected.c.receiver_id == bindparam("receiver"))
        with self.db.writing() as tx:
            open_ledger(tx, self.clock).write()
            come = update(expected).where(*row).values(state="ok", settled_at=self.clock.now())
            tx.conn.execute(come, {"advis": key[0], "receiver": key[1]})
        self.rows[key].settled = self.elapsed
        if self.rows[key].joined is not None:
            await self.notify.step()

    async def look(self) -> None:
        if await self.watch.step():
            self.note_joined()
        await self.notify.step()

    def is_awaited(self, key: tuple[int, int], at: float) -> bool:
        row = self.rows[key]
        return row.joined is None and row.settled is None and at < row.published + LATEST

    def note_joined(self) -> None:
        event, expected = tables.event, tables.expected_kvittering
        missed = select(event.c.id, event.c.advis_id).where(
            event.c.id > self.last_event, event.c.kind == "kvittering-missed"
        )
        with self.db.reading() as conn:
            for event_id, advis_id in conn.execute(missed.order_by(event.c.id)).all():
                self.last_event = event_id
                of = select(expected.c.receiver_id).where(expected.c.advis_id == advis_id)
                (receiver_id,) = conn.execute(of).scalars()
                row = self.rows[advis_id, receiver_id]
                assert row.joined is None, "missed twice"
                assert row.settled is None, "missed though it had come"
                row.joined = self.elapsed

    # --- the judgement --------------------------------------------------------------------------------------------

    def faults(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for row in self.rows.values():
            deadline = row.published + DEADLINE
            if row.kvittering is not None and row.kvittering < deadline:
                # It may have come late because the engine was down; then the deadline may have passed first.
                if row.joined is not None and self.was_up_through(row.kvittering, deadline):
                    found["false"] += 1
            elif row.joined is None:
                # Both were held up while the engine was down, and the kvittering was the first of them to be seen.
                came_first = row.settled is not None and self.just_up(row.settled, deadline)
                found["none"] += int(not came_first)
            elif row.joined < deadline - 1e-3:
                found["early"] += 1
            elif row.joined > row.published + LATEST and not self.just_up(row.joined, deadline):
                found["late"] += 1
        return found

    def was_up_through(self, begins: float, ends: float) -> bool:
        return any(since <= begins and ends <= until for since, until in self.ups)

    def just_up(self, at: float, deadline: float) -> bool:
        """Whether the engine was down at the deadline, and came up less than 5 s before `at`."""
        since = max(begins for begins, _ in self.ups if begins <= at)
        return since > deadline and at - since <= 5


async def run(folder: Path, count: int, seed: int) -> Fortnight:
    fortnight = Fortnight(folder, count, seed)
    await fortnight.run()
    joined = sum(row.joined is not None for row in fortnight.rows.values())
    assert len(fortnight.rows) == count
    assert count * 0.3 < joined < count * 0.5
    assert +fortnight.faults() == {}
    # Everything that is left comes, and all cases are closed.
    fortnight.start_stations()
    with fortnight.db.writing() as tx:
        tx.conn.execute(update(tables.expected_kvittering).values(state="ok"))
    while await fortnight.notify.step():
        pass
    case = tables.alarm_case
    with fortnight.db.reading() as conn:
        opened, misses = conn.execute(select(func.count(), func.sum(case.c.misses))).one()
        still_open = select(func.count()).select_from(case).where(case.c.closed_at.is_(None))
        assert conn.execute(still_open).scalar_one() == 0
    assert misses == joined
    assert opened > KOMMUNER
    fortnight.db.close()
    return fortnight


async def test_a_fortnight_of_deadlines(tmp_path: Path) -> None:
    await run(tmp_path, 300, seed=4)


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
async def test_a_hundred_thousand_deadlines(tmp_path: Path) -> None:
    await run(tmp_path, 100_000, seed=5)
