"""The way in for all who read or administer: a home's database behind the check of the caller's role."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from engine.desk.access import READERS, Role, caller_identity, require
from engine.home import Home
from engine.store.database import Database, Tx


class Office:
    """A home's database as its people use it. Use as a context manager, or call `close`."""

    def __init__(self, home: Home, identity: str | None = None) -> None:
        self.home = home
        self.identity = identity or caller_identity()
        self._db = Database.sqlite(home.database_file)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view, for those who may read."""
        with self._db.reading() as conn:
            require(conn, self.identity, *READERS)
            yield conn

    @contextmanager
    def administering(self) -> Iterator[Tx]:
        """A write transaction, for administrators; committed at the end of the block."""
        with self._db.writing() as tx:
            require(tx.conn, self.identity, Role.ADMINISTRATOR)
            yield tx

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
