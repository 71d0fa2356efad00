"""What a person types to narrow a list: words, and words with a name before them, as "kommune:aarhus !status:besvaret".

Pure: from text to terms. What a term means is for each list to say, by the names that it knows.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from console.danish import folded

T = TypeVar("T")

_TERM = re.compile(r'(?P<no>!?)(?:(?P<name>[\wæøåÆØÅ]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<bare>[^\s"]+))')


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. Without a name it is a word that may stand anywhere."""

    value: str
    name: str | None = None
    negated: bool = False

    @property
    def shown(self) -> str:
        value = f'"{self.value}"' if " " in self.value else self.value
        return f"{'!' if self.negated else ''}{f'{self.name}:' if self.name else ''}{value}"


class FilterError(ValueError):
    """What was typed means nothing here; says what does, in Danish."""


def terms(text: str, names: Sequence[str]) -> tuple[Term, ...]:
    """The terms of a typed filter; FilterError for a name that the list does not know."""
    found = []
    for match in _TERM.finditer(text):
        name = match["name"]
        value = match["quoted"] if match["quoted"] is not None else match["bare"]
        if name is not None:
            known = {folded(each): each for each in names}
            near = [each for fold, each in known.items() if fold.startswith(folded(name))]
            if folded(name) in known:
                near = [known[folded(name)]]
            if len(near) != 1:
                raise FilterError(
                    f"«{name}:» kendes ikke her. Brug {', '.join(f'{each}:' for each in names)}"
                )
            name = near[0]
        found.append(Term(value, name, bool(match["no"])))
    return tuple(found)


def passes(found: Sequence[Term], texts: Mapping[str, str]) -> bool:
    """Whether a row has all that is asked for; `texts` are its words by name."""
    anywhere = " ".join(texts.values())
    for term in found:
        text = texts.get(term.name, "") if term.name else anywhere
        if (folded(term.value) in folded(text)) == term.negated:
            return False
    return True


def narrowed(rows: Sequence[T], found: Sequence[Term], texts: Callable[[T], Mapping[str, str]]) -> list[T]:
    """The rows that pass."""
    return list(rows) if not found else [row for row in rows if passes(found, texts(row))]


def shown(found: Sequence[Term]) -> str:
    return " ".join(term.shown for term in found)
