"""The application: views, themes, the feed that brings data to the page on top. No page's own logic."""

import asyncio
import gc
import io
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from console.actions import EVERYWHERE, VIEW_NEEDS, Action, bindings
from console.danish import for_screen, printable
from console.link import Link, Look
from console.model import Need, State, why_not
from console.pages.advis_list import AdvisList
from console.pages.incident_list import IncidentList
from console.pages.kommune_list import KommuneList
from console.pages.log import LogPage
from console.pages.overview import Overview
from console.pages.page import Page
from console.pages.pending_list import PendingList
from console.pages.template_list import TemplateList
from console.pages.where import WherePage
from console.theme import DAY, NIGHT, themes
from engine.clock import Clock
from engine.errors import SundhedsagentError
from engine.home import Home

_ANYWAY_S = 5.0  # deadlines pass also where nothing changes
_SHARE = 8  # a look takes at most one part in so many of the time
_LONGEST_PAUSE_S = 15.0
_SAY_S = 6.0
_FONT_FACE = re.compile(r"\s*@font-face\s*\{[^}]*\}")
_NICE = 5  # where both want the processor, the engine comes first
# Objects, then young and middle collections. With Python's own (700, 10, 10) one key in ten waits 5 ms longer.
_COLLECTED_AFTER = 5_000, 10, 10
_SWITCH_S = 0.001  # a key waits no longer than this for the thread that reads; Python's own is 5 ms

_CSS = """
Screen { background: $background; color: $foreground; layers: base over _toastrack _tooltips; }
#body { height: 1fr; background: $background; }
#too-small { display: none; layer: over; width: 100%; height: 100%; content-align: center middle; }
#away { display: none; layer: over; width: 100%; height: auto; margin: 6 4; padding: 1 2; background: $panel; }
.-for-smal #too-small, .-for-lav #too-small { display: block; }
.-for-smal > *, .-for-lav > * { display: none; }
#beside { display: none; width: 37; padding: 0 0 0 1; border-left: solid $border; }
.-bred #beside, .-meget-bred #beside { display: block; }
.-meget-bred #beside { width: 56; }
Toast { background: $panel; color: $foreground; }
"""


