"""The parts of a HospitalNotification, found once: what is read and what is checked are the same."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lxml import etree

from engine.domain.advis import AdvisCode, derive_code
from engine.wire import tree
from engine.wire.fhir import tag
from engine.wire.tree import Children, Resource, Resources

HN_BASE: Final = "http://medcomfhir.dk/ig/hospitalnotification/StructureDefinition/"
FLAG_URL: Final = HN_BASE + "medcom-messaging-reportOfAdmissionExtension"
RECIPIENT_URL: Final = HN_BASE + "medcom-messaging-reportOfAdmissionRecipientExtension"
LEAVE_URL: Final = HN_BASE + "medcom-hospitalnotifiation-leave-period-extension"  # spelt so by MedCom
USE_URL: Final = (
    "http://medcomfhir.dk/ig/messaging/StructureDefinition/medcom-messaging-destinationUseExtension"
)
OBSOLETE_BASE: Final = "http://medcomfhir.dk/fhir/"
LPR3_SYSTEM: Final = "https://www.esundhed.dk/Registre/Landspatientregisteret"
CPR_SYSTEM: Final = "urn:oid:1.2.208.176.1.2"

META = tag("meta")
PROFILE = tag("profile")
EVENT_CODING = tag("eventCoding")
EXTENSION = tag("extension")
DESTINATION = tag("destination")
ENDPOINT = tag("endpoint")
RECEIVER = tag("receiver")
SENDER = tag("sender")
SOURCE = tag("source")
FOCUS = tag("focus")
STATUS = tag("status")
CLASS = tag("class")
SUBJECT = tag("subject")
EPISODE = tag("episodeOfCare")
IDENTIFIER = tag("identifier")
PERIOD = tag("period")
START = tag("start")
END = tag("end")
SERVICE_PROVIDER = tag("serviceProvider")
TARGET = tag("target")
OCCURRED = tag("occurredDateTime")
RECORDED = tag("recorded")
ACTIVITY = tag("activity")
CODING = tag("coding")
CODE = tag("code")
AGENT = tag("agent")
WHO = tag("who")
ENTITY = tag("entity")
ROLE = tag("role")
WHAT = tag("what")
REFERENCE = tag("reference")
DECEASED_BOOLEAN = tag("deceasedBoolean")
DECEASED_TIME = tag("deceasedDateTime")
VALUE_BOOLEAN = tag("valueBoolean")
VALUE_CODING = tag("valueCoding")
VALUE_REFERENCE = tag("valueReference")
VALUE_PERIOD = tag("valuePeriod")


@dataclass(slots=True)
class Parts:
    """One message taken apart. Whatever is absent is None or empty; nothing here has been judged."""

    bundle: Children
    resources: Resources
    header: Resource | None
    destination: Children  # the primary one, else the first
    extensions: dict[str, list[etree._Element]]  # of the MessageHeader, by url
    encounter: Resource | None
    period: Children
    leave_extensions: list[etree._Element]
    leave: Children  # valuePeriod of the first of them
    patient: Resource | None
    deceased: bool | None
    sender: Resource | None
    receiver: Resource | None
    service_provider: Resource | None
    provenances: list[Resource]
    current: Resource | None
    activity: str | None
    code: AdvisCode | None

    @property
    def message_id(self) -> str | None:
        return self.header.id if self.header else None

    @property
    def encounter_id(self) -> str | None:
        """The id of the focused Encounter; also where only the reference to it came along."""
        if self.encounter is not None and self.encounter.id:
            return self.encounter.id
        head = self.header.children if self.header else tree.NOTHING
        reference = tree.child_value(tree.first(head, FOCUS), REFERENCE)
        return tree.split_reference(reference)[1] or None if reference else None


def take_apart(root: etree._Element) -> Parts:
    """Find the parts of the message with that Bundle element; never raises."""
    bundle = tree.children(root)
    resources = tree.resources(bundle)
    header = next((resource for resource in resources.all if resource.type == "MessageHeader"), None)
    head = header.children if header else tree.NOTHING
    destination = _primary_destination(head)
    encounter = _focus(resources, head)
    visit = encounter.children if encounter else tree.NOTHING
    leaves = by_url(visit).get(LEAVE_URL, [])
    patient = resources.resolve(tree.first(visit, SUBJECT), "Patient") or _single(resources, "Patient")
    deceased = _deceased(patient)
    provenances = resources.of_type("Provenance")
    current = _current(provenances, header.id if header else None)
    activity = _activity(current)
    return Parts(
        bundle=bundle,
        resources=resources,
        header=header,
        destination=destination,
        extensions=by_url(head),
        encounter=encounter,
        period=tree.children(tree.first(visit, PERIOD)),
        leave_extensions=leaves,
        leave=tree.children(_child(leaves[0], VALUE_PERIOD)) if leaves else tree.NOTHING,
        patient=patient,
        deceased=deceased,
        sender=resources.resolve(tree.first(head, SENDER), "Organization"),
        receiver=resources.resolve(tree.first(destination, RECEIVER), "Organization"),
        service_provider=resources.resolve(tree.first(visit, SERVICE_PROVIDER), "Organization"),
        provenances=provenances,
        current=current,
        activity=activity,
        code=derive_code(activity, deceased=deceased),
    )


def by_url(of: Children) -> dict[str, list[etree._Element]]:
    """The extensions among the children, by url."""
    result: dict[str, list[etree._Element]] = {}
    for extension in of.get(EXTENSION, ()):
        result.setdefault(extension.get("url") or "", []).append(extension)
    return result


def destination_use(destination: Children) -> tuple[str | None, str | None]:
    """System and code of a destination's use."""
    for extension in destination.get(EXTENSION, ()):
        if extension.get("url") == USE_URL:
            return tree.coding(_child(extension, VALUE_CODING))
    return None, None


