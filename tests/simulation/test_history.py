"""The weeks gone by that a demo's home begins with: the same for the same seed, and nothing of today."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from engine.domain.silence import WEEKS
from engine.home import Home
from engine.local_time import local
from engine.simulation.history import seed_traffic
from engine.store import tables

NOW = datetime(2026, 7, 1, 10, 20, tzinfo=UTC)  # a Wednesday, twenty past twelve in Denmark
HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 6, 30, 22, tzinfo=UTC)
REGIONS = {"1081", "1082", "1083", "1084", "1085"}


def weeks(
    home: Home, now: datetime = NOW, seed: int = 1, per_day: int = 1_200
) -> dict[datetime, dict[str, int]]:
    """What was put into the home: by hour and region."""
    db, table = home.open_database(), tables.traffic
    found: dict[datetime, dict[str, int]] = defaultdict(dict)
    with db.writing() as tx:
        tx.conn.execute(table.delete())
        seed_traffic(tx, now, seed, per_day=per_day)
        for row in tx.conn.execute(select(table)):
            found[row.hour][row.region_code] = row.count
    db.close()
    return dict(found)


def of_days(hours: dict[datetime, dict[str, int]]) -> dict[datetime, int]:
    """How many came on each Danish day, by its noon."""
    days: dict[datetime, int] = defaultdict(int)
    for hour, regions in hours.items():
        days[local(hour).replace(hour=12)] += sum(regions.values())
    return days


def test_the_same_seed_gives_the_same_weeks_and_another_one_others(new_home: Home) -> None:
    first = weeks(new_home)
    assert first == weeks(new_home)
    assert first != weeks(new_home, seed=2)
    # An hour later, the hours that both know are told alike: what has been does not change.
    later = weeks(new_home, now=NOW + HOUR)
    both = first.keys() & later.keys()
    assert len(both) >= len(first) - 1
    assert all(first[hour] == later[hour] for hour in both)


def test_nothing_came_today_and_all_hours_of_the_weeks_before_it_are_known(new_home: Home) -> None:
    hours = weeks(new_home, per_day=20_000)  # so many that no hour of any region has none
    begins = NOW.replace(minute=0) - timedelta(weeks=WEEKS)
    number = (MIDNIGHT - begins) // HOUR
    assert sorted(hours) == [begins + back * HOUR for back in range(number)]
    assert all(set(regions) == REGIONS for regions in hours.values())


@pytest.mark.parametrize(
    ("now", "last"),
    [
        (datetime(2026, 7, 1, 22, 30, tzinfo=UTC), datetime(2026, 7, 1, 21, tzinfo=UTC)),
        (datetime(2026, 7, 1, 21, 30, tzinfo=UTC), datetime(2026, 6, 30, 21, tzinfo=UTC)),
        (datetime(2026, 12, 1, 22, 59, tzinfo=UTC), datetime(2026, 11, 30, 22, tzinfo=UTC)),
    ],
    ids=["just after midnight", "just before it", "in winter"],
)
def test_today_is_the_danish_day(new_home: Home, now: datetime, last: datetime) -> None:
    assert max(weeks(new_home, now=now, per_day=20_000)) == last


def test_an_hour_in_which_nothing_came_has_no_row(new_home: Home) -> None:
    hours = weeks(new_home, per_day=100)
    assert all(count > 0 for regions in hours.values() for count in regions.values())
    assert any(set(regions) < REGIONS for regions in hours.values())


def test_a_weekday_brings_what_was_asked_for_and_a_weekend_half_of_it(new_home: Home) -> None:
    days = of_days(weeks(new_home, per_day=10_000))
    del days[min(days)]  # it began in the middle of the day
    weekdays = [count for day, count in days.items() if day.weekday() < 5]
    weekend = [count for day, count in days.items() if day.weekday() >= 5]
    assert len(weekend) == 2 * WEEKS
    assert all(9_500 < count < 10_500 for count in weekdays)
    assert all(5_000 < count < 6_000 for count in weekend)


def test_nights_are_quiet_and_the_regions_as_large_as_their_people(new_home: Home) -> None:
    hours = weeks(new_home, per_day=20_000)
    by_hour: dict[int, int] = defaultdict(int)
    by_region: dict[str, int] = defaultdict(int)
    for hour, regions in hours.items():
        by_hour[local(hour).hour] += sum(regions.values())
        for code, count in regions.items():
            by_region[code] += count
    assert max(by_hour, key=lambda hour: by_hour[hour]) == 10
    assert all(by_hour[night] * 8 < by_hour[10] for night in range(5))
    assert sorted(by_region, key=lambda code: -by_region[code]) == ["1084", "1082", "1083", "1085", "1081"]
    assert by_region["1084"] == pytest.approx(0.31 * sum(by_region.values()), rel=0.02)
