"""How the lines of an examination are printed."""

from collections.abc import Iterable

from engine.commands.output import number, paint, printable, say
from engine.domain.checkup import Checked, Verdict

_SIGNS = {
    Verdict.GOOD: ("✓", "green"),
    Verdict.ADVICE: ("!", "yellow"),
    Verdict.UNKNOWN: ("?", "yellow"),
    Verdict.FAULT: ("✗", "red"),
}
_INDENT = " " * 11


def tell(found: Checked) -> None:
    """What was looked at, how it is, and below it what to do."""
    sign, colour = _SIGNS[found.verdict]
    word = f"{sign} {found.verdict.danish}"
    print(paint(f"{word:<11}{printable(found.what)}: {printable(found.found)}", colour), flush=True)
    if found.do:
        say(f"{_INDENT}{found.do}")


def counted(found: Iterable[Checked]) -> str:
    verdicts = [each.verdict for each in found]
    counts = {verdict: verdicts.count(verdict) for verdict in Verdict}
    return ", ".join(f"{verdict.danish} {number(count)}" for verdict, count in counts.items() if count)
