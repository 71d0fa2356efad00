import base64
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.clock import SimulatedClock, SystemClock
from engine.errors import HomeError
from engine.home import (
    HOME_VARIABLE,
    KEY_VARIABLE,
    Home,
    engine_lock,
    find_home,
    is_engine_running,
    payload_key,
)
from engine.settings import Settings
from engine.store.revisions import newest_revision
from engine.upkeep import upgrade_home

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def query(home: Home, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(home.database_file)) as conn:
        return conn.execute(sql).fetchall()


def execute(home: Home, sql: str) -> None:
    with closing(sqlite3.connect(home.database_file)) as conn, conn:
        conn.execute(sql)


def test_create_makes_all_that_a_home_has(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "some" / "where", SimulatedClock(NOON), "mette")
    assert mode(home.path) == 0o700
    assert mode(home.key_file) == mode(home.settings_file) == mode(home.database_file) == 0o600
    assert all(folder.is_dir() for folder in home.folders)
    assert len(base64.b64decode(home.key_file.read_text())) == 32
    assert query(home, "SELECT count(*) FROM kommune") == [(98,)]
    assert query(home, "SELECT name, cvr FROM kommune WHERE code = '0101'") == [
        ("Københavns Kommune", "64942212")
    ]
    microseconds = int(NOON.timestamp()) * 1_000_000
    assert query(home, "SELECT identity, role, granted_at FROM role_grant") == [
        ("mette", "administrator", microseconds)
    ]
    sequences = {"advis", "audit", "payload", "envelope_in", "envelope_out", "kvittering", "publication"}
    assert query(home, "SELECT name, next_id FROM id_sequence ORDER BY name") == [
        (name, 1) for name in sorted(sequences)
    ]
    assert query(home, "PRAGMA journal_mode") == [("wal",)]
    assert Settings.load(home) == Settings()
    assert Home.open(home.path) == home


def test_two_homes_have_two_keys(made_home: Home, tmp_path: Path) -> None:
    other = Home.create(tmp_path / "other", SystemClock(), "x")
    assert payload_key(other) != payload_key(made_home)


def test_create_takes_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    assert Home.create(tmp_path, SystemClock(), "x").settings_file.exists()


def test_create_refuses_a_home(new_home: Home) -> None:
    before = new_home.key_file.read_bytes()
    with pytest.raises(HomeError, match="allerede en hjemmemappe"):
        Home.create(new_home.path, SystemClock(), "x")
    assert new_home.key_file.read_bytes() == before


def test_create_refuses_a_folder_in_use_and_leaves_it_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    before = mode(tmp_path)
    with pytest.raises(HomeError, match=r"ikke tom.*photo\.jpg"):
        Home.create(tmp_path, SystemClock(), "x")
    assert mode(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_create_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="kan ikke bruges"):
        Home.create(tmp_path / "file", SystemClock(), "x")


@pytest.mark.parametrize("step", ["_make_database", "write_new"])
def test_a_half_finished_home_is_told_from_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    import engine.home

    real = getattr(engine.home, step)

    def crash(*args: object) -> None:
        if step == "write_new" and Path(str(args[0])).suffix == ".key":
            real(*args)
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(engine.home, step, crash)
    with pytest.raises(KeyboardInterrupt):
        Home.create(tmp_path / "home", SystemClock(), "x")
    monkeypatch.undo()
    with pytest.raises(HomeError, match="blev ikke færdig"):
        Home.open(tmp_path / "home")
    with pytest.raises(HomeError, match="blev ikke færdig"):
        Home.create(tmp_path / "home", SystemClock(), "x")


