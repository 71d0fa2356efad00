"""The message of one advis: with the citizen masked; or in full, for a reason that is kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from console.link import Door
from console.model import Need
from console.pages.form import FormPage, note_form
from console.pages.sheet_page import SheetPage
from console.widgets.spans import BLANK, Line, line

if TYPE_CHECKING:
    from console.app import ConsoleApp
    from console.link import Desk
    from engine.desk.message import Message
    from engine.desk.office import Visit


class MessagePage(SheetPage["Message"]):
    """Read only."""

    ABOUT = "Beskeden, som sygehuset sendte den, sat op til at læse. Personoplysninger er skjult med •••."
    HAS = ("kopier",)
    NEED: ClassVar[Need] = Need.READ_ALL

    def __init__(self, advis_id: int, full: "Message | None" = None) -> None:
        super().__init__(view="adviser")
        self._number = advis_id
        self._full = full

    def crumbs(self) -> str:
        return f"Adviser › {self._number} › {'Hele beskeden' if self._full else 'Besked, skjulte personoplysninger'}"

    def fetch(self, visit: "Visit", desk: "Desk") -> "Message":
        if self._full is not None:
            return self._full
        if self.data is not None:
            return self.data
        from engine.desk.look_up import show_advis
        from engine.desk.message import masked_message

        show_advis(visit.conn, str(self._number), only=visit.only)
        return masked_message(visit.conn, desk.office.box(), self._number)

    def lines(self, data: "Message", now: datetime) -> Sequence[Line]:
        head = (
            "◆ Personoplysninger vises. Opslaget er noteret."
            if not data.masked
            else "Personoplysninger er skjult med •••."
        )
        return [
            line((head, "warn" if not data.masked else "dim")),
            line((data.media_type, "dim")),
            BLANK,
            *(line(*_coloured(text), indent=4) for text in data.text.split("\n")),
        ]

    def do_kopier(self) -> None:
        if self.data is None:
            return
        if not self.data.masked:
            self.console_app.say(
                "Beskeden med personoplysninger kan ikke kopieres; udklipsholderen er fælles.", "warn"
            )
            return
        self.console_app.copy(self.data.text, "beskeden")


def _coloured(text: str) -> "list[Any]":
    """Tags and names stand back; what is between them is what one reads."""
    parts, rest = [], text
    while "<" in rest:
        before, _, after = rest.partition("<")
        inside, closes, rest = after.partition(">")
        parts += [(before, "strong"), (f"<{inside}{closes}", "dim")]
    return [*parts, (rest, "")]


def reason_form(app: "ConsoleApp", advis_id: int) -> FormPage[Any]:
    """Why somebody has to see who the citizen is."""

    def work(act: Any, desk: Any, reason: str) -> "Message":
        from engine.desk.message import full_message

        return full_message(act, desk.office.box(), advis_id, reason)

    return note_form(
        f"Adviser › {advis_id} › Hele beskeden",
        "adviser",
        "Begrundelsen",
        work,
        lambda _: "Opslaget er noteret i revisionsloggen.",
        intro=[
            line(("Du er ved at se en borgers oplysninger.", "warn")),
            line("Skriv hvorfor. Begrundelsen, dit navn og tidspunktet noteres i revisionsloggen."),
        ],
        door=Door.SERVING,
        after=lambda message: app.open(MessagePage(advis_id, message)),
        save="vis",
    )
