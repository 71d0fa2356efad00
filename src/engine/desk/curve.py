"""Today's traffic beside what the same hours of the week usually bring, region by region."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from engine.domain.silence import WEEKS, learn, slot
from engine.local_time import from_local, local
from engine.store import tables
from engine.store.traffic import hour_of, traffic

_HOURS = 24


@dataclass(frozen=True, slots=True)
class Curve:
    """One region's day, or the whole country's. Both series have 24 hours of Danish time, from midnight.

    `today` is None for hours to come, `usual` where too few weeks are known. The two sums are of the hours that are
    over and, in proportion, of the one that runs.
    """

    name: str
    today: tuple[int | None, ...]
    usual: tuple[float | None, ...]
    so_far: int
    usual_so_far: float | None


def curves(conn: Connection, now: datetime) -> tuple[Curve, ...]:
    """The whole first, then the regions by name."""
    table = tables.kommune
    names = {row.region_code: row.region for row in conn.execute(select(table.c.region_code, table.c.region))}
    midnight = local(now).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    begins = from_local(midnight)
    counts = traffic(conn, hour_of(now) - timedelta(weeks=WEEKS), hour_of(now) + timedelta(hours=1))
    total: dict[datetime, int] = {}
    for of_region in counts.values():
        for hour, count in of_region.items():
            total[hour] = total.get(hour, 0) + count
    regions = sorted((name, counts.get(code, {})) for code, name in names.items())
    return (
        _curve("Hele landet", total, begins, now),
        *(_curve(name.removeprefix("Region "), found, begins, now) for name, found in regions),
    )


def _curve(name: str, counts: dict[datetime, int], begins: datetime, now: datetime) -> Curve:
    rates = learn(counts, now).rates
    starts = [_hour(begins, number) for number in range(_HOURS)]
    running = hour_of(now)
    today = tuple(None if at > now else counts.get(hour_of(at), 0) for at in starts)
    usual = tuple(rates.get(slot(at)) for at in starts)
    known = [
        rate * min(1.0, (now - at) / timedelta(hours=1))
        for at, rate in zip(starts, usual, strict=True)
        if rate is not None and at <= running
    ]
    return Curve(name, today, usual, sum(filter(None, today)), sum(known) if known else None)


def _hour(begins: datetime, number: int) -> datetime:
    # By the clock on the wall: a day that winter or summer time makes longer or shorter keeps its 24 places.
    there = local(begins).replace(tzinfo=None, hour=number)
    return from_local(there).astimezone(begins.tzinfo)
