"""Whatever is wrong with a database is found by the check that looks for it, and by no other."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.desk.act import Act
from engine.domain.audit import Action
from engine.domain.checkup import Checked, Verdict
from engine.home import Home, payload_key
from engine.store import tables
from engine.store.payloads import PayloadBox
from engine.upkeep import check_home
from tests.desk.builders import AARHUS, connect
from tests.store.conftest import Raw

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NAMES = (
    "revision",
    "integrity",
    "schema",
    "triggers",
    "foreign-keys",
    "one-primary",
    "one-verdict",
    "numbers",
    "audit",
    "key",
)


def checked(home: Home) -> dict[str, Checked]:
    return {each.name: each for each in check_home(home.path)}


def faults(home: Home) -> list[str]:
    found = checked(home)
    assert tuple(found) == NAMES
    assert all(each.do for each in found.values() if each.verdict is not Verdict.GOOD)
    return [name for name, each in found.items() if each.verdict is Verdict.FAULT]


@pytest.fixture
def home(new_home: Home) -> Home:
    """With a kommune, entries in the audit log, and an advis that is answered."""
    db = new_home.open_database()
    box = PayloadBox(payload_key(new_home))
    with db.writing() as tx:
        receiver_id = connect(tx)[0]
        Act(tx, NOW, "mette").audit(Action.RECEIVER_CHANGED, "receiver:1", after={"x": 1})
        for number in range(1, 4):
            tx.insert(tables.payload, [{"id": tx.next_id("payload"), "sealed": box.seal(b"x" * number)}])
        tx.insert(tables.advis, [_advis(tx.next_id("advis"), receiver_id)])
        tx.insert(tables.envelope_out, [_answer(tx.next_id("envelope_out"), "ok")])
    db.close()
    return new_home


def _advis(number: int, receiver_id: int) -> dict[str, Any]:
    text = dict.fromkeys(
        ("addressee", "vans_sender_id", "media_type", "encoding", "besked_id", "message_id"), "x"
    )
    ends = dict.fromkeys(("vans_sender_type", "vans_receiver_type"), "EAN")
    return {
        **text,
        **ends,
        "id": number,
        "kommune_code": AARHUS,
        "received_at": NOW,
        "refused": False,
        "primary_receiver_id": receiver_id,
        "episodes": "[]",
        "report_of_admission": False,
        "findings": "[]",
        "payload_id": 1,
        "verdict": "ok",
        "verdict_at": NOW,
    }


def _answer(number: int, code: str) -> dict[str, Any]:
    ends = dict.fromkeys(("sender_type", "receiver_type"), "EAN")
    return {
        **ends,
        **dict.fromkeys(("sender_id", "receiver_id", "message_id"), "x"),
        "id": number,
        "envelope_id": f"e{number}",
        "kind": "answer",
        "ordered_at": NOW,
        "advis_id": 1,
        "code": code,
        "sending": 1,
    }


@pytest.fixture
def sql(home: Home, raw: Raw) -> Callable[[str], Any]:
    """Somebody with a database tool."""
    return raw.execute


def test_a_home_in_use_is_in_order(home: Home) -> None:
    assert faults(home) == []
    assert {each.verdict for each in checked(home).values()} == {Verdict.GOOD}


def test_tables_that_are_not_the_packages(home: Home, sql: Any, database_kind: str) -> None:
    sql("DROP INDEX ix_mail_waiting")  # a partial one
    sql("DROP INDEX ix_event_advis_id")
    sql("ALTER TABLE unit ADD COLUMN more TEXT")
    found = checked(home)["schema"].found
    for told in ("uden ix_mail_waiting", "uden ix_event_advis_id", "for meget er unit.more"):
        assert found.count(told) == 1
    if database_kind == "postgresql":
        sql("ALTER TABLE advis DROP CONSTRAINT ck_advis_verdict_is_final")
        sql("ALTER TABLE mail ALTER COLUMN kind DROP NOT NULL")
        found = checked(home)["schema"].found
        assert "uden ck_advis_verdict_is_final" in found
        assert "anderledes er mail.kind" in found
    assert faults(home) == ["schema"]


def test_a_rule_that_is_gone_or_another(home: Home, sql: Any, database_kind: str) -> None:
    table = "" if database_kind == "sqlite" else " ON connection"
    sql(f"DROP TRIGGER one_primary_disconnect{table}")
    assert faults(home) == ["triggers"]
    assert "one_primary_disconnect (mangler)" in checked(home)["triggers"].found
    if database_kind == "sqlite":
        sql(
            "CREATE TRIGGER one_primary_disconnect BEFORE DELETE ON connection"
            " BEGIN SELECT RAISE(ABORT, 'no') WHERE FALSE; END"
        )
    else:
        sql("DROP FUNCTION one_primary_disconnect()")
        sql(
            "CREATE FUNCTION one_primary_disconnect() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RETURN OLD; END $$"
        )
        sql(
            "CREATE TRIGGER one_primary_disconnect BEFORE DELETE ON connection"
            " FOR EACH ROW EXECUTE FUNCTION one_primary_disconnect()"
        )
    assert "one_primary_disconnect (ændret)" in checked(home)["triggers"].found


def test_what_points_at_nothing(home: Home, sql: Any, database_kind: str) -> None:
    if database_kind == "sqlite":
        sql("INSERT INTO unit VALUES ('1', 's', '9999')")
        assert "unit → kommune" in checked(home)["foreign-keys"].found
    else:
        sql("ALTER TABLE unit DISABLE TRIGGER ALL")
        assert "unit" in checked(home)["foreign-keys"].found
    assert faults(home) == ["foreign-keys"]


def test_a_kommune_without_its_primary(home: Home, sql: Any, database_kind: str) -> None:
    _off(
        sql,
        database_kind,
        ("one_primary_receiver_changed", "receiver"),
        ("receiver_owes_verdict", "receiver"),
    )
    sql("UPDATE receiver SET removed_at = 1 WHERE id = 1")
    assert faults(home) == ["triggers", "one-primary"]
    assert AARHUS in checked(home)["one-primary"].found


def _off(sql: Any, database_kind: str, *triggers: tuple[str, str]) -> None:
    for name, table in triggers:
        if database_kind == "sqlite":
            sql(f"DROP TRIGGER {name}")
        else:
            sql(f"ALTER TABLE {table} DISABLE TRIGGER {name}")


def test_two_verdicts_and_another_one(home: Home, sql: Any) -> None:
    sql("UPDATE advis SET verdict = 'fatal-error'")
    assert faults(home) == ["one-verdict"]
    assert "hvis svar er et andet" in checked(home)["one-verdict"].found
    sql("UPDATE advis SET verdict = 'ok'")
    sql("DROP INDEX uq_envelope_out_verdict")
    db = home.open_database()
    with db.writing() as tx:
        tx.insert(tables.envelope_out, [_answer(tx.next_id("envelope_out"), "ok")])
    db.close()
    assert faults(home) == ["schema", "one-verdict"]
    assert "med to svar: 1" in checked(home)["one-verdict"].found


def test_a_number_that_is_taken(home: Home, sql: Any, database_kind: str) -> None:
    sql("UPDATE id_sequence SET next_id = 1 WHERE name = 'payload'")
    assert faults(home) == ["numbers"]
    assert "payload (næste 1, sidste 3)" in checked(home)["numbers"].found
    if database_kind == "postgresql":
        sql("UPDATE id_sequence SET next_id = 4 WHERE name = 'payload'")
        sql("SELECT setval(pg_get_serial_sequence('receiver', 'id'), 1, false)")
        assert "receiver (næste 1" in checked(home)["numbers"].found


@pytest.mark.parametrize("value", ["'{\"x\": 2}'", "'no json'"])
def test_an_audit_entry_that_was_changed(home: Home, sql: Any, database_kind: str, value: str) -> None:
    _off(sql, database_kind, ("audit_changed", "audit"))
    sql(f"UPDATE audit SET after = {value} WHERE id = 2")
    assert faults(home) == ["triggers", "audit"]
    assert "ved post 2" in checked(home)["audit"].found


def test_another_key_and_a_payload_that_is_damaged(
    home: Home, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = home.key_file.read_bytes()
    home.key_file.write_text("A" * 43 + "=\n")
    assert faults(home) == ["key"]
    home.key_file.unlink()
    assert faults(home) == []
    assert checked(home)["key"].verdict is Verdict.UNKNOWN
    home.key_file.write_bytes(key)
    home.key_file.chmod(0o600)
    sql("UPDATE payload SET sealed = sealed || sealed WHERE id = 2")
    assert faults(home) == ["key"]


@pytest.mark.sqlite_only
def test_a_damaged_file(home: Home) -> None:
    with closing(sqlite3.connect(home.database_file)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = conn.execute("PRAGMA page_size").fetchone()[0]
        page = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'kommune'").fetchone()[0]
    with home.database_file.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert "integrity" in faults(home)


class TestOnAServer:
    @pytest.fixture
    def database_kind(self) -> str:
        return "postgresql"

    def test_a_rule_that_what_is_there_need_not_keep(self, home: Home, sql: Any) -> None:
        sql("ALTER TABLE unit ADD CONSTRAINT long_gln CHECK (length(gln) > 99) NOT VALID")
        assert "long_gln" in checked(home)["integrity"].found


def test_of_another_version_only_what_can_be_told(home: Home, sql: Any) -> None:
    sql("UPDATE alembic_version SET version_num = '0001'")
    found = checked(home)
    assert list(found) == ["revision", "integrity"]
    assert "sundhedsagent db upgrade" in found["revision"].do
    sql("UPDATE alembic_version SET version_num = '9999'")
    assert "nyere udgave" in checked(home)["revision"].do
