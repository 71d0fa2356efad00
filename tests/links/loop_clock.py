"""Time that passes when a test says so: what must be over in time is proved without a race against the machine."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], object]) -> None:
    """Wait for it, however slow the machine is; the test's own time limit is the end of it."""
    while not holds():  # noqa: ASYNC110 - what is waited for does not tell
        await asyncio.sleep(0.002)


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
