"""What every page shares: the lines around it, its keys, and how data comes to it."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from console.actions import ACTIONS, EVERYWHERE, VIEWS, Action, bindings
from console.model import Need, why_not
from console.widgets.chrome import Banner, Crumbs, KeyBar, StatusBar, Tabs
from console.widgets.spans import Cell
from engine.errors import SundhedsagentError

if TYPE_CHECKING:
    from console.app import ConsoleApp
    from console.link import Desk, Door
    from engine.desk.act import Act
    from engine.desk.office import Visit

D = TypeVar("D")
T = TypeVar("T")

SMALLEST = (60, 15)
TOO_SMALL = f"Vinduet er for lille (kræver {SMALLEST[0]}×{SMALLEST[1]})"


class Page(Screen[None], Generic[D]):
    """A page shows what `fetch` brings. `fetch` runs in a thread, in one transaction with the top line."""

    view: str = "overblik"  # which of the views it belongs to
    HAS: ClassVar[Sequence[str]] = ()  # ids of its actions, the most useful first
    ABOUT: ClassVar[str] = ""  # what it is for, in Danish, for the help
    BINDINGS: ClassVar[list[BindingType]] = list(bindings(*EVERYWHERE))
    HORIZONTAL_BREAKPOINTS = [(0, "-for-smal"), (SMALLEST[0], "-smal"), (120, "-bred"), (160, "-meget-bred")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-for-lav"), (SMALLEST[1], "-lav"), (30, "-hoej")]  # noqa: RUF012
    interval_s: ClassVar[float] = 0.5  # between two looks
    NEED: ClassVar[Need] = Need.NOTHING  # what it asks of the one who looks

    def __init_subclass__(cls) -> None:
        cls.BINDINGS = list(bindings(*cls.HAS))
        super().__init_subclass__()

    # --- what a page says of itself -----------------------------------------------------------------------------------

    def crumbs(self) -> str:
        """Where one is: "Adviser › nr. 12"."""
        return VIEWS[self.view]

    def chips(self) -> Iterable[Cell]:
        """What stands to the right of that: counts and filters."""
        return ()

    def content(self) -> Iterable[Widget]:
        """The page itself."""
        return ()

    def fetch(self, visit: "Visit", desk: "Desk") -> D:
        """Read what is shown. In a thread: it touches no widget."""
        raise NotImplementedError

    def show(self, data: D) -> None:
        """Draw what was read."""

    def preset(self, what: str) -> None:
        """Narrow it to what a number of the overview counts."""

    def tick(self) -> None:
        """A second has passed."""

    def kommune_code(self) -> str | None:
        """The kommune that it is about, where it is about one: some roles reach so far."""
        return None

    def off(self, action: Action) -> str | None:
        """Why an action makes no sense now, in Danish; None where it does."""
        return None

    def label_of(self, action: Action) -> str:
        return action.label

    def keys_shown(self) -> Sequence[str]:
        """The actions of the key bar."""
        return self.HAS

    # --- the frame ----------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield StatusBar()
        yield Banner()
        yield Tabs()
        yield Crumbs()
        with Vertical(id="body"):
            yield from self.content()
        yield KeyBar()
        yield Static(TOO_SMALL, id="too-small", markup=False)
        yield Static(id="away", markup=False)

    @property
    def console_app(self) -> "ConsoleApp":
        from console.app import ConsoleApp

        assert isinstance(self.app, ConsoleApp)
        return self.app

    def tell_away(self, why: str | None) -> None:
        """Say in large why nothing can be shown, until something is."""
        told = self.query_one("#away", Static)
        told.display = why is not None
        if why is not None:
            told.update(why)

    def refresh_bars(self) -> None:
        for bar in self.query("StatusBar, Banner, Tabs, Crumbs, KeyBar"):
            bar.refresh()

    def refresh_where(self) -> None:
        """The crumbs and the keys: what depends on where the cursor is."""
        for bar in self.query("Crumbs, KeyBar"):
            bar.refresh()

    def on_screen_resume(self) -> None:
        self.console_app.look_now()

    # --- actions ------------------------------------------------------------------------------------------------------

    def why_off(self, action: Action) -> str | None:
        """Why it cannot be done now: the role, or the state of things."""
        app = self.console_app
        off = why_not(action.need, app.state.caller, self.kommune_code())
        return off or app.off(action) or self.off(action)

    def action_do(self, id_: str) -> None:
        if not self.is_mounted:  # keys can be quicker than the page they are for
            self.call_later(self.action_do, id_)
            return
        action = ACTIONS[id_]
        off = self.why_off(action)
        if off is not None:
            self.console_app.say(off, "warn")
            return
        if id_.startswith("vis."):
            self.console_app.go(id_.removeprefix("vis."))
            return
        method: Callable[[], None] | None = getattr(self, action.method, None)
        if method is None:
            method = getattr(self.console_app, action.method)
        assert method is not None
        method()

    def do_tilbage(self) -> None:
        if len(self.console_app.screen_stack) > 1:
            self.console_app.pop_screen()

    def do_aabn(self) -> None:
        focused = self.focused
        if focused is not None and hasattr(focused, "action_open"):
            focused.action_open()

    # --- changes ------------------------------------------------------------------------------------------------------

    def change(
        self,
        door: "Door",
        work: "Callable[[Act, Desk], T]",
        done: Callable[[T], str],
        *,
        kommune: str | None = None,
    ) -> None:
        """Carry out a change at once, and say what came of it."""

        async def carry_out() -> None:
            try:
                result = await self.console_app.link.do(door, work, kommune=kommune)
            except SundhedsagentError as error:
                self.console_app.say(str(error), "alarm")
            else:
                self.console_app.say(done(result), "ok")
            self.console_app.look_now()

        self.console_app.work(carry_out())
