"""The demo's live view: what comes in, goes out and is answered, once a second, in a plain terminal."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

RECENT_SHOWN = 9  # what fits into 24 lines with the rest
_WIDEST = 100  # wider lines are harder to read
_NUMBER = "bold"


@dataclass(frozen=True, slots=True)
class RecentAdvis:
    """How far one of the latest adviser has come. Nothing about the patient."""

    code: str  # "STIN"
    text: str  # "Start sygehusophold – indlagt"
    kommune: str  # "Aarhus Kommune"
    published: bool = False
    acknowledged: int = 0
    expected: int = 0
    answered: bool = False
    negative: bool = False  # a kvittering was fatal-error or transient-error


@dataclass(frozen=True, slots=True)
class DemoFigures:
    """What the engine has done so far."""

    received: int = 0  # adviser
    published: int = 0  # adviser
    acknowledged: int = 0  # kvitteringer that have come
    expected: int = 0  # kvitteringer that are or were waited for
    answered: int = 0  # adviser of which the hospital has got the verdict
    pending: int = 0  # kvitteringer that are waited for now
    copies: int = 0
    fatal_errors: int = 0
    transient_errors: int = 0
    recent: tuple[RecentAdvis, ...] = ()  # the latest first


def number(value: float) -> str:
    """A number as Danes write it: 12.345."""
    return f"{value:,.0f}".replace(",", ".")


def rate(value: float) -> str:
    """One decimal, with a comma."""
    return f"{value:.1f}".replace(".", ",")


def can_be_live(console: Console) -> bool:
    """Only a real terminal gets a moving picture; a pipe, a file or a build log does not."""
    return console.file.isatty() and not console.is_dumb_terminal


def way(advis: RecentAdvis) -> Text:
    """Modtaget → Fordelt → Kvitteret 2/3 → Besvaret: words first, so that it reads without colours."""
    steps = [("Modtaget", "green")]
    if advis.published:
        steps.append(("Fordelt", "green"))
        count = f"Kvitteret {advis.acknowledged}/{advis.expected}"
        if advis.negative:
            steps.append((f"{count} !", "yellow"))
        else:
            steps.append((count, "green" if advis.acknowledged >= advis.expected else "dim"))
    if advis.answered:
        steps.append(("Besvaret", "green"))
    line = Text(overflow="ellipsis", no_wrap=True)
    for position, (word, style) in enumerate(steps):
        line.append(" → " if position else "", style="dim")
        line.append(word, style=style)
    return line


class DemoView:
    """Draws figures and time; a context manager around the demo's loop.

    `figures` is asked once in each `every` seconds at most, so that looking costs the engine nothing.
    """

    def __init__(
        self,
        console: Console,
        *,
        figures: Callable[[], DemoFigures],
        elapsed: Callable[[], float],
        seconds: float,
        title: str,
        live: bool | None = None,
        every: float = 1.0,
    ) -> None:
        self._console = console
        self._figures = figures
        self._elapsed = elapsed
        self._seconds = seconds
        self._title = title
        self._every = every
        self._next = -math.inf
        self._before: tuple[float, DemoFigures] | None = None
        self._live = (
            Live(console=console, auto_refresh=False, transient=True)
            if (can_be_live(console) if live is None else live)
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self) -> None:
        """Draw anew if it is time and there is somewhere to draw."""
        elapsed = self._elapsed()
        if self._live is None or elapsed < self._next:
            return
        self._next = elapsed + self._every
        self._live.update(self.render(self._figures(), elapsed), refresh=True)

    def render(self, figures: DemoFigures, elapsed: float) -> RenderableType:
        """The whole picture at one instant."""
        before_at, before = self._before or (0.0, DemoFigures())
        self._before = (elapsed, figures)
        passed = max(elapsed - before_at, 1e-9)
        return Panel(
            Group(
                self._time(elapsed),
                Text(),
                _numbers(figures, before, passed),
                Text(),
                _recent(figures.recent[:RECENT_SHOWN]),
            ),
            title=self._title,
            title_align="left",
            subtitle="Ctrl+C afbryder",
            subtitle_align="right",
            width=min(self._console.width, _WIDEST),
            border_style="dim",
        )

    def _time(self, elapsed: float) -> RenderableType:
        line = Table.grid(expand=True, padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(ratio=1)
        line.add_column(justify="right", no_wrap=True)
        done = min(elapsed, self._seconds)
        bar = ProgressBar(self._seconds, done, complete_style="green", finished_style="green")
        left = self._seconds - elapsed
        rest = f"{math.ceil(left)} s tilbage" if left > 0 else "afventer det sidste"
        line.add_row("Tid", bar, rest)
        return line


def _numbers(figures: DemoFigures, before: DemoFigures, passed: float) -> RenderableType:
    table = Table.grid(expand=True, padding=(0, 1))
    for _ in range(5):
        table.add_column(justify="center", ratio=1, no_wrap=True)
    table.add_row("Modtaget", "Fordelt", "Kvitteret", "Besvaret", "Afventer", style="dim")
    table.add_row(
        *(
            Text(number(value), style=_NUMBER)
            for value in (
                figures.received,
                figures.published,
                figures.acknowledged,
                figures.answered,
                figures.pending,
            )
        )
    )
    gained = (
        figures.received - before.received,
        figures.published - before.published,
        figures.acknowledged - before.acknowledged,
        figures.answered - before.answered,
    )
    table.add_row(*(f"{rate(max(gain, 0) / passed)}/s" for gain in gained), "kvitteringer", style="dim")
    return table


def _recent(adviser: tuple[RecentAdvis, ...]) -> RenderableType:
    table = Table(expand=True, box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="dim")
    table.add_column("Advis", width=7, no_wrap=True)
    table.add_column("Kommune", width=18, no_wrap=True, overflow="ellipsis")
    table.add_column("Forløb", ratio=1, no_wrap=True, overflow="ellipsis")
    for advis in adviser:
        table.add_row(advis.code, advis.kommune.removesuffix(" Kommune"), way(advis))
    for _ in range(RECENT_SHOWN - len(adviser)):
        table.add_row("", "", "")  # the picture keeps its height
    return table