class ConsoleApp(App[int]):
    """Sundhedsagentens konsol."""

    TITLE = "Sundhedsagenten"
    CSS = _CSS
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = list(bindings(*EVERYWHERE))
    MODES = {  # noqa: RUF012 - Textual's own way to say it
        "overblik": Overview,
        "adviser": AdvisList,
        "kvitteringer": PendingList,
        "kommuner": KommuneList,
        "skabelon": TemplateList,
        "haendelser": IncidentList,
        "fejlsoegning": WherePage,
        "log": LogPage,
    }
    DEFAULT_MODE = "overblik"

    def __init__(
        self,
        home: Home,
        *,
        clock: Clock | None = None,
        identity: str | None = None,
        seconds: float | None = None,
        only_reads: bool = False,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.mono = mono
        self.state = State()
        self.link = Link(home, clock, identity, only_reads=only_reads)
        self.folder = Path.cwd()  # where files are put that a person asks for
        self._seconds = seconds
        self._hurry = asyncio.Event()
        self._looked_at: Page[Any] | None = None
        self._collected_for: Page[Any] | None = None
        self._looking = False
        self._anyway = True
        self._full_look_at = 0.0
        self._rung_for: tuple[int, ...] = ()
        for theme in themes():
            self.register_theme(theme)
        self.theme = NIGHT

    # --- life ---------------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tick)
        self.work(self._feed(), group="feed")
        if self._seconds is not None:
            self.set_timer(self._seconds, lambda: self.exit(0))

    async def on_unmount(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.link.close)

    @property
    def clock(self) -> Clock:
        return self.link.clock

    @property
    def page(self) -> Page[Any] | None:
        """The page on top."""
        top = self.screen_stack[-1] if self.screen_stack else None
        return top if isinstance(top, Page) else None

    @property
    def _whole_page(self) -> Page[Any] | None:
        """The page on top where it can be drawn: all of it is there, and none of it is being taken down."""
        page = self.page
        return page if page is not None and page.is_mounted and self.is_running else None

    def _tick(self) -> None:
        page = self._whole_page
        if page is not None:
            page.query_one("StatusBar").refresh()
            page.tick()

    # --- the feed -----------------------------------------------------------------------------------------------------

    @property
    def is_at_rest(self) -> bool:
        """The page on top shows what there is, and nobody has asked for another look."""
        fills = any(worker.group == "fill" and not worker.is_finished for worker in self.workers)
        if fills or self._looking or self._hurry.is_set():
            return False
        return self.state.away is not None or (self._looked_at is self.page and not self._anyway)

    def look_now(self) -> None:
        """Look at once, whether anything has changed or not."""
        self._anyway = True
        self._hurry.set()

    async def _feed(self) -> None:
        """Look, draw, wait: the next look begins when the last one has ended, so a slow database gets no queue."""
        failures = 0
        while True:
            page = self.page
            if page is None:
                await asyncio.sleep(0.05)
                continue
            self._hurry.clear()
            anyway = self._anyway or page is not self._looked_at
            anyway = anyway or self.mono() - self._full_look_at >= _ANYWAY_S
            self._anyway = False
            self._looking = True
            begun = time.perf_counter()
            try:
                look = await self.link.look(page.fetch, anyway=anyway, need=page.NEED)
            except SundhedsagentError as error:
                failures += 1
                self._anyway = True
                self._lost(str(error))
                pause = min(_LONGEST_PAUSE_S, page.interval_s * 2**failures)
            else:
                failures = 0
                self._found(page, look)
                pause = max(page.interval_s, _SHARE * (time.perf_counter() - begun))
            self._looking = False
            if self._collected_for is not page:
                self._collected_for = page
                _collect()
            try:
                async with asyncio.timeout(pause):
                    await self._hurry.wait()
            except TimeoutError:
                pass

    def _found(self, page: Page[Any], look: Look) -> None:
        state = self.state
        state.away, state.engine_runs, state.looked_at = None, look.engine_runs, self.mono()
        if look.glance is None:
            return
        self._looked_at, self._full_look_at = page, self.mono()
        first = state.glance is None
        state.caller, state.glance = look.caller, look.glance
        with self.batch_update():
            if page is self._whole_page:
                page.tell_away(None)
                page.show(look.page)
                page.query_one("Banner").set_class(state.incident is not None, "-shown")
            page.refresh_bars()
        self._ring(first=first)

    def _lost(self, why: str) -> None:
        self.state.away = why
        page = self._whole_page
        if page is not None:
            page.refresh_bars()
            if self.state.glance is None:
                page.tell_away(printable_lines(for_screen(why)))

    def _ring(self, *, first: bool) -> None:
        """One bell for each new incident; those that were there before are known."""
        assert self.state.glance is not None
        now = tuple(line.id for line in self.state.glance.incidents)
        if not first and set(now) - set(self._rung_for):
            self.bell()
        self._rung_for = now

    # --- for the pages ------------------------------------------------------------------------------------------------

    def work(self, coroutine: Coroutine[Any, Any, None], *, group: str = "default") -> Worker[None]:
        """Run beside the screen. A failure is told, and never ends the console."""
        return self.run_worker(coroutine, group=group, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR:
            error = event.worker.error
            self.failures.append(error)
            self.say(f"Uventet fejl i konsollen ({type(error).__name__}). Det vises igen om lidt.", "alarm")
            if event.worker.group == "feed":
                self.set_timer(_ANYWAY_S, lambda: self.work(self._feed(), group="feed"))

    failures: ClassVar[list[BaseException | None]] = []  # what no page foresaw; tests want none

    def say(self, text: str, tone: str = "") -> None:
        """Tell something that needs no answer."""
        self.clear_notifications()  # the newest counts, and two would hide half of a small screen
        severity = {"alarm": "error", "warn": "warning"}.get(tone, "information")
        self.notify(printable_lines(for_screen(text)), severity=severity, timeout=_SAY_S, markup=False)  # type: ignore[arg-type]

    def go(self, view: str) -> None:
        """Show a view, as it was left."""
        off = why_not(VIEW_NEEDS.get(view, Need.NOTHING), self.state.caller)
        if off is not None:
            self.say(off, "warn")
        elif self.current_mode != view:
            self.switch_mode(view)
        else:
            while len(self.screen_stack) > 1 and isinstance(self.screen, Page):
                self.pop_screen()

    def go_and_show(self, view: str, what: str) -> None:
        """Show a view, narrowed to what a number counts."""
        self.go(view)
        page = self.page
        if page is not None and page.view == view:
            page.call_after_refresh(page.preset, what)

    def open(self, page: Screen[Any]) -> None:
        """Show a page on top of the present one."""
        self.push_screen(page)

    def action_do(self, id_: str) -> None:
        """Keys of the application itself; pages catch them first."""
        if self.page is not None:
            self.page.action_do(id_)

    # --- what every page can do ---------------------------------------------------------------------------------------

    def do_afslut(self) -> None:
        self.exit(0)

    def do_hent(self) -> None:
        self.refresh(layout=True)  # all of the screen: another program may have written there
        self.look_now()
        self.say("Data hentes igen.")

    def do_tema(self) -> None:
        self.theme = DAY if self.theme == NIGHT else NIGHT
        if self.page is not None:
            self.page.refresh(layout=True)
            self.page.refresh_bars()

    def off(self, action: Action) -> str | None:
        """Why an action cannot be done where the console is shown, in Danish; None where it can."""
        if action.id != "til-side":
            return None
        # By ssh there is no shell to come back to: sudo alone would be stopped, and nobody could wake it.
        by_sudo = "SUDO_UID" in os.environ
        return "Det kan kun gøres i en terminal, og ikke med sudo." if self.is_web or by_sudo else None

    def do_til_side(self) -> None:
        """Nothing of the database is held meanwhile: a console that sleeps must not stop an engine."""

        async def put_aside() -> None:
            async with self.link.at_rest():
                self.action_suspend_process()
            self.look_now()

        self.work(put_aside())

    def do_hjaelp(self) -> None:
        from console.pages.help import HelpPage

        if self.page is not None:
            self.open(HelpPage(self.page))

    def do_kommando(self) -> None:
        from console.pages.palette import PalettePage

        if self.page is not None:
            self.open(PalettePage(self.page))

    def do_billede(self) -> None:
        self.save("skaermbillede.svg", self.picture().encode())

    def picture(self) -> str:
        """The screen as SVG. It names a font and fetches none: whoever opens it asks nobody on the internet."""
        return _FONT_FACE.sub("", self.export_screenshot(title=self.TITLE, simplify=True))

    def save(self, name: str, content: bytes) -> None:
        """Put a file where the person stands, under a name that is free; a browser fetches it to its own place."""
        if self.is_web:
            self.deliver_binary(io.BytesIO(content), save_filename=name, mime_type="application/octet-stream")
            self.say(f"Hentes af browseren: {name}", "ok")
            return

        async def write() -> None:
            from console.files import write_new

            try:
                path = await asyncio.to_thread(write_new, self.folder, name, content)
            except SundhedsagentError as error:
                self.say(str(error), "alarm")
            else:
                self.say(f"Gemt: {path}", "ok")

        self.work(write())

    def copy(self, text: str, what: str) -> None:
        self.copy_to_clipboard(text)
        self.say(f"Kopieret: {what}", "ok")

    def _fatal_error(self) -> None:
        """Textual would show what each variable held, persons too. The kind of error and its place are enough."""
        error = self._exception
        assert error is not None
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        told = f"Uventet fejl ({type(error).__name__}). Stedet står ovenfor; send det til udviklerne."
        self.panic("\n".join([*places, told]))


def printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))


def _collect() -> None:
    """When another page has been drawn: the one that was closed is some megabytes, and nobody waits for a key now.

    What is there after the first look stays, so no collection need go through it (50 ms, each time).
    """
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(*_COLLECTED_AFTER)
        gc.enable()
    elif gc.get_freeze_count():
        gc.collect()


def run_console(
    home: Home,
    *,
    clock: Clock | None = None,
    start_engine: bool = False,
    seconds: float | None = None,
    only_reads: bool = False,
) -> int:
    """Show the console until it is closed; gives the exit status."""
    from console.own_engine import own_engine

    with own_engine(home) if start_engine else nullcontext():
        sys.setswitchinterval(_SWITCH_S)
        os.nice(_NICE)
        # Started with nohup it would outlive its terminal, and read nothing from it as fast as it can.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        app = ConsoleApp(home, clock=clock, seconds=seconds, only_reads=only_reads)
        return app.run() or app.return_code or 0
