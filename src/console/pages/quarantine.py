"""One delivery in quarantine: why it is there; handed in again or discarded."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from console.danish import day_and_clock, one_line
from console.model import Need
from console.pages.form import note_form
from console.pages.sheet_page import SheetPage
from console.widgets.spans import BLANK, Line, fact, line

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.office import Visit
    from engine.desk.quarantine import Quarantined


class QuarantinePage(SheetPage["Quarantined"]):
    """Its content is personal and never shown."""

    view = "overblik"
    NEED: ClassVar[Need] = Need.READ_ALL
    ABOUT = (
        "Noget, der ikke kunne tages imod. Indholdet vises ikke, for det kan være personligt. "
        "Er fejlen rettet, kan det "
        "prøves igen; ellers kasseres det med en begrundelse."
    )
    HAS = ("karantaene.proev", "karantaene.kasser", "kopier")

    def __init__(self, quarantine_id: int) -> None:
        super().__init__()
        self._number = quarantine_id

    def crumbs(self) -> str:
        return f"Overblik › Karantæne {self._number}"

    def fetch(self, visit: "Visit", desk: "Desk") -> "Quarantined":
        from engine.desk.quarantine import show_quarantined

        return show_quarantined(visit.conn, self._number)

    def lines(self, data: "Quarantined", now: datetime) -> Sequence[Line]:
        lines = [
            line((data.reason.danish, "strong")),
            line(one_line(data.detail)),
            BLANK,
            fact("Kom ind ad", data.channel),
            fact("Fil", data.name),
            fact("Afsender", data.sender or "kan ikke læses"),
            fact("Sat til side", day_and_clock(data.quarantined_at, now)),
        ]
        if data.decision is not None:
            told = f"{data.decision.danish} af {data.decided_by}, {day_and_clock(data.decided_at, now)}"
            lines += [fact("Afgjort", told, "ok"), fact("Begrundelse", data.decision_reason)]
        return lines

    def off(self, action: Any) -> str | None:
        if action.id.startswith("karantaene.") and self.data is not None and self.data.decision is not None:
            return f"Det er allerede {self.data.decision.danish}."
        return None

    def do_proev(self) -> None:
        number = self._number

        def work(act: Any, desk: Any, reason: str) -> "Quarantined":
            from engine.desk.quarantine import retry_quarantined, show_quarantined

            retry_quarantined(act, desk.home, desk.settings, desk.office.box(), number, reason)
            return show_quarantined(act.conn, number)

        self._ask("Prøv igen", work, "Det er lagt ind igen og bliver prøvet.", needed=False)

    def do_kasser(self) -> None:
        number = self._number

        def work(act: Any, desk: Any, reason: str) -> "Quarantined":
            from engine.desk.quarantine import discard_quarantined

            return discard_quarantined(act, number, reason)

        self._ask("Kassér", work, "Det er kasseret.", needed=True)

    def _ask(self, title: str, work: Any, done: str, *, needed: bool) -> None:
        def clear(item: "Quarantined") -> None:
            async def remove() -> None:
                from engine.desk.quarantine import clear_file

                await self.console_app.link.run(lambda desk: clear_file(desk.home, item))

            self.console_app.work(remove())

        form = note_form(
            f"{self.crumbs()} › {title}",
            "overblik",
            "Begrundelsen",
            work,
            lambda _: done,
            needed=needed,
            after=clear,
        )
        self.console_app.open(form)
