"""/healthz, /readyz and /metrics as Prometheus and others meet them: by HTTP, from a running engine."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from engine.desk.look_up import AdvisFilter
from engine.desk.resend import resend
from engine.errors import SettingsError
from engine.flow import vitals
from engine.flow.oversee import Heartbeats
from engine.flow.vitals import Vitals
from engine.ports import SendResult
from engine.store import tables
from tests.flow.world import World
from tests.servers.ports import free_port

RULES = Path(__file__).parents[2] / "docs/alarmregler.yml"


@asynccontextmanager
async def running(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """The engine at work, and somebody who asks it."""
    stop, begun = asyncio.Event(), asyncio.Event()
    work = asyncio.create_task(world.engine.run(stop, begun.set))
    address = f"http://127.0.0.1:{world.settings.monitor.port}"
    # The port is listened on before the work begins: whoever asks then is answered.
    try:
        async with asyncio.timeout(10), httpx.AsyncClient(base_url=address) as client:
            await begun.wait()
            yield client
    finally:
        stop.set()
        await work


@pytest.fixture
def watched_world(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(vitals, "_ANSWERS_WITHIN_S", 60.0)  # the machine may be slow
    return make_world(monitor={"port": free_port()})


async def metrics(client: httpx.AsyncClient) -> dict[str, Any]:
    text = (await client.get("/metrics")).text
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(found: dict[str, Any], name: str, **labels: str) -> float:
    (sample,) = [each for each in found[f"sundhedsagent_{name}"].samples if each.labels == labels]
    return float(sample.value)


async def test_a_healthy_engine_says_so(watched_world: World) -> None:
    async with running(watched_world) as client:
        for path in ("/healthz", "/readyz"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()) == (200, {"ok": True, "faults": []})
        assert (await client.get("/andet")).status_code == 404


async def test_what_stands_still_makes_it_not_ready_and_alive_all_the_same(watched_world: World) -> None:
    with watched_world.db.writing() as tx:
        now = watched_world.clock.now()
        row = {"since": now - timedelta(hours=1), "noticed_at": now}
        person = {"name": "person:mails", "detail": "Afviste mails: 2 venter", **row}
        tx.conn.execute(insert(tables.stall).values(**person))
        tx.conn.execute(insert(tables.stall).values(name="region:1084", detail="Intet fra regionen", **row))
    async with running(watched_world) as client:
        assert (await client.get("/readyz")).status_code == 200
        with watched_world.db.writing() as tx:
            machine = {"name": "queue:mails", "detail": "Mails: 12 venter", **row}
            tx.conn.execute(insert(tables.stall).values(**machine))
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["faults"]) == (503, ["Mails: 12 venter"])
        assert (await client.get("/healthz")).status_code == 200


async def test_a_station_that_hangs_makes_it_not_ready(world: World) -> None:
    beats = Heartbeats(world.clock, ["receive", "publish"])
    vitals = Vitals(beats, world.db, world.clock, world.settings)
    world.clock.advance(timedelta(seconds=121))
    beats.beat("publish")
    assert await vitals.ready() == ["Stationen receive står stille"]


async def test_also_the_one_that_oversees_may_hang(world: World) -> None:
    vitals, beats = world.engine._vitals, world.engine._beats
    world.clock.advance(timedelta(seconds=121))
    for station in world.engine.stations:
        if station.name != "oversee":
            beats.beat(station.name)
    assert await vitals.ready() == ["Stationen oversee står stille"]


async def test_a_database_that_cannot_be_used_is_not_healthy(
    watched_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(watched_world) as client:

        async def lost(_work: object) -> None:
            raise OSError

        monkeypatch.setattr(watched_world.db, "read", lost)
        for path in ("/healthz", "/readyz"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert answer.json()["faults"] == ["Databasen kan ikke bruges (OSError)"]


async def test_a_database_that_hangs_is_not_healthy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(_work: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(world.db, "read", hangs)
    monkeypatch.setattr(vitals, "_ANSWERS_WITHIN_S", 0.01)
    async with asyncio.timeout(10):
        (fault,) = await world.engine._vitals.alive()
    assert fault.startswith("Databasen svarer ikke inden for")


async def test_overdue_is_past_its_deadline_with_a_case_or_before_it_has_one(world: World) -> None:
    world.send(world.hn())
    await world.drain()
    for minutes, overdue in ((44, 0), (2, 3)):
        world.clock.advance(timedelta(minutes=minutes))
        text = (await world.engine._vitals.metrics()).decode()
        assert f"sundhedsagent_kvitteringer_overdue {overdue}.0\n" in text
        assert "sundhedsagent_kvitteringer_pending 3.0\n" in text
    assert world.rows(tables.alarm_case) == []


async def test_the_numbers_are_those_of_the_database(watched_world: World) -> None:
    world = watched_world
    for _ in range(3):
        world.send(world.hn())
    await world.drain()
    await world.after(minutes=46)
    async with running(world) as client:
        found = await metrics(client)
    assert value(found, "adviser") == 3
    assert value(found, "publications") == 3
    assert value(found, "kvitteringer_pending") == value(found, "kvitteringer_overdue") == 9
    assert value(found, "cases_open", kind="missing-kvittering") == 3
    assert value(found, "cases_open", kind="delayed-publication") == 0
    assert value(found, "channel_up", channel="beskedfordeler") == 1
    assert value(found, "queue_size", queue="publications") == 0
    assert value(found, "vans_silent_seconds") == 46 * 60
    assert value(found, "incidents", state="proposed") == 0
    stations = {
        sample.labels["station"] for sample in found["sundhedsagent_station_last_good_seconds"].samples
    }
    assert stations == {station.name for station in world.engine.stations}


async def test_two_who_ask_within_five_seconds_get_one_look(watched_world: World) -> None:
    async with running(watched_world) as client:
        first = (await client.get("/metrics")).text
        with watched_world.db.writing() as tx:
            now = watched_world.clock.now()
            # A region: what else stands still, the running engine looks over itself.
            row = {"name": "region:1084", "since": now, "noticed_at": now, "detail": "x"}
            tx.conn.execute(insert(tables.stall).values(**row))
        assert (await client.get("/metrics")).text == first
        watched_world.clock.advance(timedelta(seconds=5))
        assert 'sundhedsagent_stalled{name="region:1084"} 1.0' in (await client.get("/metrics")).text


async def test_a_port_that_is_taken_is_told_before_the_work_begins(
    watched_world: World, make_world: Callable[..., World]
) -> None:
    second = make_world(monitor={"port": watched_world.settings.monitor.port})
    begun = asyncio.Event()
    async with running(watched_world):
        with pytest.raises(SettingsError, match=r"i brug af et andet program.*monitor\.port"):
            await second.engine.run(asyncio.Event(), begun.set)
    assert not begun.is_set()


async def test_what_waits_to_be_published_is_not_counted_as_published(watched_world: World) -> None:
    world = watched_world
    world.send(world.hn())
    await world.drain()
    world.beskedfordeler.verdict = lambda _: SendResult("Forbindelsen blev afbrudt")
    world.send(world.hn())
    await world.drain()
    async with running(world) as client:
        found = await metrics(client)
    assert (value(found, "adviser"), value(found, "publications")) == (2, 1)
    assert value(found, "channel_up", channel="beskedfordeler") == 0


async def test_what_was_rolled_back_is_not_counted(world: World) -> None:
    world.send(world.hn())
    await world.drain()

    def press(then: Callable[[], object]) -> None:
        with world.acting() as act:
            assert resend(act, AdvisFilter(), "Leverandøren har mistet beskeder").ids
            then()

    with pytest.raises(ZeroDivisionError):
        press(lambda: 1 / 0)
    for published in (1, 2):
        world.clock.advance(timedelta(hours=1))  # neither just looked at nor just sent
        text = (await world.engine._vitals.metrics()).decode()
        assert f"sundhedsagent_publications_total {published}.0\n" in text
        press(lambda: None)
        await world.drain()


@pytest.mark.parametrize("address", ["a..b", "æ" * 70])
async def test_an_address_that_nobody_has_is_told_in_danish(
    make_world: Callable[..., World], address: str
) -> None:
    world = make_world(monitor={"port": free_port(), "address": address})
    with pytest.raises(SettingsError, match=r"ingen maskine hedder sådan.*monitor\.address"):
        await world.engine.run(asyncio.Event())


async def test_no_port_is_the_default_and_nobody_listens(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)  # whoever would listen needs it
    stop = asyncio.Event()
    stop.set()
    await world.engine.run(stop)
    assert world.settings.monitor.port == 0


async def test_the_alert_rules_speak_of_metrics_that_there_are(watched_world: World) -> None:
    world = watched_world
    world.send(world.hn())
    await world.drain()
    with world.db.writing() as tx:
        now = world.clock.now()
        tx.conn.execute(insert(tables.stall).values(name="x", since=now, noticed_at=now, detail="x"))
        seen = {"identity": "x", "file": "x", "expires_at": now, "seen_at": now}
        tx.conn.execute(insert(tables.certificate).values(holder="another", use="vans", **seen))
    async with running(world) as client:
        text = (await client.get("/metrics")).text
    rules = RULES.read_text(encoding="utf-8")
    named = set(re.findall(r"sundhedsagent_[a-z_]+", rules))
    assert len(named) >= 7
    assert [name for name in named if f"\n{name}" not in text] == []
    assert rules.count("- alert:") == rules.count("expr:") == rules.count("summary:")
    assert "\t" not in rules
    for queue in ("publications", "envelopes", "mails"):
        assert f'queue="{queue}"' in text
