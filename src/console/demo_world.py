"""The world behind the console's demo: a fresh home, and beside us the process that lets everything happen in it."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.clock import ScaledClock, SystemClock
from engine.desk.access import caller_identity
from engine.desk.office import Office
from engine.errors import HomeError
from engine.home import Home, is_engine_running
from engine.simulation import demo_roster
from engine.simulation.history import seed_traffic
from engine.simulation.registered import connect_roster

SPEED = 60.0  # the 45 minutes of a deadline pass in 45 seconds
RATE = 1.5  # adviser a second by the wall
_READY_S, _ENDS_S = 20.0, 10.0
_USUAL_PER_DAY = round(RATE * 86_400 / SPEED)  # as many come as the weeks gone by made usual


class DemoWorld:
    """A context manager: inside it, adviser come and go in `home` by `clock`."""

    def __init__(
        self, home_dir: Path | None, *, seed: int, kommuner: int, speed: float = SPEED, rate: float = RATE
    ) -> None:
        self.clock = ScaledClock.from_now(SystemClock().now(), speed)
        path = home_dir or Path(tempfile.mkdtemp(prefix="sundhedsagent-demo-"))
        self.home = Home.create(path, self.clock, caller_identity())
        self._seed = seed
        self._rate = rate
        with Office(self.home, clock=self.clock) as office, office.administering() as act:
            connect_roster(act, demo_roster(kommuner, seed))
            seed_traffic(act.tx, self.clock.now(), seed, per_day=_USUAL_PER_DAY)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        clock = self.clock
        arguments = (
            str(self.home.path),
            clock.begins.isoformat(),
            str(clock.since.total_seconds()),
            str(clock.speed),
            str(self._seed),
            str(self._rate),
        )
        with (self.home.path / "demo.log").open("ab") as log:
            # A session of its own: Ctrl+C and Ctrl+Z in the terminal are the console's alone.
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "engine.simulation.world", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        begun = time.monotonic()
        while not is_engine_running(self.home):
            if self._process.poll() is not None or time.monotonic() - begun > _READY_S:
                self._end()
                raise HomeError(f"Simuleringen kom ikke i gang. Se {self.home.path / 'demo.log'}.")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()  # it ends by itself, and finishes what is in hand
        try:
            process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
