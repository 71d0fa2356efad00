"""Mails go out, one at a time: what a crash can repeat is the one in flight, with the same Message-ID."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import bindparam, func, select

from engine.clock import Clock
from engine.domain import pulse
from engine.domain.events import EventKind, Level
from engine.flow.claims import NOW, Claims
from engine.flow.sending import Sending
from engine.ports import MailOutbox, OutgoingMail, SendResult
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger
from engine.store.payloads import PayloadBox

_MINUTE = timedelta(minutes=1)
_TRIED_BETWEEN = select(func.count()).where(
    tables.mail.c.attempted_at > bindparam("since", type_=tables.Instant), tables.mail.c.attempted_at <= NOW
)


class Post(Sending[OutgoingMail]):
    """Sends the waiting mails, no faster than the server is to be asked."""

    name: ClassVar[str] = "post"
    outbox = tables.mail
    claims: ClassVar[Claims] = Claims(tables.mail)
    claims_alone: ClassVar[bool] = True  # the rate limit is for all engines together
    channel: ClassVar[str] = pulse.MAIL
    limit = 1

    def __init__(
        self,
        mails: MailOutbox,
        db: Database,
        box: PayloadBox,
        clock: Clock,
        settings: Settings,
        owner: str,
        holder: str = "",
    ) -> None:
        super().__init__(db, box, clock, settings, owner, holder)
        self._mails = mails

    @property
    def longest_pause(self) -> timedelta:
        return self._settings.mail.longest_pause

    def orders(self, tx: Tx, ids: Sequence[int]) -> Sequence[Any]:
        return tx.conn.execute(select(self.outbox).where(self.outbox.c.id.in_(ids))).all()

    def make(self, row: Any) -> OutgoingMail:
        return OutgoingMail(row.message_id, row.address, row.subject, row.text, row.html, row.ordered_at)

    async def send(self, messages: Sequence[OutgoingMail]) -> Sequence[SendResult]:
        return await self._mails.send(messages)

    def sent(self, ledger: Ledger, orders: Sequence[tuple[Any, SendResult]]) -> None:
        for row, _ in orders:
            self.done(ledger, row, sent_at=ledger.now, attempted_at=ledger.now)
            ledger.event(EventKind.MAIL_SENT, **_about(row), address=row.address, subject=row.subject)

    def failed(self, ledger: Ledger, row: Any, result: SendResult) -> None:
        error = result.error or ""
        if result.final:
            values = {"refused_at": ledger.now, "attempted_at": ledger.now, "attempts": row.attempts + 1}
            released = {"next_at": None, "claimed_by": None, "claimed_until": None}
            ledger.change(self.outbox, {"id": row.id}, **values, **released, last_error=error)
            told = {"address": row.address, "error": error}
            ledger.event(EventKind.MAIL_REFUSED, level=Level.ALARM, **_about(row), **told)
            return
        attempts, next_at = self.postponed(ledger, row, error, attempted_at=ledger.now)
        ledger.event(
            EventKind.MAIL_FAILED,
            level=Level.WARNING,
            **_about(row),
            address=row.address,
            attempts=attempts,
            error=error,
            next=next_at.isoformat(),
        )

    def _claim(self, tx: Tx) -> tuple[int, Sequence[Any]]:
        now = self._clock.now()
        lately = tx.conn.execute(_TRIED_BETWEEN, {"since": now - _MINUTE, "now": now}).scalar_one()
        if lately >= self._settings.mail.per_minute:
            return 0, ()
        return super()._claim(tx)


def _about(row: Any) -> dict[str, Any]:
    return {"kommune_code": row.kommune_code, "case_id": row.case_id, "incident_id": row.incident_id}
