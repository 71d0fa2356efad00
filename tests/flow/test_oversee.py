"""Nothing stalls in silence: every queue, channel, inbox and station past its limit is an alarm, once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

import pytest
from sqlalchemy import insert, update

from engine.desk.overview import status
from engine.domain import pulse
from engine.domain.stall import WAITS_FOR, WATCHED, Watched, watched
from engine.flow.oversee import Heartbeats, Oversee
from engine.flow.timekeeping import open_ledger
from engine.links.memory import MemoryInbox
from engine.ports import SendResult
from engine.settings import Settings
from engine.store import tables
from engine.store.pulse import note_bad
from tests.flow.world import World

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def stalls(world: World) -> list[str]:
    return [row.name for row in world.rows(tables.stall)]


async def look(world: World, **after: float) -> None:
    """Let time pass; the station that looks is the only one that works."""
    (oversee,) = [station for station in world.engine.stations if station.name == "oversee"]
    world.clock.advance(timedelta(**after))
    for station in world.engine.stations:
        world.engine._beats.beat(station.name)
    await oversee.step()


def put(world: World, table: Any, **row: Any) -> None:
    with world.db.writing() as tx:
        tx.conn.execute(insert(table).values(**row))


def waiting(world: World, name: str) -> None:
    """Something of this kind waits or fails from now on."""
    now = world.clock.now()
    incident = {"cause": "other", "title": "x", "basis": "x", "began_at": now, "proposed_at": now}
    mail = {"order_key": "a", "message_id": "a", "kind": "case-opened", "address": "a@b.example"}
    mail |= {"subject": "s", "text": "t", "html": "h"}
    match name:
        case "inbox:vans":
            world.vans_in.oldest_at = now
        case "inbox:beskedfordeler":
            world.kvitteringer.oldest_at = now
        case "queue:publications":
            put(world, tables.publication, advis_id=1, round=9, ordered_at=now, next_at=now)
        case "queue:envelopes":
            kind = {"envelope_id": "e", "message_id": "m", "kind": "receipt", "sending": 1}
            ends = {"sender_type": "EAN", "sender_id": "1", "receiver_type": "EAN", "receiver_id": "2"}
            put(world, tables.envelope_out, id=99, **kind, **ends, ordered_at=now, next_at=now)
        case "queue:mails":
            put(world, tables.mail, **mail, ordered_at=now, next_at=now)
        case "person:mails":
            put(world, tables.mail, **mail, ordered_at=now, refused_at=now)
        case "queue:driftstatus":
            put(world, tables.incident, id=1, **incident, state="declared", proposed_by="x")
            step = {"step": "a", "target": "a", "phase": "investigating", "title": "x", "channel": "http"}
            more = {"state": "sending", "text": "x", "due_at": now, "next_at": now}
            put(world, tables.incident_step, incident_id=1, **step, **more)
        case "person:proposals":
            put(world, tables.incident, **incident, state="proposed", proposed_by="x")
        case "person:quarantine":
            row = {
                "delivery_key": "k",
                "channel": "vans",
                "name": "a.xml",
                "reason": "too-large",
                "detail": "x",
            }
            put(world, tables.quarantine, **row, quarantined_at=now)
        case "person:unmatched":
            put(world, tables.payload, id=99, sealed=b"")
            row = {"delivery_key": "k", "response_identifier": "x", "code": "ok", "media_type": "x"}
            put(world, tables.kvittering, **row, disposition="unmatched", received_at=now, payload_id=99)
        case _:
            if name in WAITS_FOR:
                # Newly ordered all the while, so that it is the channel alone that is late.
                waiting(world, WAITS_FOR[name])
                later = now + timedelta(days=9)
                with world.db.writing() as tx:
                    for table in (tables.publication, tables.envelope_out, tables.mail):
                        tx.conn.execute(update(table).values(ordered_at=later))
                    tx.conn.execute(update(tables.incident_step).values(due_at=later))
            with world.db.writing() as tx:
                ledger = open_ledger(tx, world.clock)
                note_bad(ledger, name, "nede")
                ledger.write()


def over(world: World, name: str) -> None:
    """And moves again."""
    world.vans_in.oldest_at = world.kvitteringer.oldest_at = None
    with world.db.writing() as tx:
        for table in (tables.publication, tables.envelope_out, tables.mail, tables.incident_step):
            tx.conn.execute(update(table).values(next_at=None))
        tx.conn.execute(update(tables.mail).values(refused_at=None))
        tx.conn.execute(update(tables.incident).values(state="dismissed", reason="x"))
        tx.conn.execute(update(tables.quarantine).values(decision="discarded"))
        tx.conn.execute(update(tables.kvittering).values(disposition="settled"))
        tx.conn.execute(update(tables.pulse).where(tables.pulse.c.name == name).values(bad_since=None))


@pytest.mark.parametrize("each", WATCHED, ids=lambda each: each.name)
@pytest.mark.long_on_server
async def test_each_is_an_alarm_past_its_limit_once_and_until_it_moves(world: World, each: Watched) -> None:
    world.send(world.hn())
    await world.drain()
    limit = attrgetter(each.limit)(world.settings)
    waiting(world, each.name)
    await look(world, seconds=limit / SECOND)
    assert stalls(world) == []
    await look(world, seconds=11)
    await look(world, seconds=60)
    assert stalls(world) == [each.name]
    (event,) = [row for row in world.rows(tables.event) if row.kind == "stalled"]
    assert event.severity == "alarm"
    assert each.what in event.data
    over(world, each.name)
    await look(world, seconds=11)
    assert stalls(world) == []
    assert world.events().count("moved-again") == 1


async def test_a_station_that_comes_to_no_end_is_an_alarm(world: World) -> None:
    beats = Heartbeats(world.clock, ["receive", "publish"])
    oversee = Oversee(beats, {}, world.db, world.clock, world.settings)
    for _ in range(13):
        world.clock.advance(10 * SECOND)
        beats.beat("publish")
        await oversee.step()
    assert stalls(world) == ["station:receive"]
    beats.beat("receive")
    world.clock.advance(10 * SECOND)
    beats.beat("publish")
    await oversee.step()
    assert stalls(world) == []


async def test_an_inbox_that_cannot_be_read_is_an_alarm_and_hides_no_other(world: World) -> None:
    class Gone(MemoryInbox):
        async def oldest(self) -> datetime | None:
            raise FileNotFoundError("/home/sundhedsagent/vans/in")

    inboxes: dict[str, MemoryInbox] = {"inbox:vans": Gone(), "inbox:beskedfordeler": MemoryInbox()}
    inboxes["inbox:beskedfordeler"].oldest_at = world.clock.now()
    oversee = Oversee(Heartbeats(world.clock, []), inboxes, world.db, world.clock, world.settings)
    for _ in range(32):
        await oversee.step()
        world.clock.advance(10 * SECOND)
    assert stalls(world) == ["inbox:beskedfordeler", "inbox:vans"]
    (row,) = [row for row in world.rows(tables.stall) if row.name == "inbox:vans"]
    assert row.detail == "Filer fra VANS: kan ikke læses (FileNotFoundError)"
    inboxes |= {"inbox:vans": MemoryInbox(), "inbox:beskedfordeler": MemoryInbox()}
    oversee = Oversee(Heartbeats(world.clock, []), inboxes, world.db, world.clock, world.settings)
    await oversee.step()
    assert stalls(world) == []
    # Gone again: it has as long as the first time.
    oversee = Oversee(
        Heartbeats(world.clock, []), {"inbox:vans": Gone()}, world.db, world.clock, world.settings
    )
    await oversee.step()
    assert stalls(world) == []


async def test_the_work_that_is_done_is_what_keeps_a_station_from_standing_still(world: World) -> None:
    for _ in range(4):
        await world.after(seconds=60)
    assert stalls(world) == []


async def test_silent_regions_are_another_stations(world: World) -> None:
    now = world.clock.now()
    put(world, tables.stall, name=pulse.region("1084"), since=now, noticed_at=now, detail="x")
    await look(world)
    assert stalls(world) == [pulse.region("1084")]


async def test_a_full_disk_is_no_break_that_excuses_a_station(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = Heartbeats(world.clock, ["receive"])
    oversee = Oversee(beats, {}, world.db, world.clock, world.settings)
    await oversee.step()

    async def full(_work: object) -> None:
        raise OSError("disken er fuld")

    with monkeypatch.context() as patch:
        patch.setattr(world.db, "write", full)
        for _ in range(10):
            world.clock.advance(30 * SECOND)
            with pytest.raises(OSError, match="fuld"):
                await oversee.step()
    assert beats.ages() == {"receive": 300 * SECOND}
    world.clock.advance(SECOND)
    await oversee.step()
    assert stalls(world) == ["station:receive"]


async def test_a_look_that_hangs_is_no_break_either(world: World) -> None:
    class Slow(MemoryInbox):
        async def oldest(self) -> datetime | None:
            world.clock.advance(5 * MINUTE)
            return None

    beats = Heartbeats(world.clock, ["receive"])
    oversee = Oversee(beats, {"inbox:vans": Slow()}, world.db, world.clock, world.settings)
    await oversee.step()
    await oversee.step()
    assert beats.ages() == {"receive": 10 * MINUTE}


async def test_a_channel_that_is_tried_no_more_stands_still_no_longer(world: World) -> None:
    waiting(world, pulse.DRIFTSTATUS)
    await look(world, minutes=31)
    assert stalls(world) == [pulse.DRIFTSTATUS]
    with world.db.writing() as tx:  # somebody told it on the website
        tx.conn.execute(update(tables.incident_step).values(next_at=None))
    await look(world, seconds=10)
    assert stalls(world) == []
    with world.db.reading() as conn:
        found = status(conn, world.clock.now(), world.settings)
    # It never worked: nobody knows whether it would.
    (driftstatus,) = [channel for channel in found.channels if channel.name == pulse.DRIFTSTATUS]
    assert (driftstatus.up, driftstatus.error) == (None, None)


async def test_a_machine_that_slept_is_no_stations_fault(world: World) -> None:
    beats = Heartbeats(world.clock, ["receive"])
    oversee = Oversee(beats, {}, world.db, world.clock, world.settings)
    await oversee.step()
    world.clock.advance(timedelta(hours=8))
    await oversee.step()
    assert stalls(world) == []


async def test_it_looks_every_ten_seconds_and_leaves_the_engines_pulse(world: World) -> None:
    await look(world)
    world.clock.advance(9 * SECOND)
    await look(world)
    (row,) = [row for row in world.rows(tables.pulse) if row.name == pulse.ENGINE]
    assert row.good_at == world.clock.now() - 9 * SECOND
    await look(world, seconds=1)
    (row,) = [row for row in world.rows(tables.pulse) if row.name == pulse.ENGINE]
    assert (row.good_at, row.since) == (world.clock.now(), world.clock.now() - 10 * SECOND)


async def test_pulses_move_along_with_a_clock_that_is_set(world: World) -> None:
    await look(world)
    world.clock.step(timedelta(hours=-3))
    await look(world, seconds=10)
    (row,) = [row for row in world.rows(tables.pulse) if row.name == pulse.ENGINE]
    assert (row.good_at, row.since) == (world.clock.now(), world.clock.now() - 10 * SECOND)


async def test_every_station_has_a_pulse(world: World) -> None:
    await world.drain()
    await world.after(seconds=10)
    names = {row.name for row in world.rows(tables.pulse)}
    assert {pulse.station(station.name) for station in world.engine.stations} <= names


def test_every_limit_is_a_setting_and_every_one_says_what_to_do() -> None:
    for each in (*WATCHED, watched("station:receive")):
        assert attrgetter(each.limit)(Settings()) > timedelta()
        assert each.do
    assert watched("region:1084").do


async def test_the_status_says_what_stands_still_and_which_channel_fails(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    world.beskedfordeler.verdict = lambda _: SendResult("Forbindelsen blev afbrudt")
    world.send(world.hn())
    await world.drain()
    await look(world, minutes=11)
    with world.db.reading() as conn:
        found = status(conn, world.clock.now(), world.settings)
    channels = {channel.name: channel for channel in found.channels}
    assert channels[pulse.BESKEDFORDELER].up is False
    assert channels[pulse.BESKEDFORDELER].error == "Forbindelsen blev afbrudt"
    assert channels[pulse.VANS_OUT].up is True
    assert channels[pulse.DRIFTSTATUS].up is None
    assert {stall.name for stall in found.stalls} == {"queue:publications", pulse.BESKEDFORDELER}
    assert found.engine_seen_at == world.clock.now()
