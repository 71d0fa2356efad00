"""What a person took out of quarantine waits in the database: whichever engine takes it has it as a delivery.

So it comes in again also where the channel is no folder, or the person's home has no engine.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, select

from engine.errors import PayloadError
from engine.flow.trouble import told
from engine.ports import Delivery
from engine.store import tables
from engine.store.ledger import Ledger
from engine.store.payloads import PayloadBox

log = structlog.get_logger(__name__)

_MOST = 20  # each may be as large as the limit allows, and all are in memory at once


@dataclass(frozen=True, slots=True)
class HandedIn(Delivery):
    """A delivery that lies in no inbox. Its key is the same after a crash, for one row is handed in once."""

    quarantine_id: int


def waiting(conn: Connection, box: PayloadBox, channel: str) -> Sequence[Delivery]:
    """What was handed in again to a channel, the first first."""
    quarantine, payload = tables.quarantine, tables.payload
    query = (
        select(quarantine.c.id, payload.c.sealed)
        .join(payload, payload.c.id == quarantine.c.payload_id)
        .where(quarantine.c.handed_in, quarantine.c.channel == channel)
        .order_by(quarantine.c.id)
        .limit(_MOST)
    )
    found = []
    for number, sealed in conn.execute(query):
        name = f"karantaene-{number}"
        try:
            found.append(HandedIn(name, f"{name}.xml", box.open(sealed), number))
        except PayloadError as error:
            log.error("handed-in-unreadable", delivery=name, **told(error))
    return found


def note_taken(ledger: Ledger, deliveries: Iterable[Delivery]) -> None:
    """They wait no more, whatever became of them."""
    for delivery in deliveries:
        if isinstance(delivery, HandedIn):
            ledger.change(tables.quarantine, {"id": delivery.quarantine_id}, handed_in=False)
