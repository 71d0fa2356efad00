"""An advis comes in from VANS: one transaction makes it durable with everything that follows from it.

What can arrive and what becomes of it, case by case; accept.py and copies.py hold the longer cases.
"""

from collections.abc import Sequence
from typing import ClassVar

from engine.domain.acknowledgement import ResponseCode
from engine.domain.events import EventKind, Level
from engine.domain.finding import ErrorCode, Finding, Severity
from engine.domain.intake import Outcome, QuarantineReason
from engine.flow.accept import accept, reasons_to_refuse, refusal, refuse
from engine.flow.batch import Batch
from engine.flow.copies import take_copy
from engine.flow.outgoing import order_answer_to_stranger
from engine.flow.reading import FhirMessage, Incoming, Trouble, read_delivery
from engine.flow.receipts import record_receipt
from engine.flow.switch_over import carry_out_due
from engine.flow.taking import PutAside, Taking
from engine.ports import Delivery, Finished
from engine.store import tables
from engine.store.ledger import Ledger
from engine.store.traffic import note_traffic
from engine.wire.hospital_notification import MessageKind
from engine.wire.vans_envelope import MessageEnvelope, ReceiptKind


class Receive(Taking[Incoming]):
    """Takes deliveries from VANS."""

    name: ClassVar[str] = "receive"
    channel: ClassVar[str] = "vans"
    recorded_in = tables.envelope_in

    def read(self, delivery: Delivery) -> Incoming:
        return read_delivery(delivery, self._box)

    def record(self, ledger: Ledger, items: Sequence[Incoming], aside: PutAside) -> list[Finished]:
        carry_out_due(ledger)  # the primary of receipt time is the one whose instant has come
        batch = Batch(ledger, items, aside, self._box, self._settings)
        finished = [_take(batch, item) for item in items]
        note_traffic(ledger, batch.heard)
        return finished


def _take(batch: Batch, item: Incoming) -> Finished:
    if item.receipt is not None:
        record_receipt(batch.ledger, item.delivery.key, item.receipt)
        return Finished(item.delivery)
    if item.envelope is None:
        assert item.trouble is not None
        return batch.aside(item.delivery, item.trouble)
    if batch.first_message_id(item.envelope) != item.envelope.meta.identifier:
        detail = f"Konvolut {item.envelope.head.envelope_id}"
        return _reject(batch, item, item.envelope, Trouble(QuarantineReason.ENVELOPE_ID_REUSED, detail))
    if item.message is None:
        assert item.trouble is not None
        return _reject(batch, item, item.envelope, item.trouble)
    match item.message.kind:
        case MessageKind.HOSPITAL_NOTIFICATION:
            return _take_notification(batch, item, item.envelope, item.message)
        case MessageKind.ACKNOWLEDGEMENT:
            return _take_outside_acknowledgement(batch, item, item.envelope, item.message)
        case MessageKind.OTHER:
            return _refuse_other(batch, item, item.envelope, item.message)


def _reject(batch: Batch, item: Incoming, envelope: MessageEnvelope, trouble: Trouble) -> Finished:
    """Negative VANS receipt and quarantine: the envelope came, its message could not be taken."""
    row_id = batch.envelope_taken(
        item,
        envelope,
        Outcome.REJECTED,
        receipt=ReceiptKind.NEGATIVE_MESSAGE,
        error_text=f"{trouble.reason.danish}: {trouble.detail}",
    )
    return batch.aside(item.delivery, trouble, envelope_in_id=row_id)


def _take_notification(
    batch: Batch, item: Incoming, envelope: MessageEnvelope, message: FhirMessage
) -> Finished:
    notification = message.notification
    assert notification is not None
    first = batch.advis_of(envelope, notification)
    if first is not None:
        return take_copy(batch, item, envelope, message, first)
    roster = batch.roster(envelope)
    findings = reasons_to_refuse(batch, envelope, notification)
    if roster is None or findings:
        refuse(batch, item, envelope, message, findings)
    else:
        accept(batch, item, envelope, message, roster)
    return Finished(item.delivery)


def _take_outside_acknowledgement(
    batch: Batch, item: Incoming, envelope: MessageEnvelope, message: FhirMessage
) -> Finished:
    """Never acknowledge an Acknowledgement (MedCom KR2): the VANS receipt is all it gets."""
    payload_id = batch.ledger.payload(message.sealed)
    batch.envelope_taken(item, envelope, Outcome.ACKNOWLEDGEMENT, payload_id=payload_id)
    batch.ledger.event(
        EventKind.ACKNOWLEDGEMENT_FROM_OUTSIDE,
        actor=envelope.head.sender.id,
        level=Level.WARNING,
        envelope_id=envelope.head.envelope_id,
    )
    return Finished(item.delivery)


def _refuse_other(batch: Batch, item: Incoming, envelope: MessageEnvelope, message: FhirMessage) -> Finished:
    payload_id = batch.ledger.payload(message.sealed)
    row_id = batch.envelope_taken(item, envelope, Outcome.REFUSED, payload_id=payload_id)
    finding = Finding(
        "MessageHeader.eventCoding",
        ErrorCode.UNABLE_TO_RECEIVE_TYPE,
        "Sundhedsagenten modtager kun Advis om sygehusophold (HospitalNotification)",
        Severity.BLOCKING,
    )
    answer = batch.store(refusal(batch, envelope, message, [finding]))
    media_type = message.bundle.media_type
    code = ResponseCode.FATAL_ERROR
    order_answer_to_stranger(batch.ledger, envelope.head, code, answer, media_type, envelope_in_id=row_id)
    batch.ledger.event(
        EventKind.ADVIS_REFUSED,
        level=Level.WARNING,
        findings=finding.text,
        codes=[finding.code.value],
        envelope_id=envelope.head.envelope_id,
    )
    return Finished(item.delivery)
