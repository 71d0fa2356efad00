"""A home with its engine and all around it, on a clock that runs faster than life: what the console's demo looks at.

A process of its own, so that neither engine nor simulation takes time from the screen. It ends when its standard input
does: also when whoever started it is gone without a word.
"""

import argparse
import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from engine.clock import ScaledClock
from engine.home import Home, engine_lock
from engine.logs import silence_logs
from engine.ports import Beskedfordeler, Delivery, Finished, Inbox, OutgoingBesked, SendResult
from engine.service import Engine, Links
from engine.settings import Settings
from engine.simulation.folders import HomeMailboxes
from engine.simulation.habits import Habits
from engine.simulation.registered import registered_roster
from engine.simulation.roster import SimKommune
from engine.simulation.simulation import STEP_SECONDS, Script, Simulation
from engine.simulation.stays import MEAN_MESSAGES_PER_STAY

_HABITS = Habits(prompt=0.955, late=0.02, negative=0.01, twice=0.005, transient=0.01)
_COMPRESSION = 150.0  # a stay of two days in twenty simulated minutes
# By simulated time since the beginning: some receivers fall silent and come back, and once in a while the
# Beskedfordeler accepts nothing, so that there is something to see.
_SILENCE_EVERY, _SILENCE_FROM, _SILENCE_LASTS = (
    timedelta(hours=3),
    timedelta(minutes=10),
    timedelta(minutes=80),
)
_OUTAGE_EVERY, _OUTAGE_FROM, _OUTAGE_LASTS = timedelta(hours=5), timedelta(hours=3), timedelta(minutes=25)
_SILENT = 3


class OutageBeskedfordeler:
    """A Beskedfordeler that accepts nothing while `is_down` says so."""

    def __init__(self, inner: Beskedfordeler, is_down: Callable[[], bool]) -> None:
        self._inner = inner
        self._is_down = is_down

    async def publish(self, beskeder: Sequence[OutgoingBesked]) -> Sequence[SendResult]:
        if self._is_down():
            return [SendResult("Beskedfordeleren svarer ikke (tidsgrænsen er nået)") for _ in beskeder]
        return await self._inner.publish(beskeder)


class _ScaledInbox:
    """Files have the machine's time; the engine's clock is another one."""

    def __init__(self, inner: Inbox, clock: ScaledClock) -> None:
        self._inner = inner
        self._clock = clock

    async def take(self, limit: int) -> Sequence[Delivery]:
        return await self._inner.take(limit)

    async def finish(self, finished: Sequence[Finished]) -> None:
        await self._inner.finish(finished)

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        await self._inner.give_back(deliveries)

    async def oldest(self) -> datetime | None:
        found = await self._inner.oldest()
        return None if found is None else self._clock.at(found)


def silent_receivers(roster: Sequence[SimKommune]) -> tuple[str, ...]:
    """Those that fall silent: the last receiver of each of the first kommuner, and one that is primary."""
    return (
        *(kommune.receivers[-1].uuid for kommune in roster[: _SILENT - 1]),
        roster[_SILENT - 1].primary.uuid,
    )


def _is_within(passed: timedelta, every: timedelta, begins: timedelta, lasts: timedelta) -> bool:
    return begins <= passed % every < begins + lasts


def run_world(home: Home, clock: ScaledClock, *, seed: int, rate: float, stop: threading.Event) -> None:
    """Let engine and surroundings run until `stop` is set. `rate` is adviser a second by the wall."""
    settings = Settings.load(home)
    db = home.open_database()
    with db.reading() as conn:
        roster = registered_roster(conn)
    db.close()
    begun = clock.now()

    def passed() -> timedelta:
        return clock.now() - begun

    links = Links.chosen(home, settings)
    links = replace(
        links,
        vans_in=_ScaledInbox(links.vans_in, clock),
        kvitteringer=_ScaledInbox(links.kvitteringer, clock),
        beskedfordeler=OutageBeskedfordeler(
            links.beskedfordeler, lambda: _is_within(passed(), _OUTAGE_EVERY, _OUTAGE_FROM, _OUTAGE_LASTS)
        ),
    )
    simulation = Simulation(
        HomeMailboxes(home),
        Script(
            roster=roster,
            seed=seed,
            start=begun,
            stay_every=timedelta(seconds=MEAN_MESSAGES_PER_STAY / rate * clock.speed),
            compression=_COMPRESSION,
            habits=_HABITS,
            beskedtype_kvittering=settings.beskedtype_medcomkvittering,
        ),
    )
    silent = silent_receivers(roster)
    with engine_lock(home):
        engine = Engine.open(home, settings, clock, links)
        works = threading.Thread(target=lambda: asyncio.run(_work(engine, stop)), name="engine")
        works.start()
        try:
            while not stop.is_set():
                quiet = _is_within(passed(), _SILENCE_EVERY, _SILENCE_FROM, _SILENCE_LASTS)
                simulation.step(clock.now(), silent=silent if quiet else ())
                time.sleep(STEP_SECONDS)
        finally:
            stop.set()
            works.join()
            engine.close()


async def _work(engine: Engine, stop: threading.Event) -> None:
    stopped = asyncio.Event()

    async def until_stopped() -> None:
        await asyncio.to_thread(stop.wait)
        stopped.set()

    waiting = asyncio.create_task(until_stopped())
    try:
        await engine.run(stopped)
    finally:
        stop.set()
        await waiting


def main(argv: Sequence[str]) -> int:
    """The process: HOME and the clock's three values, then what is to happen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("begins", type=datetime.fromisoformat)
    parser.add_argument("since", type=float)
    parser.add_argument("speed", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("rate", type=float)
    given: Any = parser.parse_args(argv)
    silence_logs()
    stop = threading.Event()

    def until_alone() -> None:
        while os.read(
            sys.stdin.fileno(), 4096
        ):  # past its buffer, whose lock Python would wait for at its end
            pass
        stop.set()

    threading.Thread(target=until_alone, name="parent", daemon=True).start()
    clock = ScaledClock(given.begins, timedelta(seconds=given.since), given.speed)
    run_world(Home.open(given.home), clock, seed=given.seed, rate=given.rate, stop=stop)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
