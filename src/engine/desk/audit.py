"""Reading the audit log, and proving that nobody has changed it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from engine.desk.access import Role
from engine.desk.exchange_files import KOMMUNE, SYSTEM
from engine.desk.typed import TypedField
from engine.domain.audit import Action, Entry
from engine.domain.procedure import StepState
from engine.domain.switchover import SwitchoverState
from engine.local_time import planned_text
from engine.store import tables
from engine.store.audit import Verified, entry_of, verify_chain


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries; None means all. `since` inclusive, `until` exclusive."""

    kommune_code: str | None = None
    actor: str | None = None
    action: Action | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100


AUDIT_READERS = (Role.ADMINISTRATOR, Role.AUDITOR)


def list_audit(conn: Connection, wanted: AuditFilter) -> list[Entry]:
    """The newest first."""
    table = tables.audit
    query = select(table).order_by(table.c.id.desc()).limit(wanted.limit)
    if wanted.kommune_code is not None:
        query = query.where(table.c.kommune_code == wanted.kommune_code)
    if wanted.actor is not None:
        query = query.where(table.c.actor == wanted.actor)
    if wanted.action is not None:
        query = query.where(table.c.action == wanted.action.value)
    if wanted.since is not None:
        query = query.where(table.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(table.c.at < wanted.until)
    return [entry_of(row) for row in conn.execute(query)]


def verify_audit(conn: Connection, noted_head: str | None = None) -> Verified:
    """Follow the whole chain. With a head that was noted earlier: also that it is still in the chain."""
    return verify_chain(conn, noted_head)


def told(entry: Entry) -> list[str]:
    """What an entry changed, field by field, in Danish: "kontaktpunkt: a@b.dk → c@d.dk"; what was empty is left out."""
    before, after = entry.before or {}, entry.after or {}
    parts = []
    for name in dict.fromkeys((*before, *after)):
        was, now = _shown(name, before.get(name)), _shown(name, after.get(name))
        if was and now and was != now:
            parts.append(f"{_word(name)}: {was} → {now}")
        elif was or now:
            gone = " (før)" if was and entry.after is not None and name not in after else ""
            parts.append(f"{_word(name)}: {now or was}{gone}")
    return parts


def _word(name: str) -> str:
    return _WORDS.get(name, name)


def _shown(name: str, value: object) -> str:
    if name in _INSTANTS and isinstance(value, str):
        at = datetime.fromisoformat(value)
        return planned_text(at) if at.tzinfo else value  # a request's is as it was written
    match value:
        case None:
            return ""
        case bool():
            return "ja" if value else "nej"
        case list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{key} {item}" for key, item in value.items())
        case _:
            return _STATES.get(str(value), str(value)) if name == "state" else str(value)


_INSTANTS = {"at", "monitored_from", "backup_of"}
_STATES = {state.value: state.danish for state in (*StepState, *SwitchoverState)}
_WORDS = {
    **KOMMUNE,
    **SYSTEM,
    **{field.value: field.danish for field in TypedField},
    "overview_enrolled": SYSTEM["overview"],
    "primary": "primært",
    "primary_receiver_id": "primært nr.",
    "receiver_id": "modtagersystem nr.",
    "noted_receiver_id": "noteret nr.",
    "switchover_id": "omlægning",
    "procedure": "tjekliste",
    "procedure_id": "tjekliste",
    "kind": "afsnit",
    "subject": "om",
    "step": "trin",
    "state": "tilstand",
    "person": "person",
    "on_date": "dato",
    "note": "note",
    "identity": "bruger",
    "role": "rolle",
    "kommune_code": "kommune",
    "old": "fra",
    "new": "til",
    "old_name": "fra",
    "old_uuid": "fra UUID",
    "new_name": "til",
    "new_uuid": "til UUID",
    "at": "tidspunkt",
    "undoes": "fortryder omlægning",
    "waived": "afventes ikke længere",
    "verdicts": "heraf svar",
    "backup_of": "sikkerhedskopi fra",
}
"""Every name that an entry's values have, as people read it: where a file has a heading for it, that one."""
