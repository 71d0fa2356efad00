"""One incident: the handbook's steps with texts to copy, the updates, and what happened."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from console.danish import ago, counted, day_and_clock, one_line
from console.link import Door
from console.model import Need
from console.pages.advis import event_line
from console.pages.form import Field, Form, FormPage, Values, note_form
from console.pages.sheet_page import SheetPage
from console.pages.switchover import moment_of
from console.widgets.spans import BLANK, Line, fact, heading, line
from engine.domain.incident import IncidentState, IncidentStepState, Phase
from engine.domain.registration import checked_name, checked_remark
from engine.errors import SundhedsagentError
from engine.local_time import local

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.incidents import Incident, IncidentLine, IncidentStep
    from engine.desk.office import Visit

_SIGNS = {
    IncidentStepState.OPEN: ("◆", "warn"),
    IncidentStepState.SENDING: ("…", "accent"),
    IncidentStepState.DONE: ("✓", "ok"),
    IncidentStepState.SKIPPED: ("·", "dim"),
}


class IncidentPage(SheetPage["Incident"]):
    """The cursor stands on a step; its text is copied with y."""

    NEED: ClassVar[Need] = Need.READ_ALL
    ABOUT = (
        "Hændelsen: erklær eller afvis den, følg håndbogens trin, og fortæl, hvordan det går. "
        "Stil markøren på et trin: y "
        "kopierer dets tekst, og t sætter det udført. x gemmer en rapport."
    )
    HAS = (
        "haendelse.erklaer",
        "haendelse.afvis",
        "haendelse.trin",
        "haendelse.opdater",
        "haendelse.loest",
        "kopier",
        "eksporter",
    )

    def __init__(self, incident_id: int, *, view: str = "haendelser") -> None:
        super().__init__(view=view)
        self._number = incident_id

    def crumbs(self) -> str:
        return f"Hændelser › {self._number}" + (f" {one_line(self.data.line.title)}" if self.data else "")

    def fetch(self, visit: "Visit", desk: "Desk") -> "Incident":
        from engine.desk.incidents import show_incident

        return show_incident(visit.conn, self._number)

    def lines(self, data: "Incident", now: datetime) -> Sequence[Line]:
        head = data.line
        tone = (
            "alarm"
            if head.state is IncidentState.DECLARED
            else "warn"
            if head.state is IncidentState.PROPOSED
            else ""
        )
        lines = [
            line((one_line(head.title), "strong")),
            fact("Tilstand", head.stands, tone),
            fact("Årsag", head.cause.danish),
            fact("Begyndt", f"{day_and_clock(head.began_at, now)} ({ago(head.began_at, now)})"),
            fact("Foreslået", f"{day_and_clock(head.proposed_at, now)} af {head.proposed_by}"),
        ]
        if head.declared_at:
            lines.append(fact("Erklæret", f"{day_and_clock(head.declared_at, now)} af {head.declared_by}"))
        if head.dismissed_at:
            lines.append(
                fact(
                    "Afvist", f"{day_and_clock(head.dismissed_at, now)} af {head.dismissed_by}: {head.reason}"
                )
            )
        if head.next_update_at:
            late = head.next_update_at < now
            lines.append(
                fact("Lovet opdatering", day_and_clock(head.next_update_at, now), "alarm" if late else "warn")
            )
        if head.resolved_at:
            lines.append(fact("Løst", f"{day_and_clock(head.resolved_at, now)} af {head.resolved_by}"))
        lines.append(fact("Tilbageholdte", counted(data.cases, "sag", "sager")))
        lines += [BLANK, heading("Hvad der er set"), *(line(part) for part in head.basis.split("\n"))]
        if data.steps:
            lines += [BLANK, heading("Trin")]
            for step in data.steps:
                lines += _step_lines(step, now)
        if data.updates:
            lines += [BLANK, heading("Opdateringer")]
            for each in data.updates:
                lines.append(
                    line(
                        (f"  {day_and_clock(each.at, now)} ", "dim"),
                        (f"{each.phase.danish}: ", "strong"),
                        each.text,
                        (f"  [{each.by}]", "dim"),
                        indent=4,
                    )
                )
        return [*lines, BLANK, heading("Hvad der er sket"), *(event_line(each) for each in data.events)]

    @property
    def _step(self) -> "IncidentStep | None":
        link = self.sheet.opened
        if self.data is None or link is None:
            return None
        return next((step for step in self.data.steps if step.key == link), None)

    def follow(self, link: str) -> None:
        self.action_do("haendelse.trin")

    def off(self, action: Any) -> str | None:
        if self.data is None or not action.id.startswith("haendelse."):
            return None
        state = self.data.line.state
        if action.id in {"haendelse.erklaer", "haendelse.afvis"}:
            return None if state is IncidentState.PROPOSED else f"Hændelsen er allerede {state.danish}."
        if action.id in {"haendelse.opdater", "haendelse.loest"}:
            return (
                None
                if state is IncidentState.DECLARED
                else f"Hændelsen er {state.danish}; det gælder kun en erklæret."
            )
        return None if self._step is not None else "Stil markøren på et trin."

    def do_kopier(self) -> None:
        step = self._step
        if step is None:
            super().do_kopier()
        else:
            self.console_app.copy(step.text, f"teksten til «{step.title}»")

    def do_eksporter(self) -> None:
        async def write() -> None:
            number_ = self._number

            def make(visit: "Visit", desk: "Desk") -> str:
                from engine.desk.incident_report import as_markdown, report_incident

                return as_markdown(report_incident(visit.conn, desk.settings, number_, desk.clock.now()))

            try:
                text = await self.console_app.link.read(make)
            except SundhedsagentError as error:
                self.console_app.say(str(error), "alarm")
            else:
                self.console_app.save(f"haendelse-{number_}.md", text.encode())

        self.console_app.work(write())

    # --- changes ------------------------------------------------------------------------------------------------------

    def do_erklaer(self) -> None:
        assert self.data is not None
        head = self.data.line

        def work(act: Any, desk: Any, values: Values) -> "Incident":
            from engine.desk.incidents import declare_incident, incident_texts

            return declare_incident(act, desk.settings, incident_texts(desk.home), head.id, seen=head.version)

        self._open(
            "Erklær",
            [],
            work,
            "er erklæret; trinnene er sat i gang",
            [
                "Hændelsen erklæres som major incident.",
                "Håndbogens trin sættes i gang: mails sendes, og det, der gøres manuelt, står klar med tekster.",
                "Mails om de sager, den forklarer, holdes tilbage.",
            ],
            "erklær",
        )

    def do_afvis(self) -> None:
        assert self.data is not None
        head = self.data.line

        def work(act: Any, desk: Any, reason: str) -> "IncidentLine":
            from engine.desk.incidents import dismiss_incident

            return dismiss_incident(act, head.id, reason, seen=head.version)

        self.console_app.open(
            note_form(
                f"Hændelser › {head.id} › Afvis",
                self.view,
                "Begrundelsen",
                work,
                lambda done: f"Forslaget om hændelse {done.id} er afvist.",
                door=Door.ADMINISTERING,
                save="afvis",
            )
        )

    def do_trin(self) -> None:
        step, number_ = self._step, self._number
        if step is None:
            return
        caller = self.console_app.state.caller

        def work(act: Any, desk: Any, values: Values) -> "Incident":
            from engine.desk.incidents import set_incident_step

            skip = values["how"] == "skip"
            return set_incident_step(
                act, number_, step.key, person=values["person"], note=values["note"], skip=skip
            )

        fields = [
            Field("how", "Trinnet er", "done", choices=(("done", "udført"), ("skip", "sprunget over"))),
            Field(
                "person",
                "Hvem",
                caller.identity if caller else "",
                check=lambda text: checked_name(text, "navnet"),
                needed=True,
            ),
            Field(
                "note",
                "Note",
                "",
                "skal skrives, hvis det springes over",
                lambda text: checked_remark(text, "noten"),
            ),
        ]
        self._open(step.title, fields, work, f"«{step.title}» er sat", [], "gem", confirm=False)

    def do_opdater(self) -> None:
        assert self.data is not None
        head, now = self.data.line, self.console_app.clock.now()
        phases = [phase for phase in Phase if phase is not Phase.RESOLVED]
        present = head.phase if head.phase in phases else Phase.INVESTIGATING
        promised = f"{local(now + timedelta(hours=1)):%Y-%m-%d %H:%M}"

        def work(act: Any, desk: Any, values: Values) -> "Incident":
            from engine.desk.incidents import incident_texts, update_incident

            return update_incident(
                act,
                desk.settings,
                incident_texts(desk.home),
                head.id,
                phase=Phase(values["phase"]),
                text=values["text"],
                next_update_at=moment_of(values["next"], act.now) if values["next"].strip() else None,
                seen=head.version,
            )

        fields = [
            Field(
                "phase",
                "Fase",
                (present or Phase.INVESTIGATING).value,
                choices=[(phase.value, phase.danish) for phase in phases],
            ),
            Field(
                "text",
                "Tekst",
                "",
                "uden personoplysninger; den bliver vist for alle",
                lambda text: checked_remark(text, "teksten"),
                needed=True,
            ),
            Field(
                "next",
                "Næste opdatering",
                promised,
                "fx i dag 15:00; tom: ingen lovet",
                lambda text: moment_of(text, now),
            ),
        ]
        self._open(
            "Opdatér",
            fields,
            work,
            "er opdateret",
            ["Opdateringen sendes de samme veje som trinnene."],
            "opdatér",
        )

    def do_loest(self) -> None:
        assert self.data is not None
        head = self.data.line

        def work(act: Any, desk: Any, values: Values) -> "Incident":
            from engine.desk.incidents import incident_texts, resolve_incident

            return resolve_incident(
                act, desk.settings, incident_texts(desk.home), head.id, values["text"], seen=head.version
            )

        fields = [
            Field(
                "text",
                "Tekst",
                "",
                "hvad der var galt, og at det virker igen",
                lambda text: checked_remark(text, "teksten"),
                needed=True,
            )
        ]
        self._open(
            "Løst",
            fields,
            work,
            "er løst",
            ["Hændelsen meldes løst de samme veje. Sager, der blev holdt tilbage, slippes fri."],
            "løst",
        )

    def _open(
        self,
        title: str,
        fields: Sequence[Field],
        work: Any,
        done: str,
        told: Sequence[str],
        save: str,
        *,
        confirm: bool = True,
    ) -> None:
        number_ = self._number
        form: Form[Any] = Form(
            title=f"Hændelser › {number_} › {title}",
            view=self.view,
            fields=fields,
            door=Door.ADMINISTERING,
            work=work,
            done=lambda _: f"Hændelse {number_}: {done}.",
            told=(lambda _: told) if told else None,
            save=save,
            confirm=confirm,
        )
        self.console_app.open(FormPage(form))


def _step_lines(step: "IncidentStep", now: datetime) -> list[Line]:
    """The step, and below it the text to copy while a person is to do it."""
    sign, tone = _SIGNS[step.state]
    who = f", {step.person}" if step.person else ""
    at = day_and_clock(step.done_at or step.due_at, now)
    told = f"{step.state.danish} {at}{who}" if step.done_at else f"{step.state.danish}, senest {at}"
    lines = [
        line(
            (f"  {sign} {step.title} ", tone if tone != "dim" else ""),
            (f"({step.channel.danish}) {told}", "dim"),
            link=step.key,
            indent=6,
        )
    ]
    if step.last_error:
        lines.append(line((f"      Fejl: {one_line(step.last_error)}", "alarm"), indent=6))
    if step.note:
        lines.append(line((f"      Note: {one_line(step.note)}", "dim"), indent=6))
    if step.state is IncidentStepState.OPEN:
        lines += [
            line((f"      {part}", "accent"), indent=6) for part in step.text.split("\n") if part.strip()
        ]
    return lines
