"""From VANS in to Beskedfordeler out: each row of the table in behaviour section 3."""

import base64
import json
import random
from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.domain.acknowledgement import ResponseCode
from engine.simulation.envelopes import envelope
from engine.simulation.made_up import made_up_unit
from engine.simulation.messages import hn_bytes
from engine.store import tables
from engine.wire import acknowledgement, beskedkuvert, fhir
from engine.wire.vans_envelope import EndPointType, MessageEnvelope, ReceiptKind
from tests.flow.world import FRB, KBH, PRIMARY, SECOND, THIRD, UNWATCHED, World

LEFT_OUT = UNWATCHED

MEDIA_TYPES = pytest.mark.parametrize("media_type", [fhir.XML, fhir.JSON])


def quarantine_reasons(world: World) -> list[str]:
    return [row.reason for row in world.rows(tables.quarantine, "reason")]


def issues_of(world: World) -> tuple[str, ...]:
    (answer,) = world.answers
    return acknowledgement.read(answer.content).issues


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


# --- the way of one advis -------------------------------------------------------------------------------------------


@MEDIA_TYPES
async def test_an_advis_reaches_every_receiver_byte_for_byte(world, media_type):
    spec = world.hn()
    data = world.send(spec, media_type=media_type)
    await world.drain()
    (besked,) = world.published
    assert set(besked.receivers) == {PRIMARY, SECOND, THIRD}
    read = beskedkuvert.read(besked.data)
    assert read.payload == data
    assert read.media_type == media_type
    assert read.cvrs == ("64942212",)
    assert read.besked_id == besked.besked_id


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "windows-1252", "UTF-16"])
async def test_any_declared_encoding_is_taken_and_passed_on_unchanged(world, encoding):
    spec = world.hn()
    data = world.send(spec, data=hn_bytes(spec, fhir.XML, encoding))
    await world.drain()
    assert beskedkuvert.read(world.published[0].data).payload == data


async def test_the_taken_envelope_gets_a_positive_receipt_from_its_addressee(world):
    spec = world.hn()
    world.send(spec, envelope_id="aaaaaaaa-0000-4000-8000-00000000000a")
    await world.drain()
    (receipt,) = world.receipts
    assert receipt.kind is ReceiptKind.POSITIVE_MESSAGE
    assert receipt.original_envelope_id == "aaaaaaaa-0000-4000-8000-00000000000a"
    assert (receipt.head.sender.id, receipt.head.receiver.id) == (KBH.gln, spec.hospital.gln)


async def test_receiving_leaves_one_pending_row_per_receiver_and_no_answer(world):
    world.send(world.hn())
    await world.drain()
    assert world.states() == ["pending"] * 3
    assert world.answers == []


@MEDIA_TYPES
async def test_the_primarys_acknowledgement_goes_to_the_hospital_byte_for_byte(world, media_type):
    spec = world.hn()
    world.send(spec, media_type=media_type)
    await world.drain()
    data = world.acknowledge(spec, PRIMARY, media_type=media_type)
    await world.drain()
    (answer,) = world.answers
    assert isinstance(answer.envelope, MessageEnvelope)
    assert answer.content == data
    assert answer.envelope.head.receiver.id == spec.hospital.gln
    assert answer.envelope.head.sender.id == KBH.gln
    assert answer.envelope.meta.name == "MCM:FCTL#ok"
    assert answer.envelope.meta.mime == media_type


async def test_an_address_by_cvr_is_routed_by_cvr(world):
    spec = world.hn()
    raw = envelope(
        hn_bytes(spec),
        sender=spec.hospital.gln,
        receiver="64942212",
        envelope_id="e",
        message_id="m",
        name="MCM:FDIS20#admit-inpatient",
        sent_at="2026-03-14T10:00:00",
    ).replace(b'<ReceiverID EndPointType="EAN">', b'<ReceiverID EndPointType="CVR">')
    assert b'EndPointType="CVR"' in raw
    world.drop(raw)
    await world.drain()
    assert len(world.published) == 1
    assert world.receipts[0].head.sender.type is EndPointType.CVR


