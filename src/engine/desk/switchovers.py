"""Replacing the primary (3.3): planned, changed, cancelled and undone, always by pointing at another receiver.

Carrying out is the flow's: see flow/switch_over.py. The sheet for the status meeting is in switchover_sheet.py.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from engine.desk.act import Act
from engine.desk.connection import connected
from engine.desk.procedures import fulfil, give_up, go_on
from engine.desk.receivers import FoundReceiver, find_named, receivers_in_service
from engine.desk.registry import KommuneName
from engine.domain.audit import Action
from engine.domain.events import EventKind
from engine.domain.switchover import SwitchoverState
from engine.errors import NotFoundError, RuleError
from engine.flow.switch_over import carry_out_due
from engine.local_time import planned_text
from engine.store import tables
from engine.store.ledger import Ledger

_FARTHEST = timedelta(days=366)  # beyond it, the year is a slip of the finger


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSwitchover:
    """The handbook's fields: both names and UUIDs, and when. `at` None: at once."""

    code: str
    old_name: str
    old_uuid: str
    new_name: str
    new_uuid: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Switchover:
    """One switchover, as lists show it."""

    id: int
    kommune: str
    kommune_name: str
    old_id: int
    old_name: str
    old_uuid: str
    new_id: int
    new_name: str
    new_uuid: str
    at: datetime
    state: SwitchoverState
    planned_at: datetime
    planned_by: str
    carried_out_at: datetime | None
    undoes: int | None
    undone_by: int | None
    version: int


def plan_switchover(act: Act, order: PlanSwitchover, *, procedure_id: int | None = None) -> Switchover:
    """Plan a switchover, or carry it out at once; RuleError where a rule of 3.3 refuses it."""
    kommune, _ = connected(act.conn, order.code)
    _refuse_second(act.conn, kommune)
    old = find_named(
        act.conn, kommune, order.old_name, order.old_uuid, "det nuværende primære modtagersystem"
    )
    if not old.is_primary:
        primary = receivers_in_service(act.conn, kommune.code)[0]
        raise RuleError(f"{old.shown} er ikke primært i {kommune.name}; det er {primary.shown}.")
    new = _successor(act.conn, kommune, order)
    at = act.now if order.at is None else _future(act.now, order.at)
    return _plan(act, kommune, old, new, at, procedure_id=procedure_id)


def change_switchover(act: Act, switchover_id: int, at: datetime, *, seen: int | None = None) -> Switchover:
    """Move a planned switchover to another moment."""
    found = show_switchover(act.conn, switchover_id)
    _refuse_settled(act, found, seen, {"tidspunkt": planned_text(at)})
    at = _future(act.now, at)
    if at == found.at:
        return found
    _update(act, found, at=at)
    act.audit(
        Action.SWITCHOVER_CHANGED,
        _subject(found.id),
        kommune_code=found.kommune,
        before={"at": found.at.isoformat()},
        after={"at": at.isoformat()},
    )
    act.event(
        EventKind.SWITCHOVER_CHANGED,
        kommune_code=found.kommune,
        new=found.new_name,
        before=found.at.isoformat(),
        at=at.isoformat(),
        switchover_id=found.id,
    )
    return show_switchover(act.conn, switchover_id)


def cancel_switchover(
    act: Act, switchover_id: int, *, reason: str | None = None, seen: int | None = None
) -> Switchover:
    """Give up a planned switchover: the primary stays."""
    found = show_switchover(act.conn, switchover_id)
    _refuse_settled(act, found, seen, {"tilstand": SwitchoverState.CANCELLED.danish})
    _update(act, found, state=SwitchoverState.CANCELLED.value)
    act.audit(
        Action.SWITCHOVER_CANCELLED,
        _subject(found.id),
        kommune_code=found.kommune,
        before={"state": found.state.value},
        after={"state": SwitchoverState.CANCELLED.value},
        reason=reason,
    )
    give_up(act, found.kommune, found.id, "omlægningen er annulleret")
    act.event(
        EventKind.SWITCHOVER_CANCELLED,
        kommune_code=found.kommune,
        new=found.new_name,
        at=found.at.isoformat(),
        switchover_id=found.id,
    )
    return show_switchover(act.conn, switchover_id)


