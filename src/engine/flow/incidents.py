"""The life of a major incident: proposed, then declared or dismissed, updated, resolved (behaviour section 6).

Every function works in its caller's transaction. What a state does not allow is a RuleError that says what it allows.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from engine.domain.alarm import MailKind
from engine.domain.events import EventKind, Level
from engine.domain.incident import Cause, Channel, IncidentState, IncidentStepState, Phase
from engine.errors import NotFoundError, RuleError
from engine.flow.incident_texts import (
    Step,
    facts_of,
    step_text,
    steps_of,
    title_of,
    to_the_minute,
    update_text,
)
from engine.flow.mail_texts import MailTexts
from engine.flow.mailing import order_mail
from engine.local_time import local_text
from engine.settings import Settings
from engine.store import tables
from engine.store.ledger import Ledger

_MINUTE = timedelta(minutes=1)


def propose(
    ledger: Ledger,
    settings: Settings,
    texts: MailTexts,
    cause: Cause,
    *,
    basis: str,
    began_at: datetime,
    by: str = "motor",
    title: str | None = None,
) -> int:
    """Propose a major incident; its id. A detected cause has one at a time: where one is open, that is the one.

    Where a person has just dismissed or resolved one, and what was seen then has not ended since, that answer holds for
    a while: for `alarm.retake` after a dismissal, for `alarm.grown_after` after it was called resolved.
    """
    known = None if cause is Cause.OTHER else _latest(ledger.tx.conn, cause)
    if known is not None and _answers(known, settings, ledger.now):
        if known.over_at is not None:
            _set(ledger, known, over_at=None)
            _tell(ledger, known, EventKind.INCIDENT_CAME_BACK, level=Level.ALARM, basis=basis)
        incident_id: int = known.id
        return incident_id
    key = ledger.tx.conn.execute(
        insert(tables.incident).values(
            cause=cause.value,
            state=IncidentState.PROPOSED.value,
            title=title or title_of(cause),
            basis=basis,
            began_at=began_at,
            proposed_at=ledger.now,
            proposed_by=by,
        )
    ).inserted_primary_key
    assert key is not None
    incident = find(ledger.tx.conn, key[0])
    _tell(ledger, incident, EventKind.INCIDENT_PROPOSED, level=Level.ALARM, actor=by, basis=basis)
    for address in dict.fromkeys(filter(None, (settings.parties.supplier_email, settings.alarm.lead_email))):
        facts = _mail_facts(incident, settings)
        _order(
            ledger,
            settings,
            texts,
            incident,
            MailKind.INCIDENT_PROPOSED,
            address,
            facts,
            "proposed:" + address,
        )
    if settings.incident.auto_declare:
        declare(ledger, settings, texts, incident.id, by="motor")
    return int(incident.id)


def ended_itself(ledger: Ledger, cause: Cause) -> None:
    """What gave rise to the latest incident of this cause has ended. A person still decides what follows from it."""
    incident = _latest(ledger.tx.conn, cause)
    if incident is not None and incident.over_at is None:
        _set(ledger, incident, over_at=ledger.now)
        _tell(ledger, incident, EventKind.INCIDENT_ENDED_ITSELF)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the detected causes stand: `lasting` ones have an incident, open or not, whose end has not been seen, and to
    propose a `settled` one would change nothing. `over` has the ends that have been seen.
    """

    lasting: Collection[Cause]
    settled: Collection[Cause]
    over: Mapping[Cause, datetime]


def standing(conn: Connection, settings: Settings, now: datetime) -> Standing:
    incident = tables.incident
    latest = select(func.max(incident.c.id)).group_by(incident.c.cause)
    rows = conn.execute(select(incident).where(incident.c.id.in_(latest))).all()
    lasting = [row for row in rows if row.over_at is None]
    return Standing(
        [Cause(row.cause) for row in lasting],
        [Cause(row.cause) for row in lasting if _answers(row, settings, now)],
        {Cause(row.cause): row.over_at for row in rows if row.over_at is not None},
    )


