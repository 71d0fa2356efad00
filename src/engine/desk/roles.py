"""Granting and revoking roles: who may do what in this home (behaviour, section 10)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, delete, func, insert, select

from engine.desk.access import Role
from engine.desk.act import Act
from engine.desk.registry import find_kommune
from engine.domain.audit import Action
from engine.domain.registration import checked_name
from engine.errors import RuleError
from engine.store import tables


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that somebody has; `kommune` is the code that the role kommune was granted for."""

    identity: str
    role: Role
    kommune: str | None
    kommune_name: str | None
    granted_at: datetime
    granted_by: str


def list_roles(conn: Connection) -> list[Grant]:
    table, kommune = tables.role_grant, tables.kommune
    query = (
        select(table, kommune.c.name)
        .outerjoin(kommune, kommune.c.code == table.c.kommune_code)
        .order_by(table.c.role, table.c.identity, table.c.kommune_code)
    )
    return [
        Grant(
            row.identity, Role(row.role), row.kommune_code or None, row.name, row.granted_at, row.granted_by
        )
        for row in conn.execute(query)
        if row.role in set(Role)
    ]


def grant_role(act: Act, identity: str, role: Role, kommune: str | None = None) -> None:
    """Give somebody a role; the role kommune for one kommune at a time. RuleError where they have it."""
    identity, code = checked_name(identity, "brugerens navn"), _code(act.conn, role, kommune)
    if act.conn.execute(_query(identity, role, code)).scalar_one():
        raise RuleError(f"{identity} har allerede rollen {role}{_of(code)}.")
    row = {"identity": identity, "role": role.value, "kommune_code": code}
    act.conn.execute(insert(tables.role_grant).values(**row, granted_at=act.now, granted_by=act.actor))
    act.audit(Action.ROLE_GRANTED, f"role:{identity}", kommune_code=code or None, after=row)


def revoke_role(act: Act, identity: str, role: Role, kommune: str | None = None) -> None:
    """Take a role from somebody. RuleError where they do not have it, or are the last administrator."""
    identity, code = identity.strip(), _code(act.conn, role, kommune)
    if not act.conn.execute(_query(identity, role, code)).scalar_one():
        raise RuleError(f"{identity} har ikke rollen {role}{_of(code)}.")
    table = tables.role_grant
    administrators = select(func.count()).where(table.c.role == Role.ADMINISTRATOR.value)
    if role is Role.ADMINISTRATOR and act.conn.execute(administrators).scalar_one() == 1:
        raise RuleError(
            f"{identity} er den eneste administrator. Giv først rollen til en anden: "
            "sundhedsagent role grant BRUGER administrator"
        )
    act.conn.execute(
        delete(table).where(
            table.c.identity == identity, table.c.role == role.value, table.c.kommune_code == code
        )
    )
    row = {"identity": identity, "role": role.value, "kommune_code": code}
    act.audit(Action.ROLE_REVOKED, f"role:{identity}", kommune_code=code or None, before=row)


def _query(identity: str, role: Role, code: str) -> Select[int]:
    table = tables.role_grant
    return select(func.count()).where(
        table.c.identity == identity, table.c.role == role.value, table.c.kommune_code == code
    )


def _code(conn: Connection, role: Role, kommune: str | None) -> str:
    if role is not Role.KOMMUNE:
        if kommune is not None:
            raise RuleError(f"Rollen {role} gælder alle kommuner; kun rollen kommune gives for én kommune.")
        return ""
    if kommune is None:
        raise RuleError("Rollen kommune gives for én kommune: angiv den med --kommune KODE.")
    return find_kommune(conn, kommune).code


def _of(code: str) -> str:
    return f" for {code}" if code else ""
