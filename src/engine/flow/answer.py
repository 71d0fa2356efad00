"""What is owed to the hospital goes out by VANS: receipts and answers; and again where no receipt comes for them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import Connection, Integer, Select, bindparam, select, update

from engine.clock import Clock
from engine.domain import pulse
from engine.domain.acknowledgement import ResponseCode
from engine.domain.events import EventKind, Level
from engine.flow.claims import NOW, OWNER, Claims
from engine.flow.outgoing import order_again, receipt_content
from engine.flow.pauses import pause
from engine.flow.sending import Sending
from engine.flow.timekeeping import open_ledger, own_time
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

# An EPJ that never gives receipts must not drown in repetitions.
_LONGEST_WAIT_FOR_RECEIPT = timedelta(hours=4)
_OVERTAKEN = "Ikke sendt: det endelige svar kom først"


def _in_flight_elsewhere() -> Select[Any]:
    """What another engine is sending of the same advis: a transient-error that is still on its way must not be
    overtaken by the verdict.
    """
    out, other = tables.envelope_out, tables.envelope_out.alias("other")
    return select(other.c.id).where(
        other.c.advis_id == out.c.advis_id,
        other.c.next_at.is_not(None),
        other.c.claimed_until > NOW,
        other.c.claimed_by != OWNER,
    )


class Answer(Sending[OutgoingEnvelope]):
    """Sends the waiting envelopes."""

    name: ClassVar[str] = "answer"
    outbox = tables.envelope_out
    claims: ClassVar[Claims] = Claims(tables.envelope_out, ~_in_flight_elsewhere().exists())
    channel: ClassVar[str] = pulse.VANS_OUT
    longest_pause = timedelta(minutes=5)
    claims_alone: ClassVar[bool] = True

    def __init__(
        self,
        vans: VansOutbox,
        db: Database,
        box: PayloadBox,
        clock: Clock,
        settings: Settings,
        owner: str,
        holder: str = "",
    ) -> None:
        super().__init__(db, box, clock, settings, owner, holder)
        self._vans = vans

    @property
    def limit(self) -> int:
        # A receipt and an answer per advis: twice the batch keeps step with the stations before it.
        return 2 * self._settings.engine.batch

    def orders(self, tx: Tx, ids: Sequence[int]) -> Sequence[Any]:
        rows = tx.conn.execute(envelope_rows().where(self.outbox.c.id.in_(ids))).all()
        overtaken = [row.id for row in rows if _is_overtaken(row)]
        if overtaken:
            drop = update(self.outbox).where(self.outbox.c.id.in_(overtaken))
            tx.conn.execute(
                drop.values(next_at=None, claimed_by=None, claimed_until=None, last_error=_OVERTAKEN)
            )
        return [row for row in rows if not _is_overtaken(row)]

    def make(self, row: Any) -> OutgoingEnvelope:
        return envelope_of(row, self._box)

    async def send(self, messages: Sequence[OutgoingEnvelope]) -> Sequence[SendResult]:
        return await self._vans.send(messages)

    def sent(self, ledger: Ledger, orders: Sequence[tuple[Any, SendResult]]) -> None:
        out, rows = self.outbox, [row for row, _ in orders]
        ids = [row.id for row in rows]
        # A receipt can be quicker than this transaction: then none is waited for.
        receipted = select(out.c.id).where(out.c.id.in_(ids), out.c.receipt_at.is_not(None))
        quick = set(ledger.tx.conn.execute(receipted).scalars())
        for row in rows:
            waits = row.kind == "answer" and row.id not in quick  # a receipt is never receipted
            wait = pause(row.sending, self._settings.vans.receipt_after, _LONGEST_WAIT_FOR_RECEIPT)
            due = ledger.now + wait if waits else None
            self.done(ledger, row, sent_at=ledger.now, receipt_due_at=due)
            if row.kind == "answer":
                ledger.event(
                    EventKind.ANSWER_SENT,
                    advis_id=row.advis_id,
                    kommune_code=row.kommune_code,
                    code=row.code,
                    envelope_id=row.envelope_id,
                )

    def failed(self, ledger: Ledger, row: Any, result: SendResult) -> None:
        error = result.error or ""
        attempts, next_at = self.postponed(ledger, row, error)
        ledger.event(
            EventKind.ENVELOPE_FAILED,
            level=Level.WARNING,
            advis_id=row.advis_id,
            kommune_code=row.kommune_code,
            envelope_id=row.envelope_id,
            attempts=attempts,
            error=error,
            next=next_at.isoformat(),
        )


def envelope_of(row: Any, box: PayloadBox) -> OutgoingEnvelope:
    """The envelope of a row of `envelope_rows`: the same bytes whenever it is made."""
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
        data = write_message(head, meta, box.open(row.sealed))
    return OutgoingEnvelope(row.envelope_id, row.receiver_id, data)


def envelope_rows() -> Select[Any]:
    """Envelopes with all that their bytes need."""
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
        .order_by(out.c.id)
    )


def _is_overtaken(row: Any) -> bool:
    """A transient-error may come before the verdict, never after it: one that was delayed until then stays here."""
    return row.code == ResponseCode.TRANSIENT_ERROR.value and row.verdict is not None


_IS_OVERDUE = tables.envelope_out.c.receipt_due_at <= NOW
_LOOK = select(tables.envelope_out.c.id).where(_IS_OVERDUE).limit(1)
_OVERDUE = (
    select(tables.envelope_out)
    .where(_IS_OVERDUE)
    .order_by(tables.envelope_out.c.receipt_due_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
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
        return await self._db.write(self._order_again) if await self._db.read(self._is_any_due) else 0

    def _is_any_due(self, conn: Connection) -> bool:
        now = own_time(conn, self._clock)
        return now is None or conn.execute(_LOOK, {"now": now}).first() is not None

    def _order_again(self, tx: Tx) -> int:
        out = tables.envelope_out
        ledger = open_ledger(tx, self._clock)
        rows = tx.conn.execute(_OVERDUE, {"now": ledger.now, "most": self._settings.engine.batch}).all()
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
