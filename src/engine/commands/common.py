"""What several commands share: the home, the options, and values from the command line."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from engine.errors import RuleError, SundhedsagentError, os_reason
from engine.home import Home, find_home

if TYPE_CHECKING:
    from engine.desk.office import Office

E = TypeVar("E", bound=StrEnum)

AsJson = Annotated[bool, typer.Option("--json", help="Skriv JSON i stedet for tekst.")]


def home_of(ctx: typer.Context) -> Home:
    """The home that the command line means."""
    return find_home(ctx.find_root().obj)


@contextmanager
def office_of(ctx: typer.Context) -> "Iterator[Office]":
    """The home's office, opened for this command."""
    from engine.desk.office import Office

    with Office(home_of(ctx)) as office:
        yield office


def choice(kind: type[E], text: str | None, option: str) -> E | None:
    """One of the values of an enum, in any case of letters."""
    if text is None:
        return None
    for member in kind:
        if member.value.lower() == text.strip().lower():
            return member
    raise typer.BadParameter(f"skal være en af {', '.join(kind)}, men er {text!r}.", param_hint=option)


def instant(text: str | None, option: str) -> datetime | None:
    """A point in time; without a zone it is Danish time."""
    if text is None:
        return None
    from engine.local_time import from_local

    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        expected = '"2026-07-01", "2026-07-01 14:30" eller "2026-07-01T12:30:00Z"'
        raise typer.BadParameter(
            f"skal skrives som {expected}, men er {text!r}.", param_hint=option
        ) from error
    return from_local(at) if at.tzinfo is None else at


def moment(text: str | None, what: str) -> datetime | None:
    """A planned moment in Danish time; None where none is given."""
    if text is None:
        return None
    from engine.local_time import exact_moment

    return exact_moment(text, what)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is done; leaves where the answer is no. Without a terminal nobody can answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise RuleError(f"{question} Bekræft med --yes; her er ingen terminal at spørge på.")
    try:
        answer = input(f"{question} [j/N] ")
    except EOFError:
        print()
        answer = ""
    if answer.strip().lower() not in {"j", "ja", "y", "yes"}:
        raise RuleError("Afbrudt; intet er ændret.")


def write_file(content: bytes, path: Path, *, force: bool = False) -> None:
    """Write a file whole or not at all; one that is there already only with `force`."""
    try:
        _put(content, path, force=force)
    except OSError as error:
        raise SundhedsagentError(f"{path} kan ikke skrives: {os_reason(error)}.") from error


def _put(content: bytes, path: Path, *, force: bool) -> None:
    # A short name of its own: the file's may be as long as the file system takes.
    temporary = path.parent / f".sundhedsagent-{os.urandom(8).hex()}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not force and os.path.lexists(path):  # it came while this was written
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
