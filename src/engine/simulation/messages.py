"""Messages made to order: what the simulation, the tests and the benchmarks send.

A spec says what is to be told; a pure function says it in FHIR, clean against the profile.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from engine.domain.acknowledgement import ResponseCode
from engine.domain.advis import ACTIVITY_CODES, AdvisCode, EncounterClass, EncounterStatus, Unit
from engine.domain.finding import HL7_ERRORS, MEDCOM_ERRORS
from engine.simulation import resources
from engine.simulation.made_up import TestPerson, made_up_id
from engine.simulation.narrative import narrative
from engine.simulation.resources import IG, ProvenanceSpec, Resource, endpoint_of, instant, reference_to
from engine.wire import fhir

_HN = f"{IG}/hospitalnotification/StructureDefinition"
_HN_MESSAGE = f"{_HN}/medcom-hospitalNotification-message"
_HN_HEADER = f"{_HN}/medcom-hospitalNotification-messageHeader"
_HN_ENCOUNTER = f"{_HN}/medcom-hospitalNotification-encounter"
_CORE_PATIENT = f"{IG}/core/StructureDefinition/medcom-core-patient"
_ACK = f"{IG}/acknowledgement/StructureDefinition"
_ACK_MESSAGE = f"{_ACK}/medcom-messaging-acknowledgement"
_ACK_HEADER = f"{_ACK}/medcom-messaging-acknowledgementHeader"
_ACK_OUTCOME = f"{_ACK}/medcom-acknowledgement-operationoutcome"
_CPR_SYSTEM = "urn:oid:1.2.208.176.1.2"
_LPR3_SYSTEM = "https://www.esundhed.dk/Registre/Landspatientregisteret"
_CLASS_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_HOSPITAL_BASE = "https://epj.example/fhir"
_RECEIVER_BASE = "https://modtager.example/fhir"

_C, _S = AdvisCode, EncounterStatus

STATUS: dict[AdvisCode, EncounterStatus] = {
    _C.STAA: _S.IN_PROGRESS,
    _C.RE_STAA: _S.IN_PROGRESS,
    _C.AN_STAA: _S.ENTERED_IN_ERROR,
    _C.STIN: _S.IN_PROGRESS,
    _C.RE_STIN: _S.IN_PROGRESS,
    _C.AN_STIN: _S.ENTERED_IN_ERROR,
    _C.STOR: _S.ONLEAVE,
    _C.RE_STOR: _S.ONLEAVE,
    _C.AN_STOR: _S.IN_PROGRESS,
    _C.SLOR: _S.IN_PROGRESS,
    _C.RE_SLOR: _S.IN_PROGRESS,
    _C.AN_SLOR: _S.ONLEAVE,
    _C.SLHJ: _S.FINISHED,
    _C.RE_SLHJ: _S.FINISHED,
    _C.AN_SLHJ: _S.IN_PROGRESS,
    _C.MORS: _S.FINISHED,
    _C.RE_MORS: _S.FINISHED,
}
"""MedCom's code table; AN_MORS is missing, for it gives back the status of what stood before the death."""

DEATHS = frozenset({_C.MORS, _C.RE_MORS, _C.AN_MORS})
_ENDED = frozenset({_C.SLHJ, _C.RE_SLHJ, _C.MORS, _C.RE_MORS})
_LEAVE_OVER = frozenset({_C.SLOR, _C.RE_SLOR})
_ACTIVITY = {(code, "emergency" in activity): activity for activity, code in ACTIVITY_CODES.items()}


def base_of(code: AdvisCode) -> AdvisCode:
    """The code without correction or cancellation: RE_STIN and AN_STIN are both about a STIN."""
    return AdvisCode(code.value[-4:])


def is_cancellation(code: AdvisCode) -> bool:
    return code.value.startswith("AN_")


def activity_of(code: AdvisCode, encounter_class: EncounterClass) -> str:
    """The activity code that says `code`; only an SLHJ has one for each class."""
    emergency = encounter_class is EncounterClass.EMER
    return _ACTIVITY.get((code, emergency)) or _ACTIVITY[code, not emergency]


