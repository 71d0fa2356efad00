"""Settings, folders, key, disk and engine of a home: each kind of fault, and what is fine."""

import base64
import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import delete

from engine.doctor import home as looks
from engine.doctor.doctor import examine_home
from engine.domain.checkup import Checked, Verdict
from engine.home import KEY_VARIABLE, Home, engine_lock
from engine.settings import PLACEHOLDERS, variable
from engine.store.tables import sealing_key
from tests.doctor.conftest import of, only

ADVICE, FAULT, GOOD, UNKNOWN = Verdict.ADVICE, Verdict.FAULT, Verdict.GOOD, Verdict.UNKNOWN
MB, GB = 1024**2, 1024**3
UUID = "b2f7a1d0-0000-4000-8000-00000000000{}"


def settings_of(home: Home) -> list[Checked]:
    return looks.look_at_settings(home)[1]


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is set that there is advice about."""
    given = {
        "environment": "production",
        **{key: UUID.format(number) for number, key in enumerate(PLACEHOLDERS)},
        "alarm.lead_email": "leder@s.example",
        "incident.driftsvagt_email": "vagt@s.example",
        "incident.beskedfordeler_email": "fejl@s.example",
        "monitor.port": "9100",
        "mail.send_by": "smtp",
        "mail.sender": "agent@s.example",
    }
    for key, value in given.items():
        monkeypatch.setenv(variable(key), value)


# --- no home at all ---------------------------------------------------------------------------------------------------


def test_where_there_is_no_home_that_is_all_there_is_to_say(tmp_path: Path) -> None:
    line = only(examine_home(tmp_path / "væk"))
    assert (line.verdict, line.found) == (FAULT, f"{tmp_path / 'væk'} findes ikke")
    assert "sundhedsagent init" in line.do
    (tmp_path / "fil").touch()
    assert only(examine_home(tmp_path / "fil")).found.endswith("er ikke en mappe")
    (tmp_path / "tom").mkdir()
    assert only(examine_home(tmp_path / "tom")).found.endswith("er ikke en hjemmemappe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_home_of_somebody_else(home: Home) -> None:
    home.path.chmod(0)
    try:
        assert only(examine_home(home.path)).found.endswith("du har ikke adgang")
    finally:
        home.path.chmod(0o700)


@pytest.mark.usefixtures("production")
def test_a_ruin_is_told_piece_by_piece(home: Home) -> None:
    for path in (home.settings_file, home.key_file, home.database_file):
        path.unlink()
    shutil.rmtree(home.vans_in)
    home.key_file.touch()
    found = examine_home(home.path)
    assert [(each.name, each.verdict) for each in found if each.name not in {"disk", "clock", "engine"}] == [
        ("settings", FAULT),
        ("key", FAULT),
        ("folders", FAULT),
        ("database", UNKNOWN),
        ("others", UNKNOWN),
    ]
    assert not home.database_file.exists()  # to look makes none


def test_only_looking_leaves_a_missing_database_missing(home: Home) -> None:
    home.database_file.unlink()
    found = examine_home(home.path)
    assert of(found, FAULT) == [f"{home.database_file} findes ikke"]
    assert not home.database_file.exists()


def test_a_fresh_home_has_no_fault(home: Home) -> None:
    found = examine_home(home.path)
    assert of(found, FAULT) == []
    assert {each.name for each in found if each.verdict is GOOD} >= {"key", "folders", "database"}


# --- settings ---------------------------------------------------------------------------------------------------------


def test_what_is_still_empty_is_advice(home: Home) -> None:
    assert of(settings_of(home), ADVICE) == [
        'kan læses; environment = "test", og 3 UUID\'er er pladsholdere',
        "alarm.lead_email er tom",
        "incident.driftsvagt_email er tom",
        "incident.beskedfordeler_email er tom",
        "monitor.port er 0",
    ]
    assert all(each.do for each in settings_of(home))


@pytest.mark.usefixtures("production")
def test_in_production_with_everything_set_there_is_nothing_to_say(home: Home) -> None:
    assert only(settings_of(home)).found == "kan læses; produktion, uden pladsholdere"


@pytest.mark.usefixtures("production")
def test_placeholders_in_production_are_a_fault(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable("agent_system_uuid"), PLACEHOLDERS["agent_system_uuid"])
    line = only(settings_of(home))
    assert line.verdict is FAULT
    assert "agent_system_uuid er stadig pladsholdere" in line.found
    assert "SUNDHEDSAGENT_AGENT_SYSTEM_UUID" in line.do


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"mail.send_by": "folder"}, 'mail.send_by = "folder"'),
        (
            {"mail.sender": "sundhedsagenten@localhost.localdomain"},
            "mail.sender er sundhedsagenten@localhost.localdomain",
        ),
        ({"monitor.port": "0"}, "monitor.port er 0"),
        ({"alarm.lead_email": ""}, "alarm.lead_email er tom"),
        (
            {"listen.port": "9443", "listen.certificate": "c.pem", "listen.client_ca": "ca.pem"},
            "listen.clients er tom: alle med et certifikat fra listen.client_ca kan aflevere",
        ),
    ],
)
def test_each_gap_in_production_is_advice(
    home: Home, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], found: str
) -> None:
    for key, value in given.items():
        monkeypatch.setenv(variable(key), value)
    assert of(settings_of(home), ADVICE) == [found]


@pytest.mark.usefixtures("production")
def test_the_test_beskedfordeler_in_production_is_advice(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {
        "via": "amqp",
        "cvr": "64942212",
        "dueslag": UUID.format(9),
        "certificate": "x",
    }.items():
        monkeypatch.setenv(variable(f"beskedfordeler.{key}"), value)
    assert of(settings_of(home), ADVICE) == [
        "beskedfordeler.server er KOMBITs eksterne test",
        "beskedfordeler.sts er KOMBITs eksterne test",
    ]
    for key, value in {"server": "b.example", "sts": "https://s.example/"}.items():
        monkeypatch.setenv(variable(f"beskedfordeler.{key}"), value)
    assert of(settings_of(home), ADVICE) == []


def test_each_setting_that_is_wrong_has_a_line(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable("monitor.port"), "mange")
    monkeypatch.setenv(variable("vans.receipt_after"), "længe")
    read, found = looks.look_at_settings(home)
    assert read is None
    wrong = of(found, FAULT)
    assert len(wrong) == len(found) == 2
    assert all(any(name in each for each in wrong) for name in ("MONITOR__PORT", "VANS__RECEIPT_AFTER"))


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_missing_or_no_folder(home: Home) -> None:
    home.mail.rmdir()
    home.vans_out.rmdir()
    home.vans_out.touch()
    found = looks.look_at_folders(home)
    assert of(found, FAULT) == [f"{home.vans_out} findes ikke", f"{home.mail} findes ikke"]
    assert f"mkdir -p -m 700 {home.vans_out}" in found[0].do


def test_a_folder_that_cannot_be_written(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everywhere: what the system says is put in its mouth.
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != home.afsend and may(path, mode))
    assert of(looks.look_at_folders(home), FAULT) == [
        f"{home.afsend} kan ikke læses og skrives af bruger {os.geteuid()}"
    ]


def test_a_quarantine_on_another_disk(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    stats = Path.stat

    def stat_of(path: Path, **options: bool) -> object:
        real = stats(path, **options)
        device = 9_999 if path == home.vans_quarantine else real.st_dev
        return SimpleNamespace(st_mode=real.st_mode, st_dev=device)

    monkeypatch.setattr(Path, "stat", stat_of)
    (line,) = looks.look_at_folders(home)
    assert line.verdict is FAULT
    assert "hver sin disk" in line.found
    assert line.do == f"Monter hele {home.path / 'vans'} i stedet for mapperne hver for sig."


def test_a_home_that_is_open_to_others_is_advice(home: Home) -> None:
    home.path.chmod(0o750)
    home.database_file.chmod(0o644)
    found = looks.look_at_folders(home)
    assert of(found, ADVICE) == [
        f"{home.path} er åben for andre brugere",
        f"{home.database_file} er åben for andre brugere",
    ]
    assert [each.do.rpartition(": ")[2] for each in found] == [
        f"chmod 700 {home.path}",
        f"chmod 600 {home.database_file}",
    ]


# --- key --------------------------------------------------------------------------------------------------------------


def test_the_key_that_the_database_knows(home: Home) -> None:
    assert only(looks.look_at_key(home)).verdict is GOOD


def test_a_database_that_has_noted_no_key_knows_it_by_what_is_sealed(home: Home) -> None:
    db = home.open_database()
    with db.writing() as tx:
        tx.conn.execute(delete(sealing_key))
    db.close()
    assert only(looks.look_at_key(home)).verdict is GOOD


def test_another_key_is_a_fault(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(32)).decode())
    line = only(looks.look_at_key(home))
    assert (line.verdict, line.found.startswith("Nøglen er en anden")) == (FAULT, True)


def test_a_key_that_others_can_read_is_a_fault_that_says_how_to_close_it(home: Home) -> None:
    home.key_file.chmod(0o640)
    line = only(looks.look_at_key(home))
    assert (line.verdict, line.do) == (FAULT, f"Kør: chmod 600 {home.key_file}")


def test_a_key_that_is_missing_or_broken_is_a_fault(home: Home) -> None:
    home.key_file.write_text("æ")
    assert only(looks.look_at_key(home)).verdict is FAULT
    home.key_file.unlink()
    line = only(looks.look_at_key(home))
    assert line.found == f"Nøglefilen {home.key_file} mangler"
    assert line.do.startswith("Genskab den fra en sikkerhedskopi")


def test_whether_it_is_the_right_key_is_unknown_without_a_database(home: Home) -> None:
    home.database_file.write_bytes(b"no database at all, and long enough to be looked at")
    assert only(looks.look_at_key(home)).verdict is UNKNOWN
    home.database_file.unlink()
    assert only(looks.look_at_key(home)).verdict is UNKNOWN
    assert not home.database_file.exists()


# --- disk, engine -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("whole", "free", "verdict"),
    [
        (100 * GB, 50 * GB, GOOD),
        (100 * GB, 10 * GB, GOOD),
        (100 * GB, 10 * GB - MB, ADVICE),
        (100 * GB, 2 * GB, ADVICE),
        (100 * GB, 2 * GB - MB, FAULT),
        (10 * GB, 2 * GB, GOOD),
        (10 * GB, 2 * GB - MB, ADVICE),
        (1 * GB, 200 * MB, ADVICE),
        (1 * GB, 199 * MB, FAULT),
        (0, 0, FAULT),
    ],
)
def test_how_much_room_is_little(
    home: Home, monkeypatch: pytest.MonkeyPatch, whole: int, free: int, verdict: Verdict
) -> None:
    # Root has a twentieth for itself, that nobody else can use.
    own = whole // 20
    disk = SimpleNamespace(
        f_frsize=4096, f_blocks=(whole + own) // 4096, f_bfree=(free + own) // 4096, f_bavail=free // 4096
    )
    monkeypatch.setattr(os, "statvfs", lambda _path: disk)
    assert only(looks.look_at_disk(home)).verdict is verdict


def test_each_file_system_has_a_line(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Path("/dev/shm")
    assert only(looks.look_at_disk(home)).found.startswith(f"{home.path}: ")
    if not memory.is_dir() or memory.stat().st_dev == home.path.stat().st_dev:
        pytest.skip("there is one file system only")
    shutil.rmtree(home.mail)
    home.mail.symlink_to(memory)
    assert [each.found.partition(":")[0] for each in looks.look_at_disk(home)] == [
        str(home.path),
        str(home.mail),
    ]


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0,0 MB"), (1536 * 1024, "1,5 MB"), (GB - 1, "1024,0 MB"), (GB, "1,0 GB")]
)
def test_sizes_as_danes_write_them(size: int, text: str) -> None:
    assert looks.size_text(size) == text


def test_whether_an_engine_runs(home: Home) -> None:
    assert only(looks.look_at_engine(home)).verdict is ADVICE
    with engine_lock(home):
        assert only(looks.look_at_engine(home)).found == f"kører i hjemmet (proces {os.getpid()})"
    assert only(looks.look_at_engine(home)).verdict is ADVICE


def test_nothing_is_changed(home: Home) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {
            str(path): (stat.S_IMODE(path.stat().st_mode), path.stat().st_size)
            for path in home.path.rglob("*")
            if not path.name.endswith(("-wal", "-shm"))
        }

    before = state()
    examine_home(home.path)
    assert state() == before
