"""Reading the audit log, and proving that nobody has changed it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from engine.desk.access import Role
from engine.domain.audit import Action, Entry
from engine.store import tables
from engine.store.administration import GENESIS


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries; None means all. `since` inclusive, `until` exclusive."""

    kommune_code: str | None = None
    actor: str | None = None
    action: Action | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100


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


AUDIT_READERS = (Role.ADMINISTRATOR, Role.AUDITOR)


def list_audit(conn: Connection, wanted: AuditFilter) -> list[Entry]:
    """The newest first."""
    table = tables.audit
    query = select(table).order_by(table.c.id.desc()).limit(wanted.limit)
    if wanted.kommune_code is not None:
        query = query.where(table.c.kommune_code == wanted.kommune_code)
    if wanted.actor is not None:
        query = query.where(table.c.actor == wanted.actor)
    if wanted.action is not None:
        query = query.where(table.c.action == wanted.action.value)
    if wanted.since is not None:
        query = query.where(table.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(table.c.at < wanted.until)
    return [_entry(row) for row in conn.execute(query)]


def verify_audit(conn: Connection, noted_head: str | None = None) -> Verified:
    """Follow the whole chain. With a head that was noted earlier: also that it is still in the chain."""
    count, first_id, previous, known = 0, None, GENESIS, noted_head is None
    for entry, previous_hash, own_hash in _chain(conn):
        if first_id is None:
            first_id = entry.id
            # Older entries may have been deleted after their time; the rest must fit.
            previous = GENESIS if entry.id == 1 else previous_hash
        if previous_hash != previous or entry.hash_after(previous) != own_hash:
            return Verified(count, first_id, entry.id, previous, known)
        count, previous, known = count + 1, own_hash, known or own_hash == noted_head
    return Verified(count, first_id, None, previous, known)


def _chain(conn: Connection) -> Iterator[tuple[Entry, str, str]]:
    query = select(tables.audit).order_by(tables.audit.c.id).execution_options(yield_per=1_000)
    for row in conn.execute(query):
        yield _entry(row), row.previous_hash, row.hash


def _entry(row: object) -> Entry:
    values = row._mapping  # type: ignore[attr-defined]  # noqa: SLF001 - the public way to a mapping
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
