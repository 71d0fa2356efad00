"""Our own certificates end: each threshold is told once, by whichever engine, until the file is another one."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.desk.overview import status
from engine.desk.todo import TodoKind, todo
from engine.domain.events import Event, EventKind, Level
from engine.flow.expire import Expire
from engine.ports import CertificateLook
from engine.store import tables
from tests.flow.world import START, World

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ENDS = START + 100 * DAY


@dataclass
class Files:
    """The certificates of one engine, to be replaced."""

    holder: str = ""
    looks: dict[str, CertificateLook] = field(default_factory=dict)
    read: int = 0

    def put(self, use: str, fingerprint: str = "aa", ends: datetime = ENDS) -> None:
        self.looks[use] = CertificateLook(use, f"/etc/{use}.pem", fingerprint, ends)

    def spoil(self, use: str, fault: str = "nøglen hører ikke til certifikatet") -> None:
        self.looks[use] = CertificateLook(use, f"/etc/{use}.pem", fault=fault)

    def look(self) -> list[CertificateLook]:
        self.read += 1
        return [replace(look) for look in self.looks.values()]


class Engine:
    """The one station, on files of its own."""

    def __init__(self, world: World, files: Files) -> None:
        self.files = files
        self._world = world
        self.restart()

    def restart(self) -> None:
        self._station = Expire(self.files, self._world.db, self._world.clock)

    async def look(self) -> int:
        """So much later that it looks again, but far from an hour."""
        self._world.clock.advance(timedelta(seconds=10))
        return await self._station.step()

    async def at(self, left: timedelta) -> int:
        """When so much is left until ENDS."""
        self._world.clock.advance(ENDS - left - self._world.clock.now())
        return await self._station.step()


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def engine(world: World, files: Files) -> Engine:
    return Engine(world, files)


def told(world: World) -> list[tuple[str, str]]:
    """What was told of certificates: level and sentence."""
    return [
        (
            row.severity,
            Event(row.at, EventKind(row.kind), "", Level.INFO, None, None, json.loads(row.data)).sentence,
        )
        for row in world.rows(tables.event)
        if row.kind.startswith("certificate")
    ]


def shown(world: World) -> list[str]:
    """What `status` shows; and Kræver handling shows the same."""
    with world.db.reading() as conn:
        found = status(conn, world.clock.now(), world.settings)
        waiting = todo(conn, world.settings, world.clock.now())
    items = [item for item in waiting.items if item.kind is TodoKind.CERTIFICATE]
    assert [(item.what, item.say, item.since) for item in items] == [
        (each.what, each.do, each.since) for each in found.certificates
    ]
    assert waiting.counts[TodoKind.CERTIFICATE] == len(items)
    return [each.what for each in found.certificates]


async def test_each_threshold_is_told_once_and_then_the_end(
    world: World, engine: Engine, files: Files
) -> None:
    files.put("vans")
    assert await engine.at(61 * DAY) == 0
    assert (told(world), shown(world)) == ([], [])
    for left in (60, 59, 31, 30, 15, 14, 8, 7, 1):
        assert await engine.at(left * DAY) == (left in {60, 30, 14, 7})
        await engine.look()
        engine.restart()  # a restart tells nothing anew
        await engine.look()
    assert await engine.at(-DAY) == 1
    await engine.look()
    assert told(world) == [
        ("warning", "Certifikatet til VANS ud udløber 22.6.2026, om 60 dage"),
        ("warning", "Certifikatet til VANS ud udløber 22.6.2026, om 30 dage"),
        ("alarm", "Certifikatet til VANS ud udløber 22.6.2026, om 14 dage"),
        ("alarm", "Certifikatet til VANS ud udløber 22.6.2026, om 7 dage"),
        ("alarm", "Certifikatet til VANS ud udløb 22.6.2026"),
    ]
    assert shown(world) == ["Certifikatet til VANS ud udløb 22.6.2026"]


async def test_it_is_told_on_the_day_though_nothing_was_replaced_and_the_hour_is_not_over(
    world: World, engine: Engine, files: Files
) -> None:
    files.put("vans")
    await engine.at(60 * DAY + timedelta(seconds=5))
    assert await engine.look() == 1


async def test_one_that_is_found_late_is_told_once_and_not_for_every_threshold_that_is_past(
    world: World, engine: Engine, files: Files
) -> None:
    files.put("vans")
    assert await engine.at(5 * DAY) == 1
    assert told(world) == [("alarm", "Certifikatet til VANS ud udløber 22.6.2026, om 5 dage")]


async def test_a_renewed_file_ends_the_warning_by_itself(world: World, engine: Engine, files: Files) -> None:
    files.put("vans")
    await engine.at(20 * DAY)
    assert shown(world) == ["Certifikatet til VANS ud udløber 22.6.2026, om 20 dage"]
    files.put("vans", "bb", ENDS + 3 * 365 * DAY)
    assert await engine.look() == 1
    assert shown(world) == []
    assert told(world)[-1] == ("info", "Certifikatet til VANS ud er i orden igen og gælder til 21.6.2029")
    assert await engine.at(-DAY) == 0
    assert len(told(world)) == 2


async def test_one_that_is_replaced_by_one_that_ends_as_soon_is_told_anew_and_not_called_good(
    world: World, engine: Engine, files: Files
) -> None:
    files.put("vans")
    await engine.at(20 * DAY)
    files.put("vans", "bb", ENDS + DAY)
    assert await engine.look() == 1
    assert told(world)[-1] == ("warning", "Certifikatet til VANS ud udløber 23.6.2026, om 20 dage")
    assert shown(world) == ["Certifikatet til VANS ud udløber 23.6.2026, om 20 dage"]


async def test_one_certificate_with_several_uses_is_one_warning(
    world: World, engine: Engine, files: Files
) -> None:
    for use in ("listen", "vans", "beskedfordeler"):
        files.put(use)
    assert await engine.at(10 * DAY) == 1
    whole = "Certifikatet til Beskedfordeleren, VANS ud og indgangen over HTTPS"
    assert shown(world) == [f"{whole} udløber 22.6.2026, om 10 dage"]
    files.put("vans", "bb", ENDS + 900 * DAY)  # renewed for one of them
    await engine.look()
    files.put("beskedfordeler", "bb", ENDS + 900 * DAY)
    files.put("listen", "bb", ENDS + 900 * DAY)
    await engine.look()
    assert [text for _, text in told(world)[1:]] == [
        "Certifikatet til VANS ud er i orden igen og gælder til 8.12.2028",
        "Certifikatet til Beskedfordeleren og indgangen over HTTPS er i orden igen og gælder til 8.12.2028",
    ]


async def test_two_certificates_are_two_warnings_the_longest_told_first(
    world: World, engine: Engine, files: Files
) -> None:
    files.put("beskedfordeler", "bb", ENDS + DAY)
    files.put("vans", "zz", ENDS)
    await engine.at(60 * DAY)
    await engine.at(59 * DAY)
    assert [what.partition(" udløber")[0] for what in shown(world)] == [
        "Certifikatet til VANS ud",
        "Certifikatet til Beskedfordeleren",
    ]


async def test_engines_with_the_same_certificate_tell_it_once_and_each_machine_is_named(
    world: World, engine: Engine
) -> None:
    first, second = Engine(world, Files("a:/hjem")), Engine(world, Files("b:/hjem"))
    for each in (first, second):
        each.files.put("vans")
    assert [await first.at(30 * DAY), await second.at(30 * DAY)] == [1, 0]
    assert [text for _, text in told(world)] == [
        "Certifikatet til VANS ud på a:/hjem udløber 22.6.2026, om 30 dage"
    ]
    assert shown(world) == ["Certifikatet til VANS ud på a:/hjem og b:/hjem udløber 22.6.2026, om 30 dage"]
    assert [await first.at(14 * DAY), await second.at(14 * DAY)] == [1, 0]
    assert len(told(world)) == 2


async def test_one_that_is_renewed_on_one_machine_is_warned_of_on_the_other_without_end(
    world: World,
) -> None:
    first, second = Engine(world, Files("a:/hjem")), Engine(world, Files("b:/hjem"))
    for each in (first, second):
        each.files.put("vans")
        await each.at(30 * DAY)
    first.files.put("vans", "bb", ENDS + 900 * DAY)
    for _ in range(3):
        await first.look()
        await second.look()
    assert shown(world) == ["Certifikatet til VANS ud på b:/hjem udløber 22.6.2026, om 29 dage"]
    assert [text for _, text in told(world)[1:]] == [
        "Certifikatet til VANS ud på a:/hjem er i orden igen og gælder til 8.12.2028"
    ]
    second.files.put("vans", "bb", ENDS + 900 * DAY)
    await second.look()
    assert shown(world) == []


async def test_an_engine_that_is_no_more_is_forgotten_after_a_day(world: World) -> None:
    gone, stays = Engine(world, Files("a:/hjem")), Engine(world, Files("b:/hjem"))
    gone.files.put("vans")
    stays.files.put("vans", "bb", ENDS + 900 * DAY)
    await gone.at(30 * DAY)
    await stays.at(30 * DAY)
    for hour in range(24):
        world.clock.advance(HOUR)
        await stays.look()
        if hour < 22:
            assert len(shown(world)) == 1
    assert shown(world) == []
    assert len(told(world)) == 1


async def test_a_machine_that_has_a_new_name_after_a_restart_tells_nothing_anew(world: World) -> None:
    before = Engine(world, Files("a:/hjem"))
    before.files.put("vans")
    await before.at(30 * DAY)
    after = Engine(world, Files("c:/hjem"))
    after.files.put("vans")
    assert await after.at(25 * DAY) == 0  # long after the old name is forgotten
    assert await after.at(24 * DAY) == 0
    assert len(told(world)) == 1
    assert shown(world) == ["Certifikatet til VANS ud på c:/hjem udløber 22.6.2026, om 24 dage"]


async def test_one_that_is_used_no_more_is_no_warning(world: World, engine: Engine, files: Files) -> None:
    files.put("vans")
    await engine.at(10 * DAY)
    files.looks.clear()
    engine.restart()
    await engine.look()
    assert shown(world) == []
    assert len(told(world)) == 1
    assert world.rows(tables.certificate) == []


async def test_files_that_cannot_be_used_are_an_alarm_until_they_can(
    world: World, engine: Engine, files: Files
) -> None:
    files.put("listen")
    await engine.look()
    files.spoil("listen")
    assert [await engine.look(), await engine.look(), await engine.look()] == [0, 1, 0]
    files.spoil("listen", "den er væk")  # another fault of the same files is no news
    assert [await engine.look(), await engine.look()] == [0, 0]
    unusable = "Certifikatet til indgangen over HTTPS kan ikke bruges"
    assert told(world) == [("alarm", f"{unusable}: nøglen hører ikke til certifikatet")]
    assert shown(world) == [f"{unusable}: den er væk"]
    files.put("listen")
    assert await engine.look() == 1
    assert shown(world) == []
    assert told(world)[-1][1] == (
        "Certifikatet til indgangen over HTTPS er i orden igen og gælder til 22.6.2026"
    )


async def test_a_certificate_whose_key_comes_a_moment_later_is_no_alarm(
    world: World, engine: Engine, files: Files
) -> None:
    files.put("vans")
    await engine.at(20 * DAY)
    files.spoil("vans")
    await engine.look()
    assert shown(world) == ["Certifikatet til VANS ud udløber 22.6.2026, om 19 dage"]
    files.put("vans", "bb", ENDS + 900 * DAY)
    await engine.look()
    assert [text for _, text in told(world)] == [
        "Certifikatet til VANS ud udløber 22.6.2026, om 20 dage",
        "Certifikatet til VANS ud er i orden igen og gælder til 8.12.2028",
    ]


async def test_files_are_read_every_ten_seconds_and_the_database_written_once_an_hour(
    world: World, engine: Engine, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    write = world.db.write

    async def counted(work: Callable[..., Any]) -> Any:
        nonlocal writes
        writes += 1
        return await write(work)

    monkeypatch.setattr(world.db, "write", counted)
    files.put("vans")
    await engine.look()
    await engine._station.step()  # at once again
    assert (files.read, writes) == (1, 1)
    for _ in range(359):
        await engine.look()
    assert (files.read, writes) == (360, 1)
    await engine.look()
    assert writes == 2


async def test_a_clock_that_was_a_year_ahead_for_a_while_spoils_nothing(
    world: World, engine: Engine, files: Files
) -> None:
    files.put("vans")
    await engine.at(20 * DAY)
    world.clock.step(365 * DAY)
    await engine.look()
    assert shown(world) == ["Certifikatet til VANS ud udløb 22.6.2026"]
    world.clock.step(-365 * DAY)
    await engine.look()
    assert shown(world) == ["Certifikatet til VANS ud udløber 22.6.2026, om 19 dage"]
    await engine.at(14 * DAY)
    assert told(world)[-1] == ("alarm", "Certifikatet til VANS ud udløber 22.6.2026, om 14 dage")
    world.clock.step(-300 * DAY)
    await engine.look()
    assert shown(world) == []


async def test_a_clock_that_is_set_back_ends_the_warning_for_all_machines(world: World) -> None:
    first, second = Engine(world, Files("a:/hjem")), Engine(world, Files("b:/hjem"))
    for each in (first, second):
        each.files.put("vans")
        await each.at(20 * DAY)
    world.clock.step(-300 * DAY)
    await first.look()
    assert shown(world) == []


async def test_it_is_neither_a_stall_nor_a_reason_not_to_be_ready(
    world: World, engine: Engine, files: Files
) -> None:
    files.put("vans")
    await engine.at(-DAY)
    for station in world.engine.stations:
        world.engine._beats.beat(station.name)
    assert await world.engine._vitals.ready() == []
    assert world.rows(tables.stall) == []


async def test_the_metric_tells_the_soonest_end_of_each_use(world: World, engine: Engine) -> None:
    first, second = Engine(world, Files("a:/hjem")), Engine(world, Files("b:/hjem"))
    first.files.put("vans")
    first.files.spoil("listen")
    second.files.put("vans", "bb", ENDS + 9 * DAY)
    second.files.put("beskedfordeler", "cc", ENDS - 2 * DAY)
    await first.look()
    for each in (first, second):
        await each.at(DAY)
    text = (await world.engine._vitals.metrics()).decode()
    for use, seconds in (("vans", 86400), ("listen", 0), ("beskedfordeler", -86400)):
        assert f'sundhedsagent_certificate_expires_seconds{{use="{use}"}} {seconds}.0\n' in text


async def test_the_engine_looks_at_what_its_links_hold(world: World) -> None:
    (station,) = [each for each in world.engine.stations if each.name == "expire"]
    assert isinstance(station, Expire)
    assert station._certificates.look() == []
    await world.drain()
    assert world.rows(tables.certificate) == []
