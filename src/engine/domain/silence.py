"""When silence is news: against what the same hour of the week usually brings.

Adviser come by chance, at a rate that the hour of the week decides. While nothing comes, the number that should have
come grows: E, the rate summed up over the silence. Nothing comes all the same with probability exp(-E). Each of the N
adviser of a year begins a silence, so that silences with E >= L happen by mere chance N * exp(-L) times a year. With
L = ln(N / F) that is F times: `incident.false_alarms_per_year`.

The rate is learnt from the last weeks, and only `SHARE` of it is counted on: a public holiday brings about half of what
the same hour of an ordinary week does. So on ordinary days the stated rate is an upper bound, kept by a wide margin.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.local_time import local

SHARE = 0.4
WEEKS = 8  # what is learnt from
LEAST_WEEKS = 2  # before there are so many of an hour, the settings decide
_DAY_BEGINS, _DAY_ENDS = 7, 22  # Danish time
_HOUR = timedelta(hours=1)
_WEEKS_PER_YEAR = 52

Slot = tuple[
    int, int
]  # weekday and hour, Danish time: an hour of the week keeps its place through summer time


@dataclass(frozen=True, slots=True)
class Habit:
    """What usually comes: adviser per hour for each hour of the week that is known well enough."""

    rates: Mapping[Slot, float]

    @property
    def per_year(self) -> float:
        return sum(self.rates.values()) * _WEEKS_PER_YEAR


def slot(at: datetime) -> Slot:
    there = local(at)
    return there.weekday(), there.hour


def learn(counts: Mapping[datetime, int], now: datetime) -> Habit:
    """What the hours before the present one tell; `counts` has no entry for an hour in which nothing came.

    Of each hour of the week the lower median counts: neither an outage nor a holiday among the weeks changes much, and
    a doubt is decided for the lesser rate. What lies before the first adviser of all is no history.
    """
    if not counts:
        return Habit({})
    hour = now.replace(minute=0, second=0, microsecond=0)
    first = min(counts)
    seen: dict[Slot, list[int]] = {}
    for back in range(1, WEEKS * 7 * 24 + 1):
        past = hour - back * _HOUR
        if past < first:
            break
        seen.setdefault(slot(past), []).append(counts.get(past, 0))
    return Habit({of: _lower_median(found) for of, found in seen.items() if len(found) >= LEAST_WEEKS})


def limit(habit: Habit, false_alarms_per_year: float) -> float:
    """L: so many must have been expected before silence is news. Never below 3, which chance exceeds once in 20."""
    return max(3.0, math.log(max(1.0, habit.per_year) / false_alarms_per_year))


def silence(
    habit: Habit,
    begins: datetime,
    ends: datetime,
    *,
    false_alarms_per_year: float,
    unlearnt: Callable[[datetime], timedelta] | None = None,
) -> float:
    """How far a silence has come towards being news, which it is at 1 and above.

    `unlearnt` gives for an hour without history how long a silence there is news; without it that hour counts nothing.
    """
    enough = limit(habit, false_alarms_per_year)
    total = 0.0
    at = begins
    while at < ends:
        until = min(ends, at.replace(minute=0, second=0, microsecond=0) + _HOUR)
        rate = habit.rates.get(slot(at))
        if rate is not None:
            total += SHARE * rate * ((until - at) / _HOUR) / enough
        elif unlearnt is not None:
            total += (until - at) / unlearnt(at)
        at = until
    return total


def is_day(at: datetime) -> bool:
    return _DAY_BEGINS <= local(at).hour < _DAY_ENDS


def _lower_median(values: Sequence[int]) -> float:
    return float(sorted(values)[(len(values) - 1) // 2])
