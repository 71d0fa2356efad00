"""The hospitals and their VANS: send adviser, repeat what is not answered, take answers and receipt them."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.domain.acknowledgement import ResponseCode
from engine.domain.ids import Gln
from engine.errors import WireError
from engine.simulation.envelopes import hn_envelope, receipt_for
from engine.simulation.ledger import Ledger
from engine.simulation.made_up import dice, made_up_id
from engine.simulation.mailbox import Mailbox
from engine.simulation.messages import HnSpec, hn_bytes
from engine.simulation.resources import instant
from engine.simulation.roster import SimKommune, omits_zone
from engine.simulation.stays import form_of
from engine.wire import acknowledgement, vans_envelope

RESEND_AFTER = timedelta(minutes=30)  # MedCom: where no Acknowledgement has come
RESEND_AFTER_TRANSIENT = timedelta(minutes=10)
MOST_COPIES = 2  # MedCom GOV-020
NEEDLESS_COPY_SHARE = 0.03  # of the adviser: sent again after 30 minutes though they are answered


@dataclass(slots=True)
class _Letter:
    spec: HnSpec
    needless: bool  # will be sent again whether it is answered or not
    due: datetime
    copies: int = 0


class Hospitals:
    """All hospitals of the roster's regions: they share the VANS, so they share its mailbox."""

    def __init__(
        self,
        mailbox: Mailbox,
        roster: Sequence[SimKommune],
        plan: Iterator[HnSpec],
        *,
        seed: int,
        ledger: Ledger,
    ) -> None:
        self._mailbox = mailbox
        self._kommuner: dict[str, SimKommune] = {kommune.gln: kommune for kommune in roster}
        self._plan = plan
        self._next: HnSpec | None = next(plan, None)
        self._seed = seed
        self._ledger = ledger
        self._letters: dict[str, _Letter] = {}
        self._timers: list[tuple[datetime, str]] = []
        self._receipts = 0
        self._resending = True

    def step(self, now: datetime) -> None:
        """Do what is due by `now`."""
        while self._next is not None and self._next.sent_at <= now:
            self._post(self._next, now)
            self._next = next(self._plan, None)
        while self._resending and self._timers and self._timers[0][0] <= now:
            due, message_id = heapq.heappop(self._timers)
            self._perhaps_again(message_id, due, now)
        for name, data in self._mailbox.fetch():
            try:
                self._collect(data, now)
            except WireError:
                self._mailbox.left(name)
                self._ledger.unreadable()
            else:
                self._mailbox.taken(name)

    def stop_sending(self) -> None:
        """No new adviser from now on; copies still go out."""
        self._next = None

    def stop_resending(self) -> None:
        self._resending = False

    @property
    def sent_all(self) -> bool:
        """No new advis will come."""
        return self._next is None

    def _post(self, spec: HnSpec, now: datetime) -> None:
        needless = dice(self._seed, "needless", spec.message_id).random() < NEEDLESS_COPY_SHARE
        self._letters[spec.message_id] = _Letter(spec, needless, now)
        self._send(spec, 0)
        self._remind(spec.message_id, now + RESEND_AFTER)

    def _send(self, spec: HnSpec, copy: int) -> None:
        media_type, encoding = form_of(spec)
        data = hn_bytes(spec, media_type, encoding)
        envelope_id = made_up_id("envelope", spec.message_id, copy)
        sent_at = instant(spec.sent_at)
        name = envelope_id
        if omits_zone(spec.hospital):
            envelope_id, sent_at = envelope_id.upper(), sent_at[:19]
        envelope = hn_envelope(spec, data, envelope_id=envelope_id, media_type=media_type, sent_at=sent_at)
        kommune = self._kommuner[Gln(spec.kommune.gln or "")]
        self._ledger.sent(
            spec.message_id,
            envelope_id,
            data,
            primary=kommune.primary.uuid,
            systems=[receiver.uuid for receiver in kommune.receivers],
        )
        self._mailbox.send(name, envelope)

    def _remind(self, message_id: str, due: datetime) -> None:
        self._letters[message_id].due = due
        heapq.heappush(self._timers, (due, message_id))

    def _perhaps_again(self, message_id: str, due: datetime, now: datetime) -> None:
        letter = self._letters.get(message_id)
        if letter is None or letter.due != due:  # another reminder has taken this one's place
            return
        answered = self._ledger.has_verdict(message_id)
        if (answered and not letter.needless) or letter.copies >= MOST_COPIES:
            del self._letters[message_id]
            return
        letter.needless = False
        letter.copies += 1
        bundle_id = made_up_id("copy", message_id, letter.copies)
        self._send(letter.spec.resent(bundle_id=bundle_id, at=now), letter.copies)
        self._remind(message_id, now + RESEND_AFTER)

    def _collect(self, data: bytes, now: datetime) -> None:
        envelope = vans_envelope.read(data)
        if isinstance(envelope, vans_envelope.ReceiptEnvelope):
            positive = envelope.kind is vans_envelope.ReceiptKind.POSITIVE_MESSAGE
            self._ledger.receipt(envelope.original_envelope_id, positive=positive)
            return
        content = envelope.data or b""
        answer = acknowledgement.read(content)
        self._ledger.answer(answer.response_identifier, answer.code, content)
        letter = self._letters.get(answer.response_identifier)
        if answer.code is ResponseCode.TRANSIENT_ERROR and letter is not None:
            self._remind(answer.response_identifier, now + RESEND_AFTER_TRANSIENT)
        self._receipts += 1
        envelope_id = made_up_id("receipt", self._seed, envelope.head.envelope_id, self._receipts)
        self._mailbox.send(envelope_id, receipt_for(envelope, envelope_id=envelope_id, at=now))
        self._ledger.receipt_given()
