"""The findings on where a HospitalNotification comes from: its Organizations and its Provenance."""

from typing import Final

from engine.domain.advis import ACTIVITY_CODES
from engine.domain.finding import ErrorCode
from engine.domain.ids import is_gln
from engine.wire import notification_parts as np
from engine.wire import tree
from engine.wire.fhir import tag
from engine.wire.notification_parts import Parts
from engine.wire.report import Report, shown
from engine.wire.tree import Resource

ACTIVITY_SYSTEM: Final = "http://medcomfhir.dk/ig/terminology/CodeSystem/medcom-messaging-activityCodes"

_ROLES: Final = frozenset({"derivation", "revision", "quotation", "source", "removal"})  # FHIR R4
_OCCURRED_PERIOD = tag("occurredPeriod")
_VALUE_REFERENCE = np.VALUE_REFERENCE


def check_organisations(report: Report, parts: Parts) -> None:
    """Sender, receiver, the unit that wants a report, and the current agents are messaging organisations.

    The service provider is one of MedCom's core organisations: it needs no GLN.
    """
    checked: set[int] = set()
    for path, organisation in _messaging(parts):
        if organisation is not None and id(organisation) not in checked:
            checked.add(id(organisation))
            _organisation(report, organisation, path, with_gln=True)
    provider = parts.service_provider
    if provider is not None and id(provider) not in checked:
        _organisation(report, provider, "Encounter.serviceProvider", with_gln=False)


def _messaging(parts: Parts) -> list[tuple[str, Resource | None]]:
    resolve = parts.resources.resolve
    found = [
        ("MessageHeader.sender", parts.sender),
        ("MessageHeader.destination.receiver", parts.receiver),
    ]
    for extension in parts.extensions.get(np.RECIPIENT_URL, ()):
        holder = next(extension.iterchildren(_VALUE_REFERENCE), None)
        found.append(("MessageHeader.extension:reportOfAdmissionRecipient", resolve(holder, "Organization")))
    if parts.current is not None:
        for agent in parts.current.children.get(np.AGENT, ()):
            who = next(agent.iterchildren(np.WHO), None)
            found.append(("Provenance.agent.who", resolve(who, "Organization")))
    return found


def _organisation(report: Report, organisation: Resource, path: str, *, with_gln: bool) -> None:
    sors = glns = 0
    for system, number in tree.identifiers(organisation.children):
        if system == tree.SOR_SYSTEM:
            sors += 1
            if number is None or not (number.isascii() and number.isdigit()):
                report.error(f"{path}.identifier:SOR", ErrorCode.ID_INVALID, f"{path}: SOR-id er ikke et tal")
        elif system in tree.GLN_SYSTEMS:
            glns += 1
            if number is None or not is_gln(number):
                report.warning(
                    f"{path}.identifier:EAN",
                    ErrorCode.ID_INVALID,
                    f"{path}: lokationsnummeret (GLN) er ikke gyldigt",
                )
    _count(report, sors, f"{path}.identifier:SOR", needed=True)
    _count(report, glns, f"{path}.identifier:EAN", needed=with_gln)


def _count(report: Report, count: int, path: str, *, needed: bool) -> None:
    if count > 1:
        report.error(path, ErrorCode.BAD_SYNTAX, f"{path} forekommer {count} gange; højst én er tilladt")
    elif needed and count == 0:
        report.missing(path)


def check_provenances(report: Report, parts: Parts) -> None:
    """All of them are checked by form; only the current one's agents must be in the message."""
    if not parts.provenances:
        report.missing("Provenance")
        return
    for provenance in parts.provenances:
        _provenance(report, provenance, parts)
    current = parts.current
    if current is None or parts.message_id is None:
        return
    if np.target_id(current) != parts.message_id:
        report.warning(
            "Provenance.target",
            ErrorCode.NO_MATCH,
            "Ingen Provenance har denne meddelelses MessageHeader som target",
        )
    if (parts.activity or "").startswith("cancel-") and not np.removes(current):
        report.warning(
            "Provenance.entity.role",
            ErrorCode.VALUE_UNKNOWN,
            "En annullering skal have en entity med rollen removal",
        )


def _provenance(report: Report, provenance: Resource, parts: Parts) -> None:
    of = provenance.children
    if report.one(of, np.TARGET, "Provenance.target"):
        reference = tree.child_value(of[np.TARGET][0], np.REFERENCE)
        if reference is None:
            report.missing("Provenance.target.reference")
        elif tree.split_reference(reference)[0] not in {None, "MessageHeader"}:
            report.error(
                "Provenance.target", ErrorCode.NO_MATCH, "Provenance.target peger ikke på en MessageHeader"
            )
    if _OCCURRED_PERIOD in of:
        report.error(
            "Provenance.occurredPeriod",
            ErrorCode.RESOURCE_NOT_ALLOWED,
            "Provenance.occurredPeriod må ikke forekomme",
        )
    report.one_time(of, np.OCCURRED, "Provenance.occurredDateTime")
    report.one_time(of, np.RECORDED, "Provenance.recorded")
    _activity(report, provenance)
    _agents(report, provenance, parts)
    _entities(report, provenance)


def _activity(report: Report, provenance: Resource) -> None:
    path = "Provenance.activity"
    if not report.one(provenance.children, np.ACTIVITY, path):
        return
    codings = list(provenance.children[np.ACTIVITY][0].iterchildren(np.CODING))
    if not codings:
        report.missing(f"{path}.coding")
    for element in codings:
        system, code = tree.coding(element)
        if code is None:
            report.missing(f"{path}.coding.code")
        elif code not in ACTIVITY_CODES:
            report.error(path, ErrorCode.VALUE_UNKNOWN, f"{path} {shown(code)} er ikke tilladt i et advis")
        if system != ACTIVITY_SYSTEM:
            report.error(
                path, ErrorCode.CODE_SYSTEM_UNKNOWN, f"{path}.coding.system er ikke {ACTIVITY_SYSTEM}"
            )


def _agents(report: Report, provenance: Resource, parts: Parts) -> None:
    path = "Provenance.agent"
    agents = provenance.children.get(np.AGENT)
    if not agents:
        report.missing(path)
        return
    for agent in agents:
        who = next(agent.iterchildren(np.WHO), None)
        if who is None:
            report.missing(f"{path}.who")
        elif provenance is parts.current and parts.resources.resolve(who, "Organization") is None:
            # What came before may name organisations that this message has no business with.
            report.error(
                f"{path}.who", ErrorCode.NO_MATCH, f"{path}.who peger ikke på en Organization i meddelelsen"
            )


def _entities(report: Report, provenance: Resource) -> None:
    path = "Provenance.entity"
    for element in provenance.children.get(np.ENTITY, ()):
        entity = tree.children(element)
        role = report.one_value(entity, np.ROLE, f"{path}.role")
        if role is not None and role not in _ROLES:
            report.error(
                f"{path}.role", ErrorCode.VALUE_UNKNOWN, f"{path}.role {shown(role)} er ikke tilladt"
            )
        report.one(entity, np.WHAT, f"{path}.what")
