"""One advis: how far it has come, who has acknowledged, and all that happened to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from console.danish import DEADLINE, countdown, day_and_clock, one_line, short_name, yes_no
from console.pages.sheet_page import SheetPage
from console.widgets.spans import BLANK, Cell, Line, fact, heading, line
from engine.domain.events import Level
from engine.local_time import local_text

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.contacts import Contact
    from engine.desk.look_up import AdvisView, ReceiverState, TraceLine
    from engine.desk.office import Visit

_TONES = {Level.WARNING: "warn", Level.ALARM: "alarm", Level.INFO: ""}
_SIGNS = {Level.WARNING: "◆", Level.ALARM: "▲", Level.INFO: "·"}


@dataclass(frozen=True, slots=True)
class AdvisData:
    view: "AdvisView"
    trace: "Sequence[TraceLine]"
    call: "Sequence[Contact]"


class AdvisPage(SheetPage[AdvisData]):
    """The trace of behaviour section 9."""

    ABOUT = (
        "Alt om ét advis: hvor langt det er, hvem der har kvitteret, og hvad der er sket, i "
        "rækkefølge. Beskeden selv læses "
        "med m; personoplysninger er skjult. Skal de ses, kræver det en grund, som noteres i revisionsloggen."
    )
    HAS = ("advis.besked", "advis.fuld", "advis.send-igen", "kopier", "eksporter")

    def __init__(self, advis_id: int, *, view: str = "adviser") -> None:
        super().__init__(view=view)
        self._number = advis_id

    def crumbs(self) -> str:
        if self.data is None:
            return f"Adviser › {self._number}"
        view = self.data.view
        return f"Adviser › {short_name(view.kommune_name or view.addressee)} › {view.code or '–'} {view.id}"

    def kommune_code(self) -> str | None:
        return self.data.view.kommune if self.data else None

    def fetch(self, visit: "Visit", desk: "Desk") -> AdvisData:
        from engine.desk.look_up import show_advis, trace_advis
        from engine.desk.overview import contacts_of_missing

        view = show_advis(visit.conn, f"{self._number}", only=visit.only)
        trace = trace_advis(visit.conn, f"{self._number}", only=visit.only)
        return AdvisData(view, trace, contacts_of_missing(visit.conn, view))

    def lines(self, data: AdvisData, now: datetime) -> Sequence[Line]:
        view = data.view
        names = ", ".join(
            part
            for part in (
                view.hospital.name,
                view.hospital.gln and f"GLN {view.hospital.gln}",
                view.hospital.sor and f"SOR {view.hospital.sor}",
            )
            if part
        )
        lines = [
            line((f"{view.code or '–'} ", "strong"), view.code_text or "ukendt kode"),
            fact("Tilstand", view.state.danish),
            fact(
                "Kommune",
                f"{view.kommune_name} ({view.kommune})" if view.kommune else f"ingen ({view.addressee})",
            ),
            fact("Sygehus", names or "ikke oplyst"),
            fact("MessageHeader.id", view.message_id),
            fact("BeskedId", view.besked_id),
            fact("Modtaget", local_text(view.received_at)),
            fact("Fordelt", local_text(view.published_at) if view.published_at else "ikke endnu"),
            fact(
                "Svar til sygehus",
                f"{view.verdict}, {local_text(view.verdict_at)}" if view.verdict_at else "intet endnu",
            ),
        ]
        if view.copies:
            lines.append(fact("Kopier", str(view.copies)))
        if view.receivers:
            lines += [BLANK, heading("Modtagersystemer")]
            lines += [_receiver(item, now) for item in view.receivers]
        if data.call:
            lines += [BLANK, heading("Ring til")]
            lines += [line(f"  {contact.shown}", indent=4) for contact in data.call]
        lines += [BLANK, heading("Hvad der er sket")]
        lines += [event_line(each) for each in data.trace]
        if view.findings:
            lines += [BLANK, heading("Afvigelser fra MedComs profil")]
            lines += [
                line(f"  {one_line(found['text'])} ", (f"({found['path']})", "dim"), indent=4)
                for found in view.findings
            ]
        lines += [
            BLANK,
            line(
                ("Kontakt ", "dim"),
                " ".join(filter(None, (view.encounter_class, view.encounter_status))) or "–",
            ),
        ]
        lines.append(line(("Indlæggelsesrapport ", "dim"), yes_no(view.report_of_admission)))
        return lines

    def file_name(self) -> str:
        return f"advis-{self._number}.txt"

    def do_besked(self) -> None:
        from console.pages.message import MessagePage

        self.console_app.open(MessagePage(self._number))

    def do_fuld(self) -> None:
        from console.pages.message import reason_form

        self.console_app.open(reason_form(self.console_app, self._number))

    def do_send_igen(self) -> None:
        from console.pages.resend import resend_form

        resend_form(self.console_app, (), [self._number])

    def do_kopier(self) -> None:
        if self.data is not None:
            view = self.data.view
            self.console_app.copy(
                f"MessageHeader.id {view.message_id or '–'}\nBeskedId {view.besked_id or '–'}", "begge id'er"
            )


def _receiver(item: "ReceiverState", now: datetime) -> Line:
    told: Cell
    if item.state == "pending":
        told = countdown(item.due_at, now, DEADLINE)
    elif item.state == "ok":
        told = ("● ok", "ok")
    elif item.state == "removed":
        told = ("· fjernet, afventes ikke", "dim")
    else:
        told = (f"▲ {item.state}", "alarm")
    at = f", {day_and_clock(item.settled_at, now)}" if item.settled_at else ""
    part = "primært" if item.primary else "kvitterer"
    return line(f"  {item.name} ", (f"({part}) ", "dim"), told, (at, "dim"), indent=4)


def event_line(each: "TraceLine") -> Line:
    return line(
        (f"{each.local_time} ", "dim"),
        (f"{_SIGNS[each.level]} ", _TONES[each.level]),
        (each.sentence, _TONES[each.level]),
        (f"  [{each.actor}]", "dim"),
        indent=22,
    )
