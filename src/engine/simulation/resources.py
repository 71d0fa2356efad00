"""The FHIR resources that an HN and an Acknowledgement share, and how a Bundle becomes bytes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from engine.domain.advis import Unit
from engine.simulation.made_up import danish_time, made_up_id
from engine.simulation.narrative import XHTML, narrative
from engine.wire import fhir

Resource = dict[str, Any]

IG = "http://medcomfhir.dk/ig"
ACTIVITY_SYSTEM = f"{IG}/terminology/CodeSystem/medcom-messaging-activityCodes"
SOR_SYSTEM = "urn:oid:1.2.208.176.1.1"
GLN_SYSTEM = "https://www.gs1.org/gln"

_MESSAGING_ORGANIZATION = f"{IG}/messaging/StructureDefinition/medcom-messaging-organization"
_CORE_ORGANIZATION = f"{IG}/core/StructureDefinition/medcom-core-organization"
_PROVENANCE = f"{IG}/messaging/StructureDefinition/medcom-messaging-provenance"
_SOR_ENDPOINT = "https://sor2.sum.dsdn.dk/#id="


def endpoint_of(unit: Unit) -> str:
    """The unit's address as a message's endpoints give it."""
    return f"{_SOR_ENDPOINT}{unit.sor}"


def instant(moment: datetime) -> str:
    """Danish clock time with its offset, to the second."""
    return danish_time(moment).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class ProvenanceSpec:
    """One step of a message's history: which message, doing what, when, and what it followed."""

    message_id: str
    activity: str
    at: datetime
    previous: str | None = None  # the MessageHeader.id that it follows, corrects or cancels
    cancels: bool = False  # entity.role is `removal`, else `revision`


def provenance(spec: ProvenanceSpec, agent: Unit) -> Resource:
    ident = made_up_id("Provenance", spec.message_id, spec.activity)
    rows = [
        ("Meddelelse", spec.message_id),
        ("Aktivitet", spec.activity),
        ("Sket", instant(spec.at)),
        ("Registreret", instant(spec.at)),
        ("Udført af", f"{agent.name} (SOR {agent.sor}, GLN {agent.gln})"),
    ]
    resource: Resource = {
        "resourceType": "Provenance",
        "id": ident,
        "meta": {"profile": [_PROVENANCE]},
        "text": narrative("Meddelelsens historik", ident, _PROVENANCE, rows),
        "target": [{"reference": f"MessageHeader/{spec.message_id}"}],
        "occurredDateTime": instant(spec.at),
        "recorded": instant(spec.at),
        "activity": {"coding": [{"system": ACTIVITY_SYSTEM, "code": spec.activity}]},
        "agent": [{"who": reference_to(agent)}],
    }
    if spec.previous is not None:
        role = "removal" if spec.cancels else "revision"
        resource["entity"] = [{"role": role, "what": {"reference": f"MessageHeader/{spec.previous}"}}]
    return resource


def organization_id(unit: Unit) -> str:
    return made_up_id("Organization", unit.sor)


def reference_to(unit: Unit) -> Resource:
    return {"reference": f"Organization/{organization_id(unit)}"}


def organization(unit: Unit) -> Resource:
    """A MessagingOrganization where the unit has a GLN, else a CoreOrganization."""
    profile = _CORE_ORGANIZATION if unit.gln is None else _MESSAGING_ORGANIZATION
    ident = organization_id(unit)
    identifiers = [{"system": SOR_SYSTEM, "value": unit.sor}]
    rows = [("SOR-id", unit.sor or "")]
    if unit.gln is not None:
        identifiers.insert(0, {"system": GLN_SYSTEM, "value": unit.gln})
        rows.append(("Lokationsnummer", unit.gln))
    return {
        "resourceType": "Organization",
        "id": ident,
        "meta": {"profile": [profile]},
        "text": narrative(unit.name or "Organisation", ident, profile, rows),
        "identifier": identifiers,
        "name": unit.name,
    }


def destination(unit: Unit, endpoint: str) -> Resource:
    """The one destination that a message may have: use `primary`."""
    use = {"system": f"{IG}/terminology/CodeSystem/medcom-messaging-destinationUse", "code": "primary"}
    url = f"{IG}/messaging/StructureDefinition/medcom-messaging-destinationUseExtension"
    return {
        "extension": [{"url": url, "valueCoding": use}],
        "endpoint": endpoint,
        "receiver": reference_to(unit),
    }


def event(code: str) -> Resource:
    return {"system": f"{IG}/terminology/CodeSystem/medcom-messaging-eventCodes", "code": code}


def message(bundle_id: str, profile: str, at: datetime, resources: Sequence[Resource], base: str) -> Resource:
    """A message Bundle; `base` is the sending system's own address, which the fullUrls begin with."""
    return {
        "resourceType": "Bundle",
        "id": bundle_id,
        "meta": {"profile": [profile]},
        "type": "message",
        "timestamp": instant(at),
        "entry": [
            {"fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}", "resource": resource}
            for resource in resources
        ],
    }


def to_bytes(bundle: Resource, media_type: str = fhir.XML, encoding: str = "UTF-8") -> bytes:
    """The Bundle as its sender would write it: indented, in XML or JSON, in the encoding asked for."""
    if media_type == fhir.JSON:
        return json.dumps(bundle, ensure_ascii=False, indent=2).encode(encoding)
    root = fhir.to_xml(bundle)
    _indent(root, "\n")
    data = etree.tostring(root, encoding=encoding, xml_declaration=True)
    assert isinstance(data, bytes)  # it is text only for encoding="unicode"
    return data


def _indent(element: etree._Element, pad: str) -> None:
    children = list(element)
    if not children or etree.QName(element).namespace == XHTML:  # white space in a narrative is text
        return
    element.text = f"{pad}  "
    for child in children:
        _indent(child, f"{pad}  ")
        child.tail = f"{pad}  "
    children[-1].tail = pad
