"""What is read from a delivery before any transaction: parsing holds no lock."""

from dataclasses import dataclass
from typing import Final

import structlog

from engine.domain.advis import HospitalNotification
from engine.domain.intake import QuarantineReason
from engine.errors import ForbiddenMarkup, TooLarge, WireError
from engine.flow.trouble import told
from engine.ports import Delivery
from engine.store.json_text import to_json
from engine.store.payloads import PayloadBox
from engine.wire import fhir, hospital_notification, vans_envelope
from engine.wire.fhir import Bundle
from engine.wire.hospital_notification import MessageKind
from engine.wire.vans_envelope import MessageEnvelope, ReceiptEnvelope

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a delivery cannot be taken; `detail` is Danish and free of personal data."""

    reason: QuarantineReason
    detail: str


@dataclass(frozen=True, slots=True)
class FhirMessage:
    """The FHIR message of an envelope. `notification` is there where it is a HospitalNotification."""

    bundle: Bundle
    data: bytes
    kind: MessageKind
    notification: HospitalNotification | None
    sealed: bytes
    sealed_person: bytes | None
    cpr_hash: str | None


@dataclass(frozen=True, slots=True)
class Incoming:
    """One delivery from VANS, read: an envelope with its message or trouble, or a receipt, or trouble alone."""

    delivery: Delivery
    envelope: MessageEnvelope | None = None
    receipt: ReceiptEnvelope | None = None
    message: FhirMessage | None = None
    trouble: Trouble | None = None


_NO_DATA: Final = "Filen er større end grænsen og er ikke læst"


def read_delivery(delivery: Delivery, box: PayloadBox) -> Incoming:
    """Read a delivery from VANS. Never raises: what goes wrong is trouble, and the deliveries beside it go on."""
    if delivery.data is None:
        return Incoming(delivery, trouble=Trouble(QuarantineReason.TOO_LARGE, _NO_DATA))
    try:
        return _read(delivery, delivery.data, box)
    except Exception as error:  # noqa: BLE001 - a bug met by one message must not stop the others
        # The traceback could quote the message: only the kind of error and the place are logged.
        log.error("delivery-unreadable", delivery=delivery.key, **told(error))
        trouble = Trouble(QuarantineReason.INTERNAL_ERROR, f"Uventet fejl: {type(error).__name__}")
        return Incoming(delivery, trouble=trouble)


def _read(delivery: Delivery, data: bytes, box: PayloadBox) -> Incoming:
    try:
        envelope = vans_envelope.read(data)
    except WireError as error:
        return Incoming(delivery, trouble=trouble_of(error, QuarantineReason.NOT_AN_ENVELOPE))
    if isinstance(envelope, ReceiptEnvelope):
        return Incoming(delivery, receipt=envelope)
    if envelope.data is None:
        trouble = Trouble(QuarantineReason.DAMAGED_PAYLOAD, envelope.damage or "Indholdet mangler")
        return Incoming(delivery, envelope, trouble=trouble)
    try:
        message = _read_message(envelope.data, envelope.meta.name, box)
    except WireError as error:
        trouble = Trouble(QuarantineReason.DAMAGED_PAYLOAD, str(error))
        return Incoming(delivery, envelope, trouble=trouble)
    return Incoming(delivery, envelope, message=message)


def _read_message(data: bytes, document_name: str, box: PayloadBox) -> FhirMessage:
    bundle = fhir.read_bundle(data)
    kind = hospital_notification.kind_of(bundle, document_name)
    sealed = box.seal(data)
    if kind is not MessageKind.HOSPITAL_NOTIFICATION:
        return FhirMessage(bundle, data, kind, None, sealed, None, None)
    notification = hospital_notification.read(bundle)
    if notification.cpr is None:
        return FhirMessage(bundle, data, kind, notification, sealed, None, None)
    person = to_json({"cpr": notification.cpr, "name": notification.patient_name})
    return FhirMessage(
        bundle, data, kind, notification, sealed, box.seal(person.encode()), box.cpr_hash(notification.cpr)
    )


def trouble_of(error: WireError, otherwise: QuarantineReason) -> Trouble:
    """The quarantine reason for a WireError; `otherwise` for bytes that are not what the channel carries."""
    match error:
        case ForbiddenMarkup():
            return Trouble(QuarantineReason.FORBIDDEN_MARKUP, str(error))
        case TooLarge():
            return Trouble(QuarantineReason.TOO_LARGE, str(error))
        case _:
            return Trouble(otherwise, str(error))
