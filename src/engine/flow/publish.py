"""Adviser go out to the Beskedfordeler: under one BeskedId each, for as long as it takes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid5

from sqlalchemy import Connection, bindparam, select, update

from engine.clock import Clock
from engine.domain import pulse
from engine.domain.acknowledgement import PendingState
from engine.domain.events import EventKind, Level
from engine.domain.ids import BeskedId, Cvr, SystemUuid
from engine.flow.claims import Claims
from engine.flow.sending import Sending
from engine.ports import Beskedfordeler, OutgoingBesked, SendResult
from engine.settings import Settings
from engine.store import known, tables
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger
from engine.store.payloads import PayloadBox
from engine.wire.beskedkuvert import Sygehusophold, write_sygehusophold


@dataclass(frozen=True, slots=True)
class Order:
    """A publication that is due: the row, and the systems whose dueslag it is for."""

    row: Any
    systems: tuple[str, ...]

    @property
    def id(self) -> int:
        publication_id: int = self.row.id
        return publication_id


class Publish(Sending[OutgoingBesked]):
    """Sends what receive has ordered, and starts the 45-minute clock at StatusKode 20."""

    name: ClassVar[str] = "publish"
    outbox = tables.publication
    claims: ClassVar[Claims] = Claims(tables.publication)
    channel: ClassVar[str] = pulse.BESKEDFORDELER

    def __init__(
        self,
        beskedfordeler: Beskedfordeler,
        db: Database,
        box: PayloadBox,
        clock: Clock,
        settings: Settings,
        owner: str,
        holder: str = "",
    ) -> None:
        super().__init__(db, box, clock, settings, owner, holder)
        self._beskedfordeler = beskedfordeler

    @property
    def limit(self) -> int:
        return self._settings.publish.batch

    @property
    def longest_pause(self) -> timedelta:
        return self._settings.publish.longest_pause

    def orders(self, tx: Tx, ids: Sequence[int]) -> Sequence[Order]:
        rows = tx.conn.execute(_rows(ids)).all()
        receivers = known.receivers_of(tx.conn, {row.kommune_code for row in rows})
        systems = {code: tuple(each.system_uuid for each in those) for code, those in receivers.items()}
        return [Order(row, systems.get(row.kommune_code, ())) for row in rows]

    def make(self, order: Order) -> OutgoingBesked:
        row, settings = order.row, self._settings
        cpr = None
        if settings.kuvert.include_cpr and row.sealed_person is not None:
            cpr = json.loads(self._box.open(row.sealed_person))["cpr"]
        # The same over all retries of one publication; a further round is another transaction of the same besked.
        transaction_id = str(uuid5(UUID(row.besked_id), f"round {row.round}"))
        besked = Sygehusophold(
            besked_id=BeskedId(row.besked_id),
            transaction_id=transaction_id,
            beskedtype=settings.beskedtype_sygehusophold,
            agent_system_uuid=SystemUuid(settings.agent_system_uuid),
            kommune_cvr=Cvr(row.cvr),
            message_id=row.message_id,
            cpr=cpr,
            registered_at=row.created_at,
            made_at=row.ordered_at,
            valid_from=row.period_start,
            payload=self._box.open(row.sealed),
            media_type=row.media_type,
            encoding=row.encoding,
        )
        return OutgoingBesked(
            row.besked_id, transaction_id, row.cvr, order.systems, write_sygehusophold(besked)
        )

    async def send(self, messages: Sequence[OutgoingBesked]) -> Sequence[SendResult]:
        return await self._beskedfordeler.publish(messages)

    def sent(self, ledger: Ledger, orders: Sequence[tuple[Order, SendResult]]) -> None:
        now = ledger.now
        due = now + self._settings.kvittering.deadline
        for row in (order.row for order, _ in orders):
            self.done(ledger, row, accepted_at=now)
            if row.published_at is None:
                ledger.change(tables.advis, {"id": row.advis_id}, published_at=now)
            about = {"advis_id": row.advis_id, "kommune_code": row.kommune_code}
            told = {"besked_id": row.besked_id, "round": row.round}
            if row.delayed_at is None:  # a resend: the clocks go on as they were
                ledger.event(EventKind.ADVIS_PUBLISHED_AGAIN, **about, **told)
            else:
                ledger.event(EventKind.ADVIS_PUBLISHED, **about, **told, due=due.isoformat())
        _start_clocks(ledger.tx.conn, [order.row.advis_id for order, _ in orders], now, due)

    def failed(self, ledger: Ledger, order: Order, result: SendResult) -> None:
        row, error = order.row, result.error or ""
        waited = ledger.now - row.ordered_at
        late = row.late_alarmed_at is None and waited >= self._settings.publish.late_after
        alarmed_at = ledger.now if late else row.late_alarmed_at
        attempts, next_at = self.postponed(ledger, row, error, late_alarmed_at=alarmed_at)
        ledger.event(
            EventKind.PUBLICATION_FAILED,
            level=Level.WARNING,
            advis_id=row.advis_id,
            kommune_code=row.kommune_code,
            attempts=attempts,
            error=error,
            next=next_at.isoformat(),
        )
        if late:
            ledger.event(
                EventKind.PUBLICATION_DELAYED,
                level=Level.ALARM,
                advis_id=row.advis_id,
                kommune_code=row.kommune_code,
                hours=round(waited / timedelta(hours=1)),
            )


def _rows(ids: Sequence[int]) -> Any:
    publication, advis, kommune, payload = tables.publication, tables.advis, tables.kommune, tables.payload
    return (
        select(
            publication.c.id,
            publication.c.advis_id,
            publication.c.round,
            publication.c.ordered_at,
            publication.c.attempts,
            publication.c.late_alarmed_at,
            publication.c.delayed_at,
            advis.c.besked_id,
            advis.c.message_id,
            advis.c.kommune_code,
            advis.c.created_at,
            advis.c.period_start,
            advis.c.published_at,
            advis.c.media_type,
            advis.c.encoding,
            advis.c.sealed_person,
            payload.c.sealed,
            kommune.c.cvr,
        )
        .join(advis, advis.c.id == publication.c.advis_id)
        .join(kommune, kommune.c.code == advis.c.kommune_code)
        .join(payload, payload.c.id == advis.c.payload_id)
        .where(publication.c.id.in_(ids))
        .order_by(publication.c.id)
    )


def _start_clocks(conn: Connection, advis_ids: Sequence[int], now: datetime, due: datetime) -> None:
    """A clock that runs is not started again; a kvittering that was quicker than this needs none; and a receiver that
    is not monitored yet has no deadline.
    """
    if not advis_ids:
        return
    expected, receiver = tables.expected_kvittering, tables.receiver
    later = select(receiver.c.id).where(receiver.c.monitored_from > now)
    unmonitored = conn.execute(later).scalars().all()
    is_to_start = (
        expected.c.advis_id == bindparam("advis"),
        expected.c.state == PendingState.PENDING.value,
        expected.c.clock_from.is_(None),
    )
    parameters = [{"advis": advis_id} for advis_id in advis_ids]
    if unmonitored:
        without = update(expected).where(*is_to_start, expected.c.receiver_id.in_(unmonitored))
        conn.execute(without.values(clock_from=now), parameters)
    conn.execute(update(expected).where(*is_to_start).values(clock_from=now, due_at=due), parameters)
