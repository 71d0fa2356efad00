"""A kommune's template (the handbook's annex): who takes part in its Sundhedsagenten, and how to reach them.

What the registry and the settings know is read anew each time, so it follows them; the rest is typed in.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, literal, select, union_all

from engine.desk.act import Act
from engine.desk.registry import KommuneName, find_kommune
from engine.desk.typed import (
    KOMMUNE_ROW,
    TypedField,
    TypedValue,
    noted_row,
    receiver_row,
    type_field,
    typed_values,
)
from engine.domain.registration import begun
from engine.errors import NotFoundError, RuleError
from engine.local_time import date_text, local_date
from engine.settings import PartiesSettings, Settings
from engine.store import tables

TITLE = "Skabelon til forvaltning af Sundhedsagenten"

_Typed = Mapping[tuple[str, str, TypedField], TypedValue]


class Origin(StrEnum):
    """Where a field's value comes from, and so where it is changed."""

    REGISTRY = "registry"
    TYPED = "typed"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a row. Who, when and version belong to what is typed in; version 0: nothing ever was."""

    key: str
    label: str
    value: str
    origin: Origin
    typed_at: datetime | None = None
    typed_by: str | None = None
    version: int | None = None
    missing: bool = False  # it is empty and should not be


@dataclass(frozen=True, slots=True)
class Row:
    """One Interessent; `key` is the typed fields' row where it has any."""

    key: str
    party: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """The sheet of one kommune, connected or not."""

    kommune_code: str
    kommune_name: str
    made_at: datetime
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        return f"{TITLE} – {self.kommune}"

    @property
    def kommune(self) -> str:
        return f"{self.kommune_name} ({self.kommune_code})"


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that is still to be filled in."""

    row: str
    party: str
    label: str


def template_of(conn: Connection, kommune_code: str, settings: Settings, now: datetime) -> Template:
    """The template of one kommune; NotFoundError where none has that code."""
    found = all_templates(conn, settings, now, only=(kommune_code,))
    if not found:
        raise NotFoundError(f"Ingen kommune har koden {kommune_code!r}.")
    return found[0]


def all_templates(
    conn: Connection, settings: Settings, now: datetime, only: Collection[str] | None = None
) -> list[Template]:
    """The templates by kommune code, of all or of `only` these; as many queries for 98 as for one."""
    kommune, connection = tables.kommune, tables.connection
    query = (
        select(kommune.c.code, kommune.c.name, connection.c.contact_email, connection.c.contact_note)
        .outerjoin(connection, connection.c.kommune_code == kommune.c.code)
        .order_by(kommune.c.code)
    )
    if only is not None:
        query = query.where(kommune.c.code.in_(only))
    rows = conn.execute(query).all()
    typed = typed_values(conn, rows[0].code if len(rows) == 1 else None)
    systems = _systems(conn, only, typed)
    fixed = _fixed_rows(settings.parties)
    return [
        Template(row.code, row.name, now, (_kommune_row(row, typed), *systems.get(row.code, ()), *fixed))
        for row in rows
    ]


def missing(template: Template) -> list[Missing]:
    """What is still to be filled in: typed in, or put right in the registry."""
    return [
        Missing(row.key, row.party, field.label)
        for row in template.rows
        for field in row.fields
        if field.missing
    ]


def set_field(
    act: Act,
    kommune_code: str,
    field: TypedField,
    value: str,
    *,
    receiver: str | None = None,
    seen: int | None = None,
) -> bool:
    """Type in one field; whether it changed. `receiver` is the system's UUID or name, where the field is a system's.

    RuleError where that names none or several, OutdatedError where `seen` is not the field's version any more.
    """
    from engine.desk.procedures import fulfil  # noqa: PLC0415 - the checklists are needed by this alone

    kommune = find_kommune(act.conn, kommune_code)
    if field is not TypedField.ADMINISTRATOR:
        row = _system_row(act.conn, kommune, field, receiver)
        return type_field(act, kommune.code, row, field, value, seen=seen)
    if receiver is not None:
        raise RuleError(f"Feltet {field.danish} er kommunens eget; angiv intet modtagersystem.")
    done = type_field(act, kommune.code, KOMMUNE_ROW, field, value, seen=seen)
    if value.strip():
        # Also where nothing changed: a checklist may have been begun since.
        fulfil(act, kommune.code, "administrator-named")
    return done


def set_field_of_row(
    act: Act, kommune_code: str, row: str, field: TypedField, value: str, *, seen: int | None = None
) -> bool:
    """As set_field, where the row is known from the template itself."""
    kommune = find_kommune(act.conn, kommune_code)
    if row == KOMMUNE_ROW:
        return set_field(act, kommune_code, field, value, seen=seen)
    if row not in {key for key, _, _ in _named_systems(act.conn, kommune.code)}:
        raise RuleError("Systemet står ikke længere i skabelonen; det er fjernet imens. Intet er ændret.")
    return type_field(act, kommune.code, row, field, value, seen=seen)


def _system_row(conn: Connection, kommune: KommuneName, field: TypedField, text: str | None) -> str:
    """The row of the system that `text` names by UUID or name, among those that acknowledge and those that do not."""
    every = _named_systems(conn, kommune.code)
    listed = "".join(f"\n  {name} ({uuid or 'uden UUID'})" for _, name, uuid in every) or "\n  (ingen)"
    if text is None or not text.strip():
        raise RuleError(f"Feltet {field.danish} hører til et modtagersystem; angiv hvilket:{listed}")
    wanted = _folded(text)
    found = [item for item in every if wanted in {item[2], _folded(item[1])}]
    if len(found) > 1:
        listed = "".join(f"\n  {name} ({uuid or 'uden UUID'})" for _, name, uuid in found)
        raise RuleError(f"Flere modtagersystemer i {kommune.name} hedder {text!r}; brug UUID:{listed}")
    if not found:
        raise RuleError(f"{kommune.name} har intet modtagersystem {text!r} i sin skabelon. Der er:{listed}")
    return found[0][0]


def _named_systems(conn: Connection, code: str) -> list[tuple[str, str, str | None]]:
    """(row, name, UUID) of a kommune's systems."""
    receiver, noted = tables.receiver, tables.noted_receiver
    acknowledging, others = (
        select(literal(place).label("place"), table.c.id, table.c.name, table.c.system_uuid).where(
            table.c.kommune_code == code, table.c.removed_at.is_(None)
        )
        for place, table in enumerate((receiver, noted))
    )
    query = union_all(acknowledging, others).order_by("place", "id")
    return [
        (noted_row(number) if place else receiver_row(number), name, uuid)
        for place, number, name, uuid in conn.execute(query)
    ]


