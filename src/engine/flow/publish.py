"""Adviser go out to the Beskedfordeler: under one BeskedId each, for as long as it takes."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid5

from sqlalchemy import Connection, bindparam, select, update

from engine.clock import Clock
from engine.domain.acknowledgement import PendingState
from engine.domain.events import EventKind, Level
from engine.domain.ids import BeskedId, Cvr, SystemUuid
from engine.domain.roster import Receiver
from engine.flow.claims import claim
from engine.flow.pauses import pause
from engine.flow.sending import send_all
from engine.ports import Beskedfordeler, OutgoingBesked, SendResult
from engine.settings import Settings
from engine.store import known, tables
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger
from engine.store.payloads import PayloadBox
from engine.wire.beskedkuvert import Sygehusophold, write_sygehusophold

_FIRST_PAUSE = timedelta(seconds=5)


class Publish:
    """Sends what receive has ordered, and starts the 45-minute clock at StatusKode 20."""

    name: ClassVar[str] = "publish"

    def __init__(
        self,
        beskedfordeler: Beskedfordeler,
        db: Database,
        box: PayloadBox,
        clock: Clock,
        settings: Settings,
        owner: str,
    ) -> None:
        self._beskedfordeler = beskedfordeler
        self._db = db
        self._box = box
        self._clock = clock
        self._settings = settings
        self._owner = owner

    async def step(self) -> int:
        """Send up to one batch; how many were tried."""
        rows, receivers = await self._db.write(self._claim)
        if not rows:
            return 0
        results = await send_all(rows, lambda row: self._besked(row, receivers), self._beskedfordeler.publish)
        await self._db.write(lambda tx: self._record(tx, rows, results))
        return len(rows)

    def _claim(self, tx: Tx) -> tuple[Sequence[Any], Mapping[str, tuple[Receiver, ...]]]:
        """What is to be published now, and each kommune's receivers."""
        now = self._clock.now()
        ids = claim(tx, tables.publication, owner=self._owner, now=now, limit=self._settings.publish.batch)
        if not ids:
            return [], {}
        rows = tx.conn.execute(_orders(ids)).all()
        return rows, known.receivers_of(tx.conn, {row.kommune_code for row in rows})

    def _besked(self, row: Any, receivers: Mapping[str, tuple[Receiver, ...]]) -> OutgoingBesked:
        settings = self._settings
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
        systems = tuple(receiver.system_uuid for receiver in receivers.get(row.kommune_code, ()))
        return OutgoingBesked(row.besked_id, transaction_id, row.cvr, systems, write_sygehusophold(besked))

    def _record(self, tx: Tx, rows: Sequence[Any], results: Sequence[SendResult]) -> None:
        ledger = Ledger(tx, self._clock.now())
        accepted = []
        for row, result in zip(rows, results, strict=True):
            if result.error is None:
                accepted.append(row)
            else:
                self._failed(ledger, row, result.error)
        self._accepted(ledger, accepted)
        ledger.write()

    def _accepted(self, ledger: Ledger, rows: Sequence[Any]) -> None:
        now = ledger.now
        due = now + self._settings.kvittering.deadline
        for row in rows:
            ledger.change(
                tables.publication,
                {"id": row.id},
                accepted_at=now,
                attempts=row.attempts + 1,
                next_at=None,
                claimed_by=None,
                claimed_until=None,
                last_error=None,
            )
            if row.published_at is None:
                ledger.change(tables.advis, {"id": row.advis_id}, published_at=now)
            ledger.event(
                EventKind.ADVIS_PUBLISHED,
                advis_id=row.advis_id,
                kommune_code=row.kommune_code,
                besked_id=row.besked_id,
                round=row.round,
                due=due.isoformat(),
            )
        _start_clocks(ledger.tx.conn, [row.advis_id for row in rows], now, due)

    def _failed(self, ledger: Ledger, row: Any, error: str) -> None:
        now, settings = ledger.now, self._settings.publish
        attempts = row.attempts + 1
        next_at = now + pause(attempts, _FIRST_PAUSE, settings.longest_pause)
        ledger.event(
            EventKind.PUBLICATION_FAILED,
            level=Level.WARNING,
            advis_id=row.advis_id,
            kommune_code=row.kommune_code,
            attempts=attempts,
            error=error,
            next=next_at.isoformat(),
        )
        late = row.late_alarmed_at is None and now - row.ordered_at >= settings.late_after
        if late:
            hours = round((now - row.ordered_at) / timedelta(hours=1))
            ledger.event(
                EventKind.PUBLICATION_DELAYED,
                level=Level.ALARM,
                advis_id=row.advis_id,
                kommune_code=row.kommune_code,
                hours=hours,
            )
        ledger.change(
            tables.publication,
            {"id": row.id},
            attempts=attempts,
            next_at=next_at,
            claimed_by=None,
            claimed_until=None,
            last_error=error,
            late_alarmed_at=now if late else row.late_alarmed_at,
        )


def _orders(ids: Sequence[int]) -> Any:
    publication, advis, kommune, payload = tables.publication, tables.advis, tables.kommune, tables.payload
    return (
        select(
            publication.c.id,
            publication.c.advis_id,
            publication.c.round,
            publication.c.ordered_at,
            publication.c.attempts,
            publication.c.late_alarmed_at,
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
    """A clock that runs is not started again; a kvittering that was quicker than this needs none."""
    if not advis_ids:
        return
    expected = tables.expected_kvittering
    statement = (
        update(expected)
        .where(
            expected.c.advis_id == bindparam("advis"),
            expected.c.state == PendingState.PENDING.value,
            expected.c.clock_from.is_(None),
        )
        .values(clock_from=now, due_at=due)
    )
    conn.execute(statement, [{"advis": advis_id} for advis_id in advis_ids])
