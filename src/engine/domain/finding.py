"""What a message does against its profile: data, not an exception, for most of it is forwarded all the same."""

from dataclasses import dataclass
from enum import StrEnum

MEDCOM_ERRORS = "http://medcomfhir.dk/ig/terminology/CodeSystem/medcom-acknowledgement-error-codes"
HL7_ERRORS = "http://terminology.hl7.org/CodeSystem/operation-outcome"


class ErrorCode(StrEnum):
    """The codes of the value set medcom-acknowledgement-issue-details that the engine uses; spelt as published."""

    RECEIVER_UNKNOWN = "MSG_Receiver_Identifier_UNKNOWN"
    RECEIVER_MISSING = "MSG_Receiver_Identifier_MISSING"
    UNABLE_TO_RECEIVE_TYPE = "MSG_RECEIVER_UNABLE_TO_RECEIVE_MSG_TYPE"
    VALUE_UNKNOWN = "MSG_VALUESET_VALUE_UNKNOWN"
    CODE_SYSTEM_UNKNOWN = "MSG_CodeSystem_VALUE_UNKNOWN"
    ELEMENT_TOO_LONG = "MSG_Element_To_Long"
    DATATYPE_WRONG = "MSG_Datatype_Wrong"
    DAMAGED = "MSG_Damaged_durin_transport"
    DUPLICATE_ID = "MSG_DUPLICATE_ID"
    DATE_FORMAT = "MSG_DATE_FORMAT"
    RESOURCE_REQUIRED = "MSG_RESOURCE_REQUIRED"
    RESOURCE_NOT_ALLOWED = "MSG_RESOURCE_NOT_ALLOWED"
    NO_MATCH = "MSG_NO_MATCH"
    ID_INVALID = "MSG_ID_INVALID"
    BAD_SYNTAX = "MSG_BAD_SYNTAX"
    WRONG_NAMESPACE = "MSG_WRONG_NS"

    @property
    def system(self) -> str:
        """The code system of the code: MedCom's own, or HL7's operation-outcome."""
        return MEDCOM_ERRORS if self in _MEDCOM else HL7_ERRORS


_MEDCOM = frozenset(
    {
        ErrorCode.RECEIVER_UNKNOWN,
        ErrorCode.RECEIVER_MISSING,
        ErrorCode.UNABLE_TO_RECEIVE_TYPE,
        ErrorCode.VALUE_UNKNOWN,
        ErrorCode.CODE_SYSTEM_UNKNOWN,
        ErrorCode.ELEMENT_TOO_LONG,
        ErrorCode.DATATYPE_WRONG,
        ErrorCode.DAMAGED,
    }
)


class Severity(StrEnum):
    WARNING = "warning"  # worth knowing; never a reason to refuse
    ERROR = "error"  # breaks the profile: refused where `reject_invalid` is set
    BLOCKING = "blocking"  # routing or correlation is impossible: refused always


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    `path` is a FHIRPath-like element path ("Encounter.class", "VANSEnvelope.Message.Data").
    `text` is Danish, says what is wrong and what was expected, and never quotes personal data.
    """

    path: str
    code: ErrorCode
    text: str
    severity: Severity = Severity.ERROR
