"""One case: what is missing, whom to call, which mails went out, and who has taken it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from console.danish import DEADLINE, countdown, day_and_clock, one_line, short_name
from console.pages.advis import event_line
from console.pages.form import FormPage, note_form
from console.pages.pending_list import case_lines
from console.pages.sheet_page import SheetPage
from console.widgets.spans import BLANK, Line, heading, line

if TYPE_CHECKING:
    from console.app import ConsoleApp
    from console.link import Desk
    from engine.desk.cases import Case, CaseLine
    from engine.desk.contacts import Contact
    from engine.desk.office import Visit


@dataclass(frozen=True, slots=True)
class CaseData:
    case: "Case"
    call: "Sequence[Contact]"


class CasePage(SheetPage[CaseData]):
    """Enter on an advis or a mail opens it."""

    ABOUT = (
        "Sagen: hvad der mangler, hvem der skal ringes til, hvilke mails der er sendt, og "
        "hvad der er gjort. Tag sagen med t, "
        "så kollegerne kan se, at den er i hånd; påmindelserne holder inde, til det bliver værre."
    )
    HAS = ("sag.tag", "sag.slip", "sag.note", "sag.mail", "kopier", "eksporter")

    def __init__(self, case_id: int, *, view: str = "kvitteringer") -> None:
        super().__init__(view=view)
        self._number = case_id

    def crumbs(self) -> str:
        if self.data is None:
            return f"Kvitteringer › Sag {self._number}"
        case = self.data.case.line
        return f"Kvitteringer › {short_name(case.kommune_name)} › Sag {case.id}"

    def fetch(self, visit: "Visit", desk: "Desk") -> CaseData:
        from engine.desk.cases import show_case
        from engine.desk.contacts import case_contacts

        case = show_case(visit.conn, self._number, only=visit.only)
        return CaseData(case, case_contacts(visit.conn, desk.settings, case.line))

    def lines(self, data: CaseData, now: datetime) -> Sequence[Line]:
        case, found = data.case.line, data.case
        lines = [line((case.what, "strong"), f" i {case.kommune_name}")]
        lines += case_lines(case, now)
        lines += [BLANK, heading("Ring til")]
        lines += [line(f"  {contact.shown}", indent=4) for contact in data.call]
        lines += [BLANK, heading(f"Mangler ({len(found.adviser)} vist)")]
        for each in found.adviser:
            text, tone = countdown(each.due_at, now, DEADLINE)
            lines.append(
                line(
                    (f"  {text}  ", tone),
                    f"advis {each.advis_id}  ",
                    (f"BeskedId {each.besked_id}", "dim"),
                    link=f"advis {each.advis_id}",
                    indent=4,
                )
            )
        lines += [BLANK, heading("Mails")]
        for mail in found.mails:
            state = "sendt" if mail.sent_at else "afvist" if mail.refused_at else "venter"
            at = day_and_clock(mail.sent_at or mail.refused_at or mail.ordered_at, now)
            tone = "alarm" if mail.refused_at else ""
            lines.append(
                line(
                    (f"  {at}  {state} ", tone or "dim"),
                    f"til {mail.address}: {one_line(mail.subject)}",
                    link=f"mail {mail.id}",
                    indent=4,
                )
            )
        if not found.mails:
            lines.append(line(("  Ingen endnu.", "dim")))
        lines += [BLANK, heading("Hvad der er sket"), *(event_line(each) for each in found.events)]
        return lines

    def follow(self, link: str) -> None:
        kind, _, number = link.partition(" ")
        if kind == "advis":
            from console.pages.advis import AdvisPage

            self.console_app.open(AdvisPage(int(number), view=self.view))
        else:
            from console.pages.mail import MailPage

            self.console_app.open(MailPage(int(number), view=self.view))

    def file_name(self) -> str:
        return f"sag-{self._number}.txt"

    def off(self, action: Any) -> str | None:
        case = self.data.case.line if self.data else None
        if case is None:
            return None
        if action.id in {"sag.tag", "sag.slip"} and case.closed_at is not None:
            return "Sagen er lukket; der mangler intet længere."
        if action.id == "sag.slip" and case.taken_by is None:
            return "Sagen er ikke taget af nogen."
        if action.id == "sag.mail" and self.data is not None and not self.data.case.mails:
            return "Der er ikke sendt mails i sagen endnu."
        return None

    def do_tag(self) -> None:
        case = self.data.case.line if self.data else None
        self.console_app.open(take_form(self.console_app, self._number, case))

    def do_slip(self) -> None:
        self.console_app.open(_note_form(self._number, "Læg tilbage", "release", needed=False))

    def do_note(self) -> None:
        self.console_app.open(_note_form(self._number, "Note", "note", needed=True))

    def do_mail(self) -> None:
        if self.data is not None and self.data.case.mails:
            self.follow(f"mail {self.data.case.mails[0].id}")


def take_form(app: "ConsoleApp", case_id: int, case: "CaseLine | None") -> FormPage[Any]:
    """Take a case, with a note of what will be done."""
    seen = None if case is None else case.version

    def work(act: Any, desk: Any, note: str) -> "CaseLine":
        from engine.desk.cases import take_case

        return take_case(act, desk.settings, case_id, note, seen=seen)

    intro = (
        []
        if case is None
        else [line((case.what, "strong"), f" i {case.kommune_name}"), *case_lines(case, app.clock.now())]
    )
    return note_form(
        f"Kvitteringer › Sag {case_id} › Tag sag",
        "kvitteringer",
        "Noten",
        work,
        lambda done: f"Sag {done.id} er {done.state}.",
        intro=intro,
        needed=False,
        help="Hvad gør du? (kan være tom)",
        save="tag",
    )


def _note_form(case_id: int, title: str, what: str, *, needed: bool) -> FormPage[Any]:
    def work(act: Any, desk: Any, note: str) -> "CaseLine":
        from engine.desk.cases import note_case, release_case

        if what == "note":
            return note_case(act, case_id, note)
        return release_case(act, desk.settings, case_id, note)

    return note_form(
        f"Kvitteringer › Sag {case_id} › {title}",
        "kvitteringer",
        "Noten",
        work,
        lambda done: f"Sag {done.id}: {'noten er gemt' if what == 'note' else done.state}.",
        needed=needed,
    )