def profiles(resource: Children) -> list[str]:
    """The profile URLs of a resource or Bundle, without version."""
    found: list[str] = []
    for meta in resource.get(META, ()):
        for profile in meta.iterchildren(PROFILE):
            url = (profile.get("value") or "").strip().partition("|")[0]
            if url:
                found.append(url)
    return found


def occurred(provenance: Resource) -> datetime | None:
    return tree.aware(tree.value(provenance.children, OCCURRED))


def target_id(provenance: Resource) -> str | None:
    reference = tree.child_value(tree.first(provenance.children, TARGET), REFERENCE)
    return tree.split_reference(reference)[1] if reference else None


def removes(provenance: Resource | None) -> bool:
    """Whether an earlier message is cancelled by it: an entity with the role removal."""
    if provenance is None:
        return False
    entities = provenance.children.get(ENTITY, ())
    return any(tree.child_value(entity, ROLE) == "removal" for entity in entities)


def latest(provenances: list[Resource]) -> Resource | None:
    """The Provenance that occurred last; among those without a usable time the last in the Bundle."""
    if not provenances:
        return None
    times = [(occurred(each), position) for position, each in enumerate(provenances)]
    known = [(at, position) for at, position in times if at is not None]
    return provenances[max(known)[1]] if known else provenances[-1]


def _current(provenances: list[Resource], message_id: str | None) -> Resource | None:
    if message_id is not None:
        own = [each for each in provenances if target_id(each) == message_id]
        if len(own) == 1:
            return own[0]
        if own:
            return latest(own)
    return latest(provenances)


def _activity(current: Resource | None) -> str | None:
    if current is None:
        return None
    for activity in current.children.get(ACTIVITY, ()):
        for coding in activity.iterchildren(CODING):
            code = tree.child_value(coding, CODE)
            if code:
                return code
    return None


def _primary_destination(head: Children) -> Children:
    destinations = [tree.children(element) for element in head.get(DESTINATION, ())]
    if len(destinations) > 1:
        for destination in destinations:
            if destination_use(destination)[1] == "primary":
                return destination
    return destinations[0] if destinations else tree.NOTHING


def _focus(resources: Resources, head: Children) -> Resource | None:
    for focus in head.get(FOCUS, ()):
        found = resources.resolve(focus, "Encounter")
        if found is not None:
            return found
    return _single(resources, "Encounter")


def _single(resources: Resources, type_: str) -> Resource | None:
    found = resources.of_type(type_)
    return found[0] if len(found) == 1 else None


def _deceased(patient: Resource | None) -> bool | None:
    if patient is None:
        return None
    if DECEASED_TIME in patient.children:
        return True
    return {"true": True, "false": False}.get(tree.value(patient.children, DECEASED_BOOLEAN) or "")


def _child(element: etree._Element, name: str) -> etree._Element | None:
    return next(element.iterchildren(name), None)
