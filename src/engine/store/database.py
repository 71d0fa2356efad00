"""One transaction at a time: short, in a thread, the write lock taken at its start."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from sqlalchemy import Connection, Engine, insert, select, update

from engine.clock import Clock
from engine.store.tables import id_sequence

if TYPE_CHECKING:  # alembic takes longer to import than a look-up takes to run
    from alembic.config import Config

T = TypeVar("T")


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


class Database(ABC):
    """A database and the ways to read and write it; sqlite.py and postgresql.py say how each does it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    is_shared: ClassVar[bool]  # with engines of other homes, on other machines

    @property
    @abstractmethod
    def clock(self) -> Clock:
        """The clock that all go by: the machine's, or where several machines share the database, the database's."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Tx]:
        """A write transaction, committed at the end of the block, rolled back by any exception.

        There is one at a time in the whole database, so that what it has read still holds when it commits, and rows
        become visible in the order of their ids.
        """

    @abstractmethod
    def claiming(self, *, alone: bool = False) -> AbstractContextManager[Tx]:
        """A transaction that changes only rows that it has locked itself, and is news to nobody; it waits for no other
        writer where it can. `alone`: no other one writes meanwhile.
        """

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """A consistent view of the database; nothing can be written through it."""

    @abstractmethod
    def changes(self) -> AbstractContextManager[Callable[[], int]]:
        """A number that is another one once somebody else has committed; to look costs next to nothing, and no lock.

        Held open by who looks again and again. It need not tell of what the same process writes.
        """

    @abstractmethod
    def present(self, heard: Callable[[], None]) -> AbstractContextManager[None]:
        """While it is open, others can tell that an engine lives; `heard` is called, from any thread, when others have
        changed something.
        """

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a write transaction, in a thread. SQL never runs in the event loop."""

        def transaction() -> T:
            with self.writing() as tx:
                return work(tx)

        return await asyncio.to_thread(transaction)

    async def claim(self, work: Callable[[Tx], T], *, alone: bool = False) -> T:
        """Run `work` in a claiming transaction, in a thread."""

        def transaction() -> T:
            with self.claiming(alone=alone) as tx:
                return work(tx)

        return await asyncio.to_thread(transaction)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a consistent view, in a thread; it takes no lock."""

        def look() -> T:
            with self.reading() as conn:
                return work(conn)

        return await asyncio.to_thread(look)

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
