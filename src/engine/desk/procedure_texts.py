"""The texts of a checklist, filled in with what is known of the kommune, the system and the switchover."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from engine.desk.typed import KOMMUNE_ROW, TypedField, typed_values
from engine.domain.procedure import Addressee, Text
from engine.local_time import planned_text
from engine.settings import Settings
from engine.store import tables

MISSING = {
    "kommune": "kommunens navn",
    "contact_email": "kontaktpunktets e-mail",
    "administrator": "Sundhedsagentadministratorens navn",
    "system": "systemets navn",
    "uuid": "systemets UUID",
    "vendor": "leverandørens navn",
    "vendor_email": "leverandørens system-e-mail",
    "area": "forvaltningsområdet",
    "agreed_by": "hvem der har aftalt det",
    "old_system": "det nuværende primære system",
    "new_system": "det nye primære system",
    "switchover": "omlægningens nummer",
    "at": "tidspunktet for omlægningen",
    "supplier": "leverandøren af Sundhedsagenten",
    "supplier_email": "hotlinens e-mail",
    "supplier_phone": "hotlinens telefon",
    "medcom_email": "MedComs e-mail",
    "medcom_url": "MedComs vejledning",
    "driftstatus_url": "adressen på driftstatus",
}
"""Every placeholder, with what it is called where it is not known."""


@dataclass(frozen=True, slots=True)
class ReadyText:
    """A message ready to send; `address` where it is known."""

    to: Addressee
    address: str | None
    subject: str
    body: str


def fill_in(text: Text, known: Mapping[str, str]) -> ReadyText:
    """The text with its placeholders filled in; what is not known shows in brackets."""
    address = {Addressee.VENDOR: "vendor_email", Addressee.KOMMUNE: "contact_email"}.get(text.to)
    values = _Missing(known)
    return ReadyText(
        text.to,
        known.get(address) if address else None,
        text.subject.format_map(values),
        text.body.format_map(values),
    )


def placeholders(conn: Connection, procedure_id: int, settings: Settings) -> dict[str, str]:
    """What is known for the texts of one checklist; empty values are left out."""
    procedure = tables.procedure
    row = conn.execute(select(procedure).where(procedure.c.id == procedure_id)).one()
    known = _of_kommune(conn, row.kommune_code) | _of_settings(settings) | {"system": row.subject}
    if row.receiver_id is not None:
        known |= _of_system(conn, tables.receiver, row.receiver_id)
    if row.noted_receiver_id is not None:
        known |= _of_system(conn, tables.noted_receiver, row.noted_receiver_id)
    if row.switchover_id is not None:
        known |= _of_switchover(conn, row.switchover_id)
    return {name: value for name, value in known.items() if value}


class _Missing(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"[mangler: {MISSING[name]}]"


def _of_kommune(conn: Connection, code: str) -> dict[str, str]:
    kommune, connection = tables.kommune, tables.connection
    query = (
        select(kommune.c.name, connection.c.contact_email)
        .outerjoin(connection, connection.c.kommune_code == kommune.c.code)
        .where(kommune.c.code == code)
    )
    name, email = conn.execute(query).one()
    typed = typed_values(conn, code).get((code, KOMMUNE_ROW, TypedField.ADMINISTRATOR))
    return {"kommune": name, "contact_email": email or "", "administrator": typed.value if typed else ""}


def _of_settings(settings: Settings) -> dict[str, str]:
    parties = settings.parties
    return {
        "supplier": parties.supplier,
        "supplier_email": parties.supplier_email,
        "supplier_phone": parties.supplier_phone,
        "medcom_email": parties.medcom_email,
        "medcom_url": parties.medcom_url,
        "driftstatus_url": parties.driftstatus_url,
    }


def _of_system(conn: Connection, table: Any, row_id: int) -> dict[str, str]:
    row = conn.execute(select(table).where(table.c.id == row_id)).one()
    return {
        "system": row.name,
        "uuid": row.system_uuid or "",
        "vendor": row.vendor,
        "vendor_email": row.vendor_email,
        "area": row.area,
        "agreed_by": row.agreed_by,
    }


def _of_switchover(conn: Connection, switchover_id: int) -> dict[str, str]:
    table, old, new = tables.switchover, tables.receiver.alias("old"), tables.receiver.alias("new")
    query = (
        select(
            table.c.at,
            old.c.name.label("old"),
            new.c.name.label("new"),
            old.c.vendor_email.label("old_email"),
            new.c.vendor_email.label("new_email"),
        )
        .join(old, old.c.id == table.c.from_receiver_id)
        .join(new, new.c.id == table.c.to_receiver_id)
        .where(table.c.id == switchover_id)
    )
    row = conn.execute(query).one()
    return {
        "switchover": str(switchover_id),
        "at": planned_text(row.at),
        "old_system": row.old,
        "new_system": row.new,
        "vendor_email": ", ".join(dict.fromkeys((row.old_email, row.new_email))),
    }
