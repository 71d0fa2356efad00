"""What an examination of a home finds, one line for each thing that was looked at."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    GOOD = "good"
    ADVICE = "advice"  # it works, and could be better
    UNKNOWN = "unknown"  # it cannot be told from here
    FAULT = "fault"  # it does not work, or will not

    @property
    def danish(self) -> str:
        return _VERDICTS[self]


_VERDICTS = {
    Verdict.GOOD: "i orden",
    Verdict.ADVICE: "råd",
    Verdict.UNKNOWN: "ukendt",
    Verdict.FAULT: "fejl",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """`name` is for programs; `what` was looked at, what was `found`, and what to `do` where it is not fine: Danish."""

    name: str
    what: str
    verdict: Verdict
    found: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: makes the lines about it."""

    name: str
    what: str

    def good(self, found: str) -> Checked:
        return Checked(self.name, self.what, Verdict.GOOD, found)

    def advice(self, found: str, do: str) -> Checked:
        return Checked(self.name, self.what, Verdict.ADVICE, found, do)

    def unknown(self, found: str, do: str) -> Checked:
        return Checked(self.name, self.what, Verdict.UNKNOWN, found, do)

    def fault(self, found: str, do: str) -> Checked:
        return Checked(self.name, self.what, Verdict.FAULT, found, do)

    def told(self, message: str, do: str) -> Checked:
        """A fault by an error's own message: its first sentence is what is wrong, the rest what to do, else `do`."""
        found, _, rest = message.partition(". ")
        return self.fault(found.rstrip("."), rest or do)


def faults(found: Iterable[Checked]) -> int:
    """How many are at fault."""
    return sum(each.verdict is Verdict.FAULT for each in found)
