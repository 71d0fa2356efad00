"""Work in the outbox is claimed before it is sent, so that several stations share it; a claim expires, so that no work
is stuck with one that died. Sending twice all the same is harmless: the ids are the same.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Integer, Table, Text, bindparam, or_, select, true, update

from engine.store import tables
from engine.store.database import Tx

OWNER, NOW = bindparam("owner", type_=Text), bindparam("now", type_=tables.Instant)
"""Who claims, and when, in a condition that says what may be claimed."""


class Claims:
    """How the rows of one outbox are claimed: by whom, and until when. The statements are made once."""

    def __init__(self, table: Table, only: ColumnElement[bool] | None = None) -> None:
        """`only` says which of the rows that are due may be claimed; it may speak of OWNER and NOW."""
        self._table = table
        # A station does one batch at a time: what it claimed itself is left from a step that failed.
        free = or_(table.c.claimed_until.is_(None), table.c.claimed_until <= NOW, table.c.claimed_by == OWNER)
        due = select(table.c.id).where(table.c.next_at <= NOW, free, true() if only is None else only)
        most = due.order_by(table.c.next_at, table.c.id).limit(bindparam("most", type_=Integer))
        self._due = most.with_for_update(skip_locked=True)
        self._look = due.limit(1)

    def is_any_due(self, conn: Connection, *, owner: str, now: datetime) -> bool:
        """Whether there is something to claim."""
        return conn.execute(self._look, {"owner": owner, "now": now}).first() is not None

    def claim(self, tx: Tx, *, owner: str, now: datetime, lease: timedelta, limit: int) -> Sequence[int]:
        """Ids of up to `limit` rows that are due and free, oldest first; they are `owner`'s for the lease."""
        table = self._table
        ids = tx.conn.execute(self._due, {"owner": owner, "now": now, "most": limit}).scalars().all()
        if ids:
            claimed = update(table).where(table.c.id.in_(ids))
            tx.conn.execute(claimed.values(claimed_by=owner, claimed_until=now + lease))
        return ids


def still_held(tx: Tx, table: Table, owner: str, ids: Sequence[int]) -> set[int]:
    """Which of the claims are `owner`'s yet, and stay so until the transaction ends.

    A worker that was away for longer than its lease records nothing: somebody else has the row, or has done it.
    """
    held = select(table.c.id).where(table.c.id.in_(ids), table.c.claimed_by == owner).with_for_update()
    return set(tx.conn.execute(held).scalars())


def release_all(tx: Tx, table: Table) -> None:
    """Void every claim: for an engine that holds its database alone, and so knows that their owners are dead."""
    tx.conn.execute(
        update(table).where(table.c.claimed_by.is_not(None)).values(claimed_by=None, claimed_until=None)
    )
