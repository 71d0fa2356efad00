"""How it goes in each kommune, and with each of its receivers: what is waited for, what is late, how quick they are."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, literal_column, select

from engine.desk.contacts import Contact, administrator, vendors
from engine.desk.maintenance import Maintenance, list_maintenance
from engine.desk.noted import Noted, list_noted
from engine.desk.procedures import ProcedureLine, list_procedures
from engine.desk.receivers import FoundReceiver, receivers_in_service
from engine.desk.registry import KommuneLine, KommuneView, list_kommuner, show_kommune
from engine.desk.requests import Request, list_requests
from engine.desk.switchovers import Switchover, list_switchovers
from engine.domain.switchover import SwitchoverState
from engine.flow.kvitteringsoverblik import overblik
from engine.store import tables

QUICKNESS_OF = timedelta(hours=24)  # the median is of what was published since

_PENDING: ColumnElement[str] = literal_column("'pending'")


@dataclass(frozen=True, slots=True)
class KommuneState:
    """One of the 98 in a list."""

    line: KommuneLine
    pending: int
    overdue: int
    cases: int
    switchover: Switchover | None  # the planned one


@dataclass(frozen=True, slots=True)
class ReceiverStanding:
    """One receiver of a kommune. The median is in seconds, of the last 24 hours."""

    found: FoundReceiver
    vendor: Contact
    pending: int
    overdue: int
    last_kvittering_at: datetime | None
    median_s: float | None
    case_id: int | None  # the open one


@dataclass(frozen=True, slots=True)
class KommunePage:
    """All about one kommune."""

    view: KommuneView
    administrator: Contact | None
    receivers: tuple[ReceiverStanding, ...]
    noted: tuple[Noted, ...]
    switchovers: tuple[Switchover, ...]  # planned first
    procedures: tuple[ProcedureLine, ...]  # with steps that are open
    requests: tuple[Request, ...]
    maintenance: tuple[Maintenance, ...]


def kommune_states(
    conn: Connection, now: datetime, *, only: Collection[str] | None = None
) -> list[KommuneState]:
    """Every kommune by name, also those that are not connected."""
    expected, receiver, case = tables.expected_kvittering, tables.receiver, tables.alarm_case
    is_late = expected.c.case_id.is_not(None) | (expected.c.due_at < now)
    waits = (
        select(receiver.c.kommune_code, func.count(), func.count().filter(is_late))
        .select_from(expected)
        .join(receiver, receiver.c.id == expected.c.receiver_id)
        .where(expected.c.state == _PENDING)
        .group_by(receiver.c.kommune_code)
    )
    pending: dict[str, int] = defaultdict(int)
    overdue: dict[str, int] = defaultdict(int)
    # Two partial indexes share what is pending: what has a case since it was missed, and what has none.
    for part in (expected.c.case_id.is_(None), expected.c.case_id.is_not(None)):
        for code, count, late in conn.execute(waits.where(part)):
            pending[code] += count
            overdue[code] += late
    open_cases = select(case.c.kommune_code, func.count()).where(case.c.closed_at.is_(None))
    cases: dict[str, int] = dict(conn.execute(open_cases.group_by(case.c.kommune_code)).all())
    planned = {item.kommune: item for item in list_switchovers(conn, only=only, planned_only=True)}
    found: dict[str, KommuneLine] = {}
    for line in list_kommuner(conn, only=only):
        found.setdefault(line.code, line)  # one that has several addresses stands once
    return [
        KommuneState(line, pending[code], overdue[code], cases.get(code, 0), planned.get(code))
        for code, line in sorted(found.items(), key=lambda item: _alphabetical(item[1].name))
    ]


def kommune_page(conn: Connection, code: str, now: datetime) -> KommunePage:
    """All about the kommune with this code."""
    receivers = receivers_in_service(conn, code)
    return KommunePage(
        show_kommune(conn, code),
        administrator(conn, code),
        tuple(_standings(conn, code, receivers, now)),
        tuple(list_noted(conn, code)),
        tuple(list_switchovers(conn, only=[code])),
        tuple(list_procedures(conn, only=[code], open_only=True)),
        tuple(list_requests(conn, only=[code])),
        tuple(list_maintenance(conn, now, only=[code])),
    )


def switchover_planned(page: KommunePage) -> Switchover | None:
    """The switchover that is to come, where there is one."""
    return next((item for item in page.switchovers if item.state is SwitchoverState.PLANNED), None)


def _standings(
    conn: Connection, code: str, receivers: list[FoundReceiver], now: datetime
) -> list[ReceiverStanding]:
    expected, case = tables.expected_kvittering, tables.alarm_case
    ids = [item.id for item in receivers]
    is_late = expected.c.case_id.is_not(None) | (expected.c.due_at < now)
    waits = (
        select(expected.c.receiver_id, func.count(), func.count().filter(is_late))
        .where(expected.c.state == _PENDING, expected.c.receiver_id.in_(ids))
        .group_by(expected.c.receiver_id)
    )
    pending: dict[int, int] = defaultdict(int)
    overdue: dict[int, int] = defaultdict(int)
    for part in (expected.c.case_id.is_(None), expected.c.case_id.is_not(None)):
        for receiver_id, count, late in conn.execute(waits.where(part)):
            pending[receiver_id] += count
            overdue[receiver_id] += late
    people = vendors(conn, ids)
    quick = {line.receiver_id: line for line in overblik(conn, now - QUICKNESS_OF, now, now, kommuner=[code])}
    advis = tables.advis
    latest = (
        select(expected.c.receiver_id, func.max(expected.c.settled_at))
        .join(advis, advis.c.id == expected.c.advis_id)
        .where(
            advis.c.kommune_code == code,
            advis.c.received_at >= now - timedelta(days=7),
            expected.c.state.in_(("ok", "transient-error", "fatal-error")),
        )
        .group_by(expected.c.receiver_id)
    )
    last: dict[int, datetime] = dict(conn.execute(latest).all())
    open_cases = select(case.c.receiver_id, case.c.id).where(
        case.c.closed_at.is_(None), case.c.receiver_id.in_(ids)
    )
    cases: dict[int, int] = dict(conn.execute(open_cases).all())
    return [
        ReceiverStanding(
            item,
            people[item.id],
            pending[item.id],
            overdue[item.id],
            last.get(item.id),
            quick[item.id].median_s if item.id in quick else None,
            cases.get(item.id),
        )
        for item in receivers
    ]


_DANISH_ORDER = str.maketrans({"æ": "{", "ø": "|", "å": "}"})


def _alphabetical(name: str) -> str:
    """Æ, ø and å come last, in this order; "Aa" stands under Å, as in a Danish register."""
    return name.casefold().replace("aa", "å").translate(_DANISH_ORDER)
