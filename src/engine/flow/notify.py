"""Cases are followed until they are closed: mails, reminders, escalation, a major incident that explains them.

What is to be done when is domain/alarm.py's rule; here it is done, each case in one transaction with its mails.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import structlog
from sqlalchemy import Connection, Select, and_, bindparam, exists, literal_column, or_, select, update

from engine.clock import Clock
from engine.domain.alarm import CaseKind, CaseState, MailKind, Move, Stage, moves
from engine.domain.events import EventKind, Level
from engine.domain.incident import Cause
from engine.flow.case_mail import missing_count, order_case_mails
from engine.flow.mail_texts import MailTexts
from engine.flow.timekeeping import open_ledger, own_time
from engine.flow.trouble import is_of_what_is_written, told
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger

log = structlog.get_logger(__name__)

_AFTER_FAILURE = timedelta(minutes=5)
_BATCH = 20  # each may write several mails: the write lock is held for some tens of milliseconds

_MAILS = {
    Move.OPENING: MailKind.CASE_OPENED,
    Move.GROWN: MailKind.CASE_GROWN,
    Move.REMINDER: MailKind.CASE_REMINDER,
    Move.ESCALATE: MailKind.CASE_ESCALATED,
}


class Notify:
    """Looks after the open cases."""

    name: ClassVar[str] = "notify"

    def __init__(self, db: Database, clock: Clock, settings: Settings, texts: MailTexts) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._texts = texts

    async def step(self) -> int:
        """Do what is due with up to one batch of cases; how many."""
        ids = await self._db.read(self._to_look_at)
        return await self._db.write(lambda tx: self._look(tx, ids)) if ids else 0

    def _to_look_at(self, conn: Connection) -> Sequence[int]:
        return _to_look_at(conn, own_time(conn, self._clock) or self._clock.now())

    def _look(self, tx: Tx, ids: Sequence[int]) -> int:
        ledger, table = open_ledger(tx, self._clock), tables.alarm_case
        ledger.write()
        explaining = explaining_incident(tx.conn)
        cases = tx.conn.execute(
            select(table)
            .where(table.c.id.in_(ids), table.c.closed_at.is_(None))
            .with_for_update(skip_locked=True)
        ).all()
        return sum(self._look_at(tx, ledger.now, case, explaining) for case in cases)

    def _look_at(self, tx: Tx, now: datetime, case: Any, explaining: int | None) -> int:
        """One case, in a savepoint: one that cannot be worked must not hold up the mails about the others."""
        try:
            with tx.conn.begin_nested():
                ledger, missing = Ledger(tx, now), missing_count(tx.conn, case)
                state = _state(tx.conn, case, now, missing=missing, explained=explaining is not None)
                found = moves(state, now)
                for move in found:
                    self._do(ledger, case, move, missing, explaining)
                ledger.write()
                return len(found)
        except Exception as error:
            if not is_of_what_is_written(error):
                raise  # a full disk is no case's fault
            log.error("case-failed", case=case.id, **told(error))
            _set(Ledger(tx, now), case, mail_due=now + _AFTER_FAILURE, escalate_due=now + _AFTER_FAILURE)
            return 0

    def _do(self, ledger: Ledger, case: Any, move: Move, missing: int, incident_id: int | None) -> None:
        now, alarm = ledger.now, self._settings.alarm
        kind = _MAILS.get(move)
        if move is Move.CLOSE and case.stage != Stage.NEW:
            kind = MailKind.CASE_CLOSED  # who was never told need not be told that it is over
        if kind is not None:
            order_case_mails(ledger, self._texts, self._settings, case, kind, missing=missing)
        mailed = {"told_misses": case.misses - case.quiet_misses, "mailed_at": now}
        match move:
            case Move.OPENING:
                _set(ledger, case, stage=Stage.OPENED, mail_due=now + alarm.grown_after, **mailed)
            case Move.GROWN | Move.REMINDER:
                _set(ledger, case, stage=Stage.REMINDED, mail_due=now + alarm.remind_every, **mailed)
            case Move.WAIT:
                self._wait(ledger, case)
            case Move.RAISE:
                self._raise(ledger, case)
            case Move.ESCALATE:
                whom = (
                    f"sendt videre til {alarm.lead_email}"
                    if alarm.lead_email
                    else "hotlinens leder skal vide det"
                )
                _set(ledger, case, escalate_due=None, escalated_at=now)
                _tell(ledger, case, EventKind.CASE_ESCALATED, Level.ALARM, whom=whom)
            case Move.POSTPONE:
                _set(ledger, case, escalate_due=now + alarm.escalate_after)
            case Move.HOLD:
                _set(ledger, case, held_by=incident_id, mail_due=None, escalate_due=None)
                _tell(ledger, case, EventKind.CASE_HELD, incident_id=incident_id, incident=incident_id)
            case Move.LET_GO:
                # What the incident held up has a while to come before anybody is told that it is missing.
                due = {"mail_due": now + alarm.grown_after}
                if case.taken_by is None and case.escalated_at is None:
                    due["escalate_due"] = now + alarm.escalate_after
                _set(ledger, case, held_by=None, **due)
                held_by = case.held_by
                _tell(ledger, case, EventKind.CASE_LET_GO, incident_id=held_by, incident=held_by)
            case Move.CLOSE:
                _set(ledger, case, closed_at=now)
                _tell(ledger, case, EventKind.CASE_CLOSED, why=_why_closed(case))

    def _wait(self, ledger: Ledger, case: Any) -> None:
        alarm = self._settings.alarm
        if case.stage == Stage.NEW:
            _set(ledger, case, mail_due=None)  # the next miss outside maintenance sets it
            return
        # Reminders are counted from the last mail, which is `grown_after` ago where this was the look at its growth.
        passed = alarm.grown_after if case.stage == Stage.OPENED else timedelta()
        _set(ledger, case, stage=Stage.REMINDED, mail_due=ledger.now + alarm.remind_every - passed)

    def _raise(self, ledger: Ledger, case: Any) -> None:
        is_worse = case.misses > case.taken_misses
        why = "den er vokset" if is_worse else f"den blev taget af {case.taken_by} og er ikke lukket endnu"
        free = {
            "taken_by": None,
            "taken_at": None,
            "taken_note": None,
            "retake_due": None,
            "worsened_due": None,
        }
        due = {"escalate_due": ledger.now + self._settings.alarm.escalate_after, "escalated_at": None}
        if case.stage != Stage.NEW:
            due["mail_due"] = ledger.now
        _set(ledger, case, **free, **due)
        _tell(ledger, case, EventKind.CASE_RAISED, Level.ALARM, why=why)


def explaining_incident(conn: Connection) -> int | None:
    """The oldest declared major incident that explains that kvitteringer are missing, where there is one."""
    return conn.execute(_EXPLAINING).scalar()


def _to_look_at(conn: Connection, now: datetime) -> Sequence[int]:
    """Open cases in which something is to be done: told from the rows themselves, so that nothing need announce it."""
    query = _CASES[explaining_incident(conn) is not None]
    return conn.execute(query, {"now": now}).scalars().all()


def _explaining() -> Select[Any]:
    incident = tables.incident
    causes = [cause.value for cause in Cause if cause.explains_misses]
    is_declared = incident.c.state == literal_column("'declared'")
    query = select(incident.c.id).where(tables.incident_is_open, is_declared, incident.c.cause.in_(causes))
    return query.order_by(incident.c.proposed_at).limit(1)


def _cases(*, explained: bool) -> Select[Any]:
    case, expected, publication = tables.alarm_case, tables.expected_kvittering, tables.publication
    now = bindparam("now", type_=tables.Instant)
    has_missing = or_(
        exists().where(expected.c.case_id == case.c.id, expected.c.state == literal_column("'pending'")),
        exists().where(publication.c.case_id == case.c.id, publication.c.next_at.is_not(None)),
    )
    is_held_wrongly = case.c.held_by.is_(None) if explained else case.c.held_by.is_not(None)
    is_worse = and_(case.c.worsened_due <= now, case.c.misses > case.c.taken_misses)
    is_timed = and_(
        case.c.held_by.is_(None),
        or_(
            case.c.mail_due <= now,
            case.c.escalate_due <= now,
            and_(case.c.taken_by.is_not(None), or_(case.c.retake_due <= now, is_worse)),
        ),
    )
    return (
        select(case.c.id)
        .where(case.c.closed_at.is_(None), or_(is_timed, is_held_wrongly, ~has_missing))
        .order_by(case.c.opened_at)
        .limit(_BATCH)
    )


# Made once: they are asked again and again.
_EXPLAINING = _explaining()
_CASES = {explained: _cases(explained=explained) for explained in (False, True)}


def _state(conn: Connection, case: Any, now: datetime, *, missing: int, explained: bool) -> CaseState:
    window = tables.maintenance
    begun = select(window.c.from_at, window.c.until_at).where(
        window.c.receiver_id == case.receiver_id, window.c.cancelled_at.is_(None), window.c.from_at <= now
    )
    windows = conn.execute(begun).all() if case.receiver_id is not None else []
    return CaseState(
        missing=missing,
        misses=case.misses,
        quiet_misses=case.quiet_misses,
        told_misses=case.told_misses,
        stage=Stage(case.stage),
        mail_due=case.mail_due,
        taken=case.taken_by is not None,
        taken_misses=case.taken_misses,
        retake_due=case.retake_due,
        worsened_due=case.worsened_due,
        escalate_due=case.escalate_due,
        held=case.held_by is not None,
        explained=explained,
        in_maintenance=any(now < row.until_at for row in windows),
        window_since_mail=any(row.from_at >= (case.mailed_at or now) for row in windows),
    )


def _set(ledger: Ledger, case: Any, **values: Any) -> None:
    table = tables.alarm_case
    # At once, not at the ledger's end: a further move of the same case must not undo it.
    change = update(table).where(table.c.id == case.id)
    ledger.tx.conn.execute(change.values(version=table.c.version + 1, **values))


def _tell(ledger: Ledger, case: Any, kind: EventKind, level: Level = Level.INFO, **data: Any) -> None:
    ledger.event(kind, level=level, kommune_code=case.kommune_code, case_id=case.id, case=case.id, **data)


def _why_closed(case: Any) -> str:
    if case.kind == CaseKind.DELAYED_PUBLICATION:
        return "Beskedfordeleren har taget imod alle adviser"
    return "ingen kvitteringer mangler længere"
