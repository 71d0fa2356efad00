"""Whose an unexpected error is, and what is told of it in a log: its kind and its place, never what it quotes.

A traceback, and many an error's own text, can hold a piece of the message that was worked on.
"""

import sqlite3

from sqlalchemy.exc import DataError, IntegrityError, InternalError, OperationalError, SQLAlchemyError


def told(error: BaseException) -> dict[str, str]:
    """Fields for a log line: error, where, and for trouble with the database itself what it says."""
    fields = {"error": type(error).__name__, "where": _place_of(error)}
    if isinstance(error, OperationalError | InternalError):
        # "database or disk is full", "database is locked": about the database, never about a row. A server's further
        # lines are hints, and may quote.
        fields["database"] = str(error.orig).partition("\n")[0]
    return fields


def is_of_what_is_written(error: BaseException) -> bool:
    """Whether what was to be written can be at fault, so that all else may be written without it.

    Not where the database is: full, lost, read-only, or without a connection to spare. `error` is anybody's.
    """
    if isinstance(error, DataError | IntegrityError):
        return True
    cause = getattr(error, "orig", None) or error
    if type(cause).__module__.partition(".")[0] == "psycopg":
        # Data, integrity, and what goes beyond one of the server's limits (an entry too large for its index).
        return (getattr(cause, "sqlstate", None) or "")[:2] in {"22", "23", "54"}
    return not isinstance(cause, sqlite3.Error | SQLAlchemyError)


def _place_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
