"""`mail list|show|preview|retry`."""

from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.common import AsJson, choice, office_of
from engine.commands.danish import Commands
from engine.commands.output import facts, print_json, say, table
from engine.commands.system_options import MOST

if TYPE_CHECKING:
    from pathlib import Path

    from engine.domain.alarm import MailKind

app = Commands("Mails: hvad der er sendt, hvad der venter, og hvordan teksterne ser ud.")

Number = Annotated[int, typer.Argument(metavar="NR", min=1, max=MOST, help="Mailens nummer.")]


@app.says("list", "Vis mails, de nyeste først.")
def list_(
    ctx: typer.Context,
    *,
    waiting: Annotated[bool, typer.Option("--waiting", help="Kun dem, der ikke er sendt endnu.")] = False,
    refused: Annotated[
        bool, typer.Option("--refused", help="Kun dem, serveren har afvist for bestandig.")
    ] = False,
    case: Annotated[int | None, typer.Option(metavar="NR", max=MOST, help="Kun mails om denne sag.")] = None,
    incident: Annotated[
        int | None, typer.Option(metavar="NR", max=MOST, help="Kun om denne hændelse.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="ANTAL", help="Højst så mange.")] = 100,
    as_json: AsJson = False,
) -> None:
    from engine.desk.mails import MailState, list_mails
    from engine.local_time import local

    if waiting and refused:
        raise typer.BadParameter("kan ikke bruges sammen med --refused.", param_hint="--waiting")
    state = MailState.WAITING if waiting else MailState.REFUSED if refused else None
    with office_of(ctx) as office, office.visiting() as visit:
        found = list_mails(
            visit.conn, state=state, case_id=case, incident_id=incident, only=visit.only, limit=limit
        )
    if as_json:
        print_json(found)
    elif not found:
        say("Der er ingen mails.")
    else:
        rows = [
            (
                str(each.id),
                f"{local(each.ordered_at):%d.%m. %H:%M}",
                each.address,
                each.subject,
                f"{each.state.danish}: {each.last_error}" if each.last_error else each.state.danish,
            )
            for each in found
        ]
        table(("Nr.", "Bestilt", "Til", "Emne", "Tilstand"), rows, right=(0,))


@app.says("show", "Vis en mail, som den er sendt eller bliver det.")
def show(ctx: typer.Context, mail: Number, as_json: AsJson = False) -> None:
    from engine.commands.output import plain
    from engine.desk.mails import show_mail
    from engine.local_time import local_text

    with office_of(ctx) as office, office.visiting() as visit:
        found = show_mail(visit.conn, mail, only=visit.only)
    line = found.line
    if as_json:
        print_json({**plain(line), "message_id": found.message_id, "text": found.text, "html": found.html})
        return
    facts(
        (
            ("Til", line.address),
            ("Emne", line.subject),
            ("Tilstand", line.state.danish),
            ("Bestilt", local_text(line.ordered_at)),
            ("Sendt", local_text(line.sent_at) if line.sent_at else None),
            ("Forsøg", str(line.attempts) if line.attempts else None),
            ("Næste forsøg", local_text(line.next_at) if line.next_at and line.attempts else None),
            ("Fejl", line.last_error),
            ("Message-ID", found.message_id),
        )
    )
    say("", *found.text.rstrip("\n").split("\n"))


@app.says("preview", "Vis, hvordan en mail ser ud, med hjemmets egen tekst, hvor den har en.")
def preview(
    ctx: typer.Context,
    *,
    kind: Annotated[
        str | None, typer.Argument(metavar="[SLAGS]", help="Fx case-opened. Uden: vis, hvilke der er.")
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Den del, der er HTML.")] = False,
    fields: Annotated[bool, typer.Option("--fields", help="De felter, teksten kan bruge.")] = False,
    source: Annotated[
        bool, typer.Option("--source", help="Den indbyggede skabelon, som man kan rette i en kopi af.")
    ] = False,
) -> None:
    from engine.desk.mail_samples import sample_facts
    from engine.domain.alarm import MailKind
    from engine.errors import RuleError
    from engine.flow.mail_texts import MailTexts, packaged_text
    from engine.settings import Settings

    chosen = choice(MailKind, kind, "SLAGS")
    with office_of(ctx) as office, office.visiting():
        own, settings = office.home.mail_templates, Settings.load(office.home)
    if chosen is None:
        table(
            ("Slags", "Tekst", "Når"),
            [(each.value, _whose(own, each), each.danish) for each in MailKind],
        )
        say("", f"Hjemmets egne tekster ligger i {own}. Felterne vises med --fields.")
        return
    sample = sample_facts(chosen, settings)
    if fields:
        facts((name, _shown(value)) for name, value in sample.items())
        return
    if source:
        say(*(packaged_text(f"{chosen.value}.{'html' if html else 'txt'}") or "").rstrip("\n").split("\n"))
        return
    written = MailTexts(own).write(chosen, sample)
    if html:
        say(*written.html.rstrip("\n").split("\n"))
    else:
        say(f"Emne: {written.subject}", "", *written.text.rstrip("\n").split("\n"))
    if written.fault is not None:
        raise RuleError(
            f"Hjemmets egen tekst {chosen.value} kan ikke bruges: {written.fault}. "
            "Ovenfor står den indbyggede, som bruges i stedet."
        )


@app.says("retry", "Send en mail nu, selv om den er afvist eller venter på næste forsøg.")
def retry(
    ctx: typer.Context,
    mail: Number,
    to: Annotated[str | None, typer.Option(metavar="ADRESSE", help="Til en anden adresse.")] = None,
) -> None:
    from engine.desk.mails import retry_mail

    with office_of(ctx) as office, office.serving() as act:
        line = retry_mail(act, mail, to)
    say(f"Mail {mail} sendes til {line.address}. Hvordan det går, vises af: sundhedsagent mail show {mail}")


def _whose(own: "Path", kind: "MailKind") -> str:
    there = [name for name in ("txt", "html") if (own / f"{kind.value}.{name}").exists()]
    return f"egen ({', '.join(there)})" if there else "indbygget"


def _shown(value: object) -> str:
    from datetime import datetime

    from engine.local_time import planned_text

    if isinstance(value, datetime):
        return f"{planned_text(value)}  (skriv med |tid)"
    if isinstance(value, list):
        return f"liste med {len(value)}"
    return str(value)