@pytest.mark.sqlite_only
def test_open_says_what_is_missing(new_home: Home, tmp_path: Path) -> None:
    with pytest.raises(HomeError, match=r"findes ikke.*sundhedsagent init"):
        Home.open(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(HomeError, match=r"ikke en hjemmemappe.*sundhedsagent init"):
        Home.open(tmp_path / "empty")
    new_home.afsend.rmdir()
    with pytest.raises(HomeError, match="beskedfordeler/afsend"):
        Home.open(new_home.path)
    new_home.afsend.mkdir()
    new_home.database_file.unlink()
    with pytest.raises(HomeError, match=r"sundhedsagent\.db"):
        Home.open(new_home.path)
    new_home.settings_file.unlink()
    with pytest.raises(HomeError, match=r"sundhedsagent\.toml mangler"):
        Home.open(new_home.path)


@pytest.mark.sqlite_only
def test_open_refuses_another_version_of_the_database(new_home: Home) -> None:
    execute(new_home, "UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(HomeError, match=r"er ældre.*sundhedsagent db upgrade"):
        Home.open(new_home.path)
    execute(new_home, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(HomeError, match=r"er nyere.*9999"):
        Home.open(new_home.path)
    new_home.database_file.write_bytes(b"no database" * 100)
    with pytest.raises(HomeError, match="ikke en læsbar database"):
        Home.open(new_home.path)


@pytest.mark.sqlite_only
def test_upgrade_brings_an_older_database_up_to_date(new_home: Home) -> None:
    new_home.database_file.unlink()
    new_home.open_database().close()
    sqlite3.connect(new_home.database_file).close()
    assert upgrade_home(new_home.path) == ("0000", newest_revision())
    assert upgrade_home(new_home.path) == (newest_revision(), newest_revision())
    Home.open(new_home.path)


def test_upgrade_waits_for_no_engine(new_home: Home) -> None:
    with engine_lock(new_home), pytest.raises(HomeError, match="kører allerede"):
        upgrade_home(new_home.path)


def test_the_key_comes_from_the_environment_first(new_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert payload_key(new_home) == base64.b64decode(new_home.key_file.read_text())
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(b"k" * 32).decode())
    assert payload_key(new_home) == b"k" * 32
    new_home.key_file.unlink()
    assert payload_key(new_home) == b"k" * 32


def test_a_missing_or_wrong_key_is_told_without_being_shown(
    new_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_home.key_file.write_text(base64.b64encode(b"short").decode())
    with pytest.raises(HomeError, match=r"32 byte.*giver 5"):
        payload_key(new_home)
    new_home.key_file.write_text("*secret*")
    with pytest.raises(HomeError, match="ikke gyldig base64") as caught:
        payload_key(new_home)
    assert "secret" not in str(caught.value)
    new_home.key_file.unlink()
    with pytest.raises(HomeError, match="mangler"):
        payload_key(new_home)
    monkeypatch.setenv(KEY_VARIABLE, "x")
    with pytest.raises(HomeError, match=KEY_VARIABLE):
        payload_key(new_home)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_can_reach_is_refused(new_home: Home, bits: int) -> None:
    new_home.key_file.chmod(bits)
    with pytest.raises(HomeError, match="chmod 600"):
        payload_key(new_home)


def test_the_home_is_found_by_option_then_variable_then_folder(
    new_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_home(new_home.path, {HOME_VARIABLE: "/nowhere"}) == new_home
    assert find_home(None, {HOME_VARIABLE: str(new_home.path)}) == new_home
    monkeypatch.chdir(new_home.path)
    assert find_home(None, {}).path.samefile(new_home.path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HomeError, match="--home"):
        find_home(None, {})


def test_one_engine_at_a_time(new_home: Home) -> None:
    assert not is_engine_running(new_home)
    with engine_lock(new_home):
        assert is_engine_running(new_home)
        with (
            pytest.raises(HomeError, match=rf"En motor kører allerede.*proces {os.getpid()}"),
            engine_lock(new_home),
        ):
            pass
    assert not is_engine_running(new_home)
    with engine_lock(new_home):
        pass


def test_a_killed_engine_leaves_no_lock(new_home: Home) -> None:
    code = (
        "import sys, time; from pathlib import Path; from engine.home import Home, engine_lock\n"
        "with engine_lock(Home(Path(sys.argv[1]))): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(new_home.path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert is_engine_running(new_home)
        process.kill()
    assert not is_engine_running(new_home)
