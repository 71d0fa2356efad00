"""What hospitals and receivers have seen themselves: the proof, from outside, that nothing was lost."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from engine.domain.acknowledgement import ResponseCode
from engine.domain.ids import SystemUuid


class Lack(StrEnum):
    """What an advis still lacks."""

    RECEIPT = "receipt"  # no VANS receipt for one of its envelopes
    PUBLICATION = "publication"  # not in the dueslag of one of its receivers
    ANSWER = "answer"  # the primary gave its verdict, the hospital has not got it


@dataclass(frozen=True, slots=True, order=True)
class Missing:
    """One thing that has not come; `where` is the envelope's id or the system's UUID."""

    lack: Lack
    message_id: str
    where: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What happened so far, counted."""

    sent: int  # adviser, each once
    copies: int  # of them, sent again
    receipts: int  # positive VANS receipts
    negative_receipts: int
    published: int  # adviser that every receiver of their kommune has got
    deliveries: int  # Haendelsesbeskeder taken from a dueslag
    repeated_deliveries: int  # of them, of an advis that the receiver had already
    kvitteringer: Mapping[ResponseCode, int]
    answers: Mapping[ResponseCode, int]  # that hospitals got, each advis' verdict once
    repeated_answers: int  # the same verdict again
    answered: int  # adviser with a verdict
    receipts_for_answers: int  # VANS receipts given by hospitals
    altered: int  # payloads that reached a receiver other than they were sent
    altered_answers: int  # verdicts that no hospital got in the very bytes of the primary
    contradictions: int  # second verdicts that differ from the first
    unreadable: int  # files that could not be read
    unknown: int  # receipts, deliveries and answers of adviser that nobody sent
    awaiting_receipt: int
    awaiting_publication: int
    awaiting_answer: int


@dataclass(slots=True)
class _Advis:
    primary: SystemUuid
    awaited: set[SystemUuid]
    digests: set[bytes] = field(default_factory=set)
    delivered: set[SystemUuid] = field(default_factory=set)
    spoken: set[bytes] = field(default_factory=set)  # digests of the primary's final kvitteringer
    verdict: ResponseCode | None = None


class Ledger:
    """Written by the actors, read by everybody: what has happened, not what is intended."""

    def __init__(self) -> None:
        self._advis: dict[str, _Advis] = {}
        self._envelopes: dict[str, str] = {}  # those without receipt, and the advis in each
        self._all_envelopes: set[str] = set()
        self._unpublished: set[str] = set()
        self._owed: set[str] = set()
        self._unfaithful: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._kvitteringer: Counter[ResponseCode] = Counter()
        self._answers: Counter[ResponseCode] = Counter()

    def sent(
        self,
        message_id: str,
        envelope_id: str,
        data: bytes,
        *,
        primary: SystemUuid,
        systems: Iterable[SystemUuid],
    ) -> None:
        """A hospital has dropped an envelope; a known `message_id` makes it a copy."""
        if message_id in self._advis:
            self._counts["copies"] += 1
        else:
            self._counts["sent"] += 1
            self._advis[message_id] = _Advis(primary, set(systems))
            self._unpublished.add(message_id)
        self._advis[message_id].digests.add(sha256(data).digest())
        self._envelopes[envelope_id.lower()] = message_id
        self._all_envelopes.add(envelope_id.lower())

    def receipt(self, envelope_id: str, *, positive: bool) -> None:
        """A hospital has got a VANS receipt."""
        self._counts["receipts" if positive else "negative_receipts"] += 1
        if envelope_id.lower() not in self._all_envelopes:
            self._counts["unknown"] += 1
        if positive:
            self._envelopes.pop(envelope_id.lower(), None)

    def delivered(self, message_id: str, system: SystemUuid, payload: bytes) -> None:
        """A receiver has taken the advis from its dueslag."""
        self._counts["deliveries"] += 1
        advis = self._advis.get(message_id)
        if advis is None:
            self._counts["unknown"] += 1
            return
        if sha256(payload).digest() not in advis.digests:
            self._counts["altered"] += 1
        if system in advis.delivered:
            self._counts["repeated_deliveries"] += 1
        advis.delivered.add(system)
        if advis.awaited <= advis.delivered:
            self._unpublished.discard(message_id)

    def kvittering(self, message_id: str, system: SystemUuid, code: ResponseCode, data: bytes) -> None:
        """A receiver has dropped a kvittering."""
        self._kvitteringer[code] += 1
        advis = self._advis.get(message_id)
        if advis is not None and system == advis.primary and code.is_final:
            advis.spoken.add(sha256(data).digest())
            if advis.verdict is None:
                self._owed.add(message_id)

    def answer(self, message_id: str, code: ResponseCode, data: bytes) -> None:
        """A hospital has got an answer. Repeated ones have new ids and times; one must be the primary's."""
        advis = self._advis.get(message_id)
        if advis is None:
            self._counts["unknown"] += 1
        elif advis.verdict is None:
            self._answers[code] += 1
            if code.is_final:
                advis.verdict = code
                self._counts["answered"] += 1
                self._owed.discard(message_id)
                self._unfaithful.add(message_id)
        else:
            self._counts["repeated_answers" if code is advis.verdict else "contradictions"] += 1
        if advis is not None and sha256(data).digest() in advis.spoken:
            self._unfaithful.discard(message_id)

    def receipt_given(self) -> None:
        self._counts["receipts_for_answers"] += 1

    def unreadable(self) -> None:
        self._counts["unreadable"] += 1

    def has_verdict(self, message_id: str) -> bool:
        return self._advis[message_id].verdict is not None

    @property
    def settled(self) -> bool:
        """Nothing is on its way: each envelope has its receipt, each advis is out, each verdict is home."""
        return not (self._envelopes or self._unpublished or self._owed)

    def missing(self) -> tuple[Missing, ...]:
        """What is on its way or lost, sorted."""
        found = [Missing(Lack.RECEIPT, advis, envelope) for envelope, advis in self._envelopes.items()]
        for message_id in self._unpublished:
            advis = self._advis[message_id]
            found += [
                Missing(Lack.PUBLICATION, message_id, system) for system in advis.awaited - advis.delivered
            ]
        found += [
            Missing(Lack.ANSWER, message_id, self._advis[message_id].primary) for message_id in self._owed
        ]
        return tuple(sorted(found))

    @property
    def totals(self) -> Totals:
        counts = self._counts
        return Totals(
            sent=counts["sent"],
            copies=counts["copies"],
            receipts=counts["receipts"],
            negative_receipts=counts["negative_receipts"],
            published=len(self._advis) - len(self._unpublished),
            deliveries=counts["deliveries"],
            repeated_deliveries=counts["repeated_deliveries"],
            kvitteringer=dict(self._kvitteringer),
            answers=dict(self._answers),
            repeated_answers=counts["repeated_answers"],
            answered=counts["answered"],
            receipts_for_answers=counts["receipts_for_answers"],
            altered=counts["altered"],
            altered_answers=len(self._unfaithful),
            contradictions=counts["contradictions"],
            unreadable=counts["unreadable"],
            unknown=counts["unknown"],
            awaiting_receipt=len(self._envelopes),
            awaiting_publication=len(self._unpublished),
            awaiting_answer=len(self._owed),
        )
