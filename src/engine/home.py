"""The home folder: the embedded default, and a public interface that other programs use."""

import base64
import binascii
import csv
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from engine.clock import Clock
from engine.database_url import database_url, without_password
from engine.errors import HomeError, os_reason
from engine.store.revisions import newest_revision, revision_of

if TYPE_CHECKING:
    from engine.store.database import Database

HOME_VARIABLE = "SUNDHEDSAGENT_HOME"
KEY_VARIABLE = "SUNDHEDSAGENT_PAYLOAD_KEY"

_KEY_BYTES = 32
_SEQUENCES = ("advis", "payload", "envelope_in", "envelope_out", "kvittering")
_LOCK_TRIES, _LOCK_PAUSE_S = 5, 0.02
NO_MATTER = {"lost+found"}  # a fresh file system is as good as an empty folder


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything of one home lies. `vans` and `beskedfordeler` are a public interface."""

    path: Path

    @property
    def settings_file(self) -> Path:
        return self.path / "sundhedsagent.toml"

    @property
    def database_file(self) -> Path:
        return self.path / "sundhedsagent.db"

    @property
    def key_file(self) -> Path:
        return self.path / "payload.key"

    @property
    def lock_file(self) -> Path:
        return self.path / "engine.lock"

    @property
    def vans_in(self) -> Path:
        return self.path / "vans" / "in"

    @property
    def vans_out(self) -> Path:
        return self.path / "vans" / "out"

    @property
    def vans_quarantine(self) -> Path:
        return self.path / "vans" / "quarantine"

    @property
    def dueslag(self) -> Path:
        return self.path / "beskedfordeler" / "dueslag"

    def dueslag_of(self, system_uuid: str) -> Path:
        """A receiver's own mailbox."""
        return self.dueslag / system_uuid

    def make_dueslag(self, *system_uuids: str) -> None:
        """Make receivers' mailboxes at once, so that they can begin to look into them."""
        for system_uuid in system_uuids:
            self.dueslag_of(system_uuid).mkdir(exist_ok=True)

    @property
    def afsend(self) -> Path:
        return self.path / "beskedfordeler" / "afsend"

    @property
    def beskedfordeler_quarantine(self) -> Path:
        return self.path / "beskedfordeler" / "quarantine"

    @property
    def mail(self) -> Path:
        return self.path / "mail"

    @property
    def mail_templates(self) -> Path:
        """The home's own texts, where there are any; see docs/drift.md."""
        return self.path / "mail-templates"

    @property
    def folders(self) -> tuple[Path, ...]:
        return (
            self.vans_in,
            self.vans_out,
            self.vans_quarantine,
            self.dueslag,
            self.afsend,
            self.beskedfordeler_quarantine,
            self.mail,
            self.mail_templates,
        )

    @property
    def database_url(self) -> str:
        """PostgreSQL's address; empty where the database is the home's own file."""
        return database_url(self.settings_file)

    @property
    def database_name(self) -> str:
        """The database as people may read it."""
        return without_password(self.database_url) or str(self.database_file)

    def open_database(self, *, cache_kib: int | None = None) -> "Database":
        """The home's database; `cache_kib` is what each connection to an SQLite file may hold in memory."""
        return _database(self.database_url, self.database_file, cache_kib)

    @classmethod
    def create(
        cls, path: Path, clock: Clock, caller: str, *, url: str = "", key: bytes | None = None
    ) -> "Home":
        """Make a new home in an empty or missing folder, with `caller` as its administrator.

        With a `url` its database is on a PostgreSQL server. One that has tables already is shared with other homes:
        it keeps its administrators, and the `key` that seals its payloads must be given. HomeError where it is
        another one, or where the folder or the database cannot be used.

        The settings file is written last: a home without one is half-finished, and `open` says so.
        """
        home = cls(path.absolute())
        home.refuse_used_folder()
        is_shared = bool(url) and _is_in_use(url, key)
        try:
            home.path.mkdir(parents=True, exist_ok=True)
            home.path.chmod(0o700)
            # First: whatever stops this half-way, the key file says that a home was begun.
            write_new(home.key_file, base64.b64encode(key or os.urandom(_KEY_BYTES)) + b"\n")
            for folder in home.folders:
                folder.mkdir(parents=True, exist_ok=True)
            if not is_shared:
                _make_database(home, url, clock, caller)
            from engine.settings import new_file  # noqa: PLC0415 - pydantic is slow to import

            unfinished = home.path / f".{home.settings_file.name}.tmp"
            write_new(unfinished, new_file({"database.url": url} if url else {}).encode())
            unfinished.rename(home.settings_file)
        except OSError as error:
            reason = os_reason(error)
            raise HomeError(f"{error.filename or home.path} kan ikke oprettes: {reason}") from error
        return home

    @classmethod
    def open(cls, path: Path) -> "Home":
        """The home in a folder; HomeError where it is none, unfinished or of another version."""
        home = cls.at(path)
        found, newest = home.revision(), newest_revision()
        versions = f"revision {found}; denne version af Sundhedsagenten bruger {newest}"
        if found < newest:
            raise HomeError(
                f"Databasen {home.database_name} er ældre ({versions}). Kør: sundhedsagent db upgrade"
            )
        if found > newest:
            raise HomeError(
                f"Databasen {home.database_name} er nyere ({versions}). Installer en nyere udgave."
            )
        return home

    @classmethod
    def at(cls, path: Path) -> "Home":
        """The home in a folder, of whatever version; HomeError where it is none or unfinished."""
        home = cls(path.absolute())
        home._refuse_incomplete()
        return home

    def revision(self) -> str:
        """The revision of the home's tables; "0000" where there are none."""
        url = self.database_url
        if url:
            from engine.store.postgresql import revision_on  # noqa: PLC0415

            return revision_on(url) or "0000"
        try:
            return revision_of(self.database_file) or "0000"
        except sqlite3.Error as error:
            raise HomeError(f"{self.database_file} er ikke en læsbar database: {error}") from error

    def _refuse_incomplete(self) -> None:
        if not self.path.is_dir():
            raise HomeError(
                f"Mappen {self.path} findes ikke. Opret en hjemmemappe med: sundhedsagent init {self.path}"
            )
        if not self.settings_file.is_file():
            raise HomeError(self._why_no_home())
        # An older home has no folders for mail yet: `db upgrade` makes them.
        needed = [folder for folder in self.folders if folder not in {self.mail, self.mail_templates}]
        own = () if self.database_url else (self.database_file,)
        missing = [path for path in (*own, *needed) if not path.exists()]
        if missing:
            names = ", ".join(str(path.relative_to(self.path)) for path in missing)
            raise HomeError(
                f"Hjemmemappen {self.path} er ufuldstændig. Genskab fra en sikkerhedskopi: {names}"
            )

    def refuse_used_folder(self) -> None:
        """HomeError where the folder is neither missing nor empty."""
        try:
            found = sorted({entry.name for entry in self.path.iterdir()} - NO_MATTER)
        except FileNotFoundError:
            return
        except OSError as error:
            raise HomeError(f"{self.path} kan ikke bruges: {os_reason(error)}") from error
        if self.settings_file.exists():
            raise HomeError(f"{self.path} er allerede en hjemmemappe. Vælg en anden mappe.")
        if self.key_file.exists() or self.database_file.exists():
            raise HomeError(self._why_no_home())
        if found:
            raise HomeError(
                f"{self.path} er ikke tom (den indeholder {found[0]}). Vælg en tom eller ny mappe."
            )

    def _why_no_home(self) -> str:
        if self.key_file.exists() or self.database_file.exists():
            return (
                f"Hjemmemappen {self.path} blev ikke færdig: {self.settings_file.name} mangler. "
                "Er den helt ny, så slet mappen og kør sundhedsagent init igen; "
                "gem payload.key, hvis databasen er på en server, for den kan blive krævet med --key. "
                "Er den ikke ny, så genskab filen fra en sikkerhedskopi."
            )
        return f"{self.path} er ikke en hjemmemappe. Opret en med: sundhedsagent init MAPPE"


