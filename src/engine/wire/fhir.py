"""FHIR R4 in XML and JSON alike: both become one lxml tree in the shape of FHIR's XML.

Source: HL7 FHIR R4, "XML Representation" and "JSON Representation of Resources".
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, Never, Self, cast

from lxml import etree

from engine.errors import Malformed, WireError
from engine.wire import xml

XML = "application/fhir+xml"
JSON = "application/fhir+json"

NAMESPACE: Final = "http://hl7.org/fhir"
XHTML: Final = "http://www.w3.org/1999/xhtml"

_BUNDLE: Final = f"{{{NAMESPACE}}}Bundle"
_XHTML_DIV: Final = f"{{{XHTML}}}div"
_NSMAP: Final = cast("Mapping[str, str]", {None: NAMESPACE})  # the stubs know no default namespace

# Byte order marks, white space, and the zeros of UTF-16 and UTF-32.
_BEFORE_JSON: Final = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A parsed Bundle. `root` is the Bundle element in FHIR's XML shape, whichever format it came in.

    `native` is the decoded JSON object of a JSON Bundle, None for XML. `encoding` is the declared or detected
    one ("UTF-8", "ISO-8859-1", …), in upper case.
    """

    root: etree._Element
    media_type: str
    encoding: str
    native: dict[str, Any] | None


def read_bundle(data: bytes) -> Bundle:
    """Parse a Bundle in XML (any declared encoding) or JSON (UTF-8/16/32, with or without BOM).

    Raises Malformed (with a Danish text that says what it is not) or ForbiddenMarkup.
    """
    if is_json(data):
        return _read_json(data)
    root = xml.parse(data)
    if root.tag != _BUNDLE:
        name = etree.QName(root)
        if name.localname != "Bundle":
            raise Malformed("Indholdet er ikke en FHIR Bundle: rodelementet er et andet")
        raise Malformed(f"Indholdet er ikke en FHIR Bundle: navnerummet er ikke {NAMESPACE}")
    return Bundle(root=root, media_type=XML, encoding=xml.encoding_of(data, root), native=None)


def is_json(data: bytes) -> bool:
    """Whether `data` begins as a JSON object, in any of JSON's encodings."""
    return data[:1] == b"{" or data.lstrip(_BEFORE_JSON)[:1] == b"{"


def tag(name: str) -> str:
    """The qualified name of a FHIR element, as lxml writes it."""
    return f"{{{NAMESPACE}}}{name}"


# --- JSON ---


def _read_json(data: bytes) -> Bundle:
    native, encoding = load_json(data)
    if native.get("resourceType") != "Bundle":
        raise Malformed("Indholdet er ikke en FHIR Bundle: resourceType er en anden")
    return Bundle(root=to_xml(native), media_type=JSON, encoding=encoding, native=native)


