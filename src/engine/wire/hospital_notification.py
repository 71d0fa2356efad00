"""MedCom HospitalNotification 3.0.x (and 2.0.0 recognised): what it is, what it says, what it breaks.

Sources: the implementation guide DK MedCom HospitalNotification 3.0.2, and MedCom's governance for messages.
"""

import re
from enum import StrEnum
from typing import Final, TypeGuard

from engine.domain.advis import AdvisCode, HospitalNotification
from engine.domain.ids import LONGEST_ID, BundleId, MessageId, is_cpr
from engine.wire import comparison, findings, tree
from engine.wire import notification_parts as np
from engine.wire.fhir import Bundle, tag
from engine.wire.notification_parts import Parts


class MessageKind(StrEnum):
    HOSPITAL_NOTIFICATION = "hospital-notification"
    ACKNOWLEDGEMENT = "acknowledgement"
    OTHER = "other"


class Difference(StrEnum):
    NONE = "none"  # equal but for what a lawful resend changes
    MINOR = "minor"  # something else differs: a copy, with a warning
    IDENTITY = "identity"  # other sender, CPR or Encounter: not a copy at all


_BY_EVENT: Final = {
    "hospital-notification-message": MessageKind.HOSPITAL_NOTIFICATION,
    "acknowledgement-message": MessageKind.ACKNOWLEDGEMENT,
    "empty-message": MessageKind.OTHER,
    "care-communication-message": MessageKind.OTHER,
    "homecareobservation-message": MessageKind.OTHER,
}
_BY_PROFILE: Final = {
    "medcom-hospitalnotification-message": MessageKind.HOSPITAL_NOTIFICATION,
    "medcom-hospitalnotification-messageheader": MessageKind.HOSPITAL_NOTIFICATION,
    "medcom-messaging-acknowledgement": MessageKind.ACKNOWLEDGEMENT,
    "medcom-messaging-acknowledgementheader": MessageKind.ACKNOWLEDGEMENT,
    "medcom-acknowledgement-message": MessageKind.ACKNOWLEDGEMENT,
}
_BY_NAME: Final = {"FDIS20": MessageKind.HOSPITAL_NOTIFICATION, "FCTL": MessageKind.ACKNOWLEDGEMENT}
_NAME = re.compile(r"(?:MCM:)?(FDIS20|FCTL)(?:#.*)?", re.DOTALL)

_HEADER = tag("MessageHeader")
_ID = tag("id")
_TIMESTAMP = tag("timestamp")
_PATIENT_NAME = tag("name")
_USE = tag("use")
_TEXT = tag("text")
_GIVEN = tag("given")
_FAMILY = tag("family")


def kind_of(bundle: Bundle, document_name: str) -> MessageKind:
    """What the message is: by event code, else by profile, else by the envelope's document name.

    An event code that names another of MedCom's messages wins over all the rest; a profile that names another
    message wins over the document name.
    """
    header = tree.children(next((each for each in tree.held(bundle.root) if each.tag == _HEADER), None))
    code = tree.coding(tree.first(header, np.EVENT_CODING))[1]
    if code in _BY_EVENT:
        return _BY_EVENT[code]
    urls = [*np.profiles(tree.children(bundle.root)), *np.profiles(header)]
    for url in urls:
        kind = _BY_PROFILE.get(url.rpartition("/")[2].lower())
        if kind is not None and "//medcomfhir.dk/" in url:
            return kind
    match = _NAME.fullmatch(document_name.strip())
    if match is None or urls:
        return MessageKind.OTHER
    return _BY_NAME[match.group(1)]


