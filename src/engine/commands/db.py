"""`db upgrade|check`."""

from collections.abc import Iterable

import typer

from engine.commands.checkup import counted, tell
from engine.commands.common import AsJson
from engine.commands.danish import Commands
from engine.commands.output import print_json, say
from engine.domain.checkup import Checked, faults
from engine.home import home_path

app = Commands("Databasen: opgradér den, og se efter, om den er i orden.")


@app.says("upgrade", "Opgrader databasen til denne version, mens motoren står.")
def upgrade(ctx: typer.Context) -> None:
    from engine.upkeep import upgrade_home

    before, after = upgrade_home(home_path(ctx.find_root().obj))
    say("Databasen er opdateret i forvejen." if before == after else f"Databasen er opgraderet til {after}.")


@app.says("check", "Undersøg databasen: version, tabeller, integritet, regler og revisionslog.")
def check(ctx: typer.Context, as_json: AsJson = False) -> None:
    from engine.errors import SundhedsagentError
    from engine.upkeep import check_home

    if tell_all(check_home(home_path(ctx.find_root().obj)), as_json=as_json):
        raise SundhedsagentError("Databasen er ikke i orden: se det, der er mærket ✗.")


def tell_all(checks: Iterable[Checked], *, as_json: bool) -> int:
    """Print each line as it is found, or all of them as one JSON object; how many faults there are."""
    found = []
    for each in checks:
        found.append(each)
        if not as_json:
            tell(each)
    if as_json:
        print_json({"faults": faults(found), "checks": found})
    else:
        say("", f"Undersøgt: {counted(found)}.")
    return faults(found)
