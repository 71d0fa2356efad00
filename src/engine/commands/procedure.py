"""`procedure list|show|text|start|step`."""

from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands import system_options as about
from engine.commands.common import AsJson, office_of
from engine.commands.danish import Commands
from engine.commands.output import facts, print_json, say, table

if TYPE_CHECKING:
    from engine.desk.procedures import ProcedureView, StepLine
    from engine.domain.procedure import StepState

app = Commands("Drejebogens procedurer som tjeklister, med tekster klar til at sende.")

Number = Annotated[int, typer.Argument(metavar="NR", min=1, max=about.MOST, help="Tjeklistens nummer.")]
Key = Annotated[str, typer.Argument(metavar="TRIN", help="Trinnets navn, som show viser det.")]


@app.says("list", "Vis tjeklister, de nyeste først.")
def list_(
    ctx: typer.Context,
    kommune: Annotated[str | None, typer.Option(metavar="KODE", help="Kun denne kommune.")] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Kun dem med åbne trin.")] = False,
    as_json: AsJson = False,
) -> None:
    from engine.desk.procedures import list_procedures

    with office_of(ctx) as office, office.visiting() as visit:
        only = visit.only if kommune is None else [visit.kommune(kommune).code]
        found = list_procedures(visit.conn, only=only, open_only=open_only)
    if as_json:
        print_json(found)
    elif not found:
        say("Der er ingen tjeklister.")
    else:
        rows = [
            (
                str(item.id),
                item.kommune_name,
                item.kind,
                item.subject,
                f"{item.finished}/{item.total}",
                item.next_step or "færdig",
            )
            for item in found
        ]
        table(("Nr.", "Kommune", "Afsnit", "Om", "Trin", "Næste"), rows, right=(0,))


@app.says("show", "Vis en tjekliste med hvert trin: tilstand, person, dato og note.")
def show(ctx: typer.Context, number: Number, as_json: AsJson = False) -> None:
    view = _view(ctx, number)
    if as_json:
        print_json({"procedure": view.line, "steps": view.steps, "texts": view.texts})
    else:
        _print(view)


@app.says("text", "Skriv et trins tekst, klar til at sende.")
def text(ctx: typer.Context, number: Number, key: Key, as_json: AsJson = False) -> None:
    from engine.errors import NotFoundError

    view = _view(ctx, number)
    ready = view.texts.get(key)
    if ready is None:
        keys = ", ".join(view.texts) or "ingen"
        raise NotFoundError(f"Trinnet {key!r} har ingen tekst i tjekliste {number}. Trin med tekst: {keys}.")
    if as_json:
        print_json(ready)
        return
    address = f" <{ready.address}>" if ready.address else ""
    say(f"Til: {ready.to.danish}{address}", f"Emne: {ready.subject}", "", *ready.body.split("\n"))


@app.says("start", "Begynd en tjekliste, fx for et system, der endnu ikke er registreret.")
def start(
    ctx: typer.Context,
    code: about.Kommune,
    kind: Annotated[str, typer.Argument(metavar="AFSNIT", help="3.1, 3.2, 3.3, 3.4, 3.5 eller 4.")],
    subject: Annotated[str, typer.Option(metavar="TEKST", help="Hvad det handler om, fx systemets navn.")],
) -> None:
    from engine.desk.procedures import start_procedure

    with office_of(ctx) as office, office.filling_in(code) as (act, kommune):
        number = start_procedure(act, kommune.code, kind, subject=subject)
    say(f"Tjekliste {number} for {kind} i {kommune.name} er begyndt: sundhedsagent procedure show {number}")


@app.says("step", "Sæt et trin i en tjekliste.")
def step(
    ctx: typer.Context,
    number: Number,
    key: Key,
    state: Annotated[
        str, typer.Option(metavar="TILSTAND", help="udført, åben eller ikke-relevant.")
    ] = "udført",
    person: Annotated[
        str | None, typer.Option(metavar="NAVN", help="Hvem der gjorde det; ellers du.")
    ] = None,
    date: Annotated[str | None, typer.Option(metavar="DATO", help="Hvornår; ellers i dag.")] = None,
    note: Annotated[str | None, typer.Option(metavar="TEKST", help="En note.")] = None,
    version: about.Version = None,
) -> None:
    from engine.desk.procedures import kommune_of_procedure, set_step

    wanted = _state(state)
    with office_of(ctx) as office:
        with office.visiting() as visit:
            code = kommune_of_procedure(visit.conn, number)
        with office.filling_in(code) as (act, _):
            done = set_step(act, number, key, state=wanted, person=person, on=date, note=note, seen=version)
    say(f"{done.title}: {_told(done)}.")


def _view(ctx: typer.Context, number: int) -> "ProcedureView":
    from engine.desk.procedures import show_procedure
    from engine.settings import Settings

    with office_of(ctx) as office, office.visiting() as visit:
        view = show_procedure(visit.conn, number, Settings.load(office.home))
        visit.kommune(view.line.kommune)
    return view


def _state(text: str) -> "StepState":
    from engine.domain.procedure import StepState

    words = {state.danish.replace(" ", "-"): state for state in StepState} | {
        state.value: state for state in StepState
    }
    found = words.get(text.strip().lower().replace(" ", "-"))
    if found is None:
        raise typer.BadParameter(
            f"skal være udført, åben eller ikke-relevant, men er {text!r}.", param_hint="--state"
        )
    return found


def _told(step: "StepLine") -> str:
    from engine.local_time import date_text

    by = f" af {step.person}" if step.person else ""
    when = f" {date_text(step.on)}" if step.on else ""
    return f"{step.state.danish}{by}{when}"


def _print(view: "ProcedureView") -> None:
    line = view.line
    facts(
        (
            ("Tjekliste", str(line.id)),
            ("Afsnit", f"{line.kind} {line.title}"),
            ("Kommune", f"{line.kommune_name} ({line.kommune})"),
            ("Om", line.subject),
            ("Udført", f"{line.finished} af {line.total}"),
        )
    )
    print()
    for step in view.steps:
        # Two lines: a title is a sentence, and no table of sentences fits a terminal.
        say(
            f"[{_MARKS[step.state.value]}] {step.title}",
            f"    {_under(step, has_text=step.key in view.texts)}",
        )
    if view.texts:
        say("", f"* har en tekst klar til at sende: sundhedsagent procedure text {line.id} TRIN")


_MARKS = {"open": " ", "done": "x", "skipped": "–"}


def _under(step: "StepLine", *, has_text: bool) -> str:
    parts = [step.key + (" *" if has_text else "")]
    parts.append(step.duty if step.set_by is None or step.state == "open" else _told(step))
    return " · ".join([*parts, step.note] if step.note else parts)
