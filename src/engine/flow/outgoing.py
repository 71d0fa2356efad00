"""What is put in the outbox towards VANS: receipts and answers. Receive, collect and follow-up all order them here."""

import json
from datetime import datetime
from typing import Any
from uuid import uuid4

from engine.domain.acknowledgement import ResponseCode
from engine.store import tables
from engine.store.json_text import to_json
from engine.store.known import KnownAdvis
from engine.store.ledger import Ledger
from engine.wire.vans_envelope import Head, MetaInformation, ReceiptKind


def order_receipt(
    ledger: Ledger,
    head: Head,
    meta: MetaInformation,
    kind: ReceiptKind,
    *,
    envelope_in_id: int,
    advis_id: int | None = None,
    error_text: str | None = None,
    next_at: datetime | None = None,
) -> None:
    """Order the VANS receipt for an incoming envelope, from the end point it was sent to; it goes out at once, or at
    `next_at`.
    """
    receipt = {
        "kind": kind.value,
        "original_envelope_id": head.envelope_id,
        "original": _meta_to_json(meta),
        "error_text": error_text,
    }
    _order(
        ledger,
        kind="receipt",
        sender=(head.receiver.type.value, head.receiver.id),
        receiver=(head.sender.type.value, head.sender.id),
        envelope_in_id=envelope_in_id,
        advis_id=advis_id,
        receipt=to_json(receipt),
        next_at=next_at,
    )


def order_answer(
    ledger: Ledger,
    item: KnownAdvis,
    code: ResponseCode,
    payload_id: int,
    media_type: str,
    *,
    envelope_in_id: int | None = None,
    repeats_id: int | None = None,
) -> tuple[int, str]:
    """Order an Acknowledgement to the EPJ that sent the advis; the row's id and its envelope id."""
    return _order(
        ledger,
        kind="answer",
        sender=(item.vans_receiver_type, item.addressee),
        receiver=(item.vans_sender_type, item.vans_sender_id),
        envelope_in_id=envelope_in_id,
        advis_id=item.id,
        code=code.value,
        media_type=media_type,
        payload_id=payload_id,
        repeats_id=repeats_id,
    )


def order_answer_to_stranger(
    ledger: Ledger, head: Head, code: ResponseCode, payload_id: int, media_type: str, *, envelope_in_id: int
) -> None:
    """Order an Acknowledgement of a message that is no advis."""
    _order(
        ledger,
        kind="answer",
        sender=(head.receiver.type.value, head.receiver.id),
        receiver=(head.sender.type.value, head.sender.id),
        envelope_in_id=envelope_in_id,
        code=code.value,
        media_type=media_type,
        payload_id=payload_id,
    )


def order_again(ledger: Ledger, row: Any, *, next_at: datetime) -> str:
    """The same message once more in a new envelope, for VANS gave no (good) receipt; the new envelope id."""
    _, envelope_id = _order(
        ledger,
        kind=row.kind,
        message_id=row.message_id,
        sender=(row.sender_type, row.sender_id),
        receiver=(row.receiver_type, row.receiver_id),
        envelope_in_id=row.envelope_in_id,
        advis_id=row.advis_id,
        receipt=row.receipt,
        code=row.code,
        media_type=row.media_type,
        payload_id=row.payload_id,
        repeats_id=row.repeats_id or row.id,
        sending=row.sending + 1,
        next_at=next_at,
    )
    return envelope_id


def receipt_content(text: str) -> tuple[ReceiptKind, str, MetaInformation, str | None]:
    """What `order_receipt` stored: kind, original envelope id, original MetaInformation, error text."""
    content = json.loads(text)
    return (
        ReceiptKind(content["kind"]),
        content["original_envelope_id"],
        _meta_from_json(content["original"]),
        content["error_text"],
    )


def _order(
    ledger: Ledger,
    *,
    kind: str,
    sender: tuple[str, str],
    receiver: tuple[str, str],
    envelope_in_id: int | None,
    message_id: str | None = None,
    advis_id: int | None = None,
    receipt: str | None = None,
    code: str | None = None,
    media_type: str | None = None,
    payload_id: int | None = None,
    repeats_id: int | None = None,
    sending: int = 1,
    next_at: datetime | None = None,
) -> tuple[int, str]:
    row_id = ledger.tx.next_id("envelope_out")
    # The envelope id is decided here, once: a crash between sending and recording repeats it.
    envelope_id = str(uuid4())
    ledger.add(
        tables.envelope_out,
        id=row_id,
        envelope_id=envelope_id,
        # A receipt has no Message, and so no identifier of one: the column then repeats the envelope's.
        message_id=message_id or (str(uuid4()) if kind == "answer" else envelope_id),
        kind=kind,
        ordered_at=ledger.now,
        sender_type=sender[0],
        sender_id=sender[1],
        receiver_type=receiver[0],
        receiver_id=receiver[1],
        envelope_in_id=envelope_in_id,
        advis_id=advis_id,
        receipt=receipt,
        code=code,
        media_type=media_type,
        payload_id=payload_id,
        repeats_id=repeats_id,
        sending=sending,
        next_at=next_at or ledger.now,
    )
    return row_id, envelope_id


def _meta_to_json(meta: MetaInformation) -> dict[str, Any]:
    return {
        "identifier": meta.identifier,
        "format": meta.format,
        "name": meta.name,
        "version": meta.version,
        "size_in_bytes": meta.size_in_bytes,
        "processing": meta.processing,
        "transport_type": meta.transport_type,
        "transform_message": meta.transform_message,
        "service_tags": meta.service_tags,
    }


def _meta_from_json(content: dict[str, Any]) -> MetaInformation:
    processing = content["processing"]
    tags = tuple((name, value) for name, value in content["service_tags"])
    return MetaInformation(
        **content | {"processing": tuple(processing) if processing else None, "service_tags": tags}
    )
