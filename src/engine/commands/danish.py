"""Typer's own words in Danish.

It writes them in English and has no catalogue of translations, so the finished text is translated: headings,
fixed phrases, and what it says of a wrong command line.
"""

import re
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

F = TypeVar("F", bound=Callable[..., Any])

_HELP = (
    (r"^Usage: ", "Brug: "),
    (r"^Options:$", "Valg:"),
    (r"^Commands:$", "Kommandoer:"),
    (r"^Arguments:$", "Argumenter:"),
    (r"\[OPTIONS\]", "[VALG]"),
    (r"COMMAND \[ARGS\]\.\.\.", "KOMMANDO …"),
    (r"Show this message and exit\.", "Vis denne hjælp."),
    (r"\[required\]$", "[påkrævet]"),
    (r"\[default:(?=\s)", "[standard:"),
    (r"\{([A-ZÆØÅ]+)\}", r"\1"),
    (r"^(  [A-ZÆØÅ]+) <\w+>", r"\1"),
)
_FAULTS = (
    (r"Missing argument (.+)\.", r"Argumentet \1 mangler."),
    (r"Missing option (.+)\.", r"Valget \1 mangler."),
    (r"Missing command\.", "Angiv en kommando."),
    (r"No such command (.+)\. Did you mean (.+)\?", r"Der findes ingen kommando \1. Mente du \2?"),
    (r"No such command (.+?)\.", r"Der findes ingen kommando \1."),
    (r"No such option: (\S+) \(Possible options: (.+)\)", r"Der findes intet valg \1. Mente du \2?"),
    (r"No such option: (\S+)", r"Der findes intet valg \1."),
    (r"Option (\S+) requires an argument\.", r"Valget \1 kræver en værdi."),
    (r"Option (\S+) does not take a value\.", r"Valget \1 tager ingen værdi."),
    (r"Got unexpected extra argument\(s\) \((.+)\)", r"For mange argumenter: \1"),
    (r"Invalid value for (.+?): Input should be a valid integer.*", r"\1 skal være et helt tal."),
    (r"Invalid value for (.+?): Input should be a valid number.*", r"\1 skal være et tal."),
    (r"Invalid value for (.+?): Input should be greater than or equal to (.+)", r"\1 skal være mindst \2."),
    (r"Invalid value for (.+?): Input should be less than or equal to (.+)", r"\1 skal være højst \2."),
    (r"Invalid value for (.+?): path (.+) is not readable\.", r"\1: du må ikke læse \2."),
    (r"Invalid value for (.+?): (.+)", r"\1: \2"),
    (r"Invalid value: (.+)", r"\1"),
)


def danish_help(text: str) -> str:
    """A help page, or its line of usage, with Typer's headings and phrases in Danish."""
    for english, danish in _HELP:
        text = re.sub(english, danish, text, flags=re.MULTILINE)
    return text


def danish_fault(message: str) -> str:
    """What Typer says of a wrong command line."""
    for english, danish in _FAULTS:
        match = re.fullmatch(english, message, re.DOTALL)
        if match:
            return match.expand(danish)
    return message


class _Danish:
    """What a command and a group of them have in common; `super()` is the one or the other."""

    def get_help(self, ctx: Any) -> str:
        return danish_help(super().get_help(ctx))  # type: ignore[misc]

    def get_usage(self, ctx: Any) -> str:
        return danish_help(super().get_usage(ctx))  # type: ignore[misc]

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            # For a flag without a value Typer imports pydantic (80 ms), to find out that it is off.
            option.default = False
        return option


class _Command(_Danish, TyperCommand):
    pass


class _Group(_Danish, TyperGroup):
    pass


class Commands(typer.Typer):
    """A Typer whose help is Danish and plain text on every terminal."""

    def __init__(self, about: str) -> None:
        super().__init__(
            cls=_Group,
            help=about,
            no_args_is_help=True,
            add_completion=False,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
        )
        self._later: list[tuple[Sequence[str], Callable[[Commands], None]]] = []

    def says(self, name: str, about: str) -> Callable[[F], F]:
        """Make a function the command `name`."""
        decorate: Callable[[F], F] = self.command(name, cls=_Command, help=about)
        return decorate

    def later(self, names: Sequence[str], add: Callable[["Commands"], None]) -> None:
        """Commands and groups of these names, that `add` will add: when one of them is asked for, or all are."""
        self._later.append((names, add))

    def whole(self) -> "Commands":
        """All of them."""
        found = self._empty()
        for _, add in self._later:
            add(found)
        found.registered_commands += self.registered_commands
        found.registered_groups += self.registered_groups
        return found

    def only(self, name: str) -> "Commands":
        """The command or group of this name alone, and nothing before it; all of them where none is called so.

        To import ninety commands, and to make Typer's objects for them, takes longer than most of them run.
        """
        found = self._empty()
        for names, add in self._later:
            if name in names:
                add(found)
        commands = (*found.registered_commands, *self.registered_commands)
        groups = (*found.registered_groups, *self.registered_groups)
        found.registered_commands = [each for each in commands if each.name == name]
        found.registered_groups = [each for each in groups if each.name == name]
        if not (found.registered_commands or found.registered_groups):
            return self.whole()
        found.callback()(lambda: None)
        return found

    def _empty(self) -> "Commands":
        found = copy(self)
        found.registered_commands, found.registered_groups = [], []
        return found
