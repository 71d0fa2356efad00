"""How receivers answer: by seeded chance, so that each advis meets the same answer in every run."""

import random
from dataclasses import astuple, dataclass
from datetime import timedelta
from enum import StrEnum

from engine.domain.acknowledgement import ResponseCode
from engine.simulation.made_up import dice

QUICK_SECONDS = (2, 90)
LATE_MINUTES = (32, 40)  # after the hospital's first copy, before the 45 minutes are over
AGAIN_SECONDS = (20, 120)  # until a kvittering is sent a second time
RECOVERED_MINUTES = (8, 20)  # from a transient-error to the ok


class Manner(StrEnum):
    """What one receiver does with one advis."""

    PROMPT = "prompt"  # ok, at once
    LATE = "late"  # ok, after the hospital has lost patience
    NEGATIVE = "negative"  # fatal-error
    TWICE = "twice"  # ok, and the same kvittering again
    TRANSIENT = "transient"  # transient-error, then ok
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Habits:
    """How often each manner is met; shares of one, in the order of `Manner`."""

    prompt: float
    late: float = 0.0
    negative: float = 0.0
    twice: float = 0.0
    transient: float = 0.0
    never: float = 0.0


FLAWLESS = Habits(prompt=1.0)
ORDINARY = Habits(prompt=0.965, late=0.01, negative=0.01, twice=0.005, transient=0.005, never=0.005)
DEMO = Habits(prompt=0.84, late=0.05, negative=0.03, twice=0.03, transient=0.03, never=0.02)
TROUBLED = Habits(prompt=0.4, late=0.15, negative=0.1, twice=0.1, transient=0.1, never=0.15)
PRESETS = {"flawless": FLAWLESS, "ordinary": ORDINARY, "demo": DEMO, "troubled": TROUBLED}


@dataclass(frozen=True, slots=True)
class Course:
    """A manner and the answers that it comes to: each so long after the advis was taken."""

    manner: Manner
    answers: tuple[tuple[timedelta, ResponseCode], ...]


def course_of(habits: Habits, *, seed: int, system: str, message_id: str) -> Course:
    """What this system does with this advis."""
    rng = dice(seed, "manner", system, message_id)
    manner = rng.choices(list(Manner), astuple(habits))[0]
    quick = _between(rng, QUICK_SECONDS, timedelta(seconds=1))
    ok = ResponseCode.OK
    answers: tuple[tuple[timedelta, ResponseCode], ...]
    match manner:
        case Manner.PROMPT:
            answers = ((quick, ok),)
        case Manner.LATE:
            answers = ((_between(rng, LATE_MINUTES, timedelta(minutes=1)), ok),)
        case Manner.NEGATIVE:
            answers = ((quick, ResponseCode.FATAL_ERROR),)
        case Manner.TWICE:
            answers = ((quick, ok), (quick + _between(rng, AGAIN_SECONDS, timedelta(seconds=1)), ok))
        case Manner.TRANSIENT:
            recovered = _between(rng, RECOVERED_MINUTES, timedelta(minutes=1))
            answers = ((quick, ResponseCode.TRANSIENT_ERROR), (quick + recovered, ok))
        case Manner.NEVER:
            answers = ()
    return Course(manner, answers)


def _between(rng: random.Random, limits: tuple[float, float], unit: timedelta) -> timedelta:
    return unit * rng.uniform(*limits)
