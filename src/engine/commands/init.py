"""`init` makes a home, `upgrade` brings an older one up to date."""

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.danish import Commands
from engine.commands.output import say
from engine.home import Home, home_path, upgrade_home


def init(
    folder: Annotated[Path, typer.Argument(metavar="MAPPE", help="En ny eller tom mappe.")],
) -> None:
    from engine.clock import SystemClock
    from engine.desk.access import caller_identity

    caller = caller_identity()
    home = Home.create(folder, SystemClock(), caller)
    say(
        f"Hjemmemappen {home.path} er oprettet. {caller} er administrator.",
        f"Indstillingerne står i {home.settings_file}.",
        f"Gem en kopi af {home.key_file} et sikkert sted: uden nøglen kan gemte meddelelser ikke læses.",
        "",
        "Næste skridt:",
        f"  sundhedsagent --home {home.path} kommune connect --help",
        f"  sundhedsagent --home {home.path} run",
    )


def upgrade(ctx: typer.Context) -> None:
    before, after = upgrade_home(home_path(ctx.find_root().obj))
    say("Databasen er opdateret i forvejen." if before == after else f"Databasen er opgraderet til {after}.")


def add_to(app: Commands) -> None:
    app.says("init", "Opret en hjemmemappe: mapper, database, nøgle og indstillinger.")(init)
    app.says("upgrade", "Opgrader databasen til denne version, mens motoren står.")(upgrade)
