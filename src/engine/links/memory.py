"""Links that hold everything in memory: for tests that drive the engine by hand, and for measuring the engine alone."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from engine.ports import (
    Delivery,
    Finished,
    OutgoingBesked,
    OutgoingEnvelope,
    OutgoingMail,
    SendResult,
    StatusUpdate,
)


class MemoryInbox:
    """An inbox to which tests append; what is finished is kept for them to read."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()
        self._serial = 0
        self.finished: list[Finished] = []
        self.oldest_at: datetime | None = None  # set by tests: there is no clock here

    def drop(self, data: bytes | None, name: str = "", key: str = "") -> Delivery:
        """Add one delivery; without a key it is a new one."""
        self._serial += 1
        delivery = Delivery(key or f"delivery-{self._serial}", name or f"{self._serial}.xml", data)
        self._waiting.append(delivery)
        return delivery

    async def take(self, limit: int) -> Sequence[Delivery]:
        return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]

    async def finish(self, finished: Sequence[Finished]) -> None:
        self.finished.extend(finished)

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        self._waiting.extendleft(reversed(deliveries))

    async def oldest(self) -> datetime | None:
        return self.oldest_at

    @property
    def quarantined(self) -> list[Finished]:
        return [item for item in self.finished if item.quarantine is not None]


def _accept(_message: object) -> SendResult:
    return SendResult()


class MemoryVansOutbox:
    """Keeps what was sent; `verdict` says what becomes of each envelope."""

    def __init__(self, verdict: Callable[[OutgoingEnvelope], SendResult] = _accept) -> None:
        self.sent: list[OutgoingEnvelope] = []
        self.verdict = verdict

    async def send(self, envelopes: Sequence[OutgoingEnvelope]) -> Sequence[SendResult]:
        results = [self.verdict(envelope) for envelope in envelopes]
        self.sent += [e for e, result in zip(envelopes, results, strict=True) if result.error is None]
        return results


class MemoryBeskedfordeler:
    """Keeps what was published; `verdict` says what becomes of each besked."""

    def __init__(self, verdict: Callable[[OutgoingBesked], SendResult] = _accept) -> None:
        self.published: list[OutgoingBesked] = []
        self.verdict = verdict

    async def publish(self, beskeder: Sequence[OutgoingBesked]) -> Sequence[SendResult]:
        results = [self.verdict(besked) for besked in beskeder]
        self.published += [b for b, result in zip(beskeder, results, strict=True) if result.error is None]
        return results


class MemoryMail:
    """Keeps what was sent; `verdict` says what becomes of each mail."""

    def __init__(self, verdict: Callable[[OutgoingMail], SendResult] = _accept) -> None:
        self.sent: list[OutgoingMail] = []
        self.verdict = verdict

    async def send(self, mails: Sequence[OutgoingMail]) -> Sequence[SendResult]:
        results = [self.verdict(mail) for mail in mails]
        self.sent += [mail for mail, result in zip(mails, results, strict=True) if result.error is None]
        return results

    async def close(self) -> None:
        pass


class MemoryStatusPage:
    """Keeps what was posted; `verdict` says what becomes of each update."""

    def __init__(self, verdict: Callable[[StatusUpdate], SendResult] = _accept) -> None:
        self.posted: list[StatusUpdate] = []
        self.verdict = verdict

    async def post(self, updates: Sequence[StatusUpdate]) -> Sequence[SendResult]:
        results = [self.verdict(update) for update in updates]
        self.posted += [u for u, result in zip(updates, results, strict=True) if result.error is None]
        return results
