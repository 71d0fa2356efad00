"""What is seen on the wires, as facts for the history."""

import hashlib
import re
from typing import Any

from lxml import etree

from engine.errors import WireError
from engine.wire import acknowledgement, beskedkuvert, vans_envelope
from tests.production.country import CODES

_FHIR = "{http://hl7.org/fhir}"
_HEADER_ID = re.compile(rb'<MessageHeader[^>]*>\s*<id value="([^"]+)"')


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def core(data: bytes) -> str:
    """Digest of an Acknowledgement without what a lawful repetition of it changes: Bundle.id, Bundle.timestamp, and
    the times of the Provenance of the acknowledgement.
    """
    root = etree.fromstring(data)
    for name in ("id", "timestamp"):
        for element in root.iterchildren(_FHIR + name):
            root.remove(element)
    for provenance in root.iter(_FHIR + "Provenance"):
        codes = provenance.iterfind(f"{_FHIR}activity/{_FHIR}coding/{_FHIR}code")
        if any(code.get("value") == "acknowledgement" for code in codes):
            for name in ("occurredDateTime", "recorded"):
                for element in provenance.iterchildren(_FHIR + name):
                    element.set("value", "")
    return digest(etree.tostring(root, method="c14n"))


def of_besked(system: str, transaction: str, data: bytes) -> dict[str, Any]:
    """What lay in a receiver's dueslag."""
    besked = beskedkuvert.read(data)
    payload = besked.payload or b""
    found = _HEADER_ID.search(payload)
    return {
        "system": system,
        "besked": besked.besked_id,
        "transaction": transaction,
        "message": found[1].decode() if found else "",
        "content": digest(payload),
        "whole": digest(data),
    }


def of_envelope(data: bytes) -> tuple[str, dict[str, Any]] | None:
    """What VANS brought to a hospital: what it is, and its facts; None where it cannot be read."""
    try:
        read = vans_envelope.read(data)
        if isinstance(read, vans_envelope.ReceiptEnvelope):
            facts = {"of": read.original_envelope_id, "kind": read.kind.value}
            return "receipt", facts | {"envelope": read.head.envelope_id, "whole": digest(data)}
        answer = acknowledgement.read(read.data or b"")
    except WireError:
        return None
    assert read.data is not None
    return "answered", {
        "message": answer.response_identifier,
        "code": answer.code.value,
        "kommune": CODES.get(read.head.sender.id, ""),
        "envelope": read.head.envelope_id,
        "vans_message": read.meta.identifier,
        "bundle": answer.bundle_id,
        "content": digest(read.data),
        "core": core(read.data),
        "whole": digest(data),
    }
