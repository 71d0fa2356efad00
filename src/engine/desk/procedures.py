"""Carrying out the handbook's procedures: checklists whose steps keep state, person, date and note, and ready texts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from engine.desk.act import Act
from engine.desk.procedure_texts import ReadyText, fill_in, placeholders
from engine.domain.audit import Action
from engine.domain.procedure import Procedure, Step, StepState, parse_procedures
from engine.domain.registration import checked_date, checked_name, checked_text
from engine.errors import NotFoundError, RuleError
from engine.local_time import date_text, local_date
from engine.settings import Settings
from engine.store import tables


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of one carrying-out. Version 0: nobody has touched it."""

    key: str
    title: str
    duty: str
    state: StepState
    person: str | None
    on: date | None
    note: str
    set_at: datetime | None
    set_by: str | None
    version: int


@dataclass(frozen=True, slots=True)
class ProcedureLine:
    """One carrying-out, as lists show it."""

    id: int
    kommune: str
    kommune_name: str
    kind: str
    title: str
    subject: str
    started_at: datetime
    started_by: str
    finished: int  # steps that are done or not relevant
    total: int
    next_step: str | None


@dataclass(frozen=True, slots=True)
class ProcedureView:
    """One carrying-out with all its steps, and the texts ready to send by the key of their step."""

    line: ProcedureLine
    steps: tuple[StepLine, ...]
    texts: dict[str, ReadyText]


@cache
def procedures() -> Mapping[str, Procedure]:
    """All procedures, as the package carries them."""
    text = resources.files("engine.data").joinpath("procedures.toml").read_text(encoding="utf-8")
    return parse_procedures(text)


def start_procedure(
    act: Act,
    kommune_code: str,
    kind: str,
    *,
    subject: str,
    receiver_id: int | None = None,
    noted_receiver_id: int | None = None,
    switchover_id: int | None = None,
) -> int:
    """Begin a checklist; its number. RuleError where there is no such procedure, or nothing to follow in it."""
    with_steps = [procedure.id for procedure in procedures().values() if procedure.steps]
    if kind not in with_steps:
        raise RuleError(f"Der er ingen tjekliste for {kind!r}; der er {', '.join(with_steps)}.")
    row = {
        "kommune_code": kommune_code,
        "kind": kind,
        "subject": checked_name(subject, "hvad det handler om"),
        "receiver_id": receiver_id,
        "noted_receiver_id": noted_receiver_id,
        "switchover_id": switchover_id,
    }
    statement = insert(tables.procedure).values(**row, started_at=act.now, started_by=act.actor)
    key = act.conn.execute(statement).inserted_primary_key
    assert key is not None
    act.audit(Action.PROCEDURE_STARTED, _subject(key[0]), kommune_code=kommune_code, after=row)
    return int(key[0])


def go_on(
    act: Act, kommune_code: str, kind: str, procedure_id: int | None, *, subject: str, **object_id: int
) -> int:
    """The checklist of a change that is made now: the one that was begun for it earlier, or a new one."""
    if procedure_id is None:
        return start_procedure(act, kommune_code, kind, subject=subject, **object_id)
    _attach(act, procedure_id, kommune_code=kommune_code, kind=kind, **object_id)
    return procedure_id


def fulfil(
    act: Act,
    kommune_code: str,
    *facts: str,
    receiver_id: int | None = None,
    noted_receiver_id: int | None = None,
    switchover_id: int | None = None,
) -> None:
    """Set the open steps done that wait for one of these facts, in the checklists of that very object.

    Without an object: in the kommune's checklists of its contact point.
    """
    table = tables.procedure
    query = select(table.c.id, table.c.kind).where(table.c.kommune_code == kommune_code)
    if receiver_id is None and noted_receiver_id is None and switchover_id is None:
        query = query.where(table.c.kind == "4")
    else:
        query = query.where(
            table.c.receiver_id.is_not_distinct_from(receiver_id),
            table.c.noted_receiver_id.is_not_distinct_from(noted_receiver_id),
            table.c.switchover_id.is_not_distinct_from(switchover_id),
        )
    for row in act.conn.execute(query).all():
        steps = procedures()[row.kind].steps
        waiting = [step for step in steps if not step.facts.isdisjoint(facts)]
        taken = _rows(act.conn, [row.id]) if waiting else {}
        for step in waiting:
            if (row.id, step.key) not in taken:
                _write(act, kommune_code, row.id, step, None, StepState.DONE, act.actor, _today(act), "")


