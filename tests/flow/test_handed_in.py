"""What a person takes out of quarantine comes in again, wherever the channel comes from."""

from pathlib import Path

import pytest
from sqlalchemy import update

from engine.desk.quarantine import retry_quarantined
from engine.home import Home
from engine.simulation.builders import an_acknowledgement
from engine.simulation.messages import ack_bytes
from engine.store import tables
from engine.store.payloads import PayloadBox
from engine.wire import fhir
from tests.flow.world import BOX, UNWATCHED, World

LEFT_OUT = UNWATCHED


@pytest.fixture
def set_right(world: World, tmp_path: Path):
    """Put what the newest row of the quarantine holds right, as a repaired engine would see it; hand it in."""

    def set_right(data: bytes | None = None) -> None:
        row = world.rows(tables.quarantine)[-1]
        with world.acting() as act:
            if data is not None:
                mended = update(tables.payload).where(tables.payload.c.id == row.payload_id)
                act.conn.execute(mended.values(sealed=BOX.seal(data)))
            retry_quarantined(act, Home(tmp_path), world.settings, BOX, row.id)

    return set_right


def waits(world: World) -> list[bool]:
    return [row.handed_in for row in world.rows(tables.quarantine, "handed_in")]


async def an_envelope(world: World) -> bytes:
    """A good one, that has not come in."""
    world.send(world.hn())
    (delivery,) = await world.vans_in.take(1)
    assert delivery.data is not None
    return delivery.data


async def test_an_advis_comes_in_from_the_database(world, set_right):
    good = await an_envelope(world)
    world.drop(b"<x/>")
    await world.drain()
    set_right(good)
    assert waits(world) == [True]
    await world.drain()
    assert len(world.published) == 1
    assert waits(world) == [False]
    await world.drain()
    assert [row.delivery_key for row in world.rows(tables.envelope_in)] == ["karantaene-1"]


async def test_it_comes_with_what_lies_in_the_inbox(world, set_right):
    good = await an_envelope(world)
    world.drop(b"<x/>")
    await world.drain()
    set_right(good)
    world.send(world.hn())
    assert await world.engine.stations[0].step() == 2
    assert await world.engine.stations[0].step() == 0


async def test_a_kvittering_comes_in_from_the_database(world, set_right):
    spec = world.hn()
    world.send(spec)
    await world.drain()
    odd = ack_bytes(an_acknowledgement(spec), fhir.XML)
    world.acknowledge(spec, data=odd)
    (delivery,) = await world.kvitteringer.take(1)
    world.kvitteringer.drop(b"<x/>")
    await world.drain()
    set_right(delivery.data)
    await world.drain()
    assert world.codes == ["ok"]
    assert waits(world) == [False]


async def test_what_still_cannot_be_taken_is_put_aside_again_with_its_content(world, set_right):
    world.drop(b"<x/>")
    await world.drain()
    set_right()
    await world.drain()
    rows = world.rows(tables.quarantine)
    assert [(row.decision, row.name) for row in rows] == [
        ("retried", rows[0].name),
        (None, "karantaene-1.xml"),
    ]
    with world.db.reading() as conn:
        (_, sealed) = conn.execute(
            tables.payload.select().where(tables.payload.c.id == rows[1].payload_id)
        ).one()
    assert BOX.open(sealed) == b"<x/>"
    set_right()
    await world.drain()
    assert waits(world) == [False, False, False]


async def test_trouble_with_the_database_leaves_it_waiting(world, set_right, monkeypatch):
    good = await an_envelope(world)
    world.drop(b"<x/>")
    await world.drain()
    set_right(good)
    with monkeypatch.context() as broken:
        broken.setattr("engine.flow.taking.note_taken", _dying)
        with pytest.raises(KeyboardInterrupt):
            await world.engine.stations[0].step()
    assert waits(world) == [True]
    world.start_engine()
    await world.drain()
    assert len(world.published) == 1
    assert len(world.rows(tables.envelope_in)) == 1


def _dying(*_: object) -> None:
    raise KeyboardInterrupt


async def test_two_engines_that_both_have_it_take_it_once(world, set_right):
    good = await an_envelope(world)
    world.drop(b"<x/>")
    await world.drain()
    set_right(good)
    one = world.engine
    world.start_engine()
    taken = []

    async def take(limit: int) -> list:
        """Between the look and the transaction the other engine takes it."""
        if not taken:
            taken.append(await one.stations[0].step())
        return []

    first_look = world.engine.stations[0]
    first_look._inbox = type("Slow", (), {"take": staticmethod(take), "finish": world.vans_in.finish})()
    assert await first_look.step() == 1
    assert taken == [1]
    assert len(world.rows(tables.envelope_in)) == len(world.rows(tables.advis)) == 1


async def test_what_cannot_be_opened_does_not_stop_the_channel(world, set_right):
    world.drop(b"<x/>")
    await world.drain()
    set_right()
    with world.db.writing() as tx:
        tx.conn.execute(update(tables.payload).values(sealed=PayloadBox(bytes(32)).seal(b"x")))
    world.send(world.hn())
    await world.drain()
    assert len(world.published) == 1
    assert waits(world) == [True]
