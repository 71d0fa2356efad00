"""The console's way to the engine's desk: every look and every change in a thread, one short transaction each.

SQL never runs in the event loop, and nothing of the database is imported before the first picture is on the screen.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeVar

from console.model import Need, why_not
from engine.clock import Clock, SystemClock
from engine.database_errors import database_trouble
from engine.errors import AccessError, HomeError, SundhedsagentError
from engine.home import Home

if TYPE_CHECKING:
    from engine.desk.access import Caller
    from engine.desk.act import Act
    from engine.desk.glance import Glance
    from engine.desk.office import Office, Visit
    from engine.settings import Settings

T = TypeVar("T")

_CACHE_KIB = 2_048  # of each connection: the console looks at a screenful at a time
_STRAY_S = 5.0  # so often it is looked whether the database is still the same file


class Door(Enum):
    """Which of the office's ways in a change takes: what role it asks for."""

    SERVING = auto()
    ADMINISTERING = auto()
    FILLING_IN = auto()


@dataclass(frozen=True, slots=True)
class Desk:
    """What a look or a change may use besides its transaction."""

    home: Home
    office: "Office"
    settings: "Settings"

    @property
    def clock(self) -> Clock:
        return self.office.clock


@dataclass(frozen=True, slots=True)
class Look:
    """What one look brought. `page` is the page's own; None where nothing had changed."""

    caller: "Caller | None"
    glance: "Glance | None"
    engine_runs: bool
    page: object
    cost_s: float


class _Rehearsed(Exception):  # noqa: N818 - it is no error: it takes back what was only tried
    pass


