"""What can become of what arrives: the outcomes of an envelope, and the reasons for quarantine."""

from enum import StrEnum


class Outcome(StrEnum):
    """What an incoming VANSEnvelope turned out to be."""

    ADVIS = "advis"  # a new advis, taken
    COPY = "copy"  # of an advis that is known
    REFUSED = "refused"  # answered by a fatal-error of Sundhedsagenten itself
    RECEIPT = "receipt"  # a VANS receipt for one of ours
    ACKNOWLEDGEMENT = "acknowledgement"  # an Acknowledgement from outside: never acknowledged
    CONFLICT = "conflict"  # claims to be a known advis, but is another's: quarantined
    REJECTED = "rejected"  # negative VANS receipt, quarantined


class QuarantineReason(StrEnum):
    NOT_AN_ENVELOPE = "not-an-envelope"
    TOO_LARGE = "too-large"
    FORBIDDEN_MARKUP = "forbidden-markup"
    DAMAGED_PAYLOAD = "damaged-payload"
    ENVELOPE_ID_REUSED = "envelope-id-reused"
    IDENTITY_CONFLICT = "identity-conflict"
    NOT_A_KVITTERING = "not-a-kvittering"
    INTERNAL_ERROR = "internal-error"

    @property
    def danish(self) -> str:
        return _DANISH[self]


_DANISH = {
    QuarantineReason.NOT_AN_ENVELOPE: "Filen er ikke en læsbar VANSEnvelope",
    QuarantineReason.TOO_LARGE: "Filen er større end tilladt",
    QuarantineReason.FORBIDDEN_MARKUP: "Filen indeholder en DTD eller en entitet",
    QuarantineReason.DAMAGED_PAYLOAD: "Konvoluttens indhold er ikke en læsbar FHIR-meddelelse",
    QuarantineReason.ENVELOPE_ID_REUSED: "Konvoluttens id er brugt før til en anden meddelelse",
    QuarantineReason.IDENTITY_CONFLICT: (
        "Samme MessageHeader.id er brugt før til en anden afsender, borger eller kontakt"
    ),
    QuarantineReason.NOT_A_KVITTERING: "Filen er ikke en læsbar MedComKvittering",
    QuarantineReason.INTERNAL_ERROR: "Sundhedsagenten kunne ikke behandle filen (intern fejl)",
}


class QuarantineDecision(StrEnum):
    """What a person decided about something in quarantine."""

    RETRIED = "retried"  # handed in again
    DISCARDED = "discarded"

    @property
    def danish(self) -> str:
        return {"retried": "prøvet igen", "discarded": "kasseret"}[self.value]
