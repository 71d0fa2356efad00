"""Files that a person asks for: whole, under a name that is free."""

from pathlib import Path

from engine.commands.common import write_file
from engine.errors import SundhedsagentError

_MOST_OF_A_NAME = 100


def write_new(folder: Path, name: str, content: bytes) -> Path:
    """Write a file into a folder, numbered where the name is taken; its path. SundhedsagentError where it cannot be."""
    stem, dot, suffix = name.rpartition(".")
    for number in range(1, _MOST_OF_A_NAME):
        path = folder / (name if number == 1 else f"{stem}-{number}{dot}{suffix}")
        if not path.exists():
            write_file(content, path)
            return path
    raise SundhedsagentError(f"{folder / name} findes i forvejen {_MOST_OF_A_NAME - 1} gange; ryd op først.")
