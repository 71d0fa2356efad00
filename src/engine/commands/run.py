"""`run` is the engine itself."""

import asyncio
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.common import home_of
from engine.commands.danish import Commands
from engine.commands.output import number, say
from engine.home import engine_lock

if TYPE_CHECKING:
    from engine.service import Engine


def run(
    ctx: typer.Context,
    drain: Annotated[
        bool, typer.Option("--drain", help="Behandl alt, der venter, og stop, når der intet er tilbage.")
    ] = False,
) -> None:
    from engine.logs import configure_logs
    from engine.settings import Settings, refuse_placeholders

    home = home_of(ctx)
    settings = Settings.load(home)
    refuse_placeholders(settings)
    configure_logs(settings.log)
    from engine.service import Engine

    with engine_lock(home):
        engine = Engine.open(home, settings)
        try:
            if drain:
                handled = asyncio.run(engine.drain())
                say(f"Færdig: {number(handled)} behandlet, og der er intet tilbage at gøre nu.")
            else:
                asyncio.run(
                    _until_stopped(engine, f"Sundhedsagenten kører i {home.path}", settings.log.format)
                )
        finally:
            engine.close()


async def _until_stopped(engine: "Engine", greeting: str, log_format: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number_ in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number_, stop.set)

    def greet() -> None:
        # Said when signals are heeded: whoever waits for this line may stop the engine properly from now on.
        if log_format == "text":
            print(f"{greeting}. Stop med Ctrl+C.", flush=True)

    await engine.run(stop, greet)


def add_to(app: Commands) -> None:
    app.says("run", "Kør motoren, indtil den stoppes (SIGTERM eller Ctrl+C).")(run)
