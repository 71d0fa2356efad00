"""A kommune's receivers that acknowledge: adding, changing and removing them (the handbook's 3.1 and 3.2).

Which one is primary changes by a switchover alone: see switchovers.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, insert, literal_column, or_, select, update

from engine.desk.act import Act, changed
from engine.desk.connection import connected
from engine.desk.facts import (
    NEEDED_IN_ADM,
    NEEDED_TO_ADD,
    WORDS,
    GivenFacts,
    checked_facts,
    from_columns,
    in_words,
    plain_facts,
    refuse_missing,
    to_receiver_columns,
)
from engine.desk.procedures import fulfil, go_on
from engine.desk.registry import KommuneName
from engine.desk.typed import receiver_row, type_field
from engine.domain.acknowledgement import PendingState
from engine.domain.audit import Action
from engine.domain.events import EventKind, Level
from engine.domain.registration import SystemFacts, begun
from engine.domain.switchover import SwitchoverState
from engine.errors import RuleError
from engine.local_time import local_date, local_text, planned_text
from engine.store import tables
from engine.store.ledger import Ledger

# SQLite uses a partial index only where the query has its very condition, as a literal.
_LITERAL_PENDING: ColumnElement[str] = literal_column("'pending'")


@dataclass(frozen=True, slots=True)
class Registered:
    """What was put into the registry, or changed there."""

    kommune_code: str
    kommune_name: str
    receiver_id: int
    receiver_name: str
    system_uuid: str
    procedure_id: int | None = None  # its checklist, where one was begun


@dataclass(frozen=True, slots=True)
class FoundReceiver:
    """A receiver in service, with what a change of it needs to know."""

    id: int
    facts: SystemFacts
    version: int
    is_primary: bool

    @property
    def shown(self) -> str:
        return f"{self.facts.name} ({self.facts.uuid})"


@dataclass(frozen=True, slots=True)
class Removed:
    """A removal: so many pending kvitteringer are not waited for any more, so many of them were verdicts."""

    kommune_name: str
    receiver_name: str
    system_uuid: str
    waived: int
    verdicts: int
    procedure_id: int


def insert_first_receiver(act: Act, kommune: KommuneName, given: GivenFacts) -> Registered:
    """The receiver that a kommune is connected with."""
    refuse_missing(given, NEEDED_IN_ADM, "Kommunen tilsluttes med sit primære modtagersystem.")
    return _insert(act, kommune, given)


def add_receiver(
    act: Act, code: str, given: GivenFacts, *, procedure_id: int | None = None, checklists: bool = True
) -> Registered:
    """Add an acknowledging receiver to a connected kommune, never as its primary (3.1)."""
    kommune, _ = connected(act.conn, code)
    refuse_missing(given, NEEDED_TO_ADD, "Et kvitterende modtagersystem kan ikke tilføjes endnu.")
    done = _insert(act, kommune, given)
    act.event(
        EventKind.RECEIVER_ADDED,
        kommune_code=kommune.code,
        receiver=done.receiver_name,
        receiver_id=done.receiver_id,
        system_uuid=done.system_uuid,
    )
    if not checklists:
        return done
    procedure_id = go_on(
        act, kommune.code, "3.1", procedure_id, subject=done.receiver_name, receiver_id=done.receiver_id
    )
    facts = find_receiver(act.conn, kommune, done.system_uuid).facts
    fulfil(
        act,
        kommune.code,
        "data-obtained",
        "registered",
        "added",
        *facts_reached(facts),
        receiver_id=done.receiver_id,
    )
    return replace(done, procedure_id=procedure_id)


def edit_receiver(
    act: Act, code: str, receiver: str, given: GivenFacts, *, seen: int | None = None
) -> Registered:
    """Change a receiver's facts; its UUID names it and stays. `seen` is the version that the caller looked at."""
    kommune, _ = connected(act.conn, code)
    found = find_receiver(act.conn, kommune, receiver)
    if given.uuid is not None and given.uuid.strip().lower() != found.facts.uuid:
        raise RuleError(
            f"UUID for {found.shown} kan ikke ændres: det er det, systemet kendes på. "
            "Tilføj systemet med det nye UUID (3.1), og fjern det gamle (3.2)."
        )
    facts = checked_facts(given, found.facts, local_date(act.now))
    if found.facts.only_kvittering and not facts.only_kvittering:
        raise RuleError(f"{found.shown} må ikke afsende andre beskedtyper end MedComKvittering 1.0.")
    for name in ("area", "agreed_by"):
        if getattr(found.facts, name) and not getattr(facts, name):
            raise RuleError(
                f"{begun(WORDS[name])} kan rettes, men ikke være tomt: det hører til aftalen (3.1)."
            )
    _save_facts(act, kommune, found, facts, seen)
    for field, value in given.typed.items():
        type_field(act, kommune.code, receiver_row(found.id), field, value)
    return Registered(kommune.code, kommune.name, found.id, facts.name, facts.uuid)


