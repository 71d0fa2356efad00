"""`case list|show|take|release|note`."""

from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.common import AsJson, office_of
from engine.commands.danish import Commands
from engine.commands.output import dated, facts, heading, number, plain, print_json, say, table, yes_no
from engine.commands.system_options import MOST, Version

if TYPE_CHECKING:
    from engine.desk.cases import Case, CaseLine, CaseMail

app = Commands("Sager: hvad der mangler, hvem der har taget det, og hvem der har fået mail.")

Number = Annotated[int, typer.Argument(metavar="NR", min=1, max=MOST, help="Sagens nummer.")]
Note = Annotated[str, typer.Option(metavar="TEKST", help="Hvad der er gjort; ingen personoplysninger.")]


@app.says("list", "Vis de åbne sager, de ældste først.")
def list_(
    ctx: typer.Context,
    kommune: Annotated[str | None, typer.Option(metavar="KODE", help="Kun denne kommune.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Også de lukkede, de nyeste først.")] = False,
    as_json: AsJson = False,
) -> None:
    from engine.desk.cases import list_cases

    with office_of(ctx) as office, office.visiting() as visit:
        only = visit.only if kommune is None else [visit.kommune(kommune).code]
        found = list_cases(visit.conn, only=only, open_only=not every)
    if as_json:
        print_json([_with_words(line) for line in found])
    elif not found:
        say("Der er ingen sager." if every else "Der er ingen åbne sager.")
    else:
        _print_list(found)


@app.says("show", "Vis en sag: hvad der mangler, hvem der ringes til, mails og forløb.")
def show(ctx: typer.Context, case: Number, as_json: AsJson = False) -> None:
    from engine.desk.cases import show_case

    with office_of(ctx) as office, office.visiting() as visit:
        found = show_case(visit.conn, case, only=visit.only)
    if as_json:
        print_json(
            {
                **_with_words(found.line),
                "adviser": found.adviser,
                "mails": found.mails,
                "events": found.events,
            }
        )
    else:
        _print_case(found)


@app.says("take", "Tag en sag: påmindelserne holder op, indtil den vokser, eller der er gået lang tid.")
def take(ctx: typer.Context, case: Number, note: Note = "", version: Version = None) -> None:
    from engine.desk.cases import take_case
    from engine.local_time import planned_text
    from engine.settings import Settings

    with office_of(ctx) as office:
        settings = Settings.load(office.home)
        with office.serving() as act:
            line = take_case(act, settings, case, note, seen=version)
    assert line.taken_at is not None
    until = planned_text(line.taken_at + settings.alarm.retake)
    say(
        f"Sag {case} er taget af {line.taken_by}. Den rejses igen, hvis den vokser eller ikke er lukket {until}."
    )


@app.says("release", "Giv en sag fri igen, så en anden kan tage den.")
def release(ctx: typer.Context, case: Number, note: Note = "", version: Version = None) -> None:
    from engine.desk.cases import release_case
    from engine.settings import Settings

    with office_of(ctx) as office:
        settings = Settings.load(office.home)
        with office.serving() as act:
            release_case(act, settings, case, note, seen=version)
    say(f"Sag {case} er givet fri.")


@app.says("note", "Skriv en note til en sag.")
def note_(ctx: typer.Context, case: Number, text: Annotated[str, typer.Argument(metavar="TEKST")]) -> None:
    from engine.desk.cases import note_case

    with office_of(ctx) as office, office.serving() as act:
        note_case(act, case, text)
    say(f"Noten står på sag {case}.")


def _with_words(line: "CaseLine") -> dict[str, object]:
    return {**plain(line), "what": line.what, "state": line.state}


def _print_list(found: "list[CaseLine]") -> None:
    from engine.local_time import local

    rows = [
        (
            str(line.id),
            f"{local(line.opened_at):%d.%m. %H:%M}",
            line.kommune_name.removesuffix(" Kommune"),
            line.what,
            number(line.missing),
            line.state,
        )
        for line in found
    ]
    table(("Sag", "Åbnet", "Kommune", "Hvad", "Mangler", "Tilstand"), rows, right=(0, 4))


def _print_case(found: "Case") -> None:
    from engine.local_time import local_text

    line = found.line
    facts(
        (
            ("Sag", f"{line.id}: {line.what}"),
            ("Kommune", f"{line.kommune_name} ({line.kommune})"),
            ("Tilstand", line.state),
            ("Mangler", f"{number(line.missing)} af {number(line.misses)}"),
            ("I servicevindue", number(line.quiet_misses) if line.quiet_misses else None),
            ("Åbnet", local_text(line.opened_at)),
            ("Lukket", local_text(line.closed_at) if line.closed_at else None),
            ("Ældste frist", local_text(line.oldest_due_at) if line.oldest_due_at else None),
            ("Primært system", yes_no(line.primary) if line.receiver else None),
            ("Leverandør", f"{line.vendor}, {line.vendor_email}" if line.vendor else None),
            ("Kontaktpunkt", line.contact_email),
            ("Taget", f"{local_text(line.taken_at)} af {line.taken_by}" if line.taken_at else None),
            ("Note", line.taken_note or None),
            ("Sidste mail", local_text(line.mailed_at) if line.mailed_at else "ingen"),
            (
                "Næste mail",
                local_text(line.next_mail_at) if line.next_mail_at and not line.closed_at else None,
            ),
            ("Version", str(line.version)),
        )
    )
    if found.adviser:
        heading("Adviser, der mangler")
        rows = [
            (
                str(item.advis_id),
                item.besked_id,
                local_text(item.received_at),
                local_text(item.due_at) if item.due_at else "–",
                str(item.rounds),
            )
            for item in found.adviser
        ]
        table(("Advis", "BeskedId", "Modtaget", "Frist", "Fordelt"), rows, right=(0, 4))
        if line.missing > len(rows):
            say(f"og {number(line.missing - len(rows))} mere.")
    if found.mails:
        heading("Mails")
        table(
            ("Nr.", "Til", "Emne", "Sendt"),
            [(str(item.id), item.address, item.subject, _sent(item)) for item in found.mails],
            right=(0,),
        )
    heading("Forløb")
    for event in found.events:
        colour = {"warning": "yellow", "alarm": "red"}.get(event.level)
        dated(event.local_time, f"{event.sentence} [{event.actor}]", colour)


def _sent(mail: "CaseMail") -> str:
    from engine.local_time import local_text

    if mail.sent_at is not None:
        return local_text(mail.sent_at)
    word = "venter" if mail.refused_at is None else "afvist"
    return f"{word}: {mail.last_error}" if mail.last_error else word
