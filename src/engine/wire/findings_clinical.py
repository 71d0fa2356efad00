"""The findings on the Encounter and the Patient of a HospitalNotification."""

import re
from typing import Final

from engine.domain.advis import AdvisCode, EncounterClass, EncounterStatus
from engine.domain.finding import ErrorCode
from engine.domain.ids import is_cpr
from engine.wire import notification_parts as np
from engine.wire import tree
from engine.wire.fhir import tag
from engine.wire.notification_parts import Parts
from engine.wire.report import Report, plain, shown
from engine.wire.tree import Children

CLASS_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

_LPR3 = re.compile(
    r"urn:uuid:[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-5[a-fA-F0-9]{3}-[89aAbB][a-fA-F0-9]{3}-[a-fA-F0-9]{12}"
)
_REFERENCE = tag("reference")
_FORBIDDEN: Final = frozenset(
    tag(name)
    for name in (
        "type", "serviceType", "priority", "basedOn", "participant", "appointment", "length", "reasonCode",
        "reasonReference", "diagnosis", "account", "hospitalization", "location", "partOf",
    )
)  # fmt: skip
_STATUSES: Final = frozenset(EncounterStatus)
_CLASSES: Final = frozenset(EncounterClass)

_ABOUT_LEAVE: Final = frozenset({AdvisCode.STOR, AdvisCode.RE_STOR, AdvisCode.SLOR, AdvisCode.RE_SLOR})

_NAME = tag("name")
_USE = tag("use")
_FAMILY = tag("family")
_LEAVE: Final = "Encounter.extension:leavePeriod"


def check_encounter(report: Report, parts: Parts) -> None:
    if parts.encounter is None:
        report.missing("Encounter")
        return
    encounter = parts.encounter.children
    status = report.one_value(encounter, np.STATUS, "Encounter.status")
    if status is not None and status not in _STATUSES:
        report.error(
            "Encounter.status", ErrorCode.VALUE_UNKNOWN, f"Encounter.status {shown(status)} er ikke tilladt"
        )
    _class(report, encounter)
    subject = parts.resources.resolve(tree.first(encounter, np.SUBJECT), "Patient")
    if report.one(encounter, np.SUBJECT, "Encounter.subject") and subject is None:
        _not_bundled(report, "Encounter.subject", "Patient")
    _episodes(report, encounter)
    _period(report, parts, encounter)
    _leave(report, parts, status)
    if (
        report.one(encounter, np.SERVICE_PROVIDER, "Encounter.serviceProvider")
        and parts.service_provider is None
    ):
        _not_bundled(report, "Encounter.serviceProvider", "Organization")
    for name in sorted(_FORBIDDEN & encounter.keys()):
        path = f"Encounter.{plain(name)}"
        report.error(path, ErrorCode.RESOURCE_NOT_ALLOWED, f"{path} må ikke forekomme")


def _not_bundled(report: Report, path: str, type_: str) -> None:
    report.error(path, ErrorCode.NO_MATCH, f"{path} peger ikke på en {type_} i meddelelsen")


def _class(report: Report, encounter: Children) -> None:
    path = "Encounter.class"
    if not report.one(encounter, np.CLASS, path):
        return
    system, code = tree.coding(encounter[np.CLASS][0])
    if code is None:
        report.missing(f"{path}.code")
    elif code not in _CLASSES:
        report.error(
            path, ErrorCode.VALUE_UNKNOWN, f"{path} {shown(code)} er ikke tilladt; kun EMER og IMP er"
        )
    if system != CLASS_SYSTEM:
        report.error(f"{path}.system", ErrorCode.CODE_SYSTEM_UNKNOWN, f"{path}.system er ikke {CLASS_SYSTEM}")


def _episodes(report: Report, encounter: Children) -> None:
    path = "Encounter.episodeOfCare"
    episodes = encounter.get(np.EPISODE)
    if not episodes:
        report.missing(path)
        return
    national = 0
    for element in episodes:
        episode = tree.children(element)
        if _REFERENCE in episode:
            report.error(
                f"{path}.reference", ErrorCode.RESOURCE_NOT_ALLOWED, f"{path}.reference må ikke forekomme"
            )
        if not report.one(episode, np.IDENTIFIER, f"{path}.identifier"):
            continue
        system, number = tree.system_value(episode[np.IDENTIFIER][0])
        if number is None:
            report.missing(f"{path}.identifier.value")
        if system is None:
            report.missing(f"{path}.identifier.system")
        elif system == np.LPR3_SYSTEM:
            national += 1
            if number is not None and not _LPR3.fullmatch(number):
                report.warning(
                    f"{path}.identifier.value",
                    ErrorCode.ID_INVALID,
                    "LPR3-identifikatoren er ikke en urn:uuid version 5",
                )
    if national > 1:
        report.error(
            path, ErrorCode.BAD_SYNTAX, f"{path} har {national} LPR3-identifikatorer; højst én er tilladt"
        )


