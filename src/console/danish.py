"""How the console writes: times, lengths of time, numbers, and text from outside made harmless."""

import re
import unicodedata
from datetime import datetime, timedelta

from engine.commands.output import number, period, yes_no
from engine.commands.output import printable as _printable
from engine.local_time import local

__all__ = [
    "DEADLINE",
    "ago",
    "clock",
    "countdown",
    "counted",
    "day_and_clock",
    "folded",
    "for_screen",
    "in_words",
    "minutes",
    "number",
    "one_line",
    "period",
    "printable",
    "short_name",
    "yes_no",
]

_SECOND = timedelta(seconds=1)
BAR = 8  # cells of a countdown's bar
SOON = timedelta(minutes=10)
DEADLINE = timedelta(minutes=45)  # a full bar (the handbook's section 5)


def printable(text: str) -> str:
    """Text from outside as a terminal may have it: nothing in it moves, colours or turns the writing around."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return text if text.isprintable() else _printable(text)


def folded(text: str) -> str:
    """To compare by: letters alone count, and "aarhus" is "Århus"."""
    return unicodedata.normalize("NFC", text).strip().casefold().translate(_LETTERS)


_LETTERS = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa"})


def for_screen(text: str) -> str:
    """A message of the engine without its hints to the command line: on the screen there are keys for that."""
    text = _OPTIONS.sub("", _FORCE.sub("Vælges Tving,", text))
    return "\n".join(_COMMAND.sub(".", part).rstrip() for part in text.split("\n"))


_COMMAND = re.compile(r"(?:[:;,]| med:?| af:?| med den:?)*\s*sundhedsagent(?: [^\s.,;]+)+(?: …)?\.?")
_OPTIONS = re.compile(r"\s*\(--[a-z-]+\)|: --[a-z-]+ [A-ZÆØÅ]+")
_FORCE = re.compile(r"Med --force")


def one_line(text: str) -> str:
    """Text of several lines on one."""
    return printable(" ".join(text.split()))


def clock(at: datetime) -> str:
    """The time of day: "09:30:12"."""
    return f"{local(at):%H:%M:%S}"


def day_and_clock(at: datetime | None, beside: datetime) -> str:
    """The time of day; with the date where it is another day than `beside` is."""
    if at is None:
        return "–"
    there = local(at)
    if there.date() == local(beside).date():
        return there.time().isoformat("seconds")
    if abs(at - beside) < timedelta(days=300):
        return f"{there.day}.{there.month}. {there:%H:%M}"
    return f"{there.day}.{there.month}.{there.year}"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago: "4 min siden"."""
    if at is None:
        return "aldrig"
    seconds = int((now - at) // _SECOND)
    return "nu" if seconds < 1 else f"{in_words(timedelta(seconds=seconds))} siden"


def in_words(length: timedelta) -> str:
    """A length of time in its largest unit, and the next where it says something: "1 t 5 min"."""
    seconds = int(abs(length) // _SECOND)
    return period(seconds if seconds < 120 else seconds // 60 * 60)


def counted(count: int, one: str, many: str) -> str:
    """A number with its word: "1 sag", "1.204 sager"."""
    return f"{number(count)} {one if count == 1 else many}"


def minutes(seconds: float | None) -> str:
    """A number of seconds as minutes and seconds: "3:05"."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"


def countdown(due: datetime | None, now: datetime, whole: timedelta) -> tuple[str, str]:
    """What is left of a deadline as sign, bar and digits, and its tone: "◆ ━╌╌╌╌╌╌╌  08:53".

    The sign and the digits alone say it all: nobody needs the colour.
    """
    if due is None:
        return f"· {'╌' * BAR}  ingen frist", "dim"
    left = due - now
    seconds = int(abs(left) // _SECOND)
    hours, rest = divmod(seconds, 3600)
    digits = f"{rest // 60:02}:{rest % 60:02}"
    if hours:
        digits = f"{hours}:{digits}"
    if left <= timedelta(0):  # at the instant itself it is missing (flow/watch.py)
        return f"▲ {'╌' * BAR} {'-' + digits:>7}", "alarm"
    full = max(0, min(BAR, -(-left * BAR // whole))) if whole else 0
    bar = "━" * full + "╌" * (BAR - full)
    soon = left < SOON
    return f"{'◆' if soon else '●'} {bar} {digits:>7}", "warn" if soon else "ok"


def short_name(name: str | None) -> str:
    """A kommune as people say it: without the word itself."""
    return (name or "–").removesuffix(" Kommune")
