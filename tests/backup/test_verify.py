"""A backup is tried without touching it or anything else, and what is wrong with it is found."""

import json
import random
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic import command

from engine.backup import manifest, verify
from engine.backup.manifest import read_manifest
from engine.backup.verify import verify_backup
from engine.domain.checkup import Checked, Verdict
from engine.errors import BackupError, HomeError
from engine.home import payload_key
from engine.store import postgresql_programs, snapshot, spare_database
from engine.store.database import alembic_config
from engine.store.payloads import PayloadBox
from tests.backup.life import Life, back_up
from tests.servers.postgresql import PostgresServer


def tried(folder: Path, life: Life, url: str | None = None) -> dict[str, Checked]:
    box = PayloadBox(payload_key(life.home))
    return {each.name: each for each in verify_backup(folder, box, url)}


def faults(found: dict[str, Checked]) -> list[str]:
    return [name for name, each in found.items() if each.verdict is Verdict.FAULT]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(life: Life, tmp_path: Path) -> Path:
    (life.home.mail_templates / "case-opened.txt").write_text("Emne: Vores", encoding="utf-8")
    life.send(2)
    life.live()
    return back_up(life.home, tmp_path / "backups").folder


def test_it_touches_nothing(
    life: Life, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    before, home = content(folder), content(life.home.path)
    databases = databases_on(life)
    found = tried(folder, life)
    assert [each for each in found.values() if each.verdict is not Verdict.GOOD] == []
    assert len(found) == 13
    assert content(folder) == before
    assert content(life.home.path) == home
    assert databases_on(life) == databases
    assert list(spare.iterdir()) == []


def databases_on(life: Life) -> list[str]:
    if not life.home.database_url:
        return []
    with closing(psycopg.connect(life.home.database_url)) as conn:
        return [row[0] for row in conn.execute("SELECT datname FROM pg_database ORDER BY 1")]


def test_one_byte_that_is_another_is_found_in_every_file(life: Life, folder: Path) -> None:
    rng = random.Random(7)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 4
    for file in files:
        whole = file.read_bytes()
        for _ in range(8):
            at = rng.randrange(len(whole))
            if file.name == "manifest.json" and whole[at : at + 1].isspace():
                continue  # between two words of JSON it says the same
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert faults(tried(folder, life)) == ["files"], (file, at)
        file.write_bytes(whole[:-1])
        if file.name != "manifest.json":  # whose last byte is a line's end
            assert faults(tried(folder, life)) == ["files"], file
        file.write_bytes(whole)
    assert faults(tried(folder, life)) == []


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "er beskadiget"),
        ("[]", "er beskadiget"),
        ("{}", "er beskadiget"),
        ("null", "er beskadiget"),
        ('{"sha256": 1}', "er beskadiget"),
        ("{" * 100_000, "er beskadiget"),
    ],
)
def test_a_manifest_that_is_none_is_told(life: Life, folder: Path, text: str, fault: str) -> None:
    (folder / "manifest.json").write_text(text)
    found = tried(folder, life)
    assert faults(found) == ["files"]
    assert fault in found["files"].found


@pytest.mark.sqlite_only
def test_a_manifest_names_nothing_outside_its_folder(life: Life, folder: Path) -> None:
    said = json.loads((folder / "manifest.json").read_text())
    for name in ("../out", "/etc/passwd"):
        changed = said | {"parts": said["parts"] | {name: {"size": 1, "sha256": "x"}}}
        changed.pop("sha256")
        changed["sha256"] = manifest._seal(changed)
        (folder / "manifest.json").write_text(json.dumps(changed))
        with pytest.raises(BackupError, match="er beskadiget"):
            read_manifest(folder)