class Link:
    """Opened at the first look; opened anew when the database was away or is another one."""

    def __init__(
        self,
        home: Home,
        clock: Clock | None = None,
        identity: str | None = None,
        *,
        only_reads: bool = False,
    ) -> None:
        self.home = home
        self._only_reads = only_reads
        self._given_clock = clock
        self._identity = identity
        # Two threads: what a person waits for does not queue behind the feed.
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="looking")
        self._doing = ThreadPoolExecutor(1, thread_name_prefix="doing")
        self._desk: Desk | None = None
        self._held = ExitStack()
        self._version: Callable[[], int] | None = None
        self._seen: int | None = None
        self._file: tuple[int, int] | None = None
        self._checked = 0.0

    @property
    def clock(self) -> Clock:
        """The one that the database's engines go by; the machine's until it has been opened."""
        desk = self._desk
        return self._given_clock or (SystemClock() if desk is None else desk.clock)

    # --- the feed -----------------------------------------------------------------------------------------------------

    async def look(
        self, fetch: "Callable[[Visit, Desk], T]", *, anyway: bool, need: Need = Need.NOTHING
    ) -> Look:
        """Whether anything has changed, and where it has (or `anyway`) the glance and what `fetch` brings.

        Raises SundhedsagentError with what is wrong, in Danish.
        """
        return await self._run(self._looking, lambda: self._look(fetch, anyway=anyway, need=need))

    def _look(self, fetch: "Callable[[Visit, Desk], T]", *, anyway: bool, need: Need) -> Look:
        begun = time.thread_time()
        desk = self._open()
        runs = desk.office.engine_runs()
        assert self._version is not None
        version = self._version()
        if version == self._seen and not anyway:
            return Look(None, None, runs, None, time.thread_time() - begun)
        from engine.desk.glance import glance

        with desk.office.visiting() as visit:
            refused = why_not(need, visit.caller)
            if refused is not None:
                raise AccessError(refused)
            seen = glance(visit.conn, desk.clock.now(), only=visit.only)
            page = fetch(visit, desk)
        self._seen = version
        return Look(visit.caller, seen, runs, page, time.thread_time() - begun)

    # --- what a person asks for ---------------------------------------------------------------------------------------

    async def read(self, work: "Callable[[Visit, Desk], T]") -> T:
        """A consistent view for whoever has a role."""

        def look() -> T:
            desk = self._open_other()
            with desk.office.visiting() as visit:
                return work(visit, desk)

        return await self._run(self._doing, look)

    async def do(
        self,
        door: Door,
        work: "Callable[[Act, Desk], T]",
        *,
        kommune: str | None = None,
        rehearse: bool = False,
    ) -> T:
        """A change, committed as a whole; or tried and taken back, to hear beforehand what would become of it."""

        def change() -> T:
            desk = self._open_other()
            done: list[T] = []
            try:
                if door is Door.FILLING_IN:
                    assert kommune is not None
                    with desk.office.filling_in(kommune) as (act, _):
                        done.append(work(act, desk))
                        _take_back(rehearse=rehearse)
                else:
                    serving = door is Door.SERVING
                    with desk.office.serving() if serving else desk.office.administering() as act:
                        done.append(work(act, desk))
                        _take_back(rehearse=rehearse)
            except _Rehearsed:
                pass
            return done[0]

        return await self._run(self._doing, change)

    async def run(self, work: "Callable[[Desk], T]") -> T:
        """Anything else that takes its time, such as writing a file."""
        return await self._run(self._doing, lambda: work(self._open_other()))

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Inside, no transaction is open, and none begins."""
        loop, go_on = asyncio.get_running_loop(), threading.Event()

        def wait(arrived: "asyncio.Future[None]") -> None:
            loop.call_soon_threadsafe(arrived.set_result, None)
            go_on.wait()

        arrivals = [loop.create_future() for _ in range(2)]
        for where, arrived in zip((self._looking, self._doing), arrivals, strict=True):
            where.submit(wait, arrived)
        try:
            await asyncio.gather(*arrivals)
            yield
        finally:
            go_on.set()

    def close(self) -> None:
        self._looking.shutdown(wait=True, cancel_futures=True)
        self._doing.shutdown(wait=True, cancel_futures=True)
        self._forget()

    # --- opening ------------------------------------------------------------------------------------------------------

    def _open(self) -> Desk:
        """The desk, in the thread that looks: it alone opens and forgets."""
        now = time.monotonic()
        if self._desk is not None and now - self._checked > _STRAY_S:
            self._checked = now
            if _identity_of(self.home) != self._file:
                self._forget()
        if self._desk is None:
            self._file = _identity_of(self.home)
            self._desk = self._make()
            self._version = self._held.enter_context(self._desk.office.changes())
            self._seen = None
            self._checked = now
        return self._desk

    def _open_other(self) -> Desk:
        desk = self._desk
        if desk is None:
            raise HomeError("Databasen er ikke åbnet endnu. Prøv igen om lidt.")
        return desk

    def _make(self) -> Desk:
        from engine.desk.office import Office
        from engine.logs import silence_logs
        from engine.settings import Settings

        silence_logs()
        home = Home.open(self.home.path)
        settings = Settings.load(home)
        office = Office(
            home, self._identity, self._given_clock, cache_kib=_CACHE_KIB, only_reads=self._only_reads
        )
        return Desk(home, office, settings)

    def _forget(self) -> None:
        self._held.close()
        self._held = ExitStack()
        if self._desk is not None:
            self._desk.office.close()
        self._desk = self._version = self._seen = None

    async def _run(self, where: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        def guarded() -> T:
            try:
                return work()
            except SundhedsagentError:
                raise
            except Exception as error:
                raise _told(error) from error

        try:
            return await asyncio.get_running_loop().run_in_executor(where, guarded)
        except SundhedsagentError as error:
            if isinstance(error, HomeError) and where is self._looking:
                await asyncio.get_running_loop().run_in_executor(self._looking, self._forget)
            raise


def _take_back(*, rehearse: bool) -> None:
    if rehearse:
        raise _Rehearsed


def _identity_of(home: Home) -> tuple[int, int]:
    """Another one where the file has been replaced."""
    if home.database_url:
        return 0, 0
    try:
        found = os.stat(home.database_file)  # noqa: PTH116 - the numbers, not a path
    except OSError as error:
        raise HomeError(f"databasen findes ikke ({home.database_file})") from error
    return found.st_dev, found.st_ino


def _told(error: Exception) -> SundhedsagentError:
    """What a person is told of trouble that has no words of its own. Statements and rows are not quoted."""
    trouble = database_trouble(error)
    if trouble is not None:
        return HomeError(trouble)
    return SundhedsagentError(f"Uventet fejl ({type(error).__name__}). Intet er ændret.")
