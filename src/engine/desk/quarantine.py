"""What could not be taken in: looked at, handed in again, or discarded. Its content is personal and never shown."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from engine.desk.act import Act
from engine.domain.audit import Action
from engine.domain.events import EventKind
from engine.domain.intake import QuarantineDecision, QuarantineReason
from engine.domain.registration import checked_remark
from engine.errors import NotFoundError, RuleError
from engine.home import Home
from engine.local_time import local_text
from engine.settings import Settings
from engine.store import tables
from engine.store.payloads import PayloadBox

VANS = "vans"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One delivery that was put aside. `is_kept`: its content is sealed in the database too."""

    id: int
    channel: str  # vans | beskedfordeler
    name: str
    quarantined_at: datetime
    reason: QuarantineReason
    detail: str
    sender: str | None  # the VANS address it came from, where that could be read
    advis_id: int | None
    is_kept: bool
    decision: QuarantineDecision | None
    decided_at: datetime | None
    decided_by: str | None
    decision_reason: str | None


def list_quarantine(conn: Connection, *, every: bool = False, limit: int = 1_000) -> list[Quarantined]:
    """What waits for a decision, the oldest first; or every one, the latest first."""
    table, query = tables.quarantine, _rows()
    if every:
        query = query.order_by(table.c.id.desc())
    else:
        query = query.where(table.c.decision.is_(None)).order_by(table.c.quarantined_at, table.c.id)
    return [_view(row) for row in conn.execute(query.limit(limit))]


def show_quarantined(conn: Connection, quarantine_id: int) -> Quarantined:
    row = conn.execute(_rows().where(tables.quarantine.c.id == quarantine_id)).one_or_none()
    if row is None:
        raise NotFoundError(
            f"Der er intet nummer {quarantine_id} i karantænen. Den vises af: sundhedsagent quarantine list"
        )
    return _view(row)


def file_of(home: Home, item: Quarantined) -> Path:
    """Where it was put; it may have been taken away since."""
    folder = home.vans_quarantine if item.channel == VANS else home.beskedfordeler_quarantine
    return folder / item.name


def retry_quarantined(
    act: Act, home: Home, settings: Settings, box: PayloadBox, quarantine_id: int, reason: str = ""
) -> None:
    """Hand it in again, as a new delivery: whichever engine next looks at the database takes it.

    RuleError where it was decided already, where its content cannot be read, or is still too large.
    """
    item = _undecided(act, quarantine_id)
    why = checked_remark(reason, "begrundelsen") if reason.strip() else ""
    if item.is_kept:
        _try_to_open(act.conn, box, item)
    else:
        _keep(act, box, item, _read(file_of(home, item), *_limit(settings, item)))
    _decide(act, item, QuarantineDecision.RETRIED, why)
    act.conn.execute(
        update(tables.quarantine).where(tables.quarantine.c.id == item.id).values(handed_in=True)
    )
    _record(
        act, item, EventKind.QUARANTINE_RETRIED, Action.QUARANTINE_RETRIED, f": {why}" if why else "", why
    )


def discard_quarantined(act: Act, quarantine_id: int, reason: str) -> Quarantined:
    """It is not to be handed in again, and why."""
    item = _undecided(act, quarantine_id)
    why = checked_remark(reason, "begrundelsen")
    _decide(act, item, QuarantineDecision.DISCARDED, why)
    _record(act, item, EventKind.QUARANTINE_DISCARDED, Action.QUARANTINE_DISCARDED, why, why)
    return show_quarantined(act.conn, quarantine_id)


def clear_file(home: Home, item: Quarantined) -> None:
    """Take the file out of the folder, once the decision is committed. What is kept nowhere else stays."""
    if item.is_kept:
        path = file_of(home, item)
        for each in (path, path.with_name(f"{path.name}.reason.json")):
            with contextlib.suppress(OSError):
                each.unlink(missing_ok=True)


def _try_to_open(conn: Connection, box: PayloadBox, item: Quarantined) -> None:
    """PayloadError for who decides, rather than for the engine afterwards."""
    quarantine, payload = tables.quarantine, tables.payload
    query = select(payload.c.sealed).join(quarantine, quarantine.c.payload_id == payload.c.id)
    box.open(conn.execute(query.where(quarantine.c.id == item.id)).scalar_one())


def _limit(settings: Settings, item: Quarantined) -> tuple[str, int]:
    if item.channel == VANS:
        return "vans.max_envelope_bytes", settings.vans.max_envelope_bytes
    return "kvittering.max_besked_bytes", settings.kvittering.max_besked_bytes


def _read(path: Path, setting: str, most: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > most:
            raise RuleError(f"Filen fylder {size} byte, og {setting} er {most}. Hæv grænsen først.")
        return path.read_bytes()
    except OSError as error:
        raise RuleError(f"Indholdet er der ikke længere: {path} kan ikke læses.") from error


def _keep(act: Act, box: PayloadBox, item: Quarantined, data: bytes) -> None:
    payload_id = act.tx.next_id("payload")
    act.conn.execute(insert(tables.payload).values(id=payload_id, sealed=box.seal(data)))
    table = tables.quarantine
    act.conn.execute(update(table).where(table.c.id == item.id).values(payload_id=payload_id))


def _undecided(act: Act, quarantine_id: int) -> Quarantined:
    item = show_quarantined(act.conn, quarantine_id)
    if item.decision is not None:
        assert item.decided_at is not None
        raise RuleError(
            f"Nummer {quarantine_id} er allerede {item.decision.danish} "
            f"af {item.decided_by} {local_text(item.decided_at)}."
        )
    return item


def _decide(act: Act, item: Quarantined, decision: QuarantineDecision, reason: str) -> None:
    table = tables.quarantine
    act.conn.execute(
        update(table)
        .where(table.c.id == item.id)
        .values(decision=decision.value, decided_at=act.now, decided_by=act.actor, decision_reason=reason)
    )


def _record(act: Act, item: Quarantined, kind: EventKind, action: Action, told: str, reason: str) -> None:
    act.event(kind, advis_id=item.advis_id, name=item.name, reason=told)
    act.audit(action, f"quarantine:{item.id}", after={"name": item.name}, reason=reason or None)


def _rows() -> Select[Any]:
    table, envelope = tables.quarantine, tables.envelope_in
    return select(
        table.c.id,
        table.c.channel,
        table.c.name,
        table.c.quarantined_at,
        table.c.reason,
        table.c.detail,
        envelope.c.sender_type,
        envelope.c.sender_id,
        table.c.advis_id,
        table.c.payload_id,
        table.c.decision,
        table.c.decided_at,
        table.c.decided_by,
        table.c.decision_reason,
    ).outerjoin(envelope, envelope.c.id == table.c.envelope_in_id)


def _view(row: Any) -> Quarantined:
    return Quarantined(
        row.id,
        row.channel,
        row.name,
        row.quarantined_at,
        QuarantineReason(row.reason),
        row.detail,
        f"{row.sender_type} {row.sender_id}" if row.sender_id else None,
        row.advis_id,
        row.payload_id is not None,
        QuarantineDecision(row.decision) if row.decision else None,
        row.decided_at,
        row.decided_by,
        row.decision_reason,
    )
