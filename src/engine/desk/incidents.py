"""Major incidents as people work with them: propose, declare or dismiss, carry out the steps, tell how it goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from engine.desk.act import Act
from engine.desk.look_up import TraceLine, trace_line
from engine.domain.audit import Action, Values
from engine.domain.incident import Cause, Channel, IncidentState, IncidentStepState, Phase
from engine.domain.registration import checked_remark
from engine.errors import RuleError
from engine.home import Home
from engine.local_time import local_text
from engine.settings import Settings
from engine.store import tables
from engine.store.ledger import Ledger

if TYPE_CHECKING:  # the flow is heavy, and lists need none of it
    from engine.flow.incident_texts import Step
    from engine.flow.mail_texts import MailTexts

_LONGEST_TITLE = 120


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """One incident. `over_at`: when what was seen had ended by itself; a person still decides."""

    id: int
    cause: Cause
    state: IncidentState
    phase: Phase | None
    title: str
    basis: str
    began_at: datetime
    over_at: datetime | None
    proposed_at: datetime
    proposed_by: str
    declared_at: datetime | None
    declared_by: str | None
    dismissed_at: datetime | None
    dismissed_by: str | None
    reason: str | None
    next_update_at: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None
    version: int

    @property
    def stands(self) -> str:
        """How it stands, Danish."""
        shown = self.state.danish
        if self.state is IncidentState.DECLARED and self.phase is not None:
            shown += f": {self.phase.danish}"
        is_open = self.state in {IncidentState.PROPOSED, IncidentState.DECLARED}
        return f"{shown} (ophørt {local_text(self.over_at)})" if is_open and self.over_at else shown


@dataclass(frozen=True, slots=True)
class IncidentStep:
    """One step of the list, or an update on the way of one."""

    key: str
    title: str
    channel: Channel
    state: IncidentStepState
    text: str
    due_at: datetime
    person: str | None
    done_at: datetime | None
    note: str | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class IncidentUpdate:
    at: datetime
    by: str
    phase: Phase
    text: str
    next_update_at: datetime | None


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident in full. `cases` counts the alarm cases that it held back."""

    line: IncidentLine
    steps: tuple[IncidentStep, ...]
    updates: tuple[IncidentUpdate, ...]
    events: tuple[TraceLine, ...]
    cases: int


def list_incidents(conn: Connection, *, open_only: bool = False, limit: int = 1_000) -> list[IncidentLine]:
    """The latest first."""
    incident = tables.incident
    query = select(incident).order_by(incident.c.id.desc()).limit(limit)
    return [_line(row) for row in conn.execute(query.where(tables.incident_is_open) if open_only else query)]


def show_incident(conn: Connection, incident_id: int) -> Incident:
    from engine.flow import incidents as flow  # noqa: PLC0415

    line = _line(flow.find(conn, incident_id))
    step, update, event = tables.incident_step, tables.incident_update, tables.event
    steps = conn.execute(select(step).where(step.c.incident_id == incident_id).order_by(step.c.id))
    updates = conn.execute(select(update).where(update.c.incident_id == incident_id).order_by(update.c.id))
    happened = conn.execute(
        select(event)
        .where(event.c.incident_id == incident_id, event.c.incident_id.is_not(None))
        .order_by(event.c.id)
    ).all()
    return Incident(
        line,
        tuple(
            IncidentStep(
                row.step,
                row.title,
                Channel(row.channel),
                IncidentStepState(row.state),
                row.text,
                row.due_at,
                row.person,
                row.done_at,
                row.note,
                row.last_error,
            )
            for row in steps
        ),
        tuple(
            IncidentUpdate(row.at, row.by, Phase(row.phase), row.text, row.next_update_at) for row in updates
        ),
        # The cases it held back are a number: there may be hundreds.
        tuple(
            trace_line(row.at, row.kind, row.actor, row.severity, row.data)
            for row in happened
            if row.case_id is None
        ),
        len({row.case_id for row in happened if row.case_id is not None}),
    )


def incident_texts(home: Home) -> "MailTexts":
    """The home's own words for the mails of an incident, or the package's."""
    from engine.flow.mail_texts import MailTexts  # noqa: PLC0415

    return MailTexts(home.mail_templates)


def steps_to_come(settings: Settings, line: IncidentLine) -> "Sequence[Step]":
    """What declaring it will set going."""
    from engine.flow.incident_texts import steps_of  # noqa: PLC0415

    return steps_of(line.cause, settings)


def propose_incident(
    act: Act,
    settings: Settings,
    texts: "MailTexts",
    *,
    title: str,
    reason: str,
    began_at: datetime | None = None,
) -> IncidentLine:
    """A person proposes one of another cause than those that are detected."""
    from engine.flow import incidents as flow  # noqa: PLC0415

    said, why = checked_remark(title, "titlen"), checked_remark(reason, "begrundelsen")
    if len(said) > _LONGEST_TITLE:
        raise RuleError(f"Titlen må højst have {_LONGEST_TITLE} tegn.")
    began = began_at or act.now
    if began > act.now:
        raise RuleError("Hændelsen kan ikke være begyndt i fremtiden.")
    ledger = _ledger(act)
    incident_id = flow.propose(
        ledger, settings, texts, Cause.OTHER, basis=why, began_at=began, by=act.actor, title=said
    )
    ledger.write()
    _audit(act, Action.INCIDENT_PROPOSED, incident_id, after={"title": said}, reason=why)
    return show_incident(act.conn, incident_id).line


