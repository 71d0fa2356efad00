"""The flow as a list that grows while one looks at it: numbers of adviser first, then a lean line of each one shown.

A list of any length costs what is visible of it: the numbers are cheap to hold, and the lines are read by number.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal_column, select

from engine.desk.look_up import AdvisFilter, AdvisState, advis_conditions, unindexed
from engine.domain.acknowledgement import PendingState
from engine.store import tables


@dataclass(frozen=True, slots=True)
class AdvisLine:
    """One advis as the live list shows it: how far it has come, and nothing about the citizen."""

    id: int
    received_at: datetime
    kommune: str | None
    kommune_name: str | None
    addressee: str
    code: str | None
    hospital: str | None
    refused: bool
    published: bool
    expected: int  # kvitteringer that are or were waited for
    settled: int
    negative: int
    missed: int  # past their deadline and not here yet
    verdict: str | None
    copies: int

    @property
    def state(self) -> AdvisState:
        if self.refused:
            return AdvisState.REFUSED
        if self.verdict is not None:
            return AdvisState.ANSWERED
        if not self.published:
            return AdvisState.RECEIVED
        return AdvisState.PUBLISHED if self.settled < self.expected else AdvisState.ACKNOWLEDGED


def newest_number(conn: Connection) -> int:
    """The number of the newest advis; 0 where there is none."""
    return conn.execute(select(func.max(tables.advis.c.id))).scalar() or 0


def numbers(
    conn: Connection,
    wanted: AdvisFilter,
    *,
    missed: bool = False,
    above: int | None = None,
    below: int | None = None,
    limit: int,
) -> list[int]:
    """The numbers of adviser that pass the filter, the newest first: those above one number or below another.

    Numbers are given in the order of receipt. `missed`: only adviser whose kvittering is missing past its deadline.
    """
    advis = tables.advis
    query = select(advis.c.id).where(*advis_conditions(wanted))
    if wanted.kommuner is not None:
        query = query.where(advis.c.kommune_code.in_(wanted.kommuner))
    if missed:
        expected = tables.expected_kvittering
        is_missed = (expected.c.state == literal_column("'pending'"), expected.c.case_id.is_not(None))
        query = query.where(advis.c.id.in_(select(expected.c.advis_id).where(*is_missed)))
    if above is not None:
        query = query.where(advis.c.id > above)
    if below is not None:
        query = query.where(advis.c.id < below)
    return list(conn.execute(query.order_by(advis.c.id.desc()).limit(limit)).scalars())


def count_since(conn: Connection, since: datetime, above: int = 0) -> tuple[int, int]:
    """How many adviser came since then, and the number of the newest. `above` a number: only those after it, so that
    whoever has counted once need not count all of them again.
    """
    advis = tables.advis
    query = select(func.count(), func.coalesce(func.max(advis.c.id), above))
    if above:
        query = query.where(advis.c.id > above, unindexed(advis.c.received_at) >= since)
    else:
        query = query.where(advis.c.received_at >= since)
    count, newest = conn.execute(query).one()
    return count, newest


def lines(conn: Connection, ids: Sequence[int]) -> dict[int, AdvisLine]:
    """The lines of these adviser, by number; a screenful at a time. One that was deleted meanwhile is left out."""
    rows = conn.execute(_LINES, {"ids": list(ids)})
    names = kommune_names(conn)
    return {row.id: _line(row, names) for row in rows}


def kommune_names(conn: Connection, codes: Collection[str] | None = None) -> dict[str, str]:
    """Code → name, of all or of these."""
    table = tables.kommune
    query = select(table.c.code, table.c.name)
    if codes is not None:
        query = query.where(table.c.code.in_(codes))
    return {row.code: row.name for row in conn.execute(query)}


def receiver_names(conn: Connection) -> list[str]:
    """Every name that a receiver in service has, each once."""
    table = tables.receiver
    query = select(table.c.name).where(table.c.removed_at.is_(None)).distinct().order_by(table.c.name)
    return list(conn.execute(query).scalars())


def _line(row: Any, names: dict[str, str]) -> AdvisLine:
    return AdvisLine(
        row.id,
        row.received_at,
        row.kommune_code,
        names.get(row.kommune_code),
        row.addressee,
        row.code,
        row.sender_name or row.sender_gln,
        row.refused,
        row.published_at is not None,
        row.expected,
        row.settled,
        row.negative,
        row.missed,
        row.verdict,
        row.copies,
    )


def _lines_query() -> Any:
    advis, expected = tables.advis, tables.expected_kvittering
    pending, removed = PendingState.PENDING.value, PendingState.REMOVED.value

    def count(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(expected.c.advis_id).filter(*conditions)

    return (
        select(
            advis.c.id,
            advis.c.received_at,
            advis.c.kommune_code,
            advis.c.addressee,
            advis.c.code,
            advis.c.sender_name,
            advis.c.sender_gln,
            advis.c.refused,
            advis.c.published_at,
            advis.c.verdict,
            advis.c.copies,
            count(expected.c.state != removed).label("expected"),
            count(expected.c.state.not_in((pending, removed))).label("settled"),
            count(expected.c.state.in_(("transient-error", "fatal-error"))).label("negative"),
            count(expected.c.state == pending, expected.c.case_id.is_not(None)).label("missed"),
        )
        .outerjoin(expected, expected.c.advis_id == advis.c.id)
        .where(advis.c.id.in_(bindparam("ids", expanding=True)))
        .group_by(advis.c.id)
    )


_LINES = _lines_query()
