"""Looking up adviser: lists, one in full, and the trace of one. Nothing personal comes out."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    union,
)

from engine.domain.advis import AdvisCode
from engine.domain.events import Event, EventKind, Level
from engine.errors import NotFoundError
from engine.local_time import clock_text, local_text, planned_text
from engine.store import tables

T = TypeVar("T")

_MOST_IN_A_LIST = 500  # ids in one IN (…): far below what a database takes


class AdvisState(StrEnum):
    """How far an advis has come."""

    REFUSED = "refused"  # answered with a fatal-error of Sundhedsagenten itself
    RECEIVED = "received"  # not published yet
    PUBLISHED = "published"  # some kvittering has not come
    ACKNOWLEDGED = "acknowledged"  # all have answered, but there is no final verdict
    ANSWERED = "answered"  # the hospital's final verdict is given

    @property
    def danish(self) -> str:
        return _DANISH[self]


_DANISH = {
    AdvisState.REFUSED: "afvist",
    AdvisState.RECEIVED: "modtaget",
    AdvisState.PUBLISHED: "fordelt",
    AdvisState.ACKNOWLEDGED: "kvitteret",
    AdvisState.ANSWERED: "besvaret",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisFilter:
    """Which adviser; None means all. Times are of receipt: `since` inclusive, `until` exclusive."""

    ids: Collection[int] | None = None
    kommuner: Collection[str] | None = None  # their codes
    code: AdvisCode | None = None
    state: AdvisState | None = None
    message_id: str | None = None
    besked_id: str | None = None
    bundle_id: str | None = None
    envelope_id: str | None = None  # of an envelope in or out
    cpr_hash: str | None = None  # desk/search.py makes it, with a reason
    hospital: str | None = None  # GLN, SOR or a part of the name
    receiver: str | None = None  # system UUID or name
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100

    @property
    def is_narrow(self) -> bool:
        """Whether it asks for a person or for something by its id: a few adviser at most, and each has an index."""
        narrow = (self.ids, self.message_id, self.besked_id, self.bundle_id, self.envelope_id, self.cpr_hash)
        return any(value is not None for value in narrow)


@dataclass(frozen=True, slots=True)
class HospitalName:
    gln: str | None
    sor: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class ReceiverState:
    """What became of one expected kvittering: a domain.acknowledgement.PendingState."""

    name: str
    uuid: str
    primary: bool
    state: str
    due_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One envelope to the hospital with an answer; a repeat has the content of an earlier one."""

    code: str
    ordered_at: datetime
    sent_at: datetime | None
    envelope_id: str
    repeat: bool
    receipt: str | None  # the VANS receipt that came for it


@dataclass(frozen=True, slots=True)
class KvitteringView:
    received_at: datetime
    receiver: str | None
    system_uuid: str | None
    code: str
    disposition: str  # domain.acknowledgement.Disposition
    reason: str | None


@dataclass(frozen=True, slots=True)
class AdvisView:
    """One advis, as lists and `show` give it."""

    id: int
    kommune: str | None
    kommune_name: str | None
    addressee: str
    message_id: str | None
    bundle_id: str | None
    besked_id: str | None
    code: str | None
    code_text: str | None
    encounter_class: str | None
    encounter_status: str | None
    state: AdvisState
    received_at: datetime
    published_at: datetime | None
    verdict: str | None
    verdict_at: datetime | None
    copies: int
    hospital: HospitalName
    media_type: str
    report_of_admission: bool
    episodes: tuple[str, ...]
    period_start: datetime | None
    period_end: datetime | None
    leave_start: datetime | None
    leave_end: datetime | None
    findings: tuple[dict[str, str], ...]
    receivers: tuple[ReceiverState, ...]
    answers: tuple[Answer, ...]
    kvitteringer: tuple[KvitteringView, ...]


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One event of an advis, with the Danish time and sentence."""

    at: datetime
    local_time: str
    kind: EventKind
    level: Level
    actor: str
    sentence: str


def list_advis(conn: Connection, wanted: AdvisFilter) -> list[AdvisView]:
    """The newest adviser first."""
    query = _adviser().where(*advis_conditions(wanted), kommuner_condition(wanted))
    # The ids follow the times of receipt; the database has an index for the times.
    received_at = _wide(tables.advis.c.received_at, wanted)
    query = query.order_by(received_at.desc(), tables.advis.c.id.desc()).limit(wanted.limit)
    return _views(conn, query)


def advis_ids(conn: Connection, wanted: AdvisFilter) -> list[int]:
    """The ids alone, the oldest first, up to the filter's limit."""
    advis = tables.advis
    query = select(advis.c.id).where(*advis_conditions(wanted), kommuner_condition(wanted))
    query = query.order_by(_wide(advis.c.received_at, wanted), advis.c.id).limit(wanted.limit)
    return list(conn.execute(query).scalars())


