"""Kvitteringsoverblik: what is counted, and the daily mail."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from engine.domain import pulse
from engine.domain.acknowledgement import ResponseCode
from engine.flow.kvitteringsoverblik import OverblikLine, overblik
from engine.flow.report import day_of
from engine.local_time import local_date
from engine.store import tables
from tests.flow.world import FRB, PRIMARY, START, UNWATCHED, World

LEFT_OUT = UNWATCHED

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


@pytest.mark.long_on_server
async def test_the_95_percent_are_the_nearest_rank(world: World) -> None:
    specs = [await published(world) for _ in range(20)]
    for spec in specs:
        world.clock.advance(timedelta(seconds=1))
        world.acknowledge(spec, PRIMARY)
        await world.drain()
    assert lines(world)["0101 Cura"].p95_s == 19
    assert lines(world)["0101 Cura"].median_s == 10.5


async def test_the_oldest_missing_is_the_oldest_whatever_became_of_the_others(world: World) -> None:
    for is_answered in (False, True, False):
        spec = await published(world)
        if is_answered:
            world.acknowledge(spec, PRIMARY)
        await world.after(minutes=1)
    await world.after(minutes=46)
    found = lines(world)
    assert (found["0101 Nexus"].missing, found["0101 Nexus"].oldest_missing) == (3, START)
    assert (found["0101 Cura"].missing, found["0101 Cura"].oldest_missing) == (2, START)


async def test_what_was_published_again_is_timed_from_then(world: World) -> None:
    spec = await published(world)
    world.acknowledge(spec, PRIMARY, ResponseCode.TRANSIENT_ERROR)
    await world.after(minutes=30)
    assert (lines(world)["0101 Cura"].negative, lines(world)["0101 Cura"].late) == (1, 0)
    world.send(spec)  # the hospital's copy, after which it is published again under the same BeskedId
    await world.drain()
    await world.after(minutes=40)
    world.acknowledge(spec, PRIMARY)
    await world.drain()
    line = lines(world)["0101 Cura"]
    assert (line.published, line.acknowledged, line.negative, line.late) == (1, 1, 0, 0)
    assert line.median_s == 40 * 60


@pytest.mark.sqlite_only
async def test_it_is_read_by_an_index(world: World) -> None:
    from engine.flow.kvitteringsoverblik import _published

    with world.db.reading() as conn:
        for query in [
            *_published(START, START + DAY, None),
            *_published(START, START + DAY, ["0101"]),
            *_published(START, START + DAY, ["0101", "0147"]),
        ]:
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


async def till(world: World, day: int, hour: int, minute: int = 0) -> None:
    """Turn the clock to a Danish time of March 2026, before summer time, and let the engine do what is due."""
    at = datetime(2026, 3, day, hour, minute, tzinfo=UTC) - HOUR
    world.clock.advance(at - world.clock.now())
    await world.drain()


def days_told(world: World) -> list[str]:
    """The days that the contact point was told of, in the order of the mails."""
    return [subject.split()[2].strip(":") for address, subject in told(world) if address == CONTACT]


@pytest.mark.long_on_server
async def test_of_the_missed_days_the_latest_is_made_up_for_and_the_next_still_comes(
    world_with_overview: World,
) -> None:
    world = world_with_overview
    await published(world)
    await till(world, 15, 8)
    assert days_told(world) == ["14.3.2026"]
    # The report fails for three days; everything else goes on.
    world.engine.stations = [station for station in world.engine.stations if station.name != "report"]
    for day in (15, 16, 17):
        await published(world)
        await till(world, day + 1, 6)
    world.start_engine()
    await world.drain()
    assert days_told(world)[1:] == [
        "16.3.2026"
    ]  # on the 18th, before seven: not the 15th, and not yet the 17th
    await till(world, 18, 6, 59)
    world.start_engine()
    await world.drain()
    assert days_told(world)[2:] == []
    await till(world, 18, 7)
    assert days_told(world)[2:] == ["17.3.2026"]


async def test_what_was_before_it_was_switched_on_is_not_made_up_for(world_with_overview: World) -> None:
    world = world_with_overview
    world.engine.stations = [station for station in world.engine.stations if station.name != "report"]
    await published(world)
    await till(world, 15, 9)
    await published(world)
    await till(world, 16, 6)
    world.start_engine()
    await world.drain()
    assert days_told(world) == []
    await till(world, 16, 7)
    assert days_told(world) == ["15.3.2026"]


async def test_a_crash_before_the_mails_are_committed_repeats_none_and_loses_none(
    world_with_overview: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_with_overview
    await published(world)
    await world.drain()
    report = next(station for station in world.engine.stations if station.name == "report")
    with monkeypatch.context() as crash:
        crash.setattr("engine.flow.report.note_good", _fails)
        world.clock.advance(datetime(2026, 3, 15, 7, tzinfo=UTC) - world.clock.now())
        with pytest.raises(RuntimeError):
            await report.step()
    await world.drain()
    assert sorted(address for address, _ in told(world)) == sorted([CONTACT, VENDOR, EXTRA])
    with world.db.writing() as tx:  # and where it forgot that it was done
        tx.conn.execute(delete(tables.pulse).where(tables.pulse.c.name == pulse.REPORT))
    world.start_engine()
    await world.drain()
    assert len(told(world)) == 3


def _fails(*_: Any) -> None:
    raise RuntimeError("down")


async def test_a_time_of_day_that_the_night_in_spring_leaves_out(make_world: Callable[..., World]) -> None:
    world = make_world(overview={"daily": True, "at": "02:30"})
    world.clock.advance(datetime(2026, 3, 28, 12, tzinfo=UTC) - START)
    await published(world)
    world.clock.advance(datetime(2026, 3, 29, 1, 29, tzinfo=UTC) - world.clock.now())
    await world.drain()
    assert days_told(world) == []
    await world.after(minutes=1)
    assert days_told(world) == ["28.3.2026"]


async def test_contact_points_can_be_left_out(make_world: Callable[..., World]) -> None:
    world = make_world(overview={"daily": True, "at": "07:00", "contact_points": False})
    with world.db.writing() as tx:
        tx.conn.execute(update(tables.receiver).values(overview_enrolled=tables.receiver.c.id == 4))
    await published(world)
    await published(world, kommune=FRB)
    await till(world, 15, 7)
    assert [address for address, _ in told(world)] == [VENDOR]
    assert "Frederiksberg Kommune, Cura (primært)" in world.mails.sent[-1].text
    assert "Københavns" not in world.mails.sent[-1].text


async def test_an_address_that_is_written_in_two_ways_gets_one_mail(world_with_overview: World) -> None:
    world = world_with_overview
    with world.db.writing() as tx:
        receiver = tables.receiver
        other = {
            "overview_enrolled": True,
            "vendor_email": VENDOR.title(),
            "overview_emails": f"{EXTRA}, {EXTRA}",
        }
        tx.conn.execute(update(receiver).where(receiver.c.id == 2).values(**other))
    await published(world)
    await till(world, 15, 7)
    assert sorted(address for address, _ in told(world)) == sorted([CONTACT, VENDOR, EXTRA])
    assert all("Nexus" in mail.text for mail in world.mails.sent if mail.subject.startswith("Kvitteringso"))


async def test_a_day_on_which_nothing_was_published_is_no_news(world_with_overview: World) -> None:
    await world_with_overview.after(hours=48)
    assert told(world_with_overview) == []


def test_a_day_in_spring_has_23_hours() -> None:
    day = datetime(2026, 3, 29, tzinfo=UTC).date()
    assert day_of(day + DAY) - day_of(day) == 23 * HOUR
