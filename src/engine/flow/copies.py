"""A copy of an advis that is known: never published twice, and answered with the stored verdict once there is one."""

from uuid import uuid4

from engine.domain.acknowledgement import PendingState, ResponseCode
from engine.domain.events import EventKind, Level
from engine.domain.intake import Outcome, QuarantineReason
from engine.errors import WireError
from engine.flow.accept import order_publication
from engine.flow.batch import Batch
from engine.flow.outgoing import order_answer
from engine.flow.reading import FhirMessage, Incoming, Trouble
from engine.ports import Finished
from engine.store import known, tables
from engine.store.known import KnownAdvis
from engine.wire import acknowledgement, fhir, hospital_notification
from engine.wire.hospital_notification import Difference
from engine.wire.vans_envelope import MessageEnvelope


def take_copy(
    batch: Batch, item: Incoming, envelope: MessageEnvelope, message: FhirMessage, advis: KnownAdvis
) -> Finished:
    """Record a message with the kommune and MessageHeader.id of `advis`."""
    envelope_id = envelope.head.envelope_id
    difference = _difference(batch, message, advis)
    if difference is Difference.IDENTITY:
        return _put_conflict_aside(batch, item, envelope, advis)
    # A copy that says the same stands in the database already.
    payload_id = batch.ledger.payload(message.sealed) if difference is Difference.MINOR else None
    row_id = batch.envelope_taken(item, envelope, Outcome.COPY, advis_id=advis.id, payload_id=payload_id)
    assert message.notification is not None
    batch.remember_bundle(message.notification)
    advis.copies += 1
    batch.ledger.change(tables.advis, {"id": advis.id}, copies=advis.copies)
    batch.event(EventKind.COPY_RECEIVED, advis, envelope_id=envelope_id)
    if difference is Difference.MINOR:
        batch.event(EventKind.COPY_DIFFERED, advis, Level.WARNING, envelope_id=envelope_id)
    known.answer_details(batch.ledger.tx.conn, advis)
    if advis.verdict is not None:
        _repeat_verdict(batch, advis, row_id)
    elif _primary_waits_for_resend(batch, envelope, advis):
        _republish(batch, envelope, advis)
    return Finished(item.delivery)


def _difference(batch: Batch, message: FhirMessage, advis: KnownAdvis) -> Difference:
    first = batch.stored(advis.payload_id)
    if first is None or first == message.data:
        return Difference.NONE  # None: deleted after its time, there is nothing left to compare with
    return hospital_notification.compare(fhir.read_bundle(first), message.bundle)


def _put_conflict_aside(
    batch: Batch, item: Incoming, envelope: MessageEnvelope, advis: KnownAdvis
) -> Finished:
    """Another patient, sender or Encounter under a known id: neither published nor answered; a person must look."""
    envelope_id = envelope.head.envelope_id
    row_id = batch.envelope_taken(item, envelope, Outcome.CONFLICT, advis_id=advis.id)
    batch.event(EventKind.IDENTITY_CONFLICTED, advis, Level.ALARM, envelope_id=envelope_id)
    trouble = Trouble(
        QuarantineReason.IDENTITY_CONFLICT, f"Konvolut {envelope_id} er hverken fordelt eller besvaret"
    )
    return batch.aside(
        item.delivery, trouble, envelope_in_id=row_id, advis_id=advis.id, kommune_code=advis.kommune_code
    )


def _repeat_verdict(batch: Batch, advis: KnownAdvis, envelope_in_id: int) -> None:
    """The stored verdict again, in a new envelope, with the new Bundle.id and times that MedCom demands."""
    assert advis.verdict is not None
    assert advis.verdict_media_type is not None
    stored = batch.stored(advis.verdict_payload_id)
    if stored is None:
        return
    try:
        renewed = acknowledgement.renew(stored, bundle_id=str(uuid4()), now=batch.ledger.now)
    except WireError:
        renewed = stored  # a receiver's odd Acknowledgement went out as it was, and does so again
    _, envelope_id = order_answer(
        batch.ledger,
        advis,
        ResponseCode(advis.verdict),
        batch.store(renewed),
        advis.verdict_media_type,
        envelope_in_id=envelope_in_id,
        repeats_id=advis.answer_id,
    )
    batch.event(EventKind.VERDICT_REPEATED, advis, code=advis.verdict, envelope_id=envelope_id)


def _primary_waits_for_resend(batch: Batch, envelope: MessageEnvelope, advis: KnownAdvis) -> bool:
    primary = advis.primary_receiver_id
    return (
        batch.settings.republish_after_transient
        and primary is not None
        and primary in _in_service(batch, envelope)
        and advis.expected.get(primary) is PendingState.TRANSIENT_ERROR
    )


def _republish(batch: Batch, envelope: MessageEnvelope, advis: KnownAdvis) -> None:
    """The primary may have kept nothing: publish again under the same BeskedId, and wait again, with a new clock, for
    those who answered transient-error and are still there.
    """
    advis.round += 1
    order_publication(batch.ledger, advis, batch.settings.publish.alarm_after)
    in_service = _in_service(batch, envelope)
    for receiver_id, state in advis.expected.items():
        if state is PendingState.TRANSIENT_ERROR and receiver_id in in_service:
            advis.expected[receiver_id] = PendingState.PENDING
            batch.ledger.change(
                tables.expected_kvittering,
                {"advis_id": advis.id, "receiver_id": receiver_id},
                state=PendingState.PENDING.value,
                settled_at=None,
                clock_from=None,
                due_at=None,
                case_id=None,
            )
    batch.event(EventKind.REPUBLICATION_ORDERED, advis, round=advis.round)


def _in_service(batch: Batch, envelope: MessageEnvelope) -> set[int]:
    roster = batch.roster(envelope)
    return {receiver.id for receiver in roster.receivers} if roster else set()
