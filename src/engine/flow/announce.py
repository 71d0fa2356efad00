"""What a declared incident sets going reaches people: by HTTP, by mail, and the next update when it was promised."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import Connection, Select, String, bindparam, cast, literal, select, update

from engine.clock import Clock
from engine.domain import pulse
from engine.domain.alarm import MailKind
from engine.domain.events import EventKind, Level
from engine.domain.incident import Channel, IncidentStepState, Phase
from engine.flow.claims import Claims
from engine.flow.incidents import change_step, refused_step
from engine.flow.mail_texts import MailTexts
from engine.flow.mailing import order_mail
from engine.flow.sending import Sending
from engine.flow.timekeeping import open_ledger
from engine.local_time import planned_text
from engine.ports import SendResult, StatusPage, StatusUpdate
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger
from engine.store.payloads import PayloadBox

_LONGEST_PAUSE = timedelta(minutes=2)  # people wait for what is told here


class Announce(Sending[StatusUpdate]):
    """Posts what goes to the status page by HTTP, each incident's messages one after the other."""

    name: ClassVar[str] = "announce"
    outbox = tables.incident_step
    claims: ClassVar[Claims] = Claims(tables.incident_step)
    channel: ClassVar[str] = pulse.DRIFTSTATUS
    limit = 1

    def __init__(
        self,
        page: StatusPage,
        db: Database,
        box: PayloadBox,
        clock: Clock,
        settings: Settings,
        owner: str,
        holder: str = "",
    ) -> None:
        super().__init__(db, box, clock, settings, owner, holder)
        self._page = page

    @property
    def longest_pause(self) -> timedelta:
        return _LONGEST_PAUSE

    def orders(self, tx: Tx, ids: Sequence[int]) -> Sequence[Any]:
        step, incident = self.outbox, tables.incident
        first = step.alias("first")
        page_name = (
            select(first.c.external_id)
            .where(first.c.incident_id == step.c.incident_id, first.c.step == step.c.target)
            .scalar_subquery()
        )
        query = select(step, incident.c.title.label("incident_title"), page_name.label("page_name")).join(
            incident, incident.c.id == step.c.incident_id
        )
        return tx.conn.execute(query.where(step.c.id.in_(ids))).all()

    def make(self, row: Any) -> StatusUpdate:
        key = f"sundhedsagenten-{row.incident_id}"
        return StatusUpdate(key, row.page_name, row.incident_title, row.phase, row.text)

    async def send(self, messages: Sequence[StatusUpdate]) -> Sequence[SendResult]:
        return await self._page.post(messages)

    def sent(self, ledger: Ledger, orders: Sequence[tuple[Any, SendResult]]) -> None:
        for row, result in orders:
            self.done(
                ledger,
                row,
                state=IncidentStepState.DONE.value,
                person="motor",
                done_at=ledger.now,
                external_id=result.external_id,
            )
            _done(ledger, row, "motor")
            self._let_next_go(ledger, row)

    def failed(self, ledger: Ledger, row: Any, result: SendResult) -> None:
        error = result.error or ""
        if result.final:
            refused_step(ledger, row, error, attempts=row.attempts + 1)
            return
        attempts, next_at = self.postponed(ledger, row, error)
        ledger.event(
            EventKind.INCIDENT_STEP_FAILED,
            level=Level.WARNING,
            incident_id=row.incident_id,
            step=row.title,
            attempts=attempts,
            error=error,
            next=next_at.isoformat(),
        )

    def _let_next_go(self, ledger: Ledger, row: Any) -> None:
        step = self.outbox
        following = (
            select(step.c.id)
            .where(
                step.c.incident_id == row.incident_id,
                step.c.target == row.target,
                step.c.id > row.id,
                step.c.channel == Channel.HTTP.value,
                step.c.state == IncidentStepState.SENDING.value,
            )
            .order_by(step.c.id)
            .limit(1)
        )
        ledger.tx.conn.execute(
            update(step).where(step.c.id == following.scalar_subquery()).values(next_at=ledger.now)
        )


