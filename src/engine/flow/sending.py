"""What publish and answer share: make each message, send those that could be made, and have a result for every one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import structlog

from engine.flow.trouble import told
from engine.ports import SendResult

log = structlog.get_logger(__name__)

M = TypeVar("M")


async def send_all(
    rows: Sequence[Any],
    make: Callable[[Any], M],
    send: Callable[[Sequence[M]], Awaitable[Sequence[SendResult]]],
) -> list[SendResult]:
    """One result per row, in order. A row whose message cannot be made is a failure of its own: it is tried again like
    any other, shows as such, and does not hold up those beside it.
    """
    made = await asyncio.to_thread(lambda: [_made(row, make) for row in rows])
    messages = [message for message in made if not isinstance(message, SendResult)]
    sent = iter(await send(messages) if messages else ())
    return [message if isinstance(message, SendResult) else next(sent) for message in made]


def _made(row: Any, make: Callable[[Any], M]) -> M | SendResult:
    try:
        return make(row)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with this one, the others go on
        log.error("message-not-made", row=row.id, **told(error))
        return SendResult(f"Meddelelsen kan ikke dannes ({type(error).__name__})")
