"""Our own certificates as the engines last saw them, and what of them has been told."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, delete, select

from engine.store import tables
from engine.store.database import Tx


@dataclass(frozen=True, slots=True)
class Held:
    """One row: what one engine has for one use. `expires_at` is None where it cannot be used; `fault` says why."""

    holder: str
    use: str
    identity: str
    file: str
    expires_at: datetime | None
    fault: str | None
    seen_at: datetime
    told: int | None = None
    told_at: datetime | None = None


def held(conn: Connection) -> list[Held]:
    """All of them; there are a few for each engine."""
    table = tables.certificate
    query = select(*(table.c[field.name] for field in fields(Held))).order_by(table.c.holder, table.c.use)
    return [Held(*row) for row in conn.execute(query)]


def keep(tx: Tx, rows: Sequence[Held]) -> None:
    """From now on these are all."""
    tx.conn.execute(delete(tables.certificate))
    tx.insert(tables.certificate, [asdict(row) for row in rows])


def by_identity(rows: Iterable[Held]) -> dict[str, list[Held]]:
    """The same certificate may have several uses, and lie on several machines."""
    found: defaultdict[str, list[Held]] = defaultdict(list)
    for row in rows:
        found[row.identity].append(row)
    return dict(found)
