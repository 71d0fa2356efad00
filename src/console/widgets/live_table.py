"""A table of any length over live data: only visible lines are drawn, and the cursor belongs to a row, not to a line.

Measured against Textual's DataTable, which repaints all of itself for each change: see docs/konsol.md.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from console.danish import printable
from console.widgets.spans import Cell, fit, strip_of

RowT = TypeVar("RowT")
SeenT_co = TypeVar("SeenT_co", covariant=True)
Key = Hashable

_GAP = 1
_HEADER = 1


class Rows(Protocol[SeenT_co]):
    """What a table shows. A row that is not at hand yet is None; its key is known all the same."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> SeenT_co | None: ...

    def key_at(self, index: int) -> Key: ...

    def index_of(self, key: Key) -> int | None: ...


class ListRows(Generic[RowT]):
    """Rows that are all at hand."""

    def __init__(self, rows: Iterable[RowT], key: Callable[[RowT], Key]) -> None:
        self._rows = list(rows)
        self._key = key
        self._places: dict[Key, int] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> RowT:
        return self._rows[index]

    def key_at(self, index: int) -> Key:
        return self._key(self._rows[index])

    def index_of(self, key: Key) -> int | None:
        if self._places is None:
            self._places = {self._key(row): place for place, row in enumerate(self._rows)}
        return self._places.get(key)


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """One column. `share` is what it takes of spare room; where there is too little, the highest `yields` go first."""

    title: str
    cell: Callable[[RowT], Cell]
    width: int
    share: int = 0
    yields: int = 0
    right: bool = False
    sort: str | None = None  # a click on the title sorts by this


