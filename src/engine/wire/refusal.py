"""Sundhedsagenten's own negative Acknowledgement, built as FHIR JSON, written as the message was."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from lxml import etree

from engine.domain.advis import Unit
from engine.domain.finding import ErrorCode, Finding, Severity
from engine.wire import fhir, tree
from engine.wire import notification_parts as np
from engine.wire.fhir import Bundle, tag
from engine.wire.notification_parts import Parts
from engine.wire.tree import Resource
from engine.wire.xml import escape

_IG: Final = "http://medcomfhir.dk/ig"
_ACK_PROFILES: Final = f"{_IG}/acknowledgement/StructureDefinition"
_MESSAGING: Final = f"{_IG}/messaging/StructureDefinition"
_TERMINOLOGY: Final = f"{_IG}/terminology/CodeSystem"
_ENTRY_BASE: Final = "https://medcomfhir.dk/ig/acknowledgement"
_GLN_SYSTEM: Final = "https://www.gs1.org/gln"
_COPIED: Final = "Provenance"

_ISSUE_TYPES: Final = {
    ErrorCode.RECEIVER_UNKNOWN: "not-found",
    ErrorCode.RECEIVER_MISSING: "required",
    ErrorCode.UNABLE_TO_RECEIVE_TYPE: "not-supported",
    ErrorCode.VALUE_UNKNOWN: "code-invalid",
    ErrorCode.CODE_SYSTEM_UNKNOWN: "code-invalid",
    ErrorCode.ELEMENT_TOO_LONG: "too-long",
    ErrorCode.DATATYPE_WRONG: "value",
    ErrorCode.DUPLICATE_ID: "duplicate",
    ErrorCode.DATE_FORMAT: "value",
    ErrorCode.RESOURCE_REQUIRED: "required",
    ErrorCode.NO_MATCH: "not-found",
    ErrorCode.ID_INVALID: "value",
}
"""FHIR's issue-type for each detail code; `structure` for the others."""


@dataclass(frozen=True, slots=True)
class _Party:
    """An organisation of the answer: what it is, and how the answer's references name it."""

    unit: Unit
    id: str
    full_url: str

    @property
    def reference(self) -> str:
        return self.full_url if self.full_url.startswith("urn:") else f"Organization/{self.id}"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What all resources of one Acknowledgement share."""

    message_id: str
    answers: str  # MessageHeader.id of the message that is refused
    base: str
    at: str

    @property
    def outcome_id(self) -> str:
        return self.new_id("outcome")

    def new_id(self, role: str) -> str:
        """Ids of the parts follow from the message's: the same answer written twice is the same bytes."""
        return str(uuid5(NAMESPACE_URL, f"{self.message_id}/{role}"))

    def entry(self, resource: dict[str, Any], full_url: str | None = None) -> dict[str, Any]:
        url = full_url or f"{self.base}/{resource['resourceType']}/{resource['id']}"
        return {"fullUrl": url, "resource": resource}


def refusal(
    bundle: Bundle,
    *,
    response_identifier: str,
    findings: Sequence[Finding],
    acknowledger: Unit,
    bundle_id: str,
    message_id: str,
    now: datetime,
) -> bytes:
    """Sundhedsagenten's own fatal-error to the message in `bundle`, in its own format; UTF-8.

    Addressed to the message's source endpoint and sender organisation; sender and source are the message's
    own destination receiver (`acknowledger` fills what the message leaves out). Two Provenance: the latest of
    the message copied, and a new one with activity `acknowledgement` (MedCom GOV-ACK 1.3). One
    OperationOutcome issue per finding. All referenced organisations are bundled.
    """
    parts = np.take_apart(bundle.root)
    answer = _Answer(message_id, response_identifier, _base(parts), now.isoformat(timespec="seconds"))
    hospital = _party(answer, parts.sender, tree.unit(parts.sender), "hospital")
    own_unit = _filled(tree.unit(parts.receiver), acknowledger)
    own = _party(answer, parts.receiver, own_unit, "acknowledger")
    if own.full_url == hospital.full_url:  # a message to oneself: one organisation serves both
        own = hospital
    entries = [answer.entry(_header(answer, parts, hospital, own))]
    previous = _previous(bundle, parts)
    if previous is not None:
        entries.append(_copied_entry(parts, previous, answer))
    entries.append(answer.entry(_provenance(answer, own)))
    parties = _parties(parts, hospital, own, answer)
    entries += [answer.entry(_organization(party), party.full_url) for party in parties]
    entries.append(answer.entry(_outcome(answer, findings)))
    message = {
        "resourceType": "Bundle",
        "id": bundle_id,
        "meta": {"profile": [f"{_ACK_PROFILES}/medcom-messaging-acknowledgement"]},
        "type": "message",
        "timestamp": answer.at,
        "entry": entries,
    }
    return fhir.dump_json(message) if bundle.native is not None else _xml(message, previous, parts)


