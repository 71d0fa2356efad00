"""A HospitalNotification against its profile: the Bundle, the MessageHeader, and the table of codes.

Every effective cardinality, binding and invariant of DK MedCom HospitalNotification 3.0.2; and, by their
intent, the invariants that are published in a form which is always true (messaging-1 and -3,
hospitalNotification-1 and -3). Blocking is only what routing and correlation cannot do without.
"""

import re
from typing import Final

from lxml import etree

from engine.domain.advis import AdvisCode, EncounterClass, EncounterStatus
from engine.domain.finding import ErrorCode, Finding
from engine.domain.ids import LONGEST_ID, is_uuid
from engine.wire import notification_parts as np
from engine.wire import tree
from engine.wire.fhir import tag
from engine.wire.findings_clinical import check_encounter, check_patient
from engine.wire.findings_origin import check_organisations, check_provenances
from engine.wire.notification_parts import Parts
from engine.wire.report import Report, shown
from engine.wire.tree import Children

EVENT_SYSTEM: Final = "http://medcomfhir.dk/ig/terminology/CodeSystem/medcom-messaging-eventCodes"
EVENT_CODE: Final = "hospital-notification-message"
USE_SYSTEM: Final = "http://medcomfhir.dk/ig/terminology/CodeSystem/medcom-messaging-destinationUse"

_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_ID = tag("id")
_TYPE = tag("type")
_TIMESTAMP = tag("timestamp")


def check(parts: Parts) -> tuple[Finding, ...]:
    """All findings on the message, from the Bundle inwards."""
    report = Report()
    _bundle(report, parts)
    if parts.header is None:
        report.blocking("MessageHeader", ErrorCode.RESOURCE_REQUIRED, "MessageHeader mangler")
    else:
        _header(report, parts, parts.header.children)
    check_encounter(report, parts)
    check_patient(report, parts)
    check_organisations(report, parts)
    check_provenances(report, parts)
    _table(report, parts)
    return tuple(report.findings)


def _bundle(report: Report, parts: Parts) -> None:
    bundle, resources = parts.bundle, parts.resources.all
    _id(report, report.one_value(bundle, _ID, "Bundle.id"), "Bundle.id")
    kind = report.one_value(bundle, _TYPE, "Bundle.type")
    if kind not in {None, "message"}:
        report.error(
            "Bundle.type", ErrorCode.VALUE_UNKNOWN, f"Bundle.type er {shown(kind or '')}, ikke message"
        )
    report.one_time(bundle, _TIMESTAMP, "Bundle.timestamp")
    if any(url.startswith(np.OBSOLETE_BASE) for url in np.profiles(bundle)):
        report.warning(
            "Bundle.meta.profile",
            ErrorCode.VALUE_UNKNOWN,
            "Profilen er fra den udgåede version 1 (medcomfhir.dk/fhir)",
        )
    headers = sum(resource.type == "MessageHeader" for resource in resources)
    if headers > 1:
        report.error(
            "MessageHeader", ErrorCode.BAD_SYNTAX, f"Bundle har {headers} MessageHeader; netop én er tilladt"
        )
    if headers and resources[0].type != "MessageHeader":
        report.error(
            "Bundle.entry",
            ErrorCode.BAD_SYNTAX,
            "MessageHeader er ikke den første ressource i Bundle, som den skal være",
        )


def _id(report: Report, id_: str | None, path: str) -> None:
    if id_ is None or is_uuid(id_):
        return
    if len(id_) > LONGEST_ID:
        text = f"{path} er længere end {LONGEST_ID} tegn; meddelelsen kan ikke kendes på den"
        report.blocking(path, ErrorCode.ELEMENT_TOO_LONG, text)
    elif _FHIR_ID.fullmatch(id_):
        report.warning(path, ErrorCode.ID_INVALID, f"{path} er ikke et UUID")
    else:
        report.error(path, ErrorCode.ID_INVALID, f"{path} er ikke et gyldigt FHIR-id")