def undo_switchover(
    act: Act, switchover_id: int, *, within: timedelta, at: datetime | None = None
) -> Switchover:
    """Take a switchover back by a new one the other way, at once or at a given moment, while it is young enough."""
    found = show_switchover(act.conn, switchover_id)
    if found.carried_out_at is None:
        raise RuleError(
            f"Omlægning {found.id} er {found.state.danish} og ikke gennemført; der er intet at fortryde."
            + (
                f" Annuller den: sundhedsagent switchover cancel {found.id}"
                if found.state == "planned"
                else ""
            )
        )
    if found.undone_by is not None:
        raise RuleError(f"Omlægning {found.id} er allerede fortrudt med omlægning {found.undone_by}.")
    # Measured from what was in force: an engine that was down makes the time to undo no longer.
    deadline = found.at + within
    if act.now > deadline or (at is not None and at > deadline):
        raise RuleError(
            f"Omlægning {found.id} kunne fortrydes til {planned_text(deadline)}. "
            f"Planlæg i stedet en ny: sundhedsagent switchover plan {found.kommune} …"
        )
    kommune, _ = connected(act.conn, found.kommune)
    _refuse_second(act.conn, kommune)
    by_id = {item.id: item for item in receivers_in_service(act.conn, kommune.code)}
    old, new = by_id.get(found.new_id), by_id.get(found.old_id)
    if old is None or not old.is_primary:
        raise RuleError(f"{found.new_name} er ikke længere primært i {kommune.name}: der er lagt om siden.")
    if new is None:
        raise RuleError(
            f"{found.old_name} er fjernet fra {kommune.name} siden. Tilføj systemet igen (3.1) først."
        )
    moment = act.now if at is None else _future(act.now, at)
    return _plan(act, kommune, old, new, moment, undoes=found.id)


def list_switchovers(
    conn: Connection, *, only: Collection[str] | None = None, planned_only: bool = False
) -> list[Switchover]:
    """Those that are planned first, by their moment; then the others, the latest first."""
    query, table = _switchovers(), tables.switchover
    if only is not None:
        query = query.where(table.c.kommune_code.in_(only))
    if planned_only:
        query = query.where(table.c.state == SwitchoverState.PLANNED.value)
    found = [_view(row) for row in conn.execute(query)]
    planned = sorted(
        (item for item in found if item.state is SwitchoverState.PLANNED), key=lambda item: item.at
    )
    others = [item for item in found if item.state is not SwitchoverState.PLANNED]
    return planned + sorted(others, key=lambda item: (item.at, item.id), reverse=True)


def show_switchover(conn: Connection, switchover_id: int) -> Switchover:
    row = conn.execute(_switchovers().where(tables.switchover.c.id == switchover_id)).one_or_none()
    if row is None:
        raise NotFoundError(
            f"Der er ingen omlægning {switchover_id}. De vises af: sundhedsagent switchover list"
        )
    return _view(row)


def _plan(
    act: Act,
    kommune: KommuneName,
    old: FoundReceiver,
    new: FoundReceiver,
    at: datetime,
    *,
    undoes: int | None = None,
    procedure_id: int | None = None,
) -> Switchover:
    row = {"kommune_code": kommune.code, "from_receiver_id": old.id, "to_receiver_id": new.id, "at": at}
    statement = insert(tables.switchover).values(
        **row,
        state=SwitchoverState.PLANNED.value,
        planned_at=act.now,
        planned_by=act.actor,
        undoes_id=undoes,
    )
    key = act.conn.execute(statement).inserted_primary_key
    assert key is not None
    after = {"old": old.shown, "new": new.shown, "at": at.isoformat(), "undoes": undoes}
    act.audit(Action.SWITCHOVER_PLANNED, _subject(key[0]), kommune_code=kommune.code, after=after)
    act.event(
        EventKind.SWITCHOVER_PLANNED,
        kommune_code=kommune.code,
        old=old.facts.name,
        new=new.facts.name,
        at=at.isoformat(),
        switchover_id=key[0],
    )
    subject = f"{old.facts.name} → {new.facts.name}"
    go_on(act, kommune.code, "3.3", procedure_id, subject=subject, switchover_id=key[0])
    fulfil(act, kommune.code, "planned", switchover_id=key[0])
    if at <= act.now:
        ledger = Ledger(act.tx, act.now)
        carry_out_due(ledger, act.actor)
        ledger.write()
    return show_switchover(act.conn, key[0])


