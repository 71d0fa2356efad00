"""«Er mit advis kommet?»: the handbook's way to the answer (its section 5), and who has to do what next.

The caller has found the adviser that may be meant. Here is decided what that means for the one who asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import Connection

from engine.desk.cases import CaseLine, list_cases
from engine.desk.contacts import Contact, administrator, beskedfordeler, contact_points, vendors
from engine.desk.incidents import IncidentLine, list_incidents
from engine.desk.look_up import AdvisState, AdvisView, ReceiverState, trace_advis
from engine.desk.noted import list_noted
from engine.desk.receivers import receivers_in_service
from engine.desk.registry import KommuneName
from engine.desk.systems import SystemView, show_system
from engine.desk.typed import TypedField
from engine.domain.acknowledgement import PendingState
from engine.domain.alarm import CaseKind
from engine.domain.events import EventKind
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
    UNWATCHED = "unwatched"  # the system receives and never acknowledges
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
    Answer.UNWATCHED: "Fordelt; systemet kvitterer aldrig",
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
    case: CaseLine | None  # the open one that has to do with it
    incidents: tuple[IncidentLine, ...]  # declared and not resolved


def for_kommune(
    conn: Connection, settings: Settings, kommune: KommuneName, system: str | None
) -> Whereabouts:
    """A kommune that misses adviser in a system calls that system's vendor, always."""
    view = None if system is None else show_system(conn, kommune, system)
    case = None if view is None else _case(conn, view, CaseKind.MISSING_KVITTERING)
    incidents = _declared(conn)
    say = (
        "Kontakt leverandøren af det system, hvor adviserne mangler. Leverandøren kan se, om systemet har hentet "
        f"dem, og kontakter os, hvis det ikke har. Se også {settings.parties.driftstatus_url}."
    )
    return Whereabouts(
        Answer.TO_THE_VENDOR,
        kommune.code,
        kommune.name,
        view.facts.name if view else None,
        _told_of(case),
        _joined(say, _of_incident(settings, incidents), _tell_area(conn, kommune, view)),
        None,
        (_vendor(view),) if view else _every_vendor(conn, kommune),
        (),
        case,
        incidents,
    )


def for_vendor(
    conn: Connection, settings: Settings, kommune: KommuneName, system: str, found: Sequence[AdvisView]
) -> Whereabouts:
    """A vendor hears what we have of the adviser that were found, and what is theirs to do."""
    asked = show_system(conn, kommune, system)
    found = [view for view in found if view.kommune in {kommune.code, None}]
    known: tuple[str, ...] = ()
    handed_on: str | None = None
    case: CaseLine | None = None
    call: tuple[Contact, ...] = ()
    points = tuple(contact_points(conn, [kommune.code]).values())
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
        call = points
    elif len(found) > 1:
        answer = Answer.SEVERAL
        say = f"{len(found)} adviser passer. Spørg om MessageHeader.id, BeskedId eller et tidspunkt, og søg igen."
    else:
        answer, known, say = _of_one(conn, found[0], asked)
        case = _case(conn, asked, _CASES[answer]) if answer in _CASES else None
        known += _told_of(case)
        if answer is Answer.REFUSED:
            call = points
        elif answer is Answer.NOT_PUBLISHED:
            call = (beskedfordeler(settings),)
        else:
            call = (_vendor(asked),)
    incidents = _declared(conn)
    return Whereabouts(
        answer,
        kommune.code,
        kommune.name,
        asked.facts.name,
        known,
        _joined(say, _of_incident(settings, incidents), _tell_area(conn, kommune, asked)),
        handed_on,
        call,
        tuple(found),
        case,
        incidents,
    )


_CASES = {
    Answer.NOT_PUBLISHED: CaseKind.DELAYED_PUBLICATION,
    Answer.NOT_ACKNOWLEDGED: CaseKind.MISSING_KVITTERING,
}
"""What a case is about, where the answer is that something has not come."""