def declare_incident(
    act: Act, settings: Settings, texts: "MailTexts", incident_id: int, *, seen: int | None = None
) -> Incident:
    from engine.flow import incidents as flow  # noqa: PLC0415

    line = _current(act, incident_id, seen, {"tilstand": IncidentState.DECLARED.danish})
    ledger = _ledger(act)
    flow.declare(ledger, settings, texts, incident_id, by=act.actor)
    ledger.write()
    _audit(act, Action.INCIDENT_DECLARED, incident_id, after={"title": line.title})
    return show_incident(act.conn, incident_id)


def dismiss_incident(act: Act, incident_id: int, reason: str, *, seen: int | None = None) -> IncidentLine:
    from engine.flow import incidents as flow  # noqa: PLC0415

    why = checked_remark(reason, "begrundelsen")
    _current(act, incident_id, seen, {"tilstand": IncidentState.DISMISSED.danish})
    ledger = _ledger(act)
    flow.dismiss(ledger, incident_id, by=act.actor, reason=why)
    ledger.write()
    _audit(act, Action.INCIDENT_DISMISSED, incident_id, reason=why)
    return show_incident(act.conn, incident_id).line


def set_incident_step(
    act: Act,
    incident_id: int,
    key: str,
    *,
    person: str | None = None,
    at: datetime | None = None,
    note: str = "",
    skip: bool = False,
) -> Incident:
    """Who did it and when (the actor, now, where nothing is said); or that it is left out, and why."""
    from engine.flow import incidents as flow  # noqa: PLC0415

    said = checked_remark(note, "noten") if note.strip() else ""
    if skip and not said:
        raise RuleError("Skriv i noten, hvorfor trinnet springes over.")
    who = checked_remark(person, "navnet") if person else act.actor
    ledger = _ledger(act)
    flow.set_step(ledger, incident_id, key, by=act.actor, person=who, at=at or act.now, note=said, skip=skip)
    ledger.write()
    after = {"step": key, "person": who, "skipped": skip, "note": said}
    _audit(act, Action.INCIDENT_STEP_SET, incident_id, after=after)
    return show_incident(act.conn, incident_id)


def update_incident(
    act: Act,
    settings: Settings,
    texts: "MailTexts",
    incident_id: int,
    *,
    phase: Phase,
    text: str,
    next_update_at: datetime | None = None,
    seen: int | None = None,
) -> Incident:
    from engine.flow import incidents as flow  # noqa: PLC0415

    said = checked_remark(text, "teksten")
    _current(act, incident_id, seen, {"fase": phase.danish})
    ledger = _ledger(act)
    flow.add_update(
        ledger,
        settings,
        texts,
        incident_id,
        by=act.actor,
        phase=phase,
        text=said,
        next_update_at=next_update_at,
    )
    ledger.write()
    _audit(act, Action.INCIDENT_UPDATED, incident_id, after={"phase": phase.value, "text": said})
    return show_incident(act.conn, incident_id)


def resolve_incident(
    act: Act, settings: Settings, texts: "MailTexts", incident_id: int, text: str, *, seen: int | None = None
) -> Incident:
    from engine.flow import incidents as flow  # noqa: PLC0415

    said = checked_remark(text, "teksten")
    _current(act, incident_id, seen, {"tilstand": IncidentState.RESOLVED.danish})
    ledger = _ledger(act)
    flow.resolve(ledger, settings, texts, incident_id, by=act.actor, text=said)
    ledger.write()
    _audit(act, Action.INCIDENT_RESOLVED, incident_id, after={"text": said})
    return show_incident(act.conn, incident_id)


def _current(act: Act, incident_id: int, seen: int | None, wanted: Values) -> IncidentLine:
    from engine.flow import incidents as flow  # noqa: PLC0415

    line = _line(flow.find(act.conn, incident_id))
    now = {"tilstand": line.state.danish, "fase": line.phase.danish if line.phase else None}
    what = f"Hændelse {incident_id}"
    act.refuse_outdated(_subject(incident_id), what, seen=seen, version=line.version, now=now, wanted=wanted)
    return line


def _line(row: Any) -> IncidentLine:
    return IncidentLine(
        id=row.id,
        cause=Cause(row.cause),
        state=IncidentState(row.state),
        phase=Phase(row.phase) if row.phase else None,
        title=row.title,
        basis=row.basis,
        began_at=row.began_at,
        over_at=row.over_at,
        proposed_at=row.proposed_at,
        proposed_by=row.proposed_by,
        declared_at=row.declared_at,
        declared_by=row.declared_by,
        dismissed_at=row.dismissed_at,
        dismissed_by=row.dismissed_by,
        reason=row.reason,
        next_update_at=row.next_update_at,
        resolved_at=row.resolved_at,
        resolved_by=row.resolved_by,
        version=row.version,
    )


def _ledger(act: Act) -> Ledger:
    return Ledger(act.tx, act.now)


def _audit(
    act: Act, action: Action, incident_id: int, *, after: Values | None = None, reason: str | None = None
) -> None:
    act.audit(action, _subject(incident_id), after=after, reason=reason)


def _subject(incident_id: int) -> str:
    return f"incident:{incident_id}"
