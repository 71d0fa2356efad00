"""A page with one long list: its filter, its order, and on wide screens what is known of the row under the cursor."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from console.danish import number
from console.filters import FilterError, Term, shown, terms
from console.pages.page import Page
from console.widgets.live_table import Column, LiveTable
from console.widgets.sheet import Sheet
from console.widgets.spans import Cell, Line
from console.widgets.text_line import TextLine

D = TypeVar("D")
RowT = TypeVar("RowT")


class FilterLine(TextLine):
    """Where a filter is typed; Enter keeps it, Esc takes it away."""

    DEFAULT_CSS = "FilterLine { display: none; dock: bottom; } FilterLine.-open { display: block; }"


class ListPage(Page[D], Generic[D, RowT]):
    """`columns`, `beside` and `names` are the list's own."""

    FILTERS: ClassVar[Sequence[str]] = ()  # the names that its filter knows
    EMPTY: ClassVar[str] = "Her er intet."

    terms: tuple[Term, ...] = ()
    total = 0  # rows there are, also where not all pass the filter

    def columns(self) -> Sequence[Column[RowT]]:
        raise NotImplementedError

    def beside(self, row: RowT) -> Sequence[Line]:
        """What is known of one row."""
        return ()

    def opened(self, row: RowT) -> None:
        """A row was opened."""

    def filtered(self) -> None:
        """The filter is another one."""
        self.console_app.look_now()

    def content(self) -> Iterable[Widget]:
        with Horizontal():
            yield LiveTable(self.columns(), empty=self.EMPTY, id="list")
            yield Sheet(id="beside")
        yield FilterLine(placeholder=self._placeholder(), id="filter")

    @property
    def table(self) -> LiveTable[RowT]:
        return self.query_one("#list", LiveTable)

    def chips(self) -> Iterable[Cell]:
        if self.terms:
            yield f" / {shown(self.terms)} ", "accent"
            yield f" {number(len(self.table.rows))} af {number(self.total)}", "strong"
        else:
            yield number(self.total), "dim"

    def on_mount(self) -> None:
        self.table.focus()

    @on(LiveTable.Moved)
    def _moved(self) -> None:
        self.moved()  # Textual would call this very method, whatever a page has put in its place

    def moved(self) -> None:
        """The cursor is elsewhere, or what is seen has changed."""
        pane = self.query_one("#beside", Sheet)
        if pane.display:
            row = self.table.row
            pane.show(() if row is None else self.beside(row))
        self.refresh_where()

    def on_resize(self) -> None:
        self.call_after_refresh(self.moved)

    @on(LiveTable.Opened)
    def _opened(self, event: "LiveTable.Opened") -> None:
        self.opened(event.row)

    # --- the filter ---------------------------------------------------------------------------------------------------

    def _placeholder(self) -> str:
        named = " ".join(f"{name}:…" for name in self.FILTERS)
        return f"Ord, eller {named}   ! betyder ikke" if named else "Ord, der skal stå i rækken"

    @property
    def _line(self) -> FilterLine:
        return self.query_one("#filter", FilterLine)

    def do_filter(self) -> None:
        self._line.add_class("-open")
        self._line.value = shown(self.terms)
        self._line.focus()

    @on(Input.Submitted, "#filter")
    def _submitted(self, event: Input.Submitted) -> None:
        try:
            found = terms(event.value, self.FILTERS)
            self.check_terms(found)
        except FilterError as error:
            self.console_app.say(str(error), "warn")
            return
        self._close_filter()
        self.narrow(found)

    def check_terms(self, found: Sequence[Term]) -> None:
        """FilterError where a value means nothing."""

    def narrow(self, found: tuple[Term, ...]) -> None:
        """Show only what passes; nothing shows all."""
        self.terms = found
        self.filtered()
        self.refresh_where()

    def _close_filter(self) -> None:
        self._line.remove_class("-open")
        self.table.focus()

    def do_tilbage(self) -> None:
        if self._line.has_class("-open"):
            self._close_filter()
        elif self.terms:
            self.narrow(())
        else:
            super().do_tilbage()

    def do_kopier(self) -> None:
        row = self.table.row
        if row is not None:
            self.console_app.copy(self.copied(row), "rækken")

    def copied(self, row: RowT) -> str:
        """What is copied of a row."""
        return "  ".join(column.cell(row)[0] for column in self.columns())

    def do_eksporter(self) -> None:
        """The list as it is shown, for a spreadsheet."""

        async def export() -> None:
            columns = self.columns()
            lines = [";".join(column.title for column in columns)]
            rows = await self.rows_to_export(_MOST_EXPORTED)
            lines += (";".join(_quoted(column.cell(row)[0]) for column in columns) for row in rows)
            self.console_app.save(f"{self.view}.csv", ("\ufeff" + "\r\n".join(lines) + "\r\n").encode())

        self.console_app.work(export())

    async def rows_to_export(self, most: int) -> Sequence[RowT]:
        """The first `most` rows, also those that are not at hand."""
        rows = self.table.rows
        found = (rows[index] for index in range(min(len(rows), most)))
        return [row for row in found if row is not None]


_MOST_EXPORTED = 100_000


def _quoted(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    safe = f"'{text}" if text[:1] in {"=", "+", "@", "\t", "\r"} else text
    return '"' + safe.replace('"', '""') + '"' if any(char in safe for char in ';"\n') else safe


ListPageAny = ListPage[Any, Any]
