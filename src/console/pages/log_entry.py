"""One line of a log in full."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from console.pages.sheet_page import SheetPage
from console.widgets.spans import Line

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.office import Visit


class LogEntryPage(SheetPage[Sequence[Line]]):
    """Read only."""

    view = "log"
    ABOUT = "Linjen i fuld længde."
    HAS = ("kopier",)

    def __init__(self, told: Sequence[Line]) -> None:
        super().__init__()
        self._told = told

    def crumbs(self) -> str:
        return "Log › Linje"

    def fetch(self, visit: "Visit", desk: "Desk") -> Sequence[Line]:
        return self._told

    def lines(self, data: Sequence[Line], now: datetime) -> Sequence[Line]:
        return data
