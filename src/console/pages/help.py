"""Help for the page one comes from: what it is for, and each of its keys with what it does, or why it is off."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from textual.widget import Widget

from console.actions import ACTIONS, EVERYWHERE
from console.pages.page import Page
from console.widgets.sheet import Sheet
from console.widgets.spans import BLANK, Line, heading, line

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.office import Visit

_MOVING = (
    ("↑ ↓  j k", "Flyt en linje."),
    ("PgUp PgDn", "Flyt en side."),
    ("Home End  g G", "Gå til først eller sidst."),
    ("enter", "Åbn det, markøren står på. Dobbeltklik gør det samme."),
    ("tab", "Gå til næste felt eller rude."),
)
_WORDS = (
    ("●", "godt"),
    ("◆", "hold øje"),
    ("▲", "gør noget"),
    ("·", "ikke brugt endnu, eller ingen frist"),
)


class HelpPage(Page[None]):
    """Esc leads back."""

    ABOUT = "Hjælpen følger den side, du kommer fra."

    def __init__(self, about: Page[Any]) -> None:
        super().__init__()
        self._about = about
        self.view = about.view

    def crumbs(self) -> str:
        return f"{self._about.crumbs()} › Hjælp"

    def content(self) -> Iterable[Widget]:
        yield Sheet(self._lines())

    def fetch(self, visit: "Visit", desk: "Desk") -> None:
        return None

    def _lines(self) -> list[Line]:
        about = self._about
        lines = [heading("Hvad siden er til"), line(about.ABOUT), BLANK, heading("Tasterne her")]
        lines += [self._key(id_) for id_ in about.HAS]
        lines += [BLANK, heading("Siderne")]
        lines += [self._key(id_, named=True) for id_ in EVERYWHERE if id_.startswith("vis.")]
        lines += [BLANK, heading("Flyt og åbn")]
        lines += [_told(keys, what) for keys, what in _MOVING]
        lines += [BLANK, heading("Overalt")]
        lines += [self._key(id_) for id_ in EVERYWHERE if not id_.startswith("vis.")]
        lines += [BLANK, heading("Tegn"), *(_told(sign, what) for sign, what in _WORDS)]
        return lines

    def _key(self, id_: str, *, named: bool = False) -> Line:
        action = ACTIONS[id_]
        keys = f"{action.shown} {action.label}" if named else action.shown
        off = self._about.why_off(action)
        told = _told(keys, action.told(in_browser=self.console_app.is_web), "dim" if off else "")
        return told if off is None else Line((*told.spans, (f" ({off})", "warn")), told.indent)

    def do_hjaelp(self) -> None:
        self.do_tilbage()


def _told(keys: str, what: str, tone: str = "") -> Line:
    return Line(((f"  {keys:<14} ", "dim" if tone else "accent"), (what, tone)), indent=17)