def show_advis(conn: Connection, ref: str, *, only: Collection[str] | None = None) -> AdvisView:
    """The one advis with this internal id, MessageHeader.id or BeskedId, in any case of letters; `only` of these
    kommuner: an advis of another one is as unknown as one that never was.
    """
    advis = tables.advis
    ref = ref.strip()
    theirs = _adviser().where(true() if only is None else unindexed(advis.c.kommune_code).in_(only))
    if ref.isascii() and ref.isdigit() and len(ref) <= 18:
        found = _views(conn, theirs.where(advis.c.id == int(ref)))
        if found:
            return found[0]
    lower = ref.lower()
    found = _views(
        conn,
        theirs.where(or_(advis.c.message_id.in_({ref, lower, ref.upper()}), advis.c.besked_id == lower))
        .order_by(advis.c.id)
        .limit(20),
    )
    match found:
        case [one]:
            return one
        case []:
            raise NotFoundError(f"Intet advis har id, MessageHeader.id eller BeskedId {ref}.")
        case _:
            candidates = "\n".join(f"  {item.id}: {item.kommune_name or item.addressee}" for item in found)
            raise NotFoundError(f"Flere adviser har {ref}. Brug nummeret på et af dem:\n{candidates}")


def trace_advis(conn: Connection, ref: str, *, only: Collection[str] | None = None) -> list[TraceLine]:
    """Everything that happened to one advis, in order, with what happened to its kommune meanwhile."""
    event, view = tables.event, show_advis(conn, ref, only=only)
    columns = (
        event.c.id,
        event.c.at,
        event.c.kind,
        event.c.actor,
        event.c.severity,
        event.c.data,
        event.c.case_id,
    )
    own = select(*columns).where(event.c.advis_id == view.id)
    rows = list(conn.execute(own))
    if view.kommune is not None and view.state is not AdvisState.REFUSED:
        # What was changed while the advis was under way touched it: who was asked, and who answers.
        touched = select(*columns).where(
            event.c.kommune_code == view.kommune,
            event.c.advis_id.is_(None),
            event.c.kind.in_(_OF_KOMMUNE),
            event.c.id > min((row.id for row in rows), default=0),
        )
        # And what was done about its missing kvittering: mails, and who took the case.
        joined = [row for row in rows if row.case_id is not None]
        of_case = select(*columns).where(
            event.c.case_id.in_({row.case_id for row in joined}),
            event.c.case_id.is_not(None),  # the condition of the index
            event.c.advis_id.is_(None),
            event.c.id > min((row.id for row in joined), default=0),
        )
        under_way_until = _under_way_until(view)
        for query in (touched, of_case):
            ended = true() if under_way_until is None else event.c.at <= under_way_until
            rows += conn.execute(query.where(ended))
    lines = sorted(rows, key=lambda row: row.id)
    return [trace_line(row.at, row.kind, row.actor, row.severity, row.data) for row in lines]


_OF_KOMMUNE = [
    kind.value
    for kind in (
        EventKind.RECEIVER_ADDED,
        EventKind.RECEIVER_REMOVED,
        EventKind.SWITCHOVER_PLANNED,
        EventKind.SWITCHOVER_CHANGED,
        EventKind.SWITCHOVER_CANCELLED,
        EventKind.SWITCHOVER_CARRIED_OUT,
    )
]


def _under_way_until(view: AdvisView) -> datetime | None:
    """When the last kvittering and the verdict had come; None while something is waited for."""
    settled = [receiver.settled_at for receiver in view.receivers]
    if view.verdict_at is None or None in settled:
        return None
    return max([view.verdict_at, *(at for at in settled if at is not None)])


def trace_line(at: datetime, kind: str, actor: str, severity: str, data: str) -> TraceLine:
    """An event as people read it: instants within it in Danish time."""
    level = Level(severity)
    content = {name: _told(name, value, at) for name, value in json.loads(data).items()}
    event = Event(at, EventKind(kind), actor, level, None, None, content)
    return TraceLine(at, local_text(at), event.kind, level, actor, event.sentence)


