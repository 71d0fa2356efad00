"""What the flow needs from outside, as narrow protocols. Links implement them; the flow knows nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as a link hands it over.

    `key` names this very delivery: the same key again is the same delivery after a crash, another key is another
    delivery, whatever it holds. `data` is None where there was more than the limit; it was not read then.
    """

    key: str
    name: str
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Finished:
    """A delivery that the engine has committed. With a `quarantine` name it could not be taken: it is put aside under
    that name, with the `note` beside it.
    """

    delivery: Delivery
    quarantine: str | None = None
    note: Mapping[str, Any] = field(default_factory=dict)


class Inbox(Protocol):
    """Where messages come from: VANS, or the kvitteringer on the Beskedfordeler."""

    async def take(self, limit: int) -> Sequence[Delivery]:
        """Up to `limit` deliveries that wait and are not in hand already. Empty when there are none."""
        ...

    async def finish(self, finished: Sequence[Finished]) -> None:
        """Confirm after the commit: the sender's copy may go now."""
        ...

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """What was taken could not be handled now: `take` may give it again."""
        ...


@dataclass(frozen=True, slots=True)
class OutgoingEnvelope:
    envelope_id: str
    receiver_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class OutgoingBesked:
    """One Haendelsesbesked. `receivers` are the systems whose dueslag a link without a Beskedfordeler must fill."""

    besked_id: str
    transaction_id: str
    kommune_cvr: str
    receivers: tuple[str, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class SendResult:
    """None: taken over by the other side. Otherwise what went wrong, in Danish and without personal data."""

    error: str | None = None


class VansOutbox(Protocol):
    async def send(self, envelopes: Sequence[OutgoingEnvelope]) -> Sequence[SendResult]:
        """One result per envelope, in order. The same envelope may come again after a crash: it carries the same id."""
        ...


class Beskedfordeler(Protocol):
    async def publish(self, beskeder: Sequence[OutgoingBesked]) -> Sequence[SendResult]:
        """One result per besked, in order; no error means StatusKode 20. A retry carries the same BeskedId."""
        ...
