"""`contact set|show`."""

from typing import Annotated

import typer

from engine.commands import system_options as about
from engine.commands.common import AsJson, office_of
from engine.commands.danish import Commands
from engine.commands.output import facts, heading, print_json, say, table

app = Commands("Kommunens kontaktpunkt (4).")


@app.says("set", "Skift kontaktpunktets e-mailadresse eller noten om andre kanaler.")
def set_(
    ctx: typer.Context,
    code: about.Kommune,
    email: Annotated[str | None, typer.Option(metavar="E-MAIL", help="Den nye adresse.")] = None,
    note: Annotated[str | None, typer.Option(metavar="TEKST", help="Andre aftalte kanaler.")] = None,
    version: about.Version = None,
) -> None:
    from engine.desk.kommuner import contact_point, set_contact
    from engine.errors import RuleError

    if email is None and note is None:
        raise RuleError("Angiv, hvad der skal skiftes: --email E-MAIL eller --note TEKST.")
    with office_of(ctx) as office, office.filling_in(code) as (act, kommune):
        before = contact_point(act.conn, kommune.code)
        done = set_contact(act, kommune.code, email=email, note=note, seen=version)
        after = contact_point(act.conn, kommune.code)
    if not done:
        say(f"Kontaktpunktet i {kommune.name} er {after.email} i forvejen.")
        return
    say(f"Kontaktpunktet i {kommune.name} er {after.email} (før: {before.email}).")
    if after.note:
        say(f"Andre kanaler: {after.note}")


@app.says("show", "Vis kontaktpunktet og dets historie.")
def show(ctx: typer.Context, code: about.Kommune, as_json: AsJson = False) -> None:
    from engine.desk.kommuner import contact_history, contact_point
    from engine.local_time import local_text

    with office_of(ctx) as office, office.visiting() as visit:
        kommune = visit.kommune(code)
        contact = contact_point(visit.conn, kommune.code)
        history = contact_history(visit.conn, kommune.code)
    if as_json:
        print_json(
            {
                "kommune": kommune.code,
                "email": contact.email,
                "note": contact.note,
                "version": contact.version,
                "history": history,
            }
        )
        return
    facts(
        (
            ("Kommune", f"{kommune.name} ({kommune.code})"),
            ("E-mail", contact.email),
            ("Andre kanaler", contact.note or None),
            ("Version", str(contact.version)),
        )
    )
    heading("Historie")
    rows = [(local_text(item.at), item.by, item.email or "–", item.note or "–") for item in history]
    table(("Tidspunkt", "Af", "E-mail", "Andre kanaler"), rows)
