"""What a backup says of itself. It is a folder: the database, the settings, the home's own mail texts, and a manifest
that knows every part by its SHA-256.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.errors import BackupError, os_reason

MANIFEST = "manifest.json"
SQLITE_PART, POSTGRESQL_PART = "sundhedsagent.db", "database.dump"
SETTINGS_PART, TEMPLATES_PART = "sundhedsagent.toml", "mail-templates"

_PROGRAM, _FORMAT = "sundhedsagent", 1
_NAME = re.compile(r"sundhedsagent-\d{8}T\d{6}\.\d{3}Z")
_LARGEST_MANIFEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a backup."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`home` and `address` tell whose backup it is; the address has no password."""

    version: str
    revision: str
    database: str  # sqlite | postgresql
    server: int  # PostgreSQL's major version; 0 for SQLite
    taken_at: datetime  # what was committed before it is in the backup
    home: str
    address: str
    key_fingerprint: str | None
    rows: Mapping[str, int]
    parts: Mapping[str, Part]  # by their path in the folder

    @property
    def database_part(self) -> str:
        return SQLITE_PART if self.database == "sqlite" else POSTGRESQL_PART

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts.values())

    def is_of_the_same_home_as(self, other: "Manifest") -> bool:
        mine, others = (
            (each.home, each.database, each.address, each.key_fingerprint) for each in (self, other)
        )
        return mine == others

    def to_bytes(self) -> bytes:
        content = {"program": _PROGRAM, "format": _FORMAT} | asdict(self)
        content["taken_at"] = self.taken_at.isoformat()
        content["sha256"] = _seal(content)
        return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()


def folder_name(taken_at: datetime) -> str:
    """The folder that a backup lies in: by its instant in UTC, so that names sort as time does."""
    at = taken_at.astimezone(UTC)
    return f"sundhedsagent-{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03}Z"


def is_folder_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def read_manifest(folder: Path) -> Manifest:
    """BackupError where the folder is no whole backup of ours, or its manifest was changed."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            text = file.read(_LARGEST_MANIFEST + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BackupError(
            f"{folder} er ikke en sikkerhedskopi af Sundhedsagenten: {MANIFEST} mangler. "
            "Angiv den mappe, som sundhedsagent backup har lavet (sundhedsagent-<tidspunkt>Z)."
        ) from error
    except OSError as error:
        raise BackupError(f"{folder / MANIFEST} kan ikke læses: {os_reason(error)}.") from error
    try:
        content = json.loads(text)
        seal = content.pop("sha256")
        is_whole = seal == _seal(content) and content.pop("program") == _PROGRAM
        newer = content.pop("format") != _FORMAT
        found = _manifest(content) if is_whole and not newer else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{folder / MANIFEST} er beskadiget. Brug en anden sikkerhedskopi.") from error
    if found is not None:
        return found
    if is_whole:
        raise BackupError(f"{folder} er lavet af en nyere udgave af Sundhedsagenten. Installer den.")
    raise BackupError(f"{folder / MANIFEST} er beskadiget. Brug en anden sikkerhedskopi.")


def _manifest(content: dict[str, Any]) -> Manifest:
    parts = {name: Part(**part) for name, part in content.pop("parts").items()}
    for name in parts:
        path = Path(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(name)
    taken_at = datetime.fromisoformat(content.pop("taken_at"))
    found = Manifest(taken_at=taken_at, parts=parts, **content)
    if found.database not in {"sqlite", "postgresql"} or not {found.database_part, SETTINGS_PART} <= set(
        parts
    ):
        raise ValueError(found.database)
    return found


def _seal(content: Mapping[str, Any]) -> str:
    """A byte that a disk has lost in the manifest itself shows too. It keeps nobody from writing another manifest."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def part_of(file: Path) -> Part:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256")
        return Part(os.fstat(opened.fileno()).st_size, digest.hexdigest())


def is_complete(folder: Path, manifest: Manifest) -> bool:
    """Whether just the files of the manifest lie in the folder, each as large as it should be; they are not read."""
    found = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    found.pop(MANIFEST, None)
    return found == {name: part.size for name, part in manifest.parts.items()}
