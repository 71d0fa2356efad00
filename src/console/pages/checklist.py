"""The handbook's procedures as checklists: each step with state, person, date and note, and texts ready to send."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Vertical
from textual.widget import Widget

from console.link import Door
from console.pages.form import Field, Form, FormPage, Values
from console.pages.list_page import ListPage
from console.pages.page import Page
from console.widgets.live_table import Column, LiveTable
from console.widgets.sheet import Sheet
from console.widgets.spans import BLANK, Cell, heading, line
from engine.domain.procedure import StepState
from engine.domain.registration import checked_date, checked_name, checked_text
from engine.local_time import date_text, local_date, planned_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.link import Desk
    from engine.desk.office import Visit
    from engine.desk.procedures import ProcedureLine, ProcedureView, StepLine


class ChecklistList(ListPage["list[ProcedureLine]", "ProcedureLine"]):
    """The checklists of one kommune, the latest first."""

    view = "kommuner"
    ABOUT = "Kommunens tjeklister: hver gang en af håndbogens procedurer er begyndt, følges den her trin for trin."
    HAS = ("aabn", "filter", "kopier", "eksporter")
    EMPTY = "Ingen tjeklister endnu. De begynder af sig selv, når noget ændres."

    def __init__(self, code: str) -> None:
        super().__init__()
        self._code = code
        self._found: list[ProcedureLine] = []

    def crumbs(self) -> str:
        return f"Kommuner › {self._found[0].kommune_name if self._found else self._code} › Tjeklister"

    def columns(self) -> Sequence[Column["ProcedureLine"]]:
        return (
            Column("Nr.", lambda row: (str(row.id), "dim"), 5, right=True),
            Column("Afsnit", lambda row: (row.kind, ""), 6),
            Column("Om", lambda row: (row.subject, ""), 18, share=2),
            Column(
                "Udført",
                lambda row: (f"{row.finished} af {row.total}", "ok" if row.next_step is None else "warn"),
                9,
            ),
            Column("Næste trin", lambda row: (row.next_step or "færdig", "dim"), 18, share=3, yields=1),
            Column("Begyndt", lambda row: (planned_text(row.started_at), "dim"), 21, yields=2),
        )

    def fetch(self, visit: "Visit", desk: "Desk") -> "list[ProcedureLine]":
        from engine.desk.procedures import list_procedures

        return list_procedures(visit.conn, only=[visit.kommune(self._code).code])

    def show(self, data: "list[ProcedureLine]") -> None:
        self._found = data
        self.total = len(data)
        from console.filters import narrowed

        rows = narrowed(data, self.terms, lambda row: {"om": f"{row.kind} {row.title} {row.subject}"})
        self.table.show_list(rows, lambda row: row.id)

    def opened(self, row: "ProcedureLine") -> None:
        self.console_app.open(ChecklistPage(row.id, self._code))


class ChecklistPage(Page["ProcedureView"]):
    """Keys act on the step under the cursor."""

    view = "kommuner"
    ABOUT = (
        "En tjekliste. Stil markøren på et trin, og sæt det udført med u. Har trinnet en "
        "tekst, der skal sendes, står den "
        "nedenfor; y kopierer den."
    )
    HAS = ("trin.udfoert", "trin.ikke-relevant", "trin.aaben", "kopier")

    DEFAULT_CSS = """
    ChecklistPage #steps { height: 1fr; }
    ChecklistPage #text { height: 1fr; border-top: solid $border; }
    """

    def __init__(self, procedure_id: int, code: str) -> None:
        super().__init__()
        self._number, self._code = procedure_id, code
        self.data: ProcedureView | None = None

    def crumbs(self) -> str:
        if self.data is None:
            return f"Kommuner › {self._code} › Tjekliste {self._number}"
        head = self.data.line
        return f"Kommuner › {head.kommune_name} › {head.kind} {head.title}: {head.subject}"

    def kommune_code(self) -> str | None:
        return self._code

    def chips(self) -> "Iterable[Cell]":
        if self.data is not None:
            head = self.data.line
            yield f"{head.finished} af {head.total}", "ok" if head.next_step is None else "warn"

    def content(self) -> "Iterable[Widget]":
        columns: Sequence[Column[StepLine]] = (
            Column(
                "Trin", lambda row: (row.title, "" if row.state is StepState.OPEN else "dim"), 30, share=3
            ),
            Column("Tilstand", _state, 16),
            Column("Hvem", lambda row: (row.person or "", ""), 12, share=1),
            Column("Dato", lambda row: (date_text(row.on) if row.on else "", "dim"), 10),
            Column("Note", lambda row: (row.note, "dim"), 12, share=2, yields=2),
        )
        with Vertical():
            yield LiveTable(columns, id="steps")
            yield Sheet(id="text")

    def on_mount(self) -> None:
        self._table.focus()

    @property
    def _table(self) -> "LiveTable[StepLine]":
        return self.query_one("#steps", LiveTable)

    def fetch(self, visit: "Visit", desk: "Desk") -> "ProcedureView":
        from engine.desk.procedures import show_procedure

        visit.kommune(self._code)
        return show_procedure(visit.conn, self._number, desk.settings)

    def show(self, data: "ProcedureView") -> None:
        self.data = data
        self._table.show_list(data.steps, lambda row: row.key)

    @on(LiveTable.Moved)
    def _moved(self) -> None:
        row = self._table.row
        if self.data is None or row is None:
            return
        text = self.data.texts.get(row.key)
        lines = [line((row.title, "strong")), line(row.duty)]
        if row.note:
            lines.append(line(("Note: ", "dim"), row.note))
        if text is not None:
            whom = f"{text.to.danish}{f' ({text.address})' if text.address else ''}"
            lines += [
                BLANK,
                heading("Tekst, klar til at sende"),
                line(("Til: ", "dim"), whom),
                line(("Emne: ", "dim"), text.subject),
                BLANK,
            ]
            lines += [line(part) for part in text.body.split("\n")]
        self.query_one("#text", Sheet).show(lines)
        self.refresh_where()

    @on(LiveTable.Opened)
    def _opened(self) -> None:
        self.action_do("trin.udfoert")

    def do_kopier(self) -> None:
        row = self._table.row
        text = self.data.texts.get(row.key) if self.data is not None and row is not None else None
        if text is None:
            self.console_app.say("Trinnet har ingen tekst at sende.", "warn")
        else:
            self.console_app.copy(f"{text.subject}\n\n{text.body}", "teksten")

    def do_udfoert(self) -> None:
        self._set(StepState.DONE)

    def do_ikke_relevant(self) -> None:
        self._set(StepState.SKIPPED)

    def do_aaben(self) -> None:
        self._set(StepState.OPEN)

    def _set(self, state: StepState) -> None:
        row = self._table.row
        if row is None:
            return
        identity = self.console_app.state.caller.identity if self.console_app.state.caller else ""
        today = local_date(self.console_app.clock.now())
        fields: list[Field] = []
        if state is not StepState.OPEN:
            fields = [
                Field(
                    "person",
                    "Hvem",
                    row.person or identity,
                    check=lambda text: checked_name(text, "navnet"),
                    needed=True,
                ),
                Field(
                    "on",
                    "Dato",
                    f"{row.on or today:%Y-%m-%d}",
                    check=lambda text: checked_date(text, "datoen"),
                    needed=True,
                ),
            ]
        fields.append(Field("note", "Note", row.note, check=lambda text: checked_text(text, "noten")))
        number = self._number

        def work(act: Any, desk: Any, values: Values) -> "StepLine":
            from engine.desk.procedures import set_step

            return set_step(
                act,
                number,
                row.key,
                state=state,
                person=values.get("person"),
                on=values.get("on"),
                note=values["note"],
                seen=row.version,
            )

        self.console_app.open(
            FormPage(
                Form(
                    title=f"Tjekliste {number} › {row.title}",
                    view="kommuner",
                    fields=fields,
                    door=Door.FILLING_IN,
                    kommune=self._code,
                    work=work,
                    done=lambda done: f"{done.title}: {done.state.danish}.",
                    confirm=False,
                    intro=[line((row.title, "strong")), line((f"Sættes {state.danish}.", "dim"))],
                )
            )
        )


def _state(row: "StepLine") -> Cell:
    signs = {StepState.OPEN: ("◆", "warn"), StepState.DONE: ("✓", "ok"), StepState.SKIPPED: ("·", "dim")}
    sign, tone = signs[row.state]
    return f"{sign} {row.state.danish}", tone
