"""What holds where several engines share a database: on a real PostgreSQL, with as many connections as engines."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError

from engine.clock import SimulatedClock, Steady, SystemClock
from engine.errors import HomeError, SettingsError
from engine.flow.claims import Claims, still_held
from engine.flow.timekeeping import open_ledger
from engine.home import Home
from engine.store import tables
from engine.store.locks import WRITER_LOCK
from engine.store.postgresql import _CONNECT_ARGS, _FREE_WRITER_LOCK, PostgresDatabase, engines_on
from engine.upkeep import upgrade_home
from tests.servers.postgresql import PostgresServer, wait_for

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
MAILS, LEASE = Claims(tables.mail), timedelta(minutes=2)


@pytest.fixture
def database_kind() -> str:
    return "postgresql"


@pytest.fixture
def engines(new_home: Home) -> Iterator[tuple[PostgresDatabase, PostgresDatabase]]:
    """The database as two engines have it."""
    with ExitStack() as held:
        both = []
        for _ in range(2):
            db = PostgresDatabase(new_home.database_url)
            held.callback(db.close)
            both.append(db)
        yield both[0], both[1]


def order(db: PostgresDatabase, count: int) -> None:
    words = ("kind", "address", "subject", "text", "html")
    rows = [
        dict.fromkeys(words, "x")
        | {"order_key": str(n), "message_id": str(n), "ordered_at": NOW, "next_at": NOW}
        for n in range(count)
    ]
    with db.writing() as tx:
        tx.insert(tables.mail, rows)


def claim(db: PostgresDatabase, owner: str, now: datetime = NOW, limit: int = 100) -> list[int]:
    with db.claiming() as tx:
        return list(MAILS.claim(tx, owner=owner, now=now, lease=LEASE, limit=limit))


def test_writers_take_turns_and_each_sees_what_the_one_before_it_did(engines: Any) -> None:
    first, second = engines
    seen: list[int] = []

    def count() -> None:
        with second.writing() as tx:
            seen.append(len(tx.conn.execute(select(tables.mail.c.id)).all()))

    with first.writing() as tx:
        waiting = threading.Thread(target=count)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        assert seen == []
        words = dict.fromkeys(("kind", "address", "subject", "text", "html", "order_key", "message_id"), "x")
        tx.conn.execute(insert(tables.mail).values(**words, ordered_at=NOW))
    waiting.join(10)
    assert seen == [1]


def test_a_claim_waits_for_no_writer_and_takes_what_nobody_else_has_locked(engines: Any) -> None:
    first, second = engines
    order(first, 3)
    with first.writing() as writer, first.claiming() as one:
        assert list(MAILS.claim(one, owner="a", now=NOW, lease=LEASE, limit=2)) == [1, 2]
        assert claim(second, "b") == [3]
        assert writer.conn is not one.conn


def test_a_lease_that_has_expired_is_another_engines_to_take(engines: Any) -> None:
    first, second = engines
    order(first, 2)
    assert claim(first, "a") == [1, 2]
    assert claim(second, "b", NOW + LEASE - timedelta(seconds=1)) == []
    assert claim(first, "a", NOW + timedelta(seconds=1)) == [1, 2]  # what a failed step left
    assert claim(second, "b", NOW + 2 * LEASE) == [1, 2]
    with first.writing() as tx:
        assert still_held(tx, tables.mail, "a", [1, 2]) == set()
        assert still_held(tx, tables.mail, "b", [1, 2]) == {1, 2}
        # Nobody takes them while their results are being recorded.
        assert claim(second, "c", NOW + 9 * LEASE) == []


def test_engines_hear_what_others_change_and_not_what_they_read(engines: Any) -> None:
    first, second = engines
    rings: list[int] = []
    with second.present(lambda: rings.append(1)):
        wait_for("the first look", lambda: rings)
        with first.reading() as conn:
            assert engines_on(conn) == 1
        with first.writing():
            pass
        with first.claiming() as tx:
            tx.conn.execute(select(tables.mail.c.id))
        heard = len(rings)
        order(first, 1)
        wait_for("the ring", lambda: len(rings) > heard)

    def is_alone() -> bool:
        with first.reading() as conn:
            return engines_on(conn) == 0

    wait_for("the server to see that it has left", is_alone)


def test_an_engine_is_heard_of_again_when_the_server_has_been_away(postgres: PostgresServer) -> None:
    url = postgres.create()
    db, rings = PostgresDatabase(url), []
    with db.present(lambda: rings.append(1)), db.engine.connect() as conn:
        wait_for("the first look", lambda: rings)
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s"
        conn.exec_driver_sql(ended, (url.rpartition("/")[2],))
        wait_for("a new look", lambda: len(rings) > 1)
        assert engines_on(conn) == 1
    db.close()
    postgres.drop(url)


def test_a_connection_that_was_cut_is_an_error_once(engines: Any) -> None:
    first, second = engines

    def cut() -> None:
        with first.writing() as tx:
            pid = tx.conn.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            with second.engine.begin() as conn:
                conn.exec_driver_sql("SELECT pg_terminate_backend(%s)", (pid,))
            tx.conn.execute(select(tables.mail.c.id))

    with pytest.raises(OperationalError):
        cut()
    order(first, 1)  # and the lock of the writers was let go


def test_a_console_sees_that_somebody_has_changed_something(engines: Any) -> None:
    first, second = engines
    with second.changes() as version:
        before = version()
        assert version() == before
        order(first, 1)
        wait_for("another number", lambda: version() != before)


def test_no_upgrade_under_an_engine_that_works(new_home: Home, engines: Any) -> None:
    rings: list[int] = []
    with engines[0].present(lambda: rings.append(1)):
        wait_for("the first look", lambda: rings)
        with pytest.raises(HomeError, match="Stop dem først"):
            upgrade_home(new_home.path)
    assert upgrade_home(new_home.path)[0] == new_home.revision()


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_is_set_moves_what_waits_once_whichever_machine_sees_it(
    engines: Any, step: timedelta
) -> None:
    first, second = engines
    clocks = [SimulatedClock(NOW), SimulatedClock(NOW)]
    clocks[1].reboot()  # another machine: a boot and a steady clock of its own
    for db, clock in zip(engines, clocks, strict=True):
        clock.advance(timedelta(minutes=1))
        with db.writing() as tx:
            open_ledger(tx, clock).write()
    order(first, 1)
    for clock in clocks:
        clock.step(step)
    for db, clock in zip(engines, clocks, strict=True):
        with db.writing() as tx:
            ledger = open_ledger(tx, clock)
            assert ledger.now == clock.now()
            ledger.write()
    with second.reading() as conn:
        assert conn.execute(select(tables.mail.c.next_at)).scalar_one() == NOW + step
        kinds = conn.execute(select(tables.event.c.kind)).scalars().all()
    assert kinds == ["clock-was-set"]


def test_the_time_is_the_servers(engines: Any) -> None:
    first, _ = engines
    with first.reading() as conn:
        theirs = conn.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    assert abs(first.clock.now() - theirs) < timedelta(seconds=1)
    first.clock.hear(NOW)
    assert NOW < first.clock.now() < NOW + timedelta(seconds=5)
    with first.writing():
        pass
    assert abs(first.clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_second_home_joins_with_the_key_and_keeps_who_administers(new_home: Home, tmp_path: Path) -> None:
    url, key = new_home.database_url, tmp_path / "other.key"
    with pytest.raises(HomeError, match="--key FIL"):
        Home.create(tmp_path / "second", SystemClock(), "b", url=url)
    with pytest.raises(HomeError, match="Nøglen er en anden"):
        Home.create(tmp_path / "second", SystemClock(), "b", url=url, key=bytes(32))
    assert not (tmp_path / "second").exists()
    from engine.home import given_key

    key.write_bytes(new_home.key_file.read_bytes())
    key.chmod(0o600)
    second = Home.create(tmp_path / "second", SystemClock(), "b", url=url, key=given_key(key))
    assert Home.open(second.path).database_url == url
    db = second.open_database()
    with db.reading() as conn:
        assert "b" not in conn.execute(select(tables.role_grant.c.identity)).scalars().all()
    db.close()


def test_an_init_that_was_stopped_half_way_is_done_again(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.create()
    with closing(PostgresDatabase(url)) as db:
        db.upgrade()  # as far as it came: the tables are there, and nothing in them
    home = Home.create(tmp_path / "home", SystemClock(), "mette", url=url)
    with closing(home.open_database()) as db, db.reading() as conn:
        assert conn.execute(select(tables.role_grant.c.identity)).scalars().all() == ["mette"]
        assert len(conn.execute(select(tables.kommune.c.code)).all()) == 98
    postgres.drop(url)


def test_of_two_that_init_at_one_moment_one_is_told_of_the_other(
    new_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.home._is_in_use", lambda *_: False)  # it was not, when that was looked at
    with pytest.raises(HomeError, match="netop taget i brug"):
        Home.create(tmp_path / "second", SystemClock(), "b", url=new_home.database_url)


def test_no_engine_starts_with_another_key(new_home: Home) -> None:
    from engine.service import Engine

    new_home.key_file.write_text("A" * 43 + "=\n")
    with pytest.raises(HomeError, match="Nøglen er en anden"):
        Engine.open(new_home)


def test_a_server_that_is_away_is_told_in_danish_and_without_the_password(new_home: Home) -> None:
    text, url = new_home.settings_file.read_text(), new_home.database_url
    new_home.settings_file.write_text(text.replace(url, "postgresql://me:hemmelig@127.0.0.1:1/x"))
    with pytest.raises(
        HomeError, match=r"postgresql://me@127\.0\.0\.1:1/x: databaseserveren kan ikke nås"
    ) as told:
        Home.open(new_home.path)
    assert "hemmelig" not in str(told.value)
    new_home.settings_file.write_text(text.replace(url, "mysql://x"))
    with pytest.raises(SettingsError, match=r"database\.url skal være tom eller en adresse"):
        Home.open(new_home.path)


@dataclass
class Machine:
    """One by the database's clock, with a steady clock of its own that goes at a rate of its own and may miss some."""

    boot: str
    rate: float = 1.0
    missed: timedelta = timedelta()
    at: timedelta = timedelta()

    def now(self) -> datetime:
        return NOW + self.at

    def steady(self) -> Steady:
        return Steady(self.boot, self.at * self.rate - self.missed)