def state_column() -> ColumnElement[str]:
    """The state of an advis: the one place where it is decided."""
    advis, expected = tables.advis, tables.expected_kvittering
    is_pending = exists().where(
        expected.c.advis_id == advis.c.id, expected.c.state == literal_column("'pending'")
    )
    return case(
        (advis.c.refused, AdvisState.REFUSED.value),
        (advis.c.verdict.is_not(None), AdvisState.ANSWERED.value),
        (advis.c.published_at.is_(None), AdvisState.RECEIVED.value),
        (is_pending, AdvisState.PUBLISHED.value),
        else_=AdvisState.ACKNOWLEDGED.value,
    )


def _adviser() -> Select[Any]:
    advis, kommune = tables.advis, tables.kommune
    columns = (column for column in advis.c if column.name not in _NOT_SHOWN)
    return select(*columns, kommune.c.name.label("kommune_name"), state_column().label("state")).outerjoin(
        kommune, kommune.c.code == advis.c.kommune_code
    )


# Sealed, or of no use to a reader; the CPR hash finds people and is nobody's to see.
_NOT_SHOWN = {"cpr_hash", "sealed_person", "payload_id", "verdict_payload_id"}


def unindexed(column: ColumnElement[T]) -> ColumnElement[T]:
    """The same value, written so that no database looks it up in an index."""
    return func.coalesce(column, column)


def _wide(column: ColumnElement[T], wanted: AdvisFilter) -> ColumnElement[T]:
    """A column that many adviser share values of. Its index shall not be taken where the filter has a better one:
    SQLite takes a kommune for ten adviser, and would read all of them to find one person's.
    """
    return unindexed(column) if wanted.is_narrow else column


def kommuner_condition(wanted: AdvisFilter) -> ColumnElement[bool]:
    """That an advis is of one of the filter's kommuner."""
    if wanted.kommuner is None:
        return true()
    code = _wide(tables.advis.c.kommune_code, wanted)
    # One alone is asked for as itself: then the index gives the order too.
    return code == next(iter(wanted.kommuner)) if len(wanted.kommuner) == 1 else code.in_(wanted.kommuner)


def advis_conditions(wanted: AdvisFilter) -> Iterator[ColumnElement[bool]]:
    """All that the filter asks but for the kommuner."""
    advis, expected, receiver = tables.advis, tables.expected_kvittering, tables.receiver
    received_at = _wide(advis.c.received_at, wanted)
    if wanted.ids is not None:
        yield advis.c.id.in_(wanted.ids)
    if wanted.code is not None:
        yield advis.c.code == wanted.code.value
    if wanted.state is not None:
        yield state_column() == wanted.state.value
    if wanted.message_id is not None:
        given = wanted.message_id.strip()
        yield advis.c.message_id.in_({given, given.lower(), given.upper()})
    if wanted.besked_id is not None:
        yield advis.c.besked_id == wanted.besked_id.strip().lower()
    if wanted.bundle_id is not None:
        # Copies of an advis have other Bundle.ids: every one that was seen leads to it.
        seen, given = tables.bundle_seen, wanted.bundle_id.strip()
        is_seen = seen.c.bundle_id.in_({given, given.lower(), given.upper()})
        yield advis.c.message_id.in_(select(seen.c.message_id).where(is_seen))
    if wanted.envelope_id is not None:
        given = wanted.envelope_id.strip()
        forms = {given, given.lower(), given.upper()}
        came = select(tables.envelope_in.c.advis_id).where(tables.envelope_in.c.envelope_id.in_(forms))
        went = select(tables.envelope_out.c.advis_id).where(tables.envelope_out.c.envelope_id.in_(forms))
        yield advis.c.id.in_(union(came, went))
    if wanted.cpr_hash is not None:
        yield advis.c.cpr_hash == wanted.cpr_hash
    if wanted.hospital is not None:
        yield or_(
            advis.c.sender_gln == wanted.hospital,
            advis.c.sender_sor == wanted.hospital,
            advis.c.sender_name.icontains(wanted.hospital, autoescape=True),
        )
    if wanted.receiver is not None:
        is_meant = or_(
            receiver.c.system_uuid == wanted.receiver.strip().lower(), receiver.c.name == wanted.receiver
        )
        joined = and_(expected.c.receiver_id == receiver.c.id, expected.c.advis_id == advis.c.id)
        yield exists().where(joined, is_meant)
    if wanted.since is not None:
        yield received_at >= wanted.since
    if wanted.until is not None:
        yield received_at < wanted.until


