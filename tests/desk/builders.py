"""Rows as the flow would have left them, put in directly: a test says only what it is about."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert

from engine.desk.act import Act
from engine.desk.facts import GivenFacts
from engine.desk.kommuner import ConnectKommune, connect_kommune
from engine.desk.receivers import add_receiver
from engine.domain.events import EventKind
from engine.simulation.made_up import made_up_gln
from engine.store import tables
from engine.store.database import Tx
from engine.store.ledger import Ledger

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FRB, AARHUS = "0147", "0751"


def uuid(number: int) -> str:
    """A system's UUID with letters in it, so that their case matters."""
    return str(UUID(int=0xABCDEF00 + number, version=4))


def an_act(tx: Tx, now: datetime = NOON, actor: str = "mette") -> Act:
    return Act(tx, now, actor)


def a_receiver(number: int = 1, **changes: Any) -> GivenFacts:
    given: dict[str, Any] = {
        "name": f"System {number}",
        "uuid": uuid(number),
        "vendor": "Leverandør",
        "vendor_email": "drift@v.example",
        "area": "Sundhed og omsorg",
        "agreed_by": "Områdechefen",
        "only_kvittering": True,
    }
    return GivenFacts(**(given | changes))


def a_kommune(code: str = AARHUS, **changes: Any) -> ConnectKommune:
    given: dict[str, Any] = {
        "gln": made_up_gln(int(code) if code.isdigit() else 1),
        "sor": "325421000016001",
        "contact_email": "advis@k.example",
    }
    return ConnectKommune(**({"code": code, "primary": a_receiver(1)} | given | changes))


def connect(tx: Tx, code: str = AARHUS, others: int = 1, now: datetime = NOON) -> list[int]:
    """A connected kommune with `others` receivers beside the primary; the receivers' ids, the primary's first."""
    act = an_act(tx, now, "test")
    ids = [connect_kommune(act, a_kommune(code)).receiver_id]
    return ids + [add_receiver(act, code, a_receiver(number)).receiver_id for number in range(2, 2 + others)]


def an_advis(tx: Tx, kommune: str | None = AARHUS, receivers: list[int] | None = None, **changes: Any) -> int:
    """An advis with a pending kvittering of each receiver, the first being the primary; the id of its row.

    `states` gives the receivers' states where they are not pending, `due_at` their common due time.
    """
    states: list[str] = changes.pop("states", [])
    due_at = changes.pop("due_at", None)
    payload = tx.next_id("payload")
    tx.insert(tables.payload, [{"id": payload, "sealed": b"sealed"}])
    row: dict[str, Any] = {
        "id": tx.next_id("advis"),
        "kommune_code": kommune,
        "addressee": "5790000000000",
        "message_id": str(uuid4()),
        "bundle_id": str(uuid4()),
        "besked_id": str(uuid4()),
        "received_at": NOON,
        "refused": False,
        "primary_receiver_id": receivers[0] if receivers else None,
        "code": "STIN",
        "encounter_class": "IMP",
        "encounter_status": "in-progress",
        "period_start": NOON - 5 * MINUTE,
        "episodes": json.dumps(["episode-1"]),
        "report_of_admission": True,
        "sender_gln": "5790001111111",
        "sender_sor": "111111",
        "sender_name": "Testhospital Aarhus",
        "vans_sender_type": "EAN",
        "vans_sender_id": "5790001111111",
        "vans_receiver_type": "EAN",
        "media_type": "application/fhir+xml",
        "encoding": "utf-8",
        "findings": "[]",
        "payload_id": payload,
        "cpr_hash": "hash-of-somebody",
        "sealed_person": b"sealed-person",
    }
    row |= changes
    tx.conn.execute(insert(tables.advis).values(row))
    for position, receiver_id in enumerate(receivers or []):
        state = states[position] if position < len(states) else "pending"
        expected = {"advis_id": row["id"], "receiver_id": receiver_id, "state": state, "due_at": due_at}
        tx.insert(tables.expected_kvittering, [expected])
    return int(row["id"])


def a_refused_advis(tx: Tx, **changes: Any) -> int:
    nobody = {"besked_id": None, "refused": True, "verdict": "fatal-error", "verdict_at": NOON}
    return an_advis(tx, changes.pop("kommune", None), None, **(nobody | changes))


def a_publication(tx: Tx, advis_id: int, **changes: Any) -> None:
    row = {"advis_id": advis_id, "round": 1, "ordered_at": NOON, "next_at": NOON}
    row |= {"id": tx.next_id("publication")}
    tx.conn.execute(insert(tables.publication).values(row | changes))


def an_envelope_out(tx: Tx, advis_id: int | None = None, **changes: Any) -> int:
    row_id = tx.next_id("envelope_out")
    row = {
        "id": row_id,
        "envelope_id": str(uuid4()),
        "message_id": str(uuid4()),
        "kind": "answer",
        "code": "ok",
        "ordered_at": NOON,
        "sender_type": "EAN",
        "sender_id": "1",
        "receiver_type": "EAN",
        "receiver_id": "2",
        "advis_id": advis_id,
        "sending": 1,
    }
    tx.conn.execute(insert(tables.envelope_out).values(row | changes))
    return row_id


def a_kvittering(tx: Tx, advis_id: int | None = None, receiver_id: int | None = None, **changes: Any) -> None:
    payload = tx.next_id("payload")
    tx.insert(tables.payload, [{"id": payload, "sealed": b"sealed"}])
    row = {
        "id": tx.next_id("kvittering"),
        "delivery_key": str(uuid4()),
        "received_at": NOON,
        "system_uuid": uuid(1),
        "response_identifier": "x",
        "code": "ok",
        "media_type": "application/fhir+xml",
        "disposition": "settled",
        "advis_id": advis_id,
        "receiver_id": receiver_id,
        "payload_id": payload,
    }
    tx.conn.execute(insert(tables.kvittering).values(row | changes))


def an_event(tx: Tx, kind: EventKind, at: datetime = NOON, **fields: Any) -> None:
    ledger = Ledger(tx, at)
    ledger.event(kind, **fields)
    ledger.write()