def _header(report: Report, parts: Parts, header: Children) -> None:
    if report.at_most_one(header, _ID, "MessageHeader.id") and parts.message_id:
        _id(report, parts.message_id, "MessageHeader.id")
    else:
        report.blocking("MessageHeader.id", ErrorCode.RESOURCE_REQUIRED, "MessageHeader.id mangler")
    _event(report, header)
    _destination(report, parts, header)
    if report.one(header, np.SENDER, "MessageHeader.sender") and parts.sender is None:
        _not_bundled(report, "MessageHeader.sender", "Organization")
    _source(report, header)
    focus = report.one(header, np.FOCUS, "MessageHeader.focus")
    if focus and parts.resources.resolve(header[np.FOCUS][0], "Encounter") is None:
        _not_bundled(report, "MessageHeader.focus", "Encounter")
    _report_of_admission(report, parts)


def _not_bundled(report: Report, path: str, type_: str) -> None:
    report.error(path, ErrorCode.NO_MATCH, f"{path} peger ikke på en {type_} i meddelelsen")


def _event(report: Report, header: Children) -> None:
    path = "MessageHeader.eventCoding"
    if not report.one(header, np.EVENT_CODING, path):
        return
    system, code = tree.coding(header[np.EVENT_CODING][0])
    if system != EVENT_SYSTEM:
        report.error(f"{path}.system", ErrorCode.CODE_SYSTEM_UNKNOWN, f"{path}.system er ikke {EVENT_SYSTEM}")
    if code is None:
        report.missing(f"{path}.code")
    elif code != EVENT_CODE:
        report.error(
            f"{path}.code", ErrorCode.VALUE_UNKNOWN, f"{path}.code er {shown(code)}, ikke {EVENT_CODE}"
        )


def _destination(report: Report, parts: Parts, header: Children) -> None:
    path = "MessageHeader.destination"
    destinations = header.get(np.DESTINATION, [])
    endpoint = tree.value(parts.destination, np.ENDPOINT)
    receiver = np.RECEIVER in parts.destination
    if endpoint is None and not receiver:
        report.blocking(path, ErrorCode.RECEIVER_MISSING, f"{path} nævner hverken endpoint eller receiver")
    elif endpoint is None:
        report.missing(f"{path}.endpoint")
    elif not receiver:
        report.missing(f"{path}.receiver")
    if receiver and parts.receiver is None:
        _not_bundled(report, f"{path}.receiver", "Organization")
    if len(destinations) > 1:
        report.error(
            path,
            ErrorCode.BAD_SYNTAX,
            f"{path} forekommer {len(destinations)} gange; kun én primær er tilladt",
        )
    for destination in destinations:
        system, code = np.destination_use(tree.children(destination))
        if code is None:
            report.missing(f"{path}.extension.valueCoding.code")
        elif code != "primary":
            report.error(
                path, ErrorCode.VALUE_UNKNOWN, f"{path} har brugen {shown(code)}; kun primary er tilladt"
            )
        if system not in {None, USE_SYSTEM}:
            report.error(
                path, ErrorCode.CODE_SYSTEM_UNKNOWN, f"{path} har en brug, som ikke er fra {USE_SYSTEM}"
            )


def _source(report: Report, header: Children) -> None:
    path = "MessageHeader.source"
    if report.at_most_one(header, np.SOURCE, path) and tree.child_value(header[np.SOURCE][0], np.ENDPOINT):
        return
    report.blocking(
        f"{path}.endpoint", ErrorCode.RESOURCE_REQUIRED, f"{path}.endpoint mangler; der kan ikke kvitteres"
    )


def _report_of_admission(report: Report, parts: Parts) -> None:
    flags = parts.extensions.get(np.FLAG_URL, [])
    recipients = parts.extensions.get(np.RECIPIENT_URL, [])
    for name, found in (("reportOfAdmissionFlag", flags), ("reportOfAdmissionRecipient", recipients)):
        if len(found) > 1:
            report.error(
                f"MessageHeader.extension:{name}",
                ErrorCode.BAD_SYNTAX,
                f"{name} forekommer {len(found)} gange",
            )
    path = "MessageHeader.extension:reportOfAdmissionFlag"
    for flag in flags:
        if tree.child_value(flag, np.VALUE_BOOLEAN) not in {"true", "false"}:
            report.error(
                f"{path}.valueBoolean", ErrorCode.DATATYPE_WRONG, f"{path} er hverken true eller false"
            )
    if not recipients and any(tree.child_value(flag, np.VALUE_BOOLEAN) == "true" for flag in flags):
        report.warning(
            path, ErrorCode.RESOURCE_REQUIRED, "Der bedes om indlæggelsesrapport, men modtageren mangler"
        )
    for recipient in recipients:
        if parts.resources.resolve(_first_child(recipient, np.VALUE_REFERENCE), "Organization") is None:
            _not_bundled(report, "MessageHeader.extension:reportOfAdmissionRecipient", "Organization")


