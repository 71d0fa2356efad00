"""The end of a certificate is news: so many days ahead, and when it has come."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from engine.domain.events import Level

DAYS = (60, 30, 14, 7)
"""So long ahead it is told."""
OVER = 0
"""Beside the days: it has expired, or cannot be used at all."""
USES = {
    "beskedfordeler": "Beskedfordeleren",
    "vans": "VANS ud",
    "listen": "indgangen over HTTPS",
}
"""What our own certificates are for, by the section of the settings that names each."""

_ALARM_FROM = 14
_DAY = timedelta(days=1)


def crossed(expires_at: datetime, now: datetime) -> int | None:
    """The last of the DAYS that has begun, or OVER; None where the end is further away."""
    left = expires_at - now
    if left < timedelta():
        return OVER
    return min((days for days in DAYS if left <= days * _DAY), default=None)


def level(days: int) -> Level:
    """How much of an alarm it is that so many days are left."""
    return Level.ALARM if days <= _ALARM_FROM else Level.WARNING


def left_text(expires_at: datetime, now: datetime) -> str:
    """How long is left, Danish: "om 12 dage"."""
    days = (expires_at - now) // _DAY
    if days < 1:
        return "om under et døgn"
    return "om 1 dag" if days == 1 else f"om {days} dage"


def uses_text(uses: Iterable[str]) -> str:
    """What it is for, Danish: "Beskedfordeleren og VANS ud"."""
    named = set(uses)
    *others, last = [what for use, what in USES.items() if use in named]
    return f"{', '.join(others)} og {last}" if others else last


def where_text(holders: Iterable[str]) -> str:
    """On which machines, Danish, as the end of a phrase; empty where there is only one."""
    named = sorted(filter(None, set(holders)))
    return f" på {' og '.join(named)}" if named else ""
