"""What publish and answer share: claim what is due, make each message, send them, and record each one's result."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

import structlog
from sqlalchemy import Table

from engine.clock import Clock
from engine.flow.claims import claim
from engine.flow.pauses import pause
from engine.flow.timekeeping import open_ledger
from engine.flow.trouble import told
from engine.ports import SendResult
from engine.settings import Settings
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger
from engine.store.payloads import PayloadBox
from engine.store.pulse import note_bad, note_good

log = structlog.get_logger(__name__)

_FIRST_PAUSE = timedelta(seconds=5)

M = TypeVar("M")


class Sending(ABC, Generic[M]):
    """A station that empties an outbox table; its rows have id, attempts, next_at, claimed_by and claimed_until."""

    name: ClassVar[str]
    outbox: ClassVar[Table]
    channel: ClassVar[str]  # domain.pulse

    def __init__(self, db: Database, box: PayloadBox, clock: Clock, settings: Settings, owner: str) -> None:
        self._db = db
        self._box = box
        self._clock = clock
        self._settings = settings
        self._owner = owner

    @property
    @abstractmethod
    def limit(self) -> int:
        """How many rows make a batch."""

    @property
    @abstractmethod
    def longest_pause(self) -> timedelta:
        """The longest pause between two attempts."""

    @abstractmethod
    def orders(self, tx: Tx, ids: Sequence[int]) -> Sequence[Any]:
        """The claimed rows that are to be sent, with all that their messages need; each has its row's `id`."""

    @abstractmethod
    def make(self, order: Any, /) -> M:
        """The message of one order."""

    @abstractmethod
    async def send(self, messages: Sequence[M]) -> Sequence[SendResult]:
        """Hand the messages to the other side; one result each, in order."""

    @abstractmethod
    def sent(self, ledger: Ledger, orders: "Sequence[tuple[Any, SendResult]]", /) -> None:
        """Record what the other side took over."""

    @abstractmethod
    def failed(self, ledger: Ledger, order: Any, result: SendResult, /) -> None:
        """Record what it did not."""

    async def step(self) -> int:
        """Send up to one batch; how many rows were claimed."""
        claimed, orders = await self._db.write(self._claim)
        if orders:
            results = await self._send(orders)
            await self._db.write(lambda tx: self._record(tx, orders, results))
        return claimed

    def done(self, ledger: Ledger, row: Any, **values: Any) -> None:
        """The row's work is over: set `values`, and nothing is due any more."""
        ledger.change(
            self.outbox,
            {"id": row.id},
            attempts=row.attempts + 1,
            next_at=None,
            claimed_by=None,
            claimed_until=None,
            last_error=None,
            **values,
        )

    def postponed(self, ledger: Ledger, row: Any, error: str, **values: Any) -> tuple[int, datetime]:
        """The row is tried again after a growing pause: set `values`; the attempts so far, and when."""
        attempts = row.attempts + 1
        next_at = ledger.now + pause(attempts, _FIRST_PAUSE, self.longest_pause)
        ledger.change(
            self.outbox,
            {"id": row.id},
            attempts=attempts,
            next_at=next_at,
            claimed_by=None,
            claimed_until=None,
            last_error=error,
            **values,
        )
        return attempts, next_at

    def _claim(self, tx: Tx) -> tuple[int, Sequence[Any]]:
        ids = claim(tx, self.outbox, owner=self._owner, now=self._clock.now(), limit=self.limit)
        return (len(ids), self.orders(tx, ids)) if ids else (0, ())

    async def _send(self, orders: Sequence[Any]) -> list[SendResult]:
        """One result per order. One whose message cannot be made fails alone, and does not hold up those beside it."""
        made = await asyncio.to_thread(lambda: [self._made(order) for order in orders])
        messages = [message for message in made if not isinstance(message, SendResult)]
        results = iter(await self.send(messages) if messages else ())
        return [message if isinstance(message, SendResult) else next(results) for message in made]

    def _made(self, order: Any) -> M | SendResult:
        try:
            return self.make(order)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with this one, the others go on
            log.error("message-not-made", station=self.name, row=order.id, **told(error))
            return SendResult(f"Meddelelsen kan ikke dannes ({type(error).__name__})")

    def _record(self, tx: Tx, orders: Sequence[Any], results: Sequence[SendResult]) -> None:
        ledger = open_ledger(tx, self._clock)
        taken = []
        for order, result in zip(orders, results, strict=True):
            if result.error is None:
                taken.append((order, result))
            else:
                self.failed(ledger, order, result)
        self.sent(ledger, taken)
        if taken or any(result.final for result in results):
            note_good(ledger, [self.channel])
        else:
            note_bad(ledger, self.channel, next(result.error or "" for result in results))
        ledger.write()
