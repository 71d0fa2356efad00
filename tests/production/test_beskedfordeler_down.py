"""The Beskedfordeler is away, over the real link: an engine on PostgreSQL whose clock is turned, and a RabbitMQ that is
stopped for a simulated hour and started; and for a shorter while a Beskedfordeler that refuses, or says nothing.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from engine.clock import Clock
from engine.domain.incident import Cause
from engine.links.amqp import Amqp, AmqpBeskedfordeler
from engine.ports import Delivery, Finished, OutgoingBesked, SendResult
from engine.settings import PLACEHOLDERS, Settings
from engine.simulation.beskedfordeler import BeskedfordelerSimulator, Serviceaftale
from engine.simulation.builders import an_acknowledgement
from engine.simulation.envelopes import Correspondence, kvittering_besked
from engine.simulation.messages import HnSpec, ack_bytes
from engine.simulation.serving import serving
from engine.simulation.sts import PATH, Sts
from engine.store import tables
from engine.wire import beskedkuvert
from engine.wire.standard_retur import StandardRetur
from tests.flow.world import BESKEDTYPE, CVRS, FRB, KBH, OTHER_PRIMARY, PRIMARY, SECOND, THIRD, World
from tests.production.country import ENTITY
from tests.servers.postgresql import PostgresServer
from tests.servers.rabbitmq import RabbitServer, rabbit_server
from tests.waiting import until

MINUTE, SECOND_ = timedelta(minutes=1), timedelta(seconds=1)
ADVIS = PLACEHOLDERS["beskedtype_sygehusophold"]
SYSTEMS = {KBH.gln: (PRIMARY, SECOND, THIRD), FRB.gln: (OTHER_PRIMARY, SECOND)}
ALL = (PRIMARY, SECOND, THIRD, OTHER_PRIMARY)
AFTALER = [Serviceaftale(ADVIS, CVRS[gln], system) for gln, systems in SYSTEMS.items() for system in systems]


@pytest.fixture(scope="module")
def rabbit() -> Iterator[RabbitServer]:
    """Its own: it is stopped and started."""
    with rabbit_server() as server:
        yield server


@dataclass
class Watched:
    """The link itself, and by the engine's clock what it said when."""

    link: AmqpBeskedfordeler
    clock: Clock
    failed: list[datetime] = field(default_factory=list)
    accepted: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))  # BeskedId → when

    async def publish(self, beskeder: Sequence[OutgoingBesked]) -> Sequence[SendResult]:
        now, results = self.clock.now(), await self.link.publish(beskeder)
        for besked, result in zip(beskeder, results, strict=True):
            (self.failed if result.error else self.accepted[besked.besked_id]).append(now)
        return results