async def test_routing_goes_by_the_envelope_and_a_differing_destination_is_a_finding(world):
    spec = world.hn()
    world.send(spec, receiver=FRB)
    await world.drain()
    assert beskedkuvert.read(world.published[0].data).cvrs == ("11259979",)
    (row,) = world.rows(tables.advis, "findings", "kommune_code")
    assert row.kommune_code == "0147"
    assert "destination" in json.dumps([finding["path"] for finding in json.loads(row.findings)])


# --- what cannot be taken -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not-an-envelope"),
        (b"hej", "not-an-envelope"),
        (b"<a/>", "not-an-envelope"),
        (b"<VANSEnvelope", "not-an-envelope"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><VANSEnvelope/>', "forbidden-markup"),
    ],
)
async def test_what_is_no_envelope_is_quarantined_and_nothing_is_sent(world, raw, reason):
    world.drop(raw, "besked.xml")
    world.send(world.hn())
    await world.drain()
    assert quarantine_reasons(world) == [reason]
    (aside,) = world.vans_in.quarantined
    assert (aside.quarantine, aside.note["reason"]) == ("besked.xml", reason)
    assert len(world.receipts) == len(world.published) == 1  # the good one beside it


async def test_a_delivery_over_the_limit_is_quarantined(world):
    world.vans_in.drop(None)
    await world.drain()
    assert quarantine_reasons(world) == ["too-large"]
    assert world.sent == []


@pytest.mark.parametrize("damage", [b"###", base64.b64encode(b"<Emessage/>"), base64.b64encode(b"{]"), b""])
async def test_a_damaged_payload_gets_a_negative_receipt_and_quarantine(world, damage):
    spec = world.hn()
    good = envelope(
        b"X",
        sender=spec.hospital.gln,
        receiver=KBH.gln,
        envelope_id="e",
        message_id="m",
        name="MCM:FDIS20#x",
        sent_at="2026-03-14T10:00:00Z",
    )
    world.drop(good.replace(base64.b64encode(b"X"), damage))
    await world.drain()
    (receipt,) = world.receipts
    assert receipt.kind is ReceiptKind.NEGATIVE_MESSAGE
    assert (receipt.original_envelope_id, receipt.original_message_id) == ("e", "m")
    assert receipt.error_text
    assert quarantine_reasons(world) == ["damaged-payload"]
    assert world.answers == world.published == []


async def test_a_size_that_does_not_fit_is_a_finding_only(world):
    spec = world.hn()
    data = hn_bytes(spec)
    raw = envelope(
        data,
        sender=spec.hospital.gln,
        receiver=KBH.gln,
        envelope_id="e",
        message_id="m",
        name="MCM:FDIS20#x",
        sent_at="2026-03-14T10:00:00Z",
    )
    world.drop(raw.replace(b"<SizeInBytes>%d<" % len(data), b"<SizeInBytes>7<"))
    await world.drain()
    assert len(world.published) == 1
    assert "SizeInBytes" in world.rows(tables.advis, "findings")[0].findings


async def test_an_envelope_id_used_before_for_another_message_is_rejected(world):
    world.send(world.hn(), envelope_id="E", vans_message_id="M1")
    await world.drain()
    world.send(world.hn(), envelope_id="E", vans_message_id="M2")
    await world.drain()
    assert [receipt.kind for receipt in world.receipts] == [
        ReceiptKind.POSITIVE_MESSAGE,
        ReceiptKind.NEGATIVE_MESSAGE,
    ]
    assert quarantine_reasons(world) == ["envelope-id-reused"]
    assert len(world.published) == 1


async def test_another_sender_may_use_the_same_envelope_id(world):
    world.send(world.hn(), envelope_id="E", vans_message_id="M1")
    world.send(world.hn(hospital=made_up_unit(9, "Et andet hospital")), envelope_id="E", vans_message_id="M2")
    await world.drain()
    assert len(world.published) == 2