def declare(ledger: Ledger, settings: Settings, texts: MailTexts, incident_id: int, *, by: str) -> None:
    """It is one: the handbook's list begins."""
    incident = _in_state(ledger, incident_id, IncidentState.PROPOSED, "erklæres")
    next_update_at = to_the_minute(ledger.now + settings.incident.update_every)
    _set(
        ledger,
        incident,
        state=IncidentState.DECLARED.value,
        phase=Phase.INVESTIGATING.value,
        declared_at=ledger.now,
        declared_by=by,
        next_update_at=next_update_at,
    )
    _tell(ledger, incident, EventKind.INCIDENT_DECLARED, level=Level.WARNING, actor=by, title=incident.title)
    facts = facts_of(incident, settings)
    for step in steps_of(Cause(incident.cause), settings):
        text = step_text(step, facts, next_update_at)
        _begin(ledger, settings, texts, incident, step.key, step, Phase.INVESTIGATING, step.title, text)


def dismiss(ledger: Ledger, incident_id: int, *, by: str, reason: str) -> None:
    """It is none."""
    incident = _in_state(ledger, incident_id, IncidentState.PROPOSED, "afvises")
    _set(
        ledger,
        incident,
        state=IncidentState.DISMISSED.value,
        dismissed_at=ledger.now,
        dismissed_by=by,
        reason=reason,
    )
    _tell(ledger, incident, EventKind.INCIDENT_DISMISSED, actor=by, reason=reason)


def set_step(
    ledger: Ledger,
    incident_id: int,
    key: str,
    *,
    by: str,
    person: str,
    at: datetime,
    note: str,
    skip: bool = False,
) -> None:
    """A person did the step at that time, or left it out with a note. What is sent by HTTP is then not sent."""
    incident, step = find(ledger.tx.conn, incident_id), find_step(ledger.tx.conn, incident_id, key)
    if step.state in {IncidentStepState.DONE, IncidentStepState.SKIPPED}:
        word = IncidentStepState(step.state).danish
        raise RuleError(f"{step.title} er allerede {word} af {step.person} {local_text(step.done_at)}.")
    if step.channel == Channel.MAIL:
        raise RuleError(
            f"{step.title} sendes som mail. Hvordan det går, vises af: sundhedsagent incident show {incident_id}"
        )
    if at > ledger.now + _MINUTE:
        raise RuleError("Trinnet kan ikke være udført i fremtiden.")
    state = IncidentStepState.SKIPPED if skip else IncidentStepState.DONE
    change_step(
        ledger,
        step,
        state=state.value,
        channel=Channel.MANUAL.value,
        person=person,
        done_at=at,
        note=note,
        next_at=None,
        claimed_by=None,
        claimed_until=None,
    )
    _by_hand_from_now_on(ledger, step)
    kind = EventKind.INCIDENT_STEP_SKIPPED if skip else EventKind.INCIDENT_STEP_DONE
    shown = note if skip else f": {note}" if note else ""
    _tell(ledger, incident, kind, actor=by, step=step.title, person=person, note=shown)


def add_update(
    ledger: Ledger,
    settings: Settings,
    texts: MailTexts,
    incident_id: int,
    *,
    by: str,
    phase: Phase,
    text: str,
    next_update_at: datetime | None = None,
) -> None:
    """Tell how far the work has come, and when more will be told; `resolve` tells the end."""
    incident = _in_state(ledger, incident_id, IncidentState.DECLARED, "opdateres")
    if phase is Phase.RESOLVED:
        raise RuleError(f"En hændelse løses med: sundhedsagent incident resolve {incident_id}")
    promised = next_update_at or to_the_minute(ledger.now + settings.incident.update_every)
    if promised <= ledger.now:
        raise RuleError("Næste opdatering skal loves til et tidspunkt i fremtiden.")
    _set(ledger, incident, phase=phase.value, next_update_at=promised, reminded_at=None)
    _tell(ledger, incident, EventKind.INCIDENT_UPDATED, actor=by, phase=phase.danish, text=text)
    _spread(ledger, settings, texts, incident, by=by, phase=phase, text=text, next_update_at=promised)


def resolve(
    ledger: Ledger, settings: Settings, texts: MailTexts, incident_id: int, *, by: str, text: str
) -> None:
    """It is over."""
    incident = _in_state(ledger, incident_id, IncidentState.DECLARED, "løses")
    _set(
        ledger,
        incident,
        state=IncidentState.RESOLVED.value,
        phase=Phase.RESOLVED.value,
        resolved_at=ledger.now,
        resolved_by=by,
        next_update_at=None,
    )
    _tell(ledger, incident, EventKind.INCIDENT_RESOLVED, actor=by, text=text)
    _spread(ledger, settings, texts, incident, by=by, phase=Phase.RESOLVED, text=text, next_update_at=None)


