"""Deadlines last as long as they say, also when the clock is set.

Instants are kept by one clock: the machine's, or where several machines share a database, the database's. So every
reader can tell what is left of a deadline. When that clock is set, everything that waits is moved along by as much. How
far it was set shows beside a clock that nobody sets: each machine's own, from its boot. The machine that sees it first
moves what waits, and the others begin anew from there, so that none does it again.
"""

from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Column, Connection, bindparam, delete, insert, literal_column, select, update

from engine.clock import Clock, Steady
from engine.domain.events import EventKind, Level
from engine.store import tables
from engine.store.database import Tx
from engine.store.ledger import Ledger

log = structlog.get_logger(__name__)

# A time server slews a clock by less all the time. The engine's own time follows it by steps of so much.
_LEAST_STEP = timedelta(seconds=1)
_KEEP_EVERY = timedelta(seconds=10)
_FORGET_AFTER = timedelta(days=30)  # a boot that is over for so long comes no more
_MICROSECOND = timedelta(microseconds=1)

# The row of this boot, else the latest of the others. Made once: it is asked several times a second.
_KEPT = (
    select(
        tables.timekeeping.c.boot,
        tables.timekeeping.c.elapsed,
        tables.timekeeping.c.wall,
        tables.timekeeping.c.own,
    )
    .order_by(tables.timekeeping.c.boot != bindparam("boot"), tables.timekeeping.c.own.desc())
    .limit(1)
)


def open_ledger(tx: Tx, clock: Clock) -> Ledger:
    """A ledger at the present instant, after whatever waits has been moved along with the clock.

    Every transaction that sets a timer begins so: none is set by the new time before the others have moved to it.
    The instant is the engine's own, which goes on steadily and is never a second away from the clock's. On a shared
    database it is the clock's: else each machine's steady clock would make another instant of the same moment, and an
    advis could come before the switchover that its primary is of.
    """
    now, steady = clock.now(), clock.steady()
    row = _kept(tx.conn, steady)
    own = now if row is None else row.own + _passed(row, now, steady)
    is_moved = abs(now - own) >= _LEAST_STEP
    ledger = Ledger(tx, now if is_moved or _is_shared(tx.conn) else own)
    if row is not None and row.boot == steady.boot and not is_moved and own - row.own < _KEEP_EVERY:
        return ledger
    if is_moved:
        _move(ledger, now - own)
    _keep(tx.conn, steady, now, ledger.now)
    return ledger


def own_time(conn: Connection, clock: Clock) -> datetime | None:
    """The engine's own time; None where the clock was set, and a ledger must be opened to tell."""
    now, steady = clock.now(), clock.steady()
    row = _kept(conn, steady)
    own: datetime = now if row is None else row.own + _passed(row, now, steady)
    if abs(now - own) >= _LEAST_STEP:
        return None
    return now if _is_shared(conn) else own


def _is_shared(conn: Connection) -> bool:
    return conn.dialect.name == "postgresql"


def _kept(conn: Connection, steady: Steady) -> Any:
    return conn.execute(_KEPT, {"boot": steady.boot}).one_or_none()


def _keep(conn: Connection, steady: Steady, wall: datetime, own: datetime) -> None:
    table = tables.timekeeping
    values = {"elapsed": steady.elapsed // _MICROSECOND, "wall": wall, "own": own}
    if conn.execute(update(table).where(table.c.boot == steady.boot).values(**values)).rowcount == 0:
        conn.execute(delete(table).where(table.c.own < own - _FORGET_AFTER))
        conn.execute(insert(table).values(boot=steady.boot, **values))


def _passed(row: Any, now: datetime, steady: Steady) -> timedelta:
    """What has passed since the row was written."""
    if row.boot == steady.boot:
        passed: timedelta = steady.elapsed - row.elapsed * _MICROSECOND
        return passed
    # Nobody knows how long the machine was off, or its steady clock is another one. The clock's word is taken, but
    # time does not run backwards.
    gone: timedelta = now - row.wall
    return max(gone, timedelta())


def _move(ledger: Ledger, step: timedelta) -> None:
    seconds = round(step / timedelta(seconds=1))
    log.warning("clock-was-set", seconds=seconds)
    for column, is_waiting in _timers():
        ledger.tx.conn.execute(
            update(column.table)
            .where(is_waiting, column.is_not(None))
            # The column's own number: adding in the database moves a hundred thousand rows in one statement.
            .values({column.name: literal_column(f"{column.name} + {step // _MICROSECOND}")})
        )
    # The other machines begin anew, from the row of the one that saw it: none of them moves it back.
    ledger.tx.conn.execute(delete(tables.timekeeping))
    ledger.event(EventKind.CLOCK_WAS_SET, level=Level.WARNING, seconds=seconds)


def _timers() -> list[tuple[Column[Any], Any]]:
    expected, publication, out = tables.expected_kvittering, tables.publication, tables.envelope_out
    mail, case, step, pulse = tables.mail, tables.alarm_case, tables.incident_step, tables.pulse
    is_pending = expected.c.state == literal_column("'pending'")
    is_open = case.c.closed_at.is_(None)
    return [
        (expected.c.due_at, is_pending),
        *(
            (publication.c[name], publication.c.next_at.is_not(None))
            for name in ("delayed_at", "claimed_until")
        ),
        (publication.c.next_at, publication.c.next_at.is_not(None)),
        (out.c.receipt_due_at, out.c.receipt_due_at.is_not(None)),
        *((table.c.claimed_until, table.c.next_at.is_not(None)) for table in (out, mail, step)),
        *((table.c.next_at, table.c.next_at.is_not(None)) for table in (out, mail, step)),
        *((case.c[name], is_open) for name in ("mail_due", "retake_due", "worsened_due", "escalate_due")),
        *((pulse.c[name], pulse.c.name.is_not(None)) for name in ("good_at", "since", "bad_since")),
    ]
