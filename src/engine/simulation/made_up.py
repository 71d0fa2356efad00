"""What the simulation makes up: numbers with the right check digits, test persons, repeatable dice.

Nothing here may hit a real person or place by chance; each function says how that is kept.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar
from uuid import UUID, uuid5

from engine.domain.advis import Unit

_NAMESPACE = UUID("0d9e2d5c-6b0c-5b5e-8a41-7d6a5f0c9b10")
_GLN_PREFIX = "5799999"  # Danish by its first digits, far above the numbers that the health service uses
_CPR_WEIGHTS = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
_T = TypeVar("_T")


def dice(*parts: object) -> random.Random:
    """Dice that fall the same way for the same parts, whatever happened before and in whatever order."""
    return random.Random("/".join(map(str, parts)))  # noqa: S311 - repeatable on purpose; nothing here is secret


def made_up_id(*parts: object) -> str:
    """A UUID that is a function of its parts: the same seed gives the same bytes, however the steps fall."""
    return str(uuid5(_NAMESPACE, "/".join(map(str, parts))))


def made_up_gln(number: int) -> str:
    """A GLN with a valid check digit; `number` is 0 to 99999."""
    digits = f"{_GLN_PREFIX}{number:05d}"
    total = sum(int(d) for d in digits[0::2]) + 3 * sum(int(d) for d in digits[1::2])
    return f"{digits}{-total % 10}"


def made_up_sor(number: int) -> str:
    """A SOR id of the usual length; `number` is 0 to 99999. Real ones do not begin with 9990000."""
    return f"9990000{number:05d}000"


def made_up_unit(number: int, name: str) -> Unit:
    return Unit(sor=made_up_sor(number), gln=made_up_gln(number), name=name)


@dataclass(frozen=True, slots=True)
class TestPerson:
    """A person who does not exist."""

    __test__ = False  # the name is the field's own word; it is no test class

    cpr: str
    family: str
    given: tuple[str, ...]


BRUNO = TestPerson("2509479989", "Elmer", ("Bruno", "Test"))  # MedCom's published test person

_GIVEN = (
    "Anna",
    "Aage",
    "Birgit",
    "Bent",
    "Ellen",
    "Erik",
    "Grethe",
    "Jørgen",
    "Kirsten",
    "Søren",
    "Åse",
    "Ole",
)


def made_up_person(rng: random.Random) -> TestPerson:
    """A test person named Test, with a made-up CPR number that can never have been given to anybody.

    It has the form, so that every check of the form is met. But its seventh digit puts the birth in 1858 to
    1899, and it fails the modulus-11 check, which every number given to people of those years passed.
    """
    born = f"{rng.randint(1, 28):02d}{rng.randint(1, 12):02d}{rng.randint(58, 99)}{rng.randint(5, 8)}"
    while True:
        cpr = f"{born}{rng.randint(0, 999):03d}"
        if sum(int(d) * w for d, w in zip(cpr, _CPR_WEIGHTS, strict=True)) % 11 != 0:
            return TestPerson(cpr, "Test", (choose(rng, _GIVEN),))


def choose(rng: random.Random, options: Sequence[_T]) -> _T:
    return options[rng.randrange(len(options))]


def danish_time(moment: datetime) -> datetime:
    """The moment as a clock in Denmark shows it, by the EU's rule for summer time.

    Written out, for the machine may lack a zone database, and the bytes of a seed must not depend on it.
    """
    utc = moment.astimezone(UTC)
    summer = _last_sunday(utc.year, 3) <= utc < _last_sunday(utc.year, 10)
    return utc.astimezone(timezone(timedelta(hours=2 if summer else 1)))


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)
