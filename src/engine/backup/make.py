"""Makes a backup, whole or not at all, and removes those that are older than are to be kept."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.backup.manifest import (
    MANIFEST,
    POSTGRESQL_PART,
    SETTINGS_PART,
    SQLITE_PART,
    TEMPLATES_PART,
    Manifest,
    folder_name,
    is_complete,
    is_folder_name,
    part_of,
    read_manifest,
)
from engine.clock import Clock
from engine.database_errors import database_trouble
from engine.database_url import without_password
from engine.errors import BackupError, os_reason
from engine.home import Home
from engine.store.snapshot import Snapshot, save_postgresql, save_sqlite

_LOCK = ".sundhedsagent-backup.lock"
_UNFINISHED = ".sundhedsagent-backup-{}.tmp"


@dataclass(frozen=True, slots=True)
class Made:
    folder: Path
    manifest: Manifest
    removed: Sequence[Path]  # older ones


def make_backup(home: Home, target: Path, clock: Clock, version: str, *, keep: int | None = None) -> Made:
    """Make a backup in the folder `target`, which is made if it is not there; then remove all of the same home but the
    newest `keep`.

    BackupError, with nothing left behind and the older ones untouched, where it cannot be made.
    """
    target = target.absolute()
    if target.resolve().is_relative_to(home.path.resolve()):
        raise BackupError(
            f"{target} ligger i hjemmemappen. Læg sikkerhedskopien et andet sted, helst på en anden disk."
        )
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone_in(target):
            folder, manifest = _make(home, target, clock, version)
            removed = [] if keep is None else _remove_older(target, folder, manifest, keep)
    except OSError as error:
        place = "" if error.filename is None else f" ({error.filename})"
        raise BackupError(
            f"Sikkerhedskopien kan ikke laves i {target}: {os_reason(error)}{place}."
        ) from error
    except sqlite3.Error as error:
        raise BackupError(
            f"Sikkerhedskopien kan ikke laves i {target}: {database_trouble(error)}."
        ) from error
    return Made(folder, manifest, removed)


@contextmanager
def _alone_in(target: Path) -> Iterator[None]:
    """One backup at a time in a folder; the next one waits. So what is unfinished there is a dead one's."""
    descriptor = os.open(target / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for leftover in target.glob(_UNFINISHED.format("*")):
            shutil.rmtree(leftover)
        yield
    finally:
        os.close(descriptor)


def _make(home: Home, target: Path, clock: Clock, version: str) -> tuple[Path, Manifest]:
    unfinished = target / _UNFINISHED.format(os.urandom(8).hex())
    unfinished.mkdir(mode=0o700)
    try:
        taken = _save_database(home, unfinished, clock)
        _copy(home.settings_file, unfinished / SETTINGS_PART)
        _copy_templates(home, unfinished)
        manifest = _manifest(home, unfinished, taken, version)
        _write(unfinished / MANIFEST, manifest.to_bytes())
        _sync(unfinished)
        folder = target / folder_name(taken.taken_at)
        unfinished.rename(folder)  # refused where another one has that name, for it is not empty
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _sync_folder(target)
    return folder, manifest


def _save_database(home: Home, unfinished: Path, clock: Clock) -> Snapshot:
    url = home.database_url
    if url:
        return save_postgresql(url, unfinished / POSTGRESQL_PART)
    return save_sqlite(home.database_file, unfinished / SQLITE_PART, clock.now())


def _copy_templates(home: Home, unfinished: Path) -> None:
    if not home.mail_templates.is_dir():
        return  # a home from before there were any
    for file in sorted(home.mail_templates.rglob("*")):
        if file.is_file():
            place = unfinished / TEMPLATES_PART / file.relative_to(home.mail_templates)
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _copy(file, place)


def _manifest(home: Home, unfinished: Path, taken: Snapshot, version: str) -> Manifest:
    files = sorted(path for path in unfinished.rglob("*") if path.is_file())
    return Manifest(
        version=version,
        revision=taken.revision,
        database="postgresql" if home.database_url else "sqlite",
        server=taken.server,
        taken_at=taken.taken_at,
        home=str(home.path),
        address=without_password(home.database_url),
        key_fingerprint=taken.key_fingerprint,
        rows=taken.rows,
        parts={str(file.relative_to(unfinished)): part_of(file) for file in files},
    )


def _copy(source: Path, target: Path) -> None:
    _write(target, source.read_bytes())


def _write(target: Path, data: bytes) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _sync(folder: Path) -> None:
    """All of it is on the disk before it gets its name."""
    for path in (*folder.rglob("*"), folder):
        if path.is_dir():
            _sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_older(target: Path, newest: Path, manifest: Manifest, keep: int) -> list[Path]:
    """What is not surely a whole backup of this home is left alone."""
    removed: list[Path] = []
    try:
        older = [
            folder
            for folder in sorted(target.iterdir())
            if folder != newest and is_folder_name(folder.name) and _is_another_of(folder, manifest)
        ]
        for folder in older[: max(0, len(older) - (keep - 1))]:
            # From now on it does not look whole, wherever this is stopped.
            gone = folder.rename(target / _UNFINISHED.format(os.urandom(8).hex()))
            shutil.rmtree(gone)
            removed.append(folder)
    except OSError as error:
        raise BackupError(
            f"Sikkerhedskopien {newest} er lavet, men en ældre kan ikke slettes: {os_reason(error)}."
        ) from error
    return removed


def _is_another_of(folder: Path, manifest: Manifest) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        found = read_manifest(folder)
    except BackupError:
        return False
    return found.is_of_the_same_home_as(manifest) and is_complete(folder, found)
