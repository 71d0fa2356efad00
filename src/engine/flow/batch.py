"""What is known while one batch from VANS is decided: looked up in a few statements for all, then kept up to date in
memory, so that what one message changes, the next one in the batch sees.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from engine.domain.advis import HospitalNotification
from engine.domain.events import EventKind, Level
from engine.domain.intake import Outcome
from engine.domain.roster import Roster
from engine.flow.outgoing import order_receipt
from engine.flow.reading import Incoming
from engine.flow.taking import PutAside
from engine.settings import Settings
from engine.store import known, tables
from engine.store.known import KnownAdvis
from engine.store.ledger import Ledger
from engine.store.payloads import PayloadBox
from engine.wire.vans_envelope import EndPointType, MessageEnvelope, ReceiptKind

# The outbox sends a receipt that has not gone out as an answer by then: whoever should have answered has died.
_REPLY_FIRST = timedelta(seconds=10)


class Batch:
    """The facts, the ledger, and the rows that every outcome writes."""

    def __init__(
        self, ledger: Ledger, items: Sequence[Incoming], aside: PutAside, box: PayloadBox, settings: Settings
    ) -> None:
        self.ledger = ledger
        self.aside = aside
        self.box = box
        self.settings = settings
        conn = ledger.tx.conn
        envelopes = [item.envelope for item in items if item.envelope is not None]
        notifications = [
            item.message.notification
            for item in items
            if item.message is not None and item.message.notification
        ]
        addressees = [envelope.head.receiver for envelope in envelopes]
        self._rosters = known.rosters_by_address(
            conn,
            {point.id for point in addressees if point.type is not EndPointType.CVR},
            {point.id for point in addressees if point.type is EndPointType.CVR},
        )
        message_ids = {n.message_id for n in notifications if n.message_id is not None}
        self._advis = {
            (item.kommune_code or item.addressee, item.message_id): item
            for item in known.advis_by_message_id(conn, message_ids)
        }
        self._bundles = known.bundles_seen(
            conn, {n.bundle_id for n in notifications if n.bundle_id is not None}
        )
        self._envelopes = known.envelopes_by_sender(
            conn, {envelope.head.envelope_id for envelope in envelopes}
        )
        self._unmatched = known.unmatched_kvitteringer(conn, message_ids)
        self.heard: list[str] = []  # the kommune of every advis that came, copies too
        self._fresh_payloads: dict[int, bytes] = {}  # of this batch: no query can see them yet

    def roster(self, envelope: MessageEnvelope) -> Roster | None:
        """The connected kommune that the envelope is addressed to; routing goes by ReceiverID alone."""
        return self._rosters.get(envelope.head.receiver.id)

    def first_message_id(self, envelope: MessageEnvelope) -> str:
        """The VANS message identifier that this sender first used the envelope id with."""
        head = envelope.head
        return self._envelopes.setdefault((head.sender.id, head.envelope_id), envelope.meta.identifier)

    def advis_of(self, envelope: MessageEnvelope, notification: HospitalNotification) -> KnownAdvis | None:
        """The advis of the same kommune and MessageHeader.id; also one refused before the kommune was connected."""
        roster, message_id = self.roster(envelope), notification.message_id
        own = self._advis.get((roster.kommune_code, message_id)) if roster else None
        return own or self._advis.get((envelope.head.receiver.id, message_id))

    def remember_advis(self, advis: KnownAdvis, data: bytes) -> None:
        assert advis.payload_id is not None
        self._fresh_payloads[advis.payload_id] = data
        if advis.message_id is not None:
            self._advis[advis.kommune_code or advis.addressee, advis.message_id] = advis

    def message_of_bundle(self, bundle_id: str) -> str | None:
        """The MessageHeader.id that the Bundle.id came with first."""
        return self._bundles.get(bundle_id)

    def remember_bundle(self, notification: HospitalNotification) -> None:
        bundle_id, message_id = notification.bundle_id, notification.message_id
        if bundle_id is not None and message_id is not None and bundle_id not in self._bundles:
            self._bundles[bundle_id] = message_id
            self.ledger.add(tables.bundle_seen, bundle_id=bundle_id, message_id=message_id)

    def unmatched_of(self, advis: KnownAdvis) -> list[known.UnmatchedKvittering]:
        """Kvitteringer that came before their advis did."""
        return [
            item
            for item in self._unmatched.get(advis.message_id or "", ())
            if item.kommune_code in {None, advis.kommune_code}
        ]

    # --- payloads ---------------------------------------------------------------------------------------------------

    def store(self, data: bytes) -> int:
        """Seal and store; the payload's id."""
        payload_id = self.ledger.payload(self.box.seal(data))
        self._fresh_payloads[payload_id] = data
        return payload_id

    def stored(self, payload_id: int | None) -> bytes | None:
        """A payload's bytes; None where it was deleted after its time."""
        if payload_id is None:
            return None
        if payload_id in self._fresh_payloads:
            return self._fresh_payloads[payload_id]
        sealed = known.sealed_payload(self.ledger.tx.conn, payload_id)
        return None if sealed is None else self.box.open(sealed)

    # --- rows that every outcome writes -----------------------------------------------------------------------------

    def envelope_taken(
        self,
        item: Incoming,
        envelope: MessageEnvelope,
        outcome: Outcome,
        *,
        advis_id: int | None = None,
        payload_id: int | None = None,
        receipt: ReceiptKind = ReceiptKind.POSITIVE_MESSAGE,
        error_text: str | None = None,
    ) -> int:
        """Record the envelope and order its VANS receipt; the row's id."""
        row_id = self.ledger.tx.next_id("envelope_in")
        roster = self.roster(envelope)
        if roster is not None and outcome in {Outcome.ADVIS, Outcome.COPY}:
            self.heard.append(roster.kommune_code)
        head, meta = envelope.head, envelope.meta
        self.ledger.add(
            tables.envelope_in,
            id=row_id,
            delivery_key=item.delivery.key,
            received_at=self.ledger.now,
            sender_type=head.sender.type.value,
            sender_id=head.sender.id,
            receiver_type=head.receiver.type.value,
            receiver_id=head.receiver.id,
            envelope_id=head.envelope_id,
            message_id=meta.identifier,
            document_name=meta.name,
            outcome=outcome.value,
            advis_id=advis_id,
            payload_id=payload_id,
        )
        # Where the envelope came by HTTPS its receipt is the answer to the request (reply.py), within moments.
        later = self.ledger.now + _REPLY_FIRST if self.settings.takes_vans else None
        order_receipt(
            self.ledger,
            head,
            meta,
            receipt,
            envelope_in_id=row_id,
            advis_id=advis_id,
            error_text=error_text,
            next_at=later,
        )
        return row_id

    def event(self, kind: EventKind, advis: KnownAdvis, level: Level = Level.INFO, **data: Any) -> None:
        self.ledger.event(kind, level=level, advis_id=advis.id, kommune_code=advis.kommune_code, **data)
