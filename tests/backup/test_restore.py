"""A home comes back from its backup, and goes on: nothing is published under a second BeskedId, and no hospital gets a
second verdict. On both kinds of database.
"""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine.backup import restore as module
from engine.backup.restore import Key, restore_backup, with_database
from engine.clock import SimulatedClock
from engine.desk.act import open_act
from engine.desk.incidents import declare_incident, propose_incident
from engine.desk.look_up import AdvisFilter
from engine.desk.resend import resend
from engine.domain.checkup import Verdict
from engine.errors import BackupError, HomeError
from engine.flow.claims import Claims
from engine.flow.mail_texts import MailTexts
from engine.home import Home, engine_lock, payload_key
from engine.settings import Settings, new_file
from engine.store import tables
from engine.upkeep import check_home
from engine.wire import acknowledgement
from tests.backup.conftest import EmptyDatabase
from tests.backup.life import Life, back_up, restore, step
from tests.process.outside import RECEIVERS

OUTBOXES = (tables.publication, tables.envelope_out)


def rows(home: Home, *columns: Any) -> list[Any]:
    db = home.open_database()
    with db.reading() as conn:
        found = list(conn.execute(select(*columns).order_by(columns[0])))
    db.close()
    return found


def claim_all(home: Home) -> None:
    """As a worker that is sending just now, and will never be heard of again."""
    db = home.open_database()
    with db.writing() as tx:
        now, lease = db.clock.now() + timedelta(seconds=1), timedelta(days=1)
        for table in OUTBOXES:
            assert Claims(table).claim(tx, owner="gone", now=now, lease=lease, limit=1_000)
    db.close()


def let_go(home: Home) -> None:
    db = home.open_database()
    with db.writing() as tx:
        for table in OUTBOXES:
            tx.conn.execute(table.update().values(claimed_by=None, claimed_until=None))
    db.close()


def resend_all(home: Home) -> None:
    db = home.open_database()
    with db.writing() as tx:
        resend(open_act(tx, db.clock, "mette"), AdvisFilter(limit=100), "efter gendannelse")
    db.close()


def in_order(home: Home) -> None:
    found = list(check_home(home.path))
    assert [each for each in found if each.verdict is not Verdict.GOOD] == []
    assert len(found) == 10


def test_what_was_under_way_goes_out_with_the_ids_it_had(
    life: Life, tmp_path: Path, empty_database: EmptyDatabase
) -> None:
    lost = life.home
    life.send(3)
    life.live()  # these are done
    life.send(2)
    step(lost, None)
    life._hospital()  # these are published, and no receiver has looked yet
    life.send(4)
    step(lost, "receive")
    claim_all(lost)  # these are being published, and their receipts are being sent
    made = back_up(lost, tmp_path / "backups")
    ordered = {row.envelope_id for row in rows(lost, tables.envelope_out.c.envelope_id)}

    # Life goes on for a while, and all of it is lost.
    let_go(lost)
    life.send(3)
    life.live()
    life.judge()

    restored = restore(made, lost, tmp_path / "again", empty_database())
    life.home = restored.home
    in_order(restored.home)
    life.live()
    assert {row.claimed_by for row in rows(restored.home, tables.publication.c.claimed_by)} == {None}
    assert {row.next_at for row in rows(restored.home, tables.publication.c.next_at)} == {None}
    # What was ordered before the backup came out of it again, and under the id it had.
    receipts = {envelope_id for ids in life.receipts.values() for envelope_id in ids}
    assert ordered <= receipts | {each for ids in life.answers.values() for each in ids}
    assert all(len(ids) == 1 for ids in life.receipts.values())

    # VANS delivers everything once more: the three that the backup has not are received, the others are copies.
    life.deliver_again()
    life.live()
    assert [row.copies for row in rows(restored.home, tables.advis.c.id, tables.advis.c.copies)] == (
        [1] * 9 + [0] * 3
    )
    # The kvitteringer of the two that were published before the backup were fetched after it.
    expected = tables.expected_kvittering.c
    pending = rows(restored.home, expected.advis_id, expected.state)
    assert [row.advis_id for row in pending if row.state == "pending"] == [4] * 3 + [5] * 3
    resend_all(restored.home)
    life.live()

    assert len(life.sent) == len(life.answers) == 12
    assert all(len(ids) == 1 for ids in life.besked_ids.values()), "a second BeskedId"
    assert all(life.reached[system_uuid] == set(life.sent) for system_uuid in RECEIVERS)
    for message_id, answers in life.answers.items():
        assert set(answers.values()) <= repeats_of(life.primary_bytes[message_id], answers), (
            "a second verdict"
        )
    states = rows(restored.home, expected.advis_id, expected.state)
    assert [row.state for row in states] == ["ok"] * 36
    in_order(restored.home)


