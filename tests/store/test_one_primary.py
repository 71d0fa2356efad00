"""One primary per connected kommune, tried with raw SQL: on SQLite no foreign keys, no recursive triggers."""

import psycopg
import pytest

from tests.store.conftest import REFUSED as REFUSED_BY
from tests.store.conftest import Raw

KOMMUNER = {
    # kommune: (primary, other, removed one with the other's UUID)
    "0101": (1, 2, 3),
    "0147": (4, 5, 6),
}


@pytest.fixture
def conn(raw: Raw) -> Raw:
    conn = raw
    for code, ids in KOMMUNER.items():
        for number, receiver_id in enumerate(ids):
            uuid = f"uuid-{min(number, 1)}"
            removed = 5 if number == 2 else None
            conn.execute(
                "INSERT INTO receiver (id, kommune_code, system_uuid, name, vendor, vendor_email, added_at,"
                " removed_at) VALUES (?, ?, ?, 'n', 'v', 'e', 1, ?)",
                (receiver_id, code, uuid, removed),
            )
        connect(conn, code, ids[0])
    return conn


def connect(conn: Raw, code: str, primary: int | None, verb: str = "INSERT") -> None:
    conn.execute(
        f"{verb} INTO connection (kommune_code, primary_receiver_id, contact_email, connected_at)"
        " VALUES (?, ?, 'e', 1)",
        (code, primary),
    )


def primaries(conn: Raw) -> dict[str, tuple[int, str]]:
    rows = conn.execute(
        "SELECT connection.kommune_code, receiver.id, receiver.system_uuid FROM connection"
        " LEFT JOIN receiver ON receiver.id = connection.primary_receiver_id"
        " AND receiver.kommune_code = connection.kommune_code AND receiver.removed_at IS NULL"
    )
    return {code: (receiver_id, uuid) for code, receiver_id, uuid in rows}


INSERT_RECEIVER = (
    "INSERT OR REPLACE INTO receiver"
    " (id, kommune_code, system_uuid, name, vendor, vendor_email, added_at, removed_at)"
)
INSERT_CONNECTION = (
    "INSERT OR REPLACE INTO connection (kommune_code, primary_receiver_id, contact_email, connected_at)"
)

