"""Today's traffic beside what the same hours of the week usually bring."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from engine.desk.curve import Curve, curves, learn_usual
from engine.simulation.history import seed_traffic
from engine.store import tables
from engine.store.database import Database

HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
NOON = datetime(2026, 11, 24, 11, tzinfo=UTC)  # a Tuesday, twelve o'clock in Denmark
HOVEDSTADEN, SJAELLAND = "1084", "1085"


def came(db: Database, *rows: tuple[datetime, str, int]) -> None:
    with db.writing() as tx:
        tx.insert(
            tables.traffic, [{"hour": at, "region_code": code, "count": count} for at, code, count in rows]
        )


def drawn(conn: Connection, now: datetime) -> tuple[Curve, ...]:
    return curves(conn, now, learn_usual(conn, now))


def test_today_by_the_hour_of_the_wall(db: Database) -> None:
    midnight = datetime(2026, 11, 23, 23, tzinfo=UTC)
    came(
        db,
        (midnight - HOUR, HOVEDSTADEN, 99),
        (midnight, HOVEDSTADEN, 1),
        (midnight, SJAELLAND, 2),
        (NOON - HOUR, SJAELLAND, 5),
    )
    with db.reading() as conn:
        whole, *regions = drawn(conn, NOON)
    assert whole.today == (3, *[0] * 10, 5, 0, *[None] * 11)
    assert whole.so_far == 8
    by_name = {region.name: region for region in regions}
    assert list(by_name) == ["Hovedstaden", "Midtjylland", "Nordjylland", "Sjælland", "Syddanmark"]
    assert (by_name["Hovedstaden"].so_far, by_name["Sjælland"].so_far, by_name["Syddanmark"].so_far) == (
        1,
        7,
        0,
    )


def test_the_usual_is_of_the_same_hour_of_the_week_and_in_proportion(db: Database) -> None:
    for back in range(1, 5):  # all of them in winter time
        came(db, (NOON - back * WEEK - HOUR, HOVEDSTADEN, 10), (NOON - back * WEEK, HOVEDSTADEN, 8))
    with db.reading() as conn:
        whole, *_ = drawn(conn, NOON + HOUR / 4)
    assert (whole.usual[11], whole.usual[12], whole.usual[13]) == (10, 8, 0)
    assert whole.usual_so_far == 10 + 8 / 4


def test_before_there_is_history_nothing_is_usual(db: Database) -> None:
    came(db, (NOON - HOUR, HOVEDSTADEN, 5))
    with db.reading() as conn:
        whole, *_ = drawn(conn, NOON)
    assert whole.usual == (None,) * 24
    assert whole.usual_so_far is None


@pytest.mark.parametrize(
    "now",
    [datetime(2026, 10, 25, 20, tzinfo=UTC), datetime(2026, 3, 29, 20, tzinfo=UTC)],
    ids=["25 hours", "23 hours"],
)
def test_a_longer_or_shorter_day_keeps_its_24_places(db: Database, now: datetime) -> None:
    evening = now.replace(hour=18 if now.month == 3 else 19)
    came(db, (evening, HOVEDSTADEN, 4))
    with db.reading() as conn:
        whole, *_ = drawn(conn, now)
    assert len(whole.today) == 24
    assert whole.today[20] == 4


def test_made_up_history_is_the_same_each_time_and_ends_before_today(db: Database) -> None:
    def weeks(seed: int) -> list[tuple[object, ...]]:
        with db.writing() as tx:
            tx.conn.execute(tables.traffic.delete())
            seed_traffic(tx, NOON, seed)
            rows = tx.conn.execute(tables.traffic.select().order_by(tables.traffic.c.hour)).all()
        return sorted(tuple(row) for row in rows)

    first = weeks(7)
    assert first == weeks(7)
    assert first != weeks(8)
    hours = [row[0] for row in first]
    assert max(hours) < datetime(2026, 11, 23, 23, tzinfo=UTC)  # type: ignore[type-var]
    assert min(hours) < NOON - 7 * WEEK  # type: ignore[type-var]
    with db.reading() as conn:
        whole, *regions = drawn(conn, NOON)
    assert whole.so_far == 0
    assert whole.usual_so_far is not None
    assert 200 < whole.usual_so_far < 700
    assert all(region.usual_so_far for region in regions)
