"""Makes a home of a backup, in a folder and a database where there is nothing yet."""

import base64
import json
import os
import re
import shutil
import sqlite3
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError

from engine.backup.manifest import SETTINGS_PART, TEMPLATES_PART, Manifest, read_manifest
from engine.backup.verify import check_files, check_fingerprint, loaded_checks
from engine.clock import Clock
from engine.database_errors import database_trouble
from engine.database_url import DATABASE_VARIABLE, database_url, without_password
from engine.desk.access import Role
from engine.domain.audit import Action
from engine.domain.checkup import Checked, Verdict
from engine.domain.events import EventKind, Level
from engine.errors import BackupError, os_reason
from engine.flow.claims import release_all
from engine.flow.timekeeping import open_ledger
from engine.home import Home, write_new
from engine.store import tables
from engine.store.audit import append_audit
from engine.store.checks import LOADING
from engine.store.database import Database
from engine.store.payloads import PayloadBox
from engine.store.revisions import newest_revision

_URL = re.compile(r"^url\s*=.*$", re.MULTILINE)
_SECTION = re.compile(r"^\[database\][^\n]*$(?P<body>.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Restored:
    home: Home
    manifest: Manifest
    administrators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """The key, and whether it is to be written into the home: not where the environment gives it."""

    secret: bytes
    is_from_file: bool


Tell = Callable[[Checked], None]
"""Hears what each check on the way found."""


def restore_backup(
    folder: Path,
    target: Path,
    key: Key,
    url: str | None,
    *,
    actor: str,
    tell: Tell,
    clock: Clock | None = None,
) -> Restored:
    """Make a home of a backup in the folder `target`.

    `url` is the address of an empty PostgreSQL database; None: the one that the home had. BackupError, with nothing
    left in the folder, where the backup cannot be used; HomeError where there is something in the folder already.
    """
    home = Home(target.absolute())
    home.refuse_used_folder()
    _demand(check_files(folder), tell)
    manifest = read_manifest(folder)
    _refuse_newer(manifest)
    box = PayloadBox(key.secret)
    _demand(check_fingerprint(manifest, box), tell)
    settings = _settings(folder, url)
    address = _address(folder, manifest, url)
    try:
        with _nothing_left(home):
            _make_folders(home, key)
            with closing(_load(home, folder, manifest, address)) as db:
                tell(LOADING.good(f"databasen er indlæst i {_name(home, address)}"))
                for check in loaded_checks(db, manifest, box):
                    _demand(check, tell, spoilt=address)
                _record(db, manifest, actor, clock or db.clock)
                _make_dueslag(home, db)
                administrators = _administrators(db)
            _copy_templates(home, folder, manifest)
            # The settings come last: a folder without them is no home.
            write_new(_unfinished(home), settings.encode())
            _unfinished(home).rename(home.settings_file)
    except OSError as error:
        raise BackupError(f"{error.filename or home.path} kan ikke skrives: {os_reason(error)}.") from error
    except (sqlite3.Error, DBAPIError) as error:
        raise BackupError(
            f"{_name(home, address)}: {database_trouble(error) or type(error).__name__}."
        ) from error
    return Restored(home, manifest, administrators)


def _demand(check: Checked, tell: Tell, spoilt: str = "") -> None:
    tell(check)
    if check.verdict is Verdict.FAULT:
        after = f" {without_password(spoilt)} er nu ikke tom: slet den, før du prøver igen." if spoilt else ""
        raise BackupError(
            f"Sikkerhedskopien kan ikke bruges ({check.what}): {check.found}. {check.do}{after}"
        )


def _refuse_newer(manifest: Manifest) -> None:
    if manifest.revision > newest_revision():
        raise BackupError(
            f"Sikkerhedskopien har revision {manifest.revision}, og denne version bruger {newest_revision()}. "
            f"Installer version {manifest.version} af Sundhedsagenten."
        )


def _address(folder: Path, manifest: Manifest, url: str | None) -> str:
    """The PostgreSQL database that it goes into, found empty; empty text for a file in the home."""
    if manifest.database == "sqlite":
        if url is not None or os.environ.get(DATABASE_VARIABLE):
            given = "--database" if url is not None else DATABASE_VARIABLE
            raise BackupError(
                f"Sikkerhedskopien er af en databasefil og kan ikke lægges på en server. Udelad {given}."
            )
        return ""
    from engine.store.spare_database import refuse_used  # noqa: PLC0415 - only where it is that kind

    address = database_url(folder / SETTINGS_PART) if url is None else url
    if not address:
        raise BackupError("Sikkerhedskopien er fra PostgreSQL. Giv en tom database med --database ADRESSE.")
    refuse_used(address)
    return address


def _name(home: Home, address: str) -> str:
    return without_password(address) or str(home.database_file)


@contextmanager
def _nothing_left(home: Home) -> Iterator[None]:
    """What was made is removed again where it does not become a home; a folder that was there stays."""
    was_there = home.path.is_dir()
    try:
        yield
    except BaseException:
        own = (home.path / name for name in ("vans", "beskedfordeler", "mail", "mail-templates"))
        for folder in own:
            shutil.rmtree(folder, ignore_errors=True)
        for file in home.path.glob(f"{home.database_file.name}*"):
            file.unlink(missing_ok=True)
        for file in (home.key_file, _unfinished(home)):
            file.unlink(missing_ok=True)
        if not was_there:
            with suppress(OSError):  # never made, or somebody else has put something there
                home.path.rmdir()
        raise


def _make_folders(home: Home, key: Key) -> None:
    home.path.mkdir(parents=True, exist_ok=True)
    home.path.chmod(0o700)
    if key.is_from_file:
        # First: whatever stops this half-way, the key file says that a home was begun.
        write_new(home.key_file, base64.b64encode(key.secret) + b"\n")
    for folder in home.folders:
        folder.mkdir(parents=True, exist_ok=True)


def _load(home: Home, folder: Path, manifest: Manifest, address: str) -> Database:
    part = folder / manifest.database_part
    if not address:
        from engine.store.sqlite import SqliteDatabase  # noqa: PLC0415

        write_new(home.database_file, b"")  # its mode is that of what is copied into it
        shutil.copyfile(part, home.database_file)
        with home.database_file.open("rb") as file:
            os.fsync(file.fileno())
        return SqliteDatabase(home.database_file)
    from engine.store.postgresql import PostgresDatabase  # noqa: PLC0415
    from engine.store.spare_database import load_dump  # noqa: PLC0415

    load_dump(address, part, server=manifest.server)
    return PostgresDatabase(address)


def _record(db: Database, manifest: Manifest, actor: str, clock: Clock) -> None:
    """The log and the audit tell of it; and what was being sent when the backup was taken is nobody's now."""
    taken_at = manifest.taken_at.isoformat()
    with db.writing() as tx:
        ledger = open_ledger(tx, clock)
        ledger.event(EventKind.DATABASE_RESTORED, actor=actor, level=Level.WARNING, at=taken_at)
        append_audit(
            tx, ledger.now, actor, Action.DATABASE_RESTORED, "database", after={"backup_of": taken_at}
        )
        for table in tables.metadata.tables.values():
            if "claimed_by" in table.c:
                release_all(tx, table)
        for table in (tables.pulse, tables.stall):
            # What engines told of themselves: those that come may be others, and none is at work now.
            tx.conn.execute(delete(table).where(table.c.name.contains("@")))
        ledger.write()


def _make_dueslag(home: Home, db: Database) -> None:
    receiver = tables.receiver
    with db.reading() as conn:
        query = select(receiver.c.system_uuid).where(receiver.c.removed_at.is_(None)).distinct()
        home.make_dueslag(*conn.execute(query).scalars())


def _administrators(db: Database) -> tuple[str, ...]:
    grant = tables.role_grant
    with db.reading() as conn:
        query = select(grant.c.identity).where(grant.c.role == Role.ADMINISTRATOR).distinct()
        return tuple(conn.execute(query.order_by(grant.c.identity)).scalars())


def _copy_templates(home: Home, folder: Path, manifest: Manifest) -> None:
    for name in manifest.parts:
        if name.startswith(f"{TEMPLATES_PART}/"):
            place = home.path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            write_new(place, (folder / name).read_bytes())


def _unfinished(home: Home) -> Path:
    return home.path / f".{home.settings_file.name}.tmp"


def _settings(folder: Path, url: str | None) -> str:
    """The settings as they were, but for another address of the database where one is given."""
    file = folder / SETTINGS_PART
    text = file.read_text(encoding="utf-8")
    if url is None:
        return text
    changed = with_database(text, url)
    try:
        said = tomllib.loads(changed)["database"]["url"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        said = None
    if said != url:
        raise BackupError(
            f"database.url kan ikke sættes i {file}. Udelad --database, og giv adressen i miljøet."
        )
    return changed


def with_database(text: str, url: str) -> str:
    """The settings file with another `database.url`, and every other line as it was."""
    line = f"url = {json.dumps(url, ensure_ascii=False)}"
    section = _SECTION.search(text)
    if section is None:
        return f"{text.rstrip()}\n\n[database]\n{line}\n"
    body, count = _URL.subn(lambda _: line, section["body"], count=1)
    if not count:
        body = f"\n{line}{body}"
    return text[: section.start("body")] + body + text[section.end("body") :]
