"""Reading a Haendelsesbesked as liberally as can be: nothing but its root element is demanded.

How a MedComKvittering carries its Acknowledgement is not public. Read are: a Base64 element in any namespace,
base64 as Beskeddata's own text, a FHIR Bundle as XML within Beskeddata, and FHIR as plain text.
"""

import copy
import re
from typing import Final, TypeAlias

from lxml import etree

from engine.domain.finding import ErrorCode, Finding, Severity
from engine.domain.ids import Cvr, SystemUuid, is_uuid
from engine.errors import Malformed
from engine.wire import base64_text, fhir, xml
from engine.wire.kuvert_model import KUVERT, SAGDOK, Haendelsesbesked

_Children: TypeAlias = dict[str, list[xml.Element]]

_B: Final = f"{{{KUVERT}}}"
_S: Final = f"{{{SAGDOK}}}"
_ROOT: Final = f"{_B}Haendelsesbesked"
_DATA: Final = f"{_B}Beskeddata"
_UUID: Final = f"{_S}UUIDIdentifikator"
_URN: Final = f"{_S}URNIdentifikator"

_CVR = re.compile(r"urn:oio:cvr(?:-nr)?:(\d{8})", re.IGNORECASE)


def read(data: bytes) -> Haendelsesbesked:
    """Read a Haendelsesbesked; also inside a ModtagBeskedInput wrapper.

    Raises Malformed or ForbiddenMarkup.
    """
    besked = _children(_besked(xml.parse(data)))
    kuvert = _inner(besked, "Beskedkuvert")
    filtering = _inner(kuvert, "Filtreringsdata")
    delivery = _inner(kuvert, "Leveranceinformation")
    findings: list[Finding] = []
    source = _system(delivery, "Kildesystem", findings)
    routed = _system(_last_route(delivery), "ModtagetFraSystem", findings)
    responsible = _system(filtering, "BeskedAnsvarligAktoer", findings)
    if len({source, routed, responsible} - {None}) > 1:
        _warn(findings, "Haendelsesbesked.Beskedkuvert", "Kuverten nævner flere forskellige afsendersystemer")
    payload, damage = _payload(data, besked)
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


def _children(element: xml.Element) -> _Children:
    result: _Children = {}
    for child in element:
        name = child.tag
        if name in result:
            result[name].append(child)
        else:
            result[name] = [child]
    return result


def _inner(of: _Children, name: str) -> _Children:
    found = of.get(_B + name)
    return _children(found[0]) if found else {}


def _warn(findings: list[Finding], path: str, text: str) -> None:
    findings.append(Finding(path, ErrorCode.ID_INVALID, text, Severity.WARNING))


def _identifiers(of: _Children, name: str) -> list[str]:
    return [text for element in of.get(_B + name, ()) if (text := _identifier_of(element)) is not None]


def _identifier(of: _Children, name: str) -> str | None:
    return next(iter(_identifiers(of, name)), None)


def _identifier_of(element: xml.Element) -> str | None:
    """The UUID (in lower case, without `urn:uuid:`) or the URN of a UnikIdType."""
    for child in element:
        if child.tag in {_UUID, _URN} and child.text:
            text = child.text.strip()
            bare = text[9:] if text[:9].lower() == "urn:uuid:" else text
            if is_uuid(bare):
                return bare.lower()
            if text:
                return text
    return None


def _system(of: _Children, name: str, findings: list[Finding]) -> SystemUuid | None:
    text = _identifier(of, name)
    if text is None:
        return None
    if is_uuid(text):
        return SystemUuid(text)
    _warn(findings, f"Haendelsesbesked.{name}", f"{name} er ikke et UUID")
    return None


def _last_route(delivery: _Children) -> _Children:
    routes = _inner(delivery, "Leveranceruter").get(f"{_B}Leverancerute")
    return _children(routes[-1]) if routes else {}


def _cvrs(filtering: _Children) -> tuple[Cvr, ...]:
    urns: list[str] = []
    for registration in filtering.get(f"{_B}ObjektRegistrering", ()):
        urns += _identifiers(_children(registration), "ObjektAnsvarligMyndighed")
    urns += _identifiers(filtering, "TilladtModtager")
    found = (match.group(1) for urn in urns if (match := _CVR.fullmatch(urn)))
    return tuple(Cvr(cvr) for cvr in dict.fromkeys(found))


def _related(filtering: _Children) -> tuple[str, ...]:
    found: list[str] = []
    for related in filtering.get(f"{_B}RelateretObjekt", ()):
        found += filter(is_uuid, _identifiers(_children(related), "ObjektId"))
    return tuple(found)


# --- the payload ---


def _payload(data: bytes, besked: _Children) -> tuple[bytes | None, str | None]:
    """The bytes of the first payload there is, or why there is none."""
    places = besked.get(_DATA, [])
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
