"""The way in for all who read or administer: a home's database behind the check of the caller's role."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import Connection

from engine.clock import Clock, SystemClock
from engine.desk.access import READERS, Caller, Role, caller_identity, require, require_kommune
from engine.desk.act import Act, open_act
from engine.desk.registry import KommuneName, find_kommune
from engine.home import Home, payload_key
from engine.store.database import CACHE_KIB, Database

if TYPE_CHECKING:
    from engine.store.payloads import PayloadBox


@dataclass(frozen=True, slots=True)
class Visit:
    """A consistent view for somebody who may see all kommuner, or some."""

    conn: Connection
    caller: Caller

    @property
    def only(self) -> frozenset[str] | None:
        """The codes of the kommuner that the caller may see; None: all."""
        return None if self.caller.reads_all else self.caller.kommuner

    def kommune(self, text: str) -> KommuneName:
        """The kommune that `text` names; AccessError where it is not the caller's to see."""
        found = find_kommune(self.conn, text)
        require_kommune(self.conn, self.caller, found.code, to_fill_in=False)
        return found


class Office:
    """A home's database as its people use it. Use as a context manager, or call `close`."""

    def __init__(
        self,
        home: Home,
        identity: str | None = None,
        clock: Clock | None = None,
        *,
        cache_kib: int = CACHE_KIB,
    ) -> None:
        self.home = home
        self.identity = identity or caller_identity()
        self.clock = clock or SystemClock()
        self._db = Database.sqlite(home.database_file, cache_kib=cache_kib)

    @contextmanager
    def reading(self, *roles: Role) -> Iterator[Connection]:
        """A consistent view, for those who may read of all kommuner, or for the given roles alone."""
        with self._db.reading() as conn:
            require(conn, self.identity, *(roles or READERS))
            yield conn

    @contextmanager
    def visiting(self) -> Iterator[Visit]:
        """A consistent view, for everybody with a role; the view says what of it is theirs."""
        with self._db.reading() as conn:
            yield Visit(conn, require(conn, self.identity, *Role))

    @contextmanager
    def administering(self) -> Iterator[Act]:
        """A change by an administrator; committed at the end of the block."""
        with self._db.writing() as tx:
            require(tx.conn, self.identity, Role.ADMINISTRATOR)
            yield open_act(tx, self.clock, self.identity)

    @contextmanager
    def serving(self) -> Iterator[Act]:
        """What the hotline does: cases, look-ups of persons, resends. Administrators may do it too."""
        with self._db.writing() as tx:
            require(tx.conn, self.identity, Role.HOTLINE, Role.ADMINISTRATOR)
            yield open_act(tx, self.clock, self.identity)

    @contextmanager
    def filling_in(self, kommune: str) -> Iterator[tuple[Act, KommuneName]]:
        """A change of what is a kommune's own, by its own people or an administrator."""
        with self._db.writing() as tx:
            caller = require(tx.conn, self.identity, *Role)
            found = find_kommune(tx.conn, kommune)
            require_kommune(tx.conn, caller, found.code, to_fill_in=True)
            yield open_act(tx, self.clock, self.identity), found

    def box(self) -> "PayloadBox":
        """What opens the home's sealed payloads; HomeError where its key is away."""
        from engine.store.payloads import PayloadBox  # noqa: PLC0415 - few open one, and it is slow to import

        return PayloadBox(payload_key(self.home))

    def changes(self) -> AbstractContextManager[Callable[[], int]]:
        """Whether others have changed anything since the last look: a number that is another one then."""
        return self._db.changes()

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
