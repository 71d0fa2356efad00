"""What the flow needs from outside, as narrow protocols. Links implement them; the flow knows nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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

    async def oldest(self) -> datetime | None:
        """Since when the oldest delivery that is not finished has lain there; None where there is none."""
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
    """None: taken over by the other side. Otherwise what went wrong, in Danish and without personal data.

    `final`: the other side will never take it; trying again is of no use. Not `tried`: nothing was sent just now,
    for there was no time for it, or (without an error) for it had been taken before.
    """

    error: str | None = None
    final: bool = False
    tried: bool = True
    external_id: str | None = None  # what the other side calls it, where it says


class VansOutbox(Protocol):
    async def send(self, envelopes: Sequence[OutgoingEnvelope]) -> Sequence[SendResult]:
        """One result per envelope, in order. The same envelope may come again after a crash: it carries the same id."""
        ...


class Beskedfordeler(Protocol):
    async def publish(self, beskeder: Sequence[OutgoingBesked]) -> Sequence[SendResult]:
        """One result per besked, in order; no error means StatusKode 20. A retry carries the same BeskedId."""
        ...


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """One mail to one address. `message_id` (without angle brackets) and `ordered_at` are the same on every attempt."""

    message_id: str
    address: str
    subject: str
    text: str
    html: str
    ordered_at: datetime


class MailOutbox(Protocol):
    async def send(self, mails: Sequence[OutgoingMail]) -> Sequence[SendResult]:
        """One result per mail, in order. After a crash the same mail may come again, with the same Message-ID."""
        ...

    async def close(self) -> None:
        """Let go of the connection, where there is one."""
        ...


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """A message for the status page. `external_id` names the page's own incident after the first one."""

    key: str  # the same on every attempt
    external_id: str | None
    title: str
    phase: str  # domain.incident.Phase
    text: str


class StatusPage(Protocol):
    async def post(self, updates: Sequence[StatusUpdate]) -> Sequence[SendResult]:
        """One result per update, in order; `external_id` is the page's name of the incident."""
        ...


@dataclass(frozen=True, slots=True)
class CertificateLook:
    """One of our own certificates as its files are now. `use` is one of domain.expiry.USES.

    `fault`: why it cannot be used, Danish; nothing else is known of it then.
    """

    use: str
    file: str
    fingerprint: str | None = None
    expires_at: datetime | None = None
    fault: str | None = None


class Certificates(Protocol):
    """Our own certificates, in files that may be replaced at any time."""

    @property
    def holder(self) -> str:
        """Where these files lie, where several engines have files of their own; else empty."""
        ...

    def look(self) -> Sequence[CertificateLook]:
        """Each as it is now. It reads files, and never raises."""
        ...
