"""The VANS receipt in the answer to the very request that brought the envelope, where VANS comes by HTTPS."""

from collections.abc import Mapping, Sequence

from sqlalchemy import update

from engine.clock import Clock
from engine.flow.answer import envelope_of, envelope_rows
from engine.flow.timekeeping import own_time
from engine.store import tables
from engine.store.database import Database, Tx
from engine.store.payloads import PayloadBox


class Reply:
    """Hands over receipts that would else go out by the outbox."""

    def __init__(self, db: Database, box: PayloadBox, clock: Clock) -> None:
        self._db = db
        self._box = box
        self._clock = clock

    async def receipts(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """The receipts of deliveries that are committed, by their keys. They count as sent from now on.

        One that the outbox has in hand goes out both ways: with the same id and the same bytes.
        """
        return await self._db.claim(lambda tx: self._hand_over(tx, keys))

    def _hand_over(self, tx: Tx, keys: Sequence[str]) -> Mapping[str, bytes]:
        out, envelope = tables.envelope_out, tables.envelope_in
        query = (
            envelope_rows()
            .add_columns(envelope.c.delivery_key)
            .join(envelope, envelope.c.id == out.c.envelope_in_id)
            .where(envelope.c.delivery_key.in_(keys), out.c.kind == "receipt", out.c.repeats_id.is_(None))
        )
        rows = tx.conn.execute(query).all()
        if rows:
            now = own_time(tx.conn, self._clock) or self._clock.now()
            ids = [row.id for row in rows]
            waiting = (out.c.id.in_(ids), out.c.next_at.is_not(None), out.c.claimed_by.is_(None))
            tx.conn.execute(update(out).where(*waiting).values(next_at=None, sent_at=now))
        return {row.delivery_key: envelope_of(row, self._box).data for row in rows}
