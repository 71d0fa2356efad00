"""What the registry does not know of a kommune and its systems: typed in by people, kept with who and when."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select, update

from engine.desk.act import Act
from engine.domain.audit import Action
from engine.domain.registration import checked_text
from engine.store import tables

KOMMUNE_ROW = "kommune"


class TypedField(StrEnum):
    """The fields of the template that are typed in."""

    ADMINISTRATOR = "administrator"  # of the kommune: its Sundhedsagentadministrator
    LOCAL_CONTACT = "local-contact"  # of a system: the kommune's own person, such as the system owner
    VENDOR_CONTACT = "vendor-contact"
    COMMENT = "comment"

    @property
    def danish(self) -> str:
        return _DANISH[self]


_DANISH = {
    TypedField.ADMINISTRATOR: "Sundhedsagentadministrator",
    TypedField.LOCAL_CONTACT: "lokal kontakt",
    TypedField.VENDOR_CONTACT: "kontakt hos leverandøren",
    TypedField.COMMENT: "kommentar",
}

OF_A_SYSTEM = (TypedField.LOCAL_CONTACT, TypedField.VENDOR_CONTACT, TypedField.COMMENT)


@dataclass(frozen=True, slots=True)
class TypedValue:
    """What stands in one field. Version 0: nothing was ever typed."""

    value: str = ""
    typed_at: datetime | None = None
    typed_by: str | None = None
    version: int = 0


def receiver_row(receiver_id: int) -> str:
    return f"receiver:{receiver_id}"


def noted_row(noted_id: int) -> str:
    return f"noted:{noted_id}"


def typed_values(
    conn: Connection, kommune_code: str | None = None
) -> dict[tuple[str, str, TypedField], TypedValue]:
    """(kommune code, row, field) → value, of one kommune or of all."""
    table = tables.typed_field
    query = select(table)
    if kommune_code is not None:
        query = query.where(table.c.kommune_code == kommune_code)
    return {
        (row.kommune_code, row.sheet_row, TypedField(row.field)): TypedValue(
            row.value, row.typed_at, row.typed_by, row.version
        )
        for row in conn.execute(query)
    }


def type_field(
    act: Act, kommune_code: str, row: str, field: TypedField, value: str, *, seen: int | None = None
) -> bool:
    """Write one field; whether it changed. `seen` is the version that the caller looked at (OutdatedError)."""
    table = tables.typed_field
    text = checked_text(value, field.danish)
    at = (table.c.kommune_code == kommune_code, table.c.sheet_row == row, table.c.field == field.value)
    found = act.conn.execute(select(table.c.value, table.c.version).where(*at)).one_or_none()
    before, version = (found.value, found.version) if found else ("", 0)
    subject = f"typed:{kommune_code}:{row}:{field}"
    act.refuse_outdated(
        subject,
        f"Feltet {field.danish}",
        seen=seen,
        version=version,
        now={field.danish: before},
        wanted={field.danish: text},
    )
    if text == before:
        return False
    values = {"value": text, "typed_at": act.now, "typed_by": act.actor, "version": version + 1}
    if found is None:
        key = {"kommune_code": kommune_code, "sheet_row": row, "field": field.value}
        act.conn.execute(insert(table).values(**key, **values))
    else:
        act.conn.execute(update(table).where(*at).values(**values))
    act.audit(
        Action.FIELD_TYPED,
        subject,
        kommune_code=kommune_code,
        before={field.value: before},
        after={field.value: text},
    )
    return True
