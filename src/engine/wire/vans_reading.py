"""Reading a VANSEnvelope: what routing needs must be there, everything else may deviate and is a finding.

The deviations are those seen in hospitals' own samples (ids that are no UUID, names without MCM:, times
without zone, no Transport). No finding quotes what the envelope says.
"""

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from engine.domain.finding import ErrorCode, Finding, Severity
from engine.domain.ids import LONGEST_ID, is_uuid
from engine.errors import Malformed
from engine.wire import base64_text, xml
from engine.wire.vans_model import (
    NAMESPACE,
    EndPoint,
    EndPointType,
    Head,
    MessageEnvelope,
    MetaInformation,
    ReceiptEnvelope,
    ReceiptKind,
)

_Children: TypeAlias = dict[str, list[xml.Element]]

_ROOT: Final = "VANSEnvelope"
_ANY_VERSION: Final = "urn:oio:medcom:vans-envelope:"
_ORDER: Final[dict[str, tuple[str, ...]]] = {
    _ROOT: ("SenderID", "ReceiverID", "EnvelopeIdentifier", "SentDateTime", "Message", "Receipt"),
    "Message": ("MetaInformation", "Data"),
    "MetaInformation": ("Identifier", "Processing", "Document", "Transport"),
    "Document": ("Format", "Name", "Version", "SizeInBytes"),
    "Transport": ("Type", "TransformMessage", "ServiceTag"),
}
_RANKS: Final = {parent: {name: at for at, name in enumerate(names)} for parent, names in _ORDER.items()}
_SEVERAL: Final = frozenset({"ServiceTag"})
_FORMATS: Final = frozenset({"XML", "EDIFACT", "HL7", "Binary", "Other"})
_TYPES: Final = {member.value: member for member in EndPointType}
_KINDS: Final = {member.value: member for member in ReceiptKind}
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_ID_LENGTH: Final = 18
_TRANSPORTS: Final = frozenset({"reliable", "unreliable"})

_TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(Z|[+-]\d\d:\d\d)?")
_VERSION = re.compile(r"\d{1,3}(\.\d{1,3}){0,3}")
_SIZE = re.compile(r"\d{1,10}")


def read(data: bytes) -> MessageEnvelope | ReceiptEnvelope:
    """Read one envelope.

    Raises Malformed or ForbiddenMarkup where it is not a VANSEnvelope with sender, receiver,
    EnvelopeIdentifier and a Message (with an identifier) or a Receipt (with OriginalEnvelopeIdentifier),
    or where one of these is longer than any id.
    """
    root = xml.parse(data)
    reader = _Reader(root)
    parts = reader.children(root, _ROOT, _ROOT)
    head = Head(
        sender=reader.end_point(parts, "SenderID"),
        receiver=reader.end_point(parts, "ReceiverID"),
        envelope_id=reader.required(parts, "EnvelopeIdentifier", _ROOT),
        sent_at=reader.sent_at(parts),
    )
    reader.uuid(head.envelope_id, f"{_ROOT}.EnvelopeIdentifier")
    if ("Message" in parts) == ("Receipt" in parts):
        raise Malformed("VANSEnvelope skal have enten Message eller Receipt")
    if "Message" in parts:
        return reader.message(head, parts["Message"][0])
    return reader.receipt(head, parts["Receipt"][0])


