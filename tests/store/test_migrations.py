import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select

from engine.clock import SimulatedClock
from engine.flow.mail_texts import MailTexts
from engine.flow.notify import Notify
from engine.flow.watch import Watch
from engine.home import Home
from engine.settings import Settings
from engine.store import administration, one_primary
from engine.store.database import alembic_config
from engine.store.revisions import newest_revision, revision_of
from engine.store.sqlite import SqliteDatabase
from engine.store.tables import alarm_case, metadata, traffic

_TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger",
}
_INDEXES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
    "postgresql": "SELECT indexname FROM pg_indexes",
}
NOON, HOUR = datetime(2026, 7, 1, 12, 30, tzinfo=UTC), timedelta(hours=1)


def test_migrations_make_the_tables_of_the_package(new_home: Home) -> None:
    db = new_home.open_database()
    with db.engine.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
        names = set(conn.exec_driver_sql(_TRIGGERS[conn.dialect.name]).scalars())
        indexes = set(conn.exec_driver_sql(_INDEXES[conn.dialect.name]).scalars())
        refusals = (*one_primary.refusals(conn.dialect.name), *administration.REFUSALS)
    assert {refusal.name for refusal in refusals} <= names
    # compare_metadata overlooks partial indexes that are missing.
    assert {str(index.name) for table in metadata.sorted_tables for index in table.indexes} <= indexes
    db.close()


def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    db = SqliteDatabase(path)
    db.upgrade()
    db.upgrade()
    db.close()
    assert revision_of(path) == newest_revision()


def test_file_names_tell_the_newest_revision() -> None:
    assert newest_revision() == ScriptDirectory.from_config(alembic_config()).get_current_head()


def test_a_database_without_tables_has_no_revision(tmp_path: Path) -> None:
    assert revision_of(tmp_path / "new.db") is None


async def test_what_was_under_way_before_there_were_cases_is_watched_after_it(tmp_path: Path) -> None:
    """A home of revision 0002: a kvittering that is long overdue, a publication that waits, and a week of adviser."""
    path = tmp_path / "old.db"
    db = SqliteDatabase(path)
    config = alembic_config()
    config.attributes["engine"] = db.engine
    command.upgrade(config, "0002")
    received = NOON - 3 * HOUR
    micro = int(received.timestamp() * 1_000_000)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("INSERT INTO kommune VALUES ('0101', 'København', '1', 'u', 'r', '1084', 'e')")
        conn.execute(
            "INSERT INTO receiver (id, kommune_code, system_uuid, name, vendor, vendor_email, added_at)"
            " VALUES (1, '0101', 'uuid', 'Cura', 'v', 'v@v.example', 1)"
        )
        conn.execute(
            "INSERT INTO connection (kommune_code, primary_receiver_id, contact_email, connected_at)"
            " VALUES ('0101', 1, 'k@k.example', 1)"
        )
        conn.execute("INSERT INTO payload (id, sealed) VALUES (1, x'00')")
        for number, published in ((1, micro), (2, None)):
            conn.execute(
                "INSERT INTO advis (id, kommune_code, addressee, message_id, besked_id, received_at, refused,"
                " primary_receiver_id, episodes, report_of_admission, vans_sender_type, vans_sender_id,"
                " vans_receiver_type, media_type, encoding, findings, payload_id, published_at)"
                " VALUES (?, '0101', 'x', ?, ?, ?, 0, 1, '[]', 0, 'EAN', '5', 'EAN', 'x', 'x', '[]', 1, ?)",
                (number, f"m{number}", f"b{number}", micro, published),
            )
        due = micro + 45 * 60_000_000
        conn.execute("INSERT INTO expected_kvittering VALUES (1, 1, 'pending', ?, ?, NULL)", (micro, due))
        conn.execute(
            "INSERT INTO publication (advis_id, round, ordered_at, next_at) VALUES (2, 1, ?, ?)",
            (micro, micro),
        )
    db.upgrade()
    clock, settings = SimulatedClock(NOON), Settings()
    await Watch(db, clock, settings).step()
    await Notify(db, clock, settings, MailTexts()).step()
    with db.reading() as conn2:
        cases = conn2.execute(
            select(alarm_case.c.kind, alarm_case.c.misses).order_by(alarm_case.c.kind)
        ).all()
        counted = conn2.execute(select(traffic.c.hour, traffic.c.region_code, traffic.c.count)).all()
    db.close()
    assert cases == [("delayed-publication", 1), ("missing-kvittering", 1)]
    assert counted == [(received.replace(minute=0), "1084", 2)]
