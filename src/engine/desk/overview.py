"""How it goes: what is waited for, and the state of the whole."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, func, literal_column, select

from engine.desk.certificates import CertificateWarning, certificate_warnings
from engine.desk.contacts import Contact, contact_points, vendors
from engine.desk.incidents import list_incidents
from engine.desk.look_up import AdvisView, TraceLine, trace_line
from engine.domain import pulse
from engine.domain.acknowledgement import PendingState, ResponseCode
from engine.domain.alarm import CaseKind
from engine.domain.events import EventKind
from engine.domain.stall import CHANNELS, watched
from engine.settings import Settings
from engine.store import tables
from engine.store.pulse import Pulse, of_all, pulses
from engine.store.queues import queues

_ALARMS_OF = timedelta(hours=24)
_ALARMS_SHOWN = 10

# SQLite uses a partial index only where the query has its very condition, as a literal.
_NEGATIVE = tuple(code.value for code in ResponseCode if code is not ResponseCode.OK)
_PENDING: ColumnElement[str] = literal_column("'pending'")


@dataclass(frozen=True, slots=True)
class PendingLine:
    """One kvittering that has not come. No due time: the advis is not published yet, and no clock runs."""

    kommune: str
    kommune_name: str
    receiver: str
    receiver_uuid: str
    primary: bool
    advis_id: int
    besked_id: str
    message_id: str
    received_at: datetime
    due_at: datetime | None
    seconds_left: int | None  # negative when overdue
    overdue: bool  # its time has passed, or it was found missing already
    monitored: bool  # False: published, but the receiver is not monitored yet


@dataclass(frozen=True, slots=True)
class Oldest:
    """For how long the oldest of each kind has waited, in seconds; None where nothing waits."""

    publication: int | None
    envelope: int | None
    overdue: int | None  # past its due time
    unmatched: int | None


@dataclass(frozen=True, slots=True)
class Alarm:
    at: datetime
    local_time: str
    kind: EventKind
    sentence: str
    advis_id: int | None
    kommune: str | None


@dataclass(frozen=True, slots=True)
class Channel:
    """One wire to the outside. `up` is None where it was never used, or never worked and is tried no more."""

    name: str
    what: str  # Danish
    up: bool | None
    good_at: datetime | None
    bad_since: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Stall:
    """One that stands still for longer than it may. `do` is Danish."""

    name: str
    what: str
    since: datetime
    detail: str
    do: str


@dataclass(frozen=True, slots=True)
class Status:
    """The whole in numbers."""

    at: datetime
    connected_kommuner: int
    received: int  # adviser, refused ones included
    refused: int
    published: int
    waiting_publications: int
    delayed_publications: int  # waiting for longer than publish.alarm_after
    pending: int  # kvitteringer
    overdue: int
    answered: dict[str, int]  # by final verdict of a primary
    negative_kvitteringer: int  # receivers whose last word is transient-error or fatal-error
    unmatched_kvitteringer: int  # that nobody has handled
    quarantined: int  # and not decided
    waiting_envelopes: int
    receipts_awaited: int
    receipts_missing: int  # answers that were sent again, and still have no VANS receipt
    receipts_negative: int  # in the last 24 hours
    oldest_seconds: Oldest
    alarm_count: int  # of the last 24 hours
    alarms: tuple[Alarm, ...]  # the latest of them
    engine_seen_at: datetime | None  # when an engine last said that it is at work
    engine_since: datetime | None  # since when without a break
    channels: tuple[Channel, ...]
    stalls: tuple[Stall, ...]
    certificates: tuple[CertificateWarning, ...]  # of ours that end soon, have ended or cannot be used
    open_cases: dict[str, int]  # by kind
    untaken_cases: int  # that nobody has taken, and no incident explains
    open_incidents: tuple[str, ...]  # their titles, with how they stand
    waiting_mails: int
    refused_mails: int


def list_pending(
    conn: Connection, now: datetime, *, only: Collection[str] | None = None, limit: int | None = None
) -> list[PendingLine]:
    """Kvitteringer that have not come, the most urgent first; those without a running clock last."""
    due_at, case_id = tables.expected_kvittering.c.due_at, tables.expected_kvittering.c.case_id
    unnoticed = _pending(only).where(case_id.is_(None))
    queries = (
        _pending(only).where(case_id.is_not(None)).order_by(due_at, tables.advis.c.id),
        unnoticed.where(due_at.is_not(None)).order_by(due_at, tables.advis.c.id),
        unnoticed.where(due_at.is_(None)).order_by(tables.advis.c.id),
    )
    found: list[PendingLine] = []
    for query in queries:
        left = None if limit is None else limit - len(found)
        if left != 0:
            found += (_pending_line(row, now) for row in conn.execute(query.limit(left)))
    return found


def contacts_of_missing(conn: Connection, view: AdvisView) -> tuple[Contact, ...]:
    """Whom to call where kvitteringer of an advis have not come or were negative: the vendors, and the kommune."""
    answered = {ResponseCode.OK.value, PendingState.REMOVED.value}
    missing = {item.uuid for item in view.receivers if item.state not in answered}
    if not missing or view.kommune is None:
        return ()
    receiver = tables.receiver
    query = select(receiver.c.id).where(
        receiver.c.kommune_code == view.kommune, receiver.c.system_uuid.in_(missing)
    )
    people = vendors(conn, list(conn.execute(query).scalars()))
    return (*people.values(), *contact_points(conn, [view.kommune]).values())


def status(conn: Connection, now: datetime, settings: Settings) -> Status:
    """Counts, ages and alarms. Each is read from an index, so that it is quick with years of adviser."""
    advis, publication, expected = tables.advis, tables.publication, tables.expected_kvittering
    out, event = tables.envelope_out, tables.event
    progress = conn.execute(
        select(advis.c.refused, advis.c.verdict, func.count(), func.count(advis.c.published_at)).group_by(
            advis.c.refused, advis.c.verdict
        )
    ).all()
    answered = {code.value: 0 for code in ResponseCode if code.is_final}
    for refused, verdict, count, _ in progress:
        if verdict is not None and not refused:
            answered[verdict] += count
    waiting, known, case = queues(conn), pulses(conn), tables.alarm_case
    engine = known.get(pulse.ENGINE)
    of_kind = select(case.c.kind, func.count()).where(case.c.closed_at.is_(None)).group_by(case.c.kind)
    cases = {row[0]: row[1] for row in conn.execute(of_kind)}
    is_waiting = publication.c.next_at.is_not(None)
    # Two partial indexes share what is pending: what has a case since it was missed, and what has none.
    is_pending = expected.c.state == _PENDING
    is_missed = and_(is_pending, expected.c.case_id.is_not(None))
    is_not_missed = and_(is_pending, expected.c.case_id.is_(None))
    is_overdue = and_(is_not_missed, expected.c.due_at < now)
    missed = _count(conn, expected, is_missed)
    alarms = (
        event.c.severity == literal_column("'alarm'"),
        event.c.severity != literal_column("'info'"),  # the condition of the index
        event.c.at >= now - _ALARMS_OF,
    )
    return Status(
        at=now,
        connected_kommuner=_count(conn, tables.connection),
        received=sum(row[2] for row in progress),
        refused=sum(row[2] for row in progress if row.refused),
        published=sum(row[3] for row in progress),
        waiting_publications=_count(conn, publication, is_waiting),
        delayed_publications=_count(
            conn, publication, is_waiting, publication.c.ordered_at <= now - settings.publish.alarm_after
        ),
        pending=missed + _count(conn, expected, is_not_missed),
        overdue=missed + _count(conn, expected, is_overdue),
        answered=answered,
        negative_kvitteringer=_count(
            conn, expected, expected.c.state.in_(literal_column(f"'{code}'") for code in _NEGATIVE)
        ),
        unmatched_kvitteringer=waiting["person:unmatched"].count,
        quarantined=waiting["person:quarantine"].count,
        waiting_envelopes=_count(conn, out, out.c.next_at.is_not(None)),
        receipts_awaited=_count(conn, out, out.c.receipt_due_at.is_not(None)),
        receipts_missing=_count(conn, out, out.c.receipt_due_at.is_not(None), out.c.sending > 1)
        + _count(conn, out, out.c.next_at.is_not(None), out.c.sending > 1),
        receipts_negative=_count(conn, event, *alarms, event.c.kind == EventKind.RECEIPT_NEGATIVE.value),
        oldest_seconds=Oldest(
            publication=_age(conn, now, publication.c.ordered_at, is_waiting),
            envelope=_age(conn, now, out.c.ordered_at, out.c.next_at.is_not(None)),
            overdue=max(
                _age(conn, now, expected.c.due_at, is_missed) or 0,
                _age(conn, now, expected.c.due_at, is_overdue) or 0,
            )
            or None,
            unmatched=_since(now, waiting["person:unmatched"].since),
        ),
        alarm_count=_count(conn, event, *alarms),
        alarms=tuple(_alarm(row) for row in conn.execute(_alarms(*alarms))),
        engine_seen_at=engine.good_at if engine else None,
        engine_since=engine.since if engine else None,
        channels=channels(known),
        stalls=tuple(
            Stall(row.name, watched(row.name).what, row.since, row.detail, watched(row.name).do)
            for row in conn.execute(select(tables.stall).order_by(tables.stall.c.since))
        ),
        certificates=certificate_warnings(conn, now),
        open_cases={kind.value: cases.get(kind.value, 0) for kind in CaseKind},
        untaken_cases=_count(
            conn, case, case.c.closed_at.is_(None), case.c.taken_by.is_(None), case.c.held_by.is_(None)
        ),
        open_incidents=tuple(f"{line.title}: {line.stands}" for line in list_incidents(conn, open_only=True)),
        waiting_mails=waiting["queue:mails"].count,
        refused_mails=waiting["person:mails"].count,
    )


def channels(known: Mapping[str, Pulse]) -> tuple[Channel, ...]:
    """What the engine speaks with, as the pulses tell of it."""
    return tuple(_channel(name, what, of_all(known, name)) for name, what in CHANNELS.items())


def _channel(name: str, what: str, known: Pulse | None) -> Channel:
    if known is None or (known.good_at is None and known.bad_since is None):
        return Channel(name, what, None, None, None, None)
    return Channel(name, what, known.bad_since is None, known.good_at, known.bad_since, known.error)


def _pending(only: Collection[str] | None) -> Select[Any]:
    expected, advis, receiver = tables.expected_kvittering, tables.advis, tables.receiver
    query = (
        select(
            advis.c.kommune_code,
            tables.kommune.c.name.label("kommune_name"),
            receiver.c.name.label("receiver"),
            receiver.c.system_uuid,
            (expected.c.receiver_id == advis.c.primary_receiver_id).label("primary"),
            advis.c.id,
            advis.c.besked_id,
            advis.c.message_id,
            advis.c.received_at,
            expected.c.due_at,
            expected.c.clock_from,
            expected.c.case_id,
        )
        .select_from(expected)
        .join(advis, advis.c.id == expected.c.advis_id)
        .join(receiver, receiver.c.id == expected.c.receiver_id)
        .join(tables.kommune, tables.kommune.c.code == advis.c.kommune_code)
        .where(expected.c.state == _PENDING)
    )
    return query if only is None else query.where(advis.c.kommune_code.in_(only))


def _pending_line(row: Any, now: datetime) -> PendingLine:
    left = None if row.due_at is None else int((row.due_at - now) // timedelta(seconds=1))
    return PendingLine(
        row.kommune_code,
        row.kommune_name,
        row.receiver,
        row.system_uuid,
        row.primary,
        row.id,
        row.besked_id,
        row.message_id,
        row.received_at,
        row.due_at,
        left,
        row.case_id is not None or (left is not None and left < 0),
        row.due_at is not None or row.clock_from is None,
    )


def _count(conn: Connection, table: FromClause, *conditions: ColumnElement[bool]) -> int:
    return conn.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()


def _age(conn: Connection, now: datetime, column: Any, *conditions: ColumnElement[bool]) -> int | None:
    return _since(now, conn.execute(select(func.min(column)).where(*conditions)).scalar())


def _since(now: datetime, oldest: datetime | None) -> int | None:
    return None if oldest is None else int((now - oldest) // timedelta(seconds=1))


def _alarms(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(tables.event).where(*conditions).order_by(tables.event.c.at.desc()).limit(_ALARMS_SHOWN)


def _alarm(row: Any) -> Alarm:
    line: TraceLine = trace_line(
        at=row.at, kind=row.kind, actor=row.actor, severity=row.severity, data=row.data
    )
    return Alarm(line.at, line.local_time, line.kind, line.sentence, row.advis_id, row.kommune_code)