def turn(db: PostgresDatabase, machine: Machine) -> datetime:
    with db.writing() as tx:
        ledger = open_ledger(tx, machine)
        ledger.write()
    return ledger.now


def clock_steps(db: PostgresDatabase) -> int:
    with db.reading() as conn:
        kinds = conn.execute(select(tables.event.c.kind)).scalars().all()
    return kinds.count("clock-was-set")


def test_machines_whose_steady_clocks_differ_make_one_time_of_it(engines: Any) -> None:
    """60 millionths are some 5 seconds a day: no clock was set, and nobody moves anything."""
    machines = [Machine("a", rate=1 + 60e-6), Machine("b")]
    for minute in range(0, 12 * 60, 4):
        for db, machine in zip(engines, machines, strict=True):
            machine.at = timedelta(minutes=minute)
            assert turn(db, machine) == machine.now()  # what one calls now, the other does too
    assert clock_steps(engines[0]) == 0


def test_a_machine_that_was_put_aside_moves_what_waits_once_at_most(engines: Any) -> None:
    machines = [Machine("a"), Machine("b")]
    for db, machine in zip(engines, machines, strict=True):
        turn(db, machine)
    machines[0].missed = timedelta(seconds=30)
    for second in range(31, 51):
        for db, machine in zip(engines, machines, strict=True):
            machine.at = timedelta(seconds=second)
            turn(db, machine)
    assert clock_steps(engines[0]) <= 1


