"""Toned text that is read: it wraps, scrolls, and has lines that Enter opens."""

from collections.abc import Sequence

from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.widgets.spans import Cell, Line, strip_of, wrapped


class Sheet(ScrollView, can_focus=True):
    """Lines that wrap to its width. Where some are links, the keys move from link to link; else they scroll."""

    DEFAULT_CSS = """
    Sheet { height: 1fr; padding: 0 1; scrollbar-size: 1 1; overflow-x: hidden; overflow-y: auto; }
    """
    BINDINGS = [  # noqa: RUF012 - Textual's own way to say it
        Binding("up,k", "move(-1)", "op", show=False),
        Binding("down,j", "move(1)", "ned", show=False),
        Binding("pageup", "page(-1)", "side op", show=False),
        Binding("pagedown", "page(1)", "side ned", show=False),
        Binding("home,g", "to_end(False)", "først", show=False),
        Binding("end,G", "to_end(True)", "sidst", show=False),
        Binding("enter", "open", "åbn", show=False),
    ]

    link: reactive[int] = reactive(0, repaint=False)  # which of the links the cursor is on

    class Opened(Message):
        """A line that leads somewhere was opened."""

        def __init__(self, sheet: "Sheet", link: str) -> None:
            super().__init__()
            self.sheet = sheet
            self.link = link

        @property
        def control(self) -> "Sheet":
            return self.sheet

    def __init__(self, lines: Sequence[Line] = (), *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._lines: Sequence[Line] = lines
        self._shown: list[tuple[list[Cell], int | None]] = []  # each drawn line, and the link it belongs to
        self._links: list[tuple[str, int]] = []  # each link, and the drawn line it begins on

    @property
    def text(self) -> str:
        """All of it as plain lines, to copy or to export."""
        return "\n".join("".join(text for text, _ in each.spans).rstrip() for each in self._lines)

    @property
    def opened(self) -> str | None:
        """The link under the cursor."""
        return self._links[self.link][0] if 0 <= self.link < len(self._links) else None

    def show(self, lines: Sequence[Line]) -> None:
        """Other lines; the cursor stays on its link where that is still there."""
        if lines == self._lines:
            return
        kept = self.opened
        self._lines = lines
        self._lay_out()
        names = [name for name, _ in self._links]
        place = names.index(kept) if kept in names else min(self.link, max(0, len(names) - 1))
        self.set_reactive(Sheet.link, place)
        self.refresh()

    def on_resize(self) -> None:
        self._lay_out()
        self.refresh()

    def _lay_out(self) -> None:
        width = self.content_region.width - 1  # without the scrollbar's place, also where there is none
        if width <= 0:
            return
        self._shown, self._links = [], []
        for each in self._lines:
            number = None
            if each.link is not None:
                number = len(self._links)
                self._links.append((each.link, len(self._shown)))
            self._shown += ((cells, number) for cells in wrapped(each, width))
        size, room = Size(width, len(self._shown)), self.content_region.height
        if not self.styles.is_auto_height and max(size.height, self.virtual_size.height) <= room:
            # Nothing to scroll, before or now: the screen need not be laid out anew.
            self.set_reactive(Sheet.virtual_size, size)
        else:
            self.virtual_size = size

    def action_move(self, by: int) -> None:
        if self._links and 0 <= self.link + by < len(self._links):
            self.link += by
        else:
            self.scroll_to(y=self.scroll_offset.y + by, animate=False, force=True, immediate=True)

    def action_page(self, by: int) -> None:
        self.scroll_to(
            y=self.scroll_offset.y + by * max(1, self.size.height - 1),
            animate=False,
            force=True,
            immediate=True,
        )

    def action_to_end(self, last: bool) -> None:
        if self._links:
            self.link = len(self._links) - 1 if last else 0
        self.scroll_to(y=len(self._shown) if last else 0, animate=False, force=True, immediate=True)

    def action_open(self) -> None:
        if self.opened is not None:
            self.post_message(self.Opened(self, self.opened))

    def watch_link(self) -> None:
        if self._links:
            at = self._links[self.link][1]
            top, height = self.scroll_offset.y, max(1, self.size.height)
            if at < top or at >= top + height:
                self.scroll_to(y=max(0, at - height // 2), animate=False, force=True, immediate=True)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        index = self.scroll_offset.y + offset.y
        if index < len(self._shown):
            number = self._shown[index][1]
            if number is not None:
                self.link = number
                if event.chain == 2:
                    self.action_open()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        index = self.scroll_offset.y + y
        width, theme = self.size.width, self.app.theme
        if index >= len(self._shown):
            return strip_of((), width, theme)
        cells, link = self._shown[index]
        ground = "ground"
        if link is not None and link == self.link:
            ground = "cursor" if self.has_focus else "cursor_away"
        return strip_of(cells, width, theme, ground)


class Figure(Sheet, can_focus=False):
    """A sheet that is only looked at."""


class Question(Sheet, inherit_bindings=False):
    """A sheet that ends in a question: letters are answers, and only the arrows move."""

    BINDINGS = [  # noqa: RUF012 - Textual's own way to say it
        Binding("up", "move(-1)", "op", show=False),
        Binding("down", "move(1)", "ned", show=False),
        Binding("pageup", "page(-1)", "side op", show=False),
        Binding("pagedown", "page(1)", "side ned", show=False),
    ]
