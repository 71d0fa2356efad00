"""Seeing that nothing flows: (a) silence, (b) what cannot be processed, (c) a Beskedfordeler that takes nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from engine.domain.incident import Cause
from engine.flow.incidents import dismiss
from engine.flow.timekeeping import open_ledger
from engine.ports import SendResult
from engine.store import tables
from engine.store.traffic import hour_of
from tests.flow.world import FRB, HOSPITAL, START, World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECONDS = 10


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(incident={})  # as it is in production: the others hear no silence


def proposed(world: World) -> list[Any]:
    return [row for row in world.rows(tables.incident) if row.state == "proposed"]


def causes(world: World) -> list[Cause]:
    return [Cause(row.cause) for row in proposed(world)]


async def goes_on(world: World, *, minutes: float, every: float = SECONDS) -> None:
    """Time passes as the engine sees it; only this station need look so often, the others do once a minute."""
    (detect,) = [station for station in world.engine.stations if station.name == "detect"]
    for number in range(round(minutes * 60 / every)):
        world.clock.advance(timedelta(seconds=every))
        await detect.step()
        if number % 6 == 0:
            await world.drain()


def learnt(world: World, rates: dict[str, int]) -> None:
    """Eight weeks in which every hour brought so much, by region."""
    hour = hour_of(world.clock.now())
    rows = [
        {"hour": hour - back * HOUR, "region_code": code, "count": rate}
        for code, rate in rates.items()
        for back in range(1, 8 * 168 + 1)
    ]
    with world.db.writing() as tx:
        tx.conn.execute(insert(tables.traffic), rows)


# --- (a) --------------------------------------------------------------------------------------------------------------


async def test_an_engine_that_has_never_received_hears_no_silence(world: World) -> None:
    await goes_on(world, minutes=120, every=60)
    assert proposed(world) == []


async def test_before_there_is_history_the_settings_say_what_silence_is(world: World) -> None:
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=29.5)
    assert proposed(world) == []
    await goes_on(world, minutes=1)
    (incident,) = proposed(world)
    assert Cause(incident.cause) is Cause.VANS_SILENT
    assert incident.began_at == START
    assert "siden" in incident.basis


async def test_silence_is_told_by_what_the_hour_usually_brings(world: World) -> None:
    learnt(world, {"1084": 600})
    world.send(world.hn())
    await world.drain()
    # L = ln(600 * 8736) = 15.5; of 0.4 * 10 a minute that is 3 min 52 s.
    await goes_on(world, minutes=3.5)
    assert proposed(world) == []
    await goes_on(world, minutes=0.6)
    assert causes(world) == [Cause.VANS_SILENT]


async def test_a_copy_breaks_the_silence_and_the_proposal_says_that_it_is_over(world: World) -> None:
    learnt(world, {"1084": 600})
    spec = world.hn()
    world.send(spec)
    await world.drain()
    await goes_on(world, minutes=5)
    world.send(spec)
    await world.drain()
    await goes_on(world, minutes=0.5)
    assert proposed(world)[0].over_at is not None
    await goes_on(world, minutes=5)
    assert world.events().count("incident-came-back") == 1
    assert len(world.rows(tables.incident)) == 1


async def test_an_engine_that_was_down_heard_no_silence(world: World) -> None:
    learnt(world, {"1084": 600})
    world.send(world.hn())
    await world.drain()
    world.clock.advance(HOUR)
    world.start_engine()
    await goes_on(world, minutes=3.5)
    assert proposed(world) == []
    await goes_on(world, minutes=1)
    assert causes(world) == [Cause.VANS_SILENT]


async def test_restarts_do_not_hide_a_silence(world: World) -> None:
    learnt(world, {"1084": 600})
    world.send(world.hn())
    await world.drain()
    for _ in range(5):
        await goes_on(world, minutes=0.5)
        world.clock.advance(MINUTE)
        world.start_engine()
    assert causes(world) == [] or causes(world) == [Cause.VANS_SILENT]
    await goes_on(world, minutes=0.5)
    assert causes(world) == [Cause.VANS_SILENT]


@pytest.mark.parametrize("hours", [-5, 5])
async def test_a_clock_that_is_set_makes_no_silence(world: World, hours: int) -> None:
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=1)
    world.clock.step(hours * HOUR)
    await goes_on(world, minutes=20)
    assert proposed(world) == []


async def test_one_region_that_falls_silent_is_a_warning_and_no_incident(world: World) -> None:
    with world.db.writing() as tx:
        tx.conn.execute(text("UPDATE kommune SET region_code = '1082', region = 'Midt' WHERE code = '0147'"))
    learnt(world, {"1084": 600, "1082": 600})
    world.send(world.hn(kommune=FRB))
    for _ in range(60):
        world.send(world.hn())
        await goes_on(world, minutes=0.1, every=6)
    (event,) = [row for row in world.rows(tables.event) if row.kind == "region-silent"]
    assert event.severity == "warning"
    assert "Midt" in event.data
    assert [row.name for row in world.rows(tables.stall)] == ["region:1082"]
    assert proposed(world) == []
    world.send(world.hn(kommune=FRB))
    await world.drain()
    world.send(world.hn())
    await goes_on(world, minutes=0.2)
    assert world.events().count("region-heard") == 1
    assert world.rows(tables.stall) == []


# --- (b) --------------------------------------------------------------------------------------------------------------


async def test_what_lies_unprocessed_too_long_is_news_within_a_minute(world: World) -> None:
    world.vans_in.oldest_at = world.clock.now()
    await goes_on(world, minutes=5)
    assert causes(world) == []
    await goes_on(world, minutes=1)
    assert causes(world) == [Cause.PROCESSING]
    world.vans_in.oldest_at = None
    await goes_on(world, minutes=0.2)
    assert proposed(world)[0].over_at is not None


async def test_a_backlog_that_is_worked_off_is_none(world: World) -> None:
    world.vans_in.oldest_at = world.clock.now() - HOUR
    await goes_on(world, minutes=0.4)
    world.vans_in.oldest_at = None
    await goes_on(world, minutes=1)
    assert causes(world) == []


def rubbish(world: World, count: int, hospitals: int = 1) -> None:
    """Envelopes whose content cannot be read, from so many senders."""
    for number in range(count):
        gln = f"57900000000{number % hospitals:02}"
        hospital = type(HOSPITAL)(**{**{f: getattr(HOSPITAL, f) for f in HOSPITAL.__slots__}, "gln": gln})
        world.send(world.hn(hospital=hospital), data=b"<ikke-fhir")


async def test_failures_from_many_senders_are_news(world: World) -> None:
    rubbish(world, 20, hospitals=3)
    await world.drain()
    await goes_on(world, minutes=0.5)
    assert causes(world) == [Cause.PROCESSING]
    assert "20 af 20" in proposed(world)[0].basis
    await goes_on(world, minutes=10)
    assert proposed(world)[0].over_at is not None


async def test_one_sender_of_rubbish_is_not_everybodys_incident(world: World) -> None:
    rubbish(world, 40)
    await world.drain()
    await goes_on(world, minutes=1)
    assert causes(world) == []


async def test_few_failures_and_a_small_share_are_none(world: World) -> None:
    rubbish(world, 19, hospitals=3)
    await world.drain()
    await goes_on(world, minutes=1)
    assert causes(world) == []
    for _ in range(22):
        world.send(world.hn())
    rubbish(world, 2, hospitals=3)
    await world.drain()
    await goes_on(world, minutes=1)
    assert causes(world) == []


async def test_files_that_are_no_envelopes_count_where_nothing_else_comes_through(world: World) -> None:
    for _ in range(20):
        world.drop(b"ingen konvolut")
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=1)
    assert causes(world) == []
    for _ in range(20):
        world.drop(b"ingen konvolut")
    await goes_on(world, minutes=10)  # the one that came through is out of the window by and by
    for _ in range(20):
        world.drop(b"ingen konvolut")
    await world.drain()
    await goes_on(world, minutes=0.5)
    assert causes(world) == [Cause.PROCESSING]


# --- (c) --------------------------------------------------------------------------------------------------------------


async def test_a_beskedfordeler_that_takes_nothing_is_news_after_five_minutes(world: World) -> None:
    world.beskedfordeler.verdict = lambda _: SendResult("Forbindelsen blev afbrudt")
    world.send(world.hn())
    world.send(world.hn(kommune=FRB))
    await world.drain()
    await goes_on(world, minutes=4.9)
    assert causes(world) == []
    await goes_on(world, minutes=0.5)
    (incident,) = proposed(world)
    assert incident.began_at == START
    assert "Forbindelsen blev afbrudt" in incident.basis
    world.beskedfordeler.verdict = lambda _: SendResult()
    await goes_on(world, minutes=6)
    assert proposed(world)[0].over_at is not None


async def test_one_kommunes_trouble_is_not_everybodys(world: World) -> None:
    world.beskedfordeler.verdict = lambda _: SendResult("nej")
    world.send(world.hn())
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=15)
    assert causes(world) == []


async def test_one_that_gets_through_shows_that_it_lives(world: World) -> None:
    cvr = "11259979"
    world.beskedfordeler.verdict = lambda besked: SendResult("nej" if besked.kommune_cvr == cvr else None)
    world.send(world.hn(kommune=FRB))
    await world.drain()
    for _ in range(60):
        world.send(world.hn())
        await goes_on(world, minutes=0.25)
    assert Cause.BESKEDFORDELER not in causes(world)


# --- a person's answer ------------------------------------------------------------------------------------------------


async def test_what_was_dismissed_is_not_proposed_again_while_it_lasts(world: World) -> None:
    world.vans_in.oldest_at = world.clock.now() - HOUR
    await goes_on(world, minutes=1)
    with world.db.writing() as tx:
        ledger = open_ledger(tx, world.clock)
        dismiss(ledger, 1, by="anna", reason="planlagt")
        ledger.write()
    await goes_on(world, minutes=60, every=60)
    assert len(world.rows(tables.incident)) == 1
    world.vans_in.oldest_at = None
    await goes_on(world, minutes=0.5)
    world.vans_in.oldest_at = world.clock.now() - HOUR
    await goes_on(world, minutes=1)
    assert len(world.rows(tables.incident)) == 2


async def test_a_look_reads_by_indexes(world: World) -> None:
    """With years of adviser a look must not go through them."""
    queries: list[str] = []
    from sqlalchemy import event

    @event.listens_for(world.db.engine, "before_cursor_execute")
    def keep(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        queries.append(statement)

    world.beskedfordeler.verdict = lambda _: SendResult("nej")
    world.send(world.hn())
    world.send(world.hn(kommune=FRB))
    await world.drain()
    world.clock.advance(10 * MINUTE)
    queries.clear()
    await world.engine.stations[[s.name for s in world.engine.stations].index("detect")].step()
    looked = [query for query in queries if query.startswith("SELECT")]
    assert len(looked) > 5
    big = {"advis", "publication", "quarantine", "envelope_in", "event", "expected_kvittering"}
    with world.db.reading() as conn:
        for query in looked:
            plan = conn.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {query}", tuple(0 for _ in range(query.count("?")))
            ).all()
            scans = [row[3] for row in plan if row[3].startswith("SCAN")]
            assert [scan for scan in scans if scan.split()[1] in big and "USING" not in scan] == [], query
