"""The console opened for reading alone, and what it does where it is shown in a browser."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import PropertyMock, patch

import pytest
from screenshots.person import at_work, opened
from screenshots.scenes import PERSON, Scene, clock_of

from console.actions import ACTIONS
from console.app import ConsoleApp
from console.link import Door, Link
from console.model import Need, why_not
from engine.desk.access import Caller, Role
from engine.desk.audit import AuditFilter, list_audit
from engine.desk.office import Office
from engine.errors import AccessError
from engine.home import Home

_WHY = "Her kan kun læses."


def audited(home: Home) -> int:
    with Office(home, PERSON, clock_of(Scene.OVERDUE)) as office, office.visiting() as visit:
        return len(list_audit(visit.conn, AuditFilter(limit=10_000)))


async def test_an_administrator_reads_everything_and_changes_nothing(
    scene_home: Callable[[Scene], Home],
) -> None:
    home = scene_home(Scene.OVERDUE)
    before = audited(home)
    with at_work():
        async with opened(home, size=(200, 60), scene=Scene.OVERDUE, only_reads=True) as person:
            person.sees(f"{PERSON} (administrator, kun læsning)")
            for keys in (("3", "t"), ("2", "enter", "a"), ("escape", "1", "b"), ("6", "n")):
                await person.presses(*keys)
                person.hears(_WHY)
            await person.presses("8", "v")
            person.sees("Log › Revisionslog")
            await person.presses("question_mark")
            person.sees("Tasterne her")
    assert audited(home) == before


@pytest.mark.parametrize("width", [80, 120, 134, 142])
async def test_that_it_only_reads_stands_on_top_also_where_there_is_no_room_for_who(
    scene_path: Callable[[Scene], Path], width: int
) -> None:
    with at_work():
        home = Home(scene_path(Scene.OVERDUE))
        async with opened(home, size=(width, 34), scene=Scene.OVERDUE, only_reads=True) as person:
            assert "kun læsning" in person.screen.split("\n")[0]


async def test_the_desk_refuses_what_a_screen_might_let_through(scene_path: Callable[[Scene], Path]) -> None:
    link = Link(Home(scene_path(Scene.OVERDUE)), clock_of(Scene.OVERDUE), PERSON, only_reads=True)
    try:
        look = await link.look(lambda visit, _: visit.caller, anyway=True)
        assert isinstance(look.page, Caller)
        for need in (Need.SERVE, Need.ADMINISTER, Need.FILL_IN):
            assert (why_not(need, look.page) or "").startswith(_WHY)
        for need in (Need.READ_ALL, Need.READ_AUDIT):
            assert why_not(need, look.page) is None
        for door in Door:
            with pytest.raises(AccessError, match=_WHY):
                await link.do(door, lambda *_: None, kommune="0751")
    finally:
        link.close()


def test_reading_alone_gives_no_role() -> None:
    caller = Caller("hanne", frozenset({Role.HOTLINE}), frozenset(), only_reads=True)
    assert "Det kræver rollen administrator eller auditor." in (why_not(Need.READ_AUDIT, caller) or "")


@pytest.fixture
def in_browser() -> Any:
    """As if the screen were drawn in a browser; what it is handed stands in the list."""
    handed: list[tuple[str, bytes]] = []

    def deliver(_app: ConsoleApp, content: io.BytesIO, *, save_filename: str, mime_type: str) -> None:
        assert mime_type == "application/octet-stream"  # nothing that a browser would show on its own
        handed.append((save_filename, content.read()))

    with (
        patch.object(ConsoleApp, "is_web", new_callable=PropertyMock, return_value=True),
        patch.object(ConsoleApp, "deliver_binary", deliver),
    ):
        yield handed


async def test_in_a_browser_a_file_goes_to_the_browser_and_not_to_the_server(
    scene_path: Callable[[Scene], Path], in_browser: Any, tmp_path: Path
) -> None:
    with at_work():
        async with opened(Home(scene_path(Scene.OVERDUE)), scene=Scene.OVERDUE, only_reads=True) as person:
            person.app.folder = tmp_path
            await person.presses("3", "x")
            person.hears("Hentes af browseren: kvitteringer.csv")
            await person.presses("f8")
            person.hears("Hentes af browseren: skaermbillede.svg")
    assert [name for name, _ in in_browser] == ["kvitteringer.csv", "skaermbillede.svg"]
    assert all(content for _, content in in_browser)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing is going on any more


async def test_in_a_browser_nothing_is_told_that_only_a_terminal_can(
    scene_path: Callable[[Scene], Path], in_browser: Any
) -> None:
    with at_work():
        async with opened(Home(scene_path(Scene.OVERDUE)), size=(120, 60), scene=Scene.OVERDUE) as person:
            await person.presses("ctrl+z")
            person.hears("Det kan kun gøres i en terminal")
            await person.presses("3", "question_mark")
            person.sees("Gem det viste som fil.", "Læg konsollen til side")
            person.sees_not("mappe")
            await person.presses("escape", "colon", *"eksport")
            person.sees("Gem det viste som fil.")


def test_no_help_sends_somebody_in_a_browser_to_a_folder() -> None:
    assert [id_ for id_, action in ACTIONS.items() if "mappe" in action.told(in_browser=True)] == []
    assert [id_ for id_, action in ACTIONS.items() if "mappe" in action.told(in_browser=False)] != []


async def test_a_fault_tells_its_place_and_not_what_was_held(
    scene_path: Callable[[Scene], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    app = ConsoleApp(Home(scene_path(Scene.BUSY)), clock=clock_of(Scene.BUSY), identity=PERSON)

    def fails() -> None:
        secret = "en borgers navn"
        raise LookupError(secret)

    async def breaks() -> None:
        async with app.run_test() as pilot:
            app.call_later(fails)
            await pilot.pause()

    with pytest.raises(LookupError):
        await breaks()
    told = capsys.readouterr().err
    assert "Uventet fejl (LookupError). Stedet står ovenfor" in told
    assert "test_read_only.py" in told
    assert "borger" not in told
