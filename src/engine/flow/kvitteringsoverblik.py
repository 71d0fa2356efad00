"""Kvitteringsoverblik: how each receiver has acknowledged what was published in a period (handbook 3.1)."""

import statistics
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, select

from engine.domain.acknowledgement import PendingState, ResponseCode
from engine.store import tables

_SECOND = timedelta(seconds=1)
_P95 = 95


@dataclass(frozen=True, slots=True)
class OverblikLine:
    """One receiver of one kommune. Every published advis is acknowledged, negative, missing or waiting; `late` ones are
    among the acknowledged and the negative. Times to kvittering are in seconds from StatusKode 20.
    """

    kommune: str
    kommune_name: str
    receiver_id: int
    receiver: str
    receiver_uuid: str
    vendor: str
    primary: bool
    published: int
    acknowledged: int
    negative: int
    late: int
    missing: int  # past the deadline
    waiting: int  # within it, or not monitored
    median_s: float | None
    p95_s: float | None
    oldest_missing: datetime | None  # when it was published


@dataclass
class _Sum:
    published: int = 0
    acknowledged: int = 0
    negative: int = 0
    late: int = 0
    missing: int = 0
    waiting: int = 0
    times: list[float] = field(default_factory=list)
    oldest_missing: datetime | None = None

    def add(self, row: Any, now: datetime) -> None:
        self.published += 1
        if row.state == PendingState.PENDING:
            if row.due_at is not None and row.due_at < now:
                self.missing += 1
                self.oldest_missing = min(self.oldest_missing or row.published_at, row.published_at)
            else:
                self.waiting += 1
            return
        if row.state == ResponseCode.OK:
            self.acknowledged += 1
        else:
            self.negative += 1
        if row.due_at is not None and row.settled_at is not None and row.settled_at > row.due_at:
            self.late += 1
        if row.clock_from is not None and row.settled_at is not None:
            self.times.append(max(0.0, (row.settled_at - row.clock_from) / _SECOND))


def overblik(
    conn: Connection,
    begins: datetime,
    ends: datetime,
    now: datetime,
    *,
    kommuner: Collection[str] | None = None,
) -> list[OverblikLine]:
    """The receivers that adviser were published to from `begins` up to `ends`, by kommune and name.

    What was removed before it came is counted nowhere: nobody waits for it.
    """
    sums: dict[int, _Sum] = {}
    for query in _published(begins, ends, kommuner):
        for row in conn.execute(query):
            sums.setdefault(row.receiver_id, _Sum()).add(row, now)
    receiver, kommune, connection = tables.receiver, tables.kommune, tables.connection
    names = (
        select(receiver, kommune.c.name.label("kommune_name"), connection.c.primary_receiver_id)
        .join(kommune, kommune.c.code == receiver.c.kommune_code)
        .join(connection, connection.c.kommune_code == receiver.c.kommune_code)
        .order_by(kommune.c.name, receiver.c.name, receiver.c.id)
    )
    return [_line(row, sums[row.id]) for row in conn.execute(names) if row.id in sums]


def _published(begins: datetime, ends: datetime, kommuner: Collection[str] | None) -> list[Select[Any]]:
    """The index that the status counts by has the verdict before the time of publication: one range for each."""
    advis, expected = tables.advis, tables.expected_kvittering
    query = (
        select(
            expected.c.receiver_id,
            expected.c.state,
            expected.c.clock_from,
            expected.c.due_at,
            expected.c.settled_at,
            advis.c.published_at,
        )
        .join(expected, expected.c.advis_id == advis.c.id)
        .where(
            advis.c.refused.is_(False),
            advis.c.published_at >= begins,
            advis.c.published_at < ends,
            expected.c.state != PendingState.REMOVED.value,
        )
    )
    if kommuner is not None:
        query = query.where(advis.c.kommune_code.in_(kommuner))
    verdicts = [code.value for code in ResponseCode if code.is_final]
    return [query.where(advis.c.verdict == verdict) for verdict in verdicts] + [
        query.where(advis.c.verdict.is_(None))
    ]


def _line(row: Any, counted: _Sum) -> OverblikLine:
    times = sorted(counted.times)
    return OverblikLine(
        kommune=row.kommune_code,
        kommune_name=row.kommune_name,
        receiver_id=row.id,
        receiver=row.name,
        receiver_uuid=row.system_uuid,
        vendor=row.vendor,
        primary=row.primary_receiver_id == row.id,
        published=counted.published,
        acknowledged=counted.acknowledged,
        negative=counted.negative,
        late=counted.late,
        missing=counted.missing,
        waiting=counted.waiting,
        median_s=statistics.median(times) if times else None,
        # The nearest rank: of twenty, the nineteenth.
        p95_s=times[-(-len(times) * _P95 // 100) - 1] if times else None,
        oldest_missing=counted.oldest_missing,
    )
