"""A consistent copy of a database while engines work on it, with what must be known to prove later that it is whole."""

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.errors import BackupError
from engine.store.postgresql import reached
from engine.store.postgresql_programs import dump, table_of_contents

_BUSY_S = 30.0
_OPCODES_BETWEEN_LOOKS = 1_000_000  # some milliseconds
_SQLITE_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite/_%' ESCAPE '/'"
)
_POSTGRESQL_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
# The dump reads for as long as it takes, and meanwhile nothing happens on the connection whose snapshot it shares.
_NO_TIMEOUT = "SET idle_in_transaction_session_timeout = 0"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the copy holds. Whatever was committed before `taken_at` is in it."""

    taken_at: datetime
    revision: str
    key_fingerprint: str | None  # None: the database does not know its key yet
    rows: Mapping[str, int]
    server: int = 0  # PostgreSQL's major version


Ask = Callable[[str], Sequence[Any]]


def save_sqlite(file: Path, target: Path, taken_at: datetime) -> Snapshot:
    """Copy a database file that may be in use; `target` is new. Others read and write meanwhile.

    Raises sqlite3.Error, as where the disk is full, and OSError; BackupError where the file is no whole database.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None)) as conn:
        # SQLite asks now and then whether to go on, and Python has its turn to notice Ctrl+C.
        conn.set_progress_handler(lambda: None, _OPCODES_BETWEEN_LOOKS)
        try:
            conn.execute("VACUUM INTO ?", (str(target),))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise KeyboardInterrupt from error
            raise
    # The copy, and not the file beside it that goes on changing, is what is counted; nothing is written into it.
    with closing(sqlite3.connect(f"{target.as_uri()}?mode=ro&immutable=1", uri=True)) as copy:
        if [row[0] for row in copy.execute("PRAGMA quick_check(1)")] != ["ok"]:
            raise BackupError(f"Databasen {file} er beskadiget. Undersøg den med: sundhedsagent db check")
        return _told(lambda query: copy.execute(query).fetchall(), _SQLITE_TABLES, taken_at)


def save_postgresql(url: str, target: Path) -> Snapshot:
    """Dump a database with pg_dump, in the snapshot in which its rows are counted; `target` is new.

    Raises BackupError where a program is missing or says no, and HomeError where the server cannot be reached.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with reached(url) as conn:
        conn.execute(_NO_TIMEOUT)
        conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        exported = conn.execute("SELECT pg_export_snapshot(), now()").fetchone()
        assert exported is not None
        name, taken_at = exported
        server = conn.info.server_version // 10_000
        dump(url, target, snapshot=name, server=server)
        found = _told(
            lambda query: conn.execute(query.encode()).fetchall(),
            _POSTGRESQL_TABLES,
            taken_at.astimezone(UTC),
            server,
        )
    table_of_contents(target, server)
    return found


def _told(ask: Ask, tables: str, taken_at: datetime, server: int = 0) -> Snapshot:
    names = sorted(row[0] for row in ask(tables))
    if "alembic_version" not in names:
        raise BackupError("Databasen har ingen tabeller; der er intet at tage kopi af.")
    rows = {name: _counted(ask, name) for name in names}
    revision = str(ask("SELECT version_num FROM alembic_version")[0][0])
    # A database from before keys were noted has no such table.
    keys = ask("SELECT fingerprint FROM sealing_key") if "sealing_key" in names else ()
    return Snapshot(taken_at, revision, keys[0][0] if keys else None, rows, server)


def _counted(ask: Ask, name: str) -> int:
    return int(ask(f'SELECT count(*) FROM "{name}"')[0][0])  # noqa: S608 - a table's own name
