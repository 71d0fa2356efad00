"""Who sits at the desk, and what their role lets them do. Unknown means no access."""

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, select

from engine.errors import AccessError
from engine.store.tables import kommune, role_grant


class Role(StrEnum):
    HOTLINE = "hotline"  # monitors, traces
    ADMINISTRATOR = "administrator"  # also receivers, kommuner, template, roles
    AUDITOR = "auditor"  # reads everything, changes nothing
    KOMMUNE = "kommune"  # its own kommune: reads, fills in, asks


READERS = (Role.HOTLINE, Role.ADMINISTRATOR, Role.AUDITOR)
"""Those who may read of all kommuner."""

ONLY_READING = "Her kan kun læses. Ændringer gøres i en konsol, der er åbnet til det."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, with the roles that were granted to them; `kommuner` are those of the role kommune.

    `only_reads`: they came in by a way on which nothing can be changed, whatever their roles are.
    """

    identity: str
    roles: frozenset[Role]
    kommuner: frozenset[str]
    only_reads: bool = False

    @property
    def why_no_change(self) -> str | None:
        """Why they can change nothing at all here, Danish; None where it depends on their roles."""
        return ONLY_READING if self.only_reads else None

    @property
    def reads_all(self) -> bool:
        return not self.roles.isdisjoint(READERS)

    def may_read(self, code: str) -> bool:
        return self.reads_all or code in self.kommuner

    def may_fill_in(self, code: str) -> bool:
        """Whether the caller may fill in this kommune's template, checklists and contact point."""
        return not self.only_reads and (Role.ADMINISTRATOR in self.roles or code in self.kommuner)


def caller_identity(home: Path | None = None) -> str:
    """The operating system's user: the name, or the number where it has none.

    Whoever works by sudo as the owner of the `home` is still themselves: sudo says who called it, and makes nobody the
    owner whom its rules do not let. Root is nobody in particular, and counts as the owner. To another's home the
    variable proves nothing, for anybody can set it. None is a home that is about to be made, by its owner.
    """
    uid = os.getuid()
    if home is None or home.stat().st_uid == uid:
        uid = _caller_of_sudo() or uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"


def _caller_of_sudo() -> int | None:
    text = os.environ.get("SUDO_UID", "")
    return int(text) if text.isascii() and text.isdigit() else None


def caller_of(conn: Connection, identity: str) -> Caller:
    """The roles of `identity`; none is a caller without access."""
    rows = conn.execute(
        select(role_grant.c.role, role_grant.c.kommune_code).where(role_grant.c.identity == identity)
    ).all()
    return Caller(
        identity,
        frozenset(Role(row.role) for row in rows if row.role in set(Role)),
        frozenset(row.kommune_code for row in rows if row.role == Role.KOMMUNE),
    )


def require(conn: Connection, identity: str, *roles: Role) -> Caller:
    """The caller; AccessError unless they have one of `roles`. It says what is lacking and who can grant it."""
    caller = caller_of(conn, identity)
    if caller.roles.isdisjoint(roles):
        raise AccessError(_refusal(conn, caller, _either(roles)))
    return caller


def require_kommune(conn: Connection, caller: Caller, code: str, *, to_fill_in: bool) -> None:
    """AccessError unless the caller may read, or fill in, what is this kommune's own."""
    if caller.may_fill_in(code) if to_fill_in else caller.may_read(code):
        return
    others = (Role.ADMINISTRATOR,) if to_fill_in else READERS
    needed = f"{_either(others)}, eller rollen kommune for {code}"
    raise AccessError(_refusal(conn, caller, needed))


def _refusal(conn: Connection, caller: Caller, needed: str) -> str:
    query = select(role_grant.c.identity).where(role_grant.c.role == Role.ADMINISTRATOR).distinct()
    administrators = ", ".join(sorted(conn.execute(query).scalars())) or "ingen"
    return (
        f"Brugeren {caller.identity} {_held(conn, caller)} i denne hjemmemappe; det kræver rollen {needed}. "
        f"En administrator kan give den (her: {administrators})."
    )


def _either(roles: Sequence[Role]) -> str:
    *others, last = roles
    return f"{', '.join(others)} eller {last}" if others else str(last)


def _held(conn: Connection, caller: Caller) -> str:
    if not caller.roles:
        return "har ingen rolle"
    names = conn.execute(select(kommune.c.name).where(kommune.c.code.in_(caller.kommuner))).scalars()
    of_kommuner = f" for {', '.join(sorted(names))}" if caller.kommuner else ""
    return f"har kun rollen {', '.join(sorted(caller.roles))}{of_kommuner}"
