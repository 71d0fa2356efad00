"""The lines around every page: how the whole is, the views, where one is, and the keys."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from console.actions import ACTIONS, VIEW_NEEDS, VIEWS
from console.model import Need, banner, status_spans, why_not
from console.widgets.spans import Cell, strip_of, width_of

if TYPE_CHECKING:
    from console.app import ConsoleApp
    from console.pages.page import Page


class Bar(Widget):
    """One line that draws itself."""

    DEFAULT_CSS = "Bar { height: 1; }"

    @property
    def console_app(self) -> "ConsoleApp":
        from console.app import ConsoleApp

        assert isinstance(self.app, ConsoleApp)
        return self.app

    @property
    def page(self) -> "Page[object]":
        from console.pages.page import Page

        assert isinstance(self.screen, Page)
        return self.screen

    def spans(self) -> Sequence[Cell]:
        raise NotImplementedError

    ground = "bar"

    def render_line(self, y: int) -> Strip:
        return strip_of(self.spans() if y == 0 else (), self.size.width, self.app.theme, self.ground)


class StatusBar(Bar):
    """VANS, Beskedfordeler, mail and engine; what waits, what is late; how old the picture is."""

    def spans(self) -> Sequence[Cell]:
        app = self.console_app
        return status_spans(app.state, app.clock.now(), app.mono(), self.size.width)


class Banner(Bar):
    """An open incident; the line is there only while there is one."""

    ground = "alarm_ground"
    DEFAULT_CSS = "Banner { display: none; } Banner.-shown { display: block; }"

    def spans(self) -> Sequence[Cell]:
        return [(f" {banner(self.console_app.state) or ''}", "")]

    def on_click(self) -> None:
        self.console_app.go("haendelser")


class Tabs(Bar):
    """The views with their keys; what the caller may not see is dimmed."""

    def spans(self) -> Sequence[Cell]:
        spans, current, room = [], self.page.view, self.size.width
        names = next((names for names in _NAMES if _width_of_tabs(names, current) <= room), _NAMES[-1])
        after = "" if names is _NAMES[-1] else " "
        for number, (view, name) in enumerate(VIEWS.items(), start=1):
            shown = name if view == current else names[view]
            off = why_not(VIEW_NEEDS.get(view, Need.NOTHING), self.console_app.state.caller)
            tone = "strong" if view == current else "dim" if off and self.console_app.state.caller else ""
            text = f"[{number} {shown}]" if view == current else f" {number} {shown}{after}"
            spans.append((text, tone))
        return spans

    def on_click(self, event: events.Click) -> None:
        at = 0
        for view, (text, _) in zip(VIEWS, self.spans(), strict=True):
            if at <= event.x < at + cell_len(text):
                self.console_app.go(view)
            at += cell_len(text)


_SHORT = {
    "overblik": "Overbl",
    "adviser": "Advis",
    "kvitteringer": "Kvitt",
    "kommuner": "Komm",
    "skabelon": "Skab",
    "haendelser": "Hænd",
    "fejlsoegning": "Fejls",
    "log": "Log",
}
_NAMES = (VIEWS, _SHORT, {view: name[:3] for view, name in _SHORT.items()})


def _width_of_tabs(names: "dict[str, str] | object", current: str) -> int:
    assert isinstance(names, dict)
    return sum(4 + len(VIEWS[view] if view == current else names[view]) for view in VIEWS)


class Crumbs(Bar):
    """Where one is, and what the list is narrowed to."""

    ground = "ground"

    def spans(self) -> Sequence[Cell]:
        left: list[Cell] = [(f" {self.page.crumbs()}", "strong")]
        right = list(self.page.chips())
        gap = self.size.width - width_of(left) - width_of(right) - 1
        if gap < 1:
            right, gap = right[-1:], max(1, self.size.width - width_of(left) - width_of(right[-1:]) - 1)
        return [*left, (" " * gap, ""), *right]


class KeyBar(Bar):
    """The page's keys, the most useful first; what is off is dimmed, and pressing it says why."""

    def spans(self) -> Sequence[Cell]:
        return [cell for _, cells in self._entries() for cell in cells]

    def _entries(self) -> list[tuple[str | None, list[Cell]]]:
        always = [self._entry("hjaelp"), self._entry("kommando"), self._entry("tilbage")]
        room = self.size.width - sum(width_of(cells) for _, cells in always)
        entries: list[tuple[str | None, list[Cell]]] = []
        for id_ in self.page.keys_shown():
            entry = self._entry(id_)
            size = width_of(entry[1])
            if size > room:
                break
            room -= size
            entries.append(entry)
        return [*entries, (None, [(" " * max(0, room), "")]), *always]

    def _entry(self, id_: str) -> tuple[str, list[Cell]]:
        action = ACTIONS[id_]
        off = self.page.why_off(action) is not None
        label = self.page.label_of(action)
        return id_, [(f" {action.shown}", "dim" if off else "accent"), (f" {label} ", "dim" if off else "")]

    def on_click(self, event: events.Click) -> None:
        at = 0
        for id_, cells in self._entries():
            size = width_of(cells)
            if id_ is not None and at <= event.x < at + size:
                self.page.action_do(id_)
            at += size
