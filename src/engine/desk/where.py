"""«Er mit advis kommet?»: the handbook's way to the answer (its section 5), and who has to do what next.

The caller has found the adviser that may be meant. Here is decided what that means for the one who asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import Connection

from engine.desk.contacts import Contact, administrator, beskedfordeler, contact_points, vendors
from engine.desk.incidents import IncidentLine, list_incidents
from engine.desk.look_up import AdvisState, AdvisView, ReceiverState
from engine.desk.receivers import find_receiver, receivers_in_service
from engine.desk.registry import KommuneName
from engine.domain.acknowledgement import PendingState
from engine.domain.incident import IncidentState
from engine.local_time import planned_text
from engine.settings import Settings

_SENT_AGAIN = "Skal det sendes igen, gør vi det under samme BeskedId."


class Asker(StrEnum):
    """Who wants to know."""

    KOMMUNE = "kommune"
    VENDOR = "leverandør"


class Answer(StrEnum):
    """Where the way ends."""

    TO_THE_VENDOR = "to-the-vendor"  # a kommune: its vendor asks, not the kommune
    NOTHING_CAME = "nothing-came"  # from the region
    REFUSED = "refused"  # by Sundhedsagenten itself
    NOT_PUBLISHED = "not-published"
    NOT_ASKED = "not-asked"  # the system received no adviser then
    NOT_ACKNOWLEDGED = "not-acknowledged"
    ACKNOWLEDGED = "acknowledged"
    NEGATIVE = "negative"
    SEVERAL = "several"  # more must be known

    @property
    def danish(self) -> str:
        return _DANISH[self]


_DANISH = {
    Answer.TO_THE_VENDOR: "Kommunen kontakter leverandøren",
    Answer.NOTHING_CAME: "Intet er kommet fra regionen",
    Answer.REFUSED: "Afvist: adviset kunne ikke tages imod",
    Answer.NOT_PUBLISHED: "Modtaget, men endnu ikke fordelt",
    Answer.NOT_ASKED: "Systemet var ikke modtager dengang",
    Answer.NOT_ACKNOWLEDGED: "Fordelt, men systemet har ikke kvitteret",
    Answer.ACKNOWLEDGED: "Systemet har kvitteret",
    Answer.NEGATIVE: "Systemet har afvist adviset",
    Answer.SEVERAL: "Flere adviser passer",
}


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What we know, what to say, and whom the one who asks has to call."""

    answer: Answer
    kommune: str
    kommune_name: str
    system: str | None
    known: tuple[str, ...]  # what we have, in sentences
    say: str
    handed_on: str | None  # a text that is ready to be handed on
    call: tuple[Contact, ...]
    adviser: tuple[AdvisView, ...]
    incidents: tuple[IncidentLine, ...]  # declared and not resolved


def for_kommune(
    conn: Connection, settings: Settings, kommune: KommuneName, system: str | None
) -> Whereabouts:
    """A kommune that misses adviser in a system calls that system's vendor, always."""
    found = (
        receivers_in_service(conn, kommune.code) if system is None else [find_receiver(conn, kommune, system)]
    )
    people = vendors(conn, [each.id for each in found])
    call = [replace(people[each.id], role=f"Leverandør af {each.facts.name}") for each in found]
    say = (
        "Kontakt leverandøren af det system, hvor adviserne mangler. Leverandøren kan se, om systemet har hentet "
        f"dem, og kontakter os, hvis det ikke har. Se også {settings.parties.driftstatus_url}."
    )
    area = found[0].facts.area if system is not None else None
    return Whereabouts(
        Answer.TO_THE_VENDOR,
        kommune.code,
        kommune.name,
        found[0].facts.name if system is not None else None,
        (),
        f"{say} {_tell_area(conn, kommune, area)}".strip(),
        None,
        tuple(call),
        (),
        _declared(conn),
    )


