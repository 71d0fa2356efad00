"""Replacing the primary (3.3): planned, moved, cancelled, undone; and the sheet for the status meeting."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from console.danish import day_and_clock, number
from console.link import Door
from console.pages.form import Field, Form, FormPage, Values, note_form
from console.pages.sheet_page import SheetPage
from console.widgets.spans import BLANK, Line, fact, heading, line
from engine.domain.switchover import SwitchoverState
from engine.errors import RuleError
from engine.local_time import exact_moment, local, planned_text

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.kommune_state import KommunePage
    from engine.desk.office import Visit
    from engine.desk.receivers import FoundReceiver
    from engine.desk.switchover_sheet import Sheet
    from engine.desk.switchovers import Switchover

_WHEN = "fx 2026-12-01 10:00, i morgen 10:00, eller nu"


def moment_of(text: str, now: datetime) -> datetime | None:
    """When, as people write it: a date and time, "i morgen 10:00", "i dag 14:30", or "nu" (None)."""
    wish = " ".join(text.split()).casefold().replace(" kl. ", " ").replace(" kl ", " ")
    if wish == "nu":
        return None
    for word, days in (("i overmorgen", 2), ("i morgen", 1), ("i dag", 0)):
        if wish.startswith(word):
            day = local(now).date() + timedelta(days=days)
            clock = wish.removeprefix(word).strip().replace(".", ":")
            if clock.isdecimal():
                clock = f"{int(clock):02}:00"
            return exact_moment(f"{day} {clock.rjust(5, '0')}", "tidspunktet")
    parts = wish.split(" ")
    if len(parts) == 2 and "." in parts[0]:
        from engine.domain.registration import checked_date

        return exact_moment(
            f"{checked_date(parts[0], 'datoen')} {parts[1].replace('.', ':').rjust(5, '0')}", "tidspunktet"
        )
    return exact_moment(text, "tidspunktet")


def plan_form(page: "KommunePage", new: "FoundReceiver", now: datetime) -> FormPage[Any]:
    """From the present primary to `new`, at once or at a moment."""
    kommune = page.view
    old = next(item.found for item in page.receivers if item.found.is_primary)

    def told(values: Values) -> Sequence[str]:
        try:
            at = moment_of(values["at"], now)
        except RuleError:
            return ()
        when = "nu, med det samme" if at is None else planned_text(at)
        return [
            f"{new.facts.name} bliver primært modtagersystem i {kommune.name} i stedet for {old.facts.name}: {when}.",
            f"Adviser, der er modtaget inden da, besvares stadig af {old.facts.name}.",
            f"{old.facts.name} bliver ved med at modtage og kvittere.",
        ]

    def work(act: Any, desk: Any, values: Values) -> "Switchover":
        from engine.desk.switchovers import PlanSwitchover, plan_switchover

        order = PlanSwitchover(
            code=kommune.code,
            old_name=old.facts.name,
            old_uuid=old.facts.uuid,
            new_name=new.facts.name,
            new_uuid=new.facts.uuid,
            at=moment_of(values["at"], act.now),
        )
        return plan_switchover(act, order)

    return FormPage(
        Form(
            title=f"Kommuner › {kommune.name} › Gør {new.facts.name} primær (3.3)",
            view="kommuner",
            fields=[Field("at", "Hvornår", "", _WHEN, lambda text: moment_of(text, now), needed=True)],
            door=Door.ADMINISTERING,
            work=work,
            done=_done,
            intro=[
                fact("Nu er primært", f"{old.facts.name}  {old.facts.uuid}"),
                fact("Skal være primært", f"{new.facts.name}  {new.facts.uuid}"),
                line(("Tidspunktet er dansk tid.", "dim")),
            ],
            told=told,
            changes=[("Primært modtagersystem", old.facts.name, new.facts.name)],
            save="planlæg",
        )
    )


def _done(planned: "Switchover") -> str:
    if planned.state is SwitchoverState.DONE:
        return f"{planned.new_name} er nu primært i {planned.kommune_name}."
    return (
        f"Omlægning {planned.id} er planlagt: {planned.new_name} bliver primært {planned_text(planned.at)}."
    )


@dataclass(frozen=True, slots=True)
class SwitchoverData:
    found: "Switchover"
    sheet: "Sheet | None"
    undo_until: datetime


class SwitchoverPage(SheetPage[SwitchoverData]):
    """The planned one, or the latest."""

    view = "kommuner"
    ABOUT = (
        "En omlægning af primært modtagersystem. Er den planlagt, kan den flyttes eller "
        "annulleres. Er den gennemført, vises "
        "arket til statusmødet: seneste kvittering fra det gamle, første fra det nye, og om noget mangler."
    )
    HAS = ("omlaegning.flyt", "omlaegning.annuller", "omlaegning.fortryd", "kopier", "eksporter")

    def __init__(self, switchover_id: int, code: str) -> None:
        super().__init__()
        self._number, self._code = switchover_id, code

    def crumbs(self) -> str:
        name = self.data.found.kommune_name if self.data else self._code
        return f"Kommuner › {name} › Omlægning {self._number}"

    def kommune_code(self) -> str | None:
        return self._code

    def fetch(self, visit: "Visit", desk: "Desk") -> SwitchoverData:
        from engine.desk.switchover_sheet import switchover_sheet
        from engine.desk.switchovers import show_switchover

        visit.kommune(self._code)
        found = show_switchover(visit.conn, self._number)
        sheet = None
        if found.state is SwitchoverState.DONE:
            sheet = switchover_sheet(visit.conn, self._number, desk.clock.now())
        return SwitchoverData(found, sheet, found.at + desk.settings.switchover.undo)

    def lines(self, data: SwitchoverData, now: datetime) -> Sequence[Line]:
        found = data.found
        lines = [
            line((f"{found.old_name} → {found.new_name}", "strong")),
            fact("Tidspunkt", planned_text(found.at)),
            fact("Tilstand", found.state.danish),
            fact("Planlagt", f"{planned_text(found.planned_at)} af {found.planned_by}"),
            fact("Fra", f"{found.old_name}  {found.old_uuid}"),
            fact("Til", f"{found.new_name}  {found.new_uuid}"),
        ]
        if found.state is SwitchoverState.DONE and found.undone_by is None and now <= data.undo_until:
            lines.append(fact("Kan fortrydes til", planned_text(data.undo_until)))
        if found.undone_by is not None:
            lines.append(fact("Fortrudt", f"med omlægning {found.undone_by}"))
        return lines if data.sheet is None else [*lines, BLANK, *_meeting(data.sheet, now)]

    def file_name(self) -> str:
        return f"omlaegning-{self._number}.txt"

    def off(self, action: Any) -> str | None:
        if self.data is None or not action.id.startswith("omlaegning."):
            return None
        found = self.data.found
        if action.id == "omlaegning.fortryd":
            if found.state is not SwitchoverState.DONE:
                return "Kun en gennemført omlægning kan fortrydes."
            return "Den er allerede fortrudt." if found.undone_by is not None else None
        return None if found.state is SwitchoverState.PLANNED else f"Omlægningen er {found.state.danish}."

    def do_flyt(self) -> None:
        assert self.data is not None
        found, now = self.data.found, self.console_app.clock.now()
        before = f"{local(found.at):%Y-%m-%d %H:%M}"

        def work(act: Any, desk: Any, values: Values) -> "Switchover":
            from engine.desk.switchovers import change_switchover

            at = moment_of(values["at"], act.now)
            if at is None:
                raise RuleError(
                    "Vælg et tidspunkt, der kommer; skal det ske nu, så annullér og planlæg den igen med nu."
                )
            return change_switchover(act, found.id, at, seen=found.version)

        self.console_app.open(
            FormPage(
                Form(
                    title=f"{self.crumbs()} › Flyt",
                    view="kommuner",
                    fields=[
                        Field(
                            "at",
                            "Nyt tidspunkt",
                            before,
                            _WHEN,
                            lambda text: moment_of(text, now),
                            needed=True,
                        )
                    ],
                    door=Door.ADMINISTERING,
                    work=work,
                    done=_done,
                    save="flyt",
                )
            )
        )

    def do_annuller(self) -> None:
        assert self.data is not None
        found = self.data.found

        def work(act: Any, desk: Any, reason: str) -> "Switchover":
            from engine.desk.switchovers import cancel_switchover

            return cancel_switchover(act, found.id, reason=reason or None, seen=found.version)

        self.console_app.open(
            note_form(
                f"{self.crumbs()} › Annullér",
                "kommuner",
                "Begrundelsen",
                work,
                lambda _: f"Omlægning {found.id} er annulleret; {found.old_name} forbliver primært.",
                needed=False,
                door=Door.ADMINISTERING,
                confirm=True,
                told=lambda _: [f"Omlægningen annulleres, og {found.old_name} forbliver primært."],
                save="annullér",
            )
        )

    def do_fortryd(self) -> None:
        assert self.data is not None
        found = self.data.found

        def work(act: Any, desk: Any, values: Values) -> "Switchover":
            from engine.desk.switchovers import undo_switchover

            return undo_switchover(act, found.id, within=desk.settings.switchover.undo)

        self.console_app.open(
            FormPage(
                Form(
                    title=f"{self.crumbs()} › Fortryd",
                    view="kommuner",
                    fields=[],
                    door=Door.ADMINISTERING,
                    work=work,
                    done=_done,
                    told=lambda _: [
                        f"{found.old_name} bliver primært igen med det samme, med en ny omlægning."
                    ],
                    save="fortryd",
                )
            )
        )


def _meeting(sheet: "Sheet", now: datetime) -> list[Line]:
    verified = ("● Alt er på plads", "ok") if sheet.is_verified else ("◆ Ikke på plads endnu", "warn")
    last, first = sheet.last_of_old, sheet.first_of_new
    lines = [
        heading("Til statusmødet"),
        line(verified),
        fact("Seneste fra gammel", day_and_clock(last.at, now) if last else "ingen i den seneste uge"),
        fact("Første fra ny", day_and_clock(first.at, now) if first else "ingen endnu"),
        fact("Modtaget siden", f"{number(sheet.since)}, heraf besvaret {number(sheet.answered_since)}"),
    ]
    for title, found in (
        ("Undervejs over omlægningen", sheet.in_flight),
        ("Mangler siden", sheet.missing_since),
    ):
        if found:
            lines += [BLANK, heading(title)]
            lines += [
                line(f"  advis {item.id}, {item.primary}: {item.fate.danish}", indent=4) for item in found
            ]
    return lines
