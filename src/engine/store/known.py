"""What the database knows about the messages of one batch: a few statements for the whole batch, not a few for each."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, or_, select

from engine.domain.acknowledgement import Disposition, PendingState, ResponseCode
from engine.domain.advis import AdvisCode
from engine.domain.ids import Cvr, KommuneCode, SystemUuid, spellings
from engine.domain.intake import QuarantineReason
from engine.domain.roster import Receiver, Roster
from engine.store.tables import (
    advis,
    bundle_seen,
    connection,
    envelope_in,
    envelope_out,
    expected_kvittering,
    kommune,
    kvittering,
    payload,
    publication,
    quarantine,
    receiver,
    unit,
)


@dataclass(slots=True)
class KnownAdvis:
    """One advis as the transaction sees it: changed in memory as the batch is worked through, and in the ledger."""

    id: int
    kommune_code: str | None
    addressee: str
    message_id: str | None
    refused: bool
    primary_receiver_id: int | None
    vans_sender_type: str
    vans_sender_id: str
    vans_receiver_type: str
    payload_id: int | None
    verdict: str | None
    verdict_payload_id: int | None
    verdict_media_type: str | None
    copies: int = 0
    round: int = 1
    answer_id: int | None = None  # the envelope_out row of the verdict
    expected: dict[int, PendingState] = field(default_factory=dict)  # by receiver id
    due: dict[int, datetime] = field(default_factory=dict)  # where a clock runs


_ADVIS_COLUMNS = (
    advis.c.id,
    advis.c.kommune_code,
    advis.c.addressee,
    advis.c.message_id,
    advis.c.refused,
    advis.c.primary_receiver_id,
    advis.c.vans_sender_type,
    advis.c.vans_sender_id,
    advis.c.vans_receiver_type,
    advis.c.payload_id,
    advis.c.verdict,
    advis.c.verdict_payload_id,
    advis.c.verdict_media_type,
    advis.c.copies,
)


def advis_by_message_id(conn: Connection, message_ids: Collection[str]) -> list[KnownAdvis]:
    """Every advis with one of these MessageHeader.ids, of any kommune, with its expected kvitteringer."""
    if not message_ids:
        return []
    rows: Sequence[Any] = conn.execute(
        select(*_ADVIS_COLUMNS).where(advis.c.message_id.in_(message_ids))
    ).all()
    found = {row[0]: KnownAdvis(*row) for row in rows}
    if found:
        expected = select(
            expected_kvittering.c.advis_id,
            expected_kvittering.c.receiver_id,
            expected_kvittering.c.state,
            expected_kvittering.c.due_at,
        ).where(expected_kvittering.c.advis_id.in_(list(found)))
        for advis_id, receiver_id, state, due_at in conn.execute(expected):
            found[advis_id].expected[receiver_id] = PendingState(state)
            if due_at is not None:
                found[advis_id].due[receiver_id] = due_at
    return list(found.values())


def answer_details(conn: Connection, item: KnownAdvis) -> None:
    """Fill in what only a copy needs: the round of publication and the row of the verdict."""
    rounds = select(func.max(publication.c.round)).where(publication.c.advis_id == item.id)
    item.round = conn.execute(rounds).scalar() or item.round
    if item.answer_id is None and item.verdict is not None:
        first = select(envelope_out.c.id).where(
            envelope_out.c.advis_id == item.id,
            envelope_out.c.code == item.verdict,
            envelope_out.c.repeats_id.is_(None),
        )
        item.answer_id = conn.execute(first).scalar()


def code_of_message(conn: Connection, kommune_code: str, message_id: str) -> AdvisCode | None:
    """The code of an earlier advis of the kommune, where it is known."""
    query = select(advis.c.code).where(advis.c.kommune_code == kommune_code, advis.c.message_id == message_id)
    code = conn.execute(query).scalar()
    return None if code is None else AdvisCode(code)


def sealed_payload(conn: Connection, payload_id: int) -> bytes | None:
    return conn.execute(select(payload.c.sealed).where(payload.c.id == payload_id)).scalar()


@dataclass(frozen=True, slots=True)
class Aside:
    """A delivery that was put in quarantine."""

    name: str
    reason: QuarantineReason
    detail: str
    at: datetime


def finished_deliveries(conn: Connection, table: Table, keys: Collection[str]) -> dict[str, Aside | None]:
    """Delivery keys that are committed already, each with its quarantine where it went there.

    `table` is where the channel records its deliveries: envelope_in or kvittering.
    """
    done: dict[str, Aside | None] = dict.fromkeys(
        conn.execute(select(table.c.delivery_key).where(table.c.delivery_key.in_(keys))).scalars()
    )
    aside = select(
        quarantine.c.delivery_key,
        quarantine.c.name,
        quarantine.c.reason,
        quarantine.c.detail,
        quarantine.c.quarantined_at,
    ).where(quarantine.c.delivery_key.in_(keys))
    for key, name, reason, detail, at in conn.execute(aside):
        done[key] = Aside(name, QuarantineReason(reason), detail, at)
    return done


def quarantine_names(conn: Connection, channel: str, names: Collection[str]) -> set[str]:
    query = select(quarantine.c.name).where(quarantine.c.channel == channel, quarantine.c.name.in_(names))
    return set(conn.execute(query).scalars())


def envelopes_by_sender(conn: Connection, envelope_ids: Collection[str]) -> dict[tuple[str, str], str]:
    """(sender, envelope id) → the VANS message identifier that it first carried."""
    query = (
        select(envelope_in.c.sender_id, envelope_in.c.envelope_id, envelope_in.c.message_id)
        .where(envelope_in.c.envelope_id.in_(envelope_ids))
        .order_by(envelope_in.c.id.desc())
    )
    return {(sender, envelope_id): message_id for sender, envelope_id, message_id in conn.execute(query)}


def bundles_seen(conn: Connection, bundle_ids: Collection[str]) -> dict[str, str]:
    """Bundle.id → the MessageHeader.id that it belongs to."""
    if not bundle_ids:
        return {}
    query = select(bundle_seen.c.bundle_id, bundle_seen.c.message_id).where(
        bundle_seen.c.bundle_id.in_(bundle_ids)
    )
    return {row.bundle_id: row.message_id for row in conn.execute(query)}


def rosters_by_address(conn: Connection, glns: Collection[str], cvrs: Collection[str]) -> dict[str, Roster]:
    """Address (GLN or CVR) → the connected kommune's roster at this moment.

    The connection rows are locked until the transaction ends, so that a receipt falls clearly before or after a
    switchover (on SQLite the one write lock does the same).
    """
    query = (
        select(
            unit.c.gln,
            unit.c.sor,
            kommune.c.code,
            kommune.c.name,
            kommune.c.cvr,
            connection.c.primary_receiver_id,
        )
        .join(connection, connection.c.kommune_code == unit.c.kommune_code)
        .join(kommune, kommune.c.code == unit.c.kommune_code)
        .where(or_(unit.c.gln.in_(glns), kommune.c.cvr.in_(cvrs)))
        .order_by(unit.c.gln)
        .with_for_update(of=connection, read=True)
    )
    rows = conn.execute(query).all()
    receivers = receivers_of(conn, {row.code for row in rows})
    rosters: dict[str, Roster] = {}
    for gln, sor, code, name, cvr, primary_id in rows:
        roster = Roster(KommuneCode(code), name, Cvr(cvr), sor, primary_id, receivers.get(code, ()))
        rosters[gln] = roster
        rosters.setdefault(cvr, roster)
    return rosters


def receivers_of(conn: Connection, codes: Collection[str]) -> dict[str, tuple[Receiver, ...]]:
    """Kommune code → its receivers in service, in the order they were added."""
    if not codes:
        return {}
    query = (
        select(receiver.c.kommune_code, receiver.c.id, receiver.c.system_uuid, receiver.c.name)
        .where(receiver.c.kommune_code.in_(codes), receiver.c.removed_at.is_(None))
        .order_by(receiver.c.id)
    )
    found: dict[str, tuple[Receiver, ...]] = {}
    for code, receiver_id, system_uuid, name in conn.execute(query):
        found[code] = (*found.get(code, ()), Receiver(receiver_id, SystemUuid(system_uuid), name))
    return found


def kommuner_by_cvr(conn: Connection, cvrs: Iterable[str]) -> dict[str, str]:
    query = select(kommune.c.cvr, kommune.c.code).where(kommune.c.cvr.in_(list(cvrs)))
    return {row.cvr: row.code for row in conn.execute(query)}


def receivers_by_uuid(conn: Connection, uuids: Iterable[str]) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """(kommune code, system UUID) → [(receiver id, name)]: those removed earlier first, the one in service last."""
    query = (
        select(receiver.c.kommune_code, receiver.c.system_uuid, receiver.c.id, receiver.c.name)
        .where(receiver.c.system_uuid.in_(list(uuids)))
        .order_by(receiver.c.removed_at.is_(None), receiver.c.id)
    )
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for code, system_uuid, receiver_id, name in conn.execute(query):
        found.setdefault((code, system_uuid), []).append((receiver_id, name))
    return found


@dataclass(frozen=True, slots=True)
class UnmatchedKvittering:
    """A kvittering that came before its advis, or to none."""

    id: int
    kommune_code: str | None
    system_uuid: SystemUuid
    code: ResponseCode
    media_type: str
    payload_id: int


def unmatched_kvitteringer(
    conn: Connection, message_ids: Collection[str]
) -> dict[str, list[UnmatchedKvittering]]:
    """MessageHeader.id → the unmatched kvitteringer for it, in the order they came.

    Receivers differ in how they write a UUID: the identifier is sought as it is, and in the other case.
    """
    if not message_ids:
        return {}
    query = (
        select(
            kvittering.c.response_identifier,
            kvittering.c.id,
            kvittering.c.kommune_code,
            kvittering.c.system_uuid,
            kvittering.c.code,
            kvittering.c.media_type,
            kvittering.c.payload_id,
        )
        .where(
            kvittering.c.disposition == Disposition.UNMATCHED.value,
            kvittering.c.response_identifier.in_({form for own in message_ids for form in spellings(own)}),
            kvittering.c.system_uuid.is_not(None),
        )
        .order_by(kvittering.c.id)
    )
    owners = {form: own for own in message_ids for form in spellings(own)}
    found: dict[str, list[UnmatchedKvittering]] = {}
    for identifier, row_id, kommune_code, system_uuid, code, media_type, payload_id in conn.execute(query):
        item = UnmatchedKvittering(
            row_id, kommune_code, SystemUuid(system_uuid), ResponseCode(code), media_type, payload_id
        )
        found.setdefault(owners[identifier], []).append(item)
    return found