class IncidentClock:
    """Sees when a mail that is a step has gone out or been refused, and reminds of the promised next update."""

    name: ClassVar[str] = "incident-clock"

    def __init__(self, db: Database, clock: Clock, settings: Settings, texts: MailTexts) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._texts = texts

    async def step(self) -> int:
        if not await self._db.read(self._is_anything_due):
            return 0
        return await self._db.write(self._record)

    def _is_anything_due(self, conn: Connection) -> bool:
        return bool(conn.execute(_ANY_MAILED).first() or self._promises(conn, self._clock.now()))

    def _promises(self, conn: Connection, now: datetime) -> Sequence[Any]:
        """Declared incidents whose promised update is near, and nobody has been reminded."""
        return conn.execute(_PROMISES, {"near": now + self._settings.incident.remind_before}).all()

    def _record(self, tx: Tx) -> int:
        ledger = open_ledger(tx, self._clock)
        steps = tx.conn.execute(_MAILED).all()
        for step in steps:
            if step.sent_at is not None:
                change_step(
                    ledger,
                    step,
                    state=IncidentStepState.DONE.value,
                    channel=Channel.MAIL.value,
                    person="motor",
                    done_at=step.sent_at,
                    last_error=None,
                )
                _done(ledger, step, "motor")
            else:
                refused_step(ledger, step, f"{step.address} afvises: {step.refusal}")
        promises = self._promises(tx.conn, ledger.now)
        for incident in promises:
            self._remind(ledger, incident)
        ledger.write()
        return len(steps) + len(promises)

    def _remind(self, ledger: Ledger, incident: Any) -> None:
        table, parties = tables.incident, self._settings.parties
        ledger.tx.conn.execute(update(table).where(table.c.id == incident.id).values(reminded_at=ledger.now))
        due = planned_text(incident.next_update_at)
        ledger.event(
            EventKind.INCIDENT_UPDATE_DUE,
            level=Level.ALARM,
            incident_id=incident.id,
            incident=incident.id,
            due=due,
        )
        order_mail(
            ledger,
            self._texts,
            MailKind.INCIDENT_UPDATE_DUE,
            parties.supplier_email,
            {
                "haendelse": incident.id,
                "titel": incident.title,
                "naeste": incident.next_update_at,
                "fase": Phase(incident.phase).danish,
            },
            order_key=f"incident:{incident.id}:due:{incident.next_update_at.isoformat()}",
            sender=self._settings.mail.sender,
            incident_id=incident.id,
        )


def _mailed_steps() -> Select[Any]:
    """Steps whose mail has been sent or refused since they were last looked at."""
    step, mail = tables.incident_step, tables.mail
    key = literal("incident:", String) + cast(step.c.incident_id, String) + ":" + step.c.step
    is_sending = (step.c.channel == Channel.MAIL.value) & (step.c.state == IncidentStepState.SENDING.value)
    # Refused once, and sent after a person mended the address.
    is_open = step.c.state == IncidentStepState.OPEN.value
    return (
        select(step, mail.c.sent_at, mail.c.address, mail.c.last_error.label("refusal"))
        .join(mail, mail.c.order_key == key)
        .where(
            (is_sending & (mail.c.sent_at.is_not(None) | mail.c.refused_at.is_not(None)))
            | (is_open & mail.c.sent_at.is_not(None))
        )
    )


# Made once: they are asked again and again.
_MAILED = _mailed_steps()
_ANY_MAILED = _MAILED.limit(1)
_PROMISES = select(tables.incident).where(
    tables.incident_is_open,
    tables.incident.c.next_update_at <= bindparam("near", type_=tables.Instant),
    tables.incident.c.reminded_at.is_(None),
)


def _done(ledger: Ledger, step: Any, person: str) -> None:
    ledger.event(
        EventKind.INCIDENT_STEP_DONE,
        incident_id=step.incident_id,
        step=step.title,
        person=person,
        note="",
    )