def read(bundle: Bundle) -> HospitalNotification:
    """Everything the engine needs, with the findings against the profile.

    Never raises: what is missing is a finding.
    """
    parts = np.take_apart(bundle.root)
    bundle_id = tree.value(parts.bundle, _ID)
    message_id = parts.message_id
    encounter = parts.encounter
    visit = encounter.children if encounter else tree.NOTHING
    header = parts.header.children if parts.header else tree.NOTHING
    previous = _previous(parts)
    return HospitalNotification(
        bundle_id=BundleId(bundle_id) if _is_id(bundle_id) else None,
        message_id=MessageId(message_id) if _is_id(message_id) else None,
        code=parts.code,
        activity=parts.activity,
        encounter_class=tree.coding(tree.first(visit, np.CLASS))[1],
        encounter_status=tree.value(visit, np.STATUS),
        period_start=tree.aware(tree.value(parts.period, np.START)),
        period_end=tree.aware(tree.value(parts.period, np.END)),
        leave_start=tree.aware(tree.value(parts.leave, np.START)),
        leave_end=tree.aware(tree.value(parts.leave, np.END)),
        episodes=_episodes(parts),
        report_of_admission=_flag(parts),
        previous_message_id=MessageId(previous) if previous else None,
        created_at=tree.aware(tree.value(parts.bundle, _TIMESTAMP)),
        source_endpoint=tree.child_value(tree.first(header, np.SOURCE), np.ENDPOINT),
        destination_endpoint=tree.value(parts.destination, np.ENDPOINT),
        sender=tree.unit(parts.sender),
        receiver=tree.unit(parts.receiver),
        service_provider=tree.unit(parts.service_provider),
        cpr=_cpr(parts),
        patient_name=_name(parts),
        encounter_id=parts.encounter_id,
        profile_version=profile_version(parts),
        findings=findings.check(parts),
    )


def _is_id(text: str | None) -> TypeGuard[str]:
    """One that is too long is as good as none; the findings say so."""
    return bool(text) and len(text or "") <= LONGEST_ID


def compare(first: Bundle, second: Bundle) -> Difference:
    """Compare without what a lawful resend changes.

    That is Bundle.id, Bundle.timestamp, Provenance.occurred and recorded, and a Provenance's narrative, which
    repeats its times. Format, white space, attribute order and (in JSON) the order of properties make no
    difference; the order of entries is a MINOR one.
    """
    if comparison.identity(np.take_apart(first.root)) != comparison.identity(np.take_apart(second.root)):
        return Difference.IDENTITY
    if comparison.content(first.root) != comparison.content(second.root):
        return Difference.MINOR
    return Difference.NONE


_LEAVES: Final = frozenset(
    {AdvisCode.STOR, AdvisCode.RE_STOR, AdvisCode.SLOR, AdvisCode.RE_SLOR, AdvisCode.AN_SLOR}
)


def profile_version(parts: Parts) -> str:
    """The version: "1" by the obsolete profile URLs, "2" for leave without its period, else "3".

    A message does not carry its version; without any profile, or leave period, nothing is known: "".
    """
    urls = np.profiles(parts.bundle)
    if parts.header is not None:
        urls += np.profiles(parts.header.children)
    if any(url.startswith(np.OBSOLETE_BASE) for url in urls):
        return "1"
    if parts.leave_extensions:
        return "3"
    if not urls:
        return ""
    return "2" if parts.code in _LEAVES else "3"


def _previous(parts: Parts) -> str | None:
    if parts.current is None:
        return None
    for entity in parts.current.children.get(np.ENTITY, ()):
        reference = tree.child_value(next(entity.iterchildren(np.WHAT), None), np.REFERENCE)
        if reference:
            return tree.split_reference(reference)[1] or None
    return None


def _episodes(parts: Parts) -> tuple[str, ...]:
    """MedCom GOV-080: the receiver's own messages repeat the local one where there are two."""
    local: list[str] = []
    national: list[str] = []
    encounter = parts.encounter.children if parts.encounter else tree.NOTHING
    for episode in encounter.get(np.EPISODE, ()):
        for identifier in episode.iterchildren(np.IDENTIFIER):
            system, number = tree.system_value(identifier)
            if number:
                (national if system == np.LPR3_SYSTEM else local).append(number)
    return (*local, *national)


def _flag(parts: Parts) -> bool:
    return any(
        tree.child_value(extension, np.VALUE_BOOLEAN) == "true"
        for extension in parts.extensions.get(np.FLAG_URL, ())
    )


def _cpr(parts: Parts) -> str | None:
    if parts.patient is None:
        return None
    for system, number in tree.identifiers(parts.patient.children):
        if system == np.CPR_SYSTEM and number:
            plain = number.replace("-", "")
            return plain if is_cpr(plain) else None
    return None


def _name(parts: Parts) -> str | None:
    if parts.patient is None:
        return None
    names = [tree.children(element) for element in parts.patient.children.get(_PATIENT_NAME, ())]
    if not names:
        return None
    name = next((each for each in names if tree.value(each, _USE) == "official"), names[0])
    words = [*name.get(_GIVEN, ()), *name.get(_FAMILY, ())]
    spelt = " ".join(filter(None, (word.get("value", "").strip() for word in words)))
    return spelt or tree.value(name, _TEXT)