def remove_receiver(
    act: Act,
    code: str,
    *,
    name: str,
    uuid: str,
    force: bool = False,
    procedure_id: int | None = None,
    seen: int | None = None,
) -> Removed:
    """Remove a receiver (3.2). What is still waited for closes as fjernet; a late kvittering is matched all the same.

    RuleError for the primary, for one that is to become it, and for one that owes the hospital a verdict as the
    primary of receipt time, unless by `force`.
    """
    kommune, _ = connected(act.conn, code)
    found = find_named(act.conn, kommune, name, uuid, "modtagersystemet")
    act.refuse_outdated(
        _subject(found.id), found.shown, seen=seen, version=found.version, now={}, wanted={"": "fjernet"}
    )
    if found.is_primary:
        raise RuleError(
            f"{found.shown} er det primære modtagersystem i {kommune.name} og kan ikke fjernes. "
            f"Udskift det først (3.3): sundhedsagent switchover plan {kommune.code} …"
        )
    _refuse_target(act.conn, found)
    owed = _owed_verdicts(act.conn, found.id)
    if owed and not force:
        oldest = local_text(min(at for _, at in owed))
        raise RuleError(
            f"{found.shown} skylder sygehuset svar på {len(owed)} advis(er) fra den tid, da det var primært "
            f"(det ældste er modtaget {oldest}).\nVent, til svarene er kommet; de afventende vises af: sundhedsagent "
            f"pending --kommune {kommune.code}.\nMed --force fjernes det alligevel, og det noteres. Kommer svaret "
            "senere, sendes det stadig videre."
        )
    waived = _close_pending(act, kommune, found)
    table = tables.receiver
    act.conn.execute(
        update(table)
        .where(table.c.id == found.id)
        .values(removed_at=act.now, removed_by_force=bool(owed), version=found.version + 1)
    )
    act.audit(
        Action.RECEIVER_REMOVED,
        _subject(found.id),
        kommune_code=kommune.code,
        before=plain_facts(found.facts),
        after={"waived": waived, "verdicts": len(owed)},
        reason="tvunget, selv om systemet skyldte svar" if owed else None,
    )
    act.event(
        EventKind.RECEIVER_REMOVED,
        kommune_code=kommune.code,
        level=Level.WARNING if owed else Level.INFO,
        receiver=found.facts.name,
        receiver_id=found.id,
        system_uuid=found.facts.uuid,
        forced=f", selv om det skyldte {len(owed)} svar" if owed else "",
    )
    procedure_id = go_on(
        act, kommune.code, "3.2", procedure_id, subject=found.facts.name, receiver_id=found.id
    )
    fulfil(act, kommune.code, "removed", *facts_reached(found.facts), receiver_id=found.id)
    return Removed(kommune.name, found.facts.name, found.facts.uuid, waived, len(owed), procedure_id)


def find_receiver(conn: Connection, kommune: KommuneName, text: str) -> FoundReceiver:
    """The kommune's receiver in service with this UUID or name; RuleError that lists those there are."""
    wanted = text.strip().casefold()
    every = receivers_in_service(conn, kommune.code)
    found = [item for item in every if wanted in {item.facts.uuid, item.facts.name.casefold()}]
    if len(found) == 1:
        return found[0]
    listed = "".join(f"\n  {item.shown}" for item in (found or every)) or "\n  (ingen)"
    if found:
        raise RuleError(f"Flere modtagersystemer i {kommune.name} hedder {text!r}; brug UUID:{listed}")
    raise RuleError(f"{kommune.name} har intet modtagersystem {text!r} i drift. Registreret er:{listed}")


def find_named(conn: Connection, kommune: KommuneName, name: str, uuid: str, what: str) -> FoundReceiver:
    """The receiver with this UUID and this name: the handbook asks for both, so that none is mistaken for another."""
    found = find_receiver(conn, kommune, uuid)
    if found.facts.name.casefold() != name.strip().casefold():
        raise RuleError(
            f"Navn og UUID for {what} passer ikke sammen: {found.facts.uuid} hedder {found.facts.name}, "
            f"men der er skrevet {name!r}."
        )
    return found


def receivers_in_service(conn: Connection, code: str) -> list[FoundReceiver]:
    """The primary first, then in the order they were added."""
    connection, receiver = tables.connection, tables.receiver
    is_primary = connection.c.primary_receiver_id.is_not(None)
    query = (
        select(receiver, is_primary.label("is_primary"))
        .outerjoin(connection, connection.c.primary_receiver_id == receiver.c.id)
        .where(receiver.c.kommune_code == code, receiver.c.removed_at.is_(None))
        .order_by(is_primary.desc(), receiver.c.id)
    )
    return [
        FoundReceiver(row.id, from_columns(row), row.version, row.is_primary) for row in conn.execute(query)
    ]