def _base(parts: Parts) -> str:
    """The base of the message's own fullUrls, so that the copied references resolve as they did there."""
    header = parts.header
    if (
        header is not None
        and header.id
        and header.full_url
        and header.full_url.startswith(("http://", "https://"))
    ):
        base, found, rest = header.full_url.rpartition("/MessageHeader/")
        if found and rest == header.id:
            return base
    return _ENTRY_BASE


def _filled(unit: Unit, other: Unit) -> Unit:
    return replace(unit, sor=unit.sor or other.sor, gln=unit.gln or other.gln, name=unit.name or other.name)


def _party(answer: _Answer, resource: Resource | None, unit: Unit, role: str) -> _Party:
    """The organisation under the id it had in the message, for the copied Provenance names it by that."""
    id_ = resource.id if resource is not None and resource.id else answer.new_id(role)
    if resource is not None and resource.full_url:
        return _Party(unit, id_, resource.full_url)
    return _Party(unit, id_, f"{answer.base}/Organization/{id_}")


def _parties(parts: Parts, hospital: _Party, own: _Party, answer: _Answer) -> list[_Party]:
    """Sender, receiver, and who else the copied Provenance names, each once."""
    found = {hospital.full_url: hospital, own.full_url: own}
    if parts.current is not None:
        for agent in parts.current.children.get(np.AGENT, ()):
            who = parts.resources.resolve(next(agent.iterchildren(np.WHO), None), "Organization")
            if who is not None:
                party = _party(answer, who, tree.unit(who), f"agent {who.id}")
                found.setdefault(party.full_url, party)
    return list(found.values())


def _endpoint(unit: Unit) -> str:
    if unit.sor:
        return f"https://sor2.sum.dsdn.dk/#id={unit.sor}"
    return f"urn:oid:1.3.88.{unit.gln}" if unit.gln else "urn:oid:1.3.88"  # GS1's arc for location numbers


# --- the resources, in the order of FHIR R4's XML ---


def _narrative(text: str) -> dict[str, str]:
    div = f'<div xmlns="{fhir.XHTML}"><p>{escape(text)}</p></div>'
    return {"status": "generated", "div": div}


def _meta(profile: str) -> dict[str, list[str]]:
    return {"profile": [profile]}


def _header(answer: _Answer, parts: Parts, hospital: _Party, own: _Party) -> dict[str, Any]:
    head = parts.header.children if parts.header else tree.NOTHING
    to = tree.child_value(tree.first(head, np.SOURCE), np.ENDPOINT) or _endpoint(hospital.unit)
    source = tree.value(parts.destination, np.ENDPOINT) or _endpoint(own.unit)
    use = {"system": f"{_TERMINOLOGY}/medcom-messaging-destinationUse", "code": "primary"}
    return {
        "resourceType": "MessageHeader",
        "id": answer.message_id,
        "meta": _meta(f"{_ACK_PROFILES}/medcom-messaging-acknowledgementHeader"),
        "text": _narrative(f"Kvittering fatal-error for meddelelsen {answer.answers}"),
        "eventCoding": {
            "system": f"{_TERMINOLOGY}/medcom-messaging-eventCodes",
            "code": "acknowledgement-message",
        },
        "destination": [
            {
                "extension": [{"url": np.USE_URL, "valueCoding": use}],
                "endpoint": to,
                "receiver": {"reference": hospital.reference},
            }
        ],
        "sender": {"reference": own.reference},
        "source": {"endpoint": source},
        "response": {
            "identifier": answer.answers,
            "code": "fatal-error",
            "details": {"reference": f"OperationOutcome/{answer.outcome_id}"},
        },
    }


