"""What waits, and for how long: for the engine, and for people. Each is read from an index of what waits alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from engine.store import tables


@dataclass(frozen=True, slots=True)
class Queue:
    """How many wait, and since when the oldest does; None where none does."""

    count: int
    since: datetime | None


def queues(conn: Connection) -> dict[str, Queue]:
    """By name, as domain/stall.py has them."""
    publication, out, mail, step = (
        tables.publication,
        tables.envelope_out,
        tables.mail,
        tables.incident_step,
    )
    quarantine, kvittering, incident, handled = (
        tables.quarantine,
        tables.kvittering,
        tables.incident,
        tables.handled,
    )
    unhandled = select(handled.c.subject).where(
        handled.c.subject == literal_column("'uafklaret:' || kvittering.id")
    )
    unhandled_mail = select(handled.c.subject).where(
        handled.c.subject == literal_column("'mail:' || mail.id")
    )
    asked: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "queue:publications": (publication.c.ordered_at, (publication.c.next_at.is_not(None),)),
        "queue:envelopes": (out.c.ordered_at, (out.c.next_at.is_not(None),)),
        "queue:mails": (mail.c.ordered_at, (mail.c.next_at.is_not(None),)),
        "queue:driftstatus": (step.c.due_at, (step.c.next_at.is_not(None),)),
        "person:quarantine": (quarantine.c.quarantined_at, (quarantine.c.decision.is_(None),)),
        "person:unmatched": (
            kvittering.c.received_at,
            (kvittering.c.disposition == literal_column("'unmatched'"), ~unhandled.exists()),
        ),
        "person:proposals": (
            incident.c.proposed_at,
            (
                tables.incident_is_open,
                incident.c.state == literal_column("'proposed'"),
            ),
        ),
        "person:mails": (mail.c.refused_at, (mail.c.refused_at.is_not(None), ~unhandled_mail.exists())),
    }
    return {
        name: Queue(*conn.execute(select(func.count(), func.min(since)).where(*conditions)).one())
        for name, (since, conditions) in asked.items()
    }
