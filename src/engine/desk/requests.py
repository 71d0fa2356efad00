"""Anmodninger: a kommune's own administrator asks for 3.1, 3.2 or 3.3 with the handbook's fields.

An administrator carries it out as the same procedure, or returns it with a reason.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from engine.desk.act import Act
from engine.desk.connection import connected
from engine.desk.facts import NEEDED_TO_ADD, WORDS, GivenFacts
from engine.desk.receivers import add_receiver, remove_receiver
from engine.desk.switchovers import PlanSwitchover, plan_switchover
from engine.domain.audit import Action
from engine.domain.procedure import RequestState
from engine.domain.registration import checked_text
from engine.errors import NotFoundError, RuleError
from engine.local_time import exact_moment, planned_text
from engine.store import tables

ADD, REMOVE, REPLACE = "3.1", "3.2", "3.3"

FIELDS: Mapping[str, tuple[str, ...]] = {
    ADD: NEEDED_TO_ADD,
    REMOVE: ("name", "uuid"),
    REPLACE: ("old_name", "old_uuid", "new_name", "new_uuid", "at"),
}
"""What the handbook asks for, procedure by procedure; the kommune goes without saying."""

FIELD_WORDS: Mapping[str, str] = WORDS | {
    "old_name": "det nuværende primære systems navn i ADM",
    "old_uuid": "det nuværende primære systems UUID i ADM",
    "new_name": "det nye primære systems navn i ADM",
    "new_uuid": "det nye primære systems UUID i ADM",
    "at": "dato og tidspunkt for omlægningen",
    "procedure": "tjeklisten, der fortsættes",
}


@dataclass(frozen=True, slots=True)
class Request:
    """One anmodning; `fields` are the handbook's, as they were written."""

    id: int
    kommune: str
    kommune_name: str
    kind: str
    fields: dict[str, str]
    state: RequestState
    handed_in_at: datetime
    handed_in_by: str
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    procedure_id: int | None
    version: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """What accepting did; `system_uuid` is set where a receiver was added."""

    request: Request
    sentence: str
    system_uuid: str | None = None


def hand_in(act: Act, code: str, kind: str, fields: Mapping[str, str]) -> Request:
    """Hand in a request. It is tried at once, and not kept where a rule would refuse it: the kommune hears why now."""
    kommune, _ = connected(act.conn, code)
    if kind not in FIELDS:
        raise RuleError(f"Der kan anmodes om {', '.join(FIELDS)}, men ikke om {kind!r}.")
    given = {name: checked_text(value, FIELD_WORDS[name]) for name, value in fields.items() if value.strip()}
    _refuse_fields(kind, given)
    trial = act.conn.begin_nested()
    try:
        # What a receiver still owes will have come when somebody gets to the request: no reason to refuse it now.
        _carry_out(act, kommune.code, kind, given, force=True)
    finally:
        trial.rollback()
    row = {"kommune_code": kommune.code, "kind": kind, "fields": json.dumps(given, ensure_ascii=False)}
    key = act.conn.execute(
        insert(tables.request).values(
            **row, state=RequestState.HANDED_IN.value, handed_in_at=act.now, handed_in_by=act.actor
        )
    ).inserted_primary_key
    assert key is not None
    act.audit(
        Action.REQUEST_HANDED_IN, _subject(key[0]), kommune_code=kommune.code, after={"kind": kind} | given
    )
    return show_request(act.conn, key[0])


def accept_request(act: Act, request_id: int, *, seen: int | None = None) -> Accepted:
    """Carry it out as the same procedure; RuleError where a rule refuses it now, and then it stays handed in."""
    found = _open(act, request_id, seen)
    sentence, system_uuid, procedure_id = _carry_out(act, found.kommune, found.kind, found.fields)
    _decide(act, found, RequestState.ACCEPTED, None, procedure_id)
    act.audit(
        Action.REQUEST_ACCEPTED,
        _subject(found.id),
        kommune_code=found.kommune,
        after={"kind": found.kind, "procedure_id": procedure_id},
    )
    return Accepted(show_request(act.conn, request_id), sentence, system_uuid)


def return_request(act: Act, request_id: int, reason: str, *, seen: int | None = None) -> Request:
    """Send it back to the kommune, with the reason."""
    found = _open(act, request_id, seen)
    why = checked_text(reason, "begrundelsen")
    if not why:
        raise RuleError("Skriv en begrundelse, så kommunen ved, hvad der skal rettes: --reason TEKST")
    _decide(act, found, RequestState.RETURNED, why, None)
    act.audit(Action.REQUEST_RETURNED, _subject(found.id), kommune_code=found.kommune, reason=why)
    return show_request(act.conn, request_id)


