"""The message of one advis, set out to be read: with the citizen masked, or in full for a reason that is kept.

What may be seen is on a list, and all else is masked: a hospital may write anything anywhere. What passes the list is
looked through once more for those whom the message and the advis' sealed person tell of.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any, Final
from urllib.parse import unquote

from lxml import etree
from sqlalchemy import Connection, select

from engine.desk.act import Act
from engine.desk.search import person_of
from engine.domain.audit import Action
from engine.domain.ids import is_gln
from engine.domain.registration import LIKE_CPR, checked_remark
from engine.errors import NotFoundError
from engine.store import tables
from engine.store.payloads import PayloadBox
from engine.wire import fhir, xml
from engine.wire.tree import GLN_SYSTEMS, SOR_SYSTEM
from engine.wire.xml import Element

MASK: Final = "•••"


@dataclass(frozen=True, slots=True)
class Message:
    """The FHIR Bundle that the hospital sent, indented; its lines end in a line feed whatever encoding it came in."""

    advis_id: int
    media_type: str
    text: str
    masked: bool


def masked_message(conn: Connection, box: PayloadBox, advis_id: int) -> Message:
    """Without anything that could tell who the citizen is. The caller has seen to it that the advis may be read."""
    row = _row(conn, advis_id)
    data = box.open(row.sealed)
    person = {} if row.sealed_person is None else json.loads(box.open(row.sealed_person))
    bundle = fhir.read_bundle(data)
    people = _People.of(bundle.root, person)
    if bundle.media_type == fhir.JSON:
        text = _json_text(_masked(_native(data), "resource", _OUTSIDE, people, None))
    else:
        root = xml.parse(data, keep=True)
        _mask(root, _OUTSIDE, people)
        text = _xml_text(root)
    return Message(advis_id, bundle.media_type, people.numbers.sub(MASK, text), masked=True)


def full_message(act: Act, box: PayloadBox, advis_id: int, reason: str) -> Message:
    """With everything in it; the audit log has who saw it, and why. It is to be shown once that is committed."""
    why = checked_remark(reason, "begrundelsen")
    row = _row(act.conn, advis_id)
    data = box.open(row.sealed)
    bundle = fhir.read_bundle(data)
    is_json = bundle.media_type == fhir.JSON
    text = _json_text(_native(data)) if is_json else _xml_text(xml.parse(data, keep=True))
    act.audit(
        Action.PERSON_SHOWN,
        f"advis:{advis_id}",
        kommune_code=row.kommune_code,
        after=None if row.cpr_hash is None else {"person": person_of(row.cpr_hash)},
        reason=why,
    )
    return Message(advis_id, bundle.media_type, text, masked=False)


def _row(conn: Connection, advis_id: int) -> Any:
    advis, payload = tables.advis, tables.payload
    query = (
        select(advis.c.kommune_code, advis.c.cpr_hash, advis.c.sealed_person, payload.c.sealed)
        .outerjoin(payload, payload.c.id == advis.c.payload_id)
        .where(advis.c.id == advis_id)
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(f"Intet advis har nummer {advis_id}.")
    if row.sealed is None:
        raise NotFoundError(
            f"Indholdet af advis {advis_id} er her ikke: enten er det slettet, fordi det ikke skal gemmes længere, "
            "eller også blev adviset afvist uden indhold."
        )
    return row


# --- what may be seen -------------------------------------------------------------------------------------------------

# Patient, RelatedPerson, Practitioner and whatever else is not among these may tell of people.
_IMPERSONAL: Final = frozenset(
    {
        "Bundle",
        "MessageHeader",
        "Encounter",
        "EpisodeOfCare",
        "Organization",
        "Provenance",
        "OperationOutcome",
    }
)
_UUID: Final = (
    r"[0-9A-Za-z]{8}-(?:[0-9A-Za-z]{4}-){3}[0-9A-Za-z]{12}"  # MedCom's own are no hex digits all through
)
_FHIR_ID: Final = r"[0-9A-Za-z.-]{1,64}"
# Wherever a person is named by an id, it has to be one that says nothing.
_NOBODY_BY_ID: Final = rf"(?!.*/(?:Patient|Person|RelatedPerson|Practitioner)/(?!{_UUID}))"
_BASE: Final = r"https?://[0-9A-Za-z.-]+(?::[0-9]{1,5})?(?:/[0-9A-Za-z._~-]+)*"
_VERSION: Final = rf"(?:/_history/{_FHIR_ID})?"

_ANY_ID: Final = re.compile(_FHIR_ID)
_UUID_ALONE: Final = re.compile(_UUID)
_UUID_OR_URN: Final = re.compile(rf"(?:urn:uuid:)?{_UUID}")
_CODE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:|+-]{0,63}")
_URL: Final = re.compile(
    rf"{_NOBODY_BY_ID}{_BASE}/?(?:#[0-9A-Za-z=._~/-]*)?(?:\|[0-9A-Za-z.-]+)?"
    rf"|urn:oid:[0-9.]+|urn:uuid:{_UUID}|urn:ietf:rfc:\d+",
    re.ASCII,
)
_TIME: Final = re.compile(
    r"\d{4}-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?)?)?", re.ASCII
)
_FLAG: Final = re.compile(r"true|false")
_OPAQUE_REFERENCE: Final = re.compile(
    rf"{_NOBODY_BY_ID}(?:{_BASE}/)?[A-Z][A-Za-z]{{0,63}}/{_UUID}{_VERSION}|urn:uuid:{_UUID}|#{_UUID}"
)
_REFERENCE: Final = re.compile(
    rf"{_OPAQUE_REFERENCE.pattern}|{_NOBODY_BY_ID}(?:{_BASE}/)?(?:{'|'.join(sorted(_IMPERSONAL))})/{_FHIR_ID}{_VERSION}"
)

# By the name of the element: the shape that a value must have to be seen.
_Shapes = Mapping[str, re.Pattern[str]]
_IN_IMPERSONAL: Final[_Shapes] = {
    "id": _ANY_ID,
    **dict.fromkeys(("reference", "fullUrl"), _REFERENCE),
    **dict.fromkeys(("system", "url", "profile", "endpoint", "source"), _URL),
    **dict.fromkeys(("valueUri", "valueUrl", "valueCanonical"), _URL),
    **dict.fromkeys(("code", "status", "use", "type", "role", "severity", "language", "versionId"), _CODE),
    "valueCode": _CODE,
    **dict.fromkeys(("timestamp", "lastUpdated", "occurredDateTime", "recorded", "start", "end"), _TIME),
    **dict.fromkeys(("valueDateTime", "valueInstant"), _TIME),
    **dict.fromkeys(("valueBoolean", "active", "userSelected"), _FLAG),
}
_IN_PERSONAL: Final[_Shapes] = {
    "id": _UUID_ALONE,
    "reference": _OPAQUE_REFERENCE,
    **dict.fromkeys(("system", "url", "profile", "source"), _URL),
    **dict.fromkeys(("status", "use", "versionId"), _CODE),
    "lastUpdated": _TIME,
    **dict.fromkeys(("active", "deceasedBoolean"), _FLAG),
}
_IN_UNKNOWN: Final[_Shapes] = {"url": _URL}
_EXTENSIONS: Final = frozenset({"extension", "modifierExtension"})
_KNOWN_EXTENSIONS: Final = "http://medcomfhir.dk/ig/"
_HOLDS_A_RESOURCE: Final = frozenset({"resource", "contained", "outcome"})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a message one is: the innermost element, and what may be seen there."""

    shapes: _Shapes
    within: str

    def enter(self, name: str, url: object) -> "_Place":
        """The place within the element of that name; `url` tells what an extension is."""
        if name in _EXTENSIONS:
            known = self.shapes is _IN_IMPERSONAL and str(url).startswith(_KNOWN_EXTENSIONS)
        else:
            known = name not in _HOLDS_A_RESOURCE and name[:1].islower()
        return _Place(self.shapes if known else _IN_UNKNOWN, name)

    def shows(self, name: str, value: str, system: str | None) -> bool:
        """Whether the value of this element or attribute is of a kind that may be seen here."""
        if self.shapes is _IN_IMPERSONAL and (self.within, name) == ("Organization", "name"):
            return True
        if self.shapes is _IN_IMPERSONAL and (self.within, name) == ("identifier", "value"):
            return _is_a_units(system, value.strip()) or _UUID_OR_URN.fullmatch(value.strip()) is not None
        shape = self.shapes.get(name)
        return shape is not None and shape.fullmatch(value.strip()) is not None


