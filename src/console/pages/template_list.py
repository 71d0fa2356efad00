"""5 Skabelon: which kommuner have theirs filled in, and which lack what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.danish import number, short_name
from console.filters import narrowed
from console.pages.list_page import ListPage
from console.widgets.live_table import Column
from console.widgets.spans import BLANK, Line, heading, line

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.office import Visit
    from engine.desk.template import Missing


@dataclass(frozen=True, slots=True)
class TemplateLine:
    code: str
    name: str
    connected: bool
    fields: int
    missing: "Sequence[Missing]"


class TemplateList(ListPage["list[TemplateLine]", TemplateLine]):
    """In the role kommune there is one, and it opens by itself."""

    view = "skabelon"
    ABOUT = (
        "Skabelonen fra håndbogens bilag, én pr. kommune: hvem der gør hvad, og hvordan de "
        "nås. Listen viser, hvad der mangler "
        "at blive udfyldt. Enter åbner skabelonen, hvor felterne udfyldes på stedet, og hvorfra den gemmes som fil."
    )
    HAS = ("aabn", "filter", "kopier", "eksporter")
    FILTERS = ("kommune", "mangler")
    interval_s = 2.0

    def __init__(self) -> None:
        super().__init__()
        self._found: list[TemplateLine] = []
        self._opened_own = False

    def columns(self) -> Sequence[Column[TemplateLine]]:
        return (
            Column("Kode", lambda row: (row.code, "dim"), 5),
            Column(
                "Kommune", lambda row: (short_name(row.name), "" if row.connected else "dim"), 16, share=1
            ),
            Column("Mangler", _told, 22, share=1),
            Column("Felter", lambda row: (number(row.fields), "dim"), 7, right=True, yields=1),
        )

    def beside(self, row: TemplateLine) -> Sequence[Line]:
        if not row.missing:
            return [heading(row.name), BLANK, line(("● Alt er udfyldt", "ok"))]
        lines = [heading(row.name), BLANK, line((f"◆ {len(row.missing)} felter mangler", "warn"))]
        return [
            *lines,
            *(line(f"{each.label} ", (f"({each.party})", "dim"), indent=2) for each in row.missing),
        ]

    def fetch(self, visit: "Visit", desk: "Desk") -> list[TemplateLine]:
        from engine.desk.registry import list_kommuner
        from engine.desk.template import all_templates, missing

        connected = {line.code for line in list_kommuner(visit.conn, connected_only=True, only=visit.only)}
        return [
            TemplateLine(
                each.kommune_code,
                each.kommune_name,
                each.kommune_code in connected,
                sum(len(row.fields) for row in each.rows),
                missing(each),
            )
            for each in all_templates(visit.conn, desk.settings, desk.clock.now(), only=visit.only)
        ]

    def show(self, data: list[TemplateLine]) -> None:
        # Those that are in use first: the others have nobody to fill them in yet.
        self._found = sorted(data, key=lambda row: not row.connected)
        self._draw()
        caller = self.console_app.state.caller
        if caller is not None and not caller.reads_all and len(data) == 1 and not self._opened_own:
            self._opened_own = True
            self.opened(data[0])

    def filtered(self) -> None:
        self._draw()

    def _draw(self) -> None:
        rows = narrowed(
            self._found,
            self.terms,
            lambda row: {
                "kommune": f"{row.code} {row.name}",
                "mangler": " ".join(m.label for m in row.missing),
            },
        )
        self.total = len(self._found)
        self.table.show_list(rows, lambda row: row.code)

    def opened(self, row: TemplateLine) -> None:
        from console.pages.template import TemplatePage

        self.console_app.open(TemplatePage(row.code))


def _told(row: TemplateLine) -> tuple[str, str]:
    if not row.connected:
        return "· ikke tilsluttet", "dim"
    return (f"◆ {len(row.missing)} felter", "warn") if row.missing else ("● intet", "ok")
