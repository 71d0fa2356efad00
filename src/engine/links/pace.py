"""How many messages are under way at once towards a side that may be slow, and for how long.

It begins with a few, and each answer lets one more go: an engine that has just started finds out how quick the other
side is. Where answers do not come in time, fewer are sent at once, and by and by more again: what nobody waits for
any more is handled all the same, and would hold up what is sent after it, for ever.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from engine.ports import SendResult

# Of the time that a batch has: past the first nothing is begun, past the second nothing is waited for.
_BEGUN_BY, _OVER_BY = 0.5, 0.9
_FIRST, _LESS, _LEAST = 4.0, 0.5, 1.0

M = TypeVar("M")


class Pace:
    """At most `most` at once; a batch is over within `within_s`; `late` is said of an answer that did not come."""

    def __init__(self, most: int, within_s: float, late: str) -> None:
        self._most = float(most)
        self._window = min(self._most, _FIRST)
        self._finds_out = True  # until the first answer that does not come in time
        self._within_s = within_s
        self._late = late

    async def each(
        self, messages: Sequence[M], send: Callable[[M], Awaitable[SendResult]]
    ) -> list[SendResult]:
        """One result each, in order; `send` raises TimeoutError where no answer came. What could not be begun in time
        was not tried.
        """
        now = asyncio.get_running_loop().time
        begun_by, over_by = now() + _BEGUN_BY * self._within_s, now() + _OVER_BY * self._within_s
        waiting = deque(enumerate(messages))
        results: dict[int, SendResult] = {}
        workers = 0

        async def work() -> None:
            nonlocal workers
            while waiting and now() < begun_by and workers <= self._window:
                number, message = waiting.popleft()
                results[number] = await self._one(send(message), over_by)
                begin()
            workers -= 1

        def begin() -> None:
            nonlocal workers
            for _ in range(min(len(waiting), int(self._window) - workers)):
                workers += 1
                group.create_task(work())

        async with asyncio.TaskGroup() as group:
            begin()
        untried = SendResult(self._late, tried=False)
        return [results.get(number, untried) for number in range(len(messages))]

    async def _one(self, sent: Awaitable[SendResult], over_by: float) -> SendResult:
        try:
            async with asyncio.timeout_at(over_by):
                result = await sent
        except TimeoutError:
            self._window, self._finds_out = max(_LEAST, self._window - _LESS), False
            return SendResult(self._late)
        if result.error is None:
            self._window = min(self._most, self._window + (1 if self._finds_out else 1 / self._window))
        return result
