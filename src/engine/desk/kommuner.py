"""A kommune as a whole: connecting it, its address, and its contact point (the handbook's section 4)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from engine.desk.act import Act, changed
from engine.desk.connection import ContactPoint, connected, is_connected
from engine.desk.facts import GivenFacts
from engine.desk.procedures import start_procedure
from engine.desk.receivers import Registered, insert_first_receiver
from engine.desk.registry import find_kommune
from engine.domain.audit import Action
from engine.domain.events import EventKind
from engine.domain.registration import checked_email, checked_gln, checked_sor, checked_text
from engine.errors import RuleError
from engine.store import tables

_CONTACT = "kontaktpunktets e-mailadresse"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectKommune:
    """A kommune: the unit that hospitals address, the contact point, and the first receiver, its primary."""

    code: str
    gln: str
    sor: str
    contact_email: str
    primary: GivenFacts
    contact_note: str = ""


def connect_kommune(act: Act, order: ConnectKommune, *, checklists: bool = True) -> Registered:
    """Connect a kommune; RuleError where the registry or a rule refuses it."""
    kommune = find_kommune(act.conn, order.code)
    if is_connected(act.conn, kommune.code):
        raise RuleError(f"{kommune.name} ({kommune.code}) er allerede tilsluttet.")
    gln, sor = _free_gln(act.conn, order.gln, kommune.code), checked_sor(order.sor)
    email, note = checked_email(order.contact_email, _CONTACT), checked_text(order.contact_note, "noten")
    primary = insert_first_receiver(act, kommune, order.primary)
    act.conn.execute(insert(tables.unit).values(gln=gln, sor=sor, kommune_code=kommune.code))
    row = {"primary_receiver_id": primary.receiver_id, "contact_email": email, "contact_note": note}
    act.conn.execute(insert(tables.connection).values(kommune_code=kommune.code, connected_at=act.now, **row))
    act.audit(
        Action.KOMMUNE_CONNECTED,
        _subject(kommune.code),
        kommune_code=kommune.code,
        after={"gln": gln, "sor": sor, "primary": primary.receiver_name, **row},
    )
    act.event(
        EventKind.KOMMUNE_CONNECTED,
        kommune_code=kommune.code,
        kommune=kommune.name,
        receiver=primary.receiver_name,
        receiver_id=primary.receiver_id,
        system_uuid=primary.system_uuid,
        gln=gln,
        sor=sor,
    )
    if checklists:
        start_procedure(act, kommune.code, "4", subject=f"Kontaktpunkt {email}")
    return primary


def change_kommune(
    act: Act, code: str, *, gln: str | None = None, sor: str | None = None, seen: int | None = None
) -> bool:
    """Correct the address that hospitals use; whether it changed."""
    kommune, contact = connected(act.conn, code)
    unit = tables.unit
    query = select(unit.c.gln, unit.c.sor).where(unit.c.kommune_code == kommune.code).order_by(unit.c.gln)
    row = act.conn.execute(query.limit(1)).one()
    new = {
        "gln": row.gln if gln in {None, row.gln} else _free_gln(act.conn, gln or "", kommune.code),
        "sor": row.sor if sor is None else checked_sor(sor),
    }
    before, after = changed({"gln": row.gln, "sor": row.sor}, new)
    act.refuse_outdated(
        _subject(kommune.code),
        kommune.name,
        seen=seen,
        version=contact.version,
        now=_in_words({"gln": row.gln, "sor": row.sor}),
        wanted=_in_words(after),
    )
    if not after:
        return False
    act.conn.execute(update(unit).where(unit.c.gln == row.gln).values(**new))
    _count_change(act, kommune.code)
    act.audit(
        Action.KOMMUNE_CHANGED, _subject(kommune.code), kommune_code=kommune.code, before=before, after=after
    )
    return True


def contact_point(conn: Connection, code: str) -> ContactPoint:
    """The contact point of a connected kommune."""
    return connected(conn, code)[1]


def set_contact(
    act: Act,
    code: str,
    *,
    email: str | None = None,
    note: str | None = None,
    seen: int | None = None,
    checklists: bool = True,
) -> bool:
    """Change the contact point; whether it changed. Old and new stay in the audit log, which is its history."""
    kommune, contact = connected(act.conn, code)
    new = {
        "contact_email": contact.email if email is None else checked_email(email, _CONTACT),
        "contact_note": contact.note if note is None else checked_text(note, "noten"),
    }
    old = {"contact_email": contact.email, "contact_note": contact.note}
    before, after = changed(old, new)
    what = f"Kontaktpunktet i {kommune.name}"
    act.refuse_outdated(
        _subject(kommune.code),
        what,
        seen=seen,
        version=contact.version,
        now=_in_words(old),
        wanted=_in_words(after),
    )
    if not after:
        return False
    row = tables.connection
    act.conn.execute(update(row).where(row.c.kommune_code == kommune.code).values(**new))
    _count_change(act, kommune.code)
    act.audit(
        Action.CONTACT_CHANGED, _subject(kommune.code), kommune_code=kommune.code, before=before, after=after
    )
    if checklists and "contact_email" in after:
        start_procedure(act, kommune.code, "4", subject=f"Kontaktpunkt {new['contact_email']}")
    return True


@dataclass(frozen=True, slots=True)
class ContactChange:
    """One contact point that a kommune has had."""

    at: datetime
    by: str
    email: str | None  # None: unchanged
    note: str | None


def contact_history(conn: Connection, code: str) -> list[ContactChange]:
    """Every contact point that the kommune has had, the newest first, from the audit log."""
    table = tables.audit
    kinds = (Action.KOMMUNE_CONNECTED.value, Action.CONTACT_CHANGED.value)
    query = (
        select(table.c.at, table.c.actor, table.c.after)
        .where(table.c.subject == _subject(code), table.c.action.in_(kinds))
        .order_by(table.c.id.desc())
    )
    found = ((at, actor, json.loads(after)) for at, actor, after in conn.execute(query))
    return [
        ContactChange(at, actor, after.get("contact_email"), after.get("contact_note"))
        for at, actor, after in found
    ]


def _count_change(act: Act, code: str) -> None:
    table = tables.connection
    act.conn.execute(update(table).where(table.c.kommune_code == code).values(version=table.c.version + 1))


def _free_gln(conn: Connection, text: str, code: str) -> str:
    gln = checked_gln(text)
    unit, kommune = tables.unit, tables.kommune
    query = (
        select(kommune.c.code, kommune.c.name)
        .join(unit, unit.c.kommune_code == kommune.c.code)
        .where(unit.c.gln == gln)
    )
    taken = conn.execute(query).one_or_none()
    if taken is not None:
        whose = "kommunen selv" if taken.code == code else f"{taken.name} ({taken.code})"
        raise RuleError(f"GLN {gln} bruges allerede af {whose}.")
    return gln


_WORDS = {"contact_email": "e-mail", "contact_note": "andre kanaler", "gln": "GLN", "sor": "SOR"}


def _in_words(values: Mapping[str, str]) -> dict[str, str]:
    return {_WORDS[name]: value for name, value in values.items()}


def _subject(code: str) -> str:
    return f"kommune:{code}"
