"""Mails as people look after them: which wait, which were refused, and one sent again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, select, update

from engine.desk.act import Act
from engine.domain.alarm import MailKind
from engine.domain.audit import Action
from engine.domain.events import EventKind
from engine.domain.registration import checked_email
from engine.errors import NotFoundError, RuleError
from engine.local_time import local_text
from engine.store import tables


class MailState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"

    @property
    def danish(self) -> str:
        return {"waiting": "venter", "sent": "sendt", "refused": "afvist"}[self.value]


@dataclass(frozen=True, slots=True)
class MailLine:
    id: int
    kind: MailKind
    state: MailState
    address: str
    subject: str
    kommune: str | None
    case_id: int | None
    incident_id: int | None
    ordered_at: datetime
    sent_at: datetime | None
    refused_at: datetime | None
    attempts: int
    next_at: datetime | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail in full."""

    line: MailLine
    message_id: str
    text: str
    html: str


def list_mails(
    conn: Connection,
    *,
    state: MailState | None = None,
    case_id: int | None = None,
    incident_id: int | None = None,
    only: Collection[str] | None = None,
    limit: int = 100,
) -> list[MailLine]:
    """The latest first; those that wait, the longest waiting first."""
    mail = tables.mail
    query: Select[Any] = select(mail)
    match state:
        case MailState.WAITING:
            query = query.where(mail.c.next_at.is_not(None))
        case MailState.REFUSED:
            query = query.where(mail.c.refused_at.is_not(None))
        case MailState.SENT:
            query = query.where(mail.c.sent_at.is_not(None))
        case None:
            pass
    if case_id is not None:
        query = query.where(mail.c.case_id == case_id)
    if incident_id is not None:
        query = query.where(mail.c.incident_id == incident_id)
    if only is not None:
        query = query.where(mail.c.kommune_code.in_(only))
    order = mail.c.id if state is MailState.WAITING else mail.c.id.desc()
    return [_line(row) for row in conn.execute(query.order_by(order).limit(limit))]


def show_mail(conn: Connection, mail_id: int, *, only: Collection[str] | None = None) -> Mail:
    row = conn.execute(select(tables.mail).where(tables.mail.c.id == mail_id)).one_or_none()
    if row is None or (only is not None and row.kommune_code not in only):
        raise NotFoundError(f"Der er ingen mail {mail_id}. De vises af: sundhedsagent mail list")
    return Mail(_line(row), row.message_id, row.text, row.html)


def retry_mail(act: Act, mail_id: int, address: str | None = None) -> MailLine:
    """Send it now, though it was refused or waits for its next attempt; to another address where one is given."""
    line = show_mail(act.conn, mail_id).line
    if line.state is MailState.SENT:
        assert line.sent_at is not None
        raise RuleError(f"Mail {mail_id} er sendt {local_text(line.sent_at)}; den sendes ikke igen.")
    to = line.address if address is None else checked_email(address, "mailadressen")
    table = tables.mail
    act.conn.execute(
        update(table).where(table.c.id == mail_id).values(address=to, next_at=act.now, refused_at=None)
    )
    about: dict[str, Any] = {
        "kommune_code": line.kommune,
        "case_id": line.case_id,
        "incident_id": line.incident_id,
    }
    act.event(EventKind.MAIL_RETRIED, **about, address=to)
    act.audit(
        Action.MAIL_RETRIED,
        f"mail:{mail_id}",
        kommune_code=line.kommune,
        before={"address": line.address},
        after={"address": to},
    )
    return show_mail(act.conn, mail_id).line


def _line(row: Any) -> MailLine:
    state = MailState.WAITING
    if row.sent_at is not None:
        state = MailState.SENT
    elif row.refused_at is not None:
        state = MailState.REFUSED
    return MailLine(
        id=row.id,
        kind=MailKind(row.kind),
        state=state,
        address=row.address,
        subject=row.subject,
        kommune=row.kommune_code,
        case_id=row.case_id,
        incident_id=row.incident_id,
        ordered_at=row.ordered_at,
        sent_at=row.sent_at,
        refused_at=row.refused_at,
        attempts=row.attempts,
        next_at=row.next_at,
        last_error=row.last_error,
    )
