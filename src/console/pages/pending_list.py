"""3 Kvitteringer: what is waited for, the most urgent first, with what is left of each deadline; and the open cases."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from console.danish import DEADLINE, SOON, ago, countdown, day_and_clock, number, short_name, yes_no
from console.filters import narrowed, terms
from console.pages.list_page import ListPage
from console.widgets.live_table import Column
from console.widgets.spans import BLANK, Cell, Line, fact, heading, line

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.cases import CaseLine
    from engine.desk.office import Visit
    from engine.desk.overview import PendingLine

_MOST = 1_000  # of the most urgent; nobody counts down more


class Shape(Enum):
    """How the list is gathered."""

    EACH = "hver for sig"
    RECEIVERS = "pr. modtagersystem"
    CASES = "sager"


@dataclass(frozen=True, slots=True)
class Row:
    """One pending kvittering, or all of one receiver, or one case."""

    kommune: str
    kommune_name: str
    receiver: str
    primary: bool
    due_at: datetime | None
    count: int
    overdue: int
    advis_id: int | None
    case: "CaseLine | None"
    message_id: str = ""
    besked_id: str = ""
    is_case: bool = False
    monitored: bool = True

    @property
    def key(self) -> object:
        return (
            self.kommune,
            self.receiver,
            self.advis_id,
            self.case.id if self.case and self.is_case else None,
        )


@dataclass(frozen=True, slots=True)
class PendingData:
    rows: "Sequence[PendingLine]"
    cases: "Sequence[CaseLine]"


class PendingList(ListPage[PendingData, Row]):
    """Sorted by deadline, so what is overdue stands on top."""

    view = "kvitteringer"
    ABOUT = (
        "De kvitteringer, der afventes, det mest presserende øverst: ▲ er overskredet, ◆ har "
        "under 10 minutter tilbage. "
        "Enter på en overskredet åbner sagen: hvem der skal ringes til, hvilke mails der er "
        "sendt, og hvem der har taget den. "
        "v samler pr. modtagersystem og viser sagerne."
    )
    HAS = ("aabn", "sag.tag", "overskredne", "grupper", "filter", "kopier", "eksporter")
    FILTERS = ("kommune", "system", "primær", "status", "taget")
    EMPTY = "Ingen kvitteringer afventes."

    def __init__(self) -> None:
        super().__init__()
        self._shape = Shape.EACH
        self._only_overdue = False
        self._data: PendingData | None = None

    def columns(self) -> Sequence[Column[Row]]:
        def now() -> datetime:
            return self.console_app.clock.now()

        first: Column[Row] = Column("Tid til frist", lambda row: countdown(row.due_at, now(), DEADLINE), 19)
        kommune: Column[Row] = Column("Kommune", lambda row: (short_name(row.kommune_name), ""), 14, share=2)
        receiver: Column[Row] = Column("Modtagersystem", lambda row: (row.receiver, ""), 14, share=2)
        part: Column[Row] = Column(
            "Primær", lambda row: (yes_no(row.primary), "" if row.primary else "dim"), 6, yields=2
        )
        state: Column[Row] = Column("Sag", _case, 15, share=2, yields=1)
        if self._shape is Shape.EACH:
            advis: Column[Row] = Column("Advis", lambda row: (str(row.advis_id), "dim"), 8, right=True)
            return (first, kommune, receiver, part, advis, state)
        count: Column[Row] = Column("Afventer", lambda row: (number(row.count), ""), 8, right=True)
        late: Column[Row] = Column(
            "Overskr.", lambda row: (number(row.overdue), "alarm" if row.overdue else "dim"), 8, right=True
        )
        return (first, kommune, receiver, count, late, part, state)

    def beside(self, row: Row) -> Sequence[Line]:
        now = self.console_app.clock.now()
        text, tone = countdown(row.due_at, now, DEADLINE)
        lines = [
            heading(f"{row.receiver}, {short_name(row.kommune_name)}"),
            line((text, tone)),
            BLANK,
            fact("Frist", day_and_clock(row.due_at, now), width=12),
            fact("Primært", yes_no(row.primary), width=12),
        ]
        if row.advis_id is not None:
            lines += [fact("Advis", str(row.advis_id), width=12), fact("BeskedId", row.besked_id, width=12)]
        if row.case is not None:
            lines += [BLANK, *case_lines(row.case, now), BLANK, *call_lines(row.case)]
        elif not row.monitored:
            lines += [BLANK, line(("Systemet overvåges ikke endnu.", "dim"))]
        return lines

    def chips(self) -> Any:
        if self._only_overdue:
            yield " kun overskredne ", "alarm"
        if self._shape is not Shape.EACH:
            yield f" {self._shape.value} ", "accent"
        yield from super().chips()
        if self._data is not None and len(self._data.rows) == _MOST:
            yield f" (de {number(_MOST)} mest presserende)", "dim"

    # --- data ---------------------------------------------------------------------------------------------------------

    def fetch(self, visit: "Visit", desk: "Desk") -> PendingData:
        from engine.desk.cases import list_cases
        from engine.desk.overview import list_pending

        now = desk.clock.now()
        return PendingData(
            list_pending(visit.conn, now, only=visit.only, limit=_MOST),
            list_cases(visit.conn, only=visit.only),
        )

    def show(self, data: PendingData) -> None:
        self._data = data
        self._draw()

    def tick(self) -> None:
        self.table.tick()

    def filtered(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._data is None:
            return
        rows = self._rows(self._data)
        if self._only_overdue:
            rows = [row for row in rows if row.is_case or row.overdue]
        self.total = len(rows)
        self.table.show_list(narrowed(rows, self.terms, self._texts), lambda row: row.key)

    def _rows(self, data: PendingData) -> list[Row]:
        cases = {(case.kommune, case.receiver_uuid): case for case in data.cases}
        if self._shape is Shape.CASES:
            return [_of_case(case) for case in data.cases]
        rows = [
            Row(
                each.kommune,
                each.kommune_name,
                each.receiver,
                each.primary,
                each.due_at,
                1,
                int(each.overdue),
                each.advis_id,
                cases.get((each.kommune, each.receiver_uuid)) if each.overdue else None,
                each.message_id,
                each.besked_id,
                monitored=each.monitored,
            )
            for each in data.rows
        ]
        return _gathered(rows) if self._shape is Shape.RECEIVERS else rows

    def _texts(self, row: Row) -> Mapping[str, str]:
        now = self.console_app.clock.now()
        soon = row.due_at is not None and not row.overdue and row.due_at - now < SOON
        return {
            "kommune": f"{row.kommune} {row.kommune_name}",
            "system": row.receiver,
            "primær": yes_no(row.primary),
            "status": "overskredet" if row.overdue else "snart" if soon else "afventer",
            "taget": (row.case.taken_by or "nej") if row.case else "nej",
            "id": f"{row.message_id} {row.besked_id} {row.advis_id}",
        }

    # --- doing --------------------------------------------------------------------------------------------------------

    def opened(self, row: Row) -> None:
        if row.case is not None:
            from console.pages.case import CasePage

            self.console_app.open(CasePage(row.case.id, view="kvitteringer"))
        elif row.advis_id is not None:
            from console.pages.advis import AdvisPage

            self.console_app.open(AdvisPage(row.advis_id, view="kvitteringer"))
        else:
            self._shape = Shape.EACH
            self.table.set_columns(self.columns())
            self.narrow(terms(f'kommune:{row.kommune} system:"{row.receiver}"', self.FILTERS))

    def preset(self, what: str) -> None:
        """Show what a number of the overview counts."""
        self._only_overdue = what == "overskredne"
        self._shape = Shape.CASES if what == "sager" else Shape.EACH
        self.terms = ()
        self.table.set_columns(self.columns())
        self.table.start_over()
        self._draw()
        self.refresh_where()

    def do_overskredne(self) -> None:
        self._only_overdue = not self._only_overdue
        self._draw()
        self.refresh_where()

    def do_grupper(self) -> None:
        shapes = list(Shape)
        self._shape = shapes[(shapes.index(self._shape) + 1) % len(shapes)]
        self.table.set_columns(self.columns())
        self.table.start_over()
        self._draw()
        self.refresh_where()

    def do_tilbage(self) -> None:
        if self._only_overdue and not self.terms:
            self.do_overskredne()
        else:
            super().do_tilbage()

    def do_tag(self) -> None:
        row = self.table.row
        if row is None or row.case is None:
            self.console_app.say("Der er ingen sag her: fristen er ikke overskredet.", "warn")
            return
        from console.pages.case import take_form

        self.console_app.open(take_form(self.console_app, row.case.id, row.case))

    def copied(self, row: Row) -> str:
        return (
            f"{row.kommune_name}, {row.receiver}, BeskedId {row.besked_id}, MessageHeader.id {row.message_id}"
        )


def _gathered(rows: Sequence[Row]) -> list[Row]:
    """One row for each receiver, with its most urgent deadline."""
    counts = Counter((row.kommune, row.receiver) for row in rows)
    late = Counter((row.kommune, row.receiver) for row in rows if row.overdue)
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        first.setdefault((row.kommune, row.receiver), row)
    return [
        Row(
            row.kommune,
            row.kommune_name,
            row.receiver,
            row.primary,
            row.due_at,
            counts[key],
            late[key],
            None,
            row.case,
        )
        for key, row in first.items()
    ]


def _of_case(case: "CaseLine") -> Row:
    return Row(
        case.kommune,
        case.kommune_name,
        case.receiver or "Beskedfordeleren",
        case.primary,
        case.oldest_due_at,
        case.missing,
        case.missing,
        None,
        case,
        is_case=True,
    )


def _case(row: Row) -> Cell:
    if row.case is None:
        return "", ""
    waits = row.case.taken_by is None and row.case.held_by is None
    return f"{row.case.id}: {row.case.state}", "warn" if waits else "dim"


def case_lines(case: "CaseLine", now: datetime) -> list[Line]:
    """What is known of a case."""
    lines = [
        line((f"Sag {case.id}: ", "strong"), (case.state, "warn" if case.taken_by is None else "ok")),
        fact("Åbnet", f"{day_and_clock(case.opened_at, now)} ({ago(case.opened_at, now)})", width=12),
        fact("Mangler nu", number(case.missing), "alarm" if case.missing else "", width=12),
        fact("I alt", number(case.misses), width=12),
        fact("Seneste mail", day_and_clock(case.mailed_at, now), width=12),
    ]
    if case.taken_note:
        lines.append(fact("Note", case.taken_note, width=12))
    return lines


def call_lines(case: "CaseLine") -> list[Line]:
    """Whom to call about it."""
    vendor = [line(f"Leverandør: {case.vendor}, {case.vendor_email}", indent=2)] if case.vendor else []
    return [
        heading("Ring til"),
        *vendor,
        line(f"Kontaktpunkt: {case.kommune_name}, {case.contact_email}", indent=2),
    ]
