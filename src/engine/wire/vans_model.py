"""What a VANSEnvelope says, as values; read and written by `vans_reading` and `vans_writing`."""

from dataclasses import dataclass
from enum import StrEnum

from engine.domain.finding import Finding

NAMESPACE = "urn:oio:medcom:vans-envelope:1.0.4"


class EndPointType(StrEnum):
    EAN = "EAN"
    CVR = "CVR"
    VANS = "VANS"


@dataclass(frozen=True, slots=True)
class EndPoint:
    type: EndPointType
    id: str


@dataclass(frozen=True, slots=True)
class MetaInformation:
    """Message/MetaInformation, and what a receipt repeats of it as OriginalMessage."""

    identifier: str  # the "MessageIdentifier"
    format: str = "HL7"
    name: str = ""  # "MCM:FDIS20#admit-inpatient", "MCM:FCTL#ok"
    version: str | None = None
    size_in_bytes: int = 0
    processing: tuple[str, str] | None = None  # ProviderIdentifier, ServiceIdentifier
    transport_type: str | None = None  # "reliable", "unreliable"; absent counts as reliable
    transform_message: bool | None = None
    service_tags: tuple[tuple[str, str], ...] = ()  # (name, value), e.g. ("MCM:MIME", "application/fhir+xml")

    @property
    def mime(self) -> str | None:
        return next((value for name, value in self.service_tags if name == "MCM:MIME"), None)


@dataclass(frozen=True, slots=True)
class Head:
    sender: EndPoint
    receiver: EndPoint
    envelope_id: str  # as sent; upper or lower case, and in practice not always a UUID
    sent_at: str  # as sent: may lack a zone


@dataclass(frozen=True, slots=True)
class MessageEnvelope:
    """An envelope with a Message.

    `data` is None where the base64 cannot be decoded; then `damage` says why (Danish).
    """

    head: Head
    meta: MetaInformation
    data: bytes | None
    damage: str | None
    findings: tuple[Finding, ...]


class ReceiptKind(StrEnum):
    POSITIVE_MESSAGE = "PositiveMessage"
    NEGATIVE_MESSAGE = "NegativeMessage"
    NEGATIVE_VANS = "NegativeVans"


@dataclass(frozen=True, slots=True)
class ReceiptEnvelope:
    """An envelope with a Receipt; `original_message_id` is None where OriginalMessage is left out."""

    head: Head
    kind: ReceiptKind
    original_envelope_id: str
    original_message_id: str | None
    error_code: int | None
    error_text: str | None
    findings: tuple[Finding, ...]
