"""Every mail, incident text, event, log line and metric that any test produces is searched for persons (invariant 7).

The texts are searched as they come into being, in every test and every worker; what is found fails the whole run.
"""

import contextlib
import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError

from engine.domain.registration import LIKE_CPR
from engine.simulation.made_up import _GIVEN, BRUNO
from engine.store.database import Database

# Whatever looks like a CPR number and is no part of a UUID or a longer number; and the persons of the test messages:
# MedCom's published ones, and the made-up ones, who are all called Test.
_CPR = re.compile(rf"(?<![\w-]){LIKE_CPR.pattern}(?![\w-])")
_PEOPLE = re.compile(rf"\b(?:{BRUNO.given[0]}|{BRUNO.family}|Nancy|Berggren|(?:{'|'.join(_GIVEN)})\s+Test)\b")

# Texts that the engine writes for people and programs; the payloads and the sealed person are not among them.
TEXTS = {
    "event": ("data", "actor"),
    "mail": ("subject", "text", "html", "last_error", "order_key"),
    "incident": ("title", "basis", "reason"),
    "incident_step": ("title", "text", "note", "last_error"),
    "incident_update": ("text",),
    "alarm_case": ("taken_note",),
    "stall": ("detail",),
    "certificate": ("file", "fault"),
    "pulse": ("error",),
    "handled": ("note",),
    "quarantine": ("name", "detail", "decision_reason"),
    "audit": ("subject", "before", "after", "reason"),
    "publication": ("last_error",),
    "envelope_out": ("last_error",),
}


def persons_in(text: str) -> list[str]:
    """What in the text is, or looks like, a person."""
    return [*_CPR.findall(text), *_PEOPLE.findall(text)]


@dataclass
class Search:
    """What was searched and found in one process."""

    searched: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    _seen: dict[tuple[str, str], int] = field(default_factory=dict)
    test: str = ""

    def look(self, kind: str, text: object) -> None:
        self.searched[kind] += 1
        for person in persons_in(str(text)):
            self.found.append(f"{self.test}: {kind}: {person!r} in {str(text)[:200]!r}")

    def look_in_database(self, path: Path) -> None:
        """The rows that came since the last look."""
        if not path.is_file():
            return
        with closing(sqlite3.connect(path, timeout=30)) as conn:
            tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table, columns in TEXTS.items():
                if table in tables:
                    self._look_in_table(conn, str(path), table, columns)

    def look_on_server(self, database: Database) -> None:
        """All rows: what is seen twice is searched twice."""
        with database.engine.connect() as conn:
            tables = set(inspect(conn).get_table_names())
            for table, columns in TEXTS.items():
                if table in tables:
                    for row in conn.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {table}"):
                        for text in filter(None, row):
                            self.look(table, text)

    def _look_in_table(self, conn: Any, path: str, table: str, columns: tuple[str, ...]) -> None:
        known = {row[1] for row in conn.execute(f"PRAGMA table_info({table})")}
        shown = [column for column in columns if column in known]  # an older home lacks the newer ones
        query = f"SELECT rowid, {', '.join(shown)} FROM {table} WHERE rowid > ? ORDER BY rowid"
        for row_id, *texts in conn.execute(query, (self._seen.get((path, table), 0),)):
            self._seen[path, table] = row_id
            for text in texts:
                if text:
                    self.look(table, text)


SEARCH = Search()


def watch_everything() -> None:
    """From now on, in this process, everything is searched as it is written."""
    _watch_databases()
    _watch_logs()
    _watch_metrics()


def _watch_databases() -> None:
    close = Database.close

    def searched(self: Database) -> None:
        if self.is_shared:
            with contextlib.suppress(OperationalError):  # a test may have stopped the server
                SEARCH.look_on_server(self)
        elif self.engine.url.database:
            SEARCH.look_in_database(Path(self.engine.url.database))
        close(self)

    Database.close = searched  # type: ignore[method-assign]


def _watch_logs() -> None:
    write = structlog.PrintLogger.msg

    def searched(self: structlog.PrintLogger, message: str) -> None:
        SEARCH.look("log", message)
        write(self, message)

    for name in ("msg", "log", "debug", "info", "warn", "warning", "error", "critical", "fatal", "exception"):
        if hasattr(structlog.PrintLogger, name):
            setattr(structlog.PrintLogger, name, searched)


def _watch_metrics() -> None:
    import prometheus_client

    write = prometheus_client.generate_latest

    def searched(*arguments: Any, **words: Any) -> bytes:
        text: bytes = write(*arguments, **words)
        SEARCH.look("metrics", text.decode())
        return text

    prometheus_client.generate_latest = searched
