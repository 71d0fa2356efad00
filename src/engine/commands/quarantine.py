"""`quarantine list|show|retry|discard`."""

from typing import Annotated

import typer

from engine.commands.common import AsJson, office_of
from engine.commands.danish import Commands
from engine.commands.output import facts, plain, print_json, say, table
from engine.commands.system_options import MOST

app = Commands("Karantænen: det, der ikke kunne tages ind.")

Number = Annotated[int, typer.Argument(metavar="NR", min=1, max=MOST, help="Nummeret i karantænen.")]


@app.says("list", "Vis det, der venter på en beslutning, det ældste først.")
def list_(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Også det afgjorte, det nyeste først.")] = False,
    as_json: AsJson = False,
) -> None:
    from engine.desk.quarantine import list_quarantine
    from engine.local_time import local

    with office_of(ctx) as office, office.reading() as conn:
        found = list_quarantine(conn, every=every)
    if as_json:
        print_json([{**plain(item), "text": item.reason.danish} for item in found])
    elif not found:
        say("Karantænen er tom." if every else "Intet i karantænen venter på en beslutning.")
    else:
        rows = [
            (
                str(item.id),
                f"{local(item.quarantined_at):%d.%m. %H:%M}",
                item.channel,
                item.reason.danish,
                item.sender or "–",
                item.decision.danish if item.decision else "venter",
            )
            for item in found
        ]
        table(("Nr.", "Hvornår", "Kanal", "Hvorfor", "Afsender", "Tilstand"), rows, right=(0,))


@app.says("show", "Vis, hvorfor noget er i karantæne, og hvor filen ligger; aldrig dens indhold.")
def show(ctx: typer.Context, item: Number, as_json: AsJson = False) -> None:
    from engine.desk.quarantine import file_of, show_quarantined
    from engine.local_time import local_text

    with office_of(ctx) as office, office.reading() as conn:
        found = show_quarantined(conn, item)
        path = file_of(office.home, found)
    there, elsewhere = path.exists(), "gemt i databasen" if found.is_kept else "ligger der ikke længere"
    if as_json:
        print_json({**plain(found), "text": found.reason.danish, "file": str(path) if there else None})
        return
    decision = found.decision
    decided = (
        f"{decision.danish} af {found.decided_by} {local_text(found.decided_at)}"
        if decision and found.decided_at
        else "venter på en beslutning"
    )
    facts(
        (
            ("Hvorfor", found.reason.danish),
            ("Nærmere", found.detail),
            ("Hvornår", local_text(found.quarantined_at)),
            ("Kanal", found.channel),
            ("Afsender", found.sender or "kan ikke læses"),
            ("Advis", str(found.advis_id) if found.advis_id else None),
            ("Fil", f"{path} ({path.stat().st_size} byte)" if there else elsewhere),
            ("Tilstand", decided),
            ("Begrundelse", found.decision_reason or None),
        )
    )


@app.says("retry", "Prøv igen: læg det ind igen som en ny levering.")
def retry(
    ctx: typer.Context,
    item: Number,
    reason: Annotated[str, typer.Option(metavar="TEKST", help="Hvad der er rettet.")] = "",
) -> None:
    from engine.desk.quarantine import clear_file, retry_quarantined, show_quarantined
    from engine.settings import Settings

    with office_of(ctx) as office:
        settings, box = Settings.load(office.home), office.box()
        with office.serving() as act:
            retry_quarantined(act, office.home, settings, box, item, reason)
            found = show_quarantined(act.conn, item)
        clear_file(office.home, found)
    say(f"Nummer {item} prøves igen, når en motor kører.")


@app.says("discard", "Kassér det med en begrundelse; det prøves ikke igen.")
def discard(
    ctx: typer.Context,
    item: Number,
    *,
    reason: Annotated[str, typer.Option(metavar="TEKST", help="Hvorfor det er uden betydning.")],
) -> None:
    from engine.desk.quarantine import clear_file, discard_quarantined

    with office_of(ctx) as office:
        with office.serving() as act:
            found = discard_quarantined(act, item, reason)
        clear_file(office.home, found)
    say(f"Nummer {item} er kasseret.")
