"""A point of Kræver handling that has no page of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from console.pages.overview import todo_lines
from console.pages.sheet_page import SheetPage
from console.widgets.spans import Line

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.office import Visit
    from engine.desk.todo import TodoItem


class TodoItemPage(SheetPage["TodoItem"]):
    """Read only."""

    view = "overblik"
    ABOUT = "Hvad det er, hvem der skal ringes til, og hvad der skal siges."
    HAS = ("kopier",)

    def __init__(self, item: "TodoItem") -> None:
        super().__init__()
        self._todo = item

    def crumbs(self) -> str:
        return "Overblik › Kræver handling"

    def fetch(self, visit: "Visit", desk: "Desk") -> "TodoItem":
        return self._todo

    def lines(self, data: "TodoItem", now: datetime) -> Sequence[Line]:
        return todo_lines(data, now)
