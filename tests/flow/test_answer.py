"""VANS receipts for our answers, and envelopes that VANS does not take."""

from datetime import timedelta
from itertools import pairwise

import pytest

from engine.ports import SendResult
from engine.simulation.messages import HnSpec
from engine.store import tables
from engine.wire.vans_envelope import ReceiptKind
from tests.flow.world import UNWATCHED, World

LEFT_OUT = UNWATCHED


@pytest.fixture
async def spec(world: World) -> HnSpec:
    """An advis that is published and answered."""
    spec = world.hn()
    world.send(spec)
    await world.drain()
    world.acknowledge(spec)
    await world.drain()
    return spec


def levels(world: World) -> dict[str, str]:
    return {row.kind: row.severity for row in world.rows(tables.event, "kind", "severity")}


async def test_a_positive_receipt_ends_the_wait(world, spec):
    world.drop_receipt(world.answers[0])
    await world.after(hours=24)
    assert world.codes == ["ok"]
    assert "receipt-received" in world.events()
    assert len(world.receipts) == 1  # a receipt is never receipted


async def test_no_receipt_in_time_is_an_alarm_and_sends_the_same_message_again(world, spec):
    await world.after(minutes=14, seconds=59)
    assert world.codes == ["ok"]
    await world.after(seconds=1)
    first, again = world.answers
    assert first.content == again.content
    assert first.envelope.meta.identifier == again.envelope.meta.identifier
    assert first.envelope.head.envelope_id != again.envelope.head.envelope_id
    assert levels(world)["receipt-missing"] == "alarm"


@pytest.mark.long_on_server
async def test_waiting_for_receipts_grows_longer(world, spec):
    times = []
    for _ in range(24 * 4):
        before = len(world.answers)
        await world.after(minutes=15)
        times += [world.clock.now()] * (len(world.answers) - before)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[0] == timedelta(minutes=30)
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=4)


async def test_a_receipt_for_any_sending_ends_the_wait_for_all(world, spec):
    await world.after(minutes=15)
    world.drop_receipt(world.answers[0])
    await world.after(hours=24)
    assert len(world.answers) == 2


@pytest.mark.parametrize("kind", [ReceiptKind.NEGATIVE_MESSAGE, ReceiptKind.NEGATIVE_VANS])
async def test_a_negative_receipt_is_an_alarm_and_sends_again(world, spec, kind):
    world.drop_receipt(world.answers[0], kind)
    await world.drain()
    assert world.codes == ["ok", "ok"]
    assert levels(world)["receipt-negative"] == "alarm"
    rows = world.rows(tables.envelope_out, "receipt_kind", "kind")
    assert [row.receipt_kind for row in rows if row.kind == "answer"] == [kind.value, None]


async def test_repeated_negative_receipts_do_not_make_a_storm(world, spec):
    for _ in range(10):
        world.drop_receipt(world.answers[-1], ReceiptKind.NEGATIVE_MESSAGE)
        await world.drain()
    assert len(world.answers) == 2
    await world.after(minutes=1)
    assert len(world.answers) == 3


async def test_a_receipt_for_an_unknown_envelope_is_recorded(world, spec):
    answer = world.answers[0]
    with world.db.writing() as tx:
        tx.conn.execute(tables.envelope_out.update().values(envelope_id=tables.envelope_out.c.message_id))
    world.drop_receipt(answer)
    await world.drain()
    assert levels(world)["receipt-unknown"] == "warning"


async def test_a_receipt_quicker_than_the_commit_of_its_answer_counts(world):
    spec = world.hn()
    world.send(spec)
    await world.drain()

    def receipted(envelope):
        """What another station does when the receipt comes while this one still waits for its own commit."""
        out = tables.envelope_out
        with world.db.writing() as tx:
            quick = out.update().where(out.c.envelope_id == envelope.envelope_id)
            tx.conn.execute(quick.values(receipt_kind="PositiveMessage", receipt_at=world.clock.now()))
        return SendResult()

    world.vans_out.verdict = receipted
    world.acknowledge(spec)
    await world.drain()
    await world.after(hours=1)
    assert world.codes == ["ok"]


async def test_an_envelope_that_cannot_be_sent_waits_and_goes_with_the_same_id(world):
    tried = []

    def refuse(envelope):
        tried.append(envelope)
        return SendResult("Disken er fuld")

    world.vans_out.verdict = refuse
    world.send(world.hn())
    await world.drain()
    assert world.sent == []
    assert levels(world)["envelope-failed"] == "warning"
    world.vans_out.verdict = lambda _: SendResult()
    await world.after(seconds=5)
    (sent,) = world.vans_out.sent
    assert sent == tried[0]


async def test_a_delayed_transient_error_never_follows_the_verdict(world):
    from engine.domain.acknowledgement import ResponseCode

    spec = world.hn()
    world.send(spec)
    await world.drain()
    world.vans_out.verdict = lambda _: SendResult("Forbindelsen er nede")
    world.acknowledge(spec, code=ResponseCode.TRANSIENT_ERROR)
    await world.drain()
    world.vans_out.verdict = lambda _: SendResult()
    world.acknowledge(spec)
    await world.drain()
    await world.after(minutes=10)
    assert world.codes == ["ok"]


async def test_a_transient_error_without_receipt_is_not_repeated_after_the_verdict(world):
    from engine.domain.acknowledgement import ResponseCode

    spec = world.hn()
    world.send(spec)
    await world.drain()
    world.acknowledge(spec, code=ResponseCode.TRANSIENT_ERROR)
    await world.drain()
    world.acknowledge(spec)
    await world.drain()
    world.drop_receipt(world.answers[1])
    await world.after(hours=5)
    assert world.codes == ["transient-error", "ok"]
