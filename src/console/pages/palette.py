"""The command line of the console: type some letters, and every action, view and kommune that has them is there."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.widget import Widget
from textual.widgets import Input

from console.actions import ACTIONS, EVERYWHERE
from console.danish import folded
from console.pages.page import Page
from console.widgets.live_table import Column, LiveTable
from console.widgets.text_line import TextLine

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.office import Visit


@dataclass(frozen=True, slots=True)
class Command:
    """One line. `action` is an action's id, or `kommune` a code to open."""

    name: str
    key: str
    help: str
    off: str | None = None
    action: str | None = None
    kommune: str | None = None


class PalettePage(Page[list[tuple[str, str]]]):
    """Enter carries out, Esc leads back."""

    ABOUT = "Skriv nogle bogstaver af det, du vil, og tryk enter."

    def __init__(self, over: Page[Any]) -> None:
        super().__init__()
        self._over = over
        self.view = over.view
        self._kommuner: list[tuple[str, str]] = []

    def crumbs(self) -> str:
        return "Kommando"

    def content(self) -> Iterable[Widget]:
        yield TextLine(placeholder="Skriv en kommando eller en kommune", id="wanted")
        yield LiveTable(
            [
                Column("Kommando", lambda row: (row.name, "dim" if row.off is not None else ""), 22),
                Column("Tast", lambda row: (row.key, "accent"), 9),
                Column("Hvad den gør", _told, 20, share=1),
            ],
            empty="Intet passer. Skriv færre bogstaver.",
        )

    def on_mount(self) -> None:
        self._filter("")
        self.query_one(Input).focus()

    def fetch(self, visit: "Visit", desk: "Desk") -> list[tuple[str, str]]:
        from engine.desk.stream import kommune_names

        return sorted(kommune_names(visit.conn, visit.only).items())

    def show(self, data: list[tuple[str, str]]) -> None:
        if data != self._kommuner:
            self._kommuner = data
            self._filter(self.query_one(Input).value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._filter(event.value)

    @on(Input.Submitted)
    def _chosen(self) -> None:
        self._table.action_open()

    @on(LiveTable.Opened)
    def _opened(self, event: "LiveTable.Opened") -> None:
        self._carry_out(event.row)

    def on_key(self, event: events.Key) -> None:
        """The arrows move in the list while one types."""
        moves = {"down": 1, "up": -1}
        if event.key in moves and isinstance(self.focused, Input):
            self._table.action_move(moves[event.key])
            event.stop()

    @property
    def _table(self) -> "LiveTable[Command]":
        return self.query_one(LiveTable)

    def _filter(self, wanted: str) -> None:
        found = sorted(
            (
                (rank, place, command)
                for place, command in enumerate(self._commands())
                if (rank := _rank(wanted, command)) is not None
            ),
            key=lambda item: item[:2],
        )
        self._table.show_list([command for _, _, command in found], lambda row: (row.name, row.action))
        self._table.action_to_end(last=False)

    def _commands(self) -> Iterable[Command]:
        for id_ in (*self._over.HAS, *EVERYWHERE):
            action = ACTIONS[id_]
            name = self._over.label_of(action)
            if id_.startswith("vis."):
                name = f"vis {action.label.lower()}"
            told = action.told(in_browser=self.console_app.is_web)
            yield Command(name, action.shown, told, self._over.why_off(action), action=id_)
        for code, name in self._kommuner:
            yield Command(f"kommune {code} {name.removesuffix(' Kommune')}", "", f"Åbn {name}.", kommune=code)

    def _carry_out(self, command: Command) -> None:
        app, over = self.console_app, self._over
        app.pop_screen()
        if command.kommune is not None:
            from console.pages.kommune import KommunePageView

            app.open(KommunePageView(command.kommune))
        elif command.action is not None:
            over.action_do(command.action)


def _told(row: Command) -> tuple[str, str]:
    return row.off or row.help, "dim"


def _rank(wanted: str, command: Command) -> int | None:
    """The better it fits the lower; None where it does not: words first, then letters in their order."""
    wish, name = folded(wanted), folded(command.name)
    if not wish:
        return 0 if command.action else None
    if name.startswith(wish):
        return 0
    if all(any(part.startswith(word) for part in name.split()) for word in wish.split()):
        return 1
    if wish in name or wish in folded(command.help):
        return 2
    letters = iter(name)
    return 3 if command.action and all(char in letters for char in wish.replace(" ", "")) else None