@dataclass(frozen=True, slots=True, kw_only=True)
class HnSpec:
    """One HospitalNotification as its hospital means it."""

    code: AdvisCode
    kommune: Unit  # "Sygehusadviser, X kommune"
    hospital: Unit  # sends it and gets the answer
    department: Unit | None = None  # serviceProvider where that is not the hospital unit itself
    patient: TestPerson
    message_id: str
    bundle_id: str
    encounter_id: str
    encounter_class: EncounterClass
    standing: AdvisCode = AdvisCode.STIN  # what a death came upon: MORS repeats its activity
    started_at: datetime
    ended_at: datetime | None = None
    leave_start: datetime | None = None
    leave_end: datetime | None = None
    sent_at: datetime
    episode_local: str | None
    episode_lpr3: str | None = None  # a version-5 UUID
    history: tuple[ProvenanceSpec, ...] = ()
    report_of_admission: bool = False

    def __post_init__(self) -> None:
        times = (self.started_at, self.ended_at, self.leave_start, self.leave_end, self.sent_at)
        if any(time is not None and time.tzinfo is None for time in times):
            raise ValueError("a time of an HnSpec has no zone")
        if self.ended_at is None and self.code in _ENDED:
            raise ValueError(f"{self.code} needs ended_at")
        if self.leave_start is None and self.status is EncounterStatus.ONLEAVE:
            raise ValueError(f"{self.code} needs leave_start")
        if self.episode_local is None and self.episode_lpr3 is None:
            raise ValueError("an HN needs an episode id")

    @property
    def activity(self) -> str:
        return activity_of(self.standing if self.code in DEATHS else self.code, self.encounter_class)

    @property
    def status(self) -> EncounterStatus:
        return STATUS[self.standing if self.code is AdvisCode.AN_MORS else self.code]

    @property
    def deceased(self) -> bool | None:
        return self.code is not AdvisCode.AN_MORS if self.code in DEATHS else None

    @property
    def provenance(self) -> ProvenanceSpec:
        """The current step; `history + (provenance,)` is the history of the message that comes next."""
        previous = self.history[-1].message_id if self.history else None
        return ProvenanceSpec(
            self.message_id, self.activity, self.sent_at, previous, cancels=is_cancellation(self.code)
        )

    def resent(self, *, bundle_id: str, at: datetime) -> "HnSpec":
        """The same letter sent again, as MedCom demands it: new Bundle.id, timestamp and Provenance times."""
        return replace(self, bundle_id=bundle_id, sent_at=at)


def hn_bundle(spec: HnSpec) -> Resource:
    """The HospitalNotification as FHIR JSON, its elements in FHIR's order."""
    units = {unit.sor: unit for unit in (spec.kommune, spec.hospital, spec.department) if unit is not None}
    steps = (*spec.history, spec.provenance)
    return resources.message(
        spec.bundle_id,
        _HN_MESSAGE,
        spec.sent_at,
        [
            _hn_header(spec),
            _patient(spec),
            _encounter(spec),
            *(resources.organization(unit) for unit in units.values()),
            *(resources.provenance(step, spec.hospital) for step in steps),
        ],
        _HOSPITAL_BASE,
    )


def hn_bytes(spec: HnSpec, media_type: str = fhir.XML, encoding: str = "UTF-8") -> bytes:
    return resources.to_bytes(hn_bundle(spec), media_type, encoding)


def _hn_header(spec: HnSpec) -> Resource:
    header: Resource = {
        "resourceType": "MessageHeader",
        "id": spec.message_id,
        "meta": {"profile": [_HN_HEADER]},
        "text": narrative(
            "Advis om sygehusophold",
            spec.message_id,
            _HN_HEADER,
            [
                ("Advis", f"{spec.code.value}: {spec.code.danish}"),
                ("Modtager", f"{spec.kommune.name} (SOR {spec.kommune.sor}, GLN {spec.kommune.gln})"),
                ("Modtagers endepunkt", endpoint_of(spec.kommune)),
                ("Afsender", f"{spec.hospital.name} (SOR {spec.hospital.sor}, GLN {spec.hospital.gln})"),
                ("Kvittering sendes til", endpoint_of(spec.hospital)),
                ("Indlæggelsesrapport ønskes", "Ja" if spec.report_of_admission else "Nej"),
                ("Ophold", f"Encounter/{spec.encounter_id}"),
            ],
        ),
    }
    if spec.report_of_admission:
        header["extension"] = [
            {"url": f"{_HN}/medcom-messaging-reportOfAdmissionExtension", "valueBoolean": True},
            {
                "url": f"{_HN}/medcom-messaging-reportOfAdmissionRecipientExtension",
                "valueReference": reference_to(spec.hospital),
            },
        ]
    return header | {
        "eventCoding": resources.event("hospital-notification-message"),
        "destination": [resources.destination(spec.kommune, endpoint_of(spec.kommune))],
        "sender": reference_to(spec.hospital),
        "source": {"endpoint": endpoint_of(spec.hospital)},
        "focus": [{"reference": f"Encounter/{spec.encounter_id}"}],
    }


