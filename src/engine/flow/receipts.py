"""A VANS receipt comes in: recorded on the outgoing envelope that it answers; a negative one sends it again."""

from datetime import timedelta

from sqlalchemy import select, update

from engine.domain.events import EventKind, Level
from engine.domain.intake import Outcome
from engine.flow.outgoing import order_again
from engine.flow.pauses import pause
from engine.store import tables
from engine.store.ledger import Ledger
from engine.wire.vans_envelope import ReceiptEnvelope, ReceiptKind

# The first repetition goes at once, for the fault may have been a passing one; then ever more rarely.
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=4)


def record_receipt(ledger: Ledger, delivery_key: str, receipt: ReceiptEnvelope) -> None:
    """Record the receipt, and order the envelope again where it is negative."""
    out = tables.envelope_out
    query = select(out).where(out.c.envelope_id == receipt.original_envelope_id.lower())
    row = ledger.tx.conn.execute(query).one_or_none()
    advis_id = row.advis_id if row else None
    head = receipt.head
    ledger.add(
        tables.envelope_in,
        id=ledger.tx.next_id("envelope_in"),
        delivery_key=delivery_key,
        received_at=ledger.now,
        sender_type=head.sender.type.value,
        sender_id=head.sender.id,
        receiver_type=head.receiver.type.value,
        receiver_id=head.receiver.id,
        envelope_id=head.envelope_id,
        message_id=receipt.original_message_id or "",
        document_name=receipt.kind.value,
        outcome=Outcome.RECEIPT.value,
        advis_id=advis_id,
        payload_id=None,
    )
    envelope_id = receipt.original_envelope_id
    if row is None:
        ledger.event(
            EventKind.RECEIPT_UNKNOWN, actor=head.sender.id, level=Level.WARNING, envelope_id=envelope_id
        )
        return
    if row.receipt_kind is not None:
        return  # the same receipt once more
    ledger.change(
        out, {"id": row.id}, receipt_kind=receipt.kind.value, receipt_at=ledger.now, receipt_due_at=None
    )
    if receipt.kind is ReceiptKind.POSITIVE_MESSAGE:
        # It came for one sending of the message: no other sending of it is waited for any more.
        waiting = update(out).where(out.c.message_id == row.message_id, out.c.receipt_due_at.is_not(None))
        ledger.tx.conn.execute(waiting.values(receipt_due_at=None))
        ledger.event(
            EventKind.RECEIPT_RECEIVED, actor=head.sender.id, advis_id=advis_id, envelope_id=envelope_id
        )
        return
    ledger.event(
        EventKind.RECEIPT_NEGATIVE,
        actor=head.sender.id,
        level=Level.ALARM,
        advis_id=advis_id,
        envelope_id=envelope_id,
        error=receipt.error_code or "uden fejlkode",
    )
    wait = timedelta(0) if row.sending == 1 else pause(row.sending - 1, _FIRST_PAUSE, _LONGEST_PAUSE)
    order_again(ledger, row, next_at=ledger.now + wait)
