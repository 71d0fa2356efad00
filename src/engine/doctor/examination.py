"""Runs checks beside each other: one that fails or hangs stops no other."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from engine.database_errors import database_trouble
from engine.domain.checkup import Checked, Subject
from engine.errors import SundhedsagentError, os_reason

QUICK_S, NETWORK_S = 15.0, 30.0
"""So long a check may take: on this machine, and where others must answer."""


@dataclass(frozen=True, slots=True)
class Check:
    """`look` may raise: that is a finding too."""

    subject: Subject
    look: Callable[[], Awaitable[Sequence[Checked]]]
    limit_s: float = QUICK_S


def on_disk(subject: Subject, look: Callable[[], Sequence[Checked]]) -> Check:
    """A check that waits for files or a database, in a thread of its own."""
    return Check(subject, lambda: asyncio.to_thread(look))


def examine(*checks: Check) -> list[Checked]:
    """What all have found, in their order."""
    return asyncio.run(_all(checks))


async def _all(checks: Sequence[Check]) -> list[Checked]:
    asyncio.get_running_loop().set_default_executor(_Threads())
    found = await asyncio.gather(*map(_one, checks))
    return [line for lines in found for line in lines]


async def _one(check: Check) -> Sequence[Checked]:
    try:
        async with asyncio.timeout(check.limit_s):
            return await check.look()
    except TimeoutError:
        found = f"intet svar inden for {check.limit_s:.0f} s"
        return [check.subject.fault(found, "Er serveren, disken eller netværket nede? Prøv igen.")]
    except SundhedsagentError as error:
        return [check.subject.told(str(error), "Ret det, og prøv igen.")]
    except Exception as error:  # noqa: BLE001 - whatever is wrong here, the others are looked at
        return [
            check.subject.fault(
                _kind(error), "Ret det, og prøv igen. Bliver det ved, så ring til leverandøren."
            )
        ]


def _kind(error: Exception) -> str:
    """Of what kind it is; its own text could quote anything."""
    if isinstance(error, OSError):
        return f"{error.filename}: {os_reason(error)}" if error.filename else os_reason(error)
    return database_trouble(error) or f"undersøgelsen gik galt ({type(error).__name__})"


class _Threads(ThreadPoolExecutor):
    """A thread for each call. The end of the program waits for none of them: one may hang on a disk that is gone."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - whoever waits for it hears it
                future.set_exception(error)

        threading.Thread(target=work, daemon=True, name="check").start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        pass