class _Reader:
    """One envelope being read: its namespace, and the findings so far."""

    __slots__ = ("findings", "prefix")

    def __init__(self, root: xml.Element) -> None:
        self.findings: list[Finding] = []
        namespace, _, name = root.tag.rpartition("}")
        namespace = namespace[1:]
        if name != _ROOT or not namespace.startswith(_ANY_VERSION):
            raise Malformed("Filen er ikke en VANSEnvelope")
        self.prefix = f"{{{namespace}}}"
        if namespace != NAMESPACE:
            self.warn(_ROOT, ErrorCode.WRONG_NAMESPACE, f"VANSEnvelope er ikke version 1.0.4 ({NAMESPACE})")

    def warn(self, path: str, code: ErrorCode, text: str) -> None:
        self.findings.append(Finding(path, code, text, Severity.WARNING))

    def children(self, element: xml.Element, kind: str, path: str) -> _Children:
        """The children by plain name. Two of one kind are two messages in one; a wrong order is a finding."""
        result: _Children = {}
        ranks = _RANKS.get(kind)
        at, ordered = 0, True
        for child in element:
            name = child.tag.removeprefix(self.prefix)
            if name not in result:
                result[name] = [child]
            elif name in _SEVERAL or (ranks is not None and name not in ranks):
                result[name].append(child)
            else:
                raise Malformed(f"{path} har det samme element flere gange")
            if ranks is not None:
                rank = ranks.get(name, -1)
                ordered = ordered and rank >= at
                at = max(at, rank)
        if not ordered:
            self.warn(
                path,
                ErrorCode.BAD_SYNTAX,
                f"{path} har ukendte elementer eller elementer i forkert rækkefølge",
            )
        return result

    def required(self, parts: _Children, name: str, path: str) -> str:
        found = _text(parts, name)
        if found is None:
            raise Malformed(f"{path}.{name} mangler")
        return _bounded(found, f"{path}.{name}")

    def uuid(self, text: str, path: str) -> None:
        if not is_uuid(text):
            self.warn(path, ErrorCode.ID_INVALID, f"{path} er ikke et UUID")

    def end_point(self, parts: _Children, name: str) -> EndPoint:
        id_ = self.required(parts, name, _ROOT)
        path = f"{_ROOT}.{name}"
        if len(id_) > _ID_LENGTH:
            self.warn(path, ErrorCode.ELEMENT_TOO_LONG, f"{path} er længere end {_ID_LENGTH} tegn")
        kind = _TYPES.get((parts[name][0].get("EndPointType") or "").strip())
        if kind is None:
            self.warn(
                path, ErrorCode.VALUE_UNKNOWN, f"{path} har ingen kendt EndPointType; den læses som EAN"
            )
            kind = EndPointType.EAN
        return EndPoint(kind, id_)

    def sent_at(self, parts: _Children) -> str:
        path = f"{_ROOT}.SentDateTime"
        text = _text(parts, "SentDateTime")
        if text is None:
            self.warn(path, ErrorCode.RESOURCE_REQUIRED, f"{path} mangler")
            return ""
        match = _TIME.fullmatch(text)
        if match is None:
            self.warn(path, ErrorCode.DATE_FORMAT, f"{path} er ikke et gyldigt tidspunkt")
        elif match.group(1) is None:
            self.warn(path, ErrorCode.DATE_FORMAT, f"{path} mangler tidszone")
        return text

    # --- a message ---

    def message(self, head: Head, element: xml.Element) -> MessageEnvelope:
        path = f"{_ROOT}.Message"
        parts = self.children(element, "Message", path)
        if "MetaInformation" not in parts:
            raise Malformed(f"{path}.MetaInformation mangler")
        meta, size = self.meta(parts["MetaInformation"][0], f"{path}.MetaInformation")
        content, damage = _content(parts)
        if content is not None and size is not None and size != len(content):
            at = f"{path}.MetaInformation.Document.SizeInBytes"
            self.warn(at, ErrorCode.DAMAGED, f"SizeInBytes er {size}, men Data fylder {len(content)} bytes")
        return MessageEnvelope(head, meta, content, damage, tuple(self.findings))

    def meta(self, element: xml.Element, path: str) -> tuple[MetaInformation, int | None]:
        """The MetaInformation, and SizeInBytes where it is given and a number."""
        parts = self.children(element, "MetaInformation", path)
        identifier = self.required(parts, "Identifier", path)
        self.uuid(identifier, f"{path}.Identifier")
        document, at = self.inner(parts, "Document", path)
        size = self.size(document, f"{at}.SizeInBytes")
        kind, transform, tags = self.transport(parts, path)
        meta = MetaInformation(
            identifier=identifier,
            format=self.format(document, f"{at}.Format"),
            name=self.name(document, f"{at}.Name"),
            version=self.version(document, f"{at}.Version"),
            size_in_bytes=size or 0,
            processing=self.processing(parts, path),
            transport_type=kind,
            transform_message=transform,
            service_tags=tags,
        )
        return meta, size

    def inner(self, parts: _Children, name: str, path: str) -> tuple[_Children, str]:
        path = f"{path}.{name}"
        if name not in parts:
            self.warn(path, ErrorCode.RESOURCE_REQUIRED, f"{path} mangler")
            return {}, path
        return self.children(parts[name][0], name, path), path

    def size(self, document: _Children, path: str) -> int | None:
        text = _text(document, "SizeInBytes")
        if text is not None and _SIZE.fullmatch(text):
            return int(text)
        self.warn(path, ErrorCode.DATATYPE_WRONG, f"{path} mangler eller er ikke et tal")
        return None

    def format(self, document: _Children, path: str) -> str:
        text = _text(document, "Format")
        if text not in _FORMATS:
            self.warn(path, ErrorCode.VALUE_UNKNOWN, f"{path} mangler eller er ikke en af skemaets værdier")
        return text or "HL7"

    def name(self, document: _Children, path: str) -> str:
        text = _text(document, "Name") or ""
        if not text.startswith("MCM:"):
            self.warn(path, ErrorCode.VALUE_UNKNOWN, f"{path} mangler eller begynder ikke med MCM:")
        return text

    def version(self, document: _Children, path: str) -> str | None:
        text = _text(document, "Version")
        if text is not None and not _VERSION.fullmatch(text):
            self.warn(path, ErrorCode.VALUE_UNKNOWN, f"{path} har ikke form som et versionsnummer")
        return text

    def processing(self, parts: _Children, path: str) -> tuple[str, str] | None:
        if "Processing" not in parts:
            return None
        inner = self.children(parts["Processing"][0], "Processing", f"{path}.Processing")
        return _text(inner, "ProviderIdentifier") or "", _text(inner, "ServiceIdentifier") or ""

    def transport(
        self, parts: _Children, path: str
    ) -> tuple[str | None, bool | None, tuple[tuple[str, str], ...]]:
        inner, path = self.inner(parts, "Transport", path)
        if not inner:
            return None, None, ()
        kind = _text(inner, "Type")
        if kind is not None and kind not in _TRANSPORTS:
            self.warn(f"{path}.Type", ErrorCode.VALUE_UNKNOWN, f"{path}.Type er ikke en af skemaets værdier")
        transform = _BOOLEANS.get(_text(inner, "TransformMessage") or "")
        if transform is None:
            at = f"{path}.TransformMessage"
            self.warn(at, ErrorCode.DATATYPE_WRONG, f"{at} mangler eller er hverken true eller false")
        tags = tuple(
            ((tag.get("name") or "").strip(), (tag.text or "").strip()) for tag in inner.get("ServiceTag", ())
        )
        if not any(name == "MCM:MIME" for name, _ in tags):
            at = f"{path}.ServiceTag"
            self.warn(at, ErrorCode.RESOURCE_REQUIRED, f"{at} med navnet MCM:MIME mangler")
        return kind, transform, tags

    # --- a receipt ---

    def receipt(self, head: Head, element: xml.Element) -> ReceiptEnvelope:
        path = f"{_ROOT}.Receipt"
        kinds = self.children(element, "Receipt", path)
        known = [name for name in kinds if name in _KINDS]
        if len(known) != 1:
            raise Malformed(f"{path} skal have netop én af NegativeVans, NegativeMessage og PositiveMessage")
        kind = _KINDS[known[0]]
        path = f"{path}.{kind.value}"
        parts = self.children(kinds[kind.value][0], kind.value, path)
        original = self.required(parts, "OriginalEnvelopeIdentifier", path)
        self.uuid(original, f"{path}.OriginalEnvelopeIdentifier")
        code, text = (None, None) if kind is ReceiptKind.POSITIVE_MESSAGE else self.error(parts, path)
        return ReceiptEnvelope(
            head=head,
            kind=kind,
            original_envelope_id=original,
            original_message_id=self.original_message(parts, path, kind),
            error_code=code,
            error_text=text,
            findings=tuple(self.findings),
        )

    def error(self, parts: _Children, path: str) -> tuple[int | None, str | None]:
        inner, path = self.inner(parts, "Error", path)
        code = _text(inner, "Code")
        number = int(code) if code is not None and _SIZE.fullmatch(code) else None
        text = _text(inner, "Description")
        if text is None:
            self.warn(f"{path}.Description", ErrorCode.RESOURCE_REQUIRED, f"{path}.Description mangler")
        return number, text

    def original_message(self, parts: _Children, path: str, kind: ReceiptKind) -> str | None:
        path = f"{path}.OriginalMessage"
        found = parts.get("OriginalMessage")
        if not found and kind is ReceiptKind.NEGATIVE_VANS:
            return None
        inner = self.children(found[0], "OriginalMessage", path) if found else {}
        identifier = _text(inner, "Identifier")
        if identifier is None:
            self.warn(path, ErrorCode.RESOURCE_REQUIRED, f"{path} eller dens Identifier mangler")
            return None
        return _bounded(identifier, f"{path}.Identifier")


def _text(parts: _Children, name: str) -> str | None:
    found = parts.get(name)
    if not found:
        return None
    text = found[0].text
    return (text.strip() or None) if text else None


def _bounded(id_: str, path: str) -> str:
    if len(id_) > LONGEST_ID:
        raise Malformed(f"{path} er længere end {LONGEST_ID} tegn")
    return id_


def _content(parts: _Children) -> tuple[bytes | None, str | None]:
    """The decoded Data, or why there is none."""
    found: Sequence[xml.Element] = parts.get("Data", ())
    if not found:
        return None, "Data mangler"
    element = found[0]
    if len(element):
        return None, "Data indeholder elementer i stedet for base64"
    text = element.text
    if not text or text.isspace():
        return None, "Data er tom"
    decoded = base64_text.decode(text)
    return (decoded, None) if decoded is not None else (None, "Data kan ikke afkodes som base64")
