"""What is told of an unexpected error in a log: its kind and its place, never what it quotes.

A traceback, and many an error's own text, can hold a piece of the message that was worked on.
"""

from sqlalchemy.exc import OperationalError


def told(error: BaseException) -> dict[str, str]:
    """Fields for a log line: error, where, and for trouble with the database itself what it says."""
    fields = {"error": type(error).__name__, "where": _place_of(error)}
    if isinstance(error, OperationalError):
        # "database or disk is full", "database is locked": about the database, never about a row.
        fields["database"] = str(error.orig)
    return fields


def _place_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
