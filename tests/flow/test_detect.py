"""Seeing that nothing flows: (a) silence, (b) what cannot be processed, (c) a Beskedfordeler that takes nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from benchmarks.detection import simulate
from sqlalchemy import event, insert, text

from engine.domain.advis import Unit
from engine.domain.incident import Cause
from engine.flow.incidents import dismiss
from engine.flow.timekeeping import open_ledger
from engine.ports import SendResult
from engine.simulation.made_up import made_up_unit
from engine.simulation.messages import hn_bytes
from engine.store import tables
from engine.store.traffic import hour_of, traffic
from tests.flow.world import FRB, HOSPITAL, START, World

LEFT_OUT = ("oversee",)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECONDS = 10


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(incident={})  # as it is in production: the others hear no silence


def proposed(world: World) -> list[Any]:
    return [row for row in world.rows(tables.incident) if row.state == "proposed"]


def causes(world: World) -> list[Cause]:
    return [Cause(row.cause) for row in proposed(world)]


def detect_of(world: World) -> Any:
    (detect,) = [station for station in world.engine.stations if station.name == "detect"]
    return detect


async def goes_on(world: World, *, minutes: float, every: float = SECONDS) -> None:
    """Time passes as the engine sees it; only this station need look so often, the others do once a minute."""
    detect = detect_of(world)
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


@pytest.mark.long_on_server
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
    assert "region-silent" not in world.events()  # though it is the only region


async def test_what_is_usual_is_learnt_anew_every_hour(world: World) -> None:
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=1)
    learnt(world, {"1084": 600})
    world.clock.advance(30 * MINUTE)
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=6)
    assert causes(world) == [Cause.VANS_SILENT]


def test_only_the_weeks_that_are_learnt_from_are_read(world: World) -> None:
    learnt(world, {"1084": 600, "1082": 5})
    hour = hour_of(world.clock.now())
    with world.db.reading() as conn:
        found = traffic(conn, hour - 3 * HOUR, hour - HOUR)
    hours = [hour - 3 * HOUR, hour - 2 * HOUR]
    assert found == {"1084": dict.fromkeys(hours, 600), "1082": dict.fromkeys(hours, 5)}


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
    await goes_on(world, minutes=1)
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
    await goes_on(world, minutes=0.5)
    assert causes(world) == [Cause.VANS_SILENT]


async def test_what_came_during_a_short_restart_is_taken_before_silence_is_told(world: World) -> None:
    """At 40 a minute, two minutes without an advis are news; but here they lie in the inbox."""
    learnt(world, {"1084": 2_400})
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=0.5)
    world.clock.advance(1.5 * MINUTE)
    world.send(world.hn())
    world.start_engine()
    await detect_of(world).step()
    await world.drain()
    await goes_on(world, minutes=0.5)
    assert causes(world) == []


async def test_a_silence_that_was_found_lasts_through_the_engines_own_absence(world: World) -> None:
    learnt(world, {"1084": 600})
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=5)
    world.clock.advance(HOUR)
    world.start_engine()
    await goes_on(world, minutes=5)
    assert causes(world) == [Cause.VANS_SILENT]
    assert "incident-ended-itself" not in world.events()


async def test_what_lies_in_the_inbox_was_sent_so_its_silence_is_none(world: World) -> None:
    learnt(world, {"1084": 600})
    world.send(world.hn())
    await world.drain()
    world.vans_in.oldest_at = world.clock.now() + timedelta(seconds=5)
    await goes_on(world, minutes=15)
    assert causes(world) == [Cause.PROCESSING]


async def test_what_was_left_behind_long_ago_hides_no_silence(world: World) -> None:
    learnt(world, {"1084": 600})
    world.send(world.hn())
    await world.drain()
    world.vans_in.oldest_at = world.clock.now() - 2 * MINUTE
    await goes_on(world, minutes=4.5)
    assert Cause.VANS_SILENT in causes(world)


async def test_what_comes_and_fails_is_no_silence(world: World) -> None:
    learnt(world, {"1084": 600})
    world.send(world.hn())
    await world.drain()
    rubbish(world, 20, hospitals=3)
    await world.drain()
    await goes_on(world, minutes=8)
    assert causes(world) == [Cause.PROCESSING]


@pytest.mark.parametrize("hours", [-5, 5])
@pytest.mark.long_on_server
async def test_a_clock_that_is_set_makes_no_silence(world: World, hours: int) -> None:
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=1)
    world.clock.step(hours * HOUR)
    await goes_on(world, minutes=20)
    assert proposed(world) == []


@pytest.fixture
async def two_regions(world: World) -> World:
    """Both have been heard."""
    with world.db.writing() as tx:
        tx.conn.execute(text("UPDATE kommune SET region_code = '1082', region = 'Midt' WHERE code = '0147'"))
    learnt(world, {"1084": 600, "1082": 600})
    world.send(world.hn())
    world.send(world.hn(kommune=FRB))
    await world.drain()
    return world


async def only_one_is_heard(world: World, *, minutes: float) -> None:
    for _ in range(round(minutes * 6)):
        world.send(world.hn())
        await world.drain()
        await goes_on(world, minutes=1 / 6)


async def test_a_clock_that_is_set_by_little_is_no_silence_either(world: World) -> None:
    """At 40 a minute a whole minute is news; the engine's own time does not jump."""
    learnt(world, {"1084": 2_400})
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=1 / 3)
    world.clock.step(timedelta(seconds=70))
    await goes_on(world, minutes=1 / 3)
    assert causes(world) == []