_OUTSIDE: Final = _Place(_IN_UNKNOWN, "resource")


def _resource(type_: object) -> _Place:
    """The place within a resource of that type."""
    name = str(type_)
    return _Place(_IN_IMPERSONAL if name in _IMPERSONAL else _IN_PERSONAL, name)


def _is_a_units(system: str | None, number: str) -> bool:
    return (system == SOR_SYSTEM and re.fullmatch(r"[0-9]{11,18}", number) is not None) or (
        system in GLN_SYSTEMS and is_gln(number)
    )


# --- whom it may not tell of ------------------------------------------------------------------------------------------

_WORD: Final = re.compile(r"[^\W\d_]{2,}")  # an initial is no name to search for
_HUMP: Final = re.compile(r"(?<=[a-zæøå])(?=[A-ZÆØÅ])")
_GAP: Final = "[^0-9A-Za-z]{0,2}"  # a CPR number is one with hyphen, space or dots too
_LENGTHS_OF_A_NUMBER: Final = range(8, 65)  # a shorter one may stand anywhere by chance
_FEWEST_DIGITS: Final = 4  # with fewer it may be a word
_IN_ASCII = [
    str.maketrans(dict(zip("æøå", spelling, strict=True)))
    for spelling in product(("ae", "a"), ("oe", "o"), ("aa", "a"))
]