# --- rows -------------------------------------------------------------------------------------------------------------


def find(conn: Connection, incident_id: int) -> Row[Any]:
    row = conn.execute(select(tables.incident).where(tables.incident.c.id == incident_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"Der er ingen hændelse {incident_id}. De vises af: sundhedsagent incident list")
    return row


def find_step(conn: Connection, incident_id: int, key: str) -> Row[Any]:
    table = tables.incident_step
    steps = {
        row.step: row
        for row in conn.execute(select(table).where(table.c.incident_id == incident_id).order_by(table.c.id))
    }
    if key not in steps:
        known = f"Den har: {', '.join(steps)}." if steps else "Den har ingen trin, før den er erklæret."
        raise NotFoundError(f"Hændelse {incident_id} har intet trin {key!r}. {known}")
    return steps[key]


def change_step(ledger: Ledger, step: Any, **values: Any) -> None:
    table = tables.incident_step
    ledger.tx.conn.execute(update(table).where(table.c.id == step.id).values(**values))


def refused_step(ledger: Ledger, step: Any, error: str, **values: Any) -> None:
    """The other side will not take it: a person must do it, and what follows it."""
    change_step(
        ledger,
        step,
        state=IncidentStepState.OPEN.value,
        channel=Channel.MANUAL.value,
        next_at=None,
        claimed_by=None,
        claimed_until=None,
        last_error=error,
        **values,
    )
    _by_hand_from_now_on(ledger, step)
    ledger.event(
        EventKind.INCIDENT_STEP_REFUSED,
        level=Level.ALARM,
        incident_id=step.incident_id,
        step=step.title,
        error=error,
    )


def _by_hand_from_now_on(ledger: Ledger, step: Any) -> None:
    """Updates that wait for this step to be sent by HTTP: there is nothing that they could be added to."""
    table = tables.incident_step
    ledger.tx.conn.execute(
        update(table)
        .where(
            table.c.incident_id == step.incident_id,
            table.c.target == step.target,
            table.c.id > step.id,
            table.c.channel == Channel.HTTP.value,
            table.c.state == IncidentStepState.SENDING.value,
        )
        .values(channel=Channel.MANUAL.value, state=IncidentStepState.OPEN.value, next_at=None)
    )


def _latest(conn: Connection, cause: Cause) -> Row[Any] | None:
    incident = tables.incident
    query = select(incident).where(incident.c.cause == cause.value).order_by(incident.c.id.desc()).limit(1)
    return conn.execute(query).one_or_none()


def _answers(incident: Any, settings: Settings, now: datetime) -> bool:
    """Whether this incident is the answer to what is seen now."""
    match IncidentState(incident.state):
        case IncidentState.PROPOSED | IncidentState.DECLARED:
            return True
        case IncidentState.DISMISSED:
            quiet_until = incident.dismissed_at + settings.alarm.retake
        case IncidentState.RESOLVED:
            quiet_until = incident.resolved_at + settings.alarm.grown_after
    return incident.over_at is None and bool(now < quiet_until)


def _in_state(ledger: Ledger, incident_id: int, needed: IncidentState, what: str) -> Row[Any]:
    incident = find(ledger.tx.conn, incident_id)
    state = IncidentState(incident.state)
    if state is not needed:
        raise RuleError(
            f"Hændelse {incident_id} er {state.danish} og kan ikke {what}; det kan kun en, der er {needed.danish}."
        )
    return incident


def _set(ledger: Ledger, incident: Any, **values: Any) -> None:
    table = tables.incident
    change = update(table).where(table.c.id == incident.id)
    ledger.tx.conn.execute(change.values(version=table.c.version + 1, **values))


def _tell(ledger: Ledger, incident: Any, kind: EventKind, **more: Any) -> None:
    ledger.event(kind, incident_id=incident.id, incident=incident.id, **more)


# --- what is sent -----------------------------------------------------------------------------------------------------


def _spread(
    ledger: Ledger,
    settings: Settings,
    texts: MailTexts,
    incident: Any,
    *,
    by: str,
    phase: Phase,
    text: str,
    next_update_at: datetime | None,
) -> None:
    """The update goes the way of each step that was not left out."""
    conn, table, step = ledger.tx.conn, tables.incident_update, tables.incident_step
    conn.execute(
        insert(table).values(
            incident_id=incident.id,
            at=ledger.now,
            by=by,
            phase=phase.value,
            text=text,
            next_update_at=next_update_at,
        )
    )
    count = select(func.count()).select_from(table).where(table.c.incident_id == incident.id)
    number = conn.execute(count).scalar_one()
    facts = facts_of(incident, settings)
    addresses = {each.key: each.address for each in steps_of(Cause(incident.cause), settings)}
    # Who has not got round to an earlier update tells the latest alone.
    conn.execute(
        update(step)
        .where(
            step.c.incident_id == incident.id,
            step.c.step != step.c.target,
            step.c.state == IncidentStepState.OPEN.value,
        )
        .values(
            state=IncidentStepState.SKIPPED.value, person=by, done_at=ledger.now, note="afløst af en senere"
        )
    )
    query = select(step).where(step.c.incident_id == incident.id, step.c.step == step.c.target)
    for first in conn.execute(query.order_by(step.c.id)).all():
        if first.state == IncidentStepState.SKIPPED:
            continue
        title, written = update_text(
            facts,
            number=number,
            phase=phase,
            text=text,
            target=first.target,
            until=next_update_at or ledger.now,
        )
        address = addresses.get(first.target)
        channel = Channel(first.channel)
        if channel is Channel.MAIL and not address:
            channel = Channel.MANUAL  # the setting is gone
        way = Step(first.target, first.title, channel, address, "")
        _begin(
            ledger, settings, texts, incident, f"update-{number}-{first.target}", way, phase, title, written
        )


def _begin(
    ledger: Ledger,
    settings: Settings,
    texts: MailTexts,
    incident: Any,
    key: str,
    way: Step,
    phase: Phase,
    title: str,
    text: str,
) -> None:
    state = IncidentStepState.OPEN if way.channel is Channel.MANUAL else IncidentStepState.SENDING
    ledger.tx.conn.execute(
        insert(tables.incident_step).values(
            incident_id=incident.id,
            step=key,
            target=way.key,
            phase=phase.value,
            title=title,
            channel=way.channel.value,
            state=state.value,
            text=text,
            due_at=ledger.now,
            next_at=ledger.now if _may_go(ledger.tx.conn, incident.id, way) else None,
        )
    )
    if way.channel is Channel.MAIL:
        assert way.address is not None
        facts = {**_mail_facts(incident, settings), "trin": title, "tekst": text}
        _order(ledger, settings, texts, incident, MailKind.INCIDENT_STEP, way.address, facts, key)


def _may_go(conn: Connection, incident_id: int, way: Step) -> bool:
    """Whether it is to be sent by HTTP now; an update waits until what comes before it has been sent."""
    step = tables.incident_step
    before = select(step.c.id).where(
        step.c.incident_id == incident_id,
        step.c.target == way.key,
        step.c.state == IncidentStepState.SENDING.value,
    )
    return way.channel is Channel.HTTP and conn.execute(before.limit(1)).first() is None


def step_mail_key(incident_id: int, key: str) -> str:
    """The order key of the mail that a step is."""
    return f"incident:{incident_id}:{key}"


def _order(
    ledger: Ledger,
    settings: Settings,
    texts: MailTexts,
    incident: Any,
    kind: MailKind,
    address: str,
    facts: Mapping[str, Any],
    key: str,
) -> None:
    order_mail(
        ledger,
        texts,
        kind,
        address,
        facts,
        order_key=step_mail_key(incident.id, key),
        sender=settings.mail.sender,
        incident_id=incident.id,
    )


def _mail_facts(incident: Any, settings: Settings) -> dict[str, Any]:
    """What the templates `incident-*` may use; docs/drift.md lists the same."""
    parties = settings.parties
    return {
        "haendelse": incident.id,
        "titel": incident.title,
        "aarsag": Cause(incident.cause).danish,
        "grundlag": incident.basis,
        "siden": incident.began_at,
        "hotline_navn": parties.supplier,
        "hotline_mail": parties.supplier_email,
        "hotline_telefon": parties.supplier_phone,
        "driftstatus": parties.driftstatus_url,
    }
