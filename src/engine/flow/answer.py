"""What is owed to the hospital goes out by VANS: receipts and answers; and again where no receipt comes for them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import select, update

from engine.clock import Clock
from engine.domain.acknowledgement import ResponseCode
from engine.domain.events import EventKind, Level
from engine.flow.claims import claim
from engine.flow.outgoing import order_again, receipt_content
from engine.flow.pauses import pause
from engine.flow.sending import send_all
from engine.ports import OutgoingEnvelope, SendResult, VansOutbox
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger
from engine.store.payloads import PayloadBox
from engine.wire.vans_envelope import (
    EndPoint,
    EndPointType,
    Head,
    MetaInformation,
    write_message,
    write_receipt,
)

_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=5)
# An EPJ that never gives receipts must not drown in repetitions.
_LONGEST_WAIT_FOR_RECEIPT = timedelta(hours=4)
_OVERTAKEN = "Ikke sendt: det endelige svar kom først"


class Answer:
    """Sends the waiting envelopes."""

    name: ClassVar[str] = "answer"

    def __init__(
        self, outbox: VansOutbox, db: Database, box: PayloadBox, clock: Clock, settings: Settings, owner: str
    ) -> None:
        self._outbox = outbox
        self._db = db
        self._box = box
        self._clock = clock
        self._settings = settings
        self._owner = owner

    async def step(self) -> int:
        """Send up to one batch; how many were tried."""
        claimed, rows = await self._db.write(self._claim)
        if rows:
            results = await send_all(rows, self._envelope, self._outbox.send)
            await self._db.write(lambda tx: self._record(tx, rows, results))
        return claimed

    def _claim(self, tx: Tx) -> tuple[int, list[Any]]:
        """How many rows were claimed, and those of them that are to be sent."""
        out = tables.envelope_out
        now = self._clock.now()
        # A receipt and an answer per advis: twice the batch keeps step with the stations before it.
        ids = claim(tx, out, owner=self._owner, now=now, limit=2 * self._settings.engine.batch)
        if not ids:
            return 0, []
        rows = tx.conn.execute(_orders(ids)).all()
        overtaken = [row.id for row in rows if _is_overtaken(row)]
        if overtaken:
            drop = update(out).where(out.c.id.in_(overtaken))
            tx.conn.execute(
                drop.values(next_at=None, claimed_by=None, claimed_until=None, last_error=_OVERTAKEN)
            )
        return len(ids), [row for row in rows if not _is_overtaken(row)]

    def _envelope(self, row: Any) -> OutgoingEnvelope:
        head = Head(
            EndPoint(EndPointType(row.sender_type), row.sender_id),
            EndPoint(EndPointType(row.receiver_type), row.receiver_id),
            row.envelope_id,
            # The time of the order: the same envelope has the same bytes, however often it must be written.
            row.ordered_at.isoformat(timespec="milliseconds"),
        )
        if row.kind == "receipt":
            kind, original_envelope_id, original, error_text = receipt_content(row.receipt)
            data = write_receipt(head, kind, original_envelope_id, original, error_text=error_text)
        else:
            meta = MetaInformation(
                identifier=row.message_id,
                name=f"MCM:FCTL#{row.code}",
                version="2.0.0",
                transport_type="reliable",
                transform_message=False,
                service_tags=(("MCM:MIME", row.media_type),),
            )
            data = write_message(head, meta, self._box.open(row.sealed))
        return OutgoingEnvelope(row.envelope_id, row.receiver_id, data)

    def _record(self, tx: Tx, rows: Sequence[Any], results: Sequence[SendResult]) -> None:
        ledger = Ledger(tx, self._clock.now())
        for row, result in zip(rows, results, strict=True):
            if result.error is None:
                self._sent(ledger, row)
            else:
                _failed(ledger, row, result.error)
        ledger.write()
        # A receipt can be quicker than this transaction: then none is waited for.
        out = tables.envelope_out
        answered = update(out).where(out.c.id.in_([row.id for row in rows]), out.c.receipt_at.is_not(None))
        tx.conn.execute(answered.values(receipt_due_at=None))

    def _sent(self, ledger: Ledger, row: Any) -> None:
        is_answer = row.kind == "answer"
        wait = pause(row.sending, self._settings.vans.receipt_after, _LONGEST_WAIT_FOR_RECEIPT)
        ledger.change(
            tables.envelope_out,
            {"id": row.id},
            sent_at=ledger.now,
            attempts=row.attempts + 1,
            next_at=None,
            claimed_by=None,
            claimed_until=None,
            # A receipt is never receipted.
            receipt_due_at=ledger.now + wait if is_answer else None,
            last_error=None,
        )
        if is_answer:
            ledger.event(
                EventKind.ANSWER_SENT,
                advis_id=row.advis_id,
                kommune_code=row.kommune_code,
                code=row.code,
                envelope_id=row.envelope_id,
            )


def _orders(ids: Sequence[int]) -> Any:
    out, payload, advis = tables.envelope_out, tables.payload, tables.advis
    return (
        select(
            out.c.id,
            out.c.kind,
            out.c.envelope_id,
            out.c.message_id,
            out.c.ordered_at,
            out.c.sender_type,
            out.c.sender_id,
            out.c.receiver_type,
            out.c.receiver_id,
            out.c.advis_id,
            out.c.receipt,
            out.c.code,
            out.c.media_type,
            out.c.sending,
            out.c.attempts,
            payload.c.sealed,
            advis.c.verdict,
            advis.c.kommune_code,
        )
        .outerjoin(payload, payload.c.id == out.c.payload_id)
        .outerjoin(advis, advis.c.id == out.c.advis_id)
        .where(out.c.id.in_(ids))
        .order_by(out.c.id)
    )


def _is_overtaken(row: Any) -> bool:
    """A transient-error may come before the verdict, never after it: one that was delayed until then stays here."""
    return row.code == ResponseCode.TRANSIENT_ERROR.value and row.verdict is not None


def _failed(ledger: Ledger, row: Any, error: str) -> None:
    attempts = row.attempts + 1
    next_at = ledger.now + pause(attempts, _FIRST_PAUSE, _LONGEST_PAUSE)
    ledger.event(
        EventKind.ENVELOPE_FAILED,
        level=Level.WARNING,
        advis_id=row.advis_id,
        envelope_id=row.envelope_id,
        attempts=attempts,
        error=error,
        next=next_at.isoformat(),
    )
    ledger.change(
        tables.envelope_out,
        {"id": row.id},
        attempts=attempts,
        next_at=next_at,
        claimed_by=None,
        claimed_until=None,
        last_error=error,
    )


class FollowUp:
    """Sends an answer again, in a new envelope, where no VANS receipt came for it in time; that is an alarm too."""

    name: ClassVar[str] = "follow-up"

    def __init__(self, db: Database, clock: Clock, settings: Settings) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings

    async def step(self) -> int:
        """Order up to one batch again; how many."""
        return await self._db.write(self._order_again)

    def _order_again(self, tx: Tx) -> int:
        out = tables.envelope_out
        ledger = Ledger(tx, self._clock.now())
        overdue = (
            select(out)
            .where(out.c.receipt_due_at <= ledger.now)
            .order_by(out.c.receipt_due_at)
            .limit(self._settings.engine.batch)
            .with_for_update(skip_locked=True)
        )
        rows = tx.conn.execute(overdue).all()
        for row in rows:
            ledger.change(out, {"id": row.id}, receipt_due_at=None)
            order_again(ledger, row, next_at=ledger.now)
            ledger.event(
                EventKind.RECEIPT_MISSING,
                level=Level.ALARM,
                advis_id=row.advis_id,
                envelope_id=row.envelope_id,
            )
        ledger.write()
        return len(rows)
