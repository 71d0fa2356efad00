"""Trouble with the database is nobody's message: nothing is put aside for it, and all of it comes again."""

import sqlite3
from typing import Any

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import event, exc
from sqlalchemy.exc import DBAPIError

from engine.errors import HomeError
from engine.flow.trouble import is_of_what_is_written
from engine.store import tables
from tests.flow.world import World


def wrapped(error: Exception) -> Exception:
    """As SQLAlchemy hands it on."""
    base: Any = sqlite3.Error if isinstance(error, sqlite3.Error) else psycopg.Error
    return DBAPIError.instance("INSERT", {}, error, base, dialect=None)


OF_THE_DATABASE = [
    wrapped(errors.IdleInTransactionSessionTimeout()),  # 25P03
    wrapped(errors.ReadOnlySqlTransaction()),  # 25006
    wrapped(errors.InFailedSqlTransaction()),
    wrapped(errors.AdminShutdown()),
    wrapped(errors.DiskFull()),
    wrapped(errors.DeadlockDetected()),
    wrapped(psycopg.OperationalError("the connection is lost")),
    wrapped(psycopg.InterfaceError("the connection is closed")),
    wrapped(sqlite3.OperationalError("database or disk is full")),
    wrapped(sqlite3.DatabaseError("database disk image is malformed")),
    exc.TimeoutError("QueuePool limit"),
    exc.PendingRollbackError("rolled back"),
    errors.ReadOnlySqlTransaction(),
]
OF_A_MESSAGE = [
    wrapped(errors.ProgramLimitExceeded()),  # 54000
    wrapped(errors.StringDataRightTruncation()),
    wrapped(errors.UniqueViolation()),
    wrapped(psycopg.DataError("text cannot contain NUL")),
    wrapped(sqlite3.IntegrityError("UNIQUE")),
    wrapped(sqlite3.DataError("string or blob too big")),
    exc.StatementError("bad", "INSERT", {}, TypeError()),
    errors.NumericValueOutOfRange(),
    OverflowError("too large to convert to SQLite INTEGER"),
    AssertionError(),
]


@pytest.mark.parametrize("error", OF_THE_DATABASE, ids=lambda error: type(error).__name__)
def test_what_is_the_databases(error):
    assert not is_of_what_is_written(error)


@pytest.mark.parametrize("error", OF_A_MESSAGE, ids=lambda error: type(error).__name__)
def test_what_can_be_a_messages(error):
    assert is_of_what_is_written(error)


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize(
    "error",
    [errors.IdleInTransactionSessionTimeout(), errors.ReadOnlySqlTransaction()],
    ids=["idle", "read-only"],
)
async def test_nothing_is_put_aside_for_the_databases_trouble(world: World, at, error):
    """Also where it comes after a bug, when each message is tried alone."""
    attempts = []

    def failing(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "INTO advis" in statement:
            attempts.append(statement)
            if len(attempts) < at:
                raise AssertionError
            if len(attempts) == at:
                raise wrapped(error)

    for _ in range(2):
        world.send(world.hn())
    event.listen(world.db.engine, "before_cursor_execute", failing)
    with pytest.raises(HomeError, match="Databasen kan ikke bruges nu"):
        await world.drain()
    assert world.rows(tables.quarantine) == world.rows(tables.advis) == []
    await world.drain()
    assert len(world.published) == 2
    assert world.rows(tables.quarantine) == []


async def test_a_case_is_not_put_off_for_the_databases_trouble(world: World):
    world.send(world.hn())
    await world.drain()
    await world.after(minutes=45)
    failed: list[str] = []

    def failing(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "INTO mail" in statement and not failed:
            failed.append(statement)
            raise wrapped(errors.ReadOnlySqlTransaction())

    event.listen(world.db.engine, "before_cursor_execute", failing)
    with pytest.raises(HomeError, match="Databasen kan ikke bruges nu"):
        await world.after(seconds=30)
    assert failed
    assert world.mails.sent == []
    await world.drain()  # at once, and not when a case that failed of itself would be looked at again
    assert world.mails.sent
