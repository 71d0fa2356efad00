"""6 Hændelser: proposed, open and past."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from console.danish import ago, day_and_clock, one_line
from console.filters import narrowed
from console.link import Door
from console.model import Need
from console.pages.form import Field, Form, FormPage, Values
from console.pages.list_page import ListPage
from console.widgets.live_table import Column
from console.widgets.spans import BLANK, Cell, Line, fact, heading, line
from engine.domain.incident import IncidentState
from engine.domain.registration import checked_remark

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.incidents import IncidentLine
    from engine.desk.office import Visit

_MOST = 500


class IncidentList(ListPage["list[IncidentLine]", "IncidentLine"]):
    """The open ones first."""

    view = "haendelser"
    NEED: ClassVar[Need] = Need.READ_ALL
    ABOUT = (
        "Hændelser, hvor alle kommuner med sikkerhed ikke modtager. Motoren foreslår dem; en "
        "administrator erklærer eller "
        "afviser. Enter åbner hændelsen med håndbogens trin og tekster, klar til at kopiere."
    )
    HAS = ("aabn", "haendelse.foreslaa", "filter", "kopier", "eksporter")
    FILTERS = ("tilstand", "årsag")
    EMPTY = "Der har ikke været nogen hændelser."
    interval_s = 1.0

    def __init__(self) -> None:
        super().__init__()
        self._found: list[IncidentLine] = []

    def columns(self) -> Sequence[Column["IncidentLine"]]:
        def now() -> Any:
            return self.console_app.clock.now()

        return (
            Column("Nr.", lambda row: (str(row.id), "dim"), 4, right=True),
            Column("Tilstand", _state, 22),
            Column("Hændelse", lambda row: (one_line(row.title), ""), 22, share=1),
            Column("Begyndt", lambda row: (day_and_clock(row.began_at, now()), "dim"), 12, yields=1),
            Column(
                "Næste opdatering",
                lambda row: (
                    day_and_clock(row.next_update_at, now()),
                    "warn" if row.next_update_at else "dim",
                ),
                16,
                yields=2,
            ),
        )

    def beside(self, row: "IncidentLine") -> Sequence[Line]:
        now = self.console_app.clock.now()
        return [
            line((one_line(row.title), "strong")),
            line(_state(row)),
            BLANK,
            fact("Årsag", row.cause.danish, width=12),
            fact("Begyndt", f"{day_and_clock(row.began_at, now)} ({ago(row.began_at, now)})", width=12),
            fact("Foreslået af", row.proposed_by, width=12),
            BLANK,
            heading("Hvad der er set"),
            *(line(part) for part in row.basis.split("\n")),
        ]

    def fetch(self, visit: "Visit", desk: "Desk") -> "list[IncidentLine]":
        from engine.desk.incidents import list_incidents

        return list_incidents(visit.conn, limit=_MOST)

    def show(self, data: "list[IncidentLine]") -> None:
        self._found = sorted(data, key=lambda row: row.state not in _OPEN)
        self._draw()

    def filtered(self) -> None:
        self._draw()

    def _draw(self) -> None:
        self.total = len(self._found)
        self.table.show_list(narrowed(self._found, self.terms, _texts), lambda row: row.id)

    def opened(self, row: "IncidentLine") -> None:
        from console.pages.incident import IncidentPage

        self.console_app.open(IncidentPage(row.id))

    def do_foreslaa(self) -> None:
        def work(act: Any, desk: Any, values: Values) -> "IncidentLine":
            from engine.desk.incidents import incident_texts, propose_incident

            texts = incident_texts(desk.home)
            return propose_incident(act, desk.settings, texts, title=values["title"], reason=values["reason"])

        self.console_app.open(
            FormPage(
                Form(
                    title="Hændelser › Foreslå",
                    view="haendelser",
                    fields=[
                        Field(
                            "title",
                            "Titel",
                            "",
                            "hvad der er galt, i få ord",
                            lambda text: checked_remark(text, "titlen"),
                            needed=True,
                        ),
                        Field(
                            "reason",
                            "Begrundelse",
                            "",
                            "hvad er set, og af hvem",
                            lambda text: checked_remark(text, "begrundelsen"),
                            needed=True,
                        ),
                    ],
                    work=work,
                    done=lambda done: f"Hændelse {done.id} er foreslået.",
                    door=Door.SERVING,
                    told=lambda _: ["Hændelsen foreslås. En administrator erklærer eller afviser den."],
                    save="foreslå",
                )
            )
        )


_OPEN = {IncidentState.PROPOSED, IncidentState.DECLARED}


def _state(row: "IncidentLine") -> Cell:
    if row.state is IncidentState.DECLARED:
        return f"▲ {row.stands}", "alarm"
    if row.state is IncidentState.PROPOSED:
        return f"◆ {row.stands}", "warn"
    return f"· {row.stands}", "dim"


def _texts(row: "IncidentLine") -> Mapping[str, str]:
    return {"tilstand": row.stands, "årsag": row.cause.danish, "titel": row.title}
