"""4 Kommuner: the 98, with how it goes in each."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from console.danish import number, short_name, yes_no
from console.filters import narrowed
from console.pages.list_page import ListPage
from console.widgets.live_table import Column
from console.widgets.spans import BLANK, Cell, Line, fact, heading, line
from engine.local_time import planned_text

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.kommune_state import KommuneState
    from engine.desk.office import Visit

_ORDERS = ("navn", "overskredet", "afventer", "kode", "region")


class KommuneList(ListPage["list[KommuneState]", "KommuneState"]):
    """In the role kommune there is one, and it opens by itself."""

    view = "kommuner"
    ABOUT = (
        "De 98 kommuner med deres tilstand: tilsluttet eller ej, primært modtagersystem, hvad "
        "der afventes og er overskredet, "
        "og en planlagt omlægning. Enter åbner kommunen med dens systemer, kontaktpunkt og tjeklister."
    )
    HAS = ("aabn", "filter", "sorter", "vend", "overskredne", "kopier", "eksporter")
    FILTERS = ("kommune", "region", "tilsluttet", "primær", "omlægning")
    EMPTY = "Ingen kommuner passer."
    interval_s = 1.0

    def __init__(self) -> None:
        super().__init__()
        self._states: list[KommuneState] = []
        self._order, self._down = "navn", False
        self._only_overdue = False
        self._opened_own = False

    def columns(self) -> Sequence[Column["KommuneState"]]:
        return (
            Column("Kode", lambda row: (row.line.code, "dim"), 5, sort="kode"),
            Column("Kommune", lambda row: (short_name(row.line.name), ""), 16, share=2, sort="navn"),
            Column("Tilstand", state_of, 18, share=1, sort="overskredet"),
            Column(
                "Afventer",
                lambda row: (number(row.pending) if row.line.connected else "", ""),
                8,
                right=True,
                sort="afventer",
                yields=1,
            ),
            Column("Primært system", lambda row: (row.line.primary or "–", ""), 14, share=2, yields=2),
            Column(
                "Systemer",
                lambda row: (str(row.line.receivers) if row.line.connected else "", "dim"),
                8,
                right=True,
                yields=4,
            ),
            Column(
                "Omlægning",
                lambda row: (planned_text(row.switchover.at) if row.switchover else "", "accent"),
                20,
                yields=3,
            ),
            Column(
                "Region",
                lambda row: (row.line.region.removeprefix("Region "), "dim"),
                12,
                yields=5,
                sort="region",
            ),
        )

    def beside(self, row: "KommuneState") -> Sequence[Line]:
        told, tone = state_of(row)
        lines = [
            heading(row.line.name),
            line((told, tone)),
            BLANK,
            fact("Kode", row.line.code, width=12),
            fact("Region", row.line.region, width=12),
            fact("Primært", row.line.primary, width=12),
            fact("Systemer", number(row.line.receivers), width=12),
            fact("Afventer", number(row.pending), width=12),
            fact("Overskredet", number(row.overdue), "alarm" if row.overdue else "", width=12),
            fact("Åbne sager", number(row.cases), width=12),
        ]
        if row.switchover is not None:
            planned = row.switchover
            lines += [
                BLANK,
                line(("Omlægning: ", "dim"), f"{planned.new_name} bliver primært {planned_text(planned.at)}"),
            ]
        return lines

    def fetch(self, visit: "Visit", desk: "Desk") -> "list[KommuneState]":
        from engine.desk.kommune_state import kommune_states

        return kommune_states(visit.conn, desk.clock.now(), only=visit.only)

    def show(self, data: "list[KommuneState]") -> None:
        self._states = data
        self._draw()
        caller = self.console_app.state.caller
        if caller is not None and not caller.reads_all and len(data) == 1 and not self._opened_own:
            self._opened_own = True
            self.opened(data[0])

    def filtered(self) -> None:
        self._draw()

    def _draw(self) -> None:
        rows = narrowed(self._states, self.terms, _texts)
        if self._only_overdue:
            rows = [row for row in rows if row.overdue]
        keys = {
            "kode": lambda row: row.line.code,
            "overskredet": lambda row: (-row.overdue, not row.line.connected),
            "afventer": lambda row: -row.pending,
            "region": lambda row: row.line.region,
        }
        if self._order in keys:
            rows = sorted(rows, key=keys[self._order])
        if self._down:
            rows = rows[::-1]
        self.total = len(self._states)
        self.table.sorted_by = (self._order, self._down)
        self.table.show_list(rows, lambda row: row.line.code)

    def chips(self) -> "Sequence[Cell]":
        chips: list[Cell] = []
        if self._only_overdue:
            chips.append((" kun med overskredne ", "alarm"))
        chips.append((f" efter {self._order}{' ↓' if self._down else ' ↑'} ", "dim"))
        return [*chips, *super().chips()]

    def opened(self, row: "KommuneState") -> None:
        from console.pages.kommune import KommunePageView

        self.console_app.open(KommunePageView(row.line.code))

    def do_sorter(self) -> None:
        self._order = _ORDERS[(_ORDERS.index(self._order) + 1) % len(_ORDERS)]
        self._down = False
        self._draw()
        self.refresh_where()

    def do_vend(self) -> None:
        self._down = not self._down
        self._draw()
        self.refresh_where()

    def on_live_table_sort_asked(self, event: object) -> None:
        order = getattr(event, "sort", self._order)
        self._order, self._down = order, order == self._order and not self._down
        self._draw()
        self.refresh_where()

    def do_overskredne(self) -> None:
        self._only_overdue = not self._only_overdue
        self._draw()
        self.refresh_where()

    def do_tilbage(self) -> None:
        if self._only_overdue and not self.terms:
            self.do_overskredne()
        else:
            super().do_tilbage()


def state_of(row: "KommuneState") -> Cell:
    """How it goes, in a sign and words."""
    if not row.line.connected:
        return "· ikke tilsluttet", "dim"
    if row.overdue:
        return f"▲ {number(row.overdue)} overskredet", "alarm"
    if row.cases:
        return f"◆ {row.cases} åben sag", "warn"
    return "● i orden", "ok"


def _texts(row: "KommuneState") -> Mapping[str, str]:
    return {
        "kommune": f"{row.line.code} {row.line.name}",
        "region": row.line.region,
        "tilsluttet": yes_no(row.line.connected),
        "primær": row.line.primary or "",
        "omlægning": yes_no(row.switchover is not None),
    }
