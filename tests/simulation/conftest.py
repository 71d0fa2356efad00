"""A stand-in for the engine, as small as can be: enough to give the actors something to talk to."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from engine.domain.acknowledgement import ResponseCode
from engine.domain.finding import Severity
from engine.domain.ids import Cvr, MessageId, SystemUuid, besked_id
from engine.home import Home
from engine.simulation import SimKommune, folders
from engine.simulation.made_up import made_up_id
from engine.simulation.resources import instant
from engine.wire import acknowledgement, beskedkuvert, fhir, hospital_notification, vans_envelope

BESKEDTYPE = "11111111-1111-4111-8111-111111111111"
CVR = Cvr("64942212")
START = datetime(2025, 3, 14, 8, 0, tzinfo=UTC)


class FakeEngine:
    """Receipts all, publishes the first of each advis, passes on the primary's first final kvittering."""

    def __init__(self, home: Home, roster: Sequence[SimKommune]) -> None:
        self.home = home
        self.roster = {kommune.gln: kommune for kommune in roster}
        self.loses_every = 0  # every so many adviser are receipted and then forgotten
        self.scribbles = False  # what it passes on gets a line feed at its end
        self.senders: dict[str, vans_envelope.Head] = {}
        self.primaries: dict[str, SystemUuid] = {}
        self.answers: dict[str, bytes] = {}
        self.receipted: list[str] = []
        self.codes: list[ResponseCode] = []
        self.made = 0

    def step(self, now: datetime) -> None:
        for path in list(folders.waiting(self.home.vans_in)):
            envelope = vans_envelope.read(path.read_bytes())
            path.unlink()
            if isinstance(envelope, vans_envelope.ReceiptEnvelope):
                self.receipted.append(envelope.original_envelope_id)
            else:
                self._receive(envelope, now)
        for path in list(folders.waiting(self.home.afsend)):
            besked = beskedkuvert.read(path.read_bytes())
            path.unlink()
            self._collect(besked, now)

    def _receive(self, envelope: vans_envelope.MessageEnvelope, now: datetime) -> None:
        assert envelope.data is not None
        assert all(finding.severity is Severity.WARNING for finding in envelope.findings)
        head = self._head(envelope.head, now)
        positive = vans_envelope.ReceiptKind.POSITIVE_MESSAGE
        receipt = vans_envelope.write_receipt(head, positive, envelope.head.envelope_id, envelope.meta)
        folders.drop(self.home.vans_out, head.envelope_id, receipt)
        bundle = fhir.read_bundle(envelope.data)
        message_id = hospital_notification.read(bundle).message_id
        assert message_id is not None
        if message_id in self.answers:
            self._send(message_id, now)
        if message_id in self.senders:
            return
        self.senders[message_id] = envelope.head
        if self.loses_every and len(self.senders) % self.loses_every == 0:
            return
        kommune = self.roster[envelope.head.receiver.id]
        self.primaries[message_id] = kommune.primary.uuid
        for receiver in kommune.receivers:
            folder = self.home.dueslag / receiver.uuid
            folder.mkdir(parents=True, exist_ok=True)
            folders.drop(folder, message_id, self._kuvert(message_id, envelope.data, bundle, now))

    def _kuvert(self, message_id: MessageId, data: bytes, bundle: fhir.Bundle, now: datetime) -> bytes:
        return beskedkuvert.write_sygehusophold(
            beskedkuvert.Sygehusophold(
                besked_id=besked_id(CVR, message_id),
                transaction_id=made_up_id("transaction", message_id),
                beskedtype=BESKEDTYPE,
                agent_system_uuid=SystemUuid(made_up_id("agent")),
                kommune_cvr=CVR,
                message_id=message_id,
                cpr=None,
                registered_at=now,
                made_at=now,
                valid_from=now,
                payload=self._perhaps_changed(data),
                media_type=bundle.media_type,
                encoding=bundle.encoding,
            )
        )

    def _collect(self, besked: beskedkuvert.Haendelsesbesked, now: datetime) -> None:
        assert besked.beskedtype == BESKEDTYPE
        assert besked.cvrs[0] == CVR
        assert besked.payload is not None
        answer = acknowledgement.read(besked.payload)
        message_id = answer.response_identifier
        assert besked.related_besked_ids == (besked_id(CVR, message_id),)
        self.codes.append(answer.code)
        primary = besked.besked_ansvarlig_aktoer == self.primaries[message_id]
        if primary and message_id not in self.answers:
            self.answers[message_id] = self._perhaps_changed(besked.payload)
            self._send(message_id, now)
            if not answer.code.is_final:
                del self.answers[message_id]

    def _perhaps_changed(self, data: bytes) -> bytes:
        return data + b"\n" if self.scribbles else data

    def _send(self, message_id: str, now: datetime) -> None:
        head = self._head(self.senders[message_id], now)
        meta = vans_envelope.MetaInformation(made_up_id("answer", message_id), name="MCM:FCTL#ok")
        data = vans_envelope.write_message(head, meta, self.answers[message_id])
        folders.drop(self.home.vans_out, head.envelope_id, data)

    def _head(self, to: vans_envelope.Head, now: datetime) -> vans_envelope.Head:
        self.made += 1
        return vans_envelope.Head(to.receiver, to.sender, made_up_id("from engine", self.made), instant(now))


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    for folder in home.folders:
        folder.mkdir(parents=True)
    return home


@pytest.fixture
def make_engine():
    return FakeEngine


@pytest.fixture
def start():
    return START


@pytest.fixture
def beskedtype():
    return BESKEDTYPE
