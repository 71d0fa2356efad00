"""PostgreSQL, for several engines on one database.

Decisions are made one at a time, as on SQLite: a write transaction holds an advisory lock of the whole database until
it has committed. So every rule that holds with one engine holds with many, and whoever reads along sees the rows in the
order of their ids. Claims need no such lock (flow/claims.py): they take rows that nobody else has locked.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

import psycopg
import structlog
from sqlalchemy import Connection, TextClause, create_engine, event, text
from sqlalchemy.exc import OperationalError

from engine.clock import Clock, Steady, SystemClock
from engine.database_errors import database_trouble
from engine.database_url import without_password
from engine.errors import HomeError
from engine.store.database import Database, Tx
from engine.store.locks import ENGINE_LOCK, WRITER_LOCK

log = structlog.get_logger(__name__)

CHANNEL = "sundhedsagent"

CONNECT_TIMEOUT_S = 10
LOCK_TIMEOUT_S = 30  # as SQLite's busy timeout: a command waits this long for others' short transactions
# A process that was put aside, or whose machine vanished, in the middle of a transaction must not stop everybody.
IDLE_IN_TRANSACTION_S = 20
STUCK_AFTER_S = 60  # and whoever holds up all writers for so long, and does nothing, is cut off
KEEPALIVE_S = 10
POOL = 20  # connections at most; a station, or a person's request, uses one at a time
_HEAR_TIME_AFTER_S = 30.0
_LONGEST_ANSWER_S = 0.5  # the time in an answer that was under way for longer is old
_ASK_AGAIN = 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
_LISTEN_S = 0.5

_CONNECT_ARGS: dict[str, Any] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "application_name": "sundhedsagent",
    "keepalives_idle": KEEPALIVE_S,
    "keepalives_interval": KEEPALIVE_S,
    "keepalives_count": 3,
    "tcp_user_timeout": 3 * KEEPALIVE_S * 1000,
    "options": (
        f"-c lock_timeout={LOCK_TIMEOUT_S}s"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_S}s"
        # The server's own way to notice that the other side's machine is gone.
        f" -c tcp_keepalives_idle={KEEPALIVE_S} -c tcp_keepalives_interval={KEEPALIVE_S} -c tcp_keepalives_count=3"
        " -c timezone=UTC"
    ),
}
_TAKE_WRITER_LOCK = text(f"SELECT pg_advisory_xact_lock({WRITER_LOCK}), clock_timestamp()")
_ENGINES = text(
    f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {ENGINE_LOCK} AND granted"  # noqa: S608
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_TIME = text("SELECT clock_timestamp()")
# What is acknowledged must survive a power cut, whatever the server, the database or the role says, now or later;
# `remote_apply` and the like promise more, and stay.
_KEEP_WHAT_IS_COMMITTED = (
    "SELECT set_config('synchronous_commit', CASE setting WHEN 'off' THEN 'on' ELSE setting END, false)"
    " FROM current_setting('synchronous_commit') AS setting"
)
# A process that is put aside in the middle of a write waits for its client, and the server would wait with it.
_FREE_WRITER_LOCK = text(
    "SELECT pg_terminate_backend(held.pid) FROM pg_locks held JOIN pg_stat_activity busy ON busy.pid = held.pid"  # noqa: S608
    f" WHERE held.locktype = 'advisory' AND held.objid = {WRITER_LOCK} AND held.granted"
    " AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" AND busy.wait_event = 'ClientRead' AND busy.xact_start < clock_timestamp() - interval '{STUCK_AFTER_S} s'"
)
_LOCK_NOT_AVAILABLE = "55P03"
_WRITES = ("INSERT", "UPDATE", "DELETE")


class DatabaseClock:
    """The database's clock, for the machines that share it: between two answers of the database it goes on by the
    machine's steady clock, so that nobody's own setting of a clock matters.
    """

    def __init__(self) -> None:
        self._heard: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        if self._heard is None:
            return datetime.now(UTC)
        wall, at = self._heard
        return wall + timedelta(seconds=time.monotonic() - at)

    def steady(self) -> Steady:
        return SystemClock().steady()

    def hear(self, wall: datetime) -> None:
        """What the database said just now."""
        self._heard = (wall.astimezone(UTC), time.monotonic())

    @property
    def age_s(self) -> float:
        """How long ago the database was last heard."""
        return float("inf") if self._heard is None else time.monotonic() - self._heard[1]


class PostgresDatabase(Database):
    """A database on a PostgreSQL server. `url` is postgresql://…, as libpq takes it."""

    is_shared: ClassVar[bool] = True

    def __init__(self, url: str) -> None:
        self.url = url
        self._clock = DatabaseClock()
        self._name = str(uuid4())  # by which we know our own notices
        self._notify = text(f"NOTIFY {CHANNEL}, '{self._name}'")
        engine = create_engine(
            # libpq's own way to read the address: it may name several servers, of which one can be written to.
            "postgresql+psycopg://",
            creator=lambda: _connected(url),
            hide_parameters=True,  # an error's text must not quote rows
            pool_size=POOL,
            max_overflow=0,
            pool_timeout=LOCK_TIMEOUT_S,
            isolation_level="READ COMMITTED",
        )
        event.listen(engine, "after_cursor_execute", _note_write)
        super().__init__(engine)

    @property
    def clock(self) -> Clock:
        return self._clock

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        with self.engine.connect() as conn, conn.begin():
            self._take_writer_lock(conn)
            conn.info["wrote"] = False
            tx = Tx(conn)
            yield tx
            tx.save_sequences()
            if conn.info["wrote"]:
                conn.execute(self._notify)

    @contextmanager
    def claiming(self, *, alone: bool = False) -> Iterator[Tx]:
        with self.engine.connect() as conn, conn.begin():
            if alone:
                self._take_writer_lock(conn)
            yield Tx(conn)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self.engine.connect().execution_options(**options) as conn, conn.begin():
            if self._clock.age_s > _HEAR_TIME_AFTER_S:
                self._hear(conn, _TIME)
            yield conn

    @contextmanager
    def changes(self) -> Iterator[Callable[[], int]]:
        with closing(_connect(self.url)) as conn:
            conn.execute(f"LISTEN {CHANNEL}")
            heard = 0

            def look() -> int:
                nonlocal heard
                heard += sum(1 for _ in conn.notifies(timeout=0))
                return heard

            yield look

    def _take_writer_lock(self, conn: Connection) -> None:
        """Every statement after it sees all that was committed before, and nobody else writes until the commit."""
        try:
            self._hear(conn, _TAKE_WRITER_LOCK)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                self._free_writer_lock()
            raise

    def _free_writer_lock(self) -> None:
        """From a process that has been put aside. It hears that its connection is gone, and has written nothing."""
        with self.engine.connect() as conn, conn.begin():
            if conn.execute(_FREE_WRITER_LOCK).first() is not None:
                log.error("stuck-writer-was-cut-off")

    def _hear(self, conn: Connection, asking: TextClause) -> None:
        """The time that an answer ends with. One that came late is asked for again."""
        for _ in range(_ASK_AGAIN):
            begun = time.monotonic()
            wall = conn.execute(asking).one()[-1]
            if time.monotonic() - begun < _LONGEST_ANSWER_S:
                break
            asking = _TIME
        self._clock.hear(wall)

    @contextmanager
    def present(self, heard: Callable[[], None]) -> Iterator[None]:
        with _Presence(self.url, self._name, heard):
            yield


