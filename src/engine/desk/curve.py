"""Today's traffic beside what the same hours of the week usually bring, region by region."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from engine.domain.silence import WEEKS, Slot, learn, slot
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


@dataclass(frozen=True, slots=True)
class Usual:
    """What usually comes, learnt until an hour began: it holds as long as that hour runs. None is the whole country."""

    hour: datetime
    rates: Mapping[str | None, Mapping[Slot, float]]

    def holds(self, now: datetime) -> bool:
        return self.hour == hour_of(now)


def learn_usual(conn: Connection, now: datetime) -> Usual:
    """From the last weeks, region by region."""
    hour = hour_of(now)
    counts = traffic(conn, hour - timedelta(weeks=WEEKS), hour)
    rates: dict[str | None, Mapping[Slot, float]] = {
        code: learn(found, now).rates for code, found in counts.items()
    }
    rates[None] = learn(_added(counts.values()), now).rates
    return Usual(hour, rates)


def curves(conn: Connection, now: datetime, usual: Usual) -> tuple[Curve, ...]:
    """The whole first, then the regions by name."""
    table = tables.kommune
    names = {row.region_code: row.region for row in conn.execute(select(table.c.region_code, table.c.region))}
    midnight = local(now).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    begins = from_local(midnight)
    counts = traffic(conn, begins, hour_of(now) + timedelta(hours=1))
    regions = sorted((name, code) for code, name in names.items())
    return (
        _curve("Hele landet", _added(counts.values()), usual.rates[None], begins, now),
        *(
            _curve(name.removeprefix("Region "), counts.get(code, {}), usual.rates.get(code, {}), begins, now)
            for name, code in regions
        ),
    )


def _added(counts: Iterable[Mapping[datetime, int]]) -> dict[datetime, int]:
    total: dict[datetime, int] = {}
    for of_region in counts:
        for hour, count in of_region.items():
            total[hour] = total.get(hour, 0) + count
    return total


def _curve(
    name: str, counts: Mapping[datetime, int], rates: Mapping[Slot, float], begins: datetime, now: datetime
) -> Curve:
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
