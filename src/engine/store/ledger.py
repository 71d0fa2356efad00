"""What one transaction is about to write: collected row by row, written table by table at its end.

Many rows in one statement are several times faster than as many statements, and a decision that reads like a
sentence need not care about the order that the foreign keys want.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Table

from engine.domain.events import EventKind, Level
from engine.store import tables
from engine.store.bulk import KEY, insert_many, update_many
from engine.store.database import Tx
from engine.store.json_text import to_json

_INSERTED = (
    tables.payload,
    tables.advis,
    tables.bundle_seen,
    tables.expected_kvittering,
    tables.publication,
    tables.envelope_in,
    tables.envelope_out,
    tables.kvittering,
    tables.quarantine,
    tables.mail,
    tables.event,
)
"""In an order in which every row finds what it refers to."""


class Ledger:
    """Collects inserts and updates; `write` executes them. Rows of one table must all name the same columns."""

    def __init__(self, tx: Tx, now: datetime) -> None:
        self.tx = tx
        self.now = now
        self._inserts: dict[str, list[dict[str, Any]]] = {}
        self._updates: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[dict[str, Any]]] = {}

    def add(self, table: Table, **row: Any) -> None:
        self._inserts.setdefault(table.name, []).append(row)

    def change(self, table: Table, where: Mapping[str, Any], **values: Any) -> None:
        """Set `values` on the row that `where` names by its key columns."""
        key = (table.name, tuple(where), tuple(values))
        row = {KEY + name: value for name, value in where.items()} | values
        self._updates.setdefault(key, []).append(row)

    def payload(self, sealed: bytes) -> int:
        """Store sealed bytes; the row's id."""
        payload_id = self.tx.next_id("payload")
        self.add(tables.payload, id=payload_id, sealed=sealed)
        return payload_id

    def event(
        self,
        kind: EventKind,
        *,
        actor: str = "motor",
        level: Level = Level.INFO,
        advis_id: int | None = None,
        kommune_code: str | None = None,
        case_id: int | None = None,
        incident_id: int | None = None,
        **data: Any,
    ) -> None:
        """Record a fact; `data` must be free of personal data."""
        self.add(
            tables.event,
            at=self.now,
            kind=kind.value,
            severity=level.value,
            actor=actor,
            advis_id=advis_id,
            kommune_code=kommune_code,
            data=to_json(data),
            case_id=case_id,
            incident_id=incident_id,
        )

    def write(self) -> None:
        conn = self.tx.conn
        for table in _INSERTED:
            insert_many(conn, table, self._inserts.get(table.name, ()))
        for (name, where, values), rows in self._updates.items():
            update_many(conn, tables.metadata.tables[name], where, values, rows)
