"""Kvitteringsoverblik: what is counted, and the daily mail."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from engine.domain.acknowledgement import ResponseCode
from engine.flow.kvitteringsoverblik import OverblikLine, overblik
from engine.flow.report import day_of
from engine.local_time import local_date
from engine.store import tables
from tests.flow.world import FRB, PRIMARY, START, World

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
CONTACT, VENDOR, EXTRA = "a@b.example", "v@v.example", "vagt@v.example"


def lines(world: World, **options: Any) -> dict[str, OverblikLine]:
    today = local_date(world.clock.now())
    with world.db.reading() as conn:
        found = overblik(conn, day_of(today), day_of(today + DAY), world.clock.now(), **options)
    return {f"{line.kommune} {line.receiver}": line for line in found}


async def published(world: World, **changes: Any) -> Any:
    spec = world.hn(**changes)
    world.send(spec)
    await world.drain()
    return spec


# --- what is counted --------------------------------------------------------------------------------------------------


async def test_every_published_advis_is_counted_once_per_receiver(world: World) -> None:
    specs = [await published(world) for _ in range(4)]
    world.clock.advance(MINUTE)
    world.acknowledge(specs[0], PRIMARY)
    world.acknowledge(specs[1], PRIMARY, ResponseCode.FATAL_ERROR)
    await world.drain()
    await world.after(minutes=59)
    world.acknowledge(specs[2], PRIMARY)
    await world.drain()
    line = lines(world)["0101 Cura"]
    assert (line.published, line.acknowledged, line.negative, line.late) == (4, 2, 1, 1)
    assert (line.missing, line.waiting, line.oldest_missing) == (1, 0, START)
    assert line.published == line.acknowledged + line.negative + line.missing + line.waiting
    assert (line.median_s, line.p95_s) == (60, 3_600)
    assert line.primary
    other = lines(world)["0101 Nexus"]
    assert (other.published, other.missing, other.median_s) == (4, 4, None)


async def test_what_still_has_time_is_waited_for(world: World) -> None:
    await published(world)
    assert (lines(world)["0101 Cura"].missing, lines(world)["0101 Cura"].waiting) == (0, 1)


async def test_another_day_and_another_kommune_are_not_counted(world: World) -> None:
    await published(world)
    await published(world, kommune=FRB)
    assert set(lines(world, kommuner=["0147"])) == {"0147 Cura", "0147 Nexus"}
    world.clock.advance(DAY)
    assert lines(world) == {}


async def test_what_is_waited_for_no_more_is_counted_nowhere(world: World) -> None:
    await published(world)
    with world.db.writing() as tx:
        expected = tables.expected_kvittering
        tx.conn.execute(update(expected).where(expected.c.receiver_id == 2).values(state="removed"))
    assert set(lines(world)) == {"0101 Cura", "0101 Sensum"}


async def test_the_95_percent_are_the_nearest_rank(world: World) -> None:
    specs = [await published(world) for _ in range(20)]
    for spec in specs:
        world.clock.advance(timedelta(seconds=1))
        world.acknowledge(spec, PRIMARY)
        await world.drain()
    assert lines(world)["0101 Cura"].p95_s == 19
    assert lines(world)["0101 Cura"].median_s == 10.5


async def test_it_is_read_by_an_index(world: World) -> None:
    from engine.flow.kvitteringsoverblik import _published

    with world.db.reading() as conn:
        for query in _published(START, START + DAY, None, None):
            text = str(query.compile(world.db.engine, compile_kwargs={"literal_binds": True}))
            plan = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
            assert any(
                "ix_advis_progress (refused=? AND verdict=? AND published_at>?" in step for step in plan
            ), plan


# --- the daily mail ---------------------------------------------------------------------------------------------------


@pytest.fixture
def world_with_overview(make_world: Callable[..., World]) -> World:
    world = make_world(overview={"daily": True, "at": "07:00"})
    with world.db.writing() as tx:
        receiver = tables.receiver
        enrolled = {"overview_enrolled": True, "overview_emails": EXTRA}
        tx.conn.execute(update(receiver).where(receiver.c.id == 1).values(**enrolled))
    return world


def told(world: World) -> list[tuple[str, str]]:
    return [
        (mail.address, mail.subject)
        for mail in world.mails.sent
        if mail.subject.startswith("Kvitteringsoverblik")
    ]


async def test_off_by_default(world: World) -> None:
    await published(world)
    await world.after(hours=24)
    assert told(world) == []


async def test_each_address_gets_one_mail_a_day_about_its_own_systems(world_with_overview: World) -> None:
    world = world_with_overview
    await published(world)
    await published(world, kommune=FRB)
    world.clock.advance(datetime(2026, 3, 15, 5, 59, tzinfo=UTC) - world.clock.now())  # 06:59 in Denmark
    await world.drain()
    assert told(world) == []
    await world.after(minutes=1)
    subject = "Kvitteringsoverblik for 14.3.2026: {} mangler"
    assert sorted(told(world)) == [
        (CONTACT, subject.format(5)),
        (VENDOR, subject.format(1)),
        (EXTRA, subject.format(1)),
    ]
    texts = {mail.address: mail.text for mail in world.mails.sent if mail.subject.startswith("Kvitteringso")}
    assert "Københavns Kommune, Cura (primært)" in texts[VENDOR]
    assert "Frederiksberg" not in texts[VENDOR]
    assert "Frederiksberg" in texts[CONTACT]
    world.start_engine()
    await world.after(hours=12)
    assert len(told(world)) == 3


async def test_the_latest_day_that_was_missed_is_made_up_for(world_with_overview: World) -> None:
    world = world_with_overview
    for _ in range(2):
        await published(world)
        await world.after(hours=24)
    first = len(told(world))
    assert first > 0
    await published(world)
    world.clock.advance(2 * DAY)  # the engine is down, and comes up before seven on the third day
    await published(world)
    assert {subject.split(":")[0] for _, subject in told(world)[first:]} <= {
        "Kvitteringsoverblik for 17.3.2026"
    }


async def test_a_day_on_which_nothing_was_published_is_no_news(world_with_overview: World) -> None:
    await world_with_overview.after(hours=48)
    assert told(world_with_overview) == []


def test_a_day_in_spring_has_23_hours() -> None:
    day = datetime(2026, 3, 29, tzinfo=UTC).date()
    assert day_of(day + DAY) - day_of(day) == 23 * HOUR