REFUSED = {
    "disconnect": "DELETE FROM connection WHERE kommune_code = '0101'",
    "no primary": "UPDATE connection SET primary_receiver_id = NULL",
    "unknown primary": "UPDATE connection SET primary_receiver_id = 99",
    "another kommune's": "UPDATE connection SET primary_receiver_id = 5 WHERE kommune_code = '0101'",
    "a removed one": "UPDATE connection SET primary_receiver_id = 3 WHERE kommune_code = '0101'",
    "ignored conflict": "UPDATE OR IGNORE connection SET primary_receiver_id = NULL",
    "move the connection": "UPDATE connection SET kommune_code = '0151' WHERE kommune_code = '0101'",
    "over another": (
        "UPDATE OR REPLACE connection SET kommune_code = '0147', primary_receiver_id = 5 WHERE kommune_code = '0101'"
    ),
    "over another's row": (
        "UPDATE OR REPLACE connection SET rowid = (SELECT rowid FROM connection WHERE kommune_code = '0147')"
        " WHERE kommune_code = '0101'"
    ),
    "a second": (
        "INSERT INTO connection (kommune_code, primary_receiver_id, contact_email, connected_at)"
        " VALUES ('0101', 2, 'e', 1)"
    ),
    "replaced by none": f"{INSERT_CONNECTION} VALUES ('0101', NULL, 'e', 1)",
    "replaced by unknown": f"{INSERT_CONNECTION} VALUES ('0101', 99, 'e', 1)",
    "replaced by another's": f"{INSERT_CONNECTION} VALUES ('0101', 4, 'e', 1)",
    "replaced by removed": f"{INSERT_CONNECTION} VALUES ('0101', 3, 'e', 1)",
    "replaced row": (
        "INSERT OR REPLACE INTO connection (rowid, kommune_code, primary_receiver_id, contact_email, connected_at)"
        " SELECT rowid, '0101', 2, 'e', 1 FROM connection WHERE kommune_code = '0147'"
    ),
    "connect without": f"{INSERT_CONNECTION} VALUES ('0151', NULL, 'e', 1)",
    "connect with another's": f"{INSERT_CONNECTION} VALUES ('0151', 1, 'e', 1)",
    "delete the receiver": "DELETE FROM receiver WHERE id = 1",
    "delete all": "DELETE FROM receiver",
    "remove the receiver": "UPDATE receiver SET removed_at = 9 WHERE id = 1",
    "move the receiver": "UPDATE receiver SET kommune_code = '0147', system_uuid = 'x' WHERE id = 1",
    "renumber the receiver": "UPDATE receiver SET id = 77 WHERE id = 1",
    "replace by id": f"{INSERT_RECEIVER} VALUES (1, '0147', 'x', 'n', 'v', 'e', 1, NULL)",
    "replace by id, removed": f"{INSERT_RECEIVER} VALUES (1, '0101', 'x', 'n', 'v', 'e', 1, 5)",
    "replace by UUID": f"{INSERT_RECEIVER} VALUES (9, '0101', 'uuid-0', 'n', 'v', 'e', 1, NULL)",
    "overtake by id": "UPDATE OR REPLACE receiver SET id = 1 WHERE id = 2",
    "overtake from another kommune": "UPDATE OR REPLACE receiver SET id = 1 WHERE id = 5",
    "overtake by UUID": "UPDATE OR REPLACE receiver SET system_uuid = 'uuid-0' WHERE id = 2",
    "overtake by return": (
        "UPDATE OR REPLACE receiver SET removed_at = NULL, system_uuid = 'uuid-0' WHERE id = 3"
    ),
    "overtake by kommune": (
        "UPDATE OR REPLACE receiver SET kommune_code = '0101', system_uuid = 'uuid-0' WHERE id = 5"
    ),
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_refused(conn: Raw, statement: str) -> None:
    if "rowid" in statement and not conn.is_sqlite:
        pytest.skip("only SQLite has row ids")
    before = primaries(conn)
    with pytest.raises(REFUSED_BY):
        conn.execute(statement)
    assert primaries(conn) == before == {"0101": (1, "uuid-0"), "0147": (4, "uuid-0")}


def test_another_primary_of_its_own_can_take_over(conn: Raw) -> None:
    conn.execute("UPDATE connection SET primary_receiver_id = 2 WHERE kommune_code = '0101'")
    assert primaries(conn)["0101"] == (2, "uuid-1")
    conn.execute("UPDATE receiver SET removed_at = 9 WHERE id = 1")
    if conn.is_sqlite:
        connect(conn, "0147", 5, "INSERT OR REPLACE")
        assert primaries(conn)["0147"] == (5, "uuid-1")


def test_ordinary_changes_go_through(conn: Raw) -> None:
    conn.execute("UPDATE receiver SET name = 'x', vendor = 'y', vendor_email = 'z'")
    conn.execute("UPDATE connection SET contact_email = 'x'")
    conn.execute("UPDATE receiver SET removed_at = 9 WHERE id = 2")
    conn.execute("UPDATE receiver SET removed_at = NULL WHERE id = 3")
    conn.execute("DELETE FROM receiver WHERE id = 2")
    assert len(primaries(conn)) == 2


@pytest.mark.parametrize("table", ["connection", "receiver", "receiver CASCADE"])
def test_nothing_is_emptied_at_once(conn: Raw, table: str) -> None:
    if conn.is_sqlite:
        pytest.skip("only PostgreSQL has TRUNCATE")
    before = primaries(conn)
    with pytest.raises((*REFUSED_BY, psycopg.errors.FeatureNotSupported)):
        conn.execute(f"TRUNCATE {table}")
    assert primaries(conn) == before
