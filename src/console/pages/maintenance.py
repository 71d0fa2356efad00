"""Servicevinduer: planned for one receiver, and taken back."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from console.link import Door
from console.pages.form import Field, Form, FormPage, Values
from console.pages.switchover import moment_of
from console.widgets.spans import line
from engine.domain.registration import checked_remark
from engine.local_time import planned_text

if TYPE_CHECKING:
    from console.app import ConsoleApp
    from engine.desk.receivers import FoundReceiver
    from engine.desk.registry import KommuneView


def plan_form(kommune: "KommuneView", found: "FoundReceiver", now: datetime) -> FormPage[Any]:
    """What is missed in it is recorded, and mailed to nobody."""
    when = "fx i dag 22:00 eller 2026-12-01 10:00"
    fields = [
        Field("begins", "Fra", "", when, lambda text: moment_of(text, now), needed=True),
        Field("ends", "Til", "", when, lambda text: moment_of(text, now), needed=True),
        Field(
            "reason",
            "Begrundelse",
            "",
            "fx opgradering",
            lambda text: checked_remark(text, "begrundelsen"),
            needed=True,
        ),
    ]

    def work(act: Any, desk: Any, values: Values) -> Any:
        from engine.desk.maintenance import plan_maintenance

        begins = moment_of(values["begins"], act.now) or act.now
        ends = moment_of(values["ends"], act.now) or act.now
        return plan_maintenance(act, kommune.code, found.facts.uuid, begins, ends, values["reason"])

    return FormPage(
        Form(
            title=f"Kommuner › {kommune.name} › Servicevindue for {found.facts.name}",
            view="kommuner",
            fields=fields,
            door=Door.SERVING,
            work=work,
            done=lambda done: (
                f"Servicevindue for {done.receiver}: {planned_text(done.from_at)} til {planned_text(done.until_at)}."
            ),
            intro=[
                line(
                    "Det, der mangler i et servicevindue, noteres, men der sendes ingen mail om det. Højst 3 døgn."
                )
            ],
            save="planlæg",
        )
    )


def cancel_form(app: "ConsoleApp", window_id: int, code: str) -> FormPage[Any]:
    """From now on misses are mailed again."""

    def work(act: Any, desk: Any, values: Values) -> Any:
        from engine.desk.maintenance import cancel_maintenance

        return cancel_maintenance(act, window_id)

    return FormPage(
        Form(
            title=f"Kommuner › {code} › Aflys servicevindue {window_id}",
            view="kommuner",
            fields=[],
            door=Door.SERVING,
            work=work,
            done=lambda done: f"Servicevinduet for {done.receiver} er aflyst.",
            told=lambda _: ["Servicevinduet aflyses. Fra nu af sendes der mail om det, der mangler."],
            save="aflys",
        )
    )
