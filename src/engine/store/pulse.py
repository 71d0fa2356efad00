"""Pulses: when each station and channel last did its work, and since when it has not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, insert, select, update

from engine.domain import pulse
from engine.store import tables
from engine.store.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Pulse:
    """`bad_since` is None where the last attempt was good. All move along when the machine's clock is set."""

    good_at: datetime | None
    since: datetime | None  # when what beats began to, without a break; when what fails last did
    bad_since: datetime | None
    error: str | None


def note_good(ledger: Ledger, names: Iterable[str]) -> None:
    """It did its work now."""
    _note(ledger, {name: {"good_at": ledger.now, "bad_since": None, "error": None} for name in names})


def note_good_at(ledger: Ledger, at: Mapping[str, datetime]) -> None:
    """Each did its work then."""
    _note(ledger, {name: {"good_at": when, "bad_since": None, "error": None} for name, when in at.items()})


def note_oldest(ledger: Ledger, oldest: Mapping[str, datetime | None]) -> None:
    """Each inbox could be read now, and its oldest delivery lies there since then; None where nothing lies there."""
    good = {"good_at": ledger.now, "bad_since": None, "error": None}
    _note(ledger, {name: good | {"since": since} for name, since in oldest.items()})


def note_bad(ledger: Ledger, name: str, error: str) -> None:
    """It tried and failed; `error` is Danish and free of personal data. The first failure says since when."""
    known = pulses(ledger.tx.conn).get(name)
    since = known.bad_since if known and known.bad_since else ledger.now
    _note(ledger, {name: {"bad_since": since, "since": ledger.now, "error": error}})


def beat(ledger: Ledger, name: str, *, longest_break: timedelta) -> None:
    """It is at work, now and again: `since` says for how long without a break that is longer than this."""
    known = pulses(ledger.tx.conn).get(name)
    goes_on = known and known.good_at and known.since and ledger.now - known.good_at <= longest_break
    since = known.since if known and goes_on else ledger.now
    _note(ledger, {name: {"good_at": ledger.now, "since": since, "bad_since": None, "error": None}})


def pulses(conn: Connection) -> dict[str, Pulse]:
    """All of them, by name."""
    table = tables.pulse
    query = select(table.c.name, table.c.good_at, table.c.since, table.c.bad_since, table.c.error)
    return {name: Pulse(*values) for name, *values in conn.execute(query)}


def of_all(known: Mapping[str, Pulse], name: str) -> Pulse | None:
    """What each engine has for itself, as one: good when the last of them was, bad since the first that still is."""
    every = {key: state for key, state in known.items() if pulse.parted(key)[0] == name}
    # What nobody owns any more is of the time before there were several.
    found = {key: state for key, state in every.items() if key != name} or every
    if not found:
        return None
    good_at = max((state.good_at for state in found.values() if state.good_at), default=None)
    bad = [
        (state.bad_since, pulse.parted(key)[1], state.error)
        for key, state in found.items()
        if state.bad_since
    ]
    if not bad:
        return Pulse(good_at, None, None, None)
    since, holder, error = min(bad, key=itemgetter(0))
    return Pulse(good_at, None, since, error if len(bad) == len(found) else f"{holder}: {error}")


def _note(ledger: Ledger, values: Mapping[str, dict[str, Any]]) -> None:
    conn, table = ledger.tx.conn, tables.pulse
    for name, row in values.items():
        if conn.execute(update(table).where(table.c.name == name).values(**row)).rowcount == 0:
            conn.execute(insert(table).values(name=name, **row))
