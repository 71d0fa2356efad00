"""Two engines on one database: each tells of its own folders and lines, and neither of what only the other can see."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from engine.desk.overview import Channel, status
from engine.domain import pulse
from engine.flow.detect import Detect, Look, Sign
from engine.flow.incidents import dismiss
from engine.flow.timekeeping import open_ledger
from engine.links.memory import MemoryBeskedfordeler, MemoryInbox
from engine.ports import SendResult
from engine.service import Engine
from engine.store import tables
from engine.store.pulse import pulses
from tests.flow.world import FRB, KBH, QUIET, START, World

LOOK = timedelta(seconds=10)
FIRST, SECOND = "vans1:/srv/sundhedsagenten", "vans2:/srv/sundhedsagenten"
FIRST_LINE = pulse.own(pulse.INBOX_BESKEDFORDELER, FIRST)


class Line(MemoryInbox):
    """One that does not come up, until it may."""

    is_up = False

    async def oldest(self) -> datetime | None:
        if not self.is_up:
            raise OSError
        return await super().oldest()


class Two:
    """The first engine's links are its own; those that `world` has are the second's."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.first_vans, self.first_line, self.first_out = world.vans_in, Line(), world.beskedfordeler
        world.kvitteringer = self.first_line
        world.start_engine(holder=FIRST)
        self.first = world.engine
        world.vans_in, world.kvitteringer = MemoryInbox(), MemoryInbox()
        world.beskedfordeler = MemoryBeskedfordeler()
        world.start_engine(holder=SECOND)
        self.engines = [self.first, world.engine]

    async def go_on(self, *stations: str, **duration: float) -> None:
        for _ in range(timedelta(**duration) // LOOK):
            self.world.clock.advance(LOOK)
            for engine in self.engines:
                await turn(engine, stations)

    async def publish(self, **duration: float) -> None:
        """Adviser of two kommuner come in to both all the while; the first engine is the first to try."""
        own = self.world.vans_in
        for _ in range(timedelta(**duration) // LOOK):
            for inbox in (self.first_vans, own):
                self.world.vans_in = inbox
                for kommune in (KBH, FRB):
                    self.world.send(self.world.hn(kommune=kommune), key=str(uuid4()))
            await self.go_on("receive", "publish", "answer", "detect", "oversee", seconds=10)

    def channel(self) -> Channel:
        with self.world.db.reading() as conn:
            channels = status(conn, self.world.clock.now(), self.world.settings).channels
        (found,) = [each for each in channels if each.name == pulse.BESKEDFORDELER]
        return found

    def told(self) -> Counter[str]:
        with self.world.db.reading() as conn:
            return Counter(conn.execute(select(tables.event.c.kind)).scalars())

    def stalls(self) -> dict[str, str]:
        return {row.name: row.detail for row in self.world.rows(tables.stall)}


async def turn(engine: Engine, stations: tuple[str, ...]) -> None:
    for station in engine.stations:
        engine._beats.beat(station.name)
        if station.name in stations:
            await station.step()


@pytest.fixture
def two(make_world: Callable[..., World]) -> Two:
    return Two(make_world(publish={"alarm_after": "1 min"}, incident=QUIET | {"bfo_after": "1 min"}))


async def test_the_dead_line_of_one_is_told_though_the_others_is_well(two: Two) -> None:
    await two.go_on("oversee", minutes=8)
    assert two.told() == {"stalled": 1}
    assert two.stalls() == {
        FIRST_LINE: f"Kvitteringer fra Beskedfordeleren på {FIRST}: kan ikke læses (OSError)"
    }


async def test_what_one_alone_cannot_publish_is_its_own_trouble_and_no_incident(two: Two) -> None:
    own = pulse.own(pulse.BESKEDFORDELER, FIRST)
    two.first_line.is_up = True
    two.first_out.verdict = lambda _: SendResult("Certifikatet er udløbet")
    await two.publish(minutes=2)
    assert two.stalls().keys() - {"queue:publications"} == {own}
    assert two.stalls()[own] == f"Beskedfordeleren på {FIRST}: Certifikatet er udløbet"
    assert (two.channel().up, two.channel().error) == (False, f"{FIRST}: Certifikatet er udløbet")
    assert "incident-proposed" not in two.told()

    two.world.beskedfordeler.verdict = two.first_out.verdict
    await two.publish(minutes=2)
    assert two.told()["incident-proposed"] == 1
    assert two.channel().error == "Certifikatet er udløbet"

    two.first_out.verdict = two.world.beskedfordeler.verdict = lambda _: SendResult()
    await two.publish(minutes=5)
    assert two.channel().up
    assert two.stalls() == {}


async def test_what_one_alone_cannot_publish_is_no_incident_where_little_comes(two: Two) -> None:
    """The other engine has succeeded since, and has had nothing to try for longer than an incident takes."""
    two.first_line.is_up = True
    two.first_out.verdict = lambda _: SendResult("Certifikatet er udløbet")
    await two.publish(minutes=1)
    await two.go_on("detect", "oversee", minutes=3)
    assert "incident-proposed" not in two.told()
    # It is gone, and the one that is left gets nothing through: now that is all there is to tell from.
    two.engines.remove(two.world.engine)
    await two.publish(minutes=4)
    assert two.told()["incident-proposed"] == 1


async def test_what_an_engine_could_not_publish_is_forgotten_when_it_is_gone(two: Two) -> None:
    two.first_line.is_up = True
    two.first_out.verdict = lambda _: SendResult("Certifikatet er udløbet")
    await two.publish(minutes=2)
    assert not two.channel().up
    two.engines.remove(two.first)
    await two.publish(minutes=3)
    assert two.channel().up
    assert two.stalls().keys() - {"queue:publications"} == {pulse.own(pulse.ENGINE, FIRST)}


async def test_what_lies_with_one_is_proposed_once_and_ends_once(two: Two) -> None:
    await two.go_on("detect", "oversee", minutes=1)
    two.first_vans.oldest_at = two.world.clock.now()
    await two.go_on("detect", "oversee", minutes=8)
    told = two.told()
    assert (told["stalled"], told["incident-proposed"]) == (2, 1)
    assert not told.keys() & {"moved-again", "incident-came-back", "incident-ended-itself"}

    with two.world.db.writing() as tx:
        ledger = open_ledger(tx, two.world.clock)
        dismiss(ledger, 1, by="mette", reason="en fil uden læseret")
        ledger.write()
    await two.go_on("detect", "oversee", minutes=8)
    assert two.told()["incident-proposed"] == 1

    two.first_vans.oldest_at = None
    await two.go_on("detect", "oversee", minutes=1)
    told = two.told()
    assert (told["moved-again"], told["incident-ended-itself"], told["incident-proposed"]) == (1, 1, 1)


async def test_a_station_that_hangs_in_one_is_told_though_the_others_works(two: Two) -> None:
    for _ in range(18):
        two.world.clock.advance(LOOK)
        for engine in two.engines:
            working = [*engine._beats.handled]
            if engine is two.first:
                working.remove("publish")
            for name in working:
                engine._beats.beat(name)
            await oversee_of(engine).step()
    assert two.told() == {"stalled": 1}
    assert [*two.stalls()] == [pulse.own(pulse.station("publish"), FIRST)]


def oversee_of(engine: Engine) -> Any:
    return engine.stations[-1]


async def test_an_engine_that_is_gone_is_told_by_the_others_and_forgotten_after_a_week(two: Two) -> None:
    await two.go_on("oversee", minutes=6)
    assert [*two.stalls()] == [FIRST_LINE]
    two.engines.remove(two.first)
    await two.go_on("oversee", minutes=3)
    gone = pulse.own(pulse.ENGINE, FIRST)
    assert two.stalls()[gone].startswith(f"Motoren på {FIRST}: ikke set siden ")
    with two.world.db.reading() as conn:
        stalls = {
            stall.name: stall for stall in status(conn, two.world.clock.now(), two.world.settings).stalls
        }
    assert stalls[gone].what == f"Motoren på {FIRST}"
    assert "start motoren" in stalls[gone].do
    assert stalls[FIRST_LINE].what == f"Kvitteringer fra Beskedfordeleren på {FIRST}"

    with two.world.db.writing() as tx:
        its = tables.pulse.c.name == gone
        tx.conn.execute(update(tables.pulse).where(its).values(good_at=START - timedelta(days=7)))
    await two.go_on("oversee", seconds=10)
    assert two.stalls() == {}
    with two.world.db.reading() as conn:
        assert {pulse.parted(name)[1] for name in pulses(conn)} == {"", SECOND}


async def test_an_outage_of_the_database_is_no_engines_absence(two: Two) -> None:
    await two.go_on("oversee", seconds=10)
    two.world.clock.advance(timedelta(hours=1))
    await turn(two.world.engine, ("oversee",))
    assert pulse.own(pulse.ENGINE, FIRST) not in two.stalls()


def test_a_region_that_two_see_at_one_moment_is_told_once(two: Two) -> None:
    silent = Look(START, {}, [], [], {"1084": Sign("intet", START)}, [], must_beat=True)
    heard = Look(START, {}, [], [], {}, [pulse.region("1084")], must_beat=True)
    for look in (silent, heard):
        for engine in two.engines:
            (detect,) = [station for station in engine.stations if isinstance(station, Detect)]
            with two.world.db.writing() as tx:
                detect._record(tx, look)
    assert two.told() == {"region-silent": 1, "region-heard": 1}
