"""8 Log: what the engine did, and what people did; page by page, however long it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from console.danish import day_and_clock, one_line, short_name
from console.filters import FilterError, Term, narrowed
from console.model import Need, why_not
from console.pages.list_page import ListPage
from console.widgets.live_table import Column
from console.widgets.spans import BLANK, Line, fact, line
from engine.domain.events import Level
from engine.local_time import local_text

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.office import Visit

_PAGE = 500
_MOST = 5_000
_LEVELS = {"info": Level.INFO, "advarsel": Level.WARNING, "alarm": Level.ALARM}
_TONES = {Level.INFO: "", Level.WARNING: "warn", Level.ALARM: "alarm"}
_SIGNS = {Level.INFO: "·", Level.WARNING: "◆", Level.ALARM: "▲"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of either log."""

    id: int
    at: datetime
    level: Level
    who: str
    what: str
    kommune: str
    details: tuple[str, ...]
    advis_id: int | None = None
    case_id: int | None = None
    incident_id: int | None = None


@dataclass(frozen=True, slots=True)
class LogLook:
    audit: bool
    terms: tuple[Term, ...]
    entries: list[Entry]
    is_whole: bool


class LogPage(ListPage[LogLook, Entry]):
    """v changes between the two."""

    view = "log"
    NEED: ClassVar[Need] = Need.READ_ALL
    ABOUT = (
        "To logge: hændelsesloggen med alt, hvad motoren har gjort, og revisionsloggen med "
        "alt, hvad mennesker har gjort, før og "
        "efter. v skifter. Rul ned for at hente ældre. Filtrér med kommune:, af:, niveau:alarm eller ord."
    )
    HAS = ("aabn", "log.skift", "filter", "log.alarmer", "kopier", "eksporter")
    FILTERS = ("kommune", "af", "niveau")
    EMPTY = "Loggen er tom."

    def __init__(self) -> None:
        super().__init__()
        self._audit = False
        self._pages = 1
        self._look: LogLook | None = None

    def crumbs(self) -> str:
        return "Log › Revisionslog" if self._audit else "Log › Hændelseslog"

    def columns(self) -> Sequence[Column[Entry]]:
        def now() -> datetime:
            return self.console_app.clock.now()

        return (
            Column("Tid", lambda row: (day_and_clock(row.at, now()), "dim"), 12),
            Column("Hvad", lambda row: (f"{_SIGNS[row.level]} {row.what}", _TONES[row.level]), 34, share=4),
            Column(
                "Kommune", lambda row: (short_name(row.kommune) if row.kommune else "", "dim"), 13, yields=2
            ),
            Column("Af", lambda row: (row.who, "dim"), 12, share=1, yields=1),
        )

    def beside(self, row: Entry) -> Sequence[Line]:
        lines = [
            line((row.what, _TONES[row.level] or "strong")),
            BLANK,
            fact("Tid", local_text(row.at), width=10),
            fact("Af", row.who, width=10),
        ]
        if row.kommune:
            lines.append(fact("Kommune", row.kommune, width=10))
        if row.advis_id is not None:
            lines.append(fact("Advis", str(row.advis_id), width=10))
        return [*lines, BLANK, *(line(part, indent=2) for part in row.details)]

    # --- data ---------------------------------------------------------------------------------------------------------

    def fetch(self, visit: "Visit", desk: "Desk") -> LogLook:
        names = _names(visit)
        limit = min(_MOST, self._pages * _PAGE)
        reads = _audit if self._audit else _events
        entries = reads(visit, names, self.terms, limit)
        return LogLook(self._audit, self.terms, entries, len(entries) < limit)

    def show(self, data: LogLook) -> None:
        if data.audit != self._audit or data.terms != self.terms:
            return
        self._look = data
        self.total = len(data.entries)
        rest = [term for term in self.terms if term.name not in {"kommune", "niveau"}]
        rows = narrowed(data.entries, rest, lambda row: {"af": row.who, "hvad": f"{row.what} {row.kommune}"})
        self.table.show_list(rows, lambda row: row.id)

    def chips(self) -> Any:
        yield from super().chips()
        if self._look is not None and not self._look.is_whole:
            yield " og ældre", "dim"

    def moved(self) -> None:
        super().moved()
        look, table = self._look, self.table
        at_end = table.cursor >= len(table.rows) - _NEAR_THE_END
        if look is not None and not look.is_whole and at_end and len(look.entries) >= self._pages * _PAGE:
            self._pages += 1
            self.console_app.look_now()

    def filtered(self) -> None:
        self._pages = 1
        self.table.start_over()
        super().filtered()

    def check_terms(self, found: Sequence[Term]) -> None:
        for term in found:
            if term.name == "niveau" and term.value.casefold() not in _LEVELS:
                raise FilterError(f"niveau: er {', '.join(_LEVELS)}.")

    # --- doing --------------------------------------------------------------------------------------------------------

    def opened(self, row: Entry) -> None:
        if row.advis_id is not None:
            from console.pages.advis import AdvisPage

            self.console_app.open(AdvisPage(row.advis_id, view="log"))
        elif row.case_id is not None:
            from console.pages.case import CasePage

            self.console_app.open(CasePage(row.case_id, view="log"))
        elif row.incident_id is not None:
            from console.pages.incident import IncidentPage

            self.console_app.open(IncidentPage(row.incident_id, view="log"))
        else:
            from console.pages.log_entry import LogEntryPage

            self.console_app.open(LogEntryPage(self.beside(row)))

    def do_skift(self) -> None:
        off = None if self._audit else why_not(Need.READ_AUDIT, self.console_app.state.caller)
        if off is not None:
            self.console_app.say(off, "warn")
            return
        self._audit = not self._audit
        self.narrow(())

    def do_alarmer(self) -> None:
        on = Term("alarm", "niveau")
        self.narrow(() if self.terms == (on,) else (on,))