def _period(report: Report, parts: Parts, encounter: Children) -> None:
    path = "Encounter.period"
    if report.one(encounter, np.PERIOD, path):
        report.one_time(parts.period, np.START, f"{path}.start")
        report.at_most_one(parts.period, np.END, f"{path}.end")
        report.time(tree.value(parts.period, np.END), f"{path}.end")
        _in_order(report, parts.period, path)


def _in_order(report: Report, period: Children, path: str) -> None:
    """FHIR's own invariant per-1."""
    start = tree.aware(tree.value(period, np.START))
    end = tree.aware(tree.value(period, np.END))
    if start is not None and end is not None and end < start:
        report.error(path, ErrorCode.DATE_FORMAT, f"{path} slutter, før den begynder")


def _leave(report: Report, parts: Parts, status: str | None) -> None:
    if len(parts.leave_extensions) > 1:
        report.error(
            _LEAVE,
            ErrorCode.BAD_SYNTAX,
            f"Der er {len(parts.leave_extensions)} orlovsperioder; højst én er tilladt",
        )
    if parts.leave_extensions:
        path = f"{_LEAVE}.valuePeriod"
        report.one_time(parts.leave, np.START, f"{path}.start")
        report.at_most_one(parts.leave, np.END, f"{path}.end")
        report.time(tree.value(parts.leave, np.END), f"{path}.end")
        _in_order(report, parts.leave, path)
    elif status == EncounterStatus.ONLEAVE or parts.code in _ABOUT_LEAVE:
        # medcom-hospitalNotification-6; but 2.0.0 had no leave period, and a message carries no version.
        report.warning(
            _LEAVE,
            ErrorCode.RESOURCE_REQUIRED,
            "Orlovsperioden mangler: tilladt i HospitalNotification 2.0.0, ikke i 3.0",
        )


def check_patient(report: Report, parts: Parts) -> None:
    count = len(parts.resources.of_type("Patient"))
    if count == 0:
        report.missing("Patient")
    elif count > 1:
        report.error("Patient", ErrorCode.BAD_SYNTAX, f"Meddelelsen har {count} Patient; netop én er tilladt")
    if parts.patient is None:
        return
    patient = parts.patient.children
    _cpr(report, patient)
    _names(report, patient)
    _deceased(report, parts, patient)


def _cpr(report: Report, patient: Children) -> None:
    path = "Patient.identifier"
    found = tree.identifiers(patient)
    if len(found) > 1:
        report.error(
            path,
            ErrorCode.BAD_SYNTAX,
            f"{path} forekommer {len(found)} gange; netop ét CPR-nummer er tilladt",
        )
    if not found:
        report.missing(path)
    for system, number in found:
        if system != np.CPR_SYSTEM:
            report.error(
                f"{path}.system",
                ErrorCode.CODE_SYSTEM_UNKNOWN,
                f"{path}.system er ikke {np.CPR_SYSTEM}; kun et CPR-nummer er tilladt, intet andet",
            )
        elif number is None:
            report.missing(f"{path}.value")
        elif not is_cpr(number):
            report.error(f"{path}.value", ErrorCode.ID_INVALID, "CPR-nummeret har ikke den rette form")


def _names(report: Report, patient: Children) -> None:
    official = [
        name for name in map(tree.children, patient.get(_NAME, ())) if tree.value(name, _USE) == "official"
    ]
    if len(official) != 1:
        report.error(
            "Patient.name",
            ErrorCode.RESOURCE_REQUIRED,
            f"Patient har {len(official)} navne med use=official; der skal være ét",
        )
    for name in official:
        report.one_value(name, _FAMILY, "Patient.name.family")


def _deceased(report: Report, parts: Parts, patient: Children) -> None:
    flag = tree.value(patient, np.DECEASED_BOOLEAN)
    path = "Patient.deceased"
    if np.DECEASED_BOOLEAN in patient and flag not in {"true", "false"}:
        report.error(path, ErrorCode.DATATYPE_WRONG, f"{path} er hverken true eller false")
    if len(patient.get(np.DECEASED_BOOLEAN, ())) + len(patient.get(np.DECEASED_TIME, ())) > 1:
        report.error(path, ErrorCode.BAD_SYNTAX, f"{path} forekommer flere gange")
    if parts.deceased is False and not np.removes(parts.current):
        report.warning(
            path,
            ErrorCode.VALUE_UNKNOWN,
            "Patienten er angivet som ikke død, men intet tidligere advis annulleres",
        )