@dataclass
class Surroundings:
    """The Beskedfordeler around a world."""

    world: World
    rabbit: RabbitServer
    simulator: BeskedfordelerSimulator
    link: Watched
    receivers: dict[str, Amqp]
    envelopes: list[str] = field(default_factory=list)
    bundles: dict[str, bytes] = field(default_factory=dict)  # by MessageHeader.id

    def send(self) -> HnSpec:
        """Now for one kommune, and now for the other."""
        spec = self.world.hn(kommune=FRB if len(self.envelopes) % 2 else KBH)
        self.envelopes.append(str(uuid4()))
        self.bundles[spec.message_id] = self.world.send(spec, envelope_id=self.envelopes[-1])
        return spec

    async def passes(self, *, minutes: int, looks: int = 1) -> None:
        """As an engine sees it that looks around now and then; `looks` times a minute it looks whether all flows."""
        detect = next(station for station in self.world.engine.stations if station.name == "detect")
        for _ in range(minutes):
            for _ in range(looks):
                self.world.clock.advance(MINUTE / looks)
                await detect.step()
            await self.world.drain()

    async def fetched(self, system: str, due: int) -> list[tuple[str, bytes]]:
        """What lies in a receiver's dueslag, where so many are due: BeskedId and Bundle."""
        inbox = self.receivers[system].kvitteringer
        found: list[Delivery] = []
        async with asyncio.timeout(20):
            while len(found) < due:
                found += await inbox.take(1_000)
                await asyncio.sleep(0.02)
        for _ in range(20):  # more than is due comes within milliseconds too
            found += await inbox.take(1_000)
            await asyncio.sleep(0.02)
        await inbox.finish([Finished(delivery) for delivery in found])
        read = [beskedkuvert.read(delivery.data or b"") for delivery in found]
        return [(besked.besked_id or "", besked.payload or b"") for besked in read]

    async def acknowledge(self, spec: HnSpec, system: str) -> None:
        """Through the Beskedfordeler, as a receiver does."""
        cvr = CVRS[spec.kommune.gln]
        body = kvittering_besked(
            ack_bytes(an_acknowledgement(spec)),
            who=Correspondence(system, cvr, BESKEDTYPE),
            besked_id=str(uuid4()),
            related_besked_id=None,
            made_at=self.world.clock.now(),
        )
        besked = OutgoingBesked(str(uuid4()), str(uuid4()), cvr, (), body)
        (result,) = await self.receivers[system].beskedfordeler.publish([besked])
        assert result.error is None

    # --- how it is away, and comes back -------------------------------------------------------------------------------

    async def stop(self) -> None:
        await asyncio.to_thread(self.rabbit.stop)

    async def start(self) -> None:
        await asyncio.to_thread(self.rabbit.start)
        await until(lambda: self.simulator.is_connected)

    async def refuse(self) -> None:
        self.simulator.verdict = lambda _: StandardRetur(53, "Service ikke tilgængelig")

    async def refuse_no_more(self) -> None:
        self.simulator.verdict = lambda _: None

    async def say_nothing(self) -> None:
        self.simulator.stalled = True
        self.link.link._reply_timeout_s = 0.05

    async def say_something(self) -> None:
        """What lay unanswered comes again, to whoever is there then: here to one that answers."""
        self.simulator.stalled = False
        self.link.link._reply_timeout_s = 10
        await self.simulator.stop()
        await until(lambda: self.simulator.is_connected)
        tried = len(self.link.failed) + len(self.link.accepted)
        await until(lambda: self.simulator.taken.total() >= tried)


@pytest.fixture
async def around(rabbit: RabbitServer, postgres: PostgresServer) -> AsyncIterator[Surroundings]:
    sts, dueslag = Sts(), str(uuid4())
    async with AsyncExitStack() as held:
        tls = {"own": rabbit.authority.issue("sts"), "authority": rabbit.authority.file}
        sts_url = await held.enter_async_context(serving(sts.application(), **tls)) + PATH
        ours = [Serviceaftale(BESKEDTYPE, cvr, dueslag) for cvr in CVRS.values()]
        simulator = BeskedfordelerSimulator(rabbit.url, sts, ENTITY, (*AFTALER, *ours))
        keeping = asyncio.create_task(simulator.keep())
        held.callback(keeping.cancel)
        held.push_async_callback(simulator.stop)
        await until(lambda: simulator.is_connected)
        for queue in ("afsend", *ALL):
            await simulator._channel.queue_purge(queue)
        own, theirs = rabbit.authority.issue("sundhedsagenten"), rabbit.authority.issue("modtager")
        chosen = {
            "via": "amqp",
            "server": "127.0.0.1",
            "port": rabbit.tls_port,
            "cvr": CVRS[KBH.gln],
            "dueslag": dueslag,
            "certificate": str(own.certificate),
            "key": str(own.key),
            "ca_file": str(rabbit.authority.file),
            "sts": sts_url,
            "entity_receive": ENTITY,
            "prefetch": 1_000,
        }
        receiving = chosen | {"certificate": str(theirs.certificate), "key": str(theirs.key)}
        links = {system: Amqp.of(Settings(beskedfordeler=receiving | {"dueslag": system})) for system in ALL}
        world = World(postgres.create(), incident={}, beskedfordeler=chosen)
        held.callback(world.close)
        amqp = Amqp.of(world.settings)
        for each in (*links.values(), amqp):
            held.push_async_callback(each.close)
        link = Watched(amqp.beskedfordeler, world.clock)
        world.beskedfordeler, world.kvitteringer = link, amqp.kvitteringer
        world.start_engine()
        yield Surroundings(world, rabbit, simulator, link, links)


