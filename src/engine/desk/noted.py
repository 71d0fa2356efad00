"""Systems that receive without acknowledging (3.4 and 3.5): noted for information, never asked and never watched."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from engine.desk.act import Act, changed
from engine.desk.facts import (
    GivenFacts,
    checked_facts,
    from_columns,
    in_words,
    plain_facts,
    refuse_missing,
    to_columns,
)
from engine.desk.procedures import fulfil, go_on
from engine.desk.receivers import Registered, facts_reached, receivers_in_service
from engine.desk.registry import KommuneName, find_kommune
from engine.desk.typed import noted_row, type_field
from engine.domain.audit import Action
from engine.domain.registration import SystemFacts
from engine.errors import RuleError
from engine.local_time import local_date
from engine.store import tables

_NEEDED = ("name", "vendor", "vendor_email", "area", "agreed_by")


@dataclass(frozen=True, slots=True)
class Noted:
    """A system without acknowledgement, as it is noted."""

    id: int
    facts: SystemFacts
    noted_at: datetime
    version: int

    @property
    def shown(self) -> str:
        return f"{self.facts.name} ({self.facts.uuid or 'uden UUID'})"


def note_receiver(
    act: Act, code: str, given: GivenFacts, *, procedure_id: int | None = None, checklists: bool = True
) -> Registered:
    """Note a system that receives without acknowledging; RuleError where it is a receiver that acknowledges."""
    kommune = find_kommune(act.conn, code)
    refuse_missing(given, _NEEDED, "Et system uden kvittering kan ikke noteres endnu.")
    facts = checked_facts(given, None, local_date(act.now))
    if facts.uuid and facts.uuid in {
        item.facts.uuid for item in receivers_in_service(act.conn, kommune.code)
    }:
        raise RuleError(f"Systemet {facts.uuid} kvitterer i {kommune.name}; det kan ikke også noteres uden.")
    if any(_is_same(item.facts, facts) for item in list_noted(act.conn, kommune.code)):
        raise RuleError(f"{facts.name} er allerede noteret i {kommune.name}.")
    table = tables.noted_receiver
    row = {"kommune_code": kommune.code, "noted_at": act.now} | to_columns(facts)
    key = act.conn.execute(insert(table).values(row)).inserted_primary_key
    assert key is not None
    act.audit(Action.NOTED_ADDED, _subject(key[0]), kommune_code=kommune.code, after=plain_facts(facts))
    for field, value in given.typed.items():
        type_field(act, kommune.code, noted_row(key[0]), field, value)
    if checklists:
        procedure_id = go_on(
            act, kommune.code, "3.4", procedure_id, subject=facts.name, noted_receiver_id=key[0]
        )
        fulfil(act, kommune.code, "registered", *facts_reached(facts), noted_receiver_id=key[0])
    return Registered(kommune.code, kommune.name, key[0], facts.name, facts.uuid, procedure_id)


def edit_noted(act: Act, code: str, text: str, given: GivenFacts, *, seen: int | None = None) -> Registered:
    """Change what is noted of a system."""
    kommune = find_kommune(act.conn, code)
    found = find_noted(act.conn, kommune, text)
    facts = checked_facts(given, found.facts, local_date(act.now))
    old = plain_facts(found.facts)
    before, after = changed(old, plain_facts(facts))
    act.refuse_outdated(
        _subject(found.id),
        found.shown,
        seen=seen,
        version=found.version,
        now=in_words(old),
        wanted=in_words(after),
    )
    if after:
        table = tables.noted_receiver
        values = to_columns(facts) | {"version": found.version + 1}
        act.conn.execute(update(table).where(table.c.id == found.id).values(values))
        act.audit(
            Action.NOTED_CHANGED, _subject(found.id), kommune_code=kommune.code, before=before, after=after
        )
        fulfil(act, kommune.code, *facts_reached(facts), noted_receiver_id=found.id)
    for field, value in given.typed.items():
        type_field(act, kommune.code, noted_row(found.id), field, value)
    return Registered(kommune.code, kommune.name, found.id, facts.name, facts.uuid)


def remove_noted(act: Act, code: str, text: str, *, procedure_id: int | None = None) -> Registered:
    """Take a system off the notes (3.5)."""
    kommune = find_kommune(act.conn, code)
    found = find_noted(act.conn, kommune, text)
    table = tables.noted_receiver
    values = {"removed_at": act.now, "version": found.version + 1}
    act.conn.execute(update(table).where(table.c.id == found.id).values(values))
    act.audit(
        Action.NOTED_REMOVED, _subject(found.id), kommune_code=kommune.code, before=plain_facts(found.facts)
    )
    procedure_id = go_on(
        act, kommune.code, "3.5", procedure_id, subject=found.facts.name, noted_receiver_id=found.id
    )
    fulfil(act, kommune.code, "removed", *facts_reached(found.facts), noted_receiver_id=found.id)
    return Registered(kommune.code, kommune.name, found.id, found.facts.name, found.facts.uuid, procedure_id)


def list_noted(conn: Connection, code: str) -> list[Noted]:
    table = tables.noted_receiver
    query = (
        select(table).where(table.c.kommune_code == code, table.c.removed_at.is_(None)).order_by(table.c.id)
    )
    return [Noted(row.id, from_columns(row), row.noted_at, row.version) for row in conn.execute(query)]


def find_noted(conn: Connection, kommune: KommuneName, text: str) -> Noted:
    """The noted system with this UUID or name; RuleError that lists those there are."""
    wanted, every = text.strip().casefold(), list_noted(conn, kommune.code)
    found = [item for item in every if wanted in {item.facts.uuid, item.facts.name.casefold()}]
    if len(found) == 1:
        return found[0]
    listed = "".join(f"\n  {item.shown}" for item in (found or every)) or "\n  (ingen)"
    if found:
        raise RuleError(
            f"Flere systemer uden kvittering i {kommune.name} hedder {text!r}; brug UUID:{listed}"
        )
    raise RuleError(f"{kommune.name} har intet system uden kvittering {text!r}. Noteret er:{listed}")


def _is_same(one: SystemFacts, other: SystemFacts) -> bool:
    if one.uuid and other.uuid:
        return one.uuid == other.uuid
    return one.name.casefold() == other.name.casefold()


def _subject(noted_id: int) -> str:
    return f"noted:{noted_id}"