async def test_two_files_of_one_name_are_both_kept_in_quarantine(world):
    world.drop(b"a", "x.xml")
    await world.drain()
    world.drop(b"b", "x.xml")
    await world.drain()
    first, second = [item.quarantine for item in world.vans_in.quarantined]
    assert first == "x.xml"
    assert second != first


async def test_a_name_that_could_hold_a_cpr_number_is_not_kept(world):
    world.drop(b"a", "250947-9989.xml")
    world.drop(b"a", "indlagt 2509479989.xml")
    await world.drain()
    assert not any(
        "2509479989" in (item.quarantine or "").replace("-", "") for item in world.vans_in.quarantined
    )


# --- what is refused ------------------------------------------------------------------------------------------------


@MEDIA_TYPES
async def test_an_unknown_gln_gets_a_fatal_error_in_the_messages_own_format(world, media_type):
    nobody = made_up_unit(77, "Sygehusadviser, Ingen Kommune")
    spec = world.hn(kommune=nobody)
    world.send(spec, media_type=media_type)
    await world.drain()
    (answer,) = world.answers
    read = acknowledgement.read(answer.content)
    assert read.code is ResponseCode.FATAL_ERROR
    assert read.response_identifier == spec.message_id
    assert read.media_type == media_type
    assert any("MSG_Receiver_Identifier_UNKNOWN" in issue for issue in read.issues)
    assert world.receipts[0].kind is ReceiptKind.POSITIVE_MESSAGE
    assert world.published == []
    assert answer.envelope.head.receiver.id == spec.hospital.gln


async def test_a_message_that_is_no_hn_gets_a_fatal_error(world):
    spec = world.hn()
    data = hn_bytes(spec).replace(b"hospital-notification-message", b"care-communication-message")
    world.send(spec, data=data)
    await world.drain()
    assert "MSG_RECEIVER_UNABLE_TO_RECEIVE_MSG_TYPE" in " ".join(issues_of(world))
    assert world.receipts[0].kind is ReceiptKind.POSITIVE_MESSAGE
    assert world.published == []


async def test_an_acknowledgement_from_outside_is_receipted_and_never_acknowledged(world):
    from engine.simulation.builders import an_acknowledgement
    from engine.simulation.messages import ack_bytes

    spec = world.hn()
    world.send(spec, data=ack_bytes(an_acknowledgement(spec)))
    await world.drain()
    assert [receipt.kind for receipt in world.receipts] == [ReceiptKind.POSITIVE_MESSAGE]
    assert world.answers == world.published == []


@pytest.mark.parametrize(
    ("cut", "code"),
    [
        (b'<id value="%(message_id)s"/>', "MSG_RESOURCE_REQUIRED"),
        (b'<endpoint value="https://sor2.sum.dsdn.dk/#id=%(kommune)s"/>', "MSG_Receiver_Identifier_MISSING"),
        (b'<endpoint value="https://sor2.sum.dsdn.dk/#id=%(hospital)s"/>', "MSG_RESOURCE_REQUIRED"),
    ],
    ids=["MessageHeader.id", "addressee", "source endpoint"],
)
async def test_an_hn_without_what_routing_needs_gets_a_fatal_error(world, cut, code):
    spec = world.hn()
    element = cut % {
        b"message_id": spec.message_id.encode(),
        b"kommune": KBH.sor.encode(),
        b"hospital": spec.hospital.sor.encode(),
    }
    data = hn_bytes(spec)
    assert element in data
    data = data.replace(element, b"")
    if b"kommune" in cut:
        start, end = data.index(b"<receiver>"), data.index(b"</receiver>") + len(b"</receiver>")
        data = data[:start] + data[end:]
    world.send(spec, data=data)
    await world.drain()
    assert code in " ".join(issues_of(world))
    assert world.codes == ["fatal-error"]
    assert world.published == []


