"""The sheet for the status meeting after a switchover (3.3): has the new primary begun, and is anything missing?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, select

from engine.desk.switchovers import Switchover, show_switchover
from engine.domain.acknowledgement import PendingState, ResponseCode
from engine.domain.switchover import SwitchoverState
from engine.errors import RuleError
from engine.store import tables

_BEFORE = timedelta(days=7)  # a primary that was silent for longer than this shows as silent
_AFTER = timedelta(days=7)
_MOST_LISTED = 500


class Fate(StrEnum):
    """What became of an advis that was in flight over the switchover, or came after it."""

    ANSWERED = "answered"  # its own primary gave the verdict
    TRANSIENT = "transient-error"  # the last word is not final
    REMOVED = "removed"  # its primary was removed before it answered
    WAITING = "waiting"  # its primary still has time
    OVERDUE = "overdue"  # its primary's deadline has passed
    UNPUBLISHED = "unpublished"  # the Beskedfordeler has not taken it yet

    @property
    def danish(self) -> str:
        return _DANISH[self]

    @property
    def is_fine(self) -> bool:
        return self in {Fate.ANSWERED, Fate.WAITING}


_DANISH = {
    Fate.ANSWERED: "besvaret",
    Fate.TRANSIENT: "midlertidig fejl, intet endeligt svar",
    Fate.REMOVED: "systemet er fjernet, intet svar",
    Fate.WAITING: "afventer, inden for fristen",
    Fate.OVERDUE: "mangler, fristen er overskredet",
    Fate.UNPUBLISHED: "ikke fordelt endnu",
}


@dataclass(frozen=True, slots=True)
class SheetKvittering:
    """A kvittering that proves that a receiver works as primary."""

    at: datetime
    state: str
    advis_id: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class SheetAdvis:
    """One advis, and what became of it; `primary` answers for it, as the primary of its receipt time."""

    id: int
    message_id: str
    received_at: datetime
    primary: str
    fate: Fate
    verdict: str | None
    verdict_at: datetime | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that the status meeting looks at."""

    switchover: Switchover
    made_at: datetime
    last_of_old: SheetKvittering | None
    first_of_new: SheetKvittering | None
    in_flight: tuple[SheetAdvis, ...]
    since: int  # adviser received since, that the new primary answers for
    answered_since: int
    missing_since: tuple[SheetAdvis, ...]

    @property
    def is_verified(self) -> bool:
        """Nothing is missing, and the new primary has answered."""
        settled = all(item.fate is Fate.ANSWERED for item in self.in_flight)
        return settled and self.first_of_new is not None and not self.missing_since


def switchover_sheet(conn: Connection, switchover_id: int, now: datetime) -> Sheet:
    """The sheet of a switchover that was carried out."""
    found = show_switchover(conn, switchover_id)
    if found.state is not SwitchoverState.DONE:
        raise RuleError(f"Omlægning {found.id} er {found.state.danish}; arket laves, når den er gennemført.")
    before = _read(conn, found.kommune, found.old_id, found.at - _BEFORE, found.at, now)
    after = _read(conn, found.kommune, found.new_id, found.at, _end(conn, found, now), now)
    # In flight: received before the moment, and not finally answered by then.
    in_flight = [row for row, _ in before if row.verdict_at is None or row.verdict_at >= found.at]
    return Sheet(
        switchover=found,
        made_at=now,
        last_of_old=max((kvit for _, kvit in before if kvit), key=lambda kvit: kvit.at, default=None),
        first_of_new=min((kvit for _, kvit in after if kvit), key=lambda kvit: kvit.at, default=None),
        in_flight=tuple(in_flight[-_MOST_LISTED:]),
        since=len(after),
        answered_since=sum(row.fate is Fate.ANSWERED for row, _ in after),
        missing_since=tuple(row for row, _ in after if not row.fate.is_fine)[:_MOST_LISTED],
    )


def _end(conn: Connection, found: Switchover, now: datetime) -> datetime:
    """Until the next switchover of the kommune, a week at most."""
    table = tables.switchover
    query = select(table.c.at).where(
        table.c.kommune_code == found.kommune,
        table.c.state == SwitchoverState.DONE.value,
        table.c.at >= found.at,
        table.c.id != found.id,
    )
    later: Sequence[datetime] = conn.execute(query).scalars().all()
    return min(found.at + _AFTER, now + _AFTER, *later)


def _read(
    conn: Connection, code: str, primary_id: int, since: datetime, until: datetime, now: datetime
) -> list[tuple[SheetAdvis, SheetKvittering | None]]:
    """The adviser of a span that this receiver answers for, each with the receiver's kvittering."""
    return [_line(row, now) for row in conn.execute(_query(code, primary_id, since, until))]


def _query(code: str, primary_id: int, since: datetime, until: datetime) -> Select[Any]:
    advis, expected, receiver = tables.advis, tables.expected_kvittering, tables.receiver
    return (
        select(
            advis.c.id,
            advis.c.message_id,
            advis.c.received_at,
            advis.c.published_at,
            advis.c.verdict,
            advis.c.verdict_at,
            receiver.c.name,
            expected.c.state,
            expected.c.settled_at,
            expected.c.due_at,
        )
        .join(receiver, receiver.c.id == advis.c.primary_receiver_id)
        .join(
            expected,
            (expected.c.advis_id == advis.c.id) & (expected.c.receiver_id == advis.c.primary_receiver_id),
        )
        .where(
            advis.c.kommune_code == code,
            advis.c.received_at >= since,
            advis.c.received_at < until,
            advis.c.primary_receiver_id == primary_id,
        )
        .order_by(advis.c.received_at, advis.c.id)
    )


def _line(row: Any, now: datetime) -> tuple[SheetAdvis, SheetKvittering | None]:
    line = SheetAdvis(
        row.id,
        row.message_id,
        row.received_at,
        row.name,
        _fate(row, now),
        row.verdict,
        row.verdict_at,
        row.due_at,
    )
    if row.settled_at is None or row.state not in _KVITTERET:
        return line, None
    return line, SheetKvittering(row.settled_at, row.state, row.id, row.received_at)


_KVITTERET: Sequence[str] = tuple(code.value for code in ResponseCode)


def _fate(row: Any, now: datetime) -> Fate:
    if row.verdict is not None:
        return Fate.ANSWERED
    match PendingState(row.state):
        case PendingState.TRANSIENT_ERROR:
            return Fate.TRANSIENT
        case PendingState.REMOVED:
            return Fate.REMOVED
        case PendingState.PENDING if row.published_at is None:
            return Fate.UNPUBLISHED
        case PendingState.PENDING if row.due_at is not None and row.due_at < now:
            return Fate.OVERDUE
        case _:
            return Fate.WAITING
