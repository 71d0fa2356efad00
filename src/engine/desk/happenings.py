"""What the engine and its people did, the newest first: the events as one long list, read page by page."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from engine.desk.look_up import TraceLine, trace_line
from engine.domain.events import EventKind, Level
from engine.store import tables


@dataclass(frozen=True, slots=True)
class Happening:
    """One event, with what it is about."""

    id: int
    line: TraceLine
    advis_id: int | None
    kommune: str | None
    case_id: int | None
    incident_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HappeningFilter:
    """Which events; None means all. `since` inclusive."""

    kommuner: Collection[str] | None = None
    levels: Collection[Level] | None = None
    kinds: Collection[EventKind] | None = None
    actor: str | None = None
    since: datetime | None = None


def happenings(
    conn: Connection, wanted: HappeningFilter, *, below: int | None = None, limit: int = 200
) -> list[Happening]:
    """The newest that pass the filter; older ones are those `below` the last number seen."""
    event = tables.event
    query = select(event).order_by(event.c.id.desc()).limit(limit)
    if below is not None:
        query = query.where(event.c.id < below)
    if wanted.kommuner is not None:
        query = query.where(event.c.kommune_code.in_(wanted.kommuner))
    if wanted.levels is not None:
        query = query.where(event.c.severity.in_([level.value for level in wanted.levels]))
        if Level.INFO not in wanted.levels:
            query = query.where(event.c.severity != "info")
    if wanted.kinds is not None:
        query = query.where(event.c.kind.in_([kind.value for kind in wanted.kinds]))
    if wanted.actor is not None:
        query = query.where(event.c.actor == wanted.actor)
    if wanted.since is not None:
        query = query.where(event.c.at >= wanted.since)
    return [
        Happening(
            row.id,
            trace_line(row.at, row.kind, row.actor, row.severity, row.data),
            row.advis_id,
            row.kommune_code,
            row.case_id,
            row.incident_id,
        )
        for row in conn.execute(query)
    ]
