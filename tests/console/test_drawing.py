"""What is drawn bit by bit, as things change, is what would be drawn at once: no old cell is left on the screen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.console_pty import COLUMNS, LINES, Screen
from screenshots.person import Person, at_work, opened
from screenshots.scenes import Scene, clock_of
from textual.app import App

from console.app import ConsoleApp
from engine.home import Home

_KEYS = ("down", "pagedown", "end", "home", "tab", "enter", "escape")


class Terminal(Screen):
    """Each cell with its colours, as they were written."""

    def __init__(self) -> None:
        super().__init__()
        self._style = ""
        self._styles = [[""] * COLUMNS for _ in range(LINES)]

    @property
    def cells(self) -> list[list[tuple[str, str]]]:
        return [list(zip(*line, strict=True)) for line in zip(self._rows, self._styles, strict=True)]

    def _take(self, found: Any) -> None:
        if found["final"] == "m":
            self._style = found["parameters"]
        super()._take(found)

    def _put(self, text: str) -> None:
        room = min(len(text), COLUMNS - self._x)
        self._styles[self._y][self._x : self._x + room] = [self._style] * room
        super()._put(text)


@contextmanager
def written_to(terminal: Terminal) -> Iterator[None]:
    """The terminal gets what the console writes, which it does not where there is no real one."""

    def display(app: App[Any], _: object, update: Any) -> None:
        if update is not None and not app._batch_count:
            terminal.feed(update.render_segments(app.console).encode())

    with patch.object(ConsoleApp, "_display", display):
        yield


def anew(person: Person) -> Terminal:
    """All of the screen, with nothing remembered of how it was drawn before."""
    screen = person.app.screen
    for widget in screen.walk_children(with_self=True):
        widget._styles_cache.clear()  # type: ignore[attr-defined]
    terminal = Terminal()
    update = screen._compositor.render_full_update()
    terminal.feed(update.render_segments(person.app.console).encode())
    return terminal


def assert_as_anew(terminal: Terminal, person: Person, after: str) -> None:
    width, height = person.app.size
    cells, wished = terminal.cells[:height], anew(person).cells[:height]
    for y, (shown, wanted) in enumerate(zip(cells, wished, strict=True)):
        assert shown[:width] == wanted[:width], f"line {y} after {after}"


async def test_nothing_old_is_left_on_the_screen(scene_path: Callable[[Scene], Path]) -> None:
    scene, terminal = Scene.INCIDENT, Terminal()
    clock = clock_of(scene)
    with at_work(scene), written_to(terminal):
        async with opened(Home(scene_path(scene)), size=(COLUMNS, LINES), clock=clock, scene=scene) as person:
            for view in "12346":
                for key in (view, *_KEYS):
                    await person.presses(key)
                    clock.advance(timedelta(seconds=47))
                    person.app._tick()
                    if key == "end":
                        person.app.look_now()
                    if key == "tab":
                        await person.presses("f9")
                    await person.settled()
                    assert_as_anew(terminal, person, f"{key!r} in view {view}")


async def test_nothing_old_is_left_when_the_window_gets_another_size(
    scene_path: Callable[[Scene], Path],
) -> None:
    scene, terminal = Scene.INCIDENT, Terminal()
    whole = COLUMNS, LINES
    with at_work(scene), written_to(terminal):
        async with opened(Home(scene_path(scene)), size=whole, scene=scene) as person:
            for view, small in product("12", ((100, LINES), (COLUMNS, LINES - 6), (80, LINES - 5))):
                await person.presses(view, "pagedown", "down")
                for compared in (small, whole):  # in turn, for what is compared is drawn anew
                    for size in (small, whole):
                        await person.pilot.resize_terminal(*size)
                        await person.settled()
                        if size == compared:
                            assert_as_anew(terminal, person, f"{small} and {size} in view {view}")


async def test_a_list_that_gets_shorter_leaves_nothing(scene_path: Callable[[Scene], Path]) -> None:
    scene, terminal = Scene.INCIDENT, Terminal()
    with at_work(scene), written_to(terminal):
        async with opened(Home(scene_path(scene)), size=(COLUMNS, LINES), scene=scene) as person:
            await person.presses("4", "end", "up", "slash")
            await person.types("ri")
            await person.presses("enter")
            assert_as_anew(terminal, person, "a filter")
            await person.presses("escape")
            assert_as_anew(terminal, person, "none")


async def test_what_another_program_wrote_is_wiped_away(scene_path: Callable[[Scene], Path]) -> None:
    scene, terminal = Scene.INCIDENT, Terminal()
    with at_work(scene), written_to(terminal):
        async with opened(Home(scene_path(scene)), size=(COLUMNS, LINES), scene=scene) as person:
            terminal.feed(b"\x1b[12;1HBroadcast message")
            await person.presses("r")
            assert_as_anew(terminal, person, "r")