def load_json(data: bytes) -> tuple[dict[str, Any], str]:
    """The object that `data` holds, and its encoding ("UTF-8", "UTF-16", "UTF-32").

    Raises Malformed where it is no JSON object, has a key twice, holds NaN or Infinity, or is nested too
    deeply.
    """
    encoding = json.detect_encoding(data)
    try:
        value = json.loads(
            data.decode(encoding),
            object_pairs_hook=_object,
            parse_float=_Decimal,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise Malformed("JSON er indlejret for dybt") from None
    except json.JSONDecodeError as exc:
        raise Malformed(f"JSON kan ikke læses: linje {exc.lineno}, tegn {exc.colno}") from None
    except ValueError:  # wrong bytes for the encoding; a number of thousands of digits
        raise Malformed("JSON kan ikke læses: ugyldige tegn eller tal") from None
    if not isinstance(value, dict):
        raise Malformed("JSON er ikke et objekt")
    return value, encoding.upper().removesuffix("-SIG")[:6].rstrip("-")


def dump_json(value: dict[str, Any]) -> bytes:
    """`value` as JSON in UTF-8; letters stand as themselves where UTF-8 can hold them."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate: legal as a JSON escape, never in UTF-8
        return json.dumps(value, separators=(",", ":")).encode()


def native_resources(bundle: dict[str, Any], type_: str) -> Iterator[dict[str, Any]]:
    """The resources of that type in the entries of a Bundle in JSON, in their order."""
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else [entries]:
        held = entry.get("resource") if isinstance(entry, dict) else None
        for resource in held if isinstance(held, list) else [held]:
            if isinstance(resource, dict) and resource.get("resourceType") == type_:
                yield resource


class _Decimal(float):
    """A number that remembers how it was written: in FHIR 1.50 and 1.5 say different things."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        if not math.isfinite(number):
            raise Malformed("JSON indeholder et tal, der er for stort")
        number.text = text
        return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Malformed("JSON har samme nøgle to gange i et objekt")
    return result


def _refuse_constant(_name: str) -> Never:
    raise Malformed("JSON indeholder NaN eller Infinity")


# --- JSON to XML ---


def to_xml(resource: dict[str, Any]) -> etree._Element:
    """The FHIR XML element of a resource given as FHIR JSON; element order is the dict's.

    Raises Malformed for what FHIR's JSON cannot be: keys that are no element names, lists within lists, no
    resourceType. Characters that XML cannot hold become U+FFFD; a narrative that is no XHTML is left out.
    """
    element = etree.Element(_resource_tag(resource), nsmap=_NSMAP)
    _add_content(element, resource, 1, _RESOURCE)
    return element


_RESOURCE: Final = frozenset({"resourceType"})
_ELEMENT: Final = frozenset({"id"})  # an attribute, in everything that is no resource
_EXTENSION: Final = frozenset({"id", "url"})
_EXTENSIONS: Final = frozenset({"extension", "modifierExtension"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_TAGS: dict[str, str] = {}
_TAGS_KEPT: Final = 2_000  # names are few in honest messages; a dishonest one shall not fill the memory


def _tag_of(name: str) -> str:
    known = _TAGS.get(name)
    if known is not None:
        return known
    if not _NAME.fullmatch(name):
        raise Malformed("JSON har en nøgle, som ikke kan være et FHIR-element")
    qualified = tag(name)
    if len(_TAGS) < _TAGS_KEPT:
        _TAGS[name] = qualified
    return qualified


def _resource_tag(resource: dict[str, Any]) -> str:
    name = resource.get("resourceType")
    if not isinstance(name, str):
        raise Malformed("JSON har en ressource uden resourceType")
    return _tag_of(name)


def _add_content(
    parent: etree._Element, content: dict[str, Any], depth: int, attributes: frozenset[str]
) -> None:
    if depth > xml.MAX_DEPTH:
        raise Malformed("JSON er indlejret for dybt")
    for key, value in content.items():
        if key in attributes:
            continue
        if key.startswith("_"):
            # A primitive's id and extensions: they belong to the plain key's element where that stands too.
            if key[1:] not in content:
                _add_property(parent, key[1:], None, value, depth)
        elif type(value) is str and key != "div":
            _add_primitive(parent, _tag_of(key), value, content.get("_" + key), depth)
        else:
            _add_property(parent, key, value, content.get("_" + key), depth)


def _add_property(parent: etree._Element, key: str, value: Any, extra: Any, depth: int) -> None:
    if not isinstance(value, list) and not isinstance(extra, list):
        _add_one(parent, key, value, extra, depth)
        return
    values = value if isinstance(value, list) else [value]
    extras = extra if isinstance(extra, list) else [extra]
    for item, its_extra in zip_longest(values, extras):
        _add_one(parent, key, item, its_extra, depth)


def _add_one(parent: etree._Element, key: str, value: Any, extra: Any, depth: int) -> None:
    name = _tag_of(key)
    if isinstance(value, dict):
        element = etree.SubElement(parent, name)
        if "resourceType" in value:
            inner = etree.SubElement(element, _resource_tag(value))
            _add_content(inner, value, depth + 2, _RESOURCE)
            return
        attributes = _EXTENSION if key in _EXTENSIONS else _ELEMENT
        for attribute in attributes & value.keys():
            element.set(attribute, xml.legal(_text(value[attribute])))
        _add_content(element, value, depth + 1, attributes)
    elif isinstance(value, list):
        raise Malformed("JSON har en liste i en liste")
    elif key == "div" and isinstance(value, str):
        _add_narrative(parent, value)
    elif value is not None:
        _add_primitive(parent, name, _text(value), extra, depth)
    elif isinstance(extra, dict):
        _add_extra(etree.SubElement(parent, name), extra, depth)


def _add_primitive(parent: etree._Element, name: str, text: str, extra: Any, depth: int) -> None:
    try:
        element = etree.SubElement(parent, name, value=text)
    except ValueError:  # a character that XML cannot hold
        element = etree.SubElement(parent, name, value=xml.legal(text))
    if isinstance(extra, dict):
        _add_extra(element, extra, depth)


def _add_extra(element: etree._Element, extra: dict[str, Any], depth: int) -> None:
    if "id" in extra:
        element.set("id", xml.legal(_text(extra["id"])))
    _add_content(element, extra, depth + 1, _ELEMENT)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Decimal):
        return value.text
    if isinstance(value, int | float):
        return str(value)
    raise Malformed("JSON har et objekt eller en liste, hvor FHIR har en simpel værdi")


def _add_narrative(parent: etree._Element, text: str) -> None:
    try:
        div = xml.parse(xml.legal(text).encode())
    except WireError:
        return  # never shown, never compared with anything: no reason to lose the message
    if div.tag == _XHTML_DIV:
        parent.append(div)
