"""A kommune's systems as people look at them: those that acknowledge, and those that are noted without."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select

from engine.desk.noted import Noted, find_noted, list_noted
from engine.desk.receivers import FoundReceiver, find_receiver, receivers_in_service
from engine.desk.registry import KommuneName
from engine.desk.typed import OF_A_SYSTEM, TypedValue, noted_row, receiver_row, typed_values
from engine.domain.registration import SystemFacts
from engine.errors import RuleError
from engine.local_time import local_date
from engine.store import tables


@dataclass(frozen=True, slots=True)
class SystemLine:
    """One system in a list."""

    name: str
    uuid: str
    vendor: str
    vendor_email: str
    primary: bool
    acknowledges: bool
    part: str  # what it is in its kommune, in Danish


@dataclass(frozen=True, slots=True)
class SystemView:
    """All that the registry knows of one system. `version` is what a change of it must have seen."""

    kommune: str
    kommune_name: str
    facts: SystemFacts
    primary: bool
    acknowledges: bool
    part: str
    added_at: datetime
    connected_on: date  # the day it was added, where no other is known
    typed: dict[str, TypedValue]  # by the field's Danish name
    version: int


def list_systems(conn: Connection, code: str) -> list[SystemLine]:
    """The primary first, then those that acknowledge, then those that do not."""
    receivers = [_line(item.facts, primary=item.is_primary) for item in receivers_in_service(conn, code)]
    return receivers + [_line(item.facts, acknowledges=False) for item in list_noted(conn, code)]


def show_system(conn: Connection, kommune: KommuneName, text: str) -> SystemView:
    """The system with this UUID or name; RuleError that lists those there are."""
    found: FoundReceiver | Noted
    try:
        found = find_receiver(conn, kommune, text)
    except RuleError:
        if not list_noted(conn, kommune.code):
            raise
        found = find_noted(conn, kommune, text)
    acknowledges = isinstance(found, FoundReceiver)
    table = tables.receiver if acknowledges else tables.noted_receiver
    since = table.c.added_at if acknowledges else table.c.noted_at
    added_at = conn.execute(select(since).where(table.c.id == found.id)).scalar_one()
    row = receiver_row(found.id) if acknowledges else noted_row(found.id)
    values = typed_values(conn, kommune.code)
    primary = isinstance(found, FoundReceiver) and found.is_primary
    return SystemView(
        kommune=kommune.code,
        kommune_name=kommune.name,
        facts=found.facts,
        primary=primary,
        acknowledges=acknowledges,
        part=_part(primary=primary, acknowledges=acknowledges),
        added_at=added_at,
        connected_on=found.facts.connected_on or local_date(added_at),
        typed={
            field.danish: values[kommune.code, row, field]
            for field in OF_A_SYSTEM
            if (kommune.code, row, field) in values
        },
        version=found.version,
    )


def _line(facts: SystemFacts, *, primary: bool = False, acknowledges: bool = True) -> SystemLine:
    part = _part(primary=primary, acknowledges=acknowledges)
    return SystemLine(facts.name, facts.uuid, facts.vendor, facts.vendor_email, primary, acknowledges, part)


def _part(*, primary: bool, acknowledges: bool) -> str:
    if not acknowledges:
        return "uden kvittering"
    return "primært" if primary else "kvitterer"
