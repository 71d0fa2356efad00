"""The loop that every station has: it goes on whatever a step ends with."""

import asyncio
from dataclasses import dataclass, field

import pytest

from engine.home import Home
from engine.service import Bell, Engine, Links
from engine.settings import Settings


@dataclass
class Interrupted:
    """A library cancels what its first step waits on; in the second it is stopped."""

    stop: asyncio.Event
    name: str = "receive"
    steps: list[int] = field(default_factory=list)

    async def step(self) -> int:
        self.steps.append(len(self.steps))
        if len(self.steps) == 1:
            waited_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waited_on.cancel()
            await waited_on
        self.stop.set()
        return 0


async def test_a_step_that_a_library_cancels_is_a_failure_and_not_the_end(
    new_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.service._FIRST_PAUSE_S", 0.01)
    engine = Engine.open(new_home, links=Links.chosen(new_home, Settings()))
    try:
        stop = asyncio.Event()
        station = Interrupted(stop)
        async with asyncio.timeout(10):
            await engine._work(station, Bell(), stop)
        assert station.steps == [0, 1]
        asking = asyncio.create_task(engine._work(Interrupted(asyncio.Event()), Bell(), asyncio.Event()))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
    finally:
        engine.close()
