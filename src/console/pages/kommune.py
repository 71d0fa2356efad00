"""One kommune: its receivers in a table, and beside or below it the contact point, the switchover and what is open."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Vertical
from textual.widget import Widget

from console.actions import Action
from console.danish import ago, minutes, number
from console.pages.page import Page
from console.widgets.live_table import Column, LiveTable
from console.widgets.sheet import Sheet
from console.widgets.spans import BLANK, Line, fact, heading, line
from engine.local_time import date_text, planned_text

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.kommune_state import KommunePage as Data
    from engine.desk.kommune_state import ReceiverStanding
    from engine.desk.office import Visit


class KommunePageView(Page["Data"]):
    """Keys act on the receiver under the cursor."""

    view = "kommuner"
    ABOUT = (
        "Én kommune: modtagersystemerne med hvem der er primært, hvem der overvåges, seneste "
        "kvittering og median af tiden til "
        "kvittering i det seneste døgn; derunder kontaktpunkt, omlægning, tjeklister og "
        "anmodninger. Tasterne virker på det "
        "system, markøren står på. For at skifte primært system: stil markøren på det NYE system, og tryk p."
    )
    HAS = (
        "kommune.omlaeg",
        "kommune.tilfoej",
        "kommune.ret",
        "kommune.fjern",
        "kommune.tjeklister",
        "kommune.kontakt",
        "kommune.omlaegning",
        "kommune.vindue",
        "kommune.noter",
        "kommune.anmod",
        "kommune.skabelon",
        "kopier",
    )
    interval_s = 1.0

    DEFAULT_CSS = """
    KommunePageView #receivers { height: auto; min-height: 4; max-height: 50%; }
    KommunePageView #about { height: 1fr; border-top: solid $border; }
    KommunePageView.-lav #receivers { max-height: 6; }
    """

    def __init__(self, code: str) -> None:
        super().__init__()
        self._code = code
        self.data: Data | None = None

    def crumbs(self) -> str:
        return f"Kommuner › {self.data.view.name if self.data else self._code}"

    def kommune_code(self) -> str | None:
        return self._code

    def keys_shown(self) -> Sequence[str]:
        if self.data is not None and not self.data.view.connected:
            return ("kommune.tilfoej", "kommune.skabelon")
        roles = (
            {role.value for role in self.console_app.state.caller.roles}
            if self.console_app.state.caller
            else set()
        )
        if roles == {"kommune"}:
            return (
                "kommune.anmod",
                "kommune.tjeklister",
                "kommune.kontakt",
                "kommune.skabelon",
                *self.HAS[:4],
            )
        return self.HAS

    def content(self) -> Iterable[Widget]:
        def now() -> datetime:
            return self.console_app.clock.now()

        columns: Sequence[Column[ReceiverStanding]] = (
            Column(
                "Modtagersystem",
                lambda row: (row.found.facts.name, "strong" if row.found.is_primary else ""),
                15,
                share=3,
            ),
            Column(
                "Primær",
                lambda row: (
                    "● ja" if row.found.is_primary else "nej",
                    "ok" if row.found.is_primary else "dim",
                ),
                6,
            ),
            Column("Overvåges", lambda row: (_watched(row, now()), ""), 9, yields=3),
            Column(
                "Seneste kvit.",
                lambda row: (ago(row.last_kvittering_at, now()).removesuffix(" siden"), ""),
                13,
                yields=1,
            ),
            Column("Median", lambda row: (minutes(row.median_s), ""), 6, right=True, yields=2),
            Column("Afv.", lambda row: (number(row.pending), ""), 5, right=True),
            Column(
                "Overskr.",
                lambda row: (number(row.overdue), "alarm" if row.overdue else "dim"),
                8,
                right=True,
            ),
            Column("Leverandør", lambda row: (row.vendor.name, "dim"), 12, share=2, yields=4),
        )
        with Vertical():
            yield LiveTable(columns, empty="Kommunen er ikke tilsluttet. Tilslut den med n.", id="receivers")
            yield Sheet(id="about")

    def on_mount(self) -> None:
        self._table.focus()

    @property
    def _table(self) -> "LiveTable[ReceiverStanding]":
        return self.query_one("#receivers", LiveTable)

    @property
    def _row(self) -> "ReceiverStanding | None":
        return self._table.row

    # --- data ---------------------------------------------------------------------------------------------------------

    def fetch(self, visit: "Visit", desk: "Desk") -> "Data":
        from engine.desk.kommune_state import kommune_page

        return kommune_page(visit.conn, visit.kommune(self._code).code, desk.clock.now())

    def show(self, data: "Data") -> None:
        self.data = data
        self._table.styles.height = max(4, len(data.receivers) + 2)
        self._table.show_list(data.receivers, lambda row: row.found.id)
        self._draw()

    def tick(self) -> None:
        self._table.tick()

    @on(LiveTable.Moved)
    def _moved(self) -> None:
        self._draw()
        self.refresh_where()

    @on(LiveTable.Opened)
    def _opened(self) -> None:
        row = self._row
        if row is not None and row.case_id is not None:
            from console.pages.case import CasePage

            self.console_app.open(CasePage(row.case_id, view="kommuner"))
        elif row is not None:
            from console.pages.system import SystemPage

            self.console_app.open(SystemPage(self._code, row.found.facts.uuid))

    @on(Sheet.Opened)
    def _followed(self, event: Sheet.Opened) -> None:
        kind, _, rest = event.link.partition(" ")
        app = self.console_app
        match kind:
            case "tjekliste":
                from console.pages.checklist import ChecklistPage

                app.open(ChecklistPage(int(rest), self._code))
            case "anmodning":
                from console.pages.request import RequestPage

                app.open(RequestPage(int(rest), view="kommuner"))
            case "kontakt":
                self.action_do("kommune.kontakt")
            case "omlaegning":
                self.action_do("kommune.omlaegning")
            case _:
                from console.pages.maintenance import cancel_form

                app.open(cancel_form(app, int(rest), self._code))

    def _draw(self) -> None:
        if self.data is not None:
            self.query_one("#about", Sheet).show(_about(self.data, self._row, self.console_app.clock.now()))
        self.refresh_where()

    # --- doing --------------------------------------------------------------------------------------------------------

    def off(self, action: Action) -> str | None:
        data = self.data
        if data is None:
            return "Vent, til data er hentet."
        if action.id in _OF_CONNECTED and not data.view.connected:
            return "Kommunen er ikke tilsluttet endnu. Tilslut den med n."
        if action.id in _OF_A_RECEIVER and self._row is None:
            return "Stil markøren på et system."
        if action.id == "kommune.omlaegning" and not data.switchovers:
            return "Der er ingen omlægning. Planlæg en med p."
        return None

    def label_of(self, action: Action) -> str:
        if action.id == "kommune.tilfoej" and self.data is not None and not self.data.view.connected:
            return "tilslut"
        return action.label

    def do_tilfoej(self) -> None:
        from console.pages.kommune_forms import add_form, connect_form

        assert self.data is not None
        view = self.data.view
        self.console_app.open(add_form(view) if view.connected else connect_form(view))

    def do_ret(self) -> None:
        from console.pages.kommune_forms import edit_form

        assert self.data is not None
        assert self._row is not None
        self.console_app.open(edit_form(self.data.view, self._row.found))

    def do_fjern(self) -> None:
        from console.pages.kommune_forms import remove_form

        assert self.data is not None
        assert self._row is not None
        self.console_app.open(remove_form(self.data.view, self._row.found))

    def do_omlaeg(self) -> None:
        from console.pages.switchover import plan_form

        assert self.data is not None
        row = self._row
        assert row is not None
        if row.found.is_primary:
            self.console_app.say(
                f"{row.found.facts.name} er allerede primært. Stil markøren på det system, der skal være det.",
                "warn",
            )
            return
        self.console_app.open(plan_form(self.data, row.found, self.console_app.clock.now()))

    def do_omlaegning(self) -> None:
        from console.pages.switchover import SwitchoverPage

        assert self.data is not None
        self.console_app.open(SwitchoverPage(self.data.switchovers[0].id, self._code))

    def do_noter(self) -> None:
        from console.pages.kommune_forms import note_system_form

        assert self.data is not None
        self.console_app.open(note_system_form(self.data.view))

    def do_kontakt(self) -> None:
        from console.pages.kommune_forms import contact_form

        assert self.data is not None
        self.console_app.open(contact_form(self.data.view))

    def do_vindue(self) -> None:
        from console.pages.maintenance import plan_form

        assert self.data is not None
        assert self._row is not None
        self.console_app.open(plan_form(self.data.view, self._row.found, self.console_app.clock.now()))

    def do_tjeklister(self) -> None:
        from console.pages.checklist import ChecklistList

        self.console_app.open(ChecklistList(self._code))

    def do_anmod(self) -> None:
        from console.pages.request import RequestKinds

        assert self.data is not None
        self.console_app.open(RequestKinds(self.data))

    def do_skabelon(self) -> None:
        from console.pages.template import TemplatePage

        self.console_app.open(TemplatePage(self._code, view="kommuner"))

    def do_kopier(self) -> None:
        row = self._row
        if row is not None:
            facts = row.found.facts
            self.console_app.copy(
                f"{facts.name}\n{facts.uuid}\n{facts.vendor}, {facts.vendor_email}", "systemets oplysninger"
            )


_OF_CONNECTED = {
    "kommune.ret",
    "kommune.fjern",
    "kommune.omlaeg",
    "kommune.kontakt",
    "kommune.vindue",
    "kommune.anmod",
}
_OF_A_RECEIVER = {"kommune.ret", "kommune.fjern", "kommune.omlaeg", "kommune.vindue"}


def _watched(row: "ReceiverStanding", now: datetime) -> str:
    since = row.found.facts.monitored_from
    return "ja" if since is None or since <= now else f"fra {date_text(since.date())}"


def _about(data: "Data", row: "ReceiverStanding | None", now: datetime) -> list[Line]:
    view = data.view
    who = data.administrator.name if data.administrator else None
    planned = [item for item in data.switchovers if item.state == "planned"]
    lines: list[Line] = []
    if row is not None:
        facts = row.found.facts
        lines += [
            line((facts.name, "strong"), (f"  {facts.uuid}", "dim")),
            fact("Leverandør", row.vendor.shown.partition(": ")[2], width=16),
            fact("Forvaltning", facts.area or None, width=16),
        ]
        if row.case_id is not None:
            lines.append(
                line(
                    (
                        f"▲ Sag {row.case_id} er åben: {number(row.overdue)} overskredet. enter åbner den.",
                        "alarm",
                    )
                )
            )
        lines.append(BLANK)
    lines += [
        fact("Kontaktpunkt", view.contact_email, link="kontakt" if view.connected else None, width=16),
        fact("Andre kanaler", view.contact_note or None, width=16),
        fact("Administrator", who or "ikke udfyldt i skabelonen", "" if who else "warn", width=16),
        fact("GLN og SOR", f"{view.gln}, {view.sor}" if view.gln else None, width=16),
    ]
    for item in planned:
        lines.append(
            line(
                ("Omlægning        ", "dim"),
                (
                    f"◆ {item.new_name} bliver primært i stedet for {item.old_name} {planned_text(item.at)}",
                    "accent",
                ),
                link="omlaegning",
                indent=17,
            )
        )
    lines += [
        line(
            ("Servicevindue    ", "dim"),
            f"{each.receiver}: {planned_text(each.from_at)} til {planned_text(each.until_at)} ({each.state(now)})",
            link=f"vindue {each.id}",
            indent=17,
        )
        for each in data.maintenance
    ]
    if data.noted:
        names = ", ".join(f"{item.facts.name} ({item.facts.vendor})" for item in data.noted)
        lines.append(fact("Uden kvittering", names, width=16))
    if data.procedures:
        lines += [BLANK, heading("Åbne tjeklister")]
        lines += [
            line(
                f"  {each.kind} {each.subject}: {each.finished} af {each.total}. ",
                (f"Næste: {each.next_step}", "dim"),
                link=f"tjekliste {each.id}",
                indent=4,
            )
            for each in data.procedures
        ]
    if data.requests:
        lines += [BLANK, heading("Anmodninger")]
        lines += [
            line(
                f"  {each.id}: {each.kind}, {each.state.danish} ",
                (f"({each.handed_in_by}, {planned_text(each.handed_in_at)})", "dim"),
                link=f"anmodning {each.id}",
                indent=4,
            )
            for each in data.requests[:_REQUESTS_SHOWN]
        ]
    return lines


_REQUESTS_SHOWN = 10