class LiveTable(ScrollView, Generic[RowT], can_focus=True):
    """Keys move the cursor; Enter and a double click open its row."""

    DEFAULT_CSS = """
    LiveTable { height: 1fr; scrollbar-size: 1 1; overflow-x: hidden; overflow-y: scroll; }
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

    cursor: reactive[int] = reactive(0, repaint=False)

    class Opened(Message):
        """A row was opened."""

        def __init__(self, table: "LiveTable[Any]", row: Any) -> None:
            super().__init__()
            self.table = table
            self.row = row

        @property
        def control(self) -> "LiveTable[Any]":
            return self.table

    class Moved(Message):
        """The cursor is on another row, the row under it has changed, or other rows are seen."""

        def __init__(self, table: "LiveTable[Any]") -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> "LiveTable[Any]":
            return self.table

    class SortAsked(Message):
        """The title of a column that sorts was clicked."""

        def __init__(self, table: "LiveTable[Any]", sort: str) -> None:
            super().__init__()
            self.table = table
            self.sort = sort

        @property
        def control(self) -> "LiveTable[Any]":
            return self.table

    def __init__(self, columns: Sequence[Column[RowT]], *, empty: str = "", id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._columns = columns
        self._rows: Rows[RowT] = ListRows([], lambda row: row)
        self._key: Key | None = None  # of the row under the cursor
        self._widths: list[int] = []
        self.empty = empty  # said where there are no rows
        self._tells = False  # that the cursor has moved
        self._is_filled = False  # nothing is empty before anybody has looked
        self.sorted_by: tuple[str, bool] | None = None  # shown in the header

    # --- what is shown ------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> Rows[RowT]:
        return self._rows

    @property
    def row(self) -> RowT | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if 0 <= self.cursor < len(self._rows) else None

    @property
    def is_at_top(self) -> bool:
        return self.cursor == 0

    def show(self, rows: Rows[RowT]) -> None:
        """Other rows. The cursor and what is seen stay where they were; on the first row the cursor stays first."""
        old = self.cursor
        moved = None if self._key is None or old == 0 else rows.index_of(self._key)
        self._rows = rows
        self._is_filled = True
        self._resize()
        cursor = max(0, min(len(rows) - 1, old if moved is None else moved))
        if moved is not None and moved != old:
            self.scroll_to(y=self.scroll_offset.y + moved - old, animate=False, force=True, immediate=True)
        self.set_reactive(LiveTable.cursor, cursor)
        self._remember()
        self._bring_into_view()
        self.refresh()
        self._tell_moved()

    def show_list(self, rows: Iterable[RowT], key: Callable[[RowT], Key]) -> None:
        """Other rows that are all at hand."""
        found: Rows[RowT] = ListRows[RowT](rows, key)
        self.show(found)

    def start_over(self) -> None:
        """What is shown next is another list: the cursor begins at its top."""
        self._key = None
        self.set_reactive(LiveTable.cursor, 0)
        self.scroll_to(y=0, animate=False, force=True, immediate=True)

    def _remember(self) -> None:
        self._key = self._rows.key_at(self.cursor) if 0 <= self.cursor < len(self._rows) else None

    def go_to(self, key: Key) -> bool:
        """Put the cursor on a row, where it is there."""
        index = self._rows.index_of(key)
        if index is None:
            return False
        self.cursor = index
        return True

    def tick(self) -> None:
        """Time has passed: what is visible is drawn anew."""
        self.refresh(Region(0, _HEADER, self.size.width, max(0, self.size.height - _HEADER)))

    def places_seen(self, beside: int = 0) -> range:
        """The places of the rows that are seen, and of so many more on either side."""
        top, height = self.scroll_offset.y, max(1, self.size.height - _HEADER)
        return range(max(0, top - beside), min(len(self._rows), top + height + beside))

    def set_columns(self, columns: Sequence[Column[RowT]]) -> None:
        self._columns = columns
        self._lay_out()
        self.refresh()

    # --- moving -------------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        self._go(self.cursor + by * max(1, self.size.height - _HEADER - 1))

    def action_to_end(self, last: bool) -> None:
        self._go(len(self._rows) - 1 if last else 0)

    def action_open(self) -> None:
        row = self.row
        if row is not None:
            self.post_message(self.Opened(self, row))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._tell_moved()

    def _tell_moved(self) -> None:
        """Once for a key that moves both the cursor and what is seen."""
        if not self._tells:
            self._tells = self.post_message(self.Moved(self))

    def on_live_table_moved(self) -> None:
        self._tells = False

    def _go(self, to: int) -> None:
        self.cursor = max(0, min(len(self._rows) - 1, to))

    def watch_cursor(self, old: int, new: int) -> None:
        self._remember()
        top = self.scroll_offset.y
        self._bring_into_view()
        if self.scroll_offset.y == top:
            for index in (old, new):
                self.refresh(Region(0, _HEADER + index - top, self.size.width, 1))
        self._tell_moved()

    def _bring_into_view(self) -> None:
        height = max(1, self.size.height - _HEADER)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True, immediate=True)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            self._sort_at(offset.x)
            return
        index = self.scroll_offset.y + offset.y - _HEADER
        if index < len(self._rows):
            self.cursor = index
            if event.chain == 2:
                self.action_open()

    def _sort_at(self, x: int) -> None:
        at = 0
        for column, width in zip(self._columns, self._widths, strict=True):
            if width and at <= x < at + width + _GAP and column.sort:
                self.post_message(self.SortAsked(self, column.sort))
            at += width + _GAP if width else 0

    # --- drawing ------------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self._lay_out()
        self._resize()
        self._bring_into_view()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()

    def _resize(self) -> None:
        width = max(0, self.scrollable_content_region.width)
        self.virtual_size = Size(width, len(self._rows) + _HEADER)

    def _lay_out(self) -> None:
        """Give each column its width; those that yield first get none where the room is too small."""
        room = self.scrollable_content_region.width
        shown = list(self._columns)
        while len(shown) > 1 and sum(column.width + _GAP for column in shown) - _GAP > room:
            last = max(shown, key=lambda column: column.yields)
            if last.yields == 0:
                break
            shown.remove(last)
        spare = max(0, room - sum(column.width + _GAP for column in shown) + _GAP)
        shares = sum(column.share for column in shown)
        widths, given = [], 0
        for column in self._columns:
            if column not in shown:
                widths.append(0)
                continue
            extra = spare * column.share // shares if shares else 0
            given += extra
            widths.append(column.width + extra)
        if shares and given < spare:
            first = next(
                place for place, column in enumerate(self._columns) if column in shown and column.share
            )
            widths[first] += spare - given
        self._widths = widths

    def render_line(self, y: int) -> Strip:
        width, theme = self.size.width, self.app.theme
        if not self._widths:
            self._lay_out()
        if y == 0:
            return strip_of([(self._header(), "dim")], width, theme, "bar")
        top = self.scroll_offset.y
        index = top + y - _HEADER
        if index >= len(self._rows):
            told = self.empty if self._is_filled else "Henter …"
            text = told if not len(self._rows) and y == _HEADER + 1 else ""
            return strip_of([("  " + text, "dim")], width, theme)
        ground = "ground"
        if index == self.cursor:
            ground = "cursor" if self.has_focus else "cursor_away"
        row = self._rows[index]
        if row is None:
            return strip_of([("…", "dim")], width, theme, ground)
        spans: list[Cell] = []
        for column, size in zip(self._columns, self._widths, strict=True):
            if size:
                text, tone = column.cell(row)
                spans.append((fit(printable(text), size, right=column.right) + " " * _GAP, tone))
        return strip_of(spans, width, theme, ground)

    def _header(self) -> str:
        titles = []
        for column, size in zip(self._columns, self._widths, strict=True):
            if size:
                title = column.title
                if self.sorted_by and column.sort == self.sorted_by[0]:
                    title += " ↓" if self.sorted_by[1] else " ↑"
                titles.append(fit(title, size, right=column.right))
        return (" " * _GAP).join(titles)
