"""Waiting for what happens, and time that passes when a test says so: no race against the machine."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], object], within: float = 20) -> None:
    """Wait, by outside time, for what tells nobody when it happens. TimeoutError where it does not."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


class LoopClock:
    """The clock of the running loop, which is the test's own; made before what is tested asks for the time."""

    def __init__(self) -> None:
        self._ahead = 0.0
        loop = asyncio.get_running_loop()
        now = loop.time
        loop.time = lambda: now() + self._ahead  # type: ignore[method-assign]

    def put_forward(self, seconds: float) -> None:
        """All that waits in the loop has so much less to wait."""
        self._ahead += seconds
