"""The command line's root: which commands there are, where the home is, and what becomes of errors."""

import os
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.commands.danish import Commands, danish_fault
from engine.commands.output import paint, printable
from engine.database_errors import database_trouble
from engine.errors import SundhedsagentError, os_reason

PROGRAM = "sundhedsagent"
DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

app = Commands("Sundhedsagenten modtager adviser fra sygehuse og følger dem hele vejen.")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(version(PROGRAM))
        raise typer.Exit


@app.callback()
def root(
    home: Annotated[
        Path | None,
        typer.Option(
            "--home",
            metavar="MAPPE",
            help="Hjemmemappen. Ellers gælder SUNDHEDSAGENT_HOME, ellers den mappe, man står i.",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Vis versionen.")
    ] = False,
) -> None:
    """What may stand before a command. `main` takes the home from wherever it stands; here it is for the help alone."""


# In the order of the help page: modules, and the commands in each.
_COMMANDS = {
    "init": ("init",),
    "settings": ("settings",),
    "doctor": ("doctor",),
    "run": ("run",),
    "backup": ("backup", "restore"),
    "overview": ("pending", "status"),
    "kvitteringsoverblik": ("overview",),
    "simulate": ("simulate",),
    "simulate_beskedfordeler": ("simulate-beskedfordeler",),
}
# Groups of commands, each with the module that has all of it.
_GROUPS = {
    "db": "db",
    "kommune": "kommune",
    "receiver": "receiver",
    "switchover": "switchover",
    "contact": "contact",
    "procedure": "procedure",
    "request": "request",
    "template": "template",
    "advis": "advis_desk",
    "todo": "todo",
    "case": "case",
    "kvittering": "kvittering",
    "quarantine": "quarantine",
    "maintenance": "maintenance",
    "mail": "mail",
    "incident": "incident",
    "registry": "registry",
    "role": "role",
    "audit": "audit",
}


def _add_commands(module: str, to: Commands) -> None:
    import_module(f"engine.commands.{module}").add_to(to)


def _add_group(name: str, module: str, to: Commands) -> None:
    to.add_typer(import_module(f"engine.commands.{module}").app, name=name)


for module, names in _COMMANDS.items():
    app.later(names, partial(_add_commands, module))
for name, module in _GROUPS.items():
    app.later((name,), partial(_add_group, name, module))


def main(argv: Sequence[str] | None = None, commands: Commands = app) -> int:
    """Run the command line; gives the exit status: 0 done, 1 failed with a message, 2 wrong use."""
    home, arguments = _home_apart(sys.argv[1:] if argv is None else argv)
    command = typer.main.get_command(commands.only(arguments[0] if arguments else ""))
    try:
        status = command.main(arguments, prog_name=PROGRAM, standalone_mode=False, obj=home)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _wrong_use(error)
    except SundhedsagentError as error:
        return _failed(str(error))
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as error:
        # Typer leaves so on a broken pipe, and for nothing else when it does not stand alone.
        return _reader_left() if isinstance(error.__context__, BrokenPipeError) else FAILED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last place before the traceback, which could quote data
        return _unexpected(error)
    return status if isinstance(status, int) else DONE


def _reader_left() -> int:
    """The reader of a pipe has had enough. Python flushes once more at its end: into nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return DONE


def _home_apart(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The home, which may stand before the command or behind it, and the other arguments."""
    home: str | None = None
    others: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            others += [argument, *rest]
        elif argument == "--home":
            home = next(rest, None)
            if home is None:
                return None, ["--home"]  # alone, so that the message is about just that
        elif argument.startswith("--home="):
            home = argument.removeprefix("--home=")
        else:
            others.append(argument)
    return None if home is None else Path(home), others


def _wrong_use(error: typer.TyperException) -> int:
    context: Any = getattr(error, "ctx", None)
    message = danish_fault(error.format_message())
    if context is not None and message == context.get_help():
        print(message, file=sys.stderr)  # no command given: the help page says what there is
        return WRONG_USE
    if context is not None:
        print(context.get_usage(), file=sys.stderr)
        print(f"Se også: {context.command_path} --help\n", file=sys.stderr)
    _complain(message)
    return WRONG_USE


def _failed(message: str) -> int:
    _complain(message)
    return FAILED


def _unexpected(error: Exception) -> int:
    """A fault in the program or the machine. Its own text may quote data, so only the place is shown."""
    if isinstance(error, OSError):
        return _failed(f"{error.filename or 'Systemet'}: {os_reason(error)}")
    trouble = database_trouble(error)
    if trouble is not None:
        return _failed(f"Databasen kan ikke bruges nu: {trouble}.")
    frames = traceback.extract_tb(error.__traceback__)
    for frame in frames:
        print(f"  {frame.filename}:{frame.lineno} {frame.name}", file=sys.stderr)
    return _failed(f"Uventet fejl ({type(error).__name__}). Stedet står ovenfor; send det til udviklerne.")


def _complain(message: str) -> None:
    first, *others = message.split("\n")
    print(paint("Fejl:", "red", stream=sys.stderr), printable(first), file=sys.stderr)
    for line in others:
        print(printable(line), file=sys.stderr)