def _successor(conn: Connection, kommune: KommuneName, order: PlanSwitchover) -> FoundReceiver:
    try:
        new = find_named(conn, kommune, order.new_name, order.new_uuid, "det nye primære modtagersystem")
    except RuleError as error:
        raise RuleError(
            f"{error}\nKun et modtagersystem, der er registreret i kommunen, kan blive primært; "
            f"et nyt tilføjes først (3.1): sundhedsagent receiver add {kommune.code} …"
        ) from error
    if new.is_primary:
        raise RuleError(f"{new.shown} er allerede primært i {kommune.name}.")
    return new


def _future(now: datetime, at: datetime) -> datetime:
    if at <= now:
        raise RuleError(f"Tidspunktet {planned_text(at)} er passeret; vælg et, der kommer.")
    if at > now + _FARTHEST:
        raise RuleError(f"Tidspunktet {planned_text(at)} ligger mere end et år frem. Er årstallet rigtigt?")
    return at


def _refuse_second(conn: Connection, kommune: KommuneName) -> None:
    """One at a time: with two, nobody could say who is primary after the second if the first is moved."""
    planned = list_switchovers(conn, only=[kommune.code], planned_only=True)
    if planned:
        first = planned[0]
        raise RuleError(
            f"{kommune.name} har allerede en omlægning planlagt: {first.old_name} → {first.new_name} "
            f"{planned_text(first.at)} (omlægning {first.id}).\nFlyt den med: sundhedsagent switchover change "
            f"{first.id} --at …\neller annuller den: sundhedsagent switchover cancel {first.id}"
        )


def _refuse_settled(act: Act, found: Switchover, seen: int | None, wanted: dict[str, str]) -> None:
    now = {"tidspunkt": planned_text(found.at), "tilstand": found.state.danish}
    act.refuse_outdated(
        _subject(found.id), f"Omlægning {found.id}", seen=seen, version=found.version, now=now, wanted=wanted
    )
    if found.state is SwitchoverState.CANCELLED:
        raise RuleError(f"Omlægning {found.id} er annulleret. Planlæg en ny i stedet.")
    if found.state is SwitchoverState.DONE:
        raise RuleError(
            f"Omlægning {found.id} er gennemført og kan ikke ændres. "
            f"Den kan fortrydes med en ny tilbage: sundhedsagent switchover undo {found.id}"
        )


def _update(act: Act, found: Switchover, **values: Any) -> None:
    table = tables.switchover
    statement = update(table).where(table.c.id == found.id).values(version=found.version + 1, **values)
    act.conn.execute(statement)


def _switchovers() -> Select[Any]:
    table, kommune = tables.switchover, tables.kommune
    old, new, undo = tables.receiver.alias("old"), tables.receiver.alias("new"), table.alias("undo")
    return (
        select(
            table,
            kommune.c.name.label("kommune_name"),
            old.c.name.label("old_name"),
            old.c.system_uuid.label("old_uuid"),
            new.c.name.label("new_name"),
            new.c.system_uuid.label("new_uuid"),
            undo.c.id.label("undone_by"),
        )
        .join(kommune, kommune.c.code == table.c.kommune_code)
        .join(old, old.c.id == table.c.from_receiver_id)
        .join(new, new.c.id == table.c.to_receiver_id)
        .outerjoin(undo, (undo.c.undoes_id == table.c.id) & (undo.c.state != SwitchoverState.CANCELLED.value))
    )


def _view(row: Any) -> Switchover:
    return Switchover(
        id=row.id,
        kommune=row.kommune_code,
        kommune_name=row.kommune_name,
        old_id=row.from_receiver_id,
        old_name=row.old_name,
        old_uuid=row.old_uuid,
        new_id=row.to_receiver_id,
        new_name=row.new_name,
        new_uuid=row.new_uuid,
        at=row.at,
        state=SwitchoverState(row.state),
        planned_at=row.planned_at,
        planned_by=row.planned_by,
        carried_out_at=row.carried_out_at,
        undoes=row.undoes_id,
        undone_by=row.undone_by,
        version=row.version,
    )


def _subject(switchover_id: int) -> str:
    return f"switchover:{switchover_id}"
