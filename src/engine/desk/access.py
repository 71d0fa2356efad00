"""Who sits at the desk, and what their role lets them do. Unknown means no access."""

import os
import pwd
from enum import StrEnum

from sqlalchemy import Connection, select

from engine.errors import AccessError
from engine.store.tables import role_grant


class Role(StrEnum):
    HOTLINE = "hotline"  # monitors, traces
    ADMINISTRATOR = "administrator"  # also receivers and kommuner
    AUDITOR = "auditor"  # reads everything, changes nothing
    KOMMUNE = "kommune"  # reads its own kommune


READERS = (Role.HOTLINE, Role.ADMINISTRATOR, Role.AUDITOR)
"""Those who may read of all kommuner."""


def caller_identity() -> str:
    """The operating system's user: the name, or the number where it has none."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"


def roles_of(conn: Connection, identity: str) -> frozenset[Role]:
    """The roles that were granted to `identity`."""
    found = conn.execute(select(role_grant.c.role).where(role_grant.c.identity == identity)).scalars()
    return frozenset(Role(role) for role in found if role in set(Role))


def require(conn: Connection, identity: str, *roles: Role) -> None:
    """AccessError unless `identity` has one of `roles`; it says what is lacking and who can grant it."""
    held = roles_of(conn, identity)
    if held & set(roles):
        return
    needed = " eller ".join(roles)
    has = f"har kun rollen {', '.join(sorted(held))}" if held else "har ingen rolle"
    query = select(role_grant.c.identity).where(role_grant.c.role == Role.ADMINISTRATOR).distinct()
    administrators = ", ".join(sorted(conn.execute(query).scalars())) or "ingen"
    raise AccessError(
        f"Brugeren {identity} {has} i denne hjemmemappe; det kræver rollen {needed}. "
        f"En administrator kan give den (her: {administrators})."
    )
