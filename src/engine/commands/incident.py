"""`incident list|show|propose|declare|dismiss|step|update|resolve|report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.commands.common import AsJson, choice, confirm, moment, office_of, write_file
from engine.commands.danish import Commands
from engine.commands.output import dated, facts, heading, plain, print_json, say, table
from engine.commands.system_options import MOST, Version, Yes

if TYPE_CHECKING:
    from engine.desk.incidents import Incident, IncidentLine

app = Commands("Hændelser: major incidents fra forslag til rapport.")

Number = Annotated[int, typer.Argument(metavar="NR", min=1, max=MOST, help="Hændelsens nummer.")]


@app.says("list", "Vis hændelser, de nyeste først.")
def list_(
    ctx: typer.Context,
    open_: Annotated[bool, typer.Option("--open", help="Kun de foreslåede og de erklærede.")] = False,
    as_json: AsJson = False,
) -> None:
    from engine.desk.incidents import list_incidents
    from engine.local_time import planned_text

    with office_of(ctx) as office, office.reading() as conn:
        found = list_incidents(conn, open_only=open_)
    if as_json:
        print_json([_with_words(line) for line in found])
    elif not found:
        say("Der er ingen åbne hændelser." if open_ else "Der er ingen hændelser.")
    else:
        rows = [(str(each.id), planned_text(each.began_at), each.title, each.stands) for each in found]
        table(("Nr.", "Begyndt", "Hvad", "Tilstand"), rows, right=(0,))


@app.says("show", "Vis en hændelse: trin med tekster, opdateringer og forløb.")
def show(ctx: typer.Context, incident: Number, as_json: AsJson = False) -> None:
    from engine.desk.incidents import show_incident

    with office_of(ctx) as office, office.reading() as conn:
        found = show_incident(conn, incident)
    if as_json:
        parts = {name: getattr(found, name) for name in ("cases", "steps", "updates", "events")}
        print_json({**_with_words(found.line), **parts})
    else:
        _print(found)


@app.says("propose", "Foreslå en major incident af en anden årsag end dem, der opdages af sig selv.")
def propose(
    ctx: typer.Context,
    *,
    title: Annotated[str, typer.Option(metavar="TEKST", help="Hvad der er galt, i få ord.")],
    reason: Annotated[str, typer.Option(metavar="TEKST", help="Hvad I har set; ingen personoplysninger.")],
    began: Annotated[
        str | None, typer.Option(metavar="TID", help="Hvornår det begyndte, dansk tid; ellers nu.")
    ] = None,
) -> None:
    from engine.desk.incidents import incident_texts, propose_incident
    from engine.settings import Settings

    began_at = moment(began, "begyndelsen")
    with office_of(ctx) as office:
        settings = Settings.load(office.home)
        with office.serving() as act:
            line = propose_incident(
                act, settings, incident_texts(office.home), title=title, reason=reason, began_at=began_at
            )
    say(
        f"Hændelse {line.id} er foreslået: {line.title}.",
        f"En administrator erklærer den med: sundhedsagent incident declare {line.id}",
    )


@app.says("declare", "Erklær en foreslået hændelse: drejebogens trin sættes i gang.")
def declare(ctx: typer.Context, incident: Number, version: Version = None, yes: Yes = False) -> None:
    from engine.desk.access import Role
    from engine.desk.incidents import declare_incident, incident_texts, show_incident, steps_to_come
    from engine.settings import Settings

    with office_of(ctx) as office:
        settings = Settings.load(office.home)
        with office.reading(Role.ADMINISTRATOR) as conn:
            line = show_incident(conn, incident).line
        say(f"Hændelse {incident}: {line.title}. Når den er erklæret:")
        for step in steps_to_come(settings, line):
            way = f"mail til {step.address}" if step.address else step.channel.danish
            say(f"  - {step.title} ({way})")
        say("  - Mails om de sager, som den forklarer, holdes tilbage.")
        confirm(f"Erklær hændelse {incident} som major incident?", yes=yes)
        with office.administering() as act:
            # Between looking and doing it may have changed: then nobody confirmed what would happen.
            seen = version or line.version
            declare_incident(act, settings, incident_texts(office.home), incident, seen=seen)
    say(
        f"Hændelse {incident} er erklæret. Trinnene vises af: sundhedsagent incident show {incident}",
    )


@app.says("dismiss", "Afvis et forslag med en begrundelse.")
def dismiss(
    ctx: typer.Context,
    incident: Number,
    *,
    reason: Annotated[str, typer.Option(metavar="TEKST", help="Hvorfor det ikke er en major incident.")],
    version: Version = None,
) -> None:
    from engine.desk.incidents import dismiss_incident

    with office_of(ctx) as office, office.administering() as act:
        dismiss_incident(act, incident, reason, seen=version)
    say(f"Forslaget om hændelse {incident} er afvist.")


@app.says("step", "Sig, hvem der udførte et trin og hvornår, eller spring det over.")
def step(
    ctx: typer.Context,
    *,
    incident: Number,
    key: Annotated[str, typer.Argument(metavar="TRIN", help="Trinnets navn, fx driftsvagt.")],
    person: Annotated[
        str | None, typer.Option(metavar="NAVN", help="Hvem der gjorde det; ellers dig.")
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="TID", help="Hvornår, dansk tid; ellers nu.")] = None,
    note: Annotated[str, typer.Option(metavar="TEKST", help="Fx det nummer, fejlen fik.")] = "",
    skip: Annotated[
        bool, typer.Option("--skip", help="Trinnet springes over; skriv i noten hvorfor.")
    ] = False,
) -> None:
    from engine.desk.incidents import set_incident_step

    done_at = moment(at, "tidspunktet")
    with office_of(ctx) as office, office.administering() as act:
        found = set_incident_step(act, incident, key, person=person, at=done_at, note=note, skip=skip)
    done = next(each for each in found.steps if each.key == key)
    say(f"{done.title}: {done.state.danish} af {done.person}.")


@app.says("update", "Fortæl, hvor langt arbejdet er, og hvornår der kommer mere.")
def update(
    ctx: typer.Context,
    *,
    incident: Number,
    phase: Annotated[str, typer.Option(metavar="FASE", help="investigating, identified eller monitoring.")],
    text: Annotated[str, typer.Option(metavar="TEKST", help="Det, der skal stå; ingen personoplysninger.")],
    next_: Annotated[
        str | None, typer.Option("--next", metavar="TID", help="Hvornår næste opdatering loves, dansk tid.")
    ] = None,
    version: Version = None,
) -> None:
    from engine.desk.incidents import incident_texts, update_incident
    from engine.domain.incident import Phase
    from engine.local_time import planned_text
    from engine.settings import Settings

    chosen, promised = choice(Phase, phase, "--phase"), moment(next_, "næste opdatering")
    assert chosen is not None
    with office_of(ctx) as office:
        settings = Settings.load(office.home)
        with office.administering() as act:
            found = update_incident(
                act,
                settings,
                incident_texts(office.home),
                incident,
                phase=chosen,
                text=text,
                next_update_at=promised,
                seen=version,
            )
    assert found.line.next_update_at is not None
    say(
        f"Hændelse {incident} er opdateret. Næste opdatering er lovet {planned_text(found.line.next_update_at)}."
    )
    _say_what_is_left(found)


@app.says("resolve", "Meld en erklæret hændelse løst.")
def resolve(
    ctx: typer.Context,
    *,
    incident: Number,
    text: Annotated[str, typer.Option(metavar="TEKST", help="Hvad der var galt, og hvordan det endte.")],
    version: Version = None,
) -> None:
    from engine.desk.incidents import incident_texts, resolve_incident
    from engine.settings import Settings

    with office_of(ctx) as office:
        settings = Settings.load(office.home)
        with office.administering() as act:
            found = resolve_incident(act, settings, incident_texts(office.home), incident, text, seen=version)
    say(f"Hændelse {incident} er løst.")
    if found.line.over_at is None and found.line.cause != "other":
        say("Bemærk: det, der gav anledning til den, ses stadig. Ophører det ikke, foreslås en ny.")
    _say_what_is_left(found)


@app.says("report", "Skriv en rapport om en hændelse.")
def report(
    ctx: typer.Context,
    *,
    incident: Number,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="markdown eller json.")
    ] = "markdown",
    out: Annotated[
        Path | None, typer.Option(metavar="FIL", help="Skriv i en ny fil i stedet for her.")
    ] = None,
) -> None:
    import json

    from engine.desk.incident_report import as_data, as_markdown, report_incident
    from engine.settings import Settings

    if form not in {"markdown", "json"}:
        raise typer.BadParameter(f"skal være markdown eller json, men er {form!r}.", param_hint="--format")
    with office_of(ctx) as office, office.reading() as conn:
        found = report_incident(conn, Settings.load(office.home), incident, office.clock.now())
    if form == "json" and out is None:
        print_json(as_data(found))
        return
    text = (
        as_markdown(found)
        if form == "markdown"
        else json.dumps(plain(as_data(found)), ensure_ascii=False, indent=2) + "\n"
    )
    if out is None:
        say(*text.rstrip("\n").split("\n"))
        return
    write_file(text.encode(), out)
    say(f"Rapporten er skrevet i {out}.")


def _with_words(line: "IncidentLine") -> dict[str, Any]:
    return {**plain(line), "stands": line.stands, "cause_text": line.cause.danish}


def _print(found: "Incident") -> None:
    from engine.local_time import planned_text

    line = found.line
    heading(f"Hændelse {line.id}: {line.title}")
    facts(
        (
            ("Tilstand", line.stands),
            ("Årsag", line.cause.danish),
            ("Grundlag", line.basis),
            ("Begyndt", planned_text(line.began_at)),
            ("Foreslået", f"{planned_text(line.proposed_at)} af {line.proposed_by}"),
            ("Begrundelse", line.reason),
            ("Næste opdatering", planned_text(line.next_update_at) if line.next_update_at else None),
            ("Sager holdt tilbage", str(found.cases) if found.cases else None),
            ("Version", str(line.version)),
        )
    )
    for step in found.steps:
        heading(f"{step.title}  [{step.key}: {step.state.danish}, {step.channel.danish}]")
        if step.done_at is not None:
            say(f"{step.person}, {planned_text(step.done_at)}{f': {step.note}' if step.note else ''}")
        if step.last_error:
            say(f"Fejl: {step.last_error}")
        if step.state == "open":
            say(*step.text.split("\n"))
    if found.updates:
        heading("Opdateringer")
        for update in found.updates:
            dated(planned_text(update.at), f"{update.phase.danish}: {update.text} [{update.by}]")
    heading("Forløb")
    for event in found.events:
        colour = {"warning": "yellow", "alarm": "red"}.get(event.level)
        dated(event.local_time, f"{event.sentence} [{event.actor}]", colour)


def _say_what_is_left(found: "Incident") -> None:
    left = [step for step in found.steps if step.state == "open"]
    if left:
        say("Skal gøres manuelt:", *(f"  - {step.title}  [{step.key}]" for step in left))
        say(f"Teksterne vises af: sundhedsagent incident show {found.line.id}")
