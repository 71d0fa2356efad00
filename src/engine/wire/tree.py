"""Reading a FHIR tree: children by name, references resolved within the Bundle, times with their zone.

An element's children are looked up in a dict that is made once per element (`children`): one pass over the
tree instead of one search per name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import Final, TypeAlias

from engine.domain.advis import Unit
from engine.wire.fhir import tag
from engine.wire.xml import Element

Children: TypeAlias = dict[str, list[Element]]
"""The children of one element: qualified name to elements, in their order."""

NOTHING: Final[Children] = {}

SOR_SYSTEM: Final = "urn:oid:1.2.208.176.1.1"
GLN_SYSTEMS: Final = frozenset({"https://www.gs1.org/gln", "http://www.gs1.org/gln", "urn:oid:1.3.88"})

_ID = tag("id")
_ENTRY = tag("entry")
_RESOURCE = tag("resource")
_FULL_URL = tag("fullUrl")
_SYSTEM = tag("system")
_VALUE = tag("value")
_CODE = tag("code")
_REFERENCE = tag("reference")
_IDENTIFIER = tag("identifier")
_NAME = tag("name")
_PREFIX = tag("")


def children(element: Element | None) -> Children:
    """The element's children by qualified name; none for None."""
    if element is None:
        return NOTHING
    result: Children = {}
    for child in element:
        name = child.tag
        if name in result:
            result[name].append(child)
        else:
            result[name] = [child]
    return result


def first(of: Children, name: str) -> Element | None:
    """The first child of that qualified name."""
    found = of.get(name)
    return found[0] if found else None


def value(of: Children, name: str) -> str | None:
    """The `value` attribute of the first child of that name, stripped; None where there is none."""
    found = of.get(name)
    if not found:
        return None
    text = found[0].get("value")
    return (text.strip() or None) if text else None


def child_value(element: Element | None, name: str) -> str | None:
    """As `value`, for an element of which only one child is wanted."""
    if element is not None:
        for child in element.iterchildren(name):
            text = child.get("value")
            return (text.strip() or None) if text else None
    return None


def coding(element: Element | None) -> tuple[str | None, str | None]:
    """System and code of a Coding."""
    of = children(element)
    return value(of, _SYSTEM), value(of, _CODE)


def identifiers(of: Children) -> list[tuple[str | None, str | None]]:
    """System and value of each `identifier`."""
    return [system_value(element) for element in of.get(_IDENTIFIER, ())]


def system_value(element: Element) -> tuple[str | None, str | None]:
    """System and value of one Identifier."""
    parts = children(element)
    return value(parts, _SYSTEM), value(parts, _VALUE)


@dataclass(slots=True)
class Resource:
    """One resource of the Bundle; `type` is its plain name ("Patient")."""

    type: str
    id: str | None
    full_url: str | None
    element: Element
    children: Children


@dataclass(slots=True)
class Resources:
    """The resources of a Bundle, in entry order, and the ways by which a reference may name them."""

    all: list[Resource] = field(default_factory=list)
    by_url: dict[str, Resource] = field(default_factory=dict)
    by_id: dict[tuple[str, str], Resource] = field(default_factory=dict)

    def of_type(self, name: str) -> list[Resource]:
        return [resource for resource in self.all if resource.type == name]

    def resolve(self, holder: Element | None, type_: str) -> Resource | None:
        """The bundled resource of that type which the Reference element `holder` names."""
        return self.find(child_value(holder, _REFERENCE), type_)

    def find(self, reference: str | None, type_: str) -> Resource | None:
        """By type and id, by fullUrl, or by urn:uuid; None where it is not bundled, or of another type."""
        if reference is None:
            return None
        found = self.by_url.get(reference)
        if found is None:
            named, id_ = split_reference(reference)
            if named is None:
                found = self.by_id.get((type_, id_)) or self.by_id.get((type_, id_.lower()))
            elif named == type_:
                found = self.by_id.get((type_, id_))
        return found if found is not None and found.type == type_ else None


def resources(bundle: Children) -> Resources:
    """All resources in the Bundle's entries."""
    result = Resources()
    for entry in bundle.get(_ENTRY, ()):
        full_url: str | None = None
        for part in entry:
            if part.tag == _FULL_URL:
                full_url = (part.get("value") or "").strip() or None
            elif part.tag == _RESOURCE and len(part):
                _add(result, part[0], full_url)
    return result


def held(root: Element) -> Iterator[Element]:
    """The resources in the Bundle's entries, for a look that needs no index."""
    for entry in root.iterchildren(_ENTRY):
        for holder in entry.iterchildren(_RESOURCE):
            yield from islice(holder, 1)


def _add(result: Resources, element: Element, full_url: str | None) -> None:
    of = children(element)
    resource = Resource(element.tag.removeprefix(_PREFIX), value(of, _ID), full_url, element, of)
    result.all.append(resource)
    if full_url:
        result.by_url.setdefault(full_url, resource)
    if resource.id:
        result.by_id.setdefault((resource.type, resource.id), resource)


def split_reference(reference: str) -> tuple[str | None, str]:
    """Type and id of a reference: relative, absolute, versioned, or urn:uuid (which names no type)."""
    if reference.startswith(("urn:uuid:", "urn:oid:")):
        return None, reference.rpartition(":")[2]
    path, slash, id_ = reference.partition("/_history/")[0].rpartition("/")
    return (path.rpartition("/")[2] or None, id_) if slash else (None, id_)


def unit(organisation: Resource | None) -> Unit:
    """SOR id, GLN and name of an Organization; an empty Unit for None."""
    if organisation is None:
        return Unit()
    sor = gln = None
    for system, number in identifiers(organisation.children):
        if system == SOR_SYSTEM:
            sor = sor or number
        elif system in GLN_SYSTEMS:
            gln = gln or number
    return Unit(sor=sor, gln=gln, name=value(organisation.children, _NAME))


class TimeFault(Enum):
    """Why a text is not the time with date, time of day and zone that MedCom demands."""

    NO_ZONE = "mangler tidszone"
    PARTIAL = "er kun en dato"
    WRONG = "er ikke et gyldigt tidspunkt"


_FULL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(Z|[+-]\d\d:\d\d)?")
_PARTIAL = re.compile(r"\d{4}(-\d\d){0,2}")
_YEARS = range(1900, 2200)  # outside of them another zone may be outside of what Python can hold


def time(text: str) -> datetime | TimeFault:
    """A FHIR dateTime or instant as an aware datetime, else what is wrong with it."""
    match = _FULL.fullmatch(text)
    if match is None:
        return TimeFault.PARTIAL if _PARTIAL.fullmatch(text) else TimeFault.WRONG
    if match.group(1) is None:
        return TimeFault.NO_ZONE
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return TimeFault.WRONG
    return parsed if parsed.year in _YEARS else TimeFault.WRONG


def aware(text: str | None) -> datetime | None:
    """The time, or None where there is none that can be used."""
    if text is None:
        return None
    parsed = time(text)
    return parsed if isinstance(parsed, datetime) else None
