"""The handbook's procedures as values: steps, who does them, and texts to send. The data is in procedures.toml."""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class StepState(StrEnum):
    """How a step stands."""

    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"

    @property
    def danish(self) -> str:
        return {"open": "åben", "done": "udført", "skipped": "ikke relevant"}[self]


class RequestState(StrEnum):
    """What became of an anmodning."""

    HANDED_IN = "handed-in"
    ACCEPTED = "accepted"
    RETURNED = "returned"

    @property
    def danish(self) -> str:
        return {"handed-in": "indsendt", "accepted": "imødekommet", "returned": "sendt tilbage"}[self]


class Addressee(StrEnum):
    """Whom a text is for."""

    VENDOR = "vendor"
    AGREEMENT_ADMINISTRATOR = "agreement-administrator"
    AREA = "area"
    KOMMUNE = "kommune"

    @property
    def danish(self) -> str:
        return {
            "vendor": "leverandøren",
            "agreement-administrator": "kommunens Aftaleadministrator",
            "area": "forvaltningsområdet",
            "kommune": "kommunens kontaktpunkt",
        }[self]


@dataclass(frozen=True, slots=True)
class Text:
    """A message ready to send, with {placeholders}."""

    to: Addressee
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step; any of its `facts` in the registry sets it done."""

    key: str
    title: str
    duty: str
    facts: frozenset[str]
    text: Text | None


@dataclass(frozen=True, slots=True)
class Procedure:
    """One section of the handbook; `id` is its number."""

    id: str
    title: str
    steps: tuple[Step, ...]

    def step(self, key: str) -> Step | None:
        return next((step for step in self.steps if step.key == key), None)


def parse_procedures(toml_text: str) -> dict[str, Procedure]:
    """Procedures by id, in the order of the file; ValueError that says what is wrong."""
    content = tomllib.loads(toml_text)
    texts = {
        name: Text(Addressee(text["to"]), text["subject"], text["body"].strip("\n"))
        for name, text in content["texts"].items()
    }
    found = {item["id"]: _procedure(item, texts) for item in content["procedure"]}
    if len(found) != len(content["procedure"]):
        raise ValueError("two procedures have the same id")
    return found


def _procedure(item: dict[str, Any], texts: dict[str, Text]) -> Procedure:
    steps = tuple(_step(step, texts) for step in item["steps"])
    if len({step.key for step in steps}) != len(steps):
        raise ValueError(f"two steps of {item['id']} have the same key")
    return Procedure(item["id"], item["title"], steps)


def _step(step: dict[str, Any], texts: dict[str, Text]) -> Step:
    name = step.get("text")
    if name is not None and name not in texts:
        raise ValueError(f"step {step['key']}: there is no text {name}")
    facts = step.get("fact", [])
    if not isinstance(facts, list):
        raise ValueError(f"step {step['key']}: fact is a list")  # noqa: TRY004 - the data is wrong, not a type
    return Step(
        step["key"], step["title"], step["duty"], frozenset(facts), None if name is None else texts[name]
    )
