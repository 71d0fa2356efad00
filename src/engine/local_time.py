"""Times as people in Denmark read and write them. The database and all JSON have UTC."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.domain.registration import begun
from engine.errors import RuleError

_EARLIEST, _LATEST = 1900, 9999  # beyond them, another zone's time may not exist


@cache
def _zone() -> tzinfo:
    try:
        return ZoneInfo("Europe/Copenhagen")
    except ZoneInfoNotFoundError:  # a machine without time zones: right and labelled beats guessed
        return UTC


def local(at: datetime) -> datetime:
    """The same instant in Danish time."""
    return at.astimezone(_zone())


def local_date(at: datetime) -> date:
    """The Danish day of an instant."""
    return local(at).date()


def local_text(at: datetime) -> str:
    """Date and time to the second: "2026-07-01 14:45:10"."""
    return f"{local(at):%Y-%m-%d %H:%M:%S}{_label()}"


def planned_text(at: datetime) -> str:
    """A planned moment, to the minute where it has no seconds: "1.12.2026 kl. 10:00"."""
    shown = local(at)
    # In the hour that a winter night has twice, the offset tells which one.
    twice = f" ({shown:%z})" if _is_twice(shown) else ""
    clock = f"{shown:%H:%M}" if not (shown.second or shown.microsecond) else f"{shown:%H:%M:%S}"
    return f"{shown.day}.{shown.month}.{shown.year} kl. {clock}{twice}{_label()}"


def date_text(day: date) -> str:
    """A day as Danes write it: "1.12.2026"."""
    return f"{day.day}.{day.month}.{day.year}"


def clock_text(at: datetime, beside: datetime) -> str:
    """The time of day, with the date where it is another day than `beside` is."""
    shown, day = local(at), local(beside).date()
    return f"{shown:%H:%M:%S}{_label()}" + ("" if shown.date() == day else f" den {shown:%d.%m.%Y}")


def _label() -> str:
    return " UTC" if _zone() is UTC else ""


def from_local(at: datetime) -> datetime:
    """The instant that a Danish time without a zone means."""
    return at.replace(tzinfo=_zone())


def exact_moment(text: str, what: str) -> datetime:
    """As exact_instant, but a day alone is not enough: a switchover needs date and time (the handbook's 3.3)."""
    at = exact_instant(text, what)
    if ":" not in text:
        raise RuleError(
            f'{begun(what)} skal have både dato og klokkeslæt, fx "2026-12-01 10:00", men er {text!r}.'
        )
    return at


def exact_instant(text: str, what: str) -> datetime:
    """The one instant that `text` means, in Danish time unless it names a zone; a day alone is its beginning.

    RuleError where it is no time, or one that the change between summer and winter time leaves out or has twice.
    """
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise RuleError(
            f'{begun(what)} skal skrives som "2026-12-01 10:00" (dansk tid), men er {text!r}.'
        ) from error
    if not _EARLIEST < at.year < _LATEST:
        raise RuleError(f"{begun(what)} {text.strip()} ligger uden for kalenderen. Er årstallet rigtigt?")
    if at.tzinfo is not None:
        return at.astimezone(UTC)
    meant = from_local(at)
    if local(meant.astimezone(UTC)).replace(tzinfo=None) != at:
        raise RuleError(
            f"{begun(what)} {text.strip()} findes ikke: den nat stilles urene frem til sommertid. "
            "Vælg et tidspunkt før kl. 02:00 eller fra kl. 03:00."
        )
    if _is_twice(meant):
        clock = f"{at:%Y-%m-%d %H:%M}"
        raise RuleError(
            f"{begun(what)} {text.strip()} findes to gange: den nat stilles urene tilbage til vintertid. "
            f'Skriv "{clock}+02:00" for den første eller "{clock}+01:00" for den anden.'
        )
    return meant.astimezone(UTC)


def _is_twice(at: datetime) -> bool:
    """Whether this Danish time is in the hour that comes twice."""
    first, second = at.replace(fold=0).utcoffset(), at.replace(fold=1).utcoffset()
    return (first or timedelta()) > (second or timedelta())
