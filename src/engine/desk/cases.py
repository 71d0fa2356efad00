"""Alarm cases as people work with them: list them, take one, give it back, write a note."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, literal_column, select, update

from engine.desk.act import Act
from engine.desk.look_up import TraceLine, trace_line
from engine.domain.alarm import CaseKind, Stage
from engine.domain.audit import Action
from engine.domain.events import EventKind
from engine.domain.registration import checked_remark
from engine.errors import NotFoundError, RuleError
from engine.local_time import local_text
from engine.settings import Settings
from engine.store import tables

_MAILS_SHOWN, _MISSING_SHOWN = 50, 100


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One case. `missing` is what is missing now, `misses` all that ever joined."""

    id: int
    kind: CaseKind
    kommune: str
    kommune_name: str
    receiver: str | None
    receiver_uuid: str | None
    vendor: str | None
    vendor_email: str | None
    primary: bool
    contact_email: str
    opened_at: datetime
    closed_at: datetime | None
    missing: int
    misses: int
    quiet_misses: int  # inside maintenance
    oldest_due_at: datetime | None
    taken_by: str | None
    taken_at: datetime | None
    taken_note: str | None
    mailed_at: datetime | None
    next_mail_at: datetime | None
    escalated_at: datetime | None
    held_by: int | None  # the major incident that explains it
    version: int

    @property
    def what(self) -> str:
        """In a few words, Danish."""
        if self.kind is CaseKind.DELAYED_PUBLICATION:
            return "Beskedfordeleren tager ikke imod"
        return f"{self.receiver} kvitterer ikke"

    @property
    def state(self) -> str:
        """How it stands, Danish."""
        if self.closed_at is not None:
            return "lukket"
        if self.held_by is not None:
            return f"holdt tilbage af hændelse {self.held_by}"
        if self.taken_by is not None:
            return f"taget af {self.taken_by}"
        if self.misses == self.quiet_misses:
            return "i servicevindue"
        return "venter på hotline" if self.escalated_at is not None else "åben"


@dataclass(frozen=True, slots=True)
class MissingAdvis:
    advis_id: int
    besked_id: str
    message_id: str
    received_at: datetime
    published_at: datetime | None
    due_at: datetime | None
    rounds: int  # how often it was published


@dataclass(frozen=True, slots=True)
class CaseMail:
    id: int
    kind: str
    address: str
    subject: str
    ordered_at: datetime
    sent_at: datetime | None
    refused_at: datetime | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """One case in full."""

    line: CaseLine
    adviser: tuple[MissingAdvis, ...]  # the oldest of what is missing
    mails: tuple[CaseMail, ...]
    events: tuple[TraceLine, ...]


def list_cases(
    conn: Connection,
    *,
    only: Collection[str] | None = None,
    open_only: bool = True,
    limit: int = 1_000,
) -> list[CaseLine]:
    """The open ones, the oldest first; or all, the latest first."""
    case = tables.alarm_case
    query = _cases(only)
    if open_only:
        query = query.where(case.c.closed_at.is_(None)).order_by(case.c.opened_at, case.c.id)
    else:
        query = query.order_by(case.c.id.desc())
    return [_line(conn, row) for row in conn.execute(query.limit(limit))]


