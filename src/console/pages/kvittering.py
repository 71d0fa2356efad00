"""One uafklaret kvittering: what is known of it, and what to do."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from console.danish import day_and_clock, one_line
from console.pages.form import note_form
from console.pages.sheet_page import SheetPage
from console.widgets.spans import BLANK, Line, fact, heading, line

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.kvitteringer import KvitteringLine
    from engine.desk.office import Visit


class KvitteringPage(SheetPage["KvitteringLine"]):
    """Its content stays sealed."""

    view = "overblik"
    ABOUT = (
        "En kvittering, der ikke passer til noget advis. Den sendes ikke videre. Er der gjort "
        "det, der kan gøres, så sig det med b."
    )
    HAS = ("behandlet", "kopier")

    def __init__(self, kvittering_id: int) -> None:
        super().__init__()
        self._number = kvittering_id

    def crumbs(self) -> str:
        return f"Overblik › Uafklaret kvittering {self._number}"

    def fetch(self, visit: "Visit", desk: "Desk") -> "KvitteringLine":
        from engine.desk.kvitteringer import show_kvittering

        return show_kvittering(visit.conn, self._number, only=visit.only)

    def lines(self, data: "KvitteringLine", now: datetime) -> Sequence[Line]:
        from engine.desk.kvitteringer import what_to_do

        lines = [
            line((one_line(data.reason or "Uafklaret kvittering"), "strong")),
            BLANK,
            fact("Modtaget", day_and_clock(data.received_at, now)),
            fact("Kommune", data.kommune_name),
            fact("System", data.sender or data.system_uuid or "ikke oplyst"),
            fact("Leverandør", " ".join(filter(None, (data.vendor, data.vendor_email))) or None),
            fact("Svarer", data.code.value),
            fact("Kvitterer for", data.response_identifier),
            BLANK,
            heading("Hvad der skal gøres"),
            line(what_to_do(data)),
        ]
        if data.handled_at is not None:
            told = (
                f"Behandlet af {data.handled_by}, {day_and_clock(data.handled_at, now)}: {data.handled_note}"
            )
            lines += [BLANK, line((told, "ok"))]
        return lines

    def do_behandlet(self) -> None:
        key = f"uafklaret:{self._number}"

        def work(act: Any, desk: Any, note: str) -> Any:
            from engine.desk.todo import mark_handled

            return mark_handled(act, desk.settings, key, note)

        form = note_form(f"{self.crumbs()} › Behandlet", "overblik", "Noten", work, lambda _: "Behandlet.")
        self.console_app.open(form)
