"""Work in the outbox is claimed before it is sent, so that several stations share it; a claim expires, so that no work
is stuck with one that died. Sending twice all the same is harmless: the ids are the same.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Table, or_, select, update

from engine.store.database import Tx

# Longer than any batch takes to send; a dead engine's work waits this long on a database that several engines share.
LEASE = timedelta(minutes=2)


def claim(tx: Tx, table: Table, *, owner: str, now: datetime, limit: int) -> Sequence[int]:
    """Ids of up to `limit` rows that are due and free, oldest first; they are `owner`'s until the lease ends."""
    # A station does one batch at a time: what it claimed itself is left from a step that failed.
    free = or_(table.c.claimed_until.is_(None), table.c.claimed_until <= now, table.c.claimed_by == owner)
    due = (
        select(table.c.id)
        .where(table.c.next_at <= now, free)
        .order_by(table.c.next_at, table.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = tx.conn.execute(due).scalars().all()
    if ids:
        claimed = update(table).where(table.c.id.in_(ids)).values(claimed_by=owner, claimed_until=now + LEASE)
        tx.conn.execute(claimed)
    return ids


def release_all(tx: Tx, table: Table) -> None:
    """Void every claim: for an engine that holds its database alone, and so knows that their owners are dead."""
    tx.conn.execute(
        update(table).where(table.c.claimed_by.is_not(None)).values(claimed_by=None, claimed_until=None)
    )