def _patient_id(person: TestPerson) -> str:
    return made_up_id("Patient", person.cpr)


def _patient(spec: HnSpec) -> Resource:
    person, ident = spec.patient, _patient_id(spec.patient)
    resource: Resource = {
        "resourceType": "Patient",
        "id": ident,
        "meta": {"profile": [_CORE_PATIENT]},
        "text": narrative(
            "Patient",
            ident,
            _CORE_PATIENT,
            [("Navn", f"{' '.join(person.given)} {person.family}"), ("CPR-nummer", person.cpr)],
        ),
        "identifier": [{"system": _CPR_SYSTEM, "value": person.cpr}],
        "name": [{"use": "official", "family": person.family, "given": list(person.given)}],
    }
    if spec.deceased is not None:
        resource["deceasedBoolean"] = spec.deceased
    return resource


def _encounter(spec: HnSpec) -> Resource:
    provider = spec.department or spec.hospital
    period = {"start": instant(spec.started_at)}
    rows = [
        ("Status", spec.status.value),
        ("Klasse", spec.encounter_class.value),
        ("Patient", f"{' '.join(spec.patient.given)} {spec.patient.family}, {spec.patient.cpr}"),
        ("Ankommet", instant(spec.started_at)),
        ("Afdeling", f"{provider.name} (SOR {provider.sor})"),
        ("Forløb", ", ".join(filter(None, (spec.episode_local, spec.episode_lpr3)))),
    ]
    if spec.ended_at is not None and spec.code in _ENDED:
        period["end"] = instant(spec.ended_at)
        rows.append(("Afsluttet", period["end"]))
    encounter: Resource = {
        "resourceType": "Encounter",
        "id": spec.encounter_id,
        "meta": {"profile": [_HN_ENCOUNTER]},
    }
    leave = _leave(spec)
    if leave is not None:
        rows.append(("Orlov", f"{leave['start']} til {leave.get('end', 'ikke afsluttet')}"))
    encounter["text"] = narrative("Sygehusophold", spec.encounter_id, _HN_ENCOUNTER, rows)
    if leave is not None:
        url = f"{_HN}/medcom-hospitalnotifiation-leave-period-extension"  # spelt so by MedCom
        encounter["extension"] = [{"url": url, "valuePeriod": leave}]
    return encounter | {
        "status": spec.status.value,
        "class": {"system": _CLASS_SYSTEM, "code": spec.encounter_class.value},
        "subject": {"reference": f"Patient/{_patient_id(spec.patient)}"},
        "episodeOfCare": [{"identifier": episode} for episode in _episodes(spec)],
        "period": period,
        "serviceProvider": reference_to(provider),
    }


def _leave(spec: HnSpec) -> dict[str, str] | None:
    over = spec.code in _LEAVE_OVER
    if spec.leave_start is None or not (over or spec.status is EncounterStatus.ONLEAVE):
        return None
    leave = {"start": instant(spec.leave_start)}
    if over and spec.leave_end is not None:
        leave["end"] = instant(spec.leave_end)
    return leave


def _episodes(spec: HnSpec) -> Iterator[dict[str, str]]:
    if spec.episode_lpr3 is not None:
        yield {"system": _LPR3_SYSTEM, "value": f"urn:uuid:{spec.episode_lpr3}"}
    if spec.episode_local is not None:
        yield {"system": endpoint_of(spec.hospital), "value": spec.episode_local}


@dataclass(frozen=True, slots=True)
class IssueSpec:
    """One issue of an OperationOutcome."""

    severity: str
    code: str
    detail_system: str
    detail: str
    text: str


