"""Times as people in Denmark read them. The database and all JSON have UTC."""

from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@cache
def _zone() -> tzinfo:
    try:
        return ZoneInfo("Europe/Copenhagen")
    except ZoneInfoNotFoundError:  # a machine without time zones: right and labelled beats guessed
        return UTC


def local(at: datetime) -> datetime:
    """The same instant in Danish time."""
    return at.astimezone(_zone())


def local_text(at: datetime) -> str:
    """Date and time to the second: "2026-07-01 14:45:10"."""
    return f"{local(at):%Y-%m-%d %H:%M:%S}{_label()}"


def clock_text(at: datetime, beside: datetime) -> str:
    """The time of day, with the date where it is another day than `beside` is."""
    shown, day = local(at), local(beside).date()
    return f"{shown:%H:%M:%S}{_label()}" + ("" if shown.date() == day else f" den {shown:%d.%m.%Y}")


def _label() -> str:
    return " UTC" if _zone() is UTC else ""


def from_local(at: datetime) -> datetime:
    """The instant that a Danish time without a zone means."""
    return at.replace(tzinfo=_zone())
