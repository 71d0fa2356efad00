"""One transaction at a time: short, in a thread, the write lock taken at its start."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, update

from engine.store.tables import id_sequence

if TYPE_CHECKING:  # alembic takes longer to import than a look-up takes to run
    from alembic.config import Config

T = TypeVar("T")

CACHE_KIB = 65_536
BUSY_TIMEOUT_MS = 30_000  # a command waits this long for another process's short transaction


class Tx:
    """A write transaction: the connection, and ids known before the rows are inserted."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self._next: dict[str, int] = {}

    def next_id(self, name: str) -> int:
        """The next id of `name`, known before its row is inserted; it is locked until the transaction ends."""
        if name not in self._next:
            query = select(id_sequence.c.next_id).where(id_sequence.c.name == name).with_for_update()
            self._next[name] = self.conn.execute(query).scalar_one()
        self._next[name] += 1
        return self._next[name] - 1

    def save_sequences(self) -> None:
        for name, next_id in self._next.items():
            self.conn.execute(update(id_sequence).where(id_sequence.c.name == name).values(next_id=next_id))

    def insert(self, table: Any, rows: Sequence[dict[str, Any]]) -> None:
        """Insert many rows with the same keys in one statement; none is fine."""
        if rows:
            self.conn.execute(insert(table), rows)


class Database:
    """A database file and the ways to read and write it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def sqlite(cls, path: Path, *, cache_kib: int = CACHE_KIB) -> "Database":
        """WAL with synchronous FULL: a committed transaction survives a power cut. Each connection caches so much."""
        engine = create_engine(
            f"sqlite:///{path}",
            connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
            hide_parameters=True,  # an error's text must not quote rows
        )
        event.listen(engine, "connect", partial(_configure_sqlite, cache_kib=cache_kib))
        event.listen(engine, "begin", _begin_sqlite)
        return cls(engine)

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        """A write transaction, committed at the end of the block, rolled back by any exception."""
        with self.engine.connect().execution_options(writes=True) as conn, conn.begin():
            tx = Tx(conn)
            yield tx
            tx.save_sequences()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view of the database; nothing can be written through it."""
        with self.engine.connect() as conn, conn.begin():
            yield conn

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a write transaction, in a thread. SQL never runs in the event loop."""

        def transaction() -> T:
            with self.writing() as tx:
                return work(tx)

        return await asyncio.to_thread(transaction)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a consistent view, in a thread; it takes no lock."""

        def look() -> T:
            with self.reading() as conn:
                return work(conn)

        return await asyncio.to_thread(look)

    @contextmanager
    def changes(self) -> Iterator[Callable[[], int]]:
        """A number that is another one once somebody else has committed; to look costs next to nothing, and no lock.

        Held open by who looks again and again. It says nothing of what the same connection writes.
        """
        with self.engine.connect() as conn:
            raw = conn.connection.cursor()
            yield lambda: int(raw.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        self.engine.dispose()

    def upgrade(self) -> None:
        """Bring the tables to the newest revision; does nothing where they are there already."""
        config = alembic_config()
        config.attributes["engine"] = self.engine
        from alembic import command  # noqa: PLC0415 - heavy, and needed by init and upgrade only

        command.upgrade(config, "head")


def alembic_config() -> "Config":
    """Alembic without an ini file: the scripts lie in the package, so an installed wheel carries them."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(resources.files("engine.store") / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _configure_sqlite(dbapi_connection: Any, _record: Any, *, cache_kib: int) -> None:
    # Transactions are begun by _begin_sqlite, not by the driver's own guess.
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


def _begin_sqlite(conn: Connection) -> None:
    # IMMEDIATE: the write lock is taken before anything is read, so that what was read still holds at the commit.
    writes = conn.get_execution_options().get("writes", False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
