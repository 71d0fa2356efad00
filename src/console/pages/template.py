"""The template of one kommune: rows of Interessent and Info, filled in where the cursor stands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual import on
from textual.widget import Widget

from console.danish import one_line
from console.link import Door
from console.pages.form import Field as FormField
from console.pages.form import Form, FormPage, Values
from console.pages.page import Page
from console.widgets.live_table import Column, LiveTable
from console.widgets.spans import Cell, line
from engine.domain.registration import checked_text
from engine.errors import SundhedsagentError
from engine.local_time import planned_text

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.office import Visit
    from engine.desk.template import Field, Row, Template


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field with the row it stands in; `first` shows the row's name."""

    row: "Row"
    field: "Field"
    first: bool


class TemplatePage(Page["Template"]):
    """Fields of the registry are changed where the registry is."""

    view = "skabelon"
    ABOUT = (
        "Kommunens skabelon. Det, registret ved, følger registret; resten udfyldes her med "
        "enter eller e. ◆ mangler. x gemmer "
        "skabelonen som DOCX, HTML eller tekst i den mappe, du står i."
    )
    HAS = ("skabelon.ret", "skabelon.naeste", "skabelon.docx", "skabelon.html", "skabelon.tekst", "kopier")

    def __init__(self, code: str, *, view: str = "skabelon") -> None:
        super().__init__()
        self.view = view
        self._code = code
        self.data: Template | None = None

    def crumbs(self) -> str:
        return f"Skabelon › {self.data.kommune if self.data else self._code}"

    def kommune_code(self) -> str | None:
        return self._code

    def chips(self) -> Iterable[Cell]:
        if self.data is not None:
            count = sum(field.missing for row in self.data.rows for field in row.fields)
            yield (f"◆ {count} mangler", "warn") if count else ("● alt er udfyldt", "ok")

    def content(self) -> Iterable[Widget]:
        columns: Sequence[Column[FieldRow]] = (
            Column("Interessent", lambda row: (row.row.party if row.first else "", "strong"), 18, share=3),
            Column("Felt", lambda row: (row.field.label, "dim"), 24, share=1),
            Column("Info", _value, 20, share=2),
            Column("Udfyldt", lambda row: (_who(row.field), "dim"), 20, yields=1),
        )
        yield LiveTable(columns, id="fields")

    def on_mount(self) -> None:
        self._table.focus()

    @property
    def _table(self) -> "LiveTable[FieldRow]":
        return self.query_one("#fields", LiveTable)

    def fetch(self, visit: "Visit", desk: "Desk") -> "Template":
        from engine.desk.template import template_of

        return template_of(visit.conn, visit.kommune(self._code).code, desk.settings, desk.clock.now())

    def show(self, data: "Template") -> None:
        self.data = data
        cells = [
            FieldRow(row, field, place == 0) for row in data.rows for place, field in enumerate(row.fields)
        ]
        self._table.show_list(cells, lambda cell: (cell.row.key, cell.row.party, cell.field.key))

    @on(LiveTable.Moved)
    def _moved(self) -> None:
        self.refresh_where()

    @on(LiveTable.Opened)
    def _opened(self) -> None:
        self.action_do("skabelon.ret")

    def off(self, action: Any) -> str | None:
        cell = self._table.row
        if action.id != "skabelon.ret" or cell is None or cell.field.origin == "typed":
            return None
        if cell.field.origin == "settings":
            return "Feltet er fælles for alle kommuner og står i indstillingerne."
        return "Feltet følger registret; ret det under Kommuner."

    def do_ret(self) -> None:
        cell = self._table.row
        if cell is None or self.data is None:
            return
        code, field, row = self._code, cell.field, cell.row

        def work(act: Any, desk: Any, values: Values) -> bool:
            from engine.desk.template import set_field_of_row
            from engine.desk.typed import TypedField

            return set_field_of_row(
                act, code, row.key, TypedField(field.key), values["value"], seen=field.version
            )

        self.console_app.open(
            FormPage(
                Form(
                    title=f"{self.crumbs()} › {field.label}",
                    view=self.view,
                    fields=[
                        FormField(
                            "value",
                            field.label,
                            field.value,
                            check=lambda text: checked_text(text, field.label),
                        )
                    ],
                    door=Door.FILLING_IN,
                    kommune=code,
                    work=work,
                    done=lambda changed: f"{field.label} er gemt." if changed else "Intet er ændret.",
                    confirm=False,
                    intro=[line((row.party, "strong"))],
                )
            )
        )

    def do_naeste(self) -> None:
        rows, start = self._table.rows, self._table.cursor
        for step in range(1, len(rows) + 1):
            cell = rows[(start + step) % len(rows)]
            if cell is not None and cell.field.missing:
                self._table.cursor = (start + step) % len(rows)
                return
        self.console_app.say("Intet mangler.", "ok")

    def do_docx(self) -> None:
        self._export("docx")

    def do_html(self) -> None:
        self._export("html")

    def do_tekst(self) -> None:
        self._export("md")

    def _export(self, suffix: str) -> None:
        async def write() -> None:
            template = self.data

            def make(desk: "Desk") -> bytes:
                from engine.desk.template_export import Format, export

                assert template is not None
                return export(template, Format(suffix))

            try:
                content = await self.console_app.link.run(make)
            except SundhedsagentError as error:
                self.console_app.say(str(error), "alarm")
            else:
                self.console_app.save(f"skabelon-{self._code}.{suffix}", content)

        if self.data is not None:
            self.console_app.work(write())

    def do_kopier(self) -> None:
        cell = self._table.row
        if cell is not None:
            self.console_app.copy(cell.field.value, cell.field.label)


def _value(cell: FieldRow) -> Cell:
    if cell.field.missing:
        return "◆ mangler", "warn"
    return one_line(cell.field.value) or "–", "" if cell.field.origin == "typed" else "dim"


def _who(field: "Field") -> str:
    return f"{field.typed_by}, {planned_text(field.typed_at)}" if field.typed_at else ""