def repeats_of(verdict: bytes, answers: dict[str, bytes]) -> set[bytes]:
    """Those of the answers that say what the primary said: a copy is answered with new Bundle.id and times."""

    def said(data: bytes) -> tuple[object, ...]:
        read = acknowledgement.read(data)
        return read.message_id, read.response_identifier, read.code, read.issues

    return {data for data in answers.values() if said(data) == said(verdict)}


def test_a_restored_home_is_the_home_that_it_was(
    life: Life, tmp_path: Path, empty_database: EmptyDatabase
) -> None:
    own = life.home.mail_templates / "case-opened.txt"
    own.write_text("Emne: Vores egen\n\nTekst", encoding="utf-8")
    life.send(2)
    life.live()
    made = back_up(life.home, tmp_path / "backups")
    url = empty_database()
    (tmp_path / "new" / "lost+found").mkdir(parents=True)
    home = restore(made, life.home, tmp_path / "new", url).home
    assert Home.open(home.path) == home
    assert home.database_url == (url or "")
    assert payload_key(home) == payload_key(life.home)
    assert (home.mail_templates / own.name).read_bytes() == own.read_bytes()
    assert {path.name for path in home.dueslag.iterdir()} == set(RECEIVERS)
    for path in (home.path, home.key_file, home.settings_file, home.mail_templates / own.name):
        assert path.stat().st_mode & 0o077 == 0, path
    if not url:
        assert home.database_file.stat().st_mode & 0o777 == 0o600
    # All that there was, and what tells that it is restored.
    for table in tables.metadata.sorted_tables:
        if table.name not in {"id_sequence", "timekeeping", "pulse", "stall"}:
            first, second = (rows(each, *table.columns) for each in (life.home, home))
            assert second[: len(first)] == first, table.name
            assert len(second) - len(first) == (table.name in {"event", "audit"}), table.name
    event = rows(home, tables.event.c.id, tables.event.c.kind, tables.event.c.actor)[-1]
    entry = rows(home, tables.audit.c.id, tables.audit.c.action, tables.audit.c.actor)[-1]
    assert event[1:] == entry[1:] == ("database-restored", "mette")


def test_new_numbers_follow_those_of_the_backup(
    life: Life, tmp_path: Path, empty_database: EmptyDatabase
) -> None:
    life.send(2)
    life.live()
    made = back_up(life.home, tmp_path / "backups")
    last = rows(life.home, tables.event.c.id)[-1].id
    life.home = restore(made, life.home, tmp_path / "new", empty_database()).home
    life.send(2)
    life.live()
    assert [row.id for row in rows(life.home, tables.advis.c.id)] == [1, 2, 3, 4]
    assert rows(life.home, tables.event.c.id)[-1].id > last + 1
    in_order(life.home)


@pytest.mark.parametrize("is_declared", [False, True])
def test_deadlines_run_in_real_time_and_a_declared_incident_holds_the_mails(
    life: Life, tmp_path: Path, empty_database: EmptyDatabase, is_declared: bool
) -> None:
    clock = SimulatedClock(datetime(2026, 11, 23, 9, tzinfo=UTC))
    life.send()
    step(life.home, None, clock=clock)
    made = back_up(life.home, tmp_path / "backups")
    clock.advance(timedelta(hours=3))
    clock.reboot()  # on another machine
    home = restore(made, life.home, tmp_path / "new", empty_database(), clock=clock).home
    settings = Settings(incident={"silence_day": "2 d", "silence_night": "2 d"})
    if is_declared:
        db = home.open_database()
        with db.writing() as tx:
            act, texts = open_act(tx, clock, "mette"), MailTexts()
            line = propose_incident(act, settings, texts, title="Databasen gik tabt", reason="Disken døde")
            declare_incident(act, settings, texts, line.id)
        db.close()
    for _ in range(2):
        step(home, None, clock=clock, settings=settings)
        clock.advance(timedelta(minutes=1))
    case = tables.alarm_case.c
    cases = rows(home, case.id, case.misses, case.held_by)
    assert [(row.misses, row.held_by is not None) for row in cases] == [(1, is_declared)] * 3
    about_cases = [row for row in rows(home, tables.mail.c.id, tables.mail.c.case_id) if row.case_id]
    assert bool(about_cases) is not is_declared
    assert "clock-was-set" not in [row.kind for row in rows(home, tables.event.c.kind)]


