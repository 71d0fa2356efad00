"""The embedded default: one SQLite file, one writer at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Connection, create_engine, event

from engine.clock import Clock, SystemClock
from engine.store.database import Database, Tx

CACHE_KIB = 65_536
BUSY_TIMEOUT_MS = 30_000  # a command waits this long for another process's short transaction


class SqliteDatabase(Database):
    """WAL with synchronous FULL: a committed transaction survives a power cut. Each connection caches so much."""

    is_shared: ClassVar[bool] = False

    def __init__(self, path: Path, *, cache_kib: int = CACHE_KIB) -> None:
        engine = create_engine(
            f"sqlite:///{path}",
            connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
            hide_parameters=True,  # an error's text must not quote rows
        )
        event.listen(engine, "connect", partial(_configure, cache_kib=cache_kib))
        event.listen(engine, "begin", _begin)
        super().__init__(engine)

    @property
    def clock(self) -> Clock:
        return SystemClock()

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        with self.engine.connect().execution_options(writes=True) as conn, conn.begin():
            tx = Tx(conn)
            yield tx
            tx.save_sequences()

    @contextmanager
    def claiming(self, *, alone: bool = False) -> Iterator[Tx]:  # noqa: ARG002 - it always is
        with self.writing() as tx:
            yield tx

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self.engine.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def changes(self) -> Iterator[Callable[[], int]]:
        with self.engine.connect() as conn:
            raw = conn.connection.cursor()
            yield lambda: int(raw.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def present(self, heard: Callable[[], None]) -> Iterator[None]:  # noqa: ARG002
        yield  # the home's lock tells it, and nobody rings: a look at a file costs next to nothing


def _configure(dbapi_connection: Any, _record: Any, *, cache_kib: int) -> None:
    # Transactions are begun by _begin, not by the driver's own guess.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        f"cache_size=-{cache_kib}",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(conn: Connection) -> None:
    # IMMEDIATE: the write lock is taken before anything is read, so that what was read still holds at the commit.
    writes = conn.get_execution_options().get("writes", False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