def give_up(act: Act, kommune_code: str, switchover_id: int, note: str) -> None:
    """What is open in the checklist of a switchover that will not happen is of no more use."""
    table = tables.procedure
    query = select(table.c.id, table.c.kind).where(table.c.switchover_id == switchover_id)
    for row in act.conn.execute(query).all():
        taken = _rows(act.conn, [row.id])
        for step in procedures()[row.kind].steps:
            if (row.id, step.key) not in taken:
                _write(act, kommune_code, row.id, step, None, StepState.SKIPPED, act.actor, _today(act), note)


def set_step(
    act: Act,
    procedure_id: int,
    key: str,
    *,
    state: StepState,
    person: str | None = None,
    on: str | None = None,
    note: str | None = None,
    seen: int | None = None,
) -> StepLine:
    """Set a step: who did it, on which day, and a note. What is not given stays, and is at first the caller and today.

    RuleError for an unknown step or a day to come; OutdatedError where the caller `seen` another version.
    """
    line = _line(act.conn, procedure_id)
    step = procedures()[line.kind].step(key)
    if step is None:
        keys = "".join(f"\n  {each.key}: {each.title}" for each in procedures()[line.kind].steps)
        raise RuleError(f"Tjekliste {procedure_id} ({line.kind}) har intet trin {key!r}. Trinene er:{keys}")
    before = _rows(act.conn, [procedure_id]).get((procedure_id, key))
    by, day = act.actor, _today(act)
    if before is not None and before.state == state.value and state is not StepState.OPEN:
        by, day = before.person, date.fromisoformat(before.on_date)  # a note that comes later changes neither
    by = by if person is None else checked_name(person, "personens navn")
    day = day if on is None else checked_date(on, "datoen")
    if day > _today(act):
        raise RuleError(f"Datoen {date_text(day)} er ikke kommet endnu; et trin sættes, når det er udført.")
    text = checked_text(note, "noten") if note is not None else (before.note if before else "")
    act.refuse_outdated(
        _step_subject(procedure_id, key),
        f"Trinnet {step.title}",
        seen=seen,
        version=before.version if before else 0,
        now={
            "tilstand": StepState(before.state).danish if before else "åben",
            "note": before.note if before else "",
        },
        wanted={"tilstand": state.danish, "note": text},
    )
    _write(act, line.kommune, procedure_id, step, before, state, by, day, text)
    return _step_line(step, _rows(act.conn, [procedure_id])[procedure_id, key])


def list_procedures(
    conn: Connection, *, only: Collection[str] | None = None, open_only: bool = False
) -> list[ProcedureLine]:
    """The latest first."""
    query = _procedures(only).order_by(tables.procedure.c.id.desc())
    found = conn.execute(query).all()
    rows = _rows(conn, None if only is None else [row.id for row in found])
    lines = [_procedure_line(row, rows) for row in found]
    return [line for line in lines if line.next_step is not None] if open_only else lines


def kommune_of_procedure(conn: Connection, procedure_id: int) -> str:
    """The code of the kommune that a checklist belongs to."""
    return _line(conn, procedure_id).kommune


def show_procedure(conn: Connection, procedure_id: int, settings: Settings) -> ProcedureView:
    """A checklist with its texts filled in; what is not known shows as missing, in the text itself."""
    line = _line(conn, procedure_id)
    procedure, rows = procedures()[line.kind], _rows(conn, [procedure_id])
    known = placeholders(conn, procedure_id, settings)
    return ProcedureView(
        line,
        tuple(_step_line(step, rows.get((procedure_id, step.key))) for step in procedure.steps),
        {step.key: fill_in(step.text, known) for step in procedure.steps if step.text is not None},
    )