_NEAR_THE_END = 5


def _names(visit: "Visit") -> dict[str, str]:
    from engine.desk.stream import kommune_names

    return kommune_names(visit.conn)


def _events(visit: "Visit", names: Mapping[str, str], terms: Sequence[Term], limit: int) -> list[Entry]:
    from console.pages.advis_list import kommuner_of
    from engine.desk.happenings import HappeningFilter, happenings

    kommuner: set[str] | None = None if visit.only is None else set(visit.only)
    levels: list[Level] | None = None
    for term in terms:
        if term.name == "kommune":
            found = kommuner_of(visit, term)
            kommuner = found if kommuner is None else kommuner & found
        elif term.name == "niveau":
            levels = [_LEVELS[term.value.casefold()]]
    wanted = HappeningFilter(kommuner=kommuner, levels=levels)
    return [
        Entry(
            each.id,
            each.line.at,
            each.line.level,
            each.line.actor,
            one_line(each.line.sentence),
            names.get(each.kommune or "", ""),
            (),
            each.advis_id,
            each.case_id,
            each.incident_id,
        )
        for each in happenings(visit.conn, wanted, limit=limit)
    ]


def _audit(visit: "Visit", names: Mapping[str, str], terms: Sequence[Term], limit: int) -> list[Entry]:
    from console.pages.advis_list import kommuner_of
    from engine.desk.audit import AuditFilter, list_audit, told

    entries = list_audit(visit.conn, AuditFilter(limit=limit))
    kommuner = [kommuner_of(visit, term) for term in terms if term.name == "kommune"]
    return [
        Entry(
            each.id,
            each.at,
            Level.INFO,
            each.actor,
            one_line(": ".join(filter(None, (each.action.danish, "; ".join(told(each)))))),
            names.get(each.kommune_code or "", ""),
            (*told(each), *((f"Begrundelse: {each.reason}",) if each.reason else ()), each.subject),
        )
        for each in entries
        if all(each.kommune_code in codes for codes in kommuner)
    ]
