"""What receive and collect share: take a batch, read it, commit it, confirm it, and put aside what cannot be taken."""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Table

from engine.clock import Clock
from engine.domain.events import EventKind, Level
from engine.domain.intake import QuarantineReason
from engine.flow.handed_in import HandedIn, note_taken, waiting
from engine.flow.reading import Trouble
from engine.flow.timekeeping import open_ledger
from engine.flow.trouble import is_of_what_is_written, told
from engine.ports import Delivery, Finished, Inbox
from engine.settings import Settings
from engine.store import known, tables
from engine.store.database import Database
from engine.store.ledger import Ledger
from engine.store.payloads import PayloadBox

log = structlog.get_logger(__name__)

# A name that a person can recognise, and that holds nothing which could be a CPR number.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.xml")
_LIKE_CPR = re.compile(r"(?<!\d)\d{6}-?\d{4}(?!\d)")

_ALARMING = {QuarantineReason.IDENTITY_CONFLICT, QuarantineReason.INTERNAL_ERROR}


class Read(Protocol):
    """What a station has read from a delivery."""

    @property
    def delivery(self) -> Delivery: ...


R = TypeVar("R", bound=Read)


class Taking(ABC, Generic[R]):
    """A station that takes deliveries. Reading happens before the transaction, confirming after it."""

    name: ClassVar[str]
    channel: ClassVar[str]  # the quarantine that its troubles go to
    per_advis: ClassVar[int] = 1  # deliveries that one advis brings: a batch is counted in adviser
    recorded_in: ClassVar[Table]  # where its deliveries are known by their key

    def __init__(self, inbox: Inbox, db: Database, box: PayloadBox, clock: Clock, settings: Settings) -> None:
        self._inbox = inbox
        self._db = db
        self._box = box
        self._clock = clock
        self._settings = settings

    @abstractmethod
    def read(self, delivery: Delivery) -> R:
        """Parse one delivery; never raises."""

    @abstractmethod
    def record(self, ledger: Ledger, items: Sequence[R], aside: "PutAside") -> list[Finished]:
        """Decide each item and put what follows in the ledger."""

    async def step(self) -> int:
        """Handle up to one batch; how many deliveries were handled."""
        again = await self._db.read(lambda conn: waiting(conn, self._box, self.channel))
        deliveries = await self._inbox.take(self.per_advis * self._settings.engine.batch)
        if not deliveries and not again:
            return 0
        try:
            finished = await asyncio.to_thread(self._handle, [*again, *deliveries])
            await self._inbox.finish([each for each in finished if not isinstance(each.delivery, HandedIn)])
        except BaseException:
            # What is committed already is known by its key, and will only be confirmed then.
            await self._inbox.give_back(deliveries)
            raise
        return len(again) + len(deliveries)

    def _handle(self, deliveries: Sequence[Delivery]) -> list[Finished]:
        items = [self.read(delivery) for delivery in deliveries]
        try:
            return self._commit(items)
        except Exception as error:
            if not is_of_what_is_written(error):
                raise  # a full disk or a lost database is nobody's message: all of them wait
            log.error("batch-failed", station=self.name, **told(error))
            return [finished for item in items for finished in self._handle_alone(item)]

    def _handle_alone(self, item: R) -> list[Finished]:
        """One message that cannot be recorded must not stop those beside it: it is put aside."""
        try:
            return self._commit([item])
        except Exception as error:
            if not is_of_what_is_written(error):
                raise
            log.error("delivery-failed", station=self.name, **told(error))
            trouble = Trouble(QuarantineReason.INTERNAL_ERROR, f"Uventet fejl: {type(error).__name__}")
            return self._commit([item], trouble)

    def _commit(self, items: Sequence[R], trouble: Trouble | None = None) -> list[Finished]:
        with self._db.writing() as tx:
            ledger = open_ledger(tx, self._clock)
            done = known.finished_deliveries(tx.conn, self.recorded_in, [item.delivery.key for item in items])
            fresh = [item for item in items if item.delivery.key not in done]
            aside = PutAside(ledger, self.channel, self._box)
            finished = [
                _again(item.delivery, done[item.delivery.key]) for item in items if item.delivery.key in done
            ]
            if trouble is None:
                finished += self.record(ledger, fresh, aside)
            else:
                finished += [aside(item.delivery, trouble) for item in fresh]
            note_taken(ledger, (item.delivery for item in items))
            ledger.write()
        return finished


class PutAside:
    """Puts a delivery in quarantine: its row, its payload, its event."""

    def __init__(self, ledger: Ledger, channel: str, box: PayloadBox) -> None:
        self._ledger = ledger
        self._channel = channel
        self._box = box
        self._used: set[str] = set()

    def __call__(
        self,
        delivery: Delivery,
        trouble: Trouble,
        *,
        envelope_in_id: int | None = None,
        advis_id: int | None = None,
        kommune_code: str | None = None,
    ) -> Finished:
        ledger = self._ledger
        sealed = None if delivery.data is None else ledger.payload(self._box.seal(delivery.data))
        name = self._free_name(delivery)
        ledger.add(
            tables.quarantine,
            delivery_key=delivery.key,
            channel=self._channel,
            name=name,
            quarantined_at=ledger.now,
            reason=trouble.reason.value,
            detail=trouble.detail,
            envelope_in_id=envelope_in_id,
            advis_id=advis_id,
            payload_id=sealed,
        )
        ledger.event(
            EventKind.QUARANTINED,
            level=Level.ALARM if trouble.reason in _ALARMING else Level.WARNING,
            advis_id=advis_id,
            kommune_code=kommune_code,
            reason=trouble.reason.danish,
            detail=trouble.detail,
            name=name,
        )
        return Finished(delivery, name, _note(trouble.reason, trouble.detail, ledger.now))

    def _free_name(self, delivery: Delivery) -> str:
        """The delivery's own name where it is plain and free; it must not overwrite another one put aside."""
        name = delivery.name
        plain = _PLAIN_NAME.fullmatch(name) and not _LIKE_CPR.search(name)
        if (
            plain
            and name not in self._used
            and not known.quarantine_names(self._ledger.tx.conn, self._channel, [name])
        ):
            self._used.add(name)
            return name
        return f"{name.removesuffix('.xml')}.{delivery.key[:16]}.xml" if plain else f"{delivery.key[:32]}.xml"


def _again(delivery: Delivery, aside: known.Aside | None) -> Finished:
    """A delivery that was committed before a crash: only its confirmation was lost."""
    if aside is None:
        return Finished(delivery)
    return Finished(delivery, aside.name, _note(aside.reason, aside.detail, aside.at))


def _note(reason: QuarantineReason, detail: str, at: datetime) -> dict[str, Any]:
    moment = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"reason": reason.value, "text": reason.danish, "detail": detail, "quarantined_at": moment}
