"""MedCom Acknowledgement 2.0.x: read tolerantly, written to the profile (`refusal`), renewed for a resend.

Sources: the implementation guide DK MedCom Acknowledgement 2.0.3, and MedCom's governance.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from lxml import etree

from engine.domain.acknowledgement import Acknowledgement, ResponseCode
from engine.domain.ids import LONGEST_ID, BundleId, MessageId
from engine.errors import Malformed
from engine.wire import fhir, tree, xml
from engine.wire.fhir import tag
from engine.wire.refusal import refusal

__all__ = ["read", "refusal", "renew"]

_CODES: Final = {member.value: member for member in ResponseCode}
_ACTIVITY: Final = "acknowledgement"

_HEADER = tag("MessageHeader")
_OUTCOME = tag("OperationOutcome")
_ID = tag("id")
_TYPE = tag("type")
_TIMESTAMP = tag("timestamp")
_RESPONSE = tag("response")
_IDENTIFIER = tag("identifier")
_CODE = tag("code")
_ISSUE = tag("issue")
_DETAILS = tag("details")
_DIAGNOSTICS = tag("diagnostics")
_CODING = tag("coding")
_TEXT = tag("text")
_OCCURRED = tag("occurredDateTime")
_RECORDED = tag("recorded")
_PROVENANCES: Final = f"{tag('entry')}/{tag('resource')}/{tag('Provenance')}"
_ACTIVITY_CODES: Final = f"{tag('activity')}/{tag('coding')}/{tag('code')}"


def read(data: bytes) -> Acknowledgement:
    """Read an Acknowledgement by its MessageHeader.response alone: event code and profile do not matter.

    Raises Malformed where it is no Acknowledgement, or lacks response.identifier (no longer than any id) or a
    known response.code;
    ForbiddenMarkup for a DTD.
    """
    bundle = fhir.read_bundle(data)
    resources = list(tree.held(bundle.root))
    header = tree.children(next((each for each in resources if each.tag == _HEADER), None))
    found = tree.first(header, _RESPONSE)
    if found is None:
        raise Malformed("Indholdet er ikke en kvittering: MessageHeader.response mangler")
    response = tree.children(found)
    identifier = tree.split_reference(tree.value(response, _IDENTIFIER) or "")[1]
    if not identifier:
        raise Malformed("Kvitteringen mangler MessageHeader.response.identifier")
    if len(identifier) > LONGEST_ID:
        raise Malformed(f"Kvitteringens MessageHeader.response.identifier er længere end {LONGEST_ID} tegn")
    code = _CODES.get(tree.value(response, _CODE) or "")
    if code is None:
        raise Malformed("Kvitteringens MessageHeader.response.code mangler eller er ukendt")
    bundle_id = tree.child_value(bundle.root, _ID)
    message_id = tree.value(header, _ID)
    return Acknowledgement(
        bundle_id=BundleId(bundle_id) if bundle_id else None,
        message_id=MessageId(message_id) if message_id else None,
        response_identifier=MessageId(identifier),
        code=code,
        issues=tuple(_issues(resources)),
        media_type=bundle.media_type,
    )


def _issues(resources: list[xml.Element]) -> Iterator[str]:
    """Each issue as its type, its codes and its text: "structure MSG_VALUESET_VALUE_UNKNOWN: …"."""
    for outcome in resources:
        if outcome.tag != _OUTCOME:
            continue
        for element in outcome.iterchildren(_ISSUE):
            issue = tree.children(element)
            details = tree.children(tree.first(issue, _DETAILS))
            codes = [tree.value(issue, _CODE), *(tree.coding(each)[1] for each in details.get(_CODING, ()))]
            texts = [tree.value(details, _TEXT), tree.value(issue, _DIAGNOSTICS)]
            parts = (" ".join(filter(None, codes)), " ".join(filter(None, texts)))
            yield ": ".join(filter(None, parts))


def renew(data: bytes, *, bundle_id: str, now: datetime) -> bytes:
    """The same Acknowledgement for a resent advis, in its own format and, for XML, its own encoding.

    New are Bundle.id, Bundle.timestamp, and the times of the Provenance whose activity is `acknowledgement`;
    everything else stays (MedCom ACK-DOC, protocol Send 2.0.2 step 3.4). Raises Malformed or ForbiddenMarkup.
    """
    at = now.isoformat(timespec="seconds")
    if fhir.is_json(data):
        return _renew_json(data, bundle_id, at)
    root = xml.parse(data, keep=True)
    if root.tag != tag("Bundle"):
        raise Malformed("Indholdet er ikke en FHIR Bundle")
    _set(root, _ID, bundle_id, 0)
    types = root.find(_TYPE)
    _set(root, _TIMESTAMP, at, 1 if types is None else root.index(types) + 1)
    for provenance in root.iterfind(_PROVENANCES):
        if any(code.get("value") == _ACTIVITY for code in provenance.iterfind(_ACTIVITY_CODES)):
            for name in (_OCCURRED, _RECORDED):
                for element in provenance.iterchildren(name):
                    element.set("value", at)
    document = root.getroottree()
    declared = xml.declaration(data)
    encoding = xml.encoding_of(data, root) if declared or b"\0" in data[:4] else "UTF-8"
    written = etree.tostring(document, encoding=encoding, xml_declaration=declared or encoding != "UTF-8")
    assert isinstance(
        written, bytes
    )  # a str only where the encoding is "unicode", which no document can declare
    return written


def _set(root: xml.Element, name: str, text: str, position: int) -> None:
    found = root.find(name)
    if found is None:
        found = etree.Element(name)
        root.insert(position, found)
    found.set("value", text)


def _renew_json(data: bytes, bundle_id: str, at: str) -> bytes:
    bundle, _encoding = fhir.load_json(data)
    if bundle.get("resourceType") != "Bundle":
        raise Malformed("Indholdet er ikke en FHIR Bundle")
    bundle["id"] = bundle_id
    bundle["timestamp"] = at
    for provenance in fhir.native_resources(bundle, "Provenance"):
        if _ACTIVITY in _native_codes(provenance):
            for key in ("occurredDateTime", "recorded"):
                if key in provenance:
                    provenance[key] = at
    return fhir.dump_json(bundle)


def _native_codes(provenance: dict[str, Any]) -> list[object]:
    activity = provenance.get("activity")
    codings = activity.get("coding") if isinstance(activity, dict) else None
    if not isinstance(codings, list):
        return []
    return [coding.get("code") for coding in codings if isinstance(coding, dict)]