def _provenance(answer: _Answer, own: _Party) -> dict[str, Any]:
    activity = {"system": f"{_TERMINOLOGY}/medcom-messaging-activityCodes", "code": "acknowledgement"}
    return {
        "resourceType": "Provenance",
        "id": answer.new_id("provenance"),
        "meta": _meta(f"{_MESSAGING}/medcom-messaging-provenance"),
        "text": _narrative("Der er kvitteret for meddelelsen"),
        "target": [{"reference": f"MessageHeader/{answer.message_id}"}],
        "occurredDateTime": answer.at,
        "recorded": answer.at,
        "activity": {"coding": [activity]},
        "agent": [{"who": {"reference": own.reference}}],
        "entity": [{"role": "revision", "what": {"reference": f"MessageHeader/{answer.answers}"}}],
    }


def _organization(party: _Party) -> dict[str, Any]:
    unit = party.unit
    numbers = ((_GLN_SYSTEM, unit.gln), (tree.SOR_SYSTEM, unit.sor))
    identifiers = [{"system": system, "value": value} for system, value in numbers if value]
    resource: dict[str, Any] = {
        "resourceType": "Organization",
        "id": party.id,
        "meta": _meta(f"{_MESSAGING}/medcom-messaging-organization"),
        "text": _narrative(unit.name or unit.sor or unit.gln or "Organisation"),
    }
    if identifiers:
        resource["identifier"] = identifiers
    if unit.name:
        resource["name"] = unit.name
    return resource


def _outcome(answer: _Answer, findings: Sequence[Finding]) -> dict[str, Any]:
    issues = [_issue(finding) for finding in findings]
    unexplained = {
        "severity": "error",
        "code": "processing",
        "details": {"text": "Meddelelsen kan ikke behandles"},
    }
    return {
        "resourceType": "OperationOutcome",
        "id": answer.outcome_id,
        "meta": _meta(f"{_ACK_PROFILES}/medcom-acknowledgement-operationoutcome"),
        "text": _narrative(
            "; ".join(finding.text for finding in findings) or "Meddelelsen kan ikke behandles"
        ),
        "issue": issues or [unexplained],  # FHIR demands one
    }


def _issue(finding: Finding) -> dict[str, Any]:
    return {
        "severity": "warning" if finding.severity is Severity.WARNING else "error",
        "code": _ISSUE_TYPES.get(finding.code, "structure"),
        "details": {
            "coding": [{"system": finding.code.system, "code": finding.code.value}],
            "text": finding.text,
        },
    }


# --- the copied Provenance ---


def _previous(bundle: Bundle, parts: Parts) -> dict[str, Any] | None:
    """The message's latest Provenance as FHIR JSON; for XML a name, to put the element in later."""
    if parts.current is None:
        return None
    if bundle.native is None:
        return {"resourceType": _COPIED, "id": parts.current.id or ""}
    position = next(at for at, each in enumerate(parts.provenances) if each is parts.current)
    found = list(fhir.native_resources(bundle.native, _COPIED))
    if len(found) != len(parts.provenances):  # JSON in a shape that only its XML form makes a Provenance of
        return None
    return found[position]


def _copied_entry(parts: Parts, previous: dict[str, Any], answer: _Answer) -> dict[str, Any]:
    assert parts.current is not None
    url = parts.current.full_url or f"{answer.base}/{_COPIED}/{parts.current.id or answer.new_id('previous')}"
    return {"fullUrl": url, "resource": previous}


def _xml(message: dict[str, Any], previous: dict[str, Any] | None, parts: Parts) -> bytes:
    root = fhir.to_xml(message)
    if previous is not None and parts.current is not None:
        placeholder = next(each for each in tree.held(root) if each.tag == tag(_COPIED))
        holder = placeholder.getparent()
        assert holder is not None
        holder.replace(placeholder, copy.deepcopy(parts.current.element))
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)
