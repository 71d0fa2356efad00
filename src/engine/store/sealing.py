"""Which key seals a database's payloads: an engine that came with another one would seal what nobody else can open."""

from datetime import datetime

from sqlalchemy import Connection, insert, select

from engine.errors import HomeError, PayloadError
from engine.store import tables
from engine.store.database import Tx
from engine.store.payloads import PayloadBox

_ANOTHER = (
    "Nøglen er en anden end den, som databasens meddelelser er forseglet med. "
    "Hent den rigtige payload.key fra en sikkerhedskopi eller fra et andet hjem på samme database."
)


def refuse_other_key(conn: Connection, box: PayloadBox) -> None:
    """HomeError where the database is sealed with another key than this."""
    known = conn.execute(select(tables.sealing_key.c.fingerprint)).scalar()
    if known is None:
        _refuse_what_cannot_be_opened(conn, box)
    elif known != box.fingerprint:
        raise HomeError(_ANOTHER)


def note_key(tx: Tx, box: PayloadBox, now: datetime) -> None:
    """From now on the database knows its key; HomeError where it knows another one."""
    refuse_other_key(tx.conn, box)
    table = tables.sealing_key
    if tx.conn.execute(select(table.c.fingerprint)).scalar() is None:
        tx.conn.execute(insert(table).values(fingerprint=box.fingerprint, noted_at=now))


def _refuse_what_cannot_be_opened(conn: Connection, box: PayloadBox) -> None:
    """A database from before keys were noted: what was sealed last tells."""
    payload = tables.payload
    sealed = conn.execute(select(payload.c.sealed).order_by(payload.c.id.desc()).limit(1)).scalar()
    if sealed is not None:
        try:
            box.open(sealed)
        except PayloadError as error:
            raise HomeError(_ANOTHER) from error
