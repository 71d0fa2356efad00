"""The console driven as a person drives it: by keys, and by what is on the screen. For pictures and for tests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from unittest.mock import patch

from textual import events
from textual._compositor import LayoutUpdate
from textual.keys import _character_to_key
from textual.pilot import Pilot

from console.app import ConsoleApp
from engine.clock import SimulatedClock
from engine.home import Home
from screenshots.scenes import PERSON, Scene, clock_of

_PATIENCE_S = 20.0
_CHARACTERS = {"slash": "/", "colon": ":", "question_mark": "?", "space": " "}


@contextmanager
def at_work(scene: Scene = Scene.BUSY) -> Iterator[None]:
    """As if an engine ran on the home, unless it is empty; several look at one scene, so its lock stays free."""
    with patch("engine.desk.office.is_engine_running", return_value=scene is not Scene.EMPTY):
        yield


@asynccontextmanager
async def opened(
    home: Home,
    *,
    size: tuple[int, int] = (120, 34),
    clock: SimulatedClock | None = None,
    identity: str = PERSON,
    scene: Scene | None = None,
    only_reads: bool = False,
) -> AsyncIterator["Person"]:
    """The console as a person has it before them."""
    clock = clock or clock_of(scene or Scene.BUSY)
    app = ConsoleApp(home, clock=clock, identity=identity, only_reads=only_reads, mono=lambda: 0.0)
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
        update = self.app.screen._compositor.render_update(
            full=True, screen_stack=self.app._background_screens
        )
        assert isinstance(update, LayoutUpdate)
        lines = ("".join(strip.text for strip in strips) for strips in update.strips)
        return "\n".join(line.rstrip() for line in lines) + "\n"

    async def presses(self, *keys: str) -> None:
        """Some keys, one after the other; after each all is drawn that comes of it."""
        for key in keys:
            self._send(key)
            await self.settled()

    async def types(self, text: str) -> None:
        for char in text:
            self._send(_character_to_key(char), char)
        await self.settled()

    def _send(self, key: str, char: str | None = None) -> None:
        """As the terminal's driver would. Pilot's own way waits until the whole process is idle, which takes long."""
        driver = self.app._driver
        assert driver is not None
        known = char or _CHARACTERS.get(key) or (key if len(key) == 1 else None)
        event = events.Key(key, known)
        event.set_sender(self.app)
        driver.send_message(event)

    async def settled(self) -> None:
        """All that was asked for has been read and drawn."""
        before = None
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                await asyncio.sleep(0.005)
                await self.pilot._wait_for_screen()
                now = None if self._is_busy() else self.screen
                if now is not None and now == before:
                    break
                before = now

    def _is_busy(self) -> bool:
        app, screen = self.app, self.app.screen
        if any(worker.is_running and worker.group != "feed" for worker in app.workers):
            return True
        if screen._layout_required or screen._scroll_required or screen._dirty_widgets or screen._callbacks:
            return True
        return not app.is_at_rest

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
