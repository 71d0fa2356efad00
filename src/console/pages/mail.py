"""One mail as it was written, and what became of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from console.danish import day_and_clock, one_line
from console.pages.sheet_page import SheetPage
from console.widgets.spans import BLANK, Line, fact, line

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.mails import Mail
    from engine.desk.office import Visit


class MailPage(SheetPage["Mail"]):
    """Read only; sending again is a command."""

    ABOUT = "Mailen, som den er skrevet, med hvem den er til, og om den er sendt."
    HAS = ("kopier", "eksporter")

    def __init__(self, mail_id: int, *, view: str = "kvitteringer") -> None:
        super().__init__(view=view)
        self._number = mail_id

    def crumbs(self) -> str:
        return f"Mail {self._number}"

    def fetch(self, visit: "Visit", desk: "Desk") -> "Mail":
        from engine.desk.mails import show_mail

        return show_mail(visit.conn, self._number, only=visit.only)

    def lines(self, data: "Mail", now: datetime) -> Sequence[Line]:
        head = data.line
        at = head.sent_at or head.refused_at or head.next_at or head.ordered_at
        return [
            line((one_line(head.subject), "strong")),
            fact("Til", head.address),
            fact("Om", head.kind.danish),
            fact(
                "Tilstand",
                f"{head.state.danish}, {day_and_clock(at, now)}",
                "alarm" if head.refused_at else "",
            ),
            *([fact("Fejl", one_line(head.last_error), "alarm")] if head.last_error else []),
            BLANK,
            *(line(part) for part in data.text.split("\n")),
        ]

    def file_name(self) -> str:
        return f"mail-{self._number}.txt"