def find_home(option: Path | None, environ: Mapping[str, str] = os.environ) -> Home:
    """The home that the caller means, opened."""
    return Home.open(home_path(option, environ))


def home_path(option: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the home is that the caller means: --home, else SUNDHEDSAGENT_HOME, else the current folder."""
    if option is not None:
        return option
    if environ.get(HOME_VARIABLE):
        return Path(environ[HOME_VARIABLE])
    if Home(Path.cwd()).settings_file.is_file():
        return Path.cwd()
    raise HomeError(
        f"Ingen hjemmemappe er valgt. Brug --home MAPPE, sæt {HOME_VARIABLE}, eller stå i mappen. "
        "En ny hjemmemappe oprettes med: sundhedsagent init MAPPE"
    )


def payload_key(home: Home) -> bytes:
    """The 32 bytes that seal payloads: from the environment, else from the home's key file."""
    return _key_from_environment() or _key_in(home.key_file)


def given_key(file: Path | None) -> bytes | None:
    """The key of a database that is in use already: from a file, else from the environment, else None."""
    return _key_from_environment() if file is None else _key_in(file)


def _key_from_environment() -> bytes | None:
    if KEY_VARIABLE in os.environ:
        return _decode_key(os.environ[KEY_VARIABLE], f"Miljøvariablen {KEY_VARIABLE}")
    return None


def _key_in(file: Path) -> bytes:
    try:
        with file.open(encoding="ascii", errors="replace") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read(1_000)
    except FileNotFoundError as error:
        raise HomeError(
            f"Nøglefilen {file} mangler. Genskab den fra en sikkerhedskopi, eller sæt "
            f"{KEY_VARIABLE}; uden nøglen kan gemte meddelelser ikke læses."
        ) from error
    except OSError as error:
        raise HomeError(f"Nøglefilen {file} kan ikke læses: {os_reason(error)}") from error
    if mode & 0o077:
        raise HomeError(f"Nøglefilen {file} kan læses af andre. Kør: chmod 600 {file}")
    return _decode_key(text, f"Nøglefilen {file}")


@contextmanager
def engine_lock(home: Home) -> Iterator[None]:
    """Hold the home for one engine; HomeError where another one has it. A lock dies with its process.

    Engines that share a database have a home each.
    """
    descriptor = _open_lock(home)
    try:
        if not _take_lock(descriptor):
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            process = f" (proces {holder})" if holder.isdigit() else ""
            raise HomeError(f"En motor kører allerede i {home.path}{process}.")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_engine_running(home: Home) -> bool:
    """Whether some engine holds the home now. (One on another machine may work on the same database all the same.)"""
    if not home.lock_file.exists():
        return False
    descriptor = _open_lock(home)
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _open_lock(home: Home) -> int:
    try:
        return os.open(home.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HomeError(f"{home.lock_file} kan ikke åbnes: {os_reason(error)}") from error


def _take_lock(descriptor: int) -> bool:
    # A look by is_engine_running holds the lock for an instant: that is no engine.
    for _ in range(_LOCK_TRIES):
        if _try_lock(descriptor):
            return True
        time.sleep(_LOCK_PAUSE_S)
    return False


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _decode_key(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise HomeError(f"{where} er ikke gyldig base64.") from error
    if len(key) != _KEY_BYTES:
        raise HomeError(f"{where} skal give {_KEY_BYTES} byte (base64), men giver {len(key)}.")
    return key


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, for its owner alone, and on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _database(url: str, file: Path, cache_kib: int | None = None) -> "Database":
    # Imported where they are needed: a home alone is quick to look at.
    if url:
        from engine.store.postgresql import PostgresDatabase  # noqa: PLC0415

        return PostgresDatabase(url)
    from engine.store.sqlite import CACHE_KIB, SqliteDatabase  # noqa: PLC0415

    return SqliteDatabase(file, cache_kib=cache_kib or CACHE_KIB)


def _is_in_use(url: str, key: bytes | None) -> bool:
    """Whether the database is another home's; HomeError where the key, or this version, does not go with it."""
    from engine.store.postgresql import revision_on  # noqa: PLC0415

    found, newest, name = revision_on(url), newest_revision(), without_password(url)
    if found is None:
        return False
    if found != newest:
        raise HomeError(
            f"Databasen {name} har revision {found}; denne version bruger {newest}. "
            "Brug samme version overalt, og opgrader fra et hjem, der er der: sundhedsagent db upgrade"
        )
    from sqlalchemy import select  # noqa: PLC0415

    from engine.store.payloads import PayloadBox  # noqa: PLC0415
    from engine.store.sealing import refuse_other_key  # noqa: PLC0415
    from engine.store.tables import kommune  # noqa: PLC0415

    with closing(_database(url, Path())) as db, db.reading() as conn:
        if conn.execute(select(kommune.c.code).limit(1)).first() is None:
            return False  # an `init` was stopped when it had made the tables, and before it had filled them
        if key is None:
            raise HomeError(
                f"Databasen {name} er i brug. Giv dens nøgle med --key FIL (payload.key fra et andet hjem) "
                f"eller i {KEY_VARIABLE}."
            )
        refuse_other_key(conn, PayloadBox(key))
    return True


def _make_database(home: Home, url: str, clock: Clock, caller: str) -> None:
    from sqlalchemy import select  # noqa: PLC0415

    from engine.store import tables  # noqa: PLC0415
    from engine.store.payloads import PayloadBox  # noqa: PLC0415
    from engine.store.sealing import note_key  # noqa: PLC0415

    if not url:
        home.database_file.touch(mode=0o600)  # SQLite gives its side files the same mode
    db = _database(url, home.database_file)
    try:
        db.upgrade()
        now = clock.now()
        grant = {"identity": caller, "role": "administrator", "granted_at": now, "granted_by": "init"}
        with db.writing() as tx:
            if tx.conn.execute(select(tables.kommune.c.code).limit(1)).first() is not None:
                raise HomeError(
                    "Databasen er netop taget i brug af et andet hjem. Slet mappen, og brug dets nøgle."
                )
            tx.insert(tables.kommune, kommune_rows())
            tx.insert(tables.role_grant, [grant])
            tx.insert(tables.id_sequence, [{"name": name, "next_id": 1} for name in _SEQUENCES])
            note_key(tx, PayloadBox(payload_key(home)), now)
    finally:
        db.close()


def kommune_rows() -> list[dict[str, str]]:
    """The 98 kommuner, as the package carries them."""
    text = resources.files("engine.data").joinpath("kommuner.csv").read_text(encoding="utf-8")
    return [
        {
            "code": row["kommunekode"],
            "name": row["kommunenavn"],
            "cvr": row["cvr"],
            "fk_organisation_uuid": row["fk_organisation_uuid"],
            "region": row["region"],
            "region_code": row["regionskode"],
            "epj": row["epj"],
        }
        for row in csv.DictReader(text.splitlines())
    ]
