"""What the console says while the database is away, slow or another one, and that it comes back by itself."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest
from screenshots.person import Person, at_work, opened
from screenshots.scenes import Scene
from tests.waiting import until

from console.app import ConsoleApp
from console.pages.advis import AdvisPage
from console.pages.advis_list import AdvisList
from console.pages.pending_list import PendingList
from console.widgets.chrome import KeyBar, StatusBar
from engine.home import Home


@pytest.fixture(autouse=True)
def impatient() -> object:
    """Look at every turn whether the file is still the same one, and wait no longer after a failure."""
    with patch("console.link._STRAY_S", -1.0), patch("console.app._LONGEST_PAUSE_S", 0.05):
        yield


async def looks(person: Person) -> None:
    person.app.look_now()
    await person.settled()


async def test_a_database_that_is_gone_is_told_and_found_again(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.OVERDUE)
    with at_work():
        async with opened(home, scene=Scene.OVERDUE) as person:
            person.sees("● Motor", "27 overskredet")
            home.database_file.rename(home.path / "away.db")
            await looks(person)
            person.sees("▲ Ingen data", "Vesthimmerlands")  # what was seen last stays
            (home.path / "away.db").rename(home.database_file)
            await looks(person)
            person.sees_not("Ingen data")
            person.sees("● Motor", "27 overskredet")


async def test_a_database_put_in_its_place_is_the_one_shown(
    scene_home: Callable[[Scene], Home], scene_path: Callable[[Scene], Path]
) -> None:
    home = scene_home(Scene.OVERDUE)
    other = scene_path(Scene.BUSY) / home.database_file.name
    with at_work():
        async with opened(home, scene=Scene.OVERDUE) as person:
            person.sees("27 overskredet")
            restored = home.path / "restored.db"
            with sqlite3.connect(other) as old, sqlite3.connect(restored) as new:
                old.backup(new)
            old.close()
            new.close()
            for suffix in ("-wal", "-shm"):
                home.database_file.with_name(home.database_file.name + suffix).unlink(missing_ok=True)
            restored.replace(home.database_file)
            await looks(person)
            person.sees("0 overskredet")


async def test_a_page_that_is_left_while_it_is_read_does_no_harm(scene_path: Callable[[Scene], Path]) -> None:
    begun, goes_on, fetch = threading.Event(), threading.Event(), AdvisPage.fetch

    def slow(page: AdvisPage, visit: Any, desk: Any) -> Any:
        begun.set()
        goes_on.wait(10)
        return fetch(page, visit, desk)

    with at_work(), patch.object(AdvisPage, "fetch", slow):
        async with opened(Home(scene_path(Scene.BUSY))) as person:
            await person.presses("2")
            person._send("enter")
            await until(begun.is_set)
            person._send("escape")
            await until(lambda: isinstance(person.app.page, AdvisList))
            goes_on.set()
            await looks(person)
            person.sees("[2 Adviser]", "data 0 s")


async def test_what_is_no_database_is_told_and_the_console_goes_on(
    scene_home: Callable[[Scene], Home],
) -> None:
    home = scene_home(Scene.OVERDUE)
    with at_work():
        async with opened(home, scene=Scene.OVERDUE) as person:
            good = home.database_file.rename(home.path / "good.db")
            home.database_file.write_bytes(b"")
            await looks(person)
            person.sees("▲ Ingen data")
            await person.presses("4")
            person.sees("[4 Kommuner]")
            home.database_file.unlink()
            good.rename(home.database_file)
            await looks(person)
            person.sees_not("Ingen data")
            person.sees("Albertslund")


async def test_there_at_the_start_it_says_what_is_wrong(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.EMPTY)
    away = home.database_file.rename(home.path / "away.db")
    async with opened(home, scene=Scene.EMPTY) as person:
        person.sees("▲ Ingen data: databasen findes ikke")
        away.rename(home.database_file)
        await looks(person)
        person.sees_not("findes ikke")
        person.sees("Kræver handling")


async def test_a_slow_look_holds_up_no_key(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.OVERDUE)
    begun, go_on = threading.Event(), threading.Event()
    fetch = PendingList.fetch

    def slow(*arguments: object) -> object:
        begun.set()
        go_on.wait(20)
        return fetch(*arguments)  # type: ignore[arg-type]

    with at_work(), patch.object(PendingList, "fetch", slow):
        async with opened(home, scene=Scene.OVERDUE) as person:
            try:
                await person.pilot.press("3")
                while not begun.is_set():
                    await person.pilot.pause()
                person.sees("[3 Kvitteringer]", "Henter …")
                await person.pilot.press("question_mark")
                await person.pilot.pause()
                person.sees("Kvitteringer › Hjælp")
                await person.pilot.press("escape")
            finally:
                go_on.set()
            await person.settled()
            person.sees("[3 Kvitteringer]", "Sensum Bosted")


async def test_the_age_of_what_is_seen_grows_while_nothing_comes(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.OVERDUE)
    with at_work():
        async with opened(home, scene=Scene.OVERDUE) as person:
            person.sees("data 0 s")
            home.database_file.rename(home.path / "away.db")
            await looks(person)
            person.app.mono = lambda: 75.0
            person.app._tick()
            await person.pilot.pause(0.05)
            person.sees("▲ Ingen data", "data 1 min 15 s")


async def test_a_second_that_passes_while_it_closes_is_no_failure(
    scene_home: Callable[[Scene], Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bars go one by one, and the clock ticks between them."""
    ticks: list[int] = []

    def tick(bar: KeyBar) -> None:
        assert isinstance(bar.app, ConsoleApp)
        bar.app._tick()
        bar.app._lost("Databasen er væk")
        ticks.append(len(bar.app.page.query("StatusBar")) if bar.app.page else 0)

    for bar in (StatusBar, KeyBar):
        monkeypatch.setattr(bar, "on_unmount", tick, raising=False)
    with at_work():
        async with opened(scene_home(Scene.EMPTY), scene=Scene.EMPTY) as person:
            person.sees("Overblik")
    assert 0 in ticks  # one of them found a page without its top line


async def test_closed_pages_are_collected_when_another_is_there_and_at_no_other_time(
    scene_path: Callable[[Scene], Path],
) -> None:
    collector = Mock(**{"isenabled.return_value": False, "get_freeze_count.return_value": 1})
    collector.enable.side_effect = lambda: collector.isenabled.configure_mock(return_value=True)
    with at_work(), patch("console.app.gc", collector):
        async with opened(Home(scene_path(Scene.BUSY))) as person:
            assert collector.freeze.call_count == collector.set_threshold.call_count == 1
            for keys, times in ((("2",), 1), (("down", "pagedown", "r"), 1), (("enter", "escape"), 3)):
                await person.presses(*keys)
                assert collector.collect.call_count == times
            assert collector.freeze.call_count == 1
