"""Many rows through one prepared statement.

SQLAlchemy writes the SQL, once per shape; the rows then go to the driver as they are. Its own executemany builds a
parameter dict and runs every type's processor for every row, which took a tenth of the engine's whole time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Table, Update, bindparam, insert, update

from engine.store.tables import Instant, to_microseconds

KEY = "key_"
"""Prefix of the parameters that name a row to change: a column can be key and value in one statement."""


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    names: tuple[str, ...]  # parameters in the order of their marks
    instants: tuple[int, ...]  # positions of those that are instants
    positional: bool

    def parameters(self, row: Mapping[str, Any]) -> Any:
        values = [row[name] for name in self.names]
        for position in self.instants:
            if values[position] is not None:
                values[position] = to_microseconds(values[position])
        return tuple(values) if self.positional else dict(zip(self.names, values, strict=True))


_prepared: dict[tuple[str, ...], _Statement] = {}


def insert_many(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns."""
    if rows:
        columns = tuple(rows[0])
        key = (conn.dialect.name, "insert", table.name, *columns)
        _run(conn, key, lambda: insert(table).values({name: bindparam(name) for name in columns}), rows)


def update_many(
    conn: Connection,
    table: Table,
    where: Sequence[str],
    values: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Change rows: each mapping holds the columns `values`, and the columns `where` under the prefix KEY."""

    def build() -> Update:
        statement = update(table).values({name: bindparam(name) for name in values})
        for name in where:
            statement = statement.where(table.c[name] == bindparam(KEY + name))
        return statement

    _run(conn, (conn.dialect.name, "update", table.name, *where, "", *values), build, rows)


def _run(
    conn: Connection,
    key: tuple[str, ...],
    build: Callable[[], Insert | Update],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    statement = _prepared.get(key)
    if statement is None:
        statement = _prepared.setdefault(key, _prepare(build(), conn.dialect))
    conn.exec_driver_sql(statement.sql, [statement.parameters(row) for row in rows])


def _prepare(statement: Insert | Update, dialect: Dialect) -> _Statement:
    compiled = statement.compile(dialect=dialect)
    names = tuple(compiled.positiontup or compiled.binds)
    kinds = [compiled.binds[name].type for name in names]
    instants = tuple(position for position, kind in enumerate(kinds) if isinstance(kind, Instant))
    return _Statement(str(compiled), names, instants, positional=compiled.positiontup is not None)
