"""Time comes from a clock object everywhere, so that tests and the simulation can turn it."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Protocol
from uuid import uuid4

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Steady:
    """What has passed since `boot` began, by a clock that nobody sets. Two readings of different boots tell nothing."""

    boot: str
    elapsed: timedelta

    def since(self, before: "Steady") -> timedelta:
        """What has passed since an earlier reading: without end where it is of another boot."""
        return self.elapsed - before.elapsed if before.boot == self.boot else timedelta.max


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware, in UTC. It steps when somebody sets the machine's clock."""
        ...

    def steady(self) -> Steady:
        """The reading beside it that never steps, for all that must last as long as it says."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def steady(self) -> Steady:
        # It goes on while the machine sleeps, and is the same for all of its programs.
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return Steady(_boot(), timedelta(seconds=time.clock_gettime(clock)))


@cache
def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # where the machine does not say, each process is a boot of its own
        return str(uuid4())


class ScaledClock:
    """Runs `speed` times as fast as the machine, from `begins` when the machine's steady clock stood at `since`.

    Two processes with the same three values agree.
    """

    def __init__(self, begins: datetime, since: timedelta, speed: float) -> None:
        self.begins = begins
        self.since = since
        self.speed = speed

    @classmethod
    def from_now(cls, begins: datetime, speed: float) -> "ScaledClock":
        return cls(begins, SystemClock().steady().elapsed, speed)

    def now(self) -> datetime:
        return self.begins + self._passed()

    def steady(self) -> Steady:
        return Steady(_boot(), self.since + self._passed())

    def at(self, wall: datetime) -> datetime:
        """What it shows at a moment of the machine's own clock."""
        ago = datetime.now(UTC) - wall
        return self.now() - ago * self.speed

    def _passed(self) -> timedelta:
        return (SystemClock().steady().elapsed - self.since) * self.speed


class SimulatedClock:
    """Stands still until it is advanced. It can be set, as people and time servers set clocks, and booted anew."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._elapsed = timedelta()
        self._boots = 1

    def now(self) -> datetime:
        return self._now

    def steady(self) -> Steady:
        return Steady(f"boot {self._boots}", self._elapsed)

    def advance(self, by: timedelta) -> None:
        """Time passes."""
        self._now += by
        self._elapsed += by

    def step(self, by: timedelta) -> None:
        """The clock is set; no time passes."""
        self._now += by

    def reboot(self) -> None:
        self._elapsed = timedelta()
        self._boots += 1
