"""One odd message is put aside or answered; it never stops those that come with it, nor is a good one put aside."""

import random

import pytest

from engine.domain.acknowledgement import ResponseCode
from engine.domain.advis import Unit
from engine.domain.ids import LONGEST_ID
from engine.simulation.builders import an_acknowledgement
from engine.simulation.messages import ack_bytes, hn_bytes
from engine.store import tables
from engine.wire import acknowledgement, fhir
from engine.wire.vans_envelope import (
    EndPoint,
    EndPointType,
    Head,
    MetaInformation,
    ReceiptKind,
    write_receipt,
)
from tests.flow.world import KBH, SECOND, UNWATCHED, World

LEFT_OUT = UNWATCHED

# What cannot be compressed: PostgreSQL's indexes take 2.7 kB of it.
LONG = "".join(random.Random(1).choices("0123456789abcdef", k=9_000))
# The longest ids that are taken, in the characters that need the most bytes.
WIDE = "".join(random.Random(2).choices([chr(0x1F300 + each) for each in range(200)], k=LONGEST_ID))


def aside(world: World) -> list[tuple[str, str]]:
    return [(row.reason, row.detail) for row in world.rows(tables.quarantine, "reason", "detail")]


def changed(spec, old: str, new: str) -> bytes:
    data = hn_bytes(spec, fhir.XML)
    assert old.encode() in data
    return data.replace(old.encode(), new.encode())


@pytest.mark.parametrize(
    ("oddity", "path"),
    [
        ({"envelope_id": LONG}, "EnvelopeIdentifier"),
        ({"vans_message_id": LONG}, "Message.MetaInformation.Identifier"),
        ({"receiver": Unit(gln=LONG)}, "ReceiverID"),
    ],
)
async def test_an_envelope_with_an_id_that_is_none_is_put_aside(world, oddity, path):
    for odd in ({}, oddity, {}):
        world.send(world.hn(), **odd)
    await world.drain()
    assert len(world.published) == 2
    assert aside(world) == [("not-an-envelope", f"VANSEnvelope.{path} er længere end 200 tegn")]


@pytest.mark.parametrize("original", [(LONG, "m"), ("e", LONG)])
async def test_a_receipt_for_an_id_that_is_none_is_put_aside(world, original):
    world.send(world.hn())
    ends = [EndPoint(EndPointType.EAN, "5790000000000")] * 2
    head = Head(*ends, "r", world.clock.now().isoformat())
    world.drop(write_receipt(head, ReceiptKind.POSITIVE_MESSAGE, original[0], MetaInformation(original[1])))
    await world.drain()
    assert len(world.published) == 1
    assert [reason for reason, _ in aside(world)] == ["not-an-envelope"]


@pytest.mark.parametrize(("field", "path"), [("message_id", "MessageHeader.id"), ("bundle_id", "Bundle.id")])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_message_with_an_id_that_is_none_is_refused(world, field, path, times):
    good, odd = world.hn(), world.hn()
    world.send(good)
    for _ in range(times):
        world.send(odd, data=changed(odd, getattr(odd, field), LONG))
    await world.drain()
    assert len(world.published) == 1
    assert set(world.codes) == {"fatal-error"}
    assert any(
        f"MSG_Element_To_Long: {path} er længere end 200 tegn" in issue
        for issue in acknowledgement.read(world.answers[0].content).issues
    )
    assert aside(world) == []


async def test_ids_of_the_most_bytes_are_taken(world):
    spec = world.hn()
    data = changed(spec, spec.message_id, WIDE).replace(spec.bundle_id.encode(), WIDE.encode())
    ids = {"envelope_id": WIDE, "vans_message_id": WIDE}
    world.send(spec, data=data, **ids)
    world.send(spec, data=data, **(ids | {"receiver": Unit(gln=WIDE)}))
    await world.drain()
    assert aside(world) == []
    assert {row.message_id for row in world.rows(tables.advis, "message_id")} == {WIDE}
    world.acknowledge(
        spec,
        SECOND,
        data=ack_bytes(an_acknowledgement(spec), fhir.XML).replace(spec.message_id.encode(), WIDE.encode()),
    )
    await world.drain()
    assert "ok" in world.states()


async def test_a_kvittering_for_an_id_that_is_none_is_put_aside(world):
    spec = world.hn()
    world.send(spec)
    await world.drain()
    odd = ack_bytes(an_acknowledgement(spec, code=ResponseCode.OK), fhir.XML)
    world.acknowledge(spec, SECOND, data=odd.replace(spec.message_id.encode(), LONG.encode()))
    world.acknowledge(spec)
    await world.drain()
    assert world.codes == ["ok"]
    (found,) = aside(world)
    assert found == (
        "not-a-kvittering",
        "Kvitteringens MessageHeader.response.identifier er længere end 200 tegn",
    )


@pytest.mark.parametrize("column", ["encounter_class", "encounter_status"])
async def test_a_code_of_any_length_is_forwarded_with_a_finding(world, column):
    spec = world.hn()
    element = "code" if column == "encounter_class" else "status"
    value = {"encounter_class": spec.encounter_class, "encounter_status": spec.status}[column].value
    world.send(spec, data=changed(spec, f'{element} value="{value}"', f'{element} value="{LONG}"'))
    await world.drain()
    assert len(world.published) == 1
    assert aside(world) == []
    (row,) = world.rows(tables.advis, column, "findings")
    assert getattr(row, column) == LONG
    assert "Encounter" in row.findings


async def test_the_address_of_this_kommune_is_none_of_these(world):
    """The other tests would not see it if all were put aside."""
    world.send(world.hn(), receiver=KBH)
    await world.drain()
    assert len(world.published) == 1