def test_it_goes_into_no_folder_that_is_used(
    life: Life, tmp_path: Path, empty_database: EmptyDatabase
) -> None:
    made = back_up(life.home, tmp_path / "backups")
    with pytest.raises(HomeError, match="allerede en hjemmemappe"):
        restore(made, life.home, life.home.path, empty_database())
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "photo.jpg").touch()
    with pytest.raises(HomeError, match=r"ikke tom.*photo\.jpg"):
        restore(made, life.home, tmp_path / "used", empty_database())
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["photo.jpg"]


def test_it_goes_into_no_database_that_is_used(life: Life, tmp_path: Path, database_kind: str) -> None:
    made = back_up(life.home, tmp_path / "backups")
    if database_kind == "sqlite":
        with pytest.raises(BackupError, match="databasefil og kan ikke lægges på en server"):
            restore(made, life.home, tmp_path / "new", "postgresql://x/y")
    else:
        for url in (life.home.database_url, None):  # None: the one that the home had, which still works
            with pytest.raises(BackupError, match="er ikke tom"):
                restore(made, life.home, tmp_path / "new", url)
    assert not (tmp_path / "new").exists()
    in_order(life.home)


def test_what_stops_half_way_leaves_no_home(
    life: Life, tmp_path: Path, empty_database: EmptyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = back_up(life.home, tmp_path / "backups")
    (tmp_path / "there").mkdir()

    def fails(*_: object) -> None:
        raise OSError(28, "")

    monkeypatch.setattr(module, "_copy_templates", fails)
    for name in ("there", "new"):
        with pytest.raises(BackupError, match="der er ikke plads på disken"):
            restore(made, life.home, tmp_path / name, empty_database())
    assert list((tmp_path / "there").iterdir()) == []
    assert not (tmp_path / "new").exists()


def test_an_engine_on_the_first_home_is_in_nobodys_way(
    life: Life, tmp_path: Path, empty_database: EmptyDatabase
) -> None:
    with engine_lock(life.home):
        made = back_up(life.home, tmp_path / "backups")
        in_order(restore(made, life.home, tmp_path / "new", empty_database()).home)


def test_a_key_from_the_environment_is_not_written_down(
    life: Life, tmp_path: Path, empty_database: EmptyDatabase
) -> None:
    made = back_up(life.home, tmp_path / "backups")
    key = Key(payload_key(life.home), is_from_file=False)
    restored = restore_backup(
        made.folder, tmp_path / "new", key, empty_database(), actor="x", tell=lambda _: None
    )
    assert not restored.home.key_file.exists()
    assert Home.open(restored.home.path) == restored.home


def test_another_key_makes_no_home(life: Life, tmp_path: Path, empty_database: EmptyDatabase) -> None:
    made = back_up(life.home, tmp_path / "backups")
    with pytest.raises(BackupError, match="nøglen er en anden"):
        restore_backup(
            made.folder,
            tmp_path / "new",
            Key(bytes(32), is_from_file=True),
            empty_database(),
            actor="x",
            tell=lambda _: None,
        )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "text",
    [
        new_file({}),
        new_file({"database.url": "postgresql://old/x"}),
        'environment = "test"\n',
        "[database]\n",
        '[database]\n# hvor\nurl = "postgresql://old/x" # gammel\n[log]\nformat = "json"\n',
    ],
)
def test_the_settings_get_another_address_and_stay_as_they_are(text: str) -> None:
    url = 'postgresql://mig:h"e\\m@ny:5432/navn?sslmode=require'
    changed = with_database(text, url)
    said, was = tomllib.loads(changed), tomllib.loads(text)
    assert said.pop("database")["url"] == url
    was.pop("database", None)
    assert said == was
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert [line for line in changed.splitlines() if line.startswith("#")] == comments
