"""Switchovers, removals and the registry's rules, tried with raw SQL on a connection that asks for nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.store.database import alembic_config
from engine.store.sqlite import SqliteDatabase
from tests.store.conftest import REFUSED as REFUSED_BY
from tests.store.conftest import Raw

SWITCHOVER = (
    "INSERT OR REPLACE INTO switchover"
    " (id, kommune_code, from_receiver_id, to_receiver_id, at, state, planned_at, planned_by, carried_out_at)"
)
RECEIVER = (
    "INSERT INTO receiver (id, kommune_code, system_uuid, name, vendor, vendor_email, added_at,"
    " area, agreed_by, only_kvittering, removed_at)"
)


@pytest.fixture
def conn(raw: Raw) -> Raw:
    """København with receivers 1 (primary), 2 and 3 (removed), a planned switchover 1 → 2 and a done one."""
    conn = raw
    for number in (1, 2, 3):
        removed = 5 if number == 3 else None
        conn.execute(
            f"{RECEIVER} VALUES (?, '0101', ?, 'n', 'v', 'e', 1, 'o', 'm', 1, ?)",
            (number, f"uuid-{number}", removed),
        )
    conn.execute(f"{RECEIVER} VALUES (4, '0147', 'uuid-4', 'n', 'v', 'e', 1, 'o', 'm', 1, NULL)")
    for code, primary in (("0101", 1), ("0147", 4)):
        conn.execute(
            "INSERT INTO connection (kommune_code, primary_receiver_id, contact_email, connected_at)"
            " VALUES (?, ?, 'e', 1)",
            (code, primary),
        )
    conn.execute(f"{SWITCHOVER} VALUES (1, '0101', 1, 2, 9, 'planned', 1, 'm', NULL)")
    conn.execute(f"{SWITCHOVER} VALUES (2, '0101', 2, 1, 8, 'done', 1, 'm', 8)")
    conn.execute("INSERT INTO payload (id, sealed) VALUES (1, '')")
    conn.execute(
        "INSERT INTO advis (id, kommune_code, addressee, message_id, besked_id, received_at, refused,"
        " primary_receiver_id, episodes, report_of_admission, vans_sender_type, vans_sender_id,"
        " vans_receiver_type, media_type, encoding, findings, payload_id)"
        " VALUES (1, '0101', 'a', 'm', 'b', 1, 0, 1, '[]', 0, 'EAN', 's', 'EAN', 't', 'e', '[]', 1)"
    )
    return conn


REFUSED = {
    "to another kommune's": f"{SWITCHOVER} VALUES (9, '0147', 4, 1, 9, 'planned', 1, 'm', NULL)",
    "from another kommune's": f"{SWITCHOVER} VALUES (9, '0147', 1, 4, 9, 'planned', 1, 'm', NULL)",
    "to nobody": f"{SWITCHOVER} VALUES (9, '0147', 4, 99, 9, 'planned', 1, 'm', NULL)",
    "to a removed one": f"{SWITCHOVER} VALUES (9, '0101', 1, 3, 9, 'cancelled', 1, 'm', 9)",
    "to itself": f"{SWITCHOVER} VALUES (9, '0147', 4, 4, 9, 'planned', 1, 'm', NULL)",
    "a second": f"{SWITCHOVER} VALUES (9, '0101', 1, 2, 99, 'planned', 1, 'm', NULL)",
    "over the first": f"{SWITCHOVER} VALUES (1, '0101', 1, 2, 99, 'planned', 1, 'm', NULL)",
    "over a done one": f"{SWITCHOVER} VALUES (2, '0101', 2, 1, 99, 'done', 1, 'm', 9)",
    "done without its time": "UPDATE switchover SET state = 'done' WHERE id = 1",
    "done again": "UPDATE switchover SET state = 'planned', carried_out_at = NULL WHERE id = 2",
    "another target": "UPDATE switchover SET to_receiver_id = 4 WHERE id = 1",
    "deleted": "DELETE FROM switchover WHERE id = 2",
    "the target removed": "UPDATE receiver SET removed_at = 9, removed_by_force = 1 WHERE id = 2",
    "added without area": f"{RECEIVER} VALUES (9, '0101', 'u', 'n', 'v', 'e', 1, '', 'm', 1, NULL)",
    "added without agreement": f"{RECEIVER} VALUES (9, '0101', 'u', 'n', 'v', 'e', 1, 'o', '', 1, NULL)",
    "added without confirmation": f"{RECEIVER} VALUES (9, '0101', 'u', 'n', 'v', 'e', 1, 'o', 'm', 0, NULL)",
    "returned without a reason": (
        "INSERT INTO request (kommune_code, kind, fields, state, handed_in_at, handed_in_by, decided_at, reason)"
        " VALUES ('0101', '3.1', '{}', 'returned', 1, 'm', 2, '')"
    ),
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_refused(conn: Raw, statement: str) -> None:
    before = list(conn.execute("SELECT * FROM switchover")), list(conn.execute("SELECT * FROM receiver"))
    with pytest.raises(REFUSED_BY):
        conn.execute(statement)
    assert (
        list(conn.execute("SELECT * FROM switchover")),
        list(conn.execute("SELECT * FROM receiver")),
    ) == before


@pytest.mark.parametrize("state", ["pending", "transient-error"])
def test_one_that_owes_a_verdict_is_removed_by_force_only(conn: Raw, state: str) -> None:
    conn.execute("UPDATE connection SET primary_receiver_id = 2 WHERE kommune_code = '0101'")
    owed = "INSERT INTO expected_kvittering (advis_id, receiver_id, state) VALUES (1, 1, ?)"
    conn.execute(owed, (state,))
    with pytest.raises(REFUSED_BY, match="owes a verdict"):
        conn.execute("UPDATE receiver SET removed_at = 9 WHERE id = 1")
    conn.execute("UPDATE receiver SET removed_at = 9, removed_by_force = 1 WHERE id = 1")


def test_one_whose_verdict_is_given_is_removed(conn: Raw) -> None:
    conn.execute("UPDATE connection SET primary_receiver_id = 2 WHERE kommune_code = '0101'")
    conn.execute(
        "INSERT INTO expected_kvittering (advis_id, receiver_id, state) VALUES (1, 1, 'fatal-error')"
    )
    conn.execute("UPDATE advis SET verdict = 'fatal-error'")
    conn.execute("UPDATE receiver SET removed_at = 9 WHERE id = 1")


def test_what_is_planned_is_moved_carried_out_or_cancelled(conn: Raw) -> None:
    conn.execute("UPDATE switchover SET at = 10 WHERE id = 1")
    conn.execute("UPDATE switchover SET state = 'done', carried_out_at = 10 WHERE id = 1")
    conn.execute(f"{SWITCHOVER} VALUES (9, '0101', 2, 1, 99, 'planned', 1, 'm', NULL)")
    conn.execute("UPDATE switchover SET state = 'cancelled' WHERE id = 9")


def test_the_audit_is_cut_at_its_oldest_end_only(conn: Raw) -> None:
    row = "INSERT INTO audit (id, at, actor, action, subject, previous_hash, hash) VALUES (?, 1, 'm', 'x', 's', ?, ?)"
    for number, before, after in ((1, "0" * 64, "a"), (2, "a", "b"), (3, "b", "c")):
        conn.execute(row, (number, before, after))
    with pytest.raises(REFUSED_BY, match="from its oldest entry"):
        conn.execute("DELETE FROM audit WHERE id = 3")
    conn.execute("DELETE FROM audit WHERE id <= 2")
    with pytest.raises(REFUSED_BY, match="follows the last one"):
        conn.execute(row, (4, "b", "d"))
    conn.execute(row, (4, "c", "d"))


def test_a_home_of_the_first_version_keeps_what_it_has(tmp_path: Path) -> None:
    """What was connected before this revision stays connected, with the same primary and its defaults."""
    from alembic import command

    path = tmp_path / "old.db"
    db = SqliteDatabase(path)
    config = alembic_config()
    config.attributes["engine"] = db.engine
    command.upgrade(config, "0001")
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("INSERT INTO kommune VALUES ('0101', 'København', '1', 'u', 'r', '1', 'e')")
        conn.execute(
            "INSERT INTO receiver (id, kommune_code, system_uuid, name, vendor, vendor_email, added_at)"
            " VALUES (1, '0101', 'uuid', 'n', 'v', 'e', 1)"
        )
        conn.execute(
            "INSERT INTO connection (kommune_code, primary_receiver_id, contact_email, connected_at)"
            " VALUES ('0101', 1, 'e', 1)"
        )
    db.upgrade()
    db.close()
    with closing(sqlite3.connect(path)) as conn:
        row = conn.execute("SELECT primary_receiver_id, contact_note, version FROM connection").fetchone()
        facts = conn.execute(
            "SELECT area, agreement, certification, only_kvittering FROM receiver"
        ).fetchone()
    assert (row, facts) == ((1, "", 1), ("", "kladde", "ukendt", 0))
