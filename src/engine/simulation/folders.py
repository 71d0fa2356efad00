"""The home's folders as other programs meet them: appear by rename, take, delete."""

import os
from collections.abc import Iterator
from pathlib import Path

from engine.home import Home

MOST_FILES_PER_STEP = 500  # so that one full folder cannot hold up the other actors


def drop(folder: Path, name: str, data: bytes) -> None:
    """Put `name`.xml into the folder: under a dot-name first, so that nobody reads half a file."""
    unfinished = folder / f".{name}.part"
    unfinished.write_bytes(data)
    unfinished.rename(folder / f"{name}.xml")


def waiting(folder: Path) -> Iterator[Path]:
    """The files that are ready to be taken, the oldest first; none where the folder is not there yet.

    The order matters: a transient-error and the ok after it must not be read the wrong way round.
    """
    try:
        with os.scandir(folder) as entries:
            ready = [
                (entry.stat().st_mtime_ns, entry.name)
                for entry in entries
                if entry.name.endswith(".xml") and not entry.name.startswith(".")
            ]
    except FileNotFoundError:
        return
    for _, name in sorted(ready)[:MOST_FILES_PER_STEP]:
        yield folder / name


class FolderMailbox:
    """Fetches from one folder and drops into another."""

    def __init__(self, fetched: Path, sent: Path) -> None:
        self._fetched = fetched
        self._sent = sent
        self._left: set[str] = set()

    def fetch(self) -> Iterator[tuple[str, bytes]]:
        for path in waiting(self._fetched):
            if path.name not in self._left:
                yield path.name, path.read_bytes()

    def taken(self, name: str) -> None:
        (self._fetched / name).unlink()

    def left(self, name: str) -> None:
        self._left.add(name)

    def send(self, name: str, data: bytes) -> None:
        drop(self._sent, name, data)


class HomeMailboxes:
    """All of a home's folders."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.vans = FolderMailbox(home.vans_out, home.vans_in)

    def of(self, system_uuid: str) -> FolderMailbox:
        return FolderMailbox(self._home.dueslag_of(system_uuid), self._home.afsend)