async def test_a_broken_profile_is_forwarded_with_findings(world):
    spec = world.hn()
    world.send(
        spec, data=hn_bytes(spec).replace(b'<status value="in-progress"/>', b'<status value="planned"/>')
    )
    await world.drain()
    assert len(world.published) == 1
    assert world.answers == []
    assert "profile-broken" in world.events()


async def test_a_broken_profile_is_refused_where_the_setting_says_so(make_world):
    world = make_world(reject_invalid=True)
    spec = world.hn()
    world.send(
        spec, data=hn_bytes(spec).replace(b'<status value="in-progress"/>', b'<status value="planned"/>')
    )
    good = world.hn()
    world.send(good)
    await world.drain()
    assert world.codes == ["fatal-error"]
    assert len(world.published) == 1


@pytest.mark.parametrize("gap_minutes", [0, 30])
async def test_a_known_bundle_id_with_a_new_message_id_gets_duplicate_id(world, gap_minutes):
    first = world.hn()
    world.send(first)
    if gap_minutes:
        await world.after(minutes=gap_minutes)
    world.send(world.hn(bundle_id=first.bundle_id))
    await world.drain()
    assert "MSG_DUPLICATE_ID" in " ".join(issues_of(world))
    assert len(world.published) == 1


async def test_the_bundle_id_of_a_copy_is_known_too(world):
    first = world.hn()
    world.send(first)
    world.send(first.resent(bundle_id="the-copys-id", at=first.sent_at))
    await world.drain()
    world.send(world.hn(bundle_id="the-copys-id"))
    await world.drain()
    assert "MSG_DUPLICATE_ID" in " ".join(issues_of(world))


# --- copies ---------------------------------------------------------------------------------------------------------


@MEDIA_TYPES
async def test_copies_at_0_30_and_60_minutes_with_the_primary_at_45(world, media_type):
    spec = world.hn()
    world.send(spec, media_type=media_type)
    await world.drain()
    world.clock.advance(minutes(30))
    world.send(spec.resent(bundle_id="copy-1", at=world.clock.now()), media_type=media_type)
    await world.drain()
    await world.after(minutes=15)
    data = world.acknowledge(spec, media_type=media_type)
    await world.drain()
    assert [answer.content for answer in world.answers] == [data]
    world.drop_receipt(world.answers[0])
    await world.after(minutes=15)
    world.send(spec.resent(bundle_id="copy-2", at=world.clock.now()), media_type=media_type)
    await world.drain()
    assert len(world.published) == 1
    assert [receipt.kind for receipt in world.receipts] == [ReceiptKind.POSITIVE_MESSAGE] * 3
    assert world.codes == ["ok", "ok"]
    first, repeat = world.answers
    assert first.envelope.head.envelope_id != repeat.envelope.head.envelope_id
    once, again = acknowledgement.read(first.content), acknowledgement.read(repeat.content)
    assert once.bundle_id != again.bundle_id
    assert (once.message_id, once.response_identifier) == (again.message_id, again.response_identifier)


async def test_a_copy_does_not_restart_the_clock(world):
    spec = world.hn()
    world.send(spec)
    await world.drain()
    due = [row.due_at for row in world.rows(tables.expected_kvittering, "due_at")]
    world.clock.advance(minutes(30))
    world.send(spec.resent(bundle_id="copy", at=world.clock.now()))
    await world.drain()
    assert [row.due_at for row in world.rows(tables.expected_kvittering, "due_at")] == due
    assert world.rows(tables.advis, "copies")[0].copies == 1


async def test_copies_in_one_batch_are_one_advis(world):
    spec = world.hn()
    for number in range(3):
        world.send(spec.resent(bundle_id=f"copy-{number}", at=spec.sent_at))
    await world.drain()
    assert len(world.published) == 1
    assert len(world.receipts) == 3


async def test_the_same_message_id_in_another_kommune_is_another_advis(world):
    spec = world.hn()
    world.send(spec)
    world.send(world.hn(kommune=FRB, message_id=spec.message_id))
    await world.drain()
    assert len({besked.besked_id for besked in world.published}) == 2


