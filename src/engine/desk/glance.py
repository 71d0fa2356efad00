"""Are we fine? The few numbers and signs that stand on top of every screen, read from indexes of what is open."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select

from engine.desk.incidents import IncidentLine, list_incidents
from engine.desk.overview import Channel, channels
from engine.domain import pulse
from engine.domain.alarm import CaseKind
from engine.store import tables
from engine.store.pulse import pulses

SOON = timedelta(minutes=10)  # a deadline that is as near as this is worth a look

# SQLite uses a partial index only where the query has its very condition, as a literal.
_PENDING: ColumnElement[str] = literal_column("'pending'")


@dataclass(frozen=True, slots=True)
class Glance:
    """The state of the whole, or of a caller's own kommuner. What concerns all is empty for those who see some."""

    at: datetime
    newest_at: datetime | None  # when the newest advis came in
    pending: int  # kvitteringer
    soon: int  # of them due within SOON
    overdue: int
    cases: int  # open
    taken: int  # of them taken by a person
    delayed: int  # kommuner with adviser that the Beskedfordeler has not accepted in time
    waiting_publications: int
    stalls: int
    engine_seen_at: datetime | None
    channels: tuple[Channel, ...]
    incidents: tuple[IncidentLine, ...]  # proposed and declared


def glance(conn: Connection, now: datetime, *, only: Collection[str] | None = None) -> Glance:
    """All that the top line tells; `only` of these kommuner."""
    expected, publication = tables.expected_kvittering, tables.publication
    is_pending, due_at = expected.c.state == _PENDING, expected.c.due_at
    missed = _of(only, expected).where(is_pending, expected.c.case_id.is_not(None))
    running = _of(only, expected).where(is_pending, expected.c.case_id.is_(None))
    late = _count(conn, running.where(due_at < now))
    overdue = _count(conn, missed) + late
    cases = _cases(conn, only)
    known = pulses(conn) if only is None else {}
    engine = known.get(pulse.ENGINE)
    newest = select(func.max(tables.advis.c.received_at))
    if only is not None:
        newest = newest.where(tables.advis.c.kommune_code.in_(only))
    waiting = select(func.count()).select_from(publication).where(publication.c.next_at.is_not(None))
    if only is not None:
        advis = tables.advis
        waiting = waiting.join(advis, advis.c.id == publication.c.advis_id)
        waiting = waiting.where(advis.c.kommune_code.in_(only))
    return Glance(
        at=now,
        newest_at=conn.execute(newest).scalar(),
        pending=_count(conn, running) + _count(conn, missed),
        soon=_count(conn, running.where(due_at >= now, due_at < now + SOON)),
        overdue=overdue,
        cases=len(cases),
        taken=sum(row.taken_by is not None for row in cases),
        delayed=sum(row.kind == CaseKind.DELAYED_PUBLICATION for row in cases),
        waiting_publications=conn.execute(waiting).scalar_one(),
        stalls=conn.execute(select(func.count()).select_from(tables.stall)).scalar_one()
        if only is None
        else 0,
        engine_seen_at=engine.good_at if engine else None,
        channels=channels(known) if only is None else (),
        incidents=tuple(list_incidents(conn, open_only=True)) if only is None else (),
    )


def _of(only: Collection[str] | None, expected: Any) -> Select[Any]:
    query = select(func.count()).select_from(expected)
    if only is None:
        return query
    advis = tables.advis
    return query.join(advis, advis.c.id == expected.c.advis_id).where(advis.c.kommune_code.in_(only))


def _count(conn: Connection, query: Select[Any]) -> int:
    count: int = conn.execute(query).scalar_one()
    return count


def _cases(conn: Connection, only: Collection[str] | None) -> list[Any]:
    case = tables.alarm_case
    query = select(case.c.kind, case.c.taken_by).where(case.c.closed_at.is_(None))
    return list(conn.execute(query if only is None else query.where(case.c.kommune_code.in_(only))))