def show_case(conn: Connection, case_id: int, *, only: Collection[str] | None = None) -> Case:
    from engine.flow.case_mail import missing_lines  # noqa: PLC0415 - heavy, and lists need none of it

    row = conn.execute(_cases(only).where(tables.alarm_case.c.id == case_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"Der er ingen sag {case_id}. De åbne vises af: sundhedsagent case list")
    mail, event = tables.mail, tables.event
    mails = select(
        mail.c.id,
        mail.c.kind,
        mail.c.address,
        mail.c.subject,
        mail.c.ordered_at,
        mail.c.sent_at,
        mail.c.refused_at,
        mail.c.last_error,
    ).where(mail.c.case_id == case_id)
    events = select(event).where(
        event.c.case_id == case_id, event.c.case_id.is_not(None), event.c.advis_id.is_(None)
    )
    return Case(
        _line(conn, row),
        tuple(
            MissingAdvis(
                line.advis_id,
                line.besked_id,
                line.message_id,
                line.modtaget,
                line.fordelt,
                line.frist,
                line.runde,
            )
            for line in missing_lines(conn, row, _MISSING_SHOWN)
        ),
        tuple(CaseMail(*each) for each in conn.execute(mails.order_by(mail.c.id.desc()).limit(_MAILS_SHOWN))),
        tuple(
            trace_line(each.at, each.kind, each.actor, each.severity, each.data)
            for each in conn.execute(events.order_by(event.c.id))
        ),
    )


def take_case(act: Act, settings: Settings, case_id: int, note: str, *, seen: int | None = None) -> CaseLine:
    """The actor takes it: reminders stop until it gets worse, or `alarm.retake` has passed. A colleague's case can be
    taken over.
    """
    line = _open(act, case_id, seen)
    said = checked_remark(note, "noten") if note.strip() else ""
    alarm = settings.alarm
    _set(
        act,
        case_id,
        taken_by=act.actor,
        taken_at=act.now,
        taken_note=said,
        taken_misses=line.misses,
        retake_due=act.now + alarm.retake,
        worsened_due=act.now + alarm.grown_after,
        escalate_due=None,
    )
    _record(act, line, EventKind.CASE_TAKEN, Action.CASE_TAKEN, said, who=act.actor)
    return show_case(act.conn, case_id).line


def release_case(
    act: Act, settings: Settings, case_id: int, note: str = "", *, seen: int | None = None
) -> CaseLine:
    """It is nobody's again: reminders go on, and it is escalated where nobody takes it."""
    line = _open(act, case_id, seen)
    if line.taken_by is None:
        raise RuleError(f"Sag {case_id} er ikke taget af nogen.")
    said = checked_remark(note, "noten") if note.strip() else ""
    free = {"taken_by": None, "taken_at": None, "taken_note": None, "retake_due": None, "worsened_due": None}
    _set(act, case_id, **free, escalate_due=act.now + settings.alarm.escalate_after)
    _record(act, line, EventKind.CASE_RELEASED, Action.CASE_RELEASED, said)
    return show_case(act.conn, case_id).line


def note_case(act: Act, case_id: int, note: str) -> CaseLine:
    """A note, also to a case that is closed."""
    line = show_case(act.conn, case_id).line
    said = checked_remark(note, "noten")
    act.event(EventKind.CASE_NOTED, kommune_code=line.kommune, case_id=case_id, case=case_id, note=said)
    act.audit(Action.CASE_NOTED, _subject(case_id), kommune_code=line.kommune, after={"note": said})
    return line


def _cases(only: Collection[str] | None) -> Select[Any]:
    case, kommune, connection, receiver = (
        tables.alarm_case,
        tables.kommune,
        tables.connection,
        tables.receiver,
    )
    query = (
        select(
            case,
            kommune.c.name.label("kommune_name"),
            connection.c.contact_email,
            connection.c.primary_receiver_id,
            receiver.c.name.label("receiver"),
            receiver.c.system_uuid,
            receiver.c.vendor,
            receiver.c.vendor_email,
        )
        .join(kommune, kommune.c.code == case.c.kommune_code)
        .join(connection, connection.c.kommune_code == case.c.kommune_code)
        .outerjoin(receiver, receiver.c.id == case.c.receiver_id)
    )
    return query if only is None else query.where(case.c.kommune_code.in_(only))


def _line(conn: Connection, row: Any) -> CaseLine:
    missing, oldest = (0, None) if row.closed_at is not None else _missing(conn, row)
    return CaseLine(
        id=row.id,
        kind=CaseKind(row.kind),
        kommune=row.kommune_code,
        kommune_name=row.kommune_name,
        receiver=row.receiver,
        receiver_uuid=row.system_uuid,
        vendor=row.vendor,
        vendor_email=row.vendor_email,
        primary=row.receiver_id is not None and row.receiver_id == row.primary_receiver_id,
        contact_email=row.contact_email,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        missing=missing,
        misses=row.misses,
        quiet_misses=row.quiet_misses,
        oldest_due_at=oldest,
        taken_by=row.taken_by,
        taken_at=row.taken_at,
        taken_note=row.taken_note,
        mailed_at=row.mailed_at,
        next_mail_at=None if row.taken_by and row.stage != Stage.NEW else row.mail_due,
        escalated_at=row.escalated_at,
        held_by=row.held_by,
        version=row.version,
    )


def _missing(conn: Connection, row: Any) -> tuple[int, datetime | None]:
    expected, publication = tables.expected_kvittering, tables.publication
    if row.kind == CaseKind.MISSING_KVITTERING:
        of_case = (expected.c.case_id == row.id, expected.c.state == literal_column("'pending'"))
        query = select(func.count(), func.min(expected.c.due_at)).where(*of_case)
    else:
        waits = (publication.c.case_id == row.id, publication.c.next_at.is_not(None))
        query = select(func.count(), func.min(publication.c.delayed_at)).where(*waits)
    count, oldest = conn.execute(query).one()
    return count, oldest


def _open(act: Act, case_id: int, seen: int | None) -> CaseLine:
    line = show_case(act.conn, case_id).line
    if line.closed_at is not None:
        raise RuleError(f"Sag {case_id} blev lukket {local_text(line.closed_at)}; der mangler intet længere.")
    now = {"taget af": line.taken_by, "note": line.taken_note}
    act.refuse_outdated(
        _subject(case_id),
        f"Sag {case_id}",
        seen=seen,
        version=line.version,
        now=now,
        wanted={"taget af": act.actor},
    )
    return line


def _set(act: Act, case_id: int, **values: Any) -> None:
    table = tables.alarm_case
    change = update(table).where(table.c.id == case_id)
    act.conn.execute(change.values(version=table.c.version + 1, **values))


def _record(act: Act, line: CaseLine, kind: EventKind, action: Action, note: str, **data: Any) -> None:
    shown = f": {note}" if note else ""
    act.event(kind, kommune_code=line.kommune, case_id=line.id, case=line.id, note=shown, **data)
    act.audit(
        action,
        _subject(line.id),
        kommune_code=line.kommune,
        before={"taken_by": line.taken_by},
        after={"note": note},
    )


def _subject(case_id: int) -> str:
    return f"case:{case_id}"
