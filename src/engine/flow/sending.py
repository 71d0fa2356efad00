"""What publish and answer share: claim what is due, make each message, send them, and record each one's result."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

import structlog
from sqlalchemy import Connection, Table

from engine.clock import Clock, Steady
from engine.domain import pulse
from engine.flow.claims import Claims, still_held
from engine.flow.pauses import pause
from engine.flow.timekeeping import open_ledger
from engine.flow.trouble import told
from engine.ports import SendResult
from engine.settings import Settings
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger
from engine.store.payloads import PayloadBox
from engine.store.pulse import note_bad, note_good, of_all, pulses

log = structlog.get_logger(__name__)

_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_REST = timedelta(seconds=30)
# What is handed to the other side at once: enough to keep it busy, and little enough to look at the time in between.
_SLICE = 100
_UNTRIED = SendResult("Der var ikke tid til at sende", tried=False)
M = TypeVar("M")


class Sending(ABC, Generic[M]):
    """A station that empties an outbox table; its rows have id, attempts, next_at, claimed_by and claimed_until."""

    name: ClassVar[str]
    outbox: ClassVar[Table]
    claims: ClassVar[Claims]
    channel: ClassVar[str]  # domain.pulse
    claims_alone: ClassVar[bool] = (
        False  # whether claims wait for each other: where they look at rows beside theirs
    )

    def __init__(
        self, db: Database, box: PayloadBox, clock: Clock, settings: Settings, owner: str, holder: str = ""
    ) -> None:
        self._db = db
        self._box = box
        self._clock = clock
        self._settings = settings
        self._owner = owner
        # A line that is dead here may be well in another engine.
        self._pulse = pulse.own(self.channel, holder)
        self._good_at = clock.now()  # the last success from here; nobody's before it count
        self._failures = 0  # in a row, of whole batches while others are at work
        self._failed_at: Steady | None = None  # the last of them

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
        if self._rests():
            return 0
        if self.claims_alone and not await self._db.read(self._is_any_due):
            return 0  # nobody was held up for that
        begun = self._clock.steady()  # before the lease is
        claimed, orders = await self._db.claim(self._claim, alone=self.claims_alone)
        if orders:
            results = await self._send(orders, begun)
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

    def _is_any_due(self, conn: Connection) -> bool:
        return self.claims.is_any_due(conn, owner=self._owner, now=self._clock.now())

    def _claim(self, tx: Tx) -> tuple[int, Sequence[Any]]:
        now, lease = self._clock.now(), self._settings.engine.lease
        ids = self.claims.claim(tx, owner=self._owner, now=now, lease=lease, limit=self.limit)
        return (len(ids), self.orders(tx, ids)) if ids else (0, ())

    async def _send(self, orders: Sequence[Any], begun: Steady) -> list[SendResult]:
        """One result per order. What there is no time for before the claims expire is not tried: others may have it."""
        results: list[SendResult] = []
        for first in range(0, len(orders), _SLICE):
            part = orders[first : first + _SLICE]
            made = await asyncio.to_thread(self._made_all, part)
            if self._is_too_late(begun) and (results or self._db.is_shared):
                break  # where nobody else can have it, some is sent at whatever pace
            results += await self._send_made(made)
        return results + [_UNTRIED] * (len(orders) - len(results))

    def _is_too_late(self, begun: Steady) -> bool:
        return self._clock.steady().since(begun) > self._settings.begin_within

    async def _send_made(self, made: Sequence[M | SendResult]) -> list[SendResult]:
        """One whose message cannot be made fails alone, and does not hold up those beside it."""
        messages = [message for message in made if not isinstance(message, SendResult)]
        results = iter(await self._send_in_time(messages) if messages else ())
        return [message if isinstance(message, SendResult) else next(results) for message in made]

    async def _send_in_time(self, messages: Sequence[M]) -> Sequence[SendResult]:
        try:
            async with asyncio.timeout(self._settings.send_within_s):
                return await self.send(messages)
        except TimeoutError:
            return [SendResult("Intet svar inden for tiden")] * len(messages)

    def _made_all(self, orders: Sequence[Any]) -> list[M | SendResult]:
        return [self._made(order) for order in orders]

    def _made(self, order: Any) -> M | SendResult:
        try:
            return self.make(order)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with this one, the others go on
            log.error("message-not-made", station=self.name, row=order.id, **told(error))
            return SendResult(f"Meddelelsen kan ikke dannes ({type(error).__name__})")

    def _record(self, tx: Tx, orders: Sequence[Any], results: Sequence[SendResult]) -> None:
        ledger = open_ledger(tx, self._clock)
        taken, held = [], still_held(tx, self.outbox, self._owner, [order.id for order in orders])
        for order, result in zip(orders, results, strict=True):
            if order.id not in held:
                log.warning("claim-lost", station=self.name, row=order.id)
            elif result.error is None:
                taken.append((order, result))
            elif not result.tried:
                ledger.change(self.outbox, {"id": order.id}, claimed_by=None, claimed_until=None)
            else:
                self.failed(ledger, order, result)
        self.sent(ledger, taken)
        self._note(ledger, [result for result in results if result.tried])
        ledger.write()

    def _note(self, ledger: Ledger, tried: Sequence[SendResult]) -> None:
        """How the channel does, and whether the trouble is this engine's own."""
        if any(result.error is None or result.final for result in tried):
            note_good(ledger, [self._pulse])
            self._good_at, self._failures = ledger.now, 0
        elif tried:
            if self._db.is_shared:
                self._leave_to_others(ledger.tx.conn)
            note_bad(ledger, self._pulse, tried[0].error or "")

    def _leave_to_others(self, conn: Connection) -> None:
        """What fails here must not be taken all the time from an engine that succeeds, or may.

        Where others have not succeeded either since this one last did, it rests no longer than a failed row does.
        """
        from engine.store.postgresql import engines_on  # noqa: PLC0415 - needed only where it is chosen

        known = of_all(pulses(conn), self.channel)
        if known and known.good_at and known.good_at > self._good_at:
            self._failures += 1
        elif engines_on(conn) > 1:
            self._failures = max(self._failures, 1)
        self._failed_at = self._clock.steady()

    def _rests(self) -> bool:
        if not self._failures or self._failed_at is None:
            return False
        rest = pause(self._failures, _FIRST_PAUSE, _LONGEST_REST)
        return self._clock.steady().since(self._failed_at) < rest
