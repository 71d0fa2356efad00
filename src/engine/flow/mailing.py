"""Ordering a mail: it stands in the outbox with the state that it tells of, in the same transaction."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from engine.domain.alarm import MailKind
from engine.domain.events import EventKind, Level
from engine.flow.mail_texts import MailTexts
from engine.store import tables
from engine.store.ledger import Ledger


def order_mail(
    ledger: Ledger,
    texts: MailTexts,
    kind: MailKind,
    address: str,
    facts: Mapping[str, Any],
    *,
    order_key: str,
    sender: str,
    kommune_code: str | None = None,
    case_id: int | None = None,
    incident_id: int | None = None,
) -> bool:
    """Order one mail to one address; False where the same was ordered before.

    `order_key` says which mail it is ("case:7:opening:kontakt@kommune.example"): the database refuses the same one
    twice. `sender` is the address it will come from: its domain stands in the Message-ID, which is decided here.
    """
    mail = tables.mail
    if ledger.tx.conn.execute(select(mail.c.id).where(mail.c.order_key == order_key)).first() is not None:
        return False
    written = texts.write(kind, facts)
    ledger.add(
        mail,
        order_key=order_key,
        message_id=f"{uuid4()}@{sender.rpartition('@')[2]}",
        kind=kind.value,
        address=address,
        kommune_code=kommune_code,
        case_id=case_id,
        incident_id=incident_id,
        subject=written.subject,
        text=written.text,
        html=written.html,
        ordered_at=ledger.now,
        next_at=ledger.now,
    )
    about: dict[str, Any] = {"kommune_code": kommune_code, "case_id": case_id, "incident_id": incident_id}
    if written.fault is not None:
        ledger.event(
            EventKind.MAIL_TEXT_BROKEN, level=Level.WARNING, **about, name=kind.value, error=written.fault
        )
    ledger.event(EventKind.MAIL_ORDERED, **about, address=address, subject=written.subject)
    return True
