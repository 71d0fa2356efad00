"""What commands print: aligned text for people, JSON for programs.

Nothing from outside reaches a terminal unchecked.
"""

import dataclasses
import json
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

_GAP = "  "
_NARROWEST = 8  # no column is cut below this
_COLOURS = {"red": "31", "yellow": "33", "green": "32", "bold": "1", "dim": "2"}


def printable(text: str) -> str:
    """The text without anything that could move the cursor, change colours or turn the writing around."""
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"


def say(*lines: str) -> None:
    """Print lines of text, made printable. A terminal gets no word cut in two, a pipe each line as it is."""
    for line in lines:
        for part in _wrapped(printable(line)):
            print(part)


def _wrapped(line: str) -> list[str]:
    if not sys.stdout.isatty():
        return [line]
    indent = " " * (len(line) - len(line.lstrip(" ")))
    columns = max(_NARROWEST, shutil.get_terminal_size().columns)
    parts = textwrap.wrap(
        line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return parts or [""]


def print_json(value: object) -> None:
    """One JSON value, UTF-8 whatever the terminal says, and nothing else."""
    text = json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n"
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(text)
    else:
        # A lone surrogate from a message becomes its JSON escape.
        buffer.write(text.encode("utf-8", "backslashreplace"))
        buffer.flush()


def plain(value: Any) -> Any:
    """Dataclasses as dicts, instants as ISO 8601 in UTC with Z, days as ISO dates."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Mapping():
            return {name: plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), whole: bool = False
) -> None:
    """Print rows aligned under their headings; columns whose index is in `right` are aligned right.

    On a terminal the widest column is cut where a row would not fit, unless all is wanted `whole`. A pipe
    gets every word.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(headings, *cells, strict=True)]
    if sys.stdout.isatty() and not whole:
        _fit(widths, shutil.get_terminal_size().columns)
    print(paint(_row(headings, widths, right), "bold"))
    for row in cells:
        print(_row(row, widths, right))


def facts(pairs: Iterable[tuple[str, str | None]]) -> None:
    """Print names and values in two columns; what is None is left out."""
    shown = [(name, value) for name, value in pairs if value is not None]
    width = max((_width(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name}{' ' * (width - _width(name))}{_GAP}{printable(value)}")


def dated(time: str, text: str, colour: str | None = None) -> None:
    """Print a line that begins with its time; on a terminal the text stays in a column of its own."""
    indent = " " * (_width(time) + len(_GAP))
    lines = [printable(text)]
    if sys.stdout.isatty():
        room = max(_NARROWEST, shutil.get_terminal_size().columns - len(indent))
        lines = textwrap.wrap(lines[0], room) or [""]
    for position, line in enumerate(lines):
        start = indent if position else f"{time}{_GAP}"
        print(start + (paint(line, colour) if colour else line))


def heading(text: str) -> None:
    print()
    print(paint(printable(text), "bold"))


def paint(text: str, colour: str, *, stream: Any = None) -> str:
    """The text in a colour, where a person looks at it and wants colours (NO_COLOR says that they do not)."""
    stream = stream or sys.stdout
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def number(value: int) -> str:
    """A number as Danes write it: 12.345."""
    return f"{value:,}".replace(",", ".")


def period(seconds: int) -> str:
    """A length of time in its two largest units: "1 t 5 min"."""
    left = abs(seconds)
    parts: list[str] = []
    for unit, name in ((86_400, "d"), (3_600, "t"), (60, "min"), (1, "s")):
        count, left = divmod(left, unit)
        if count or (unit == 1 and not parts):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def ago(at: datetime, now: datetime) -> str:
    return f"{period(int((now - at) // timedelta(seconds=1)))} siden"


def yes_no(value: bool) -> str:
    return "ja" if value else "nej"


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    marks = sum(unicodedata.combining(char) > 0 for char in text)
    return len(text) + wide - marks


def _fit(widths: list[int], columns: int) -> None:
    while sum(widths) + len(_GAP) * (len(widths) - 1) > columns and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    placed = []
    for position, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        shown = cell if _width(cell) <= width else cell[: width - 1] + "…"
        space = " " * max(0, width - _width(shown))
        placed.append(space + shown if position in right else shown + space)
    return _GAP.join(placed).rstrip()
