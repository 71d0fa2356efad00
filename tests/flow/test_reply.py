"""By HTTPS the VANS receipt is the answer to the request; it goes by the outbox where nobody lived to give it."""

from collections.abc import Callable

import pytest

from engine.flow.reply import Reply
from engine.links.memory import MemoryInbox
from engine.store import tables
from engine.wire import vans_envelope
from tests.flow.world import BOX, UNWATCHED, World

LEFT_OUT = UNWATCHED


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(vans={"receive_by": "https"}, listen={"port": 1})


@pytest.fixture
def reply(world: World) -> Reply:
    return Reply(world.db, BOX, world.clock)


async def test_the_receipt_goes_out_as_the_answer_and_not_again(world: World, reply: Reply) -> None:
    world.send(world.hn(), envelope_id="e-1", key="https-1")
    await world.drain()
    assert world.receipts == []
    (data,) = (await reply.receipts(["https-1"])).values()
    receipt = vans_envelope.read(data)
    assert isinstance(receipt, vans_envelope.ReceiptEnvelope)
    assert (receipt.original_envelope_id, receipt.kind.value) == ("e-1", "PositiveMessage")
    await world.after(minutes=5)
    assert world.receipts == []
    (row,) = world.rows(tables.envelope_out)
    assert (row.sent_at is not None, row.next_at) == (True, None)
    # The same request once more has the same answer.
    assert await reply.receipts(["https-1"]) == {"https-1": data}


async def test_where_nobody_lived_to_give_it_the_outbox_sends_it(world: World, reply: Reply) -> None:
    world.send(world.hn(), key="https-1")
    await world.drain()
    await world.after(seconds=9)
    assert world.receipts == []
    await world.after(seconds=1)
    (receipt,) = world.sent
    assert await reply.receipts(["https-1"]) == {"https-1": receipt.data}  # both ways with the same bytes
    await world.after(minutes=5)
    assert len(world.receipts) == 1


async def test_what_brought_nothing_that_is_receipted_has_no_answer(world: World, reply: Reply) -> None:
    world.drop(b"ingen konvolut", key="https-1")
    await world.drain()
    assert await reply.receipts(["https-1", "https-2"]) == {}


async def test_from_a_folder_the_receipt_goes_out_at_once(make_world: Callable[..., World]) -> None:
    world = make_world()
    assert isinstance(world.vans_in, MemoryInbox)
    world.send(world.hn())
    await world.drain()
    assert len(world.receipts) == 1
