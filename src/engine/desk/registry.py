"""Looking up kommuner and their receivers."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from engine.domain.ids import is_cvr
from engine.errors import NotFoundError
from engine.store import tables

_SUFFIX = " kommune"


@dataclass(frozen=True, slots=True)
class KommuneName:
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class KommuneLine:
    """One of the 98, and how it is connected."""

    code: str
    name: str
    region: str
    connected: bool
    gln: str | None
    sor: str | None
    primary: str | None
    receivers: int
    connected_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReceiverLine:
    """A receiver in service."""

    name: str
    uuid: str
    vendor: str
    vendor_email: str
    primary: bool
    added_at: datetime


@dataclass(frozen=True, slots=True)
class KommuneView:
    """All that the registry knows of a kommune."""

    code: str
    name: str
    cvr: str
    region: str
    epj: str
    connected: bool
    connected_at: datetime | None
    contact_email: str | None
    contact_note: str | None
    version: int | None  # of the connection: its address and contact point
    gln: str | None
    sor: str | None
    receivers: tuple[ReceiverLine, ...]


def find_kommune(conn: Connection, text: str) -> KommuneName:
    """Code and name of the kommune that `text` names by code, name or CVR number; NotFoundError with the nearest."""
    query = select(tables.kommune.c.code, tables.kommune.c.name).order_by(tables.kommune.c.code)
    known = conn.execute(query.where(tables.kommune.c.code == text.strip())).one_or_none()
    if known is not None:
        return KommuneName(known.code, known.name)
    rows = [KommuneName(code, name) for code, name in conn.execute(query)]
    wanted = _folded(text)
    if wanted.isdecimal() and len(wanted) == 8:
        return _by_cvr(conn, wanted)
    by_name = {_folded(row.name): row for row in rows}
    if wanted in by_name:
        return by_name[wanted]
    if wanted.isdecimal() and len(wanted) < 10:
        near = sorted(rows, key=lambda row: abs(int(row.code) - int(wanted)))[:3]
    else:
        near = [by_name[name] for name in difflib.get_close_matches(wanted, by_name, n=3)]
    meant = ", ".join(f"{row.code} {row.name}" for row in near)
    hint = f"Mente du {meant}?" if meant else "Alle koder vises af: sundhedsagent kommune list"
    raise NotFoundError(f"Ingen kommune har koden eller navnet {text!r}. {hint}")


def list_kommuner(
    conn: Connection, *, connected_only: bool = False, only: Collection[str] | None = None
) -> list[KommuneLine]:
    """The kommuner by code; `only` these codes."""
    kommune, connection, receiver, unit = tables.kommune, tables.connection, tables.receiver, tables.unit
    every = receiver.alias()
    in_service = (
        select(func.count())
        .where(every.c.kommune_code == kommune.c.code, every.c.removed_at.is_(None))
        .correlate(kommune)
        .scalar_subquery()
    )
    query = (
        select(
            kommune.c.code,
            kommune.c.name,
            kommune.c.region,
            connection.c.kommune_code.is_not(None),
            unit.c.gln,
            unit.c.sor,
            receiver.c.name,
            in_service,
            connection.c.connected_at,
        )
        .outerjoin(connection, connection.c.kommune_code == kommune.c.code)
        .outerjoin(receiver, receiver.c.id == connection.c.primary_receiver_id)
        .outerjoin(unit, unit.c.kommune_code == kommune.c.code)
        .order_by(kommune.c.code, unit.c.gln)
    )
    if connected_only:
        query = query.where(connection.c.kommune_code.is_not(None))
    if only is not None:
        query = query.where(kommune.c.code.in_(only))
    return [KommuneLine(*row) for row in conn.execute(query)]


def show_kommune(conn: Connection, text: str) -> KommuneView:
    """The kommune that `text` names by code or name."""
    kommune, connection, unit = tables.kommune, tables.connection, tables.unit
    code = find_kommune(conn, text).code
    query = (
        select(
            kommune.c.code,
            kommune.c.name,
            kommune.c.cvr,
            kommune.c.region,
            kommune.c.epj,
            connection.c.kommune_code.is_not(None).label("connected"),
            connection.c.connected_at,
            connection.c.contact_email,
            connection.c.contact_note,
            connection.c.version,
            unit.c.gln,
            unit.c.sor,
        )
        .outerjoin(connection, connection.c.kommune_code == kommune.c.code)
        .outerjoin(unit, unit.c.kommune_code == kommune.c.code)
        .where(kommune.c.code == code)
        .order_by(unit.c.gln)
        .limit(1)
    )
    row = conn.execute(query).one()
    return KommuneView(**row._mapping, receivers=tuple(list_receivers(conn, code)))  # noqa: SLF001 - the public way to a mapping


def list_receivers(conn: Connection, text: str) -> list[ReceiverLine]:
    """The receivers in service of the kommune that `text` names, the primary first."""
    connection, receiver = tables.connection, tables.receiver
    code = find_kommune(conn, text).code
    is_primary = connection.c.primary_receiver_id.is_not(None)
    query = (
        select(
            receiver.c.name,
            receiver.c.system_uuid,
            receiver.c.vendor,
            receiver.c.vendor_email,
            is_primary,
            receiver.c.added_at,
        )
        .outerjoin(connection, connection.c.primary_receiver_id == receiver.c.id)
        .where(receiver.c.kommune_code == code, receiver.c.removed_at.is_(None))
        .order_by(is_primary.desc(), receiver.c.id)
    )
    return [ReceiverLine(*row) for row in conn.execute(query)]


def _by_cvr(conn: Connection, cvr: str) -> KommuneName:
    if not is_cvr(cvr):
        raise NotFoundError(f"CVR-nummeret {cvr} har forkert kontrolciffer; er alle otte cifre rigtige?")
    kommune = tables.kommune
    row = conn.execute(select(kommune.c.code, kommune.c.name).where(kommune.c.cvr == cvr)).one_or_none()
    if row is None:
        raise NotFoundError(f"Ingen kommune har CVR-nummeret {cvr}.")
    return KommuneName(row.code, row.name)


def _folded(text: str) -> str:
    return text.strip().casefold().removesuffix(_SUFFIX)
