"""All that the registry knows of one system."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from console.danish import yes_no
from console.pages.sheet_page import SheetPage
from console.widgets.spans import Line, fact, line
from engine.local_time import date_text, planned_text

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.office import Visit
    from engine.desk.systems import SystemView


class SystemPage(SheetPage["SystemView"]):
    """Read only; it is changed from the kommune."""

    view = "kommuner"
    ABOUT = "Alt, hvad registret ved om systemet. Det rettes fra kommunens side med e."
    HAS = ("kopier", "eksporter")

    def __init__(self, code: str, uuid: str) -> None:
        super().__init__()
        self._code, self._uuid = code, uuid

    def crumbs(self) -> str:
        if self.data is None:
            return f"Kommuner › {self._code}"
        return f"Kommuner › {self.data.kommune_name} › {self.data.facts.name}"

    def fetch(self, visit: "Visit", desk: "Desk") -> "SystemView":
        from engine.desk.systems import show_system

        return show_system(visit.conn, visit.kommune(self._code), self._uuid)

    def lines(self, data: "SystemView", now: datetime) -> Sequence[Line]:
        facts = data.facts
        dates = ", ".join(
            f"{state} {date_text(datetime.fromisoformat(day))}"
            for state, day in facts.agreement_dates.items()
        )
        return [
            line((facts.name, "strong"), f", {data.part}"),
            fact("UUID i ADM", facts.uuid or "uden UUID"),
            fact("Leverandør", facts.vendor),
            fact("System-e-mail", facts.vendor_email),
            fact("Forvaltning", facts.area or None),
            fact("Aftalt af", facts.agreed_by or None),
            fact("Serviceaftale", f"{facts.agreement.value}{f' ({dates})' if dates else ''}"),
            fact("Certificering", facts.certification.value),
            fact("Kun kvittering", yes_no(facts.only_kvittering)),
            fact(
                "Overvåges fra", planned_text(facts.monitored_from) if facts.monitored_from else "første dag"
            ),
            fact("Overblik", "tilmeldt" if facts.overview_enrolled else "ikke tilmeldt"),
            fact("Tilsluttet", date_text(data.connected_on)),
            *(fact(name[:18].capitalize(), value.value) for name, value in data.typed.items()),
        ]
