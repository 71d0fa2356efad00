"""The script `sundhedsagent`: the engine's commands, and those that need the console."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from engine.commands.app import app
from engine.commands.app import main as run_commands

_SECONDS_UNWATCHED = 30.0
_STEPS_PER_S = "240"
_KOMMUNER_WATCHED, _KOMMUNER_UNWATCHED = 24, 8


@app.says("demo", "Prøv konsollen i en ny hjemmemappe, med simulerede sygehuse og modtagere.")
def demo(
    ctx: typer.Context,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="TAL",
            min=5,
            max=3600,
            help="Så længe varer den; ellers til konsollen lukkes, uden terminal 30.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="TAL", help="Samme tal giver samme forløb.")] = 1,
    kommuner: Annotated[
        int | None,
        typer.Option(
            metavar="ANTAL",
            min=3,
            max=98,
            help="Så mange tilsluttes; ellers 24, uden terminal 8.",
            show_default=False,
        ),
    ] = None,
) -> None:
    home_dir = ctx.find_root().obj
    if sys.stdin.isatty() and sys.stdout.isatty():
        from console.demo_world import DemoWorld

        _make_ready_to_draw()
        from console.app import run_console

        with DemoWorld(home_dir, seed=seed, kommuner=kommuner or _KOMMUNER_WATCHED) as world:
            status = run_console(world.home, clock=world.clock, seconds=seconds)
        print(f"Hjemmemappe: {world.home.path}")
        raise typer.Exit(status)
    from console.demo import run_demo
    from console.demo_engine import HomeEngine

    lasts = seconds or _SECONDS_UNWATCHED
    raise typer.Exit(run_demo(home_dir, lasts, seed, kommuner or _KOMMUNER_UNWATCHED, make_engine=HomeEngine))


@app.says("console", "Åbn konsollen: følg driften, og vedligehold kommunernes modtagersystemer.")
def console(
    ctx: typer.Context,
    engine: Annotated[
        bool, typer.Option("--engine", help="Kør også motoren, så længe konsollen er åben.")
    ] = False,
    read_only: Annotated[
        bool,
        typer.Option("--read-only", help="Kun til læsning, uanset din rolle; fx til en skærm på væggen."),
    ] = False,
) -> None:
    from engine.errors import SundhedsagentError
    from engine.home import find_home

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise SundhedsagentError("Konsollen kræver en terminal. Uden terminal: sundhedsagent status")
    home = find_home(ctx.find_root().obj)
    _make_ready_to_draw()
    from console.app import run_console

    raise typer.Exit(run_console(home, start_engine=engine, only_reads=read_only))


@app.says("web", "Vis konsollen i en browser, bag organisationens egen proxy og login; kun til læsning.")
def web(
    ctx: typer.Context,
    port: Annotated[
        int,
        typer.Option(
            metavar="TAL",
            min=1,
            max=65535,
            help="Porten på 127.0.0.1. Der lyttes ikke på andre adresser: foran står en proxy med login.",
        ),
    ] = 8780,
    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url",
            metavar="ADRESSE",
            help="Den adresse, proxyen har, fx https://drift.example. Uden den ses konsollen kun fra denne maskine.",
            show_default=False,
        ),
    ] = None,
    sessions: Annotated[
        int,
        typer.Option(
            metavar="ANTAL",
            min=1,
            max=200,
            help="Så mange kan have den åben på én gang; hver bruger omkring 100 MB.",
        ),
    ] = 10,
    may_change: Annotated[
        bool,
        typer.Option(
            "--may-change",
            help="Lad browseren ændre med din egen rolle. Alle, der kan åbne siden, handler da i dit navn.",
        ),
    ] = False,
) -> None:
    from engine.commands.common import home_of

    home = home_of(ctx)
    from console.web.front import origin_of
    from console.web.server import serve

    try:
        origin = None if public_url is None else origin_of(public_url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--public-url") from error
    serve(home, port=port, origin=origin, most=sessions, may_change=may_change)


def _make_ready_to_draw() -> None:
    """Before Textual is imported: it draws at most so often, and a key may have to wait for two of its steps.

    Nothing is collected until the first picture is there; ConsoleApp begins with it then.
    """
    os.environ.setdefault("TEXTUAL_FPS", _STEPS_PER_S)
    gc.disable()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    return run_commands(argv)
