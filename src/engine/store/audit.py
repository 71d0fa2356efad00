"""Appending to the audit log: the one place where an entry is made."""

from datetime import datetime

from sqlalchemy import insert, select

from engine.domain.audit import Action, Entry, Values
from engine.store import tables
from engine.store.administration import GENESIS
from engine.store.database import Tx
from engine.store.json_text import to_json


def append_audit(
    tx: Tx,
    now: datetime,
    actor: str,
    action: Action,
    subject: str,
    *,
    kommune_code: str | None = None,
    before: Values | None = None,
    after: Values | None = None,
    reason: str | None = None,
) -> None:
    """Add an entry. `subject` names a row, as "receiver:7"; values hold nothing of citizens."""
    table = tables.audit
    # next_id locks its row: two who write at once follow each other in the chain.
    entry = Entry(tx.next_id("audit"), now, actor, action, kommune_code, subject, before, after, reason)
    last = select(table.c.hash).order_by(table.c.id.desc()).limit(1)
    previous = tx.conn.execute(last).scalar() or GENESIS
    row = {
        "id": entry.id,
        "at": now,
        "actor": actor,
        "action": action.value,
        "kommune_code": kommune_code,
        "subject": subject,
        "before": None if before is None else to_json(before),
        "after": None if after is None else to_json(after),
        "reason": reason,
        "previous_hash": previous,
        "hash": entry.hash_after(previous),
    }
    tx.conn.execute(insert(table), row)
