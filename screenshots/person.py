"""The console driven as a person drives it: by keys, and by what is on the screen. For pictures and for tests."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from unittest.mock import patch

from rich.console import Console
from textual.pilot import Pilot

from console.app import ConsoleApp
from engine.clock import SimulatedClock
from engine.home import Home
from screenshots.scenes import PERSON, Scene, clock_of

_PATIENCE_S = 20.0


@contextmanager
def at_work(scene: Scene = Scene.BUSY) -> Iterator[None]:
    """As if an engine ran on the home, unless it is empty; several look at one scene, so its lock stays free."""
    with patch("console.link.is_engine_running", return_value=scene is not Scene.EMPTY):
        yield


@asynccontextmanager
async def opened(
    home: Home,
    *,
    size: tuple[int, int] = (120, 34),
    clock: SimulatedClock | None = None,
    identity: str = PERSON,
    scene: Scene | None = None,
) -> AsyncIterator["Person"]:
    """The console as a person has it before them."""
    app = ConsoleApp(home, clock=clock or clock_of(scene or Scene.BUSY), identity=identity, mono=lambda: 0.0)
    app.failures.clear()
    async with app.run_test(size=size, notifications=True) as pilot:
        person = Person(app, pilot)
        await person.settled()
        yield person
        assert app.failures == []


class Person:
    """Presses keys, and reads."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> str:
        """What is on the screen, as lines of text."""
        width, height = self.app.size
        console = Console(
            record=True,
            width=width,
            height=height,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
            legacy_windows=False,
        )
        update = self.app.screen._compositor.render_update(
            full=True, screen_stack=self.app._background_screens
        )
        console.print(update)
        lines = console.export_text().split("\n")
        return "\n".join(line.rstrip() for line in lines[:height]) + "\n"

    async def presses(self, *keys: str) -> None:
        """Some keys, one after the other; then all is drawn that comes of them."""
        for key in keys:
            await self.pilot.press(key)
            await self.settled()

    async def types(self, text: str) -> None:
        names = {" ": "space", ":": "colon", "-": "minus", ".": "full_stop", "/": "slash", "@": "at"}
        await self.pilot.press(*(names.get(char, char) for char in text))
        await self.settled()

    async def settled(self) -> None:
        """All that was asked for has been read and drawn."""
        before = None
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                await self.pilot.pause()
                busy = any(worker.is_running and worker.group != "feed" for worker in self.app.workers)
                now = None if busy or not self.app.is_at_rest else self.screen
                if now is not None and now == before:
                    break
                before = now
                await asyncio.sleep(0.01)

    def sees(self, *texts: str) -> None:
        screen = self.screen
        for text in texts:
            assert text in screen, f"{text!r} is not on the screen:\n{screen}"

    def hears(self, *texts: str) -> None:
        """What is told in passing, however it is wrapped."""
        screen = self.screen
        told = " ".join(
            " ".join(line.partition("▌")[2] for line in screen.split("\n") if "▌" in line).split()
        )
        for text in texts:
            assert text in told, f"{text!r} is not told:\n{screen}"

    def sees_not(self, *texts: str) -> None:
        screen = self.screen
        for text in texts:
            assert text not in screen, f"{text!r} is on the screen:\n{screen}"