@pytest.mark.sqlite_only
def test_a_folder_that_is_no_backup_is_told(life: Life, folder: Path, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere", life.home.settings_file):
        found = tried(place, life)
        assert "er ikke en sikkerhedskopi" in found["files"].found


@pytest.mark.sqlite_only
def test_a_backup_of_a_newer_version_says_what_to_install(
    life: Life, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "newest_revision", lambda: "0001")
    found = tried(folder, life)
    assert faults(found) == ["revision"]
    assert list(found) == ["files", "revision"]
    assert "Installer version 0.1.0" in found["revision"].do


def test_another_key_is_found_and_none_is_told(life: Life, folder: Path) -> None:
    other = {each.name: each for each in verify_backup(folder, PayloadBox(bytes(32)), None)}
    assert faults(other) == ["key"]
    none = {each.name: each for each in verify_backup(folder, None, None)}
    assert none["key"].verdict is Verdict.UNKNOWN
    assert faults(none) == []


def test_a_lost_row_is_found(life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = snapshot._counted
    monkeypatch.setattr(snapshot, "_counted", lambda ask, name: counted(ask, name) + (name == "event"))
    folder = back_up(life.home, tmp_path / "b").folder
    found = tried(folder, life)
    assert faults(found) == ["rows"]
    assert "event" in found["rows"].found


def test_too_little_room_is_told(
    life: Life, folder: Path, monkeypatch: pytest.MonkeyPatch, database_kind: str
) -> None:
    if database_kind == "postgresql":

        def load(*_: object, **__: object) -> None:
            raise BackupError(postgresql_programs._what_it_says("pg_restore", "x: No space left on device"))

        monkeypatch.setattr(spare_database, "load", load)
        assert "der er ikke plads på disken" in tried(folder, life)["loading"].found
        return

    def copy(*_: object) -> None:
        raise OSError(28, "")

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(BackupError, match="TMPDIR"):
        tried(folder, life)


def test_an_older_backup_is_upgraded_in_its_temporary_place(life: Life, tmp_path: Path) -> None:
    if not life.home.database_url:
        for file in life.home.path.glob("sundhedsagent.db*"):
            file.unlink()
    db = life.home.open_database()
    if life.home.database_url:
        with db.engine.begin() as conn:
            conn.exec_driver_sql("DROP SCHEMA public CASCADE")
            conn.exec_driver_sql("CREATE SCHEMA public")
    config = alembic_config()
    config.attributes["engine"] = db.engine
    command.upgrade(config, "0003")
    db.close()
    folder = back_up(life.home, tmp_path / "b").folder
    before = content(folder)
    found = tried(folder, life)
    assert faults(found) == []
    assert found["revision"].found.startswith("0003; opgraderet til")
    assert len(found) == 13
    assert content(folder) == before


# --- on a PostgreSQL server -------------------------------------------------------------------------------------------


class TestOnAServer:
    @pytest.fixture
    def database_kind(self) -> str:
        return "postgresql"

    def test_without_the_right_to_make_a_database_it_says_how_little_is_proved(
        self, life: Life, folder: Path, postgres: PostgresServer
    ) -> None:
        with closing(psycopg.connect(life.home.database_url, autocommit=True)) as conn:
            conn.execute("DROP ROLE IF EXISTS lille")
            conn.execute("CREATE ROLE lille LOGIN")
        url = postgres.url("postgres").replace("agent@", "lille@")
        found = tried(folder, life, url)
        assert list(found) == ["files", "loading", "key"]
        assert found["loading"].verdict is Verdict.UNKNOWN
        assert "må ikke oprette en midlertidig database" in found["loading"].found
        assert found["key"].verdict is Verdict.GOOD

    def test_a_server_that_is_away_is_told_and_one_that_was_given_must_answer(
        self, life: Life, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        away = "postgresql://agent:hemmelig@127.0.0.1:1/x"
        monkeypatch.setenv("SUNDHEDSAGENT_DATABASE__URL", away)
        found = tried(folder, life)
        assert found["loading"].verdict is Verdict.UNKNOWN
        assert "hemmelig" not in found["loading"].found
        with pytest.raises(HomeError, match="kan ikke nås"):
            tried(folder, life, away)

    def test_a_temporary_database_goes_also_where_the_load_fails(
        self, life: Life, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def load(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        before = databases_on(life)
        monkeypatch.setattr(spare_database, "load", load)
        with pytest.raises(KeyboardInterrupt):
            tried(folder, life)
        assert databases_on(life) == before

    def test_a_password_stands_on_no_command_line_and_in_no_output(
        self, life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = life.home.database_url.replace("agent@", "agent:hem%40lig@") + "?keepalives=1&sslmode=disable"
        monkeypatch.setenv("SUNDHEDSAGENT_DATABASE__URL", given)
        ran: list[tuple[list[str], dict[str, str]]] = []
        run = subprocess.run

        def listen(words: list[str], **options: object) -> object:
            ran.append((words, options.get("env") or {}))  # type: ignore[arg-type]
            return run(words, **options)  # type: ignore[call-overload]

        monkeypatch.setattr(subprocess, "run", listen)
        made = back_up(life.home, tmp_path / "b")
        found = tried(made.folder, life)
        assert faults(found) == []
        words = [word for line, _ in ran for word in line]
        assert any("pg_dump" in word for word in words)
        assert any("pg_restore" in word for word in words)
        assert not any("hem" in word for word in words)
        passwords = {env.get("PGPASSWORD") for line, env in ran if any("--dbname" in word for word in line)}
        assert passwords == {"hem@lig"}
        assert not any(b"hem" in data for data in content(made.folder).values())

    def test_what_could_only_stand_on_a_command_line_is_refused(
        self, life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SUNDHEDSAGENT_DATABASE__URL", life.home.database_url + "?sslpassword=hemmelig")
        with pytest.raises(BackupError, match="sslpassword") as told:
            back_up(life.home, tmp_path / "b")
        assert "hemmelig" not in str(told.value)

    @pytest.mark.parametrize("version", [None, 9])
    def test_missing_and_old_programs_are_told_with_what_to_install(
        self, life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int | None
    ) -> None:
        path = tmp_path / "bin"
        path.mkdir()
        if version is not None:
            (path / "pg_dump").write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}.1'\n")
            (path / "pg_dump").chmod(0o755)
        monkeypatch.setenv("PATH", str(path))
        monkeypatch.setattr(postgresql_programs, "_DEBIAN", tmp_path / "nothing")
        with pytest.raises(BackupError, match=r"apt install postgresql-client-\d+\)") as told:
            back_up(life.home, tmp_path / "b")
        assert ("mangler" if version is None else "er version 9") in str(told.value)
        assert [each.name for each in (tmp_path / "b").iterdir() if not each.name.endswith(".lock")] == []

    def test_an_old_program_on_the_path_gives_way_to_debians_newer_one(
        self, life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer
    ) -> None:
        for name in ("pg_dump", "pg_restore"):
            (tmp_path / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 9.1'\n")
            (tmp_path / name).chmod(0o755)
        (tmp_path / "debian" / "99").mkdir(parents=True)
        (tmp_path / "debian" / "99" / "bin").symlink_to(postgres.bin)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(postgresql_programs, "_DEBIAN", tmp_path / "debian")
        assert back_up(life.home, tmp_path / "b").manifest.server >= 13

    def test_what_a_program_quotes_of_rows_is_not_told(self) -> None:
        said = (
            "pg_restore: error: could not execute query: ERROR:  no\nCONTEXT:  COPY advis, line 1: 010101\n"
        )
        assert "COPY" not in postgresql_programs._what_it_says("pg_restore", said)