@dataclass(frozen=True, slots=True)
class _People:
    """Those whom a message tells of: their names, and their numbers however they are written."""

    names: frozenset[str]
    numbers: re.Pattern[str]

    @classmethod
    def of(cls, root: Element, person: Mapping[str, str | None]) -> "_People":
        """The sealed person of the advis, and all whom the message itself names."""
        names = {word for text in (person.get("name") or "", *_names(root)) for word in _words(text)}
        numbers = {number for text in (person.get("cpr") or "", *_numbers(root)) for number in _number(text)}
        spelt = "|".join(_GAP.join(number) for number in sorted(numbers))
        return cls(frozenset(names), re.compile(spelt or "(?!)", re.IGNORECASE))

    def are_in(self, text: str) -> bool:
        """Whether the text tells of them, or holds what may be anybody's CPR number."""
        plain = _plain(text)
        if self.numbers.search(plain):
            return True
        # What looks like a name or a number within a UUID is there by chance.
        rest = _UUID_ALONE.sub(" ", plain)
        words = _WORD.findall(f"{rest} {_HUMP.sub(' ', rest)}".casefold())
        return LIKE_CPR.search(rest) is not None or not self.names.isdisjoint(words)


def _plain(text: str) -> str:
    """The text without the ways to write a letter or a digit otherwise."""
    plain = unicodedata.normalize("NFKC", unquote(text) if "%" in text else text)
    if plain.isascii():
        return plain
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in plain)


def _names(root: Element) -> Iterator[str]:
    for element in root.iter(fhir.tag("family"), fhir.tag("given")):
        yield element.get("value") or ""
    for element in root.iter(fhir.tag("name")):
        for text in element.iterchildren(fhir.tag("text")):
            yield text.get("value") or ""


def _words(text: str) -> Iterator[str]:
    """The words of a name, each as it is spelt and as it is spelt where there is no æ, ø or å."""
    for word in _WORD.findall(_plain(text).casefold()):
        yield word
        for spelling in _IN_ASCII:
            parts = unicodedata.normalize("NFKD", word.translate(spelling))
            yield "".join(char for char in parts if not unicodedata.combining(char))


def _numbers(root: Element) -> Iterator[str]:
    """Every identifier of what may be a person."""
    for element in root.iter(fhir.tag("identifier")):
        owner = next((each for each in element.iterancestors() if _is_a_resource(each)), root)
        if _local(owner) not in _IMPERSONAL:
            for value in element.iterchildren(fhir.tag("value")):
                yield value.get("value") or ""


def _number(text: str) -> Iterator[str]:
    number = "".join(char for char in _plain(text) if char.isascii() and char.isalnum())
    if len(number) in _LENGTHS_OF_A_NUMBER and sum(char.isdigit() for char in number) >= _FEWEST_DIGITS:
        yield number


def _is_a_resource(element: Element) -> bool:
    parent = element.getparent()
    return parent is None or _local(parent) in _HOLDS_A_RESOURCE


# --- XML --------------------------------------------------------------------------------------------------------------


