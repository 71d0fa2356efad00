"""The advis: the 18 codes, and what the engine knows of one HospitalNotification.

The short codes (STIN …) never stand in a message; they are derived from the current Provenance's activity,
Patient.deceased and the Encounter (MedCom, Overview of HospitalNotification codes).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.domain.finding import Finding
from engine.domain.ids import BundleId, MessageId


class AdvisCode(StrEnum):
    STAA = "STAA"
    RE_STAA = "RE_STAA"
    AN_STAA = "AN_STAA"
    STIN = "STIN"
    RE_STIN = "RE_STIN"
    AN_STIN = "AN_STIN"
    STOR = "STOR"
    RE_STOR = "RE_STOR"
    AN_STOR = "AN_STOR"
    SLOR = "SLOR"
    RE_SLOR = "RE_SLOR"
    AN_SLOR = "AN_SLOR"
    SLHJ = "SLHJ"
    RE_SLHJ = "RE_SLHJ"
    AN_SLHJ = "AN_SLHJ"
    MORS = "MORS"
    RE_MORS = "RE_MORS"
    AN_MORS = "AN_MORS"

    @property
    def danish(self) -> str:
        """MedCom's Danish display text."""
        text = _BASE_TEXT[self.value[-4:]]
        return {"RE": f"Rettelse: {text}", "AN": f"Annullering: {text}"}.get(self.value[:-5], text)


_BASE_TEXT = {
    "STAA": "Start sygehusophold – akut ambulant",
    "STIN": "Start sygehusophold – indlagt",
    "STOR": "Start orlov",
    "SLOR": "Slut orlov",
    "SLHJ": "Slut sygehusophold – afsluttet til hjemmet/primær sektor",
    "MORS": "Død",
}

ACTIVITY_CODES: dict[str, AdvisCode] = {
    prefix + activity: AdvisCode(short + code)
    for prefix, short in (("", ""), ("revise-", "RE_"), ("cancel-", "AN_"))
    for activity, code in (
        ("admit-emergency", "STAA"),
        ("admit-inpatient", "STIN"),
        ("start-leave-inpatient", "STOR"),
        ("end-leave-inpatient", "SLOR"),
        ("discharge-emergency-home", "SLHJ"),
        ("discharge-inpatient-home", "SLHJ"),
    )
}
"""medcom-messaging-activityCodes allowed in a HospitalNotification, and the code each gives while nobody is dead."""


class EncounterClass(StrEnum):
    EMER = "EMER"  # akut ambulant
    IMP = "IMP"  # indlagt


class EncounterStatus(StrEnum):
    IN_PROGRESS = "in-progress"
    ONLEAVE = "onleave"
    FINISHED = "finished"
    ENTERED_IN_ERROR = "entered-in-error"


def derive_code(activity: str | None, *, deceased: bool | None) -> AdvisCode | None:
    """The code of a message read alone; None where the activity is none of the known ones and nobody is dead.

    Death is tested first: MORS repeats the activity that came before it. MORS and RE_MORS look alike: see
    `after_previous`.
    """
    if deceased is True:
        return AdvisCode.MORS
    if deceased is False:
        return AdvisCode.AN_MORS
    return ACTIVITY_CODES.get(activity or "")


def after_previous(code: AdvisCode | None, previous: AdvisCode | None) -> AdvisCode | None:
    """A death after a death of the same stay is a correction: only the message before it can tell."""
    if code is AdvisCode.MORS and previous in {AdvisCode.MORS, AdvisCode.RE_MORS}:
        return AdvisCode.RE_MORS
    return code


@dataclass(frozen=True, slots=True)
class Unit:
    """An organisation as a message names it: SOR id, GLN and name, each where given."""

    sor: str | None = None
    gln: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class HospitalNotification:
    """What the engine reads from one HN. Everything a message may leave out is optional here.

    `cpr` and `patient_name` are personal: they go into sealed columns, the keyed hash and the Beskedkuvert only.
    Times are aware and as the hospital gave them; None where absent or without zone (then there is a finding).
    """

    bundle_id: BundleId | None
    message_id: MessageId | None
    code: AdvisCode | None
    activity: str | None
    encounter_class: str | None
    encounter_status: str | None
    period_start: datetime | None
    period_end: datetime | None
    leave_start: datetime | None
    leave_end: datetime | None
    episodes: tuple[str, ...]  # episodeOfCare identifiers, the local ones first
    report_of_admission: bool
    previous_message_id: (
        MessageId | None
    )  # the current Provenance's entity: what this one follows, corrects or cancels
    created_at: datetime | None  # Bundle.timestamp
    source_endpoint: str | None  # where the Acknowledgement must be addressed
    destination_endpoint: str | None
    sender: Unit
    receiver: Unit
    service_provider: Unit
    cpr: str | None
    patient_name: str | None
    encounter_id: str | None
    profile_version: str  # "3", "2", "1" or "" as far as profile URLs and content tell
    findings: tuple[Finding, ...]
