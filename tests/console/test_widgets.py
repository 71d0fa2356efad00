"""Tables and sheets alone: what they tell, what they scroll, and when the screen is laid out anew."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget

from console.theme import NIGHT, themes
from console.widgets.live_table import Column, LiveTable
from console.widgets.sheet import Figure, Sheet
from console.widgets.spans import Line, line

_SIZE = 40, 10


class Alone(App[None]):
    """One widget, and how often it was told that the cursor moved."""

    CSS = "Figure { height: auto; }"

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self._widget = widget
        self.moves = 0
        self.layouts = 0
        for theme in themes():
            self.register_theme(theme)
        self.theme = NIGHT

    def compose(self) -> ComposeResult:
        yield self._widget

    def on_mount(self) -> None:
        self.screen.screen_layout_refresh_signal.subscribe(self, self._laid_out)

    def _laid_out(self, _: object) -> None:
        self.layouts += 1

    def on_live_table_moved(self) -> None:
        self.moves += 1


@asynccontextmanager
async def alone(widget: Widget) -> AsyncIterator[tuple[Alone, Pilot[None]]]:
    app = Alone(widget)
    async with app.run_test(size=_SIZE) as pilot:
        await pilot.pause()
        yield app, pilot


def numbered(count: int) -> list[Line]:
    return [line(f"linje {number}") for number in range(count)]


async def test_a_key_that_scrolls_is_told_of_once() -> None:
    column: Column[int] = Column("nr.", lambda row: (str(row), ""), 8)
    table: LiveTable[int] = LiveTable([column])
    async with alone(table) as (app, pilot):
        table.show_list(range(100), lambda row: row)
        await pilot.pause()
        told, laid_out = app.moves, app.layouts
        for key in ("pagedown", "down", "pagedown"):
            await pilot.press(key)
        assert table.scroll_offset.y > 0
        assert (app.moves - told, app.layouts - laid_out) == (3, 0)


async def test_a_sheet_with_room_for_all_lays_nothing_out() -> None:
    sheet = Sheet(numbered(3))
    async with alone(sheet) as (app, pilot):
        laid_out = app.layouts
        sheet.show(numbered(5))
        await pilot.pause()
        assert (sheet.virtual_size.height, app.layouts) == (5, laid_out)


async def test_a_sheet_that_gets_longer_than_its_room_scrolls() -> None:
    sheet = Sheet(numbered(3))
    async with alone(sheet) as (_, pilot):
        sheet.show(numbered(30))
        await pilot.press("end")
        assert sheet.show_vertical_scrollbar
        assert sheet.scroll_offset.y == 30 - _SIZE[1]


async def test_a_sheet_that_gets_shorter_shows_its_beginning() -> None:
    sheet = Sheet(numbered(30))
    async with alone(sheet) as (_, pilot):
        await pilot.press("end")
        sheet.show(numbered(3))
        await pilot.pause()
        assert not sheet.show_vertical_scrollbar
        assert (sheet.scroll_offset.y, sheet.render_line(0).text.strip()) == (0, "linje 0")


async def test_a_figure_is_as_high_as_what_it_says() -> None:
    figure = Figure(numbered(2))
    async with alone(figure) as (_, pilot):
        for high in (4, 3):
            figure.show(numbered(high))
            await pilot.pause()
            assert figure.size.height == high