Act = Callable[[Surroundings], Awaitable[None]]


@pytest.mark.parametrize(
    ("goes_away", "comes_back", "minutes", "is_once"),
    [
        pytest.param(Surroundings.stop, Surroundings.start, 60, True, id="broker-stopped"),
        pytest.param(Surroundings.refuse, Surroundings.refuse_no_more, 12, True, id="refuses"),
        # What it had without answering, and what was sent again, are all delivered: receivers know a BeskedId again.
        pytest.param(Surroundings.say_nothing, Surroundings.say_something, 12, False, id="says-nothing"),
    ],
)
async def test_the_beskedfordeler_is_away(
    around: Surroundings, goes_away: Act, comes_back: Act, minutes: int, *, is_once: bool
) -> None:
    world = around.world
    first = [around.send(), around.send()]
    await world.drain()
    assert len(around.link.accepted) == 2
    await goes_away(around)

    specs = []
    for minute in range(minutes):
        if minute < 2 or minute % 4 == 0:
            specs.append(around.send())
        await around.passes(minutes=1, looks=6 if minute < 8 else 1)
        # Taken in, all the while.
        assert len(world.receipts) == len(around.envelopes)
    assert {receipt.original_envelope_id for receipt in world.receipts} == set(around.envelopes)
    assert {receipt.kind.value for receipt in world.receipts} == {"PositiveMessage"}
    assert len(around.link.accepted) == 2
    # Both kommuner's fail from the first minutes on: the condition held when the five minutes were over.
    (incident,) = world.rows(tables.incident)
    held_at = around.link.failed[0] + world.settings.incident.bfo_after
    assert incident.cause == Cause.BESKEDFORDELER
    assert timedelta(0) <= incident.proposed_at - held_at <= 60 * SECOND_
    # The two that had been accepted are missed when their time is over, and no other.
    missed = [row.advis_id for row in world.rows(tables.event) if row.kind == "kvittering-missed"]
    assert Counter(missed) == ({1: 3, 2: 2} if minutes > 45 else {})

    await comes_back(around)
    for line in (around.link.link._line, world.kvitteringer._line):
        line._not_before = 0  # the links' own pauses go by the machine's clock, and are not the matter
    await around.passes(minutes=7)
    ids = {row.message_id: row.besked_id for row in world.rows(tables.advis, "message_id", "besked_id")}
    assert {besked_id: len(times) for besked_id, times in around.link.accepted.items()} == dict.fromkeys(
        ids.values(), 1
    )
    for system in around.receivers:
        due = [spec.message_id for spec in (*first, *specs) if system in SYSTEMS[spec.kommune.gln]]
        found = await around.fetched(system, len(due))
        # What came twice is the same, byte for byte.
        assert set(found) == {(ids[message], around.bundles[message]) for message in due}
        assert not is_once or len(found) == len(due)

    # Each has its 45 minutes from its StatusKode 20: all but one are acknowledged.
    forgotten = specs[1]
    (accepted_at,) = around.link.accepted[ids[forgotten.message_id]]
    for spec in (*first, *specs):
        for system in SYSTEMS[spec.kommune.gln]:
            if (spec, system) != (forgotten, SECOND):
                await around.acknowledge(spec, system)
    await world.drain()
    async with asyncio.timeout(30):
        while Counter(world.states())["pending"] > 1:
            await world.drain()
    world.clock.advance(accepted_at + 45 * MINUTE - SECOND_ - world.clock.now())
    await world.drain()
    open_cases = [row for row in world.rows(tables.alarm_case) if row.closed_at is None]
    assert open_cases == []
    await world.after(seconds=1)
    (case,) = [row for row in world.rows(tables.alarm_case) if row.closed_at is None]
    assert (case.kommune_code, case.kind, case.misses) == ("0147", "missing-kvittering", 1)
    assert case.opened_at == accepted_at + 45 * MINUTE
    assert {row.verdict for row in world.rows(tables.advis)} == {"ok"}
