"""The real engine as the demo needs it: a fresh home, worked on by a thread of its own."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import ExitStack

from console.demo import DemoFigures
from engine.clock import SystemClock
from engine.desk.access import caller_identity
from engine.desk.office import Office
from engine.desk.progress import progress
from engine.domain.acknowledgement import ResponseCode
from engine.home import Home, engine_lock
from engine.logs import configure_logs
from engine.service import Engine
from engine.settings import LogSettings, Settings
from engine.simulation import SimKommune
from engine.simulation.registered import connect_roster


class HomeEngine:
    """Makes the home; the engine works from `start` to `stop`, and holds the home's lock meanwhile."""

    def __init__(self, home: Home) -> None:
        self.home = Home.create(home.path, SystemClock(), caller_identity())
        # Warnings of single messages would hide the summary; the trace has them all.
        configure_logs(LogSettings(level="error"))
        self._settings = Settings.load(self.home)
        self._office = Office(self.home)
        self._held = ExitStack()
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def beskedtype_kvittering(self) -> str:
        return self._settings.beskedtype_medcomkvittering

    def connect(self, roster: Sequence[SimKommune]) -> None:
        with self._office.administering() as act:
            connect_roster(act, roster)

    def start(self) -> None:
        self._held.enter_context(engine_lock(self.home))
        engine = Engine.open(self.home, self._settings)
        self._held.callback(engine.close)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._work(engine)), name="engine")
        self._thread.start()
        self._started.wait()

    def stop(self) -> None:
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None
        self._held.close()

    def figures(self) -> DemoFigures:
        with self._office.reading() as conn:
            done = progress(conn, latest=0)
        return DemoFigures(
            received=done.received,
            published=done.published,
            acknowledged=done.expected - done.pending,
            expected=done.expected,
            answered=done.answered,
            pending=done.pending,
            copies=done.copies,
            fatal_errors=done.kvitteringer.get(ResponseCode.FATAL_ERROR, 0),
            transient_errors=done.kvitteringer.get(ResponseCode.TRANSIENT_ERROR, 0),
        )

    async def _work(self, engine: Engine) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._started.set()
        await engine.run(self._stop)
