"""Kvitteringer: response codes, and what one does to the row that waits for it (a table, tested in full)."""

from dataclasses import dataclass
from enum import StrEnum

from engine.domain.ids import BundleId, MessageId


class ResponseCode(StrEnum):
    """MessageHeader.response.code. MedCom's texts use the aliases AA/AE/AR both ways round: never build on them."""

    OK = "ok"
    TRANSIENT_ERROR = "transient-error"
    FATAL_ERROR = "fatal-error"

    @property
    def is_final(self) -> bool:
        return self is not ResponseCode.TRANSIENT_ERROR


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the engine reads from a FHIR Acknowledgement. Matched by `response_identifier` alone (MedCom GOV-052.2)."""

    bundle_id: BundleId | None
    message_id: MessageId | None
    response_identifier: MessageId
    code: ResponseCode
    issues: tuple[str, ...]  # codes and texts of OperationOutcome.issue; may hold clinical text: never logged
    media_type: str  # application/fhir+xml or application/fhir+json


class PendingState(StrEnum):
    """What became of one expected kvittering."""

    PENDING = "pending"
    OK = "ok"
    TRANSIENT_ERROR = "transient-error"
    FATAL_ERROR = "fatal-error"
    REMOVED = "removed"  # fjernet: the receiver left before it came; it is not waited for


class Disposition(StrEnum):
    """What a kvittering turned out to be."""

    SETTLED = "settled"  # the pending row got its answer
    DUPLICATE = "duplicate"  # says what was said before: changes nothing
    CONFLICT = "conflict"  # contradicts an earlier final one: recorded, not passed on
    UNEXPECTED = "unexpected"  # from a registered receiver that was not asked about this advis
    UNMATCHED = "unmatched"  # no such advis, or no such system: uafklaret

    @property
    def danish(self) -> str:
        return {
            "settled": "kvittering",
            "duplicate": "gentaget kvittering",
            "conflict": "modsiger den tidligere",
            "unexpected": "ikke spurgt",
            "unmatched": "uafklaret kvittering",
        }[self.value]


_P, _D = PendingState, Disposition
_R = ResponseCode

SETTLING: dict[tuple[PendingState, ResponseCode], tuple[PendingState, Disposition]] = {
    (_P.PENDING, _R.OK): (_P.OK, _D.SETTLED),
    (_P.PENDING, _R.TRANSIENT_ERROR): (_P.TRANSIENT_ERROR, _D.SETTLED),
    (_P.PENDING, _R.FATAL_ERROR): (_P.FATAL_ERROR, _D.SETTLED),
    (_P.REMOVED, _R.OK): (_P.OK, _D.SETTLED),
    (_P.REMOVED, _R.TRANSIENT_ERROR): (_P.TRANSIENT_ERROR, _D.SETTLED),
    (_P.REMOVED, _R.FATAL_ERROR): (_P.FATAL_ERROR, _D.SETTLED),
    (_P.TRANSIENT_ERROR, _R.OK): (_P.OK, _D.SETTLED),
    (_P.TRANSIENT_ERROR, _R.TRANSIENT_ERROR): (_P.TRANSIENT_ERROR, _D.DUPLICATE),
    (_P.TRANSIENT_ERROR, _R.FATAL_ERROR): (_P.FATAL_ERROR, _D.SETTLED),
    (_P.OK, _R.OK): (_P.OK, _D.DUPLICATE),
    (_P.OK, _R.TRANSIENT_ERROR): (_P.OK, _D.CONFLICT),
    (_P.OK, _R.FATAL_ERROR): (_P.OK, _D.CONFLICT),
    (_P.FATAL_ERROR, _R.OK): (_P.FATAL_ERROR, _D.CONFLICT),
    (_P.FATAL_ERROR, _R.TRANSIENT_ERROR): (_P.FATAL_ERROR, _D.CONFLICT),
    (_P.FATAL_ERROR, _R.FATAL_ERROR): (_P.FATAL_ERROR, _D.DUPLICATE),
}
"""behaviour: a transient-error may come before a final answer, never after it; the first final answer stands;
a receiver that was removed may still answer."""


def settle(state: PendingState, code: ResponseCode) -> tuple[PendingState, Disposition]:
    """What a kvittering with `code` does to a row in `state`."""
    return SETTLING[state, code]
