"""The way in for all who read or administer: a home's database behind the check of the caller's role."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import Connection

from engine.clock import Clock
from engine.desk.access import (
    ONLY_READING,
    READERS,
    Caller,
    Role,
    caller_identity,
    require,
    require_kommune,
)
from engine.desk.act import Act, open_act
from engine.desk.registry import KommuneName, find_kommune
from engine.errors import AccessError
from engine.home import Home, is_engine_running, payload_key
from engine.store.database import Tx

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
    """A home's database as its people use it. Use as a context manager, or call `close`.

    With `only_reads` nothing can be changed through it, whatever the caller's roles are.
    """

    def __init__(
        self,
        home: Home,
        identity: str | None = None,
        clock: Clock | None = None,
        *,
        cache_kib: int | None = None,
        only_reads: bool = False,
    ) -> None:
        self.home = home
        self._only_reads = only_reads
        self.identity = identity or caller_identity(home.path)
        self._db = home.open_database(cache_kib=cache_kib)
        self.clock = clock or self._db.clock

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
            caller = require(conn, self.identity, *Role)
            yield Visit(conn, replace(caller, only_reads=self._only_reads))

    @contextmanager
    def administering(self) -> Iterator[Act]:
        """A change by an administrator; committed at the end of the block."""
        with self._changing(Role.ADMINISTRATOR) as (tx, _):
            yield open_act(tx, self.clock, self.identity)

    @contextmanager
    def serving(self) -> Iterator[Act]:
        """What the hotline does: cases, look-ups of persons, resends. Administrators may do it too."""
        with self._changing(Role.HOTLINE, Role.ADMINISTRATOR) as (tx, _):
            yield open_act(tx, self.clock, self.identity)

    @contextmanager
    def filling_in(self, kommune: str) -> Iterator[tuple[Act, KommuneName]]:
        """A change of what is a kommune's own, by its own people or an administrator."""
        with self._changing(*Role) as (tx, caller):
            found = find_kommune(tx.conn, kommune)
            require_kommune(tx.conn, caller, found.code, to_fill_in=True)
            yield open_act(tx, self.clock, self.identity), found

    @contextmanager
    def _changing(self, *roles: Role) -> Iterator[tuple[Tx, Caller]]:
        """Every change comes by here."""
        if self._only_reads:
            raise AccessError(ONLY_READING)
        with self._db.writing() as tx:
            yield tx, require(tx.conn, self.identity, *roles)

    def box(self) -> "PayloadBox":
        """What opens the home's sealed payloads; HomeError where its key is away."""
        from engine.store.payloads import PayloadBox  # noqa: PLC0415 - few open one, and it is slow to import

        return PayloadBox(payload_key(self.home))

    def engine_runs(self) -> bool:
        """Whether an engine works here, or on another machine that shares the database."""
        if not self._db.is_shared:
            return is_engine_running(self.home)
        from engine.store.postgresql import engines_on  # noqa: PLC0415

        with self._db.reading() as conn:
            return engines_on(conn) > 0

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