def for_vendor(
    conn: Connection, settings: Settings, kommune: KommuneName, system: str, found: Sequence[AdvisView]
) -> Whereabouts:
    """A vendor hears what we have of the adviser that were found, and what is theirs to do."""
    receiver = find_receiver(conn, kommune, system)
    found = [view for view in found if view.kommune in {kommune.code, None}]
    known: tuple[str, ...] = ()
    handed_on: str | None = None
    call: list[Contact] = []
    points = contact_points(conn, [kommune.code])
    if not found:
        answer = Answer.NOTHING_CAME
        say = (
            "Vi har ikke modtaget noget advis, der passer, fra regionen. Sig det til kommunen; kommunen spørger "
            "den sygehusafdeling, hvor borgeren er eller var."
        )
        handed_on = (
            "Sundhedsagenten har ikke modtaget noget advis om borgeren fra sygehuset. Vi beder jer undersøge, om "
            "indlæggelsen eller udskrivningen er registreret, så adviset bliver sendt."
        )
        call = list(points.values())
    elif len(found) > 1:
        answer = Answer.SEVERAL
        say = f"{len(found)} adviser passer. Spørg om MessageHeader.id, BeskedId eller et tidspunkt, og søg igen."
    else:
        view = found[0]
        state = next((each for each in view.receivers if each.uuid == receiver.facts.uuid), None)
        answer, known, say = _of_one(view, state, receiver.facts.name)
        if answer is Answer.REFUSED:
            call = list(points.values())
        elif answer is Answer.NOT_PUBLISHED:
            call = [beskedfordeler(settings)]
        else:
            call = list(vendors(conn, [receiver.id]).values())
    incidents = _declared(conn)
    if incidents:
        url = settings.parties.driftstatus_url
        say += f" Der er en åben driftshændelse ({incidents[0].title}); den kan følges på {url}."
    return Whereabouts(
        answer,
        kommune.code,
        kommune.name,
        receiver.facts.name,
        known,
        f"{say} {_tell_area(conn, kommune, receiver.facts.area)}".strip(),
        handed_on,
        tuple(call),
        tuple(found),
        incidents,
    )


def _of_one(view: AdvisView, state: ReceiverState | None, name: str) -> tuple[Answer, tuple[str, ...], str]:
    hospital = view.hospital.name or view.hospital.gln or "sygehuset"
    came = f"Modtaget fra {hospital} {planned_text(view.received_at)} (MessageHeader.id {view.message_id})."
    if view.state is AdvisState.REFUSED:
        why = "; ".join(finding["text"] for finding in view.findings) or "det kunne ikke læses"
        return (
            Answer.REFUSED,
            (came, f"Afvist over for sygehuset med fatal-error: {why}."),
            "Adviset blev afvist, og sygehuset har fået besked om hvorfor. Kommunen bør spørge sygehusafdelingen.",
        )
    if view.published_at is None:
        return (
            Answer.NOT_PUBLISHED,
            (came, "Beskedfordeleren har endnu ikke taget imod det; forsøgene fortsætter."),
            "Adviset er gemt hos os og bliver fordelt, så snart Beskedfordeleren tager imod. Det går ikke tabt.",
        )
    published = f"Fordelt {planned_text(view.published_at)} under BeskedId {view.besked_id}."
    answered = (
        f"Svar til sygehuset: {view.verdict}." if view.verdict else "Sygehuset har intet endeligt svar fået."
    )
    if state is None or state.state == PendingState.REMOVED:
        return (
            Answer.NOT_ASKED,
            (came, published, answered),
            f"{name} var ikke registreret som modtager i kommunen, da adviset kom, og skal derfor ikke have det.",
        )
    if state.state == PendingState.PENDING:
        due = f" Fristen er {planned_text(state.due_at)}." if state.due_at else ""
        return (
            Answer.NOT_ACKNOWLEDGED,
            (came, published, f"{name} har ikke kvitteret.{due}", answered),
            "Beskeden ligger på Beskedfordeleren. Undersøg, om systemet henter fra sit dueslag, og genindlæs beskeden. "
            + _SENT_AGAIN,
        )
    settled = planned_text(state.settled_at) if state.settled_at else ""
    if state.state == PendingState.OK:
        return (
            Answer.ACKNOWLEDGED,
            (came, published, f"{name} kvitterede ok {settled}.", answered),
            "Systemet har kvitteret for, at det har adviset. Fejlen skal derfor findes i systemet.",
        )
    return (
        Answer.NEGATIVE,
        (came, published, f"{name} svarede {state.state} {settled}.", answered),
        f"Systemet har selv afvist adviset med {state.state}. Undersøg hvorfor. {_SENT_AGAIN}",
    )


def _declared(conn: Connection) -> tuple[IncidentLine, ...]:
    return tuple(
        line for line in list_incidents(conn, open_only=True) if line.state is IncidentState.DECLARED
    )


def _tell_area(conn: Connection, kommune: KommuneName, area: str | None) -> str:
    """The last step of the handbook: the people who use the system must know."""
    who = administrator(conn, kommune.code)
    name = (
        f"{who.name}, kommunens Sundhedsagentadministrator,"
        if who
        else "Kommunens Sundhedsagentadministrator"
    )
    whom = f"forvaltningsområdet {area}" if area else "det berørte forvaltningsområde"
    return f"{name} orienterer {whom}, hvis de ikke ved det."
