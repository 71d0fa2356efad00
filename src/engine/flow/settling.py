"""What a kvittering does to its advis: settles the row that waits for it, and is the answer if it is the primary's."""

from dataclasses import dataclass
from typing import Any

from engine.domain.acknowledgement import Disposition, PendingState, ResponseCode, settle
from engine.domain.events import EventKind, Level
from engine.flow.outgoing import order_answer
from engine.store import tables
from engine.store.known import KnownAdvis
from engine.store.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Arrived:
    """A kvittering whose advis and receiver are known."""

    receiver_id: int
    receiver_name: str
    code: ResponseCode
    payload_id: int
    media_type: str
    is_late: bool = False


def apply_kvittering(ledger: Ledger, item: KnownAdvis, arrived: Arrived) -> tuple[Disposition, str | None]:
    """Settle, record, and order the answer; what the kvittering was, and why where it did not settle its row."""
    state = item.expected.get(arrived.receiver_id)
    if state is None:
        _record(ledger, item, arrived, EventKind.KVITTERING_UNEXPECTED, Level.WARNING)
        return Disposition.UNEXPECTED, "Modtagersystemet var ikke registreret, da adviset blev modtaget"
    new_state, disposition = settle(state, arrived.code)
    match disposition:
        case Disposition.DUPLICATE:
            _record(ledger, item, arrived, EventKind.KVITTERING_REPEATED)
            return disposition, None
        case Disposition.CONFLICT:
            _record(ledger, item, arrived, EventKind.KVITTERING_CONFLICTED, Level.WARNING, state=state.value)
            return disposition, f"Modsiger den tidligere kvittering {state.value}"
        case _:
            _settle(ledger, item, arrived, new_state)
            return disposition, None


def _settle(ledger: Ledger, item: KnownAdvis, arrived: Arrived, new_state: PendingState) -> None:
    item.expected[arrived.receiver_id] = new_state
    ledger.change(
        tables.expected_kvittering,
        {"advis_id": item.id, "receiver_id": arrived.receiver_id},
        state=new_state.value,
        settled_at=ledger.now,
    )
    level = Level.INFO if arrived.code is ResponseCode.OK else Level.WARNING
    late = " (efter fristen)" if arrived.is_late else ""
    _record(ledger, item, arrived, EventKind.KVITTERING_RECEIVED, level, late=late)
    # The verdict belongs to the primary of receipt time alone, and there is only one.
    if arrived.receiver_id == item.primary_receiver_id and item.verdict is None:
        _answer(ledger, item, arrived)


def _answer(ledger: Ledger, item: KnownAdvis, arrived: Arrived) -> None:
    row_id, _ = order_answer(ledger, item, arrived.code, arrived.payload_id, arrived.media_type)
    if arrived.code.is_final:
        item.verdict = arrived.code.value
        item.verdict_payload_id = arrived.payload_id
        item.verdict_media_type = arrived.media_type
        item.answer_id = row_id
        ledger.change(
            tables.advis,
            {"id": item.id},
            verdict=arrived.code.value,
            verdict_at=ledger.now,
            verdict_payload_id=arrived.payload_id,
            verdict_media_type=arrived.media_type,
        )
    _record(ledger, item, arrived, EventKind.ANSWER_ORDERED, actor="motor")


def _record(
    ledger: Ledger,
    item: KnownAdvis,
    arrived: Arrived,
    kind: EventKind,
    level: Level = Level.INFO,
    actor: str | None = None,
    **data: Any,
) -> None:
    ledger.event(
        kind,
        actor=actor or arrived.receiver_name,
        level=level,
        advis_id=item.id,
        kommune_code=item.kommune_code,
        receiver=arrived.receiver_name,
        code=arrived.code.value,
        **data,
    )