def facts_reached(facts: SystemFacts) -> list[str]:
    """The marks of the checklists that a system's facts fulfil."""
    reached = [f"agreement-{facts.agreement}", f"certification-{facts.certification}"]
    return [*reached, "overview-enrolled"] if facts.overview_enrolled else reached


def _insert(act: Act, kommune: KommuneName, given: GivenFacts) -> Registered:
    facts = checked_facts(given, None, local_date(act.now))
    receiver = tables.receiver
    same = select(receiver.c.name).where(
        receiver.c.kommune_code == kommune.code,
        receiver.c.system_uuid == facts.uuid,
        receiver.c.removed_at.is_(None),
    )
    other = act.conn.execute(same).scalar()
    if other is not None:
        raise RuleError(f"Systemet {facts.uuid} er allerede registreret i {kommune.name} som {other}.")
    noted = tables.noted_receiver
    same_noted = select(noted.c.name).where(
        noted.c.kommune_code == kommune.code, noted.c.system_uuid == facts.uuid, noted.c.removed_at.is_(None)
    )
    if act.conn.execute(same_noted).scalar() is not None:
        raise RuleError(
            f"Systemet {facts.uuid} er noteret i {kommune.name} uden kvittering. Skal det kvittere, så fjern først "
            f"noten (3.5): sundhedsagent receiver remove-without-ack {kommune.code} {facts.uuid}"
        )
    row = {"kommune_code": kommune.code, "added_at": act.now} | to_receiver_columns(facts)
    key = act.conn.execute(insert(receiver), row).inserted_primary_key
    assert key is not None
    act.audit(Action.RECEIVER_ADDED, _subject(key[0]), kommune_code=kommune.code, after=plain_facts(facts))
    for field, value in given.typed.items():
        type_field(act, kommune.code, receiver_row(key[0]), field, value)
    return Registered(kommune.code, kommune.name, key[0], facts.name, facts.uuid)


def _save_facts(
    act: Act, kommune: KommuneName, found: FoundReceiver, facts: SystemFacts, seen: int | None
) -> None:
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
    if not after:
        return
    table = tables.receiver
    values = to_receiver_columns(facts) | {"version": found.version + 1}
    act.conn.execute(update(table).where(table.c.id == found.id).values(values))
    act.audit(
        Action.RECEIVER_CHANGED, _subject(found.id), kommune_code=kommune.code, before=before, after=after
    )
    fulfil(act, kommune.code, *facts_reached(facts), receiver_id=found.id)


def _refuse_target(conn: Connection, found: FoundReceiver) -> None:
    table = tables.switchover
    query = select(table.c.id, table.c.at).where(
        table.c.to_receiver_id == found.id, table.c.state == SwitchoverState.PLANNED.value
    )
    planned = conn.execute(query).one_or_none()
    if planned is not None:
        raise RuleError(
            f"{found.shown} skal blive primært {planned_text(planned.at)} (omlægning {planned.id}). "
            f"Annuller omlægningen først: sundhedsagent switchover cancel {planned.id}"
        )


def _owed_verdicts(conn: Connection, receiver_id: int) -> Sequence[tuple[int, datetime]]:
    """(advis, time of receipt) of those whose verdict this receiver owes, as the primary of receipt time."""
    advis, expected = tables.advis, tables.expected_kvittering
    query = (
        select(advis.c.id, advis.c.received_at)
        .join(expected, expected.c.advis_id == advis.c.id)
        .where(
            expected.c.receiver_id == receiver_id,
            advis.c.primary_receiver_id == receiver_id,
            advis.c.verdict.is_(None),
            or_(
                expected.c.state == _LITERAL_PENDING, expected.c.state == literal_column("'transient-error'")
            ),
        )
    )
    return [(row.id, row.received_at) for row in conn.execute(query)]


def _close_pending(act: Act, kommune: KommuneName, found: FoundReceiver) -> int:
    """Nobody waits for the removed system's kvitteringer any more: how many there were."""
    expected = tables.expected_kvittering
    query = select(expected.c.advis_id).where(
        expected.c.state == _LITERAL_PENDING, expected.c.receiver_id == found.id
    )
    advis_ids = list(act.conn.execute(query).scalars())
    ledger = Ledger(act.tx, act.now)
    for advis_id in advis_ids:
        key = {"advis_id": advis_id, "receiver_id": found.id}
        ledger.change(expected, key, state=PendingState.REMOVED.value, settled_at=act.now, due_at=None)
        ledger.event(
            EventKind.KVITTERING_WAIVED,
            actor=act.actor,
            advis_id=advis_id,
            kommune_code=kommune.code,
            receiver=found.facts.name,
        )
    ledger.write()
    return len(advis_ids)


def _subject(receiver_id: int) -> str:
    return f"receiver:{receiver_id}"
