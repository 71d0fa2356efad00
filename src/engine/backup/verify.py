"""Tries a backup: its files, and in a temporary place that is gone afterwards all that a database must be."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from engine.backup.manifest import SETTINGS_PART, Manifest, part_of, read_manifest
from engine.database_url import database_url, without_password
from engine.domain.checkup import Checked, Verdict
from engine.errors import BackupError, HomeError, SettingsError, os_reason
from engine.store import rules
from engine.store.checks import FILES, KEY, LOADING, REVISION, ROWS, fault, some, tried
from engine.store.database import Database
from engine.store.payloads import PayloadBox
from engine.store.revisions import newest_revision

_ANOTHER = "Brug en anden sikkerhedskopi."
_NO_KEY = "der er ingen nøgle at prøve med"
_GIVE_KEY = "Giv den med --key FIL."


def verify_backup(folder: Path, box: PayloadBox | None, url: str | None) -> Iterator[Checked]:
    """Every check of a backup; none of them touches it, or anything else. They end with the first fault that leaves
    nothing to look at.

    `url` is an address on a PostgreSQL server where a dump may be loaded into a temporary database; None: the one that
    the home had, if that server lets us.
    """
    yield (check := check_files(folder))
    if check.verdict is not Verdict.GOOD:
        return
    manifest = read_manifest(folder)
    if manifest.revision > newest_revision():
        yield tried(REVISION, partial(_refuse_newer, manifest))
    elif manifest.database == "sqlite":
        with _copied(folder / manifest.database_part) as db:
            yield LOADING.good("databasen er kopieret til et midlertidigt sted")
            yield from loaded_checks(db, manifest, box)
    else:
        yield from _on_a_server(folder, manifest, box, url)


def check_files(folder: Path) -> Checked:
    """The manifest and every file that it names are as they were written."""

    def look() -> str:
        try:
            manifest = read_manifest(folder)
        except BackupError as error:
            fault(str(error), _ANOTHER)
        wrong = [name for name, part in manifest.parts.items() if not _is(folder / name, part)]
        if wrong:
            fault(f"{some(wrong)} mangler eller er ændret", _ANOTHER)
        return f"manifest og {len(manifest.parts)} filer er, som de blev skrevet"

    return tried(FILES, look)


def _is(file: Path, part: object) -> bool:
    try:
        return not file.is_symlink() and part_of(file) == part
    except FileNotFoundError:
        return False
    except OSError as error:
        raise BackupError(f"{file} kan ikke læses: {os_reason(error)}.") from error


def check_fingerprint(manifest: Manifest, box: PayloadBox | None) -> Checked:
    """What can be said of the key before there is a database."""
    if box is None:
        return KEY.unknown(_NO_KEY, _GIVE_KEY)
    if manifest.key_fingerprint is None:
        return KEY.unknown("databasen kender ikke sin nøgle endnu", "Motoren noterer den, når den starter.")

    def look() -> str:
        if manifest.key_fingerprint != box.fingerprint:
            fault(
                "nøglen er en anden end den, som meddelelserne er forseglet med",
                "Find den rigtige payload.key.",
            )
        return "nøglen er den, som databasen nævner; ingen meddelelse er åbnet"

    return tried(KEY, look)


def loaded_checks(db: Database, manifest: Manifest, box: PayloadBox | None) -> Iterator[Checked]:
    """Every check of the database that was in a backup. An older one is upgraded, once it has been read."""
    yield tried(ROWS, partial(rules.seen, db, partial(rules.rows, expected=manifest.rows)))
    yield (check := rules.whole(db))
    if check.verdict is not Verdict.GOOD:
        return
    yield (check := tried(REVISION, partial(_upgraded, db, manifest)))
    if check.verdict is Verdict.GOOD:
        yield from rules.content_checks(db, box, _NO_KEY)


def _upgraded(db: Database, manifest: Manifest) -> str:
    if manifest.revision == newest_revision():
        return manifest.revision
    db.upgrade()
    return f"{manifest.revision}; opgraderet til {newest_revision()} uden fejl"


def _refuse_newer(manifest: Manifest) -> str:
    return fault(
        f"databasen har revision {manifest.revision}, og denne version bruger {newest_revision()}",
        f"Installer version {manifest.version} af Sundhedsagenten.",
    )


@contextmanager
def _copied(source: Path) -> Iterator[Database]:
    from engine.store.sqlite import SqliteDatabase  # noqa: PLC0415 - only where it is that kind

    with tempfile.TemporaryDirectory(prefix="sundhedsagent-") as place:
        try:
            copy = Path(shutil.copyfile(source, Path(place) / source.name))
        except OSError as error:
            needed = -(-source.stat().st_size // 1_000_000)
            raise BackupError(
                f"Databasen kan ikke kopieres til {place}: {os_reason(error)}. "
                f"Sæt TMPDIR til en mappe med plads til {needed} MB."
            ) from error
        with closing(SqliteDatabase(copy)) as db:
            yield db


def _on_a_server(
    folder: Path, manifest: Manifest, box: PayloadBox | None, url: str | None
) -> Iterator[Checked]:
    from engine.store.postgresql import PostgresDatabase  # noqa: PLC0415
    from engine.store.postgresql_programs import table_of_contents  # noqa: PLC0415
    from engine.store.spare_database import load_dump, temporary_database  # noqa: PLC0415

    dump = folder / manifest.database_part
    server, why_not = _server(folder, url)
    if server:
        with temporary_database(server) as place:
            if place is not None:
                loading = partial(_loaded, partial(load_dump, place, dump, server=manifest.server))
                yield (check := tried(LOADING, loading))
                if check.verdict is Verdict.GOOD:
                    with closing(PostgresDatabase(place)) as db:
                        yield from loaded_checks(db, manifest, box)
                return
        why_not = f"brugeren må ikke oprette en midlertidig database på {without_password(server)}"
    table_of_contents(dump, manifest.server)
    yield LOADING.unknown(
        f"dumpen er ikke indlæst, for {why_not}; bevist er kun, at filerne er ubeskadigede, og at pg_restore kender "
        "dumpens indhold",
        "Giv en server, hvor der må oprettes databaser, med --database ADRESSE.",
    )
    yield check_fingerprint(manifest, box)


def _loaded(load: partial[None]) -> str:
    try:
        load()
    except BackupError as error:
        fault(str(error), _ANOTHER)
    return "dumpen er indlæst i en midlertidig database"


def _server(folder: Path, url: str | None) -> tuple[str, str]:
    """An address that answers, or why there is none. One that was given must answer: HomeError where it does not."""
    from engine.store.postgresql import reached  # noqa: PLC0415

    if url is not None:
        return url, ""
    try:
        found = database_url(folder / SETTINGS_PART)
        if not found:
            return "", "sikkerhedskopiens indstillinger nævner ingen server"
        with reached(found):
            return found, ""
    except (HomeError, SettingsError) as error:
        return "", f"serveren kan ikke bruges ({error})"
