"""A backup is whole, or not there: beside an engine that works, on a full disk, and however the program dies."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from engine.backup import make
from engine.backup.make import Made
from engine.backup.manifest import is_complete, is_folder_name, read_manifest
from engine.backup.verify import verify_backup
from engine.domain.checkup import Verdict
from engine.errors import BackupError
from engine.home import Home, payload_key
from engine.store.payloads import PayloadBox
from tests.backup.conftest import EmptyDatabase
from tests.backup.life import Life, back_up, restore
from tests.process.outside import command

LOCK = ".sundhedsagent-backup.lock"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != LOCK)


def is_good(folder: Path, home: Home) -> bool:
    found = list(verify_backup(folder, PayloadBox(payload_key(home)), None))
    assert len(found) == 13, found
    return all(each.verdict is Verdict.GOOD for each in found)


def test_it_holds_what_it_says_and_nobody_else_may_look(life: Life, tmp_path: Path) -> None:
    (life.home.mail_templates / "case-opened.txt").write_text("Emne: Vores", encoding="utf-8")
    life.send(3)
    life.live()
    made = back_up(life.home, tmp_path / "deep" / "backups")
    database = "database.dump" if life.home.database_url else "sundhedsagent.db"
    files = {database, "sundhedsagent.toml", "mail-templates/case-opened.txt"}
    assert set(made.manifest.parts) == files
    found = {str(path.relative_to(made.folder)) for path in made.folder.rglob("*") if path.is_file()}
    assert found == files | {"manifest.json"}
    assert is_folder_name(made.folder.name)
    for path in (made.folder.parent, made.folder, *made.folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert read_manifest(made.folder) == made.manifest
    assert made.manifest.rows["advis"] == 3
    assert made.manifest.key_fingerprint == PayloadBox(payload_key(life.home)).fingerprint
    key = life.home.key_file.read_bytes().strip()
    assert not any(key in path.read_bytes() for path in made.folder.rglob("*") if path.is_file())
    assert is_good(made.folder, life.home)


def test_beside_an_engine_that_works_each_one_is_whole(
    life: Life, tmp_path: Path, empty_database: EmptyDatabase
) -> None:
    engine = subprocess.Popen(
        command(life.home, "run"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ
    )
    made: list[Made] = []
    stop = threading.Event()

    def is_of_the_middle(backup: Made) -> bool:
        return 0 < backup.manifest.rows["advis"] < len(life.sent)

    def back_up_again_and_again() -> None:
        while not stop.is_set():
            made.append(back_up(life.home, tmp_path / "backups"))

    copying = threading.Thread(target=back_up_again_and_again)
    try:
        assert engine.stdout is not None
        assert engine.stdout.readline(), "the engine did not start"
        copying.start()
        for number in range(500):
            life.send(4)
            life.look()
            # One of them has some of the adviser, and others came after it.
            if number >= 24 and len(made) >= 3 and any(map(is_of_the_middle, list(made))):
                break
    finally:
        stop.set()
        copying.join(60)
        engine.send_signal(signal.SIGTERM)
        assert engine.wait(30) == 0
        engine.stdout.close()
    life.live()
    life.judge()  # the engine was not disturbed
    assert len(made) >= 3
    counts = [each.manifest.rows["advis"] for each in made]
    assert counts == sorted(counts)
    middle = next(filter(is_of_the_middle, made), None)
    assert middle is not None, "no backup fell into the work"
    assert is_good(middle.folder, life.home)
    life.home = restore(middle, life.home, tmp_path / "new", empty_database()).home
    life.deliver_again()
    life.live()
    assert all(len(ids) == 1 for ids in life.besked_ids.values()), "a second BeskedId"


@pytest.mark.parametrize("step", ["_copy_templates", "_manifest", "_sync"])
def test_kill_9_leaves_nothing_that_looks_complete_and_the_next_one_cleans_up(
    life: Life, tmp_path: Path, step: str
) -> None:
    target = tmp_path / "backups"
    first = back_up(life.home, target)
    code = (
        "import sys, time; from engine.backup import make\n"
        "def stop(*_): print('half', flush=True); time.sleep(60)\n"
        f"make.{step} = stop\n"
        "from engine.commands.app import main; main(sys.argv[1:])"
    )
    words = ["--home", str(life.home.path), "backup", str(target)]
    with subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        assert any(name.startswith(".") for name in names(target))
        process.kill()
    assert [name for name in names(target) if not name.startswith(".")] == [first.folder.name]
    second = back_up(life.home, target)
    assert names(target) == [first.folder.name, second.folder.name]


def test_ctrl_c_leaves_nothing(life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(make, "_sync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        back_up(life.home, tmp_path / "backups")
    assert names(tmp_path / "backups") == []


def test_a_full_disk_is_told_and_leaves_the_others_alone(life: Life, tmp_path: Path) -> None:
    """On a file system of its own that is really full; where the machine lets nobody mount one, there is none."""
    probe = ["unshare", "-rm", "true"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets no user mount a file system")
    target = tmp_path / "small"
    target.mkdir()
    program = f"{sys.executable} -m engine --home {life.home.path}"
    script = f"""
        mount -t tmpfs -o size=2m tmpfs {target} || exit 9
        {program} backup {target} >/dev/null || exit 8
        ls {target}
        head -c 2m /dev/zero > {target}/rest 2>/dev/null
        {program} backup {target} --keep 1 && exit 7
        rm {target}/rest
        ls -A {target}
        {program} restore --verify {target}/sund* >/dev/null || exit 6
        echo good
    """
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done
    (name, *rest) = done.stdout.split()
    assert rest == [LOCK, name, "good"]
    assert "der er ikke plads på disken" in done.stderr


def test_keep_removes_the_older_ones_of_this_home_alone(life: Life, made_home: Home, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    foreign = back_up(made_home, target).folder
    mine = [back_up(life.home, target).folder for _ in range(5)]
    # What is not surely a whole backup of ours is left alone.
    (mine[0] / "note.txt").write_text("kom i tanke om noget")
    (mine[1] / "sundhedsagent.toml").write_text("")
    (target / "sundhedsagent-20200101T000000.000Z").mkdir()
    (target / "photo.jpg").touch()
    (target / "sundhedsagent-20190101T000000.000Z").symlink_to(mine[2])
    made = back_up(life.home, target, keep=2)
    assert made.removed == mine[2:4]
    left = {foreign, mine[0], mine[1], mine[4], made.folder, target / "photo.jpg"}
    assert {target / name for name in names(target)} == left | {
        target / "sundhedsagent-20190101T000000.000Z",
        target / "sundhedsagent-20200101T000000.000Z",
    }
    again = back_up(life.home, target, keep=1)
    assert again.removed == [mine[4], made.folder]


def test_a_backup_that_fails_removes_none(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [back_up(life.home, tmp_path / "b").folder.name for _ in range(3)]

    def fails(*_: object) -> None:
        raise OSError(5, "", "x")

    monkeypatch.setattr(make, "_write", fails)
    with pytest.raises(BackupError, match="Sikkerhedskopien kan ikke laves"):
        back_up(life.home, tmp_path / "b", keep=1)
    assert names(tmp_path / "b") == kept


def test_not_in_the_home_itself(life: Life) -> None:
    with pytest.raises(BackupError, match="ligger i hjemmemappen"):
        back_up(life.home, life.home.path / "backups")
    assert not (life.home.path / "backups").exists()


@pytest.mark.sqlite_only
def test_a_damaged_database_becomes_no_backup(life: Life, tmp_path: Path) -> None:
    life.send(3)
    life.live()
    with closing(sqlite3.connect(life.home.database_file)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = conn.execute("PRAGMA page_size").fetchone()[0]
        page = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event'").fetchone()[0]
    with life.home.database_file.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with pytest.raises(BackupError, match="databasefilen er beskadiget"):
        back_up(life.home, tmp_path / "b")
    assert names(tmp_path / "b") == []


def test_a_home_of_an_older_version_can_be_backed_up(life: Life, tmp_path: Path) -> None:
    """It is what is done before an upgrade."""
    db = life.home.open_database()
    with db.engine.begin() as conn:
        conn.exec_driver_sql("DROP TABLE sealing_key")
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    db.close()
    made = back_up(Home.at(life.home.path), tmp_path / "b")
    assert (made.manifest.revision, made.manifest.key_fingerprint) == ("0000", None)
    assert is_complete(made.folder, made.manifest)


def test_the_manifest_is_plain_json(life: Life, tmp_path: Path) -> None:
    made = back_up(life.home, tmp_path / "b")
    said = json.loads((made.folder / "manifest.json").read_text(encoding="utf-8"))
    assert said["program"] == "sundhedsagent"
    assert said["database"] == ("postgresql" if life.home.database_url else "sqlite")
    assert set(said["rows"]) >= {"advis", "kvittering", "audit", "alembic_version"}