def _folded(text: str) -> str:
    # Some keyboards and file systems write "å" as two characters.
    return unicodedata.normalize("NFC", text.strip()).casefold()


def _kommune_row(row: Any, typed: _Typed) -> Row:
    return Row(
        KOMMUNE_ROW,
        "Kommune",
        (
            _registered("name", "Kommune", f"{row.name} ({row.code})"),
            _typed(typed, row.code, KOMMUNE_ROW, TypedField.ADMINISTRATOR),
            _registered("contact-email", "Kontaktpunkt", row.contact_email or ""),
            _registered("contact-note", "Supplerende kanaler", row.contact_note or "", needed=False),
        ),
    )


def _systems(conn: Connection, only: Collection[str] | None, typed: _Typed) -> Mapping[str, Sequence[Row]]:
    """Kommune code → its systems' rows: the primary, the others that acknowledge, those that do not."""
    connection, receiver, noted = tables.connection, tables.receiver, tables.noted_receiver
    is_primary = connection.c.primary_receiver_id.is_not(None)
    acknowledging = (
        select(receiver, is_primary.label("is_primary"))
        .outerjoin(connection, connection.c.primary_receiver_id == receiver.c.id)
        .where(receiver.c.removed_at.is_(None))
        .order_by(is_primary.desc(), receiver.c.id)
    )
    others = select(noted).where(noted.c.removed_at.is_(None)).order_by(noted.c.id)
    if only is not None:
        acknowledging = acknowledging.where(receiver.c.kommune_code.in_(only))
        others = others.where(noted.c.kommune_code.in_(only))
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in conn.execute(acknowledging):
        part = _registered("primary", "Primær", "ja" if row.is_primary else "nej")
        rows[row.kommune_code].append(_system(row, receiver_row(row.id), "", part, row.added_at, typed))
    for row in conn.execute(others):
        part = _registered("acknowledges", "Kvittering", "uden kvittering")
        key, mark = noted_row(row.id), " (uden kvittering)"
        rows[row.kommune_code].append(_system(row, key, mark, part, row.noted_at, typed))
    return rows


def _system(row: Any, key: str, mark: str, part: Field, since: datetime, typed: _Typed) -> Row:
    connected_on = date.fromisoformat(row.connected_on) if row.connected_on else local_date(since)
    code = row.kommune_code
    return Row(
        key,
        f"Leverandør af modtagersystem {row.name}{mark}",
        (
            _typed(typed, code, key, TypedField.LOCAL_CONTACT),
            _registered("vendor", "Leverandørnavn", row.vendor),
            _registered("name", "Systemnavn", row.name),
            part,
            _typed(typed, code, key, TypedField.VENDOR_CONTACT),
            _registered("vendor-email", "Leverandørens system-e-mail", row.vendor_email),
            _registered("connected-on", "Tilslutningsdato", date_text(connected_on)),
            _typed(typed, code, key, TypedField.COMMENT),
        ),
    )


def _registered(key: str, label: str, value: str, *, needed: bool = True) -> Field:
    return Field(key, label, value, Origin.REGISTRY, missing=needed and not value)


def _typed(typed: _Typed, code: str, row: str, field: TypedField) -> Field:
    found = typed.get((code, row, field), TypedValue())
    return Field(
        field.value,
        begun(field.danish),
        found.value,
        Origin.TYPED,
        found.typed_at,
        found.typed_by,
        found.version,
        # A comment is for where there is something to say.
        missing=field is not TypedField.COMMENT and not found.value,
    )


def _fixed_rows(parties: PartiesSettings) -> tuple[Row, ...]:
    """The parties that all kommuner share. What a setting leaves empty shows as a dash."""
    supplier = "leverandør af Sundhedsagenten"
    return (
        _party(
            "supplier",
            f"{parties.supplier} ({supplier})" if parties.supplier else begun(supplier),
            ("email", "E-mail", parties.supplier_email),
            ("phone", "Vagtnummer", parties.supplier_phone),
            as_of=parties.supplier_as_of,
        ),
        _party(
            "medcom",
            "MedCom (certificering af leverandører)",
            ("email", "E-mail", parties.medcom_email),
            ("url", "Vejledning", parties.medcom_url),
            as_of=parties.medcom_as_of,
        ),
        _party(
            "kombit",
            "KOMBIT",
            ("product-owner", "Produktejer (PE)", parties.kombit_product_owner),
            ("email", "E-mail", parties.kombit_email),
            as_of=parties.kombit_as_of,
        ),
    )


def _party(key: str, party: str, *lines: tuple[str, str, str], as_of: str) -> Row:
    fields = [Field(*line, Origin.SETTINGS) for line in lines]
    told = Field("as-of", "Oplyst pr.", date_text(date.fromisoformat(as_of)), Origin.SETTINGS)
    return Row(key, party, (*fields, told))