def _of_one(conn: Connection, view: AdvisView, asked: SystemView) -> tuple[Answer, tuple[str, ...], str]:
    hospital = view.hospital.name or view.hospital.gln or "sygehuset"
    came = f"Modtaget fra {hospital} {planned_text(view.received_at)} (MessageHeader.id {view.message_id})."
    if view.state is AdvisState.REFUSED:
        # The findings are all that was seen; what it was refused for stands in its trace.
        refused = (line for line in trace_advis(conn, str(view.id)) if line.kind is EventKind.ADVIS_REFUSED)
        return (
            Answer.REFUSED,
            (came, *(f"{line.sentence}." for line in refused)),
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
    state = next((each for each in view.receivers if each.uuid == asked.facts.uuid), None)
    answer, heard, say = _of_system(asked, state)
    return answer, (came, published, *heard, answered), say


def _of_system(asked: SystemView, state: ReceiverState | None) -> tuple[Answer, tuple[str, ...], str]:
    """What the system has done about an advis that was published."""
    name = asked.facts.name
    if state is None and not asked.acknowledges:
        return (
            Answer.UNWATCHED,
            (),
            f"{name} kvitterer aldrig, så vi ved ikke, om det har hentet adviset. Undersøg dets dueslag. {_SENT_AGAIN}",
        )
    if state is None or state.state == PendingState.REMOVED:
        return (
            Answer.NOT_ASKED,
            (),
            f"{name} var ikke registreret som modtager i kommunen, da adviset kom, og skal derfor ikke have det.",
        )
    if state.state == PendingState.PENDING:
        due = f" Fristen er {planned_text(state.due_at)}." if state.due_at else ""
        return (
            Answer.NOT_ACKNOWLEDGED,
            (f"{name} har ikke kvitteret.{due}",),
            "Beskeden ligger på Beskedfordeleren. Undersøg, om systemet henter fra sit dueslag, og genindlæs beskeden. "
            + _SENT_AGAIN,
        )
    settled = planned_text(state.settled_at) if state.settled_at else ""
    if state.state == PendingState.OK:
        return (
            Answer.ACKNOWLEDGED,
            (f"{name} kvitterede ok {settled}.",),
            "Systemet har kvitteret for, at det har adviset. Fejlen skal derfor findes i systemet.",
        )
    return (
        Answer.NEGATIVE,
        (f"{name} svarede {state.state} {settled}.",),
        f"Systemet har selv afvist adviset med {state.state}. Undersøg hvorfor. {_SENT_AGAIN}",
    )


def _vendor(view: SystemView) -> Contact:
    facts, person = view.facts, view.typed.get(TypedField.VENDOR_CONTACT.danish)
    name = f"{facts.vendor} – {person.value}" if person else facts.vendor
    return Contact(f"Leverandør af {facts.name}", name, facts.vendor_email)


def _every_vendor(conn: Connection, kommune: KommuneName) -> tuple[Contact, ...]:
    """Of those that acknowledge and of those that do not: adviser can be missed in both."""
    receivers = receivers_in_service(conn, kommune.code)
    people = vendors(conn, [each.id for each in receivers])
    noted = [each.facts for each in list_noted(conn, kommune.code)]
    return (
        *(replace(people[each.id], role=f"Leverandør af {each.facts.name}") for each in receivers),
        *(Contact(f"Leverandør af {each.name}", each.vendor, each.vendor_email) for each in noted),
    )


def _case(conn: Connection, view: SystemView, kind: CaseKind) -> CaseLine | None:
    """The open case of this kind: of the system, or of the kommune where publishing is delayed."""
    cases = (line for line in list_cases(conn, only=[view.kommune]) if line.kind is kind)
    return next((line for line in cases if line.receiver_uuid in {None, view.facts.uuid}), None)


def _told_of(case: CaseLine | None) -> tuple[str, ...]:
    if case is None:
        return ()
    return (f"Sag {case.id} fra {planned_text(case.opened_at)} om, at {_clause(case)}: {case.state}.",)


def _clause(case: CaseLine) -> str:
    if case.kind is CaseKind.DELAYED_PUBLICATION:
        return "Beskedfordeleren ikke tager imod"
    return f"{case.receiver} ikke kvitterer"


def _declared(conn: Connection) -> tuple[IncidentLine, ...]:
    return tuple(
        line for line in list_incidents(conn, open_only=True) if line.state is IncidentState.DECLARED
    )


def _of_incident(settings: Settings, incidents: Sequence[IncidentLine]) -> str:
    if not incidents:
        return ""
    titles = "; ".join(line.title for line in incidents)
    return f"Der er en åben driftshændelse ({titles}); den kan følges på {settings.parties.driftstatus_url}."


def _tell_area(conn: Connection, kommune: KommuneName, view: SystemView | None) -> str:
    """The last step of the handbook: the people who use the system must know."""
    who = administrator(conn, kommune.code)
    name = (
        f"{who.name}, kommunens Sundhedsagentadministrator,"
        if who
        else "Kommunens Sundhedsagentadministrator"
    )
    area = view.facts.area if view else ""
    whom = f"forvaltningsområdet {area}" if area else "det berørte forvaltningsområde"
    return f"{name} orienterer {whom}, hvis de ikke ved det."


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))
