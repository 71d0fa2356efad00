"""Two copies of one message: is it the same case, and does it say the same."""

from typing import Final, TypeAlias

from lxml import etree

from engine.wire import tree
from engine.wire.fhir import XHTML, tag
from engine.wire.notification_parts import ENDPOINT, SOURCE, Parts

Identity: TypeAlias = tuple[
    str | None, str | None, str | None, str | None, tuple[tuple[str | None, str | None], ...]
]
Content: TypeAlias = "tuple[tuple[tuple[str, str], ...], dict[str, list[Content]], str]"

_BUNDLE = tag("Bundle")
_PROVENANCE = tag("Provenance")
_DIV: Final = f"{{{XHTML}}}div"
_NARRATIVE = tag("text")

_LAWFUL: Final[dict[str, frozenset[str]]] = {
    _BUNDLE: frozenset({tag("id"), tag("timestamp")}),
    _PROVENANCE: frozenset({tag("occurredDateTime"), tag("occurredPeriod"), tag("recorded"), _NARRATIVE}),
}
"""What a lawful resend changes (MedCom GOV-052.2, MR7); a Provenance's narrative repeats its times."""

_NOTHING: Final[frozenset[str]] = frozenset()


def identity(parts: Parts) -> Identity:
    """Sender (SOR, GLN, source endpoint), Encounter and the patient's identifiers: who tells of whom."""
    sender = tree.unit(parts.sender)
    header = parts.header.children if parts.header else tree.NOTHING
    patient = tree.identifiers(parts.patient.children) if parts.patient else []
    return (
        sender.sor,
        sender.gln,
        tree.child_value(tree.first(header, SOURCE), ENDPOINT),
        parts.encounter_id,
        tuple(sorted(patient, key=repr)),
    )


def content(element: etree._Element) -> Content:
    """A value that is equal for two elements which say the same, in whatever format they came."""
    if element.tag == _DIV:
        # How a narrative is broken into lines and marked up says nothing; its words do.
        return ((), {}, "".join("".join(map(str, element.itertext())).split()))
    ignored = _LAWFUL.get(element.tag, _NOTHING)
    children: dict[str, list[Content]] = {}
    for child in element:
        name = child.tag
        if name not in ignored:
            children.setdefault(name, []).append(content(child))
    attributes = sorted((str(name), str(text)) for name, text in element.items())
    return (tuple(attributes), children, "")
