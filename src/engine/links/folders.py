"""The folder links: VANS and the Beskedfordeler as folders of the home, for tests, small sites and SFTP mounts.

A file counts once its name ends in .xml; what we write appears by rename, whole and already on disk.
"""

import asyncio
import contextlib
import errno
import hashlib
import itertools
import json
import os
import shutil
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from engine.ports import Delivery, Finished, OutgoingBesked, OutgoingEnvelope, SendResult

log = structlog.get_logger(__name__)

# fsync waits for the disk, not for Python: in parallel the disk gathers several into one.
_WRITERS = 8

# A backlog of a hundred thousand files is old whichever of them are looked at.
_MOST_LOOKED_AT = 10_000


class FolderInbox:
    """Takes *.xml files from one folder, oldest first, and removes or puts them aside once they are committed."""

    def __init__(self, folder: Path, quarantine: Path, max_bytes: int) -> None:
        self._folder = folder
        self._quarantine = quarantine
        self._max_bytes = max_bytes
        self._backlog: deque[str] = deque()
        self._in_hand: dict[str, int] = {}  # name → inode
        self._complained: set[str] = set()

    async def take(self, limit: int) -> Sequence[Delivery]:
        return await asyncio.to_thread(self._take, limit)

    async def finish(self, finished: Sequence[Finished]) -> None:
        await asyncio.to_thread(self._finish, finished)

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._in_hand.pop(delivery.name, None)

    async def oldest(self) -> datetime | None:
        return await asyncio.to_thread(self._oldest)

    def _oldest(self) -> datetime | None:
        """By the file's time of change, as `take` sorts; the names in hand count too."""
        oldest: float | None = None
        with os.scandir(self._folder) as entries:
            for entry in itertools.islice(entries, _MOST_LOOKED_AT):
                if entry.name.endswith(".xml") and not entry.name.startswith("."):
                    with contextlib.suppress(FileNotFoundError):
                        changed = entry.stat(follow_symlinks=False).st_mtime
                        oldest = changed if oldest is None else min(oldest, changed)
        return None if oldest is None else datetime.fromtimestamp(oldest, UTC)

    def _take(self, limit: int) -> list[Delivery]:
        if not self._backlog:
            self._backlog.extend(self._scan())
        taken: list[Delivery] = []
        while self._backlog and len(taken) < limit:
            delivery = self._read(self._backlog.popleft())
            if delivery is not None:
                taken.append(delivery)
        return taken

    def _scan(self) -> list[str]:
        """One listing serves many batches: sorting a large backlog anew for each would take longer than the work."""
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                name = entry.name
                if not name.endswith(".xml") or name.startswith(".") or name in self._in_hand:
                    continue
                try:
                    if entry.is_file(follow_symlinks=False):
                        found.append((entry.stat(follow_symlinks=False).st_mtime_ns, name))
                except FileNotFoundError:
                    continue
        return [name for _, name in sorted(found)]

    def _read(self, name: str) -> Delivery | None:
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                stat = os.fstat(descriptor)
                data = None if stat.st_size > self._max_bytes else file.read(stat.st_size)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._complain(name, error)
            return None
        self._in_hand[name] = stat.st_ino
        return Delivery(_delivery_key(name, stat), name, data)

    def _complain(self, name: str, error: OSError) -> None:
        # Once per file: the folder is read several times a second.
        if name not in self._complained:
            self._complained.add(name)
            log.error("file-unreadable", folder=self._folder.name, error=os.strerror(error.errno or 0))

    def _finish(self, finished: Sequence[Finished]) -> None:
        for item in finished:
            name = item.delivery.name
            if self._is_still_there(name):
                if item.quarantine is None:
                    (self._folder / name).unlink()
                else:
                    self._put_aside(self._folder / name, item.quarantine, item.note)
            self._in_hand.pop(name, None)

    def _is_still_there(self, name: str) -> bool:
        """A sender that used the name again put another file there: that one has not been taken."""
        try:
            return (self._folder / name).stat(follow_symlinks=False).st_ino == self._in_hand.get(name)
        except FileNotFoundError:
            return False

    def _put_aside(self, source: Path, name: str, note: Mapping[str, Any]) -> None:
        # The note first: a file in quarantine without its reason would be a riddle.
        reason = self._quarantine / f"{name}.reason.json"
        content = json.dumps({"file": name, **note}, ensure_ascii=False, indent=2) + "\n"
        (error,) = write_durably([(reason, content.encode())])
        if error is not None:
            raise OSError(error)
        # Not rename: the drop folder may be a mount of its own.
        shutil.move(source, self._quarantine / name)


