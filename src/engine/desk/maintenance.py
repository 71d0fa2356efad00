"""Servicevinduer: what a receiver's vendor has planned. What is missed in one is recorded, and mailed to nobody."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from engine.desk.act import Act
from engine.desk.connection import connected
from engine.desk.receivers import find_receiver
from engine.domain.audit import Action
from engine.domain.events import EventKind
from engine.domain.registration import checked_remark
from engine.errors import NotFoundError, RuleError
from engine.local_time import planned_text
from engine.store import tables

_LONGEST = timedelta(days=3)  # a receiver that is silenced for longer than a weekend is no maintenance


@dataclass(frozen=True, slots=True)
class Maintenance:
    """One window: `from_at` inclusive, `until_at` exclusive."""

    id: int
    kommune: str
    kommune_name: str
    receiver: str
    receiver_uuid: str
    from_at: datetime
    until_at: datetime
    reason: str
    planned_at: datetime
    planned_by: str
    cancelled_at: datetime | None
    cancelled_by: str | None

    def state(self, now: datetime) -> str:
        """Danish."""
        if self.cancelled_at is not None:
            return "aflyst"
        if now < self.from_at:
            return "planlagt"
        return "i gang" if now < self.until_at else "forbi"


def plan_maintenance(
    act: Act, kommune: str, receiver: str, begins: datetime, ends: datetime, reason: str
) -> Maintenance:
    """Plan a window for one receiver. It cannot begin in the past: what was missed already is told."""
    found, _ = connected(act.conn, kommune)
    system = find_receiver(act.conn, found, receiver)
    why = checked_remark(reason, "begrundelsen")
    if ends <= begins:
        raise RuleError("Servicevinduet skal slutte, efter at det er begyndt.")
    if begins < act.now - timedelta(minutes=1):
        raise RuleError(
            "Servicevinduet kan ikke begynde i fortiden: det, der mangler allerede, er der sendt mail om."
        )
    if ends - begins > _LONGEST:
        raise RuleError(
            "Et servicevindue kan højst vare 3 døgn. Er systemet væk længere, skal kommunen vide det."
        )
    key = act.conn.execute(
        insert(tables.maintenance).values(
            receiver_id=system.id,
            from_at=begins,
            until_at=ends,
            reason=why,
            planned_at=act.now,
            planned_by=act.actor,
        )
    ).inserted_primary_key
    assert key is not None
    planned = show_maintenance(act.conn, key[0])
    _record(act, planned, EventKind.MAINTENANCE_PLANNED, Action.MAINTENANCE_PLANNED)
    return planned


def cancel_maintenance(act: Act, maintenance_id: int) -> Maintenance:
    """Take it back, also while it lasts: from now on misses are mailed again."""
    found = show_maintenance(act.conn, maintenance_id)
    if found.cancelled_at is not None or found.until_at <= act.now:
        raise RuleError(f"Servicevindue {maintenance_id} er {found.state(act.now)} og kan ikke aflyses.")
    table = tables.maintenance
    act.conn.execute(
        update(table).where(table.c.id == maintenance_id).values(cancelled_at=act.now, cancelled_by=act.actor)
    )
    _record(act, found, EventKind.MAINTENANCE_CANCELLED, Action.MAINTENANCE_CANCELLED)
    return show_maintenance(act.conn, maintenance_id)


def list_maintenance(
    conn: Connection, now: datetime, *, only: Collection[str] | None = None, every: bool = False
) -> list[Maintenance]:
    """Those that are planned or last now, the next first; or every one."""
    table, receiver = tables.maintenance, tables.receiver
    query = _windows()
    if only is not None:
        query = query.where(receiver.c.kommune_code.in_(only))
    if not every:
        query = query.where(table.c.cancelled_at.is_(None), table.c.until_at > now)
    return [Maintenance(*row) for row in conn.execute(query.order_by(table.c.from_at, table.c.id))]


def show_maintenance(conn: Connection, maintenance_id: int) -> Maintenance:
    row = conn.execute(_windows().where(tables.maintenance.c.id == maintenance_id)).one_or_none()
    if row is None:
        raise NotFoundError(
            f"Der er intet servicevindue {maintenance_id}. De vises af: sundhedsagent maintenance list"
        )
    return Maintenance(*row)


def _windows() -> Select[Any]:
    table, receiver, kommune = tables.maintenance, tables.receiver, tables.kommune
    return (
        select(
            table.c.id,
            receiver.c.kommune_code,
            kommune.c.name,
            receiver.c.name,
            receiver.c.system_uuid,
            table.c.from_at,
            table.c.until_at,
            table.c.reason,
            table.c.planned_at,
            table.c.planned_by,
            table.c.cancelled_at,
            table.c.cancelled_by,
        )
        .join(receiver, receiver.c.id == table.c.receiver_id)
        .join(kommune, kommune.c.code == receiver.c.kommune_code)
    )


def _record(act: Act, window: Maintenance, kind: EventKind, action: Action) -> None:
    act.event(
        kind,
        kommune_code=window.kommune,
        receiver=window.receiver,
        begins=planned_text(window.from_at),
        ends=planned_text(window.until_at),
        reason=window.reason,
    )
    act.audit(
        action,
        f"maintenance:{window.id}",
        kommune_code=window.kommune,
        after={
            "receiver": window.receiver,
            "from": window.from_at.isoformat(),
            "until": window.until_at.isoformat(),
            "reason": window.reason,
        },
    )
