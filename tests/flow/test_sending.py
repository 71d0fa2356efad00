"""What publish, answer and post share: each message has its own result, and what there was no time for is not held
against anybody.
"""

from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from engine.domain import pulse
from engine.domain.acknowledgement import ResponseCode
from engine.flow import sending
from engine.flow.sending import Sending
from engine.links.memory import MemoryBeskedfordeler
from engine.ports import OutgoingBesked, OutgoingEnvelope, SendResult
from engine.service import Engine
from engine.store import tables
from engine.store.postgresql import PostgresDatabase, engines_on
from tests.flow.world import World
from tests.servers.postgresql import wait_for

SECOND = timedelta(seconds=1)
on_a_server = pytest.mark.parametrize("database_kind", ["postgresql"])


def station(engine: Engine, name: str) -> Sending[Any]:
    (found,) = [each for each in engine.stations if isinstance(each, Sending) and each.name == name]
    return found


async def receive(world: World, count: int) -> None:
    """Adviser come in; nothing of them is sent yet."""
    for _ in range(count):
        world.send(world.hn())
    while await world.engine.stations[0].step():
        pass


async def test_what_was_not_tried_goes_out_next_time_as_if_nothing_had_been(world: World) -> None:
    tried: list[str] = []

    def verdict(besked: OutgoingBesked) -> SendResult:
        tried.append(besked.besked_id)
        return SendResult() if len(tried) != 2 else SendResult("Intet svar inden for tiden", tried=False)

    world.beskedfordeler.verdict = verdict
    world.send(world.hn())
    world.send(world.hn())
    await world.drain()
    first, second, *again = tried
    assert again == [second]
    assert [besked.besked_id for besked in world.published] == [first, second]
    assert "publication-failed" not in world.events()
    rows = world.rows(tables.publication)
    assert [(row.attempts, row.last_error, row.claimed_by) for row in rows] == [(1, None, None)] * 2


async def test_what_was_taken_before_is_done_and_says_nothing_of_the_line(world: World) -> None:
    world.beskedfordeler.verdict = lambda _: SendResult(tried=False)
    world.send(world.hn())
    await world.drain()
    assert [row.next_at for row in world.rows(tables.publication)] == [None]
    assert "advis-published" in world.events()
    assert pulse.BESKEDFORDELER not in {row.name for row in world.rows(tables.pulse)}


async def test_a_slow_side_gets_each_once_and_what_it_took_over_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_SLICE", 2)
    await receive(world, 5)
    ordered = world.rows(tables.envelope_out)

    def slowly(_: OutgoingEnvelope) -> SendResult:
        world.clock.advance(10 * SECOND)
        return SendResult()

    world.vans_out.verdict = slowly
    answer = station(world.engine, "answer")
    assert await answer.step() == 5
    rows = world.rows(tables.envelope_out)
    assert [row.sent_at is not None for row in rows] == [True] * 4 + [False]
    assert rows[4] == ordered[4]  # as if nothing had been
    assert await answer.step() == 1
    ids = [envelope.envelope_id for envelope in world.vans_out.sent]
    assert ids == [row.envelope_id for row in ordered]
    assert "envelope-failed" not in world.events()


@on_a_server
async def test_a_worker_that_was_put_aside_after_its_claim_sends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = world.hn()
    world.send(spec)
    await world.drain()
    world.acknowledge(spec, code=ResponseCode.TRANSIENT_ERROR)
    await world.engine.stations[2].step()
    answer = station(world.engine, "answer")
    make = answer.make

    def put_aside(order: Any) -> Any:
        world.clock.advance(180 * SECOND)
        return make(order)

    monkeypatch.setattr(answer, "make", put_aside)
    assert await answer.step() == 1
    assert world.codes == []
    row = world.rows(tables.envelope_out)[-1]
    assert (row.attempts, row.claimed_by, row.next_at < world.clock.now()) == (0, None, True)
    assert not [pulse.name for pulse in world.rows(tables.pulse) if pulse.bad_since]
    world.start_engine()
    world.acknowledge(spec)
    await world.drain()
    assert world.codes == ["ok"]


async def test_where_there_is_one_engine_some_is_sent_however_late(
    world: World, monkeypatch: pytest.MonkeyPatch, database_kind: str
) -> None:
    await receive(world, 1)
    answer = station(world.engine, "answer")
    make = answer.make

    def put_aside(order: Any) -> Any:
        world.clock.advance(180 * SECOND)
        return make(order)

    monkeypatch.setattr(answer, "make", put_aside)
    await answer.step()
    assert len(world.receipts) == (1 if database_kind == "sqlite" else 0)


def refuse(_: OutgoingBesked) -> SendResult:
    return SendResult("Beskedfordeleren afviser vores token eller certifikat")


@on_a_server
async def test_an_engine_whose_own_link_is_dead_leaves_the_work_to_others(world: World) -> None:
    good = station(world.engine, "publish")
    world.beskedfordeler = MemoryBeskedfordeler(refuse)
    world.start_engine()
    broken = station(world.engine, "publish")

    async def tries(seconds: int) -> list[int]:
        """In which seconds the broken one claims, where it is the first to look; the good one takes the others."""
        found = []
        for second in range(seconds):
            world.clock.advance(SECOND)
            await receive(world, 1)
            found += [second] * bool(await broken.step())
            await good.step()
        return found

    world.clock.advance(SECOND)
    await receive(world, 1)
    assert await good.step() == 1
    assert await tries(100) == [0, 5, 15, 35, 65, 95]
    world.beskedfordeler.verdict = lambda _: SendResult()
    assert await tries(29) == [25, 26, 27, 28]
    await good.step()
    assert {row.accepted_at is None for row in world.rows(tables.publication)} == {False}


@on_a_server
async def test_others_have_their_turn_before_anybody_has_succeeded(world: World) -> None:
    world.beskedfordeler.verdict = refuse
    publish = station(world.engine, "publish")
    other, rings = PostgresDatabase(world.db.url), []
    with ExitStack() as held:
        held.callback(other.close)
        for db in (world.db, other):
            held.enter_context(db.present(lambda: rings.append(1)))
        with world.db.reading() as conn:
            wait_for("both", lambda: engines_on(conn) == 2)
        for _ in range(3):
            await receive(world, 1)
            assert await publish.step() >= 1
            assert await publish.step() == 0
            await receive(world, 1)
            assert await publish.step() == 0
            world.clock.advance(5 * SECOND)


@on_a_server
async def test_a_side_that_is_away_for_all_is_tried_as_the_rows_say(world: World) -> None:
    first = station(world.engine, "publish")
    world.start_engine()
    second = station(world.engine, "publish")
    for each in (first, second):
        world.clock.advance(SECOND)
        await receive(world, 1)
        assert await each.step() == 1
    world.beskedfordeler.verdict = refuse
    for _ in range(3):
        await receive(world, 1)
        await first.step()
        await receive(world, 1)
        assert await second.step() >= 1
    assert await first.step() == 0
