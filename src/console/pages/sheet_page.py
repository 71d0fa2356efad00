"""A page of text about one thing: read, copied, taken along as a file."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from textual import on
from textual.widget import Widget

from console.pages.page import Page
from console.widgets.sheet import Sheet
from console.widgets.spans import Line, line

if TYPE_CHECKING:
    from datetime import datetime

D = TypeVar("D")


class SheetPage(Page[D], Generic[D]):
    """`lines` tells what was read."""

    data: D | None = None

    def __init__(self, *, view: str | None = None) -> None:
        super().__init__()
        if view is not None:
            self.view = view

    def lines(self, data: D, now: "datetime") -> Sequence[Line]:
        raise NotImplementedError

    def follow(self, link: str) -> None:
        """A line that leads somewhere was opened."""

    def content(self) -> Iterable[Widget]:
        yield Sheet([line(("Henter …", "dim"))], id="sheet")

    @property
    def sheet(self) -> Sheet:
        return self.query_one("#sheet", Sheet)

    def on_mount(self) -> None:
        self.sheet.focus()

    def show(self, data: D) -> None:
        self.data = data
        self.draw()

    def draw(self) -> None:
        if self.data is not None:
            self.sheet.show(self.lines(self.data, self.console_app.clock.now()))
        self.refresh_where()

    def tick(self) -> None:
        self.draw()

    @on(Sheet.Opened, "#sheet")
    def _opened(self, event: Sheet.Opened) -> None:
        self.follow(event.link)

    def do_kopier(self) -> None:
        self.console_app.copy(self.sheet.text, "siden")

    def file_name(self) -> str:
        return "side.txt"

    def do_eksporter(self) -> None:
        self.console_app.save(self.file_name(), (self.sheet.text + "\n").encode())
