"""Toned text: the smallest thing that all widgets draw. Text from outside is made harmless here, and nowhere else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip

from console.danish import printable
from console.theme import style

Cell = tuple[str, str]  # text and tone

_NARROWEST = 8  # an indented text keeps so much room


@dataclass(frozen=True, slots=True)
class Line:
    """One line of toned text. What does not fit goes on below, `indent` cells in. `link` names what Enter opens."""

    spans: tuple[Cell, ...] = ()
    indent: int = 0
    link: str | None = None


def line(*parts: str | Cell, indent: int = 0, link: str | None = None) -> Line:
    """A line of plain strings and toned ones."""
    return Line(tuple((part, "") if isinstance(part, str) else part for part in parts), indent, link)


def heading(text: str) -> Line:
    return Line(((text, "strong"),))


BLANK = Line()


def fact(name: str, value: str | None, tone: str = "", *, width: int = 18, link: str | None = None) -> Line:
    """A name and its value in two columns."""
    return Line(((f"{name:<{width}} ", "dim"), (value or "–", tone)), width + 1, link)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Text in exactly so many cells; what is cut off shows as "…"."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, width)
    return " " * (width - size) + text if right else text + " " * (width - size)


def width_of(spans: Iterable[Cell]) -> int:
    return sum(cell_len(printable(text)) for text, _ in spans)


def clipped(spans: Sequence[Cell], width: int) -> list[Cell]:
    """The spans in at most so many cells; what is cut off shows as "…"."""
    found: list[Cell] = []
    for text, tone in spans:
        size = cell_len(text)
        if size > width:
            found.append((fit(text, width), tone))
            break
        found.append((text, tone))
        width -= size
    return found


def strip_of(spans: Sequence[Cell], width: int, theme: str, ground: str = "ground") -> Strip:
    """One line of the screen, cut or filled to its width."""
    segments, left = [], width
    for text, tone in spans:
        shown = printable(text)
        size = cell_len(shown)
        if size > left:
            shown, size = fit(shown, left), left
        if size:
            segments.append(Segment(shown, style(theme, tone, ground)))
        left -= size
        if left <= 0:
            break
    if left > 0:
        segments.append(Segment(" " * left, style(theme, "", ground)))
    return Strip(segments, width)


def wrapped(each: Line, width: int) -> list[list[Cell]]:
    """The line in as many as it takes, no word cut in two unless it is longer than a line."""
    parts = [(printable(text), tone) for text, tone in each.spans]
    plain = "".join(text for text, _ in parts)
    tones = [tone for text, tone in parts for _ in text]
    indent = min(each.indent, max(0, width - _NARROWEST))
    lines: list[list[Cell]] = []
    start = 0
    while start < len(plain) or not lines:
        end = _end_of_line(plain, start, width if not lines else width - indent)
        margin = [(" " * indent, "")] if lines and indent else []
        lines.append(margin + _cells(plain, tones, start, end))
        start = end
        while start < len(plain) and plain[start] == " ":
            start += 1
    return lines


def _end_of_line(plain: str, start: int, width: int) -> int:
    """Where the line that begins at `start` ends: at a space where there is one."""
    if cell_len(plain[start:]) <= width:
        return len(plain)
    end, size, space = start, 0, -1
    while end < len(plain):
        size += cell_len(plain[end])
        if size > width:
            break
        if plain[end] == " ":
            space = end
        end += 1
    if end < len(plain) and plain[end] != " " and space > start:
        return space
    return max(end, start + 1)


def _cells(plain: str, tones: Sequence[str], start: int, end: int) -> list[Cell]:
    """The part of a text with its tones, equal neighbours joined."""
    cells: list[Cell] = []
    for position in range(start, end):
        if cells and cells[-1][1] == tones[position]:
            cells[-1] = (cells[-1][0] + plain[position], tones[position])
        else:
            cells.append((plain[position], tones[position]))
    return cells
