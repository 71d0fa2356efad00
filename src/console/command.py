"""The script `sundhedsagent`: the engine's commands, and those that need the console."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from engine.commands.app import app
from engine.commands.app import main as run_commands

_SECONDS_TO_WATCH, _SECONDS_UNWATCHED = 60.0, 30.0


@app.says("demo", "Se hele vejen i en ny hjemmemappe, med simulerede sygehuse og modtagere.")
def demo(
    ctx: typer.Context,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="TAL",
            min=5,
            max=3600,
            help="Så længe varer den; ellers 60, uden terminal 30.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="TAL", help="Samme tal giver samme forløb.")] = 1,
    kommuner: Annotated[int, typer.Option(metavar="ANTAL", min=1, max=98, help="Så mange tilsluttes.")] = 8,
) -> None:
    from console.demo import run_demo
    from console.demo_engine import HomeEngine

    lasts = seconds or (_SECONDS_TO_WATCH if sys.stdout.isatty() else _SECONDS_UNWATCHED)
    raise typer.Exit(run_demo(ctx.find_root().obj, lasts, seed, kommuner, make_engine=HomeEngine))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    return run_commands(argv)