def _views(conn: Connection, query: Select[Any]) -> list[AdvisView]:
    rows = conn.execute(query).all()
    ids = [row.id for row in rows]
    receivers, answers, kvitteringer = _receivers(conn, rows), _answers(conn, ids), _kvitteringer(conn, ids)
    return [
        AdvisView(
            id=row.id,
            kommune=row.kommune_code,
            kommune_name=row.kommune_name,
            addressee=row.addressee,
            message_id=row.message_id,
            bundle_id=row.bundle_id,
            besked_id=row.besked_id,
            code=row.code,
            code_text=None if row.code is None else AdvisCode(row.code).danish,
            encounter_class=row.encounter_class,
            encounter_status=row.encounter_status,
            state=AdvisState(row.state),
            received_at=row.received_at,
            published_at=row.published_at,
            verdict=row.verdict,
            verdict_at=row.verdict_at,
            copies=row.copies,
            hospital=HospitalName(row.sender_gln, row.sender_sor, row.sender_name),
            media_type=row.media_type,
            report_of_admission=row.report_of_admission,
            episodes=tuple(json.loads(row.episodes)),
            period_start=row.period_start,
            period_end=row.period_end,
            leave_start=row.leave_start,
            leave_end=row.leave_end,
            findings=tuple(json.loads(row.findings)),
            receivers=tuple(receivers.get(row.id, ())),
            answers=tuple(answers.get(row.id, ())),
            kvitteringer=tuple(kvitteringer.get(row.id, ())),
        )
        for row in rows
    ]


def _receivers(conn: Connection, rows: Sequence[Any]) -> dict[int, list[ReceiverState]]:
    expected, receiver = tables.expected_kvittering, tables.receiver
    primaries = {row.id: row.primary_receiver_id for row in rows}
    found: dict[int, list[ReceiverState]] = {}
    for ids in _chunks(list(primaries)):
        query = (
            select(expected, receiver.c.name, receiver.c.system_uuid)
            .join(receiver, receiver.c.id == expected.c.receiver_id)
            .where(expected.c.advis_id.in_(ids))
            .order_by(expected.c.advis_id, expected.c.receiver_id)
        )
        for row in conn.execute(query):
            is_primary = row.receiver_id == primaries[row.advis_id]
            item = ReceiverState(row.name, row.system_uuid, is_primary, row.state, row.due_at, row.settled_at)
            found.setdefault(row.advis_id, []).append(item)
    return found


def _answers(conn: Connection, advis_ids: Sequence[int]) -> dict[int, list[Answer]]:
    out = tables.envelope_out
    found: dict[int, list[Answer]] = {}
    for ids in _chunks(advis_ids):
        query = (
            select(
                out.c.advis_id,
                out.c.code,
                out.c.ordered_at,
                out.c.sent_at,
                out.c.envelope_id,
                out.c.repeats_id.is_not(None),
                out.c.receipt_kind,
            )
            .where(out.c.advis_id.in_(ids), out.c.kind == "answer")
            .order_by(out.c.id)
        )
        for advis_id, *values in conn.execute(query):
            found.setdefault(advis_id, []).append(Answer(*values))
    return found


def _kvitteringer(conn: Connection, advis_ids: Sequence[int]) -> dict[int, list[KvitteringView]]:
    kvittering, receiver = tables.kvittering, tables.receiver
    found: dict[int, list[KvitteringView]] = {}
    for ids in _chunks(advis_ids):
        query = (
            select(
                kvittering.c.advis_id,
                kvittering.c.received_at,
                receiver.c.name,
                kvittering.c.system_uuid,
                kvittering.c.code,
                kvittering.c.disposition,
                kvittering.c.reason,
            )
            .outerjoin(receiver, receiver.c.id == kvittering.c.receiver_id)
            .where(kvittering.c.advis_id.in_(ids))
            .order_by(kvittering.c.id)
        )
        for advis_id, *values in conn.execute(query):
            found.setdefault(advis_id, []).append(KvitteringView(*values))
    return found


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _MOST_IN_A_LIST] for start in range(0, len(ids), _MOST_IN_A_LIST))


def _told(name: str, value: object, at: datetime) -> object:
    if not isinstance(value, str) or name not in _INSTANTS:
        return value
    moment = datetime.fromisoformat(value)
    return clock_text(moment, at) if name in {"due", "next"} else planned_text(moment)


_INSTANTS = {"due", "next", "at", "before"}
"""Names in an event's data that hold instants."""
