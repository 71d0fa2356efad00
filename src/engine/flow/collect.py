"""Kvitteringer come in from the Beskedfordeler: matched to advis and receiver, settled, confirmed after the commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import structlog

from engine.domain.acknowledgement import Acknowledgement, Disposition
from engine.domain.events import EventKind, Level
from engine.domain.ids import SystemUuid, spellings
from engine.domain.intake import QuarantineReason
from engine.errors import WireError
from engine.flow.reading import Trouble, trouble_of
from engine.flow.settling import Arrived, apply_kvittering
from engine.flow.taking import PutAside, Taking
from engine.flow.trouble import told
from engine.ports import Delivery, Finished
from engine.store import known, tables
from engine.store.known import KnownAdvis
from engine.store.ledger import Ledger
from engine.wire import acknowledgement, beskedkuvert
from engine.wire.beskedkuvert import Haendelsesbesked

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kvittering:
    """One delivery from the Beskedfordeler, read: a besked with its Acknowledgement, or trouble."""

    delivery: Delivery
    besked: Haendelsesbesked | None = None
    acknowledgement: Acknowledgement | None = None
    system_uuid: SystemUuid | None = None
    sealed: bytes = b""
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """Whose kvittering it is, as far as that is known; `advis` and `receiver_id` go together."""

    kommune_code: str | None
    advis: KnownAdvis | None = None
    receiver_id: int | None = None
    receiver_name: str = ""
    reason: str = ""  # why there is no match


class Collect(Taking[Kvittering]):
    """Takes kvitteringer."""

    name: ClassVar[str] = "collect"
    channel: ClassVar[str] = "beskedfordeler"
    per_advis: ClassVar[int] = 3
    recorded_in = tables.kvittering

    def read(self, delivery: Delivery) -> Kvittering:
        if delivery.data is None:
            trouble = Trouble(QuarantineReason.TOO_LARGE, "Filen er større end grænsen og er ikke læst")
            return Kvittering(delivery, trouble=trouble)
        try:
            return self._read(delivery, delivery.data)
        except WireError as error:
            return Kvittering(delivery, trouble=trouble_of(error, QuarantineReason.NOT_A_KVITTERING))
        except Exception as error:  # noqa: BLE001 - a bug met by one message must not stop the others
            log.error("delivery-unreadable", delivery=delivery.key, **told(error))
            trouble = Trouble(QuarantineReason.INTERNAL_ERROR, f"Uventet fejl: {type(error).__name__}")
            return Kvittering(delivery, trouble=trouble)

    def _read(self, delivery: Delivery, data: bytes) -> Kvittering:
        besked = beskedkuvert.read(data)
        if besked.payload is None:
            trouble = Trouble(QuarantineReason.NOT_A_KVITTERING, besked.damage or "Beskeddata mangler")
            return Kvittering(delivery, besked, trouble=trouble)
        if besked.beskedtype != self._settings.beskedtype_medcomkvittering:
            log.warning("beskedtype-unexpected", delivery=delivery.key, beskedtype=besked.beskedtype)
        read = acknowledgement.read(besked.payload)
        return Kvittering(delivery, besked, read, self._system(besked), self._box.seal(besked.payload))

    def _system(self, besked: Haendelsesbesked) -> SystemUuid | None:
        """The first field that is there names the system: the Beskedfordeler's own word goes before the sender's."""
        found = (getattr(besked, name) for name in self._settings.kvittering.sender_fields)
        return next((system_uuid for system_uuid in found if system_uuid), None)

    def record(self, ledger: Ledger, items: Sequence[Kvittering], aside: PutAside) -> list[Finished]:
        matching = Matching(ledger, items)
        finished = []
        for item in items:
            if item.trouble is not None:
                finished.append(aside(item.delivery, item.trouble))
            else:
                _record_kvittering(ledger, item, matching.match(item))
                finished.append(Finished(item.delivery))
        return finished


class Matching:
    """Finds advis and receiver for the kvitteringer of one batch."""

    def __init__(self, ledger: Ledger, items: Sequence[Kvittering]) -> None:
        conn = ledger.tx.conn
        good = [item for item in items if item.acknowledgement is not None and item.besked is not None]
        self._kommuner = known.kommuner_by_cvr(
            conn, {cvr for item in good if item.besked for cvr in item.besked.cvrs}
        )
        self._receivers = known.receivers_by_uuid(
            conn, {item.system_uuid for item in good if item.system_uuid}
        )
        identifiers = {
            form
            for item in good
            if item.acknowledgement
            for form in spellings(item.acknowledgement.response_identifier)
        }
        self._advis: dict[str, list[KnownAdvis]] = {}
        for advis in known.advis_by_message_id(conn, identifiers):
            self._advis.setdefault(advis.message_id or "", []).append(advis)

    def match(self, item: Kvittering) -> Match:
        assert item.besked is not None
        assert item.acknowledgement is not None
        codes = (self._kommuner[cvr] for cvr in item.besked.cvrs if cvr in self._kommuner)
        kommune_code = next(codes, None)
        if item.system_uuid is None:
            return Match(kommune_code, reason="Beskeden siger ikke, hvilket system den kommer fra")
        candidates = [
            advis
            for form in spellings(item.acknowledgement.response_identifier)
            for advis in self._advis.get(form, ())
            if advis.kommune_code is not None and kommune_code in {None, advis.kommune_code}
        ]
        mine = [advis for advis in candidates if (advis.kommune_code, item.system_uuid) in self._receivers]
        if len(mine) == 1:
            receiver_id, name = self._receiver(mine[0], item.system_uuid)
            return Match(mine[0].kommune_code, mine[0], receiver_id, name)
        if mine:
            return Match(
                kommune_code, reason="Beskeden nævner ingen kommune, og flere kommuner har et sådant advis"
            )
        if candidates:
            return Match(kommune_code, reason=f"Systemet {item.system_uuid} er ikke registreret i kommunen")
        return Match(kommune_code, reason="Intet advis har det MessageHeader.id, der kvitteres for")

    def _receiver(self, advis: KnownAdvis, system_uuid: str) -> tuple[int, str]:
        """The receiver that was asked; a system that was removed and added again has more than one row."""
        assert advis.kommune_code is not None
        rows = self._receivers[advis.kommune_code, system_uuid]
        return next((row for row in rows if row[0] in advis.expected), rows[-1])


def _record_kvittering(ledger: Ledger, item: Kvittering, match: Match) -> None:
    assert item.besked is not None
    assert item.acknowledgement is not None
    read = item.acknowledgement
    payload_id = ledger.payload(item.sealed)
    disposition, reason = Disposition.UNMATCHED, match.reason or None
    if match.advis is not None and match.receiver_id is not None:
        due = match.advis.due.get(match.receiver_id)
        is_late = due is not None and ledger.now > due
        arrived = Arrived(
            match.receiver_id, match.receiver_name, read.code, payload_id, read.media_type, is_late
        )
        disposition, reason = apply_kvittering(ledger, match.advis, arrived)
    else:
        ledger.event(
            EventKind.KVITTERING_UNMATCHED,
            actor=item.system_uuid or "ukendt system",
            level=Level.WARNING,
            kommune_code=match.kommune_code,
            reason=match.reason,
            response_identifier=read.response_identifier,
            code=read.code.value,
        )
    ledger.add(
        tables.kvittering,
        id=ledger.tx.next_id("kvittering"),
        delivery_key=item.delivery.key,
        besked_id=item.besked.besked_id,
        received_at=ledger.now,
        kommune_code=match.kommune_code,
        system_uuid=item.system_uuid,
        response_identifier=read.response_identifier,
        code=read.code.value,
        media_type=read.media_type,
        disposition=disposition.value,
        reason=reason,
        receiver_id=match.receiver_id,
        advis_id=match.advis.id if match.advis else None,
        payload_id=payload_id,
    )