def test_an_answer_that_comes_late_tells_no_time(engines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = engines
    monkeypatch.setattr("engine.store.postgresql._LONGEST_ANSWER_S", 0.05)
    monkeypatch.setattr(
        "engine.store.postgresql._TAKE_WRITER_LOCK",
        text("SELECT clock_timestamp(), pg_sleep(0.2)::text, clock_timestamp() - interval '1 h'"),
    )
    with first.writing():
        pass
    assert abs(first.clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def is_free(db: PostgresDatabase) -> bool:
    """Nobody writes, and nobody is in the middle of it."""
    held = text(f"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = {WRITER_LOCK} AND granted")
    with db.reading() as conn:
        return conn.execute(held).first() is None


@pytest.mark.parametrize("stuck_for_s", [0, 3_600])
def test_who_holds_up_all_writers_and_does_nothing_is_cut_off(
    new_home: Home, monkeypatch: pytest.MonkeyPatch, stuck_for_s: int
) -> None:
    """Put aside in the middle of a write: the server would wait for it as long as it sleeps."""
    impatient = _CONNECT_ARGS["options"].replace("lock_timeout=30s", "lock_timeout=100ms")
    monkeypatch.setitem(_CONNECT_ARGS, "options", impatient)
    free = _FREE_WRITER_LOCK.text.replace("interval '60 s'", f"interval '{stuck_for_s} s'")
    monkeypatch.setattr("engine.store.postgresql._FREE_WRITER_LOCK", text(free))
    asleep, awake = PostgresDatabase(new_home.database_url), PostgresDatabase(new_home.database_url)
    try:
        with pytest.raises(OperationalError) if not stuck_for_s else nullcontext(), asleep.writing() as tx:
            with pytest.raises(OperationalError), awake.writing():
                pass
            if stuck_for_s:
                with pytest.raises(OperationalError), awake.writing():
                    pass
            else:
                wait_for("the server to have cut it off", lambda: is_free(awake))
                order(awake, 1)
            tx.conn.execute(select(tables.mail.c.id))
        if stuck_for_s:
            order(awake, 1)
    finally:
        asleep.close()
        awake.close()


@pytest.mark.parametrize(
    ("chosen", "kept"), [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")]
)
def test_what_is_committed_survives_a_power_cut_whatever_was_chosen_for_the_database(
    new_home: Home, chosen: str, kept: str
) -> None:
    name = new_home.database_url.rpartition("/")[2]
    with closing(PostgresDatabase(new_home.database_url)) as db, db.writing() as tx:
        tx.conn.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = {chosen}"))
    with closing(PostgresDatabase(new_home.database_url)) as db, db.reading() as conn:
        found = text("SELECT setting, source FROM pg_settings WHERE name = 'synchronous_commit'")
        assert conn.execute(found).one() == (kept, "session")  # whatever is chosen from now on


def test_the_address_may_name_several_servers(new_home: Home) -> None:
    """As libpq reads it: the one that can be written to is found."""
    server, _, database = new_home.database_url.rpartition("@")[2].rpartition("/")
    db = PostgresDatabase(
        f"postgresql://agent@127.0.0.1:1,{server}/{database}?target_session_attrs=read-write"
    )
    try:
        order(db, 1)
    finally:
        db.close()
