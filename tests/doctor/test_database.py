"""The database and the clocks, on both kinds."""

import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text

from engine.doctor import database as looks
from engine.domain.checkup import Verdict
from engine.home import Home
from engine.settings import variable
from engine.store.database import Database
from engine.store.tables import id_sequence
from tests.doctor.conftest import of, only

pytestmark = pytest.mark.usefixtures("power_cuts_are_nothing")
ADVICE, FAULT, GOOD, UNKNOWN = Verdict.ADVICE, Verdict.FAULT, Verdict.GOOD, Verdict.UNKNOWN
SECOND = timedelta(seconds=1)


def set_revision(home: Home, revision: str) -> None:
    db = home.open_database()
    with db.engine.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
    db.close()


def test_a_database_that_is_well(new_home: Home, database_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_SLOW_MS", float("inf"))  # the machine may be slow
    line = only(looks.look_at_database(new_home))
    assert line.verdict is GOOD
    assert line.found.startswith(f"{new_home.database_name}: ")
    assert line.found.endswith("revision 0004; der kan skrives")
    if database_kind == "postgresql":
        assert "PostgreSQL" in line.found
        assert "0 motorer på den" in line.found
        assert "ms" in line.found


def test_the_engines_on_a_server_are_counted(server_home: Home) -> None:
    db = server_home.open_database()
    lives = threading.Event()
    with db.present(lives.set):
        assert lives.wait(10)
        assert "1 motor på den" in only(looks.look_at_database(server_home)).found
    db.close()


@pytest.mark.parametrize(("revision", "do"), [("0003", "sundhedsagent db upgrade"), ("9999", "nyere udgave")])
def test_another_version_is_a_fault(new_home: Home, revision: str, do: str) -> None:
    set_revision(new_home, revision)
    line = only(looks.look_at_database(new_home))
    assert line.verdict is FAULT
    assert f"har revision {revision}; denne version bruger 0004" in line.found
    assert do in line.do


def test_to_rehearse_a_write_changes_nothing(new_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    open_database = Home.open_database

    def watched(home: Home) -> Database:
        db = open_database(home)
        event.listen(
            db.engine, "before_cursor_execute", lambda _c, _k, statement, *_: written.append(statement)
        )
        return db

    db = new_home.open_database()
    with db.reading() as conn:
        before = conn.execute(select(id_sequence).order_by(id_sequence.c.name)).all()
    monkeypatch.setattr(Home, "open_database", watched)
    looks.look_at_database(new_home)
    assert [each for each in written if each.startswith("UPDATE")] != []
    with db.reading() as conn:
        assert conn.execute(select(id_sequence).order_by(id_sequence.c.name)).all() == before
    db.close()


def test_a_file_that_can_only_be_read_is_a_fault(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    open_database = Home.open_database

    def readonly(home: Home) -> Database:
        db = open_database(home)
        event.listen(db.engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only = ON"))
        return db

    monkeypatch.setattr(Home, "open_database", readonly)
    line = only(looks.look_at_database(home))
    assert (line.verdict, "kan kun læses" in line.found) == (FAULT, True)


def test_a_user_on_the_server_who_may_only_read_is_a_fault(
    server_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = server_home.open_database()
    with db.engine.begin() as conn:
        conn.execute(text("CREATE ROLE reader LOGIN IN ROLE pg_read_all_data"))
    monkeypatch.setenv(variable("database.url"), server_home.database_url.replace("agent@", "reader@"))
    line = only(looks.look_at_database(server_home))
    monkeypatch.undo()
    with db.engine.begin() as conn:
        conn.execute(text("DROP ROLE reader"))
    db.close()
    assert (line.verdict, "databasebrugeren mangler rettigheder" in line.found) == (FAULT, True)


def test_a_file_that_is_no_database_is_a_fault(home: Home) -> None:
    home.database_file.write_bytes(b"something else, and long enough for a header of SQLite\n" * 9)
    line = only(looks.look_at_database(home))
    assert line.verdict is FAULT
    assert "ikke en læsbar database" in line.found


def test_a_file_that_somebody_writes_in_all_the_time_is_a_fault(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.sqlite.BUSY_TIMEOUT_MS", 20)
    with closing(sqlite3.connect(home.database_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "låst af et andet program" in only(looks.look_at_database(home)).found


def test_a_server_that_cannot_be_reached_is_a_fault(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable("database.url"), "postgresql://agent:hemmeligt@127.0.0.1:1/agent")
    line = only(looks.look_at_database(home))
    assert (line.verdict, "databaseserveren kan ikke nås" in line.found) == (FAULT, True)
    assert "hemmeligt" not in line.found
    kernel, beside = looks.look_at_clock(home, lambda: True)
    assert (kernel.verdict, beside.verdict) == (GOOD, UNKNOWN)


def test_a_server_that_a_power_cut_may_ruin_is_a_fault(
    server_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the tests' own server is such a one
    line = only(looks.look_at_database(server_home))
    assert line.verdict is FAULT
    assert line.found.endswith("der kan skrives, men fsync og full_page_writes er slået fra")
    assert "postgresql.conf" in line.do


def test_a_slow_answer_is_advice(new_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_SLOW_MS", -1.0)
    assert only(looks.look_at_database(new_home)).verdict is ADVICE


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("is_synchronised", "verdict"), [(True, GOOD), (False, ADVICE), (None, UNKNOWN)])
def test_what_the_kernel_says(home: Home, is_synchronised: bool | None, verdict: Verdict) -> None:
    assert only(looks.look_at_clock(home, lambda: is_synchronised)).verdict is verdict


@pytest.mark.parametrize(("state", "told"), [(0, True), (1, True), (5, False), (-1, None)])
def test_the_kernel_is_asked_by_adjtimex_and_nothing_is_set(
    monkeypatch: pytest.MonkeyPatch, state: int, told: bool | None
) -> None:
    class Libc:
        @staticmethod
        def adjtimex(asked: Any) -> int:
            assert asked.raw == bytes(len(asked.raw))  # modes is 0
            return state

    monkeypatch.setattr("ctypes.CDLL", lambda _: Libc)
    assert looks.kernel_is_synchronised() is told


def test_a_kernel_that_cannot_be_asked_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert looks.kernel_is_synchronised() is None


def test_this_machine_can_be_asked() -> None:
    assert looks.kernel_is_synchronised() in {True, False, None}


def test_a_servers_clock_is_compared_with_the_machines(new_home: Home, database_kind: str) -> None:
    found = looks.look_at_clock(new_home, lambda: True)
    assert of(found, FAULT) == of(found, ADVICE) == []
    assert len(found) == (2 if database_kind == "postgresql" else 1)


@pytest.mark.parametrize(
    ("ahead", "verdict", "words"),
    [
        (1.9 * SECOND, GOOD, "afviger 1,9 s"),
        (2 * SECOND, ADVICE, "er 2,0 s foran"),
        (-59 * SECOND, ADVICE, "er 59,0 s bagud"),
        (60 * SECOND, FAULT, "er 60,0 s foran"),
        (-90 * SECOND, FAULT, "er 90,0 s bagud"),
    ],
)
def test_how_much_clocks_may_differ(ahead: timedelta, verdict: Verdict, words: str) -> None:
    line = only([looks._beside_database(ahead)])
    assert (line.verdict, line.found) == (verdict, f"databasens ur {words}")


def test_a_server_whose_clock_is_ahead(server_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    real = looks._ahead

    def shifted(conn: Connection) -> timedelta:
        return real(conn) + 30 * SECOND

    monkeypatch.setattr(looks, "_ahead", shifted)
    (advice,) = of(looks.look_at_clock(server_home, lambda: True), ADVICE)
    assert advice.endswith("s foran")