def _mask(element: Element, outer: _Place, people: _People, system: str | None = None) -> None:
    """Mask the element, which stands at `outer`, but for what may be seen. `system` is the one beside it."""
    name = _local(element)
    place = _place_of(element, name, outer)
    for attribute in map(str, element.keys()):
        value = element.get(attribute, "")
        at, called = (outer, name) if attribute == "value" else (place, attribute)
        if not at.shows(called, value, system) or people.are_in(value):
            element.set(attribute, MASK)
    if element.text and element.text.strip():
        element.text = MASK  # in FHIR only narratives have texts
    beside = next((each.get("value") for each in element.iterchildren(fhir.tag("system"))), None)
    for child in element:
        if child.tail and child.tail.strip():
            child.tail = MASK
        if _namespace(child) == fhir.NAMESPACE:
            _mask(child, place, people, beside)
        else:
            _mask_all(child)


def _place_of(element: Element, name: str, outer: _Place) -> _Place:
    if outer.within in _HOLDS_A_RESOURCE and name[0].isupper():
        return _resource(name)
    return outer.enter(name, element.get("url"))


def _mask_all(foreign: Element) -> None:
    """A narrative, a comment, or what is no FHIR at all: nothing of it but its elements is seen."""
    for element in foreign.iter():
        for attribute in map(str, element.keys()):
            element.set(attribute, MASK)
        if element.text and element.text.strip():
            element.text = MASK
        if element is not foreign and element.tail and element.tail.strip():
            element.tail = MASK


def _local(element: Element) -> str:
    return etree.QName(element).localname


def _namespace(node: Element) -> str | None:
    """None also for a comment and for a processing instruction: they have no tag."""
    tag: object = node.tag
    return etree.QName(tag).namespace if isinstance(tag, str) else None


def _xml_text(root: Element) -> str:
    _indent(root, "\n")
    return etree.tostring(root, encoding="unicode", with_tail=False)


def _indent(element: Element, pad: str) -> None:
    if _namespace(element) != fhir.NAMESPACE:
        return  # white space in a narrative is text
    texts = (element.text, *(child.tail for child in element))
    for child in element:
        _indent(child, f"{pad}  ")
    if any(text and text.strip() for text in texts):
        return
    element.text = f"{pad}  " if len(element) else None
    for child in element:
        child.tail = f"{pad}  " if child.getnext() is not None else pad


# --- JSON -------------------------------------------------------------------------------------------------------------

_NARRATIVE: Final = f'<div xmlns="{fhir.XHTML}">{MASK}</div>'


def _native(data: bytes) -> Any:
    """What the JSON says, its numbers to the digit."""
    return json.loads(data.decode(json.detect_encoding(data)), parse_float=Decimal)


def _mask_object(content: dict[str, Any], place: _Place, people: _People) -> None:
    """Mask all values of the object, which is the place, but those that may be seen there."""
    beside = content.get("system")
    system = beside if isinstance(beside, str) else None
    for key, value in content.items():
        if key == "resourceType":
            continue
        name = key.removeprefix("_")  # what belongs to a simple value beside it
        if isinstance(value, list):
            value[:] = [_masked(item, name, place, people, system) for item in value]
        else:
            content[key] = _masked(value, name, place, people, system)


def _masked(value: Any, name: str, place: _Place, people: _People, system: str | None) -> Any:
    """One value of the property of that name; `system` is the one beside it."""
    if isinstance(value, dict):
        _mask_object(value, _place_of_object(value, name, place), people)
        return value
    if value is None:
        return None
    if name == "div" and isinstance(value, str):
        return _NARRATIVE
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return value if place.shows(name, text, system) and not people.are_in(text) else MASK


def _place_of_object(value: dict[str, Any], name: str, outer: _Place) -> _Place:
    if name in _HOLDS_A_RESOURCE and "resourceType" in value:
        return _resource(value["resourceType"])
    return _Place(_IN_UNKNOWN, name) if "resourceType" in value else outer.enter(name, value.get("url"))


def _json_text(value: Any) -> str:
    parts: list[str] = []
    _write(value, "\n", parts)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", "".join(parts))


_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # one alone is no letter that a screen or a file can hold


def _write(value: Any, pad: str, parts: list[str]) -> None:
    """As json.dumps with an indent of 2, but with numbers as they were written."""
    if isinstance(value, Decimal):
        parts.append(str(value))
    elif not isinstance(value, dict | list) or not value:
        parts.append(json.dumps(value, ensure_ascii=False))
    else:
        opens, closes = "{}" if isinstance(value, dict) else "[]"
        inner, between = f"{pad}  ", opens
        for item in value:
            parts.append(between + inner)
            between = ","
            if isinstance(value, dict):
                parts.append(f"{json.dumps(item, ensure_ascii=False)}: ")
            _write(value[item] if isinstance(value, dict) else item, inner, parts)
        parts.append(pad + closes)