class _Presence:
    """A lock that says that an engine lives, and an ear for what others change.

    In a thread of its own, on a connection of its own, which it makes anew when the server was away. What it misses
    meanwhile is found by the engine's own looks.
    """

    def __init__(self, url: str, name: str, heard: Callable[[], None]) -> None:
        self._url = url
        self._name = name
        self._heard = heard
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listening", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(2 * _LISTEN_S)

    def _listen(self) -> None:
        failures = 0
        while not self._ends.is_set():
            try:
                with closing(_connect(self._url)) as conn:
                    conn.execute(f"SELECT pg_advisory_lock_shared({ENGINE_LOCK})")
                    conn.execute(f"LISTEN {CHANNEL}")
                    failures = 0
                    self._heard()
                    while not self._ends.is_set():
                        for notice in conn.notifies(timeout=_LISTEN_S, stop_after=1):
                            if notice.payload != self._name:
                                self._heard()
            except Exception as error:  # noqa: BLE001 - without this thread nobody would know that we live
                failures += 1
                pause_s = min(_FIRST_PAUSE_S * 2 ** (failures - 1), _LONGEST_PAUSE_S)
                log.warning("listening-failed", error=type(error).__name__, pause_s=pause_s)
                # Not all at once: the server has just come up.
                self._ends.wait(pause_s * random.uniform(0.5, 1))  # noqa: S311 - no secret


def engines_on(conn: Connection) -> int:
    """How many engines work on the database now, on whichever machines."""
    return int(conn.execute(_ENGINES).scalar_one())


def revision_on(url: str) -> str | None:
    """The revision of the tables; None where there are none of ours. HomeError where it cannot be reached."""
    with reached(url) as conn:
        found = conn.execute("SELECT to_regclass('alembic_version')").fetchone()
        if found is None or found[0] is None:
            return None
        row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


@contextmanager
def without_engines(url: str) -> Iterator[None]:
    """Hold the database for a change of its tables; HomeError where an engine works on it."""
    with reached(url) as conn:
        row = conn.execute(f"SELECT pg_try_advisory_lock({ENGINE_LOCK})").fetchone()
        if row is None or not row[0]:
            raise HomeError(f"Der kører motorer på databasen {without_password(url)}. Stop dem først.")
        yield


@contextmanager
def reached(url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A connection for a short look; HomeError where the server cannot be reached or refuses."""
    try:
        conn = _connect(url)
    except psycopg.Error as error:
        said = (str(error).strip().splitlines() or [""])[0]
        raise HomeError(f"Databasen {without_password(url)}: {database_trouble(error)} ({said}).") from error
    with closing(conn):
        yield conn


def _connect(url: str) -> "psycopg.Connection[Any]":
    return psycopg.connect(url, autocommit=True, **_CONNECT_ARGS)


def _connected(url: str) -> "psycopg.Connection[Any]":
    conn = psycopg.connect(url, **_CONNECT_ARGS)
    try:
        with conn.transaction():
            conn.execute(_KEEP_WHAT_IS_COMMITTED)
    except BaseException:
        conn.close()
        raise
    return conn


def _note_write(
    conn: Connection, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: Any
) -> None:
    if statement.lstrip().startswith(_WRITES):
        conn.info["wrote"] = True
