"""Collecting findings: the three weights, the cardinality check, and how a code may be quoted."""

from engine.domain.finding import ErrorCode, Finding, Severity
from engine.wire import tree
from engine.wire.fhir import tag
from engine.wire.tree import Children

_SHOWN = 60  # characters of a code that a finding quotes
_PREFIX = len(tag(""))


class Report:
    """The findings so far, in the order in which the checks made them."""

    __slots__ = ("findings",)

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def error(self, path: str, code: ErrorCode, text: str) -> None:
        self.findings.append(Finding(path, code, text, Severity.ERROR))

    def warning(self, path: str, code: ErrorCode, text: str) -> None:
        self.findings.append(Finding(path, code, text, Severity.WARNING))

    def blocking(self, path: str, code: ErrorCode, text: str) -> None:
        self.findings.append(Finding(path, code, text, Severity.BLOCKING))

    def missing(self, path: str) -> None:
        self.error(path, ErrorCode.RESOURCE_REQUIRED, f"{path} mangler")

    def at_most_one(self, of: Children, name: str, path: str) -> int:
        """How many there are; more than one is an error."""
        found = of.get(name)
        if not found:
            return 0
        if len(found) > 1:
            self.error(
                path, ErrorCode.BAD_SYNTAX, f"{path} forekommer {len(found)} gange; højst én er tilladt"
            )
        return len(found)

    def one(self, of: Children, name: str, path: str) -> bool:
        """Whether there is one at all; none and several are errors."""
        if self.at_most_one(of, name, path):
            return True
        self.missing(path)
        return False

    def one_value(self, of: Children, name: str, path: str) -> str | None:
        """The value of an element that must stand exactly once, with a value."""
        if not self.one(of, name, path):
            return None
        value = tree.value(of, name)
        if value is None:
            self.missing(path)
        return value

    def time(self, text: str | None, path: str) -> None:
        """A time must have date, time of day and zone."""
        if text is None:
            return
        parsed = tree.time(text)
        if isinstance(parsed, tree.TimeFault):
            self.error(path, ErrorCode.DATE_FORMAT, f"{path} {parsed.value}")

    def one_time(self, of: Children, name: str, path: str) -> None:
        self.time(self.one_value(of, name, path), path)


def shown(code: str) -> str:
    """A code as a finding may quote it: short, and without what no code holds."""
    return "".join(letter if letter.isprintable() else "?" for letter in code[:_SHOWN])


def plain(qualified: str) -> str:
    """A FHIR element's name without its namespace."""
    return qualified[_PREFIX:]
