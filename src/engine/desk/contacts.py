"""Whom to call: the people behind a system, a kommune and the infrastructure."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from engine.desk.typed import KOMMUNE_ROW, TypedField, receiver_row
from engine.settings import Settings
from engine.store import tables

if TYPE_CHECKING:
    from engine.desk.cases import CaseLine


@dataclass(frozen=True, slots=True)
class Contact:
    """`role` is Danish. What is not known is empty."""

    role: str
    name: str
    email: str = ""
    phone: str = ""

    @property
    def shown(self) -> str:
        """On one line, Danish."""
        return ", ".join(part for part in (f"{self.role}: {self.name}", self.email, self.phone) if part)


def vendors(conn: Connection, receiver_ids: Collection[int]) -> dict[int, Contact]:
    """The vendor of each receiver, with the person there that somebody has typed in."""
    receiver, typed = tables.receiver, tables.typed_field
    query = select(receiver.c.id, receiver.c.kommune_code, receiver.c.vendor, receiver.c.vendor_email).where(
        receiver.c.id.in_(receiver_ids)
    )
    rows = conn.execute(query).all()
    people = {
        (row.kommune_code, row.sheet_row): row.value
        for row in conn.execute(
            select(typed.c.kommune_code, typed.c.sheet_row, typed.c.value).where(
                typed.c.field == TypedField.VENDOR_CONTACT.value,
                typed.c.kommune_code.in_({row.kommune_code for row in rows}),
            )
        )
    }
    return {
        row.id: Contact(
            "Leverandør",
            " – ".join(filter(None, (row.vendor, people.get((row.kommune_code, receiver_row(row.id)))))),
            row.vendor_email,
        )
        for row in rows
    }


def contact_points(conn: Connection, codes: Collection[str]) -> dict[str, Contact]:
    """The contact point of each kommune that is connected."""
    kommune, connection = tables.kommune, tables.connection
    query = (
        select(kommune.c.code, kommune.c.name, connection.c.contact_email)
        .join(connection, connection.c.kommune_code == kommune.c.code)
        .where(kommune.c.code.in_(codes))
    )
    return {row.code: Contact("Kontaktpunkt", row.name, row.contact_email) for row in conn.execute(query)}


def administrator(conn: Connection, code: str) -> Contact | None:
    """The kommune's own Sundhedsagentadministrator, where somebody has typed in who that is."""
    typed = tables.typed_field
    query = select(typed.c.value).where(
        typed.c.kommune_code == code,
        typed.c.sheet_row == KOMMUNE_ROW,
        typed.c.field == TypedField.ADMINISTRATOR.value,
    )
    name = conn.execute(query).scalar()
    return Contact("Sundhedsagentadministrator", name) if name else None


def case_contacts(conn: Connection, settings: Settings, case: "CaseLine") -> tuple[Contact, ...]:
    """Whom to call about a case: the vendor or the Beskedfordeler, then the kommune."""
    points = tuple(contact_points(conn, [case.kommune]).values())
    if case.receiver_uuid is None:
        return (beskedfordeler(settings), *points)
    receiver = tables.receiver
    query = select(receiver.c.id).where(
        receiver.c.kommune_code == case.kommune, receiver.c.system_uuid == case.receiver_uuid
    )
    people = vendors(conn, list(conn.execute(query.order_by(receiver.c.id.desc()).limit(1)).scalars()))
    return (*people.values(), *points)


def hotline(settings: Settings) -> Contact:
    parties = settings.parties
    return Contact("Hotline", parties.supplier, parties.supplier_email, parties.supplier_phone)


def beskedfordeler(settings: Settings) -> Contact:
    return Contact("Beskedfordeler", settings.parties.beskedfordeler, settings.incident.beskedfordeler_email)