ISSUES: dict[ResponseCode, tuple[IssueSpec, ...]] = {
    ResponseCode.OK: (),
    ResponseCode.TRANSIENT_ERROR: (
        IssueSpec(
            "error",
            "transient",
            MEDCOM_ERRORS,
            "MSG_Mailbox_Out_Of_Operation",
            "Modtagersystemet er midlertidigt nede",
        ),
    ),
    ResponseCode.FATAL_ERROR: (
        IssueSpec("error", "structure", HL7_ERRORS, "MSG_RESOURCE_REQUIRED", "Encounter.class mangler"),
    ),
}
"""What a receiver usually says with each code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AckSpec:
    """One Acknowledgement as its receiver means it."""

    code: ResponseCode
    response_identifier: str  # the MessageHeader.id that is answered
    message_id: str
    bundle_id: str
    acknowledger: Unit  # the kommune's unit, for which the receiver answers
    hospital: Unit
    endpoint: str  # the advis' source endpoint
    original: ProvenanceSpec  # the latest Provenance of the advis
    created_at: datetime
    sent_at: datetime
    issues: tuple[IssueSpec, ...] = ()


def ack_bundle(spec: AckSpec) -> Resource:
    """The Acknowledgement as FHIR JSON: two Provenance, and an OperationOutcome where there are issues."""
    outcome_id = made_up_id("OperationOutcome", spec.message_id)
    response: Resource = {"identifier": spec.response_identifier, "code": spec.code.value}
    if spec.issues:
        response["details"] = {"reference": f"OperationOutcome/{outcome_id}"}
    step = ProvenanceSpec(spec.message_id, "acknowledgement", spec.sent_at, spec.response_identifier)
    header = {
        "resourceType": "MessageHeader",
        "id": spec.message_id,
        "meta": {"profile": [_ACK_HEADER]},
        "text": narrative(
            "Kvittering",
            spec.message_id,
            _ACK_HEADER,
            [
                ("Svarkode", spec.code.value),
                ("Svar på meddelelse", spec.response_identifier),
                ("Modtager", f"{spec.hospital.name} (SOR {spec.hospital.sor}, GLN {spec.hospital.gln})"),
                ("Modtagers endepunkt", spec.endpoint),
                (
                    "Afsender",
                    f"{spec.acknowledger.name} (SOR {spec.acknowledger.sor}, GLN {spec.acknowledger.gln})",
                ),
                ("Afsenders endepunkt", endpoint_of(spec.acknowledger)),
                ("Dannet", instant(spec.created_at)),
            ],
        ),
        "eventCoding": resources.event("acknowledgement-message"),
        "destination": [resources.destination(spec.hospital, spec.endpoint)],
        "sender": reference_to(spec.acknowledger),
        "source": {"endpoint": endpoint_of(spec.acknowledger)},
        "response": response,
    }
    parts: list[Resource] = [
        header,
        resources.provenance(spec.original, spec.hospital),
        resources.provenance(step, spec.acknowledger),
        resources.organization(spec.acknowledger),
        resources.organization(spec.hospital),
    ]
    if spec.issues:
        parts.append(_outcome(outcome_id, spec.issues))
    return resources.message(spec.bundle_id, _ACK_MESSAGE, spec.created_at, parts, _RECEIVER_BASE)


def ack_bytes(spec: AckSpec, media_type: str = fhir.XML, encoding: str = "UTF-8") -> bytes:
    return resources.to_bytes(ack_bundle(spec), media_type, encoding)


def _outcome(ident: str, issues: tuple[IssueSpec, ...]) -> Resource:
    rows = [(f"{issue.severity}: {issue.code}", f"{issue.detail}: {issue.text}") for issue in issues]
    return {
        "resourceType": "OperationOutcome",
        "id": ident,
        "meta": {"profile": [_ACK_OUTCOME]},
        "text": narrative("Fejl i meddelelsen", ident, _ACK_OUTCOME, rows),
        "issue": [
            {
                "severity": issue.severity,
                "code": issue.code,
                "details": {
                    "coding": [{"system": issue.detail_system, "code": issue.detail}],
                    "text": issue.text,
                },
            }
            for issue in issues
        ],
    }
