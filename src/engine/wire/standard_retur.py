"""StandardRetur: what the Beskedfordeler answers to a besked, and what we answer when it calls us (KOMBIT, sagdok 3.0).

Sending over AMQP it comes alone or inside an AfsendBeskedOutput; called by push we wrap it in a ModtagBeskedOutput.
"""

from dataclasses import dataclass
from typing import Final

from lxml import etree

from engine.errors import Malformed
from engine.wire import xml
from engine.wire.kuvert_model import SAGDOK

ACCEPTED: Final = 20
CANNOT_RECEIVE: Final = 40
"""The Beskedfordeler delivers again later (D.09.02)."""
TOKEN_EXPIRED: Final = 41

_STS: Final = "urn:oio:sts:1.0.0"


@dataclass(frozen=True, slots=True)
class StandardRetur:
    status: int
    text: str = ""


def read(data: bytes) -> StandardRetur:
    """Read an answer by the local names of its elements, whatever it is wrapped in. Raises Malformed."""
    root = xml.parse(data)
    code = next((element.text or "" for element in root.iter("{*}StatusKode")), "").strip()
    if not code.isdigit() or len(code) > 5:
        raise Malformed("StandardRetur uden en StatusKode, der er et tal")
    text = next((element.text or "" for element in root.iter("{*}FejlbeskedTekst")), "")
    return StandardRetur(int(code), text.strip())


def write(answer: StandardRetur) -> bytes:
    """The StandardRetur alone, as it comes over AMQP."""
    return etree.tostring(_element(answer), xml_declaration=True, encoding="UTF-8")


def write_push_answer(answer: StandardRetur) -> bytes:
    """A ModtagBeskedOutput, as BeskedFåTilsendt wants it."""
    output = etree.Element(f"{{{_STS}}}ModtagBeskedOutput", nsmap={"sts": _STS})
    output.append(_element(answer))
    return etree.tostring(output, xml_declaration=True, encoding="UTF-8")


def _element(answer: StandardRetur) -> etree._Element:
    element = etree.Element(f"{{{SAGDOK}}}StandardRetur", nsmap={"sd": SAGDOK})
    etree.SubElement(element, f"{{{SAGDOK}}}StatusKode").text = str(answer.status)
    if answer.text:
        etree.SubElement(element, f"{{{SAGDOK}}}FejlbeskedTekst").text = answer.text
    return element
