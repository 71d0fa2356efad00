"""`doctor`: looks whether everything is as it should be, and says what to do where it is not."""

import typer

from engine.commands.checkup import counted, tell
from engine.commands.common import AsJson
from engine.commands.danish import Commands
from engine.commands.output import print_json, say
from engine.domain.checkup import faults


def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    from engine.doctor.doctor import examine_home
    from engine.errors import SundhedsagentError
    from engine.home import home_path
    from engine.logs import silence_logs

    silence_logs()  # what a link would log is in the lines
    found = examine_home(home_path(ctx.find_root().obj))
    if as_json:
        print_json({"faults": faults(found), "checks": found})
    else:
        for each in found:
            tell(each)
        say("", f"Undersøgt: {counted(found)}.")
    if faults(found):
        raise SundhedsagentError("Noget er galt: ret det, der er mærket ✗, og kør sundhedsagent doctor igen.")


def add_to(app: Commands) -> None:
    app.says("doctor", "Undersøg alt, hvad motoren bruger, og vis, hvad der skal gøres. Intet ændres.")(
        doctor
    )