def list_requests(
    conn: Connection, *, only: Collection[str] | None = None, open_only: bool = False
) -> list[Request]:
    """Those that wait first, the oldest of them on top; then the others, the latest first."""
    query, table = _requests(), tables.request
    if only is not None:
        query = query.where(table.c.kommune_code.in_(only))
    if open_only:
        query = query.where(table.c.state == RequestState.HANDED_IN.value)
    found = [_view(row) for row in conn.execute(query.order_by(table.c.id))]
    waiting = [item for item in found if item.state is RequestState.HANDED_IN]
    return waiting + [item for item in reversed(found) if item.state is not RequestState.HANDED_IN]


def show_request(conn: Connection, request_id: int) -> Request:
    row = conn.execute(_requests().where(tables.request.c.id == request_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"Der er ingen anmodning {request_id}. De vises af: sundhedsagent request list")
    return _view(row)


def _refuse_fields(kind: str, given: Mapping[str, str]) -> None:
    missing = [name for name in FIELDS[kind] if name not in given]
    if missing:
        listed = "".join(f"\n  - {FIELD_WORDS[name]} ({_option(name)})" for name in missing)
        raise RuleError(f"Anmodningen om {kind} er ikke fuldstændig. Der mangler:{listed}")
    foreign = [name for name in given if name not in FIELDS[kind] and name not in _ALSO[kind]]
    if foreign:
        raise RuleError(
            f"{', '.join(_option(name) for name in foreign)} hører ikke til en anmodning om {kind}."
        )


_ALSO = {
    ADD: ("procedure", "comment", "local_contact", "vendor_contact", "monitored_from", "connected_on"),
    REMOVE: ("procedure",),
    REPLACE: ("procedure",),
}
"""What a request may say besides."""


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _carry_out(
    act: Act, code: str, kind: str, fields: Mapping[str, str], *, force: bool = False
) -> tuple[str, str | None, int | None]:
    """What was done in a sentence, the UUID of an added receiver, and the checklist."""
    fields = dict(fields)
    procedure = fields.pop("procedure", None)
    procedure_id = None if procedure is None else _number(procedure)
    match kind:
        case "3.1":
            confirmed = fields.get("only_kvittering") == "ja"
            given: dict[str, Any] = {**fields, "only_kvittering": confirmed}
            done = add_receiver(act, code, GivenFacts(**given), procedure_id=procedure_id)
            return (
                f"{done.receiver_name} er tilføjet i {done.kommune_name}.",
                done.system_uuid,
                done.procedure_id,
            )
        case "3.2":
            removed = remove_receiver(
                act, code, name=fields["name"], uuid=fields["uuid"], force=force, procedure_id=procedure_id
            )
            return (
                f"{removed.receiver_name} er fjernet fra {removed.kommune_name}.",
                None,
                removed.procedure_id,
            )
        case _:
            order = PlanSwitchover(
                code=code,
                old_name=fields["old_name"],
                old_uuid=fields["old_uuid"],
                new_name=fields["new_name"],
                new_uuid=fields["new_uuid"],
                at=exact_moment(fields["at"], "tidspunktet"),
            )
            planned = plan_switchover(act, order, procedure_id=procedure_id)
            table = tables.procedure
            checklist = select(table.c.id).where(table.c.switchover_id == planned.id)
            return (
                f"Omlægning {planned.id} er planlagt i {planned.kommune_name} til {planned_text(planned.at)}.",
                None,
                act.conn.execute(checklist).scalar(),
            )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise RuleError(f"Tjeklisten nævnes ved sit nummer, men er {text!r}.")
    return int(text)


def _open(act: Act, request_id: int, seen: int | None) -> Request:
    found = show_request(act.conn, request_id)
    act.refuse_outdated(
        _subject(found.id),
        f"Anmodning {found.id}",
        seen=seen,
        version=found.version,
        now={"tilstand": found.state.danish},
        wanted={"tilstand": "afgjort"},
    )
    if found.state is not RequestState.HANDED_IN:
        raise RuleError(f"Anmodning {found.id} er allerede {found.state.danish} af {found.decided_by}.")
    return found


def _decide(
    act: Act, found: Request, state: RequestState, reason: str | None, procedure_id: int | None
) -> None:
    table = tables.request
    act.conn.execute(
        update(table)
        .where(table.c.id == found.id)
        .values(
            state=state.value,
            decided_at=act.now,
            decided_by=act.actor,
            reason=reason,
            procedure_id=procedure_id,
            version=found.version + 1,
        )
    )


def _requests() -> Select[Any]:
    table, kommune = tables.request, tables.kommune
    return select(table, kommune.c.name.label("kommune_name")).join(
        kommune, kommune.c.code == table.c.kommune_code
    )


def _view(row: Any) -> Request:
    return Request(
        row.id,
        row.kommune_code,
        row.kommune_name,
        row.kind,
        json.loads(row.fields),
        RequestState(row.state),
        row.handed_in_at,
        row.handed_in_by,
        row.decided_at,
        row.decided_by,
        row.reason,
        row.procedure_id,
        row.version,
    )


def _subject(request_id: int) -> str:
    return f"request:{request_id}"