def _first_child(element: etree._Element, name: str) -> etree._Element | None:
    return next(element.iterchildren(name), None)


# --- the table of the 18 codes ---

_C, _S = EncounterClass, EncounterStatus
_TABLE: Final[dict[AdvisCode, tuple[EncounterClass | None, EncounterStatus]]] = {
    AdvisCode.STAA: (_C.EMER, _S.IN_PROGRESS),
    AdvisCode.RE_STAA: (_C.EMER, _S.IN_PROGRESS),
    AdvisCode.AN_STAA: (_C.EMER, _S.ENTERED_IN_ERROR),
    AdvisCode.STIN: (_C.IMP, _S.IN_PROGRESS),
    AdvisCode.RE_STIN: (_C.IMP, _S.IN_PROGRESS),
    AdvisCode.AN_STIN: (_C.IMP, _S.ENTERED_IN_ERROR),
    AdvisCode.STOR: (_C.IMP, _S.ONLEAVE),
    AdvisCode.RE_STOR: (_C.IMP, _S.ONLEAVE),
    AdvisCode.AN_STOR: (_C.IMP, _S.IN_PROGRESS),
    AdvisCode.SLOR: (_C.IMP, _S.IN_PROGRESS),
    AdvisCode.RE_SLOR: (_C.IMP, _S.IN_PROGRESS),
    AdvisCode.AN_SLOR: (_C.IMP, _S.ONLEAVE),
    AdvisCode.SLHJ: (None, _S.FINISHED),
    AdvisCode.RE_SLHJ: (None, _S.FINISHED),
    AdvisCode.AN_SLHJ: (None, _S.IN_PROGRESS),
    AdvisCode.MORS: (None, _S.FINISHED),
    AdvisCode.RE_MORS: (None, _S.FINISHED),
}
"""MedCom, Overview of HospitalNotification codes: class and status. AN_MORS has the previous ones."""

_ENDED = frozenset({AdvisCode.SLHJ, AdvisCode.RE_SLHJ, AdvisCode.MORS, AdvisCode.RE_MORS})
_LEAVE_ENDED = frozenset({AdvisCode.SLOR, AdvisCode.RE_SLOR})


def _table(report: Report, parts: Parts) -> None:
    """The profile does not enforce the table, and official examples break it: warnings only."""
    code, encounter = parts.code, parts.encounter
    if code is None or encounter is None:
        return
    class_, status = _TABLE.get(code, (None, None))
    if class_ is None and "discharge" in (parts.activity or ""):
        class_ = _C.EMER if "emergency" in (parts.activity or "") else _C.IMP
    found_class = tree.coding(tree.first(encounter.children, np.CLASS))[1]
    found_status = tree.value(encounter.children, np.STATUS)
    if class_ is not None and found_class in set(_C) and found_class != class_:
        report.warning(
            "Encounter.class",
            ErrorCode.VALUE_UNKNOWN,
            f"Encounter.class er {found_class}; {code} har {class_}",
        )
    if status is not None and found_status in set(_S) and found_status != status:
        report.warning(
            "Encounter.status",
            ErrorCode.VALUE_UNKNOWN,
            f"Encounter.status er {found_status}; {code} har {status}",
        )
    if code in _ENDED and np.END not in parts.period:
        report.warning(
            "Encounter.period.end",
            ErrorCode.RESOURCE_REQUIRED,
            f"Encounter.period.end mangler; {code} har den",
        )
    if code in _LEAVE_ENDED and parts.leave_extensions and np.END not in parts.leave:
        report.warning(
            "Encounter.extension:leavePeriod.valuePeriod.end",
            ErrorCode.RESOURCE_REQUIRED,
            f"Orlovens sluttidspunkt mangler; {code} har det",
        )