@pytest.mark.long_on_server
async def test_one_region_that_falls_silent_is_a_warning_and_no_incident(two_regions: World) -> None:
    world = two_regions
    # L = ln(600 * 8736) = 15.5; of 0.4 * 10 a minute that is 3 min 52 s, the region by itself.
    await only_one_is_heard(world, minutes=3.5)
    assert "region-silent" not in world.events()
    await only_one_is_heard(world, minutes=2.5)
    (told,) = [row for row in world.rows(tables.event) if row.kind == "region-silent"]
    assert told.severity == "warning"
    assert "Midt" in told.data
    assert [row.name for row in world.rows(tables.stall)] == ["region:1082"]
    assert proposed(world) == []
    world.send(world.hn(kommune=FRB))
    await world.drain()
    await only_one_is_heard(world, minutes=0.5)
    assert world.events().count("region-heard") == 1
    assert world.rows(tables.stall) == []


@pytest.mark.long_on_server
async def test_all_regions_silent_is_one_proposal_and_no_warnings(two_regions: World) -> None:
    world = two_regions
    await goes_on(world, minutes=30)
    assert causes(world) == [Cause.VANS_SILENT]
    assert "region-silent" not in world.events()
    world.clock.advance(timedelta(seconds=SECONDS))
    assert await detect_of(world).step() == 0


@pytest.mark.long_on_server
async def test_the_first_region_that_is_heard_again_makes_the_others_no_news(two_regions: World) -> None:
    world = two_regions
    await goes_on(world, minutes=30)
    await only_one_is_heard(world, minutes=3.5)
    assert proposed(world)[0].over_at is not None
    assert "region-silent" not in world.events()
    await only_one_is_heard(world, minutes=1)
    assert world.events().count("region-silent") == 1


@pytest.mark.long_on_server
async def test_a_silent_region_is_told_once_whatever_else_happens(two_regions: World) -> None:
    """Neither the engine's absence nor a silence of all makes it heard."""
    world = two_regions
    await only_one_is_heard(world, minutes=5)
    world.clock.advance(HOUR)
    world.start_engine()
    await only_one_is_heard(world, minutes=1)
    await goes_on(world, minutes=30)
    await only_one_is_heard(world, minutes=1)
    assert world.events().count("region-silent") == 1
    assert "region-heard" not in world.events()


async def test_no_region_is_told_by_what_nobody_has_taken(two_regions: World) -> None:
    world = two_regions
    world.vans_in.oldest_at = world.clock.now()
    await goes_on(world, minutes=10)
    assert "region-silent" not in world.events()


@pytest.mark.long_on_server
async def test_what_has_just_come_hides_no_silent_region(two_regions: World) -> None:
    """Where much comes, something lies in the inbox at every look."""
    world = two_regions
    for _ in range(36):
        world.vans_in.oldest_at = world.clock.now() + timedelta(seconds=8)
        await only_one_is_heard(world, minutes=1 / 6)
    assert world.events().count("region-silent") == 1


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
    for _ in range(3):
        world.vans_in.oldest_at = world.clock.now() - HOUR
        await goes_on(world, minutes=0.4)
        world.vans_in.oldest_at = None
        await goes_on(world, minutes=1)
    assert causes(world) == []


@pytest.mark.long_on_server
async def test_a_backlog_that_moves_has_as_long_again(world: World) -> None:
    world.vans_in.oldest_at = world.clock.now() - HOUR
    await only_one_is_heard(world, minutes=5)
    assert causes(world) == []
    await only_one_is_heard(world, minutes=0.5)
    assert causes(world) == [Cause.PROCESSING]


async def test_what_is_stuck_is_still_stuck_after_a_restart(world: World) -> None:
    world.vans_in.oldest_at = world.clock.now() - HOUR
    await goes_on(world, minutes=1)
    world.start_engine()
    await goes_on(world, minutes=1)
    assert causes(world) == [Cause.PROCESSING]
    assert "incident-ended-itself" not in world.events()


def a_hospital(number: int) -> Unit:
    return replace(HOSPITAL, gln=f"57900000000{number:02}")


def rubbish(world: World, count: int, hospitals: int = 1) -> None:
    """Envelopes whose content cannot be read, from so many senders."""
    for number in range(count):
        world.send(world.hn(hospital=a_hospital(number % hospitals)), data=b"<ikke-fhir")


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