async def test_the_very_same_envelope_again_gets_its_receipt_again(world):
    spec = world.hn()
    for _ in range(2):
        world.send(spec, envelope_id="E", vans_message_id="M")
        await world.drain()
    assert len(world.receipts) == 2
    assert len(world.published) == 1


async def test_a_known_vans_message_id_in_a_new_envelope_is_judged_by_its_content(world):
    world.send(world.hn(), vans_message_id="M")
    world.send(world.hn(), vans_message_id="M")
    await world.drain()
    assert len(world.published) == len(world.receipts) == 2


async def test_a_delivery_that_was_committed_before_a_crash_is_only_finished(world):
    spec = world.hn()
    world.send(spec, key="the-same-file")
    await world.drain()
    world.acknowledge(spec)
    await world.drain()
    world.send(spec, key="the-same-file")
    await world.drain()
    assert world.codes == ["ok"]
    assert len(world.receipts) == 1
    assert world.rows(tables.advis, "copies")[0].copies == 0
    assert len(world.vans_in.finished) == 2


async def test_a_refused_advis_that_comes_again_gets_the_same_verdict_again(world):
    spec = world.hn(kommune=made_up_unit(77, "Ingen Kommune"))
    world.send(spec)
    await world.drain()
    world.send(spec.resent(bundle_id="copy", at=spec.sent_at))
    await world.drain()
    assert world.codes == ["fatal-error", "fatal-error"]
    assert len(world.rows(tables.advis)) == 1


@pytest.mark.parametrize("change", ["patient", "sender", "encounter"])
async def test_another_identity_under_a_known_message_id_is_quarantined_and_alarmed(world, change):
    from engine.simulation.made_up import made_up_person

    spec = world.hn()
    world.send(spec)
    await world.drain()
    world.acknowledge(spec)
    await world.drain()
    other = {
        "patient": {"patient": made_up_person(random.Random(5))},
        "sender": {"hospital": made_up_unit(9, "Et andet hospital")},
        "encounter": {"encounter_id": "another-encounter"},
    }[change]
    world.send(world.hn(message_id=spec.message_id, **other))
    await world.drain()
    assert quarantine_reasons(world) == ["identity-conflict"]
    assert world.codes == ["ok"]
    assert len(world.published) == 1
    levels = {row.kind: row.severity for row in world.rows(tables.event, "kind", "severity")}
    assert levels["identity-conflicted"] == "alarm"


async def test_a_smaller_difference_is_a_copy_with_a_warning(world):
    spec = world.hn()
    data = world.send(spec)
    await world.drain()
    world.send(
        spec,
        data=data.replace(b"<class>", b"<class><!-- -->").replace(
            b"<period>", b'<length><value value="1"/></length><period>'
        ),
    )
    await world.drain()
    assert quarantine_reasons(world) == []
    assert "copy-differed" in world.events()
    assert len(world.published) == 1


async def test_a_death_after_a_death_is_a_correction_of_it(world):
    from engine.domain.advis import AdvisCode

    death = world.hn(code=AdvisCode.MORS)
    correction = world.hn(code=AdvisCode.RE_MORS)
    assert correction.history
    previous = correction.history[-1].message_id
    world.send(world.hn(code=AdvisCode.MORS, message_id=previous))
    await world.drain()
    world.send(correction)
    world.send(death)
    await world.drain()
    assert [row.code for row in world.rows(tables.advis, "code")] == ["MORS", "RE_MORS", "MORS"]


# --- no personal data -----------------------------------------------------------------------------------------------


async def test_no_personal_data_outside_sealed_columns(world):
    spec = world.hn()
    world.send(spec)
    world.send(world.hn(kommune=made_up_unit(77, "Ingen Kommune")))
    await world.drain()
    world.acknowledge(spec)
    await world.drain()
    with world.db.reading() as conn:
        dump = "\n".join(
            str(row) for table in tables.metadata.sorted_tables for row in conn.execute(select(table))
        )
    assert spec.patient.cpr not in dump
    assert spec.patient.family not in dump
