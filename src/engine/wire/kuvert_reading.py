"""Reading a Haendelsesbesked as liberally as can be: nothing but its root element is demanded.

How a MedComKvittering carries its Acknowledgement is not public. Read are: a Base64 element in any namespace,
base64 as Beskeddata's own text, a FHIR Bundle as XML within Beskeddata, and FHIR as plain text.
"""

import copy
import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from engine.domain.finding import ErrorCode, Finding, Severity
from engine.domain.ids import Cvr, SystemUuid, is_uuid
from engine.errors import Malformed
from engine.wire import base64_text, fhir, xml
from engine.wire.kuvert_model import KUVERT, SAGDOK, Haendelsesbesked

_B: Final = f"{{{KUVERT}}}"
_S: Final = f"{{{SAGDOK}}}"
_ROOT: Final = f"{_B}Haendelsesbesked"
_DATA: Final = f"{_B}Beskeddata"
_KUVERT: Final = f"{_B}Beskedkuvert"
_FILTERING: Final = f"{_KUVERT}/{_B}Filtreringsdata"
_DELIVERY: Final = f"{_KUVERT}/{_B}Leveranceinformation"
_ROUTES: Final = f"{_B}Leveranceruter/{_B}Leverancerute"
_IDENTIFIERS: Final = frozenset({f"{_S}UUIDIdentifikator", f"{_S}URNIdentifikator"})

_CVR = re.compile(r"urn:oio:cvr(?:-nr)?:(\d{8})", re.IGNORECASE)


def read(data: bytes) -> Haendelsesbesked:
    """Read a Haendelsesbesked; also inside a ModtagBeskedInput wrapper.

    Raises Malformed or ForbiddenMarkup.
    """
    besked = _besked(xml.parse(data))
    filtering = besked.find(_FILTERING)
    delivery = besked.find(_DELIVERY)
    routes = [] if delivery is None else delivery.findall(_ROUTES)
    findings: list[Finding] = []
    source = _system(delivery, "Kildesystem", findings)
    routed = _system(routes[-1] if routes else None, "ModtagetFraSystem", findings)
    responsible = _system(filtering, "BeskedAnsvarligAktoer", findings)
    if len({source, routed, responsible} - {None}) > 1:
        _warn(findings, "Haendelsesbesked.Beskedkuvert", "Kuverten nævner flere forskellige afsendersystemer")
    payload, damage = _payload(data, besked.findall(_DATA))
    return Haendelsesbesked(
        besked_id=_identifier(besked, "BeskedId"),
        beskedtype=_identifier(filtering, "Beskedtype"),
        kildesystem=source,
        modtaget_fra_system=routed,
        besked_ansvarlig_aktoer=responsible,
        cvrs=_cvrs(filtering),
        related_besked_ids=_related(filtering),
        payload=payload,
        media_type=None if payload is None else fhir.JSON if fhir.is_json(payload) else fhir.XML,
        damage=damage,
        findings=tuple(findings),
    )


def _besked(root: xml.Element) -> xml.Element:
    if root.tag == _ROOT:
        return root
    for wrapped in root:
        if wrapped.tag == _ROOT:
            return wrapped
    raise Malformed("Indholdet er ikke en Haendelsesbesked")


def _warn(findings: list[Finding], path: str, text: str) -> None:
    findings.append(Finding(path, ErrorCode.ID_INVALID, text, Severity.WARNING))


def _identifiers(parent: xml.Element | None, name: str) -> Iterator[str]:
    """The identifiers that the children of that name hold: UUIDs in lower case, without `urn:uuid:`, and URNs."""
    if parent is None:
        return
    for element in parent.iterchildren(_B + name):
        for child in element:
            if child.tag in _IDENTIFIERS and child.text and (text := child.text.strip()):
                bare = text[9:] if text[:9].lower() == "urn:uuid:" else text
                yield bare.lower() if is_uuid(bare) else text
                break


def _identifier(parent: xml.Element | None, name: str) -> str | None:
    return next(_identifiers(parent, name), None)


def _system(parent: xml.Element | None, name: str, findings: list[Finding]) -> SystemUuid | None:
    text = _identifier(parent, name)
    if text is None:
        return None
    if is_uuid(text):
        return SystemUuid(text)
    _warn(findings, f"Haendelsesbesked.{name}", f"{name} er ikke et UUID")
    return None


def _within(parent: xml.Element | None, name: str) -> Iterator[xml.Element]:
    return iter(()) if parent is None else parent.iterchildren(_B + name)


def _cvrs(filtering: xml.Element | None) -> tuple[Cvr, ...]:
    urns: list[str] = []
    for registration in _within(filtering, "ObjektRegistrering"):
        urns += _identifiers(registration, "ObjektAnsvarligMyndighed")
    urns += _identifiers(filtering, "TilladtModtager")
    found = (match.group(1) for urn in urns if (match := _CVR.fullmatch(urn)))
    return tuple(Cvr(cvr) for cvr in dict.fromkeys(found))


def _related(filtering: xml.Element | None) -> tuple[str, ...]:
    found: list[str] = []
    for related in _within(filtering, "RelateretObjekt"):
        found += filter(is_uuid, _identifiers(related, "ObjektId"))
    return tuple(found)


# --- the payload ---


def _payload(data: bytes, places: list[xml.Element]) -> tuple[bytes | None, str | None]:
    """The bytes of the first payload there is, or why there is none."""
    damage = "Beskeddata mangler" if not places else "Beskeddata er tom"
    for place in places:
        for element in place.iter():
            if element is place:
                continue
            name = element.tag.rpartition("}")[2]
            if name == "Base64":
                decoded = base64_text.decode(element.text)
                return (
                    (decoded, None) if decoded is not None else (None, "Base64 i Beskeddata kan ikke afkodes")
                )
            if name == "Bundle":
                return _inline(data), None
        text = (place.text or "").strip()
        if text.startswith(("{", "<")):
            return text.encode(), None
        if text:
            decoded = base64_text.decode(text)
            if decoded is not None:
                return decoded, None
            damage = "Beskeddata kan ikke afkodes som base64"
        elif len(place):
            damage = "Beskeddata har hverken Base64 eller en FHIR Bundle"
    return None, damage


def _inline(data: bytes) -> bytes:
    """The Bundle that stands in the message as XML, comments and white space kept, as its own document."""
    for element in _besked(xml.parse(data, keep=True)).iterchildren(_DATA):
        for bundle in element.iterdescendants("{*}Bundle"):
            alone = copy.deepcopy(bundle)
            alone.tail = None
            etree.cleanup_namespaces(alone)
            return etree.tostring(alone, encoding="UTF-8", xml_declaration=True)
    raise Malformed("Beskeddata har ingen FHIR Bundle")
