"""`settings` shows what is in force, and where each value comes from."""

import typer

from engine.commands.common import AsJson, home_of
from engine.commands.danish import Commands
from engine.commands.output import print_json, table


def settings(ctx: typer.Context, as_json: AsJson = False) -> None:
    from engine.settings import Settings

    in_force = Settings.in_force(home_of(ctx))
    if as_json:
        print_json(in_force)
    else:
        table(
            ("Nøgle", "Værdi", "Fra"), [(item.key, item.value, item.origin) for item in in_force], whole=True
        )


def add_to(app: Commands) -> None:
    app.says("settings", "Vis de indstillinger, der gælder, og hvor de kommer fra.")(settings)
