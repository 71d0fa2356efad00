"""The kinds of values that settings have: each check says in Danish what it expects."""

import re
from datetime import date, timedelta
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, PlainSerializer

from engine.database_url import checked_url
from engine.domain.ids import is_uuid
from engine.domain.registration import checked_email
from engine.errors import RuleError, SettingsError

MILLISECOND, SECOND, MINUTE = timedelta(milliseconds=1), timedelta(seconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

_UNITS = {"ms": MILLISECOND, "s": SECOND, "min": MINUTE, "h": HOUR, "d": DAY}
_DURATION = re.compile(r"(\d{1,9})\s*(ms|s|min|h|d)")


LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_private_way(url: str) -> bool:
    """Whether nobody can read along: HTTPS, or HTTP within the machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    )


def parse_duration(text: str) -> timedelta | None:
    """What "15 min" says; None for anything that is not written so."""
    match = _DURATION.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None


def duration_text(value: timedelta) -> str:
    """A timedelta as the file has it: in the largest unit that leaves a whole number; one day is 24 h."""
    for name, unit in reversed(_UNITS.items()):
        if value and not value % unit and (unit, value) != (DAY, DAY):
            return f"{value // unit} {name}"
    return f"{value // MILLISECOND} ms"


SenderField = Literal["kildesystem", "modtaget_fra_system", "besked_ansvarlig_aktoer"]


def _duration(least: timedelta, most: timedelta) -> BeforeValidator:
    def check(value: object) -> timedelta:
        parsed = parse_duration(value) if isinstance(value, str) else value
        if not isinstance(parsed, timedelta) or not least <= parsed <= most:
            limits = f"{duration_text(least)} til {duration_text(most)}"
            raise ValueError(
                f'skal være en varighed fra {limits}, skrevet som "15 min" (enheder: ms, s, min, h, d)'
            )
        return parsed

    return BeforeValidator(check)


def _whole(least: int, most: int) -> BeforeValidator:
    def check(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9_]{1,15}", value.strip()):
            value = int(value.replace("_", ""))
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"skal være et helt tal fra {least} til {most}")
        return value

    return BeforeValidator(check)


def _uuid(value: object) -> str:
    if not isinstance(value, str) or not is_uuid(value.strip()):
        raise ValueError('skal være et UUID, fx "3f0c2f6e-8f5b-4f0e-9c55-0d4b7f3a1c2d"')
    return value.strip().lower()


def _sender_fields(value: object) -> tuple[object, ...]:
    known = get_args(SenderField)
    if isinstance(value, str):  # from the environment
        value = [name.strip() for name in value.split(",")]
    fields = tuple(value) if isinstance(value, list | tuple) else ()
    if not fields or len(set(map(str, fields))) < len(fields) or not set(map(str, fields)) <= set(known):
        raise ValueError(f"skal være en liste med et eller flere af {', '.join(known)}, hver højst én gang")
    return fields


def _day(value: object) -> str:
    try:
        return date.fromisoformat(str(value).strip()).isoformat()
    except ValueError as error:
        raise ValueError('skal være en dato, skrevet som "2026-01-31"') from error


def _line(value: object) -> str:
    if not isinstance(value, str) or len(value) > 300 or not value.isprintable():
        raise ValueError("skal være tekst på én linje, højst 300 tegn")
    return value.strip()


def _email(value: object) -> str:
    text = _line(value)
    if not text:
        return text
    try:
        return checked_email(text, "adressen")
    except RuleError as error:
        raise ValueError(f"skal være tom eller én mailadresse, men er {text!r}") from error


def _time_of_day(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value.strip()):
        raise ValueError('skal være et klokkeslæt, skrevet som "07:00"')
    return value.strip()


def _fingerprints(value: object) -> tuple[str, ...]:
    if isinstance(value, str):  # from the environment
        value = [part for part in value.split(",") if part.strip()]
    parts = value if isinstance(value, list | tuple) else ["no list"]
    found = tuple(str(part).replace(":", "").strip().lower() for part in parts)
    if not all(re.fullmatch(r"[0-9a-f]{64}", part) for part in found):
        raise ValueError("skal være en liste af SHA-256-fingeraftryk, hvert på 64 hexcifre")
    return found


def _cvr(value: object) -> str:
    text = _line(value)
    if text and not re.fullmatch(r"[0-9]{8}", text):
        raise ValueError('skal være tom eller et CVR-nummer på 8 cifre, skrevet som "12345678"')
    return text


def _database_url(value: object) -> str:
    try:
        return checked_url(value)
    except SettingsError as error:
        raise ValueError(str(error)) from error


_PRINTED = PlainSerializer(duration_text, return_type=str)
Uuid = Annotated[str, BeforeValidator(_uuid)]
UuidOrNone = Annotated[str, BeforeValidator(lambda value: "" if value == "" else _uuid(value))]
ShortTime = Annotated[timedelta, _duration(10 * MILLISECOND, MINUTE), _PRINTED]
LongTime = Annotated[timedelta, _duration(SECOND, 7 * DAY), _PRINTED]
Batch = Annotated[int, _whole(1, 2_000)]
Bytes = Annotated[int, _whole(10_000, 100_000_000)]
SenderFields = Annotated[tuple[SenderField, ...], BeforeValidator(_sender_fields)]
Day = Annotated[str, BeforeValidator(_day)]
Line = Annotated[str, BeforeValidator(_line)]
Fingerprints = Annotated[tuple[str, ...], BeforeValidator(_fingerprints)]
Cvr = Annotated[str, BeforeValidator(_cvr)]
DatabaseUrl = Annotated[str, BeforeValidator(_database_url)]
Email = Annotated[str, BeforeValidator(_email)]
TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]
Percent = Annotated[int, _whole(1, 100)]
Port = Annotated[int, _whole(1, 65_535)]
PortOrNone = Annotated[int, _whole(0, 65_535)]
