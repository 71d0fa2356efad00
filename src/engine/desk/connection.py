"""A connected kommune, as every change of it looks it up first."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from engine.desk.registry import KommuneName, find_kommune
from engine.errors import RuleError
from engine.store import tables


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """Where a kommune is told of missing kvitteringer; `note` names what else was agreed."""

    email: str
    note: str
    version: int


def connected(conn: Connection, code: str) -> tuple[KommuneName, ContactPoint]:
    """A connected kommune by code or name, locked so that two who change it follow each other.

    NotFoundError where there is none of that name, RuleError where it is not connected.
    """
    kommune, table = find_kommune(conn, code), tables.connection
    query = select(table.c.contact_email, table.c.contact_note, table.c.version)
    row = conn.execute(query.where(table.c.kommune_code == kommune.code)).one_or_none()
    if row is None:
        raise RuleError(
            f"{kommune.name} ({kommune.code}) er ikke tilsluttet endnu. "
            f"Tilslut den først med: sundhedsagent kommune connect {kommune.code} …"
        )
    return kommune, ContactPoint(*row)


def is_connected(conn: Connection, code: str) -> bool:
    table = tables.connection
    return conn.execute(select(table.c.kommune_code).where(table.c.kommune_code == code)).scalar() is not None