async def test_what_the_engine_refuses_counts_but_for_addresses_that_are_nobodys(world: World) -> None:
    nobody = made_up_unit(77, "Sygehusadviser, Ingen Kommune")
    for number in range(20):
        world.send(world.hn(hospital=a_hospital(number % 3), kommune=nobody))
    await world.drain()
    await goes_on(world, minutes=1)
    assert causes(world) == []
    for number in range(20):
        spec = world.hn(hospital=a_hospital(number % 3))
        endpoint = f'<endpoint value="https://sor2.sum.dsdn.dk/#id={HOSPITAL.sor}"/>'.encode()
        world.send(spec, data=hn_bytes(spec).replace(endpoint, b""))
    await world.drain()
    await goes_on(world, minutes=1)
    assert world.codes == ["fatal-error"] * 40
    assert causes(world) == [Cause.PROCESSING]
    assert "20 af 20" in proposed(world)[0].basis


async def test_what_most_of_one_sender_brings_counts_too(world: World) -> None:
    """All fails but for what one sender brings, and that is the most."""
    for _ in range(12):
        world.send(world.hn(), data=b"<ikke-fhir")
    for _ in range(30):
        world.send(world.hn())
    rubbish(world, 9, hospitals=2)
    await world.drain()
    await goes_on(world, minutes=1)
    assert causes(world) == []


async def test_kvitteringer_that_cannot_be_read_are_no_adviser(world: World) -> None:
    for _ in range(20):
        world.kvitteringer.drop(b"ingen besked")
    await world.drain()
    await goes_on(world, minutes=1)
    assert len(world.rows(tables.quarantine)) == 20
    assert causes(world) == []


async def test_a_flood_of_ones_rubbish_with_a_stray_one_of_anothers_is_not_everybodys(world: World) -> None:
    rubbish(world, 20)
    rubbish(world, 4, hospitals=2)
    for _ in range(3):
        world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=1)
    assert causes(world) == []
    rubbish(world, 4, hospitals=2)
    await world.drain()
    await goes_on(world, minutes=1)
    assert causes(world) == [Cause.PROCESSING]


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


async def test_an_inbox_that_cannot_be_read_hides_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone() -> None:
        raise FileNotFoundError

    monkeypatch.setattr(world.vans_in, "oldest", gone)
    rubbish(world, 20, hospitals=3)
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


@pytest.mark.long_on_server
async def test_one_kommunes_trouble_is_not_everybodys(world: World) -> None:
    world.beskedfordeler.verdict = lambda _: SendResult("nej")
    world.send(world.hn(kommune=FRB))
    await world.drain()
    world.beskedfordeler.verdict = lambda _: SendResult()
    await goes_on(world, minutes=10)
    assert len(world.published) == 1
    world.beskedfordeler.verdict = lambda _: SendResult("nej")
    world.send(world.hn())
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=15)
    assert causes(world) == []


async def test_what_has_not_been_tried_has_not_failed(world: World) -> None:
    world.beskedfordeler.verdict = lambda _: SendResult("nej")
    world.send(world.hn())
    await world.drain()
    await goes_on(world, minutes=6)
    world.send(world.hn(kommune=FRB))
    (receive,) = [station for station in world.engine.stations if station.name == "receive"]
    await receive.step()
    world.clock.advance(timedelta(seconds=SECONDS))
    await detect_of(world).step()
    assert causes(world) == []
    await world.drain()
    await goes_on(world, minutes=0.5)
    assert causes(world) == [Cause.BESKEDFORDELER]


@pytest.mark.long_on_server
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


@pytest.mark.sqlite_only
async def test_a_look_reads_by_indexes(world: World) -> None:
    """With years of adviser a look must not go through them."""
    queries: list[str] = []

    @event.listens_for(world.db.engine, "before_cursor_execute")
    def keep(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        queries.append(statement)

    world.beskedfordeler.verdict = lambda _: SendResult("nej")
    world.send(world.hn())
    world.send(world.hn(kommune=FRB))
    await world.drain()
    world.clock.advance(10 * MINUTE)
    queries.clear()
    await detect_of(world).step()
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


# --- over days --------------------------------------------------------------------------------------------------------


def test_four_simulated_days(tmp_path: Path) -> None:
    """The short form of `benchmarks/detection.py`, with one outage of each cause."""
    found = simulate(tmp_path, days=4, seed=17)
    assert found["a_by_day"] == {"planted": 1, "seen": 1, "median": ANY, "worst": ANY}
    assert found["a_by_day"]["worst"] <= 600
    for cause in ("b", "c"):
        assert found[cause]["planted"] == found[cause]["seen"] == 1
        assert 0 <= found[cause]["worst"] <= 60
    assert (found["false_proposals"], found["false_warnings"]) == (0, 0)