def _attach(act: Act, procedure_id: int, *, kommune_code: str, kind: str, **object_id: int) -> None:
    """Give a checklist that was begun earlier the system or switchover (receiver_id, …) that it is about."""
    table = tables.procedure
    objects = (table.c.receiver_id, table.c.noted_receiver_id, table.c.switchover_id)
    query = select(table.c.kommune_code, table.c.kind, func.coalesce(*objects).label("object_id"))
    row = act.conn.execute(query.where(table.c.id == procedure_id)).one_or_none()
    if row is None or row.kommune_code != kommune_code:
        raise RuleError(f"Kommunen har ingen tjekliste {procedure_id}.")
    if row.kind != kind:
        raise RuleError(f"Tjekliste {procedure_id} er for {row.kind}, ikke for {kind}.")
    if row.object_id is not None:
        raise RuleError(f"Tjekliste {procedure_id} hører allerede til et system eller en omlægning.")
    act.conn.execute(update(table).where(table.c.id == procedure_id).values(**object_id))


def _write(
    act: Act,
    kommune_code: str,
    procedure_id: int,
    step: Step,
    before: Any,
    state: StepState,
    person: str,
    day: date,
    note: str,
) -> None:
    table = tables.procedure_step
    values = {"state": state.value, "person": person, "on_date": day.isoformat(), "note": note}
    if state is StepState.OPEN:
        values |= {"person": "", "on_date": ""}  # nobody has done it
    stamp = {"set_at": act.now, "set_by": act.actor}
    if before is None:
        key = {"procedure_id": procedure_id, "step": step.key}
        act.conn.execute(insert(table).values(**key, **values, **stamp, version=1))
    else:
        act.conn.execute(
            update(table)
            .where(table.c.procedure_id == procedure_id, table.c.step == step.key)
            .values(**values, **stamp, version=before.version + 1)
        )
    old = None if before is None else {name: before._mapping[name] for name in values}  # noqa: SLF001
    act.audit(
        Action.STEP_SET,
        _step_subject(procedure_id, step.key),
        kommune_code=kommune_code,
        before=old,
        after={"step": step.key} | values,
    )


def _line(conn: Connection, procedure_id: int) -> ProcedureLine:
    row = conn.execute(_procedures(None).where(tables.procedure.c.id == procedure_id)).one_or_none()
    if row is None:
        raise NotFoundError(
            f"Der er ingen tjekliste {procedure_id}. De vises af: sundhedsagent procedure list"
        )
    return _procedure_line(row, _rows(conn, [procedure_id]))


def _procedures(only: Collection[str] | None) -> Select[Any]:
    table, kommune = tables.procedure, tables.kommune
    query = select(table, kommune.c.name.label("kommune_name")).join(
        kommune, kommune.c.code == table.c.kommune_code
    )
    return query if only is None else query.where(table.c.kommune_code.in_(only))


def _rows(conn: Connection, ids: Collection[int] | None) -> dict[tuple[int, str], Any]:
    table = tables.procedure_step
    query = select(table) if ids is None else select(table).where(table.c.procedure_id.in_(ids))
    return {(row.procedure_id, row.step): row for row in conn.execute(query)}


def _procedure_line(row: Any, rows: Mapping[tuple[int, str], Any]) -> ProcedureLine:
    procedure = procedures()[row.kind]
    steps = [_step_line(step, rows.get((row.id, step.key))) for step in procedure.steps]
    waiting = [step.title for step in steps if step.state is StepState.OPEN]
    return ProcedureLine(
        id=row.id,
        kommune=row.kommune_code,
        kommune_name=row.kommune_name,
        kind=row.kind,
        title=procedure.title,
        subject=row.subject,
        started_at=row.started_at,
        started_by=row.started_by,
        finished=len(steps) - len(waiting),
        total=len(steps),
        next_step=waiting[0] if waiting else None,
    )


def _step_line(step: Step, row: Any) -> StepLine:
    if row is None:
        return StepLine(step.key, step.title, step.duty, StepState.OPEN, None, None, "", None, None, 0)
    return StepLine(
        step.key,
        step.title,
        step.duty,
        StepState(row.state),
        row.person or None,
        date.fromisoformat(row.on_date) if row.on_date else None,
        row.note,
        row.set_at,
        row.set_by,
        row.version,
    )


def _today(act: Act) -> date:
    return local_date(act.now)


def _subject(procedure_id: int) -> str:
    return f"procedure:{procedure_id}"


def _step_subject(procedure_id: int, key: str) -> str:
    return f"{_subject(procedure_id)}:{key}"