def _delivery_key(name: str, stat: os.stat_result) -> str:
    """The same file after a crash has the same key; the same content dropped again is another delivery.

    ctime cannot be set by a program, so that not even a copy with all times preserved is taken for the first file. The
    name goes in as a hash, for it is the sender's and could say anything.
    """
    identity = f"{name}\0{stat.st_ino}\0{stat.st_ctime_ns}\0{stat.st_size}"
    return hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:40]


class FolderVansOutbox:
    """Writes each envelope as <envelope id>.xml."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, envelopes: Sequence[OutgoingEnvelope]) -> Sequence[SendResult]:
        files = [(self._folder / f"{envelope.envelope_id}.xml", envelope.data) for envelope in envelopes]
        return [SendResult(error) for error in await asyncio.to_thread(write_durably, files)]


class FolderBeskedfordeler:
    """Writes each besked into the dueslag of every receiver as <besked id>.xml."""

    def __init__(self, dueslag: Path) -> None:
        self._dueslag = dueslag

    async def publish(self, beskeder: Sequence[OutgoingBesked]) -> Sequence[SendResult]:
        return await asyncio.to_thread(self._publish, beskeder)

    def _publish(self, beskeder: Sequence[OutgoingBesked]) -> list[SendResult]:
        for system_uuid in {system_uuid for besked in beskeder for system_uuid in besked.receivers}:
            with contextlib.suppress(OSError):  # then the files in it fail, each with the reason
                (self._dueslag / system_uuid).mkdir(exist_ok=True)
        files = [
            (self._dueslag / system_uuid / f"{besked.besked_id}.xml", besked.data)
            for besked in beskeder
            for system_uuid in besked.receivers
        ]
        errors = iter(write_durably(files))
        # A besked counts only when it lies in every dueslag; a retry writes the same files again.
        of_besked = [[next(errors) for _ in besked.receivers] for besked in beskeder]
        return [
            SendResult(next((error for error in errors if error is not None), None)) for errors in of_besked
        ]


def write_durably(files: Sequence[tuple[Path, bytes]]) -> list[str | None]:
    """Write each file so that it appears by rename, whole and on disk; per file None, or what went wrong (Danish)."""
    with ThreadPoolExecutor(max_workers=min(_WRITERS, max(1, len(files)))) as pool:
        results = list(pool.map(lambda file: _write(*file), files))
    for folder in {path.parent for (path, _), result in zip(files, results, strict=True) if result is None}:
        _sync_folder(folder)
    return results


def _write(path: Path, data: bytes) -> str | None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        return _danish(error)
    return None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _danish(error: OSError) -> str:
    """What went wrong with a file of ours, without its name."""
    texts = {
        errno.ENOSPC: "Disken er fuld",
        errno.EDQUOT: "Diskkvoten er brugt op",
        errno.EACCES: "Der mangler skriverettigheder til mappen",
        errno.EROFS: "Filsystemet kan kun læses",
        errno.ENOENT: "Mappen findes ikke",
    }
    return texts.get(error.errno or 0, f"Filen kunne ikke skrives ({os.strerror(error.errno or 0)})")


def leftovers(folders: Iterable[Path]) -> None:
    """Remove what a crash left half-written; called while no other engine works in the folders."""
    for folder in folders:
        for temporary in folder.glob(".*.tmp"):
            temporary.unlink(missing_ok=True)
