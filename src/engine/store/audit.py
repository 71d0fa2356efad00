"""The audit log in the database: the one place where an entry is made, and where the chain of entries is followed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from engine.domain.audit import Action, Entry, Values
from engine.store import tables
from engine.store.administration import GENESIS
from engine.store.database import Tx
from engine.store.json_text import to_json


@dataclass(frozen=True, slots=True)
class Verified:
    """What the chain proves. `broken_at` is the first entry whose hash does not fit; then something was changed."""

    entries: int
    first_id: int | None  # above 1: older entries were deleted after their time
    broken_at: int | None
    head: str  # the last hash: noted elsewhere, it proves later that nothing was cut off
    head_known: bool  # the head that the caller noted earlier is in the chain

    @property
    def is_whole(self) -> bool:
        return self.broken_at is None and self.head_known


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


def verify_chain(conn: Connection, noted_head: str | None = None) -> Verified:
    """Follow the whole chain. With a head that was noted earlier: also that it is still in the chain."""
    count, first_id, previous, known = 0, None, GENESIS, noted_head is None
    for row in _rows(conn):
        if first_id is None:
            first_id = row.id
            # Older entries may have been deleted after their time; the rest must fit.
            previous = GENESIS if row.id == 1 else row.previous_hash
        if row.previous_hash != previous or _hash_after(previous, row) != row.hash:
            return Verified(count, first_id, row.id, previous, known)
        count, previous, known = count + 1, row.hash, known or row.hash == noted_head
    return Verified(count, first_id, None, previous, known)


def entry_of(row: Any) -> Entry:
    """An entry as its row has it."""
    values = row._mapping  # noqa: SLF001 - the public way to a mapping
    return Entry(
        values["id"],
        values["at"],
        values["actor"],
        Action(values["action"]),
        values["kommune_code"],
        values["subject"],
        None if values["before"] is None else json.loads(values["before"]),
        None if values["after"] is None else json.loads(values["after"]),
        values["reason"],
    )


def _rows(conn: Connection) -> Iterator[Any]:
    query = select(tables.audit).order_by(tables.audit.c.id).execution_options(yield_per=1_000)
    with conn.execute(query) as rows:  # closed also where the chain is broken half-way
        yield from rows


def _hash_after(previous: str, row: Any) -> str | None:
    """None where the row is no entry that was ever written."""
    try:
        return entry_of(row).hash_after(previous)
    except ValueError:
        return None
