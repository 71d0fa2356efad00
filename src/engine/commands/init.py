"""`init` makes a home."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.danish import Commands
from engine.commands.output import say
from engine.database_url import checked_url
from engine.errors import SettingsError
from engine.home import Home, given_key


def init(
    folder: Annotated[Path, typer.Argument(metavar="MAPPE", help="En ny eller tom mappe.")],
    database: Annotated[
        str,
        typer.Option(
            "--database",
            metavar="ADRESSE",
            help='PostgreSQL, som flere motorer kan deles om: "postgresql://bruger@server/sundhedsagent".',
        ),
    ] = "",
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FIL", help="payload.key fra et andet hjem på samme database."),
    ] = None,
) -> None:
    from engine.clock import SystemClock
    from engine.desk.access import caller_identity

    try:
        url = checked_url(database)
    except SettingsError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--database") from error
    caller = caller_identity()
    home = Home.create(folder, SystemClock(), caller, url=url, key=given_key(key))
    say(
        f"Hjemmemappen {home.path} er oprettet. {caller} er administrator.",
        *([f"Databasen er {home.database_name}."] if url else []),
        f"Indstillingerne står i {home.settings_file}.",
        f"Gem en kopi af {home.key_file} et sikkert sted: uden nøglen kan gemte meddelelser ikke læses.",
        "",
        "Næste skridt:",
        f"  sundhedsagent --home {home.path} kommune connect --help",
        f"  sundhedsagent --home {home.path} run",
    )


def add_to(app: Commands) -> None:
    app.says("init", "Opret en hjemmemappe: mapper, database, nøgle og indstillinger.")(init)
