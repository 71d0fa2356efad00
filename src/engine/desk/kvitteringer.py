"""Kvitteringer looked at one by one: the uafklarede, and all about one without its content."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, literal_column, select

from engine.domain.acknowledgement import Disposition, ResponseCode
from engine.errors import NotFoundError
from engine.store import tables


@dataclass(frozen=True, slots=True)
class KvitteringLine:
    """One kvittering. `sender` is the registered name of the system, where one in service or removed has its UUID: in
    the kommune of the kvittering if there is one, else in `sender_kommune`.
    """

    id: int
    received_at: datetime
    kommune: str | None
    kommune_name: str | None
    system_uuid: str | None
    sender: str | None
    sender_kommune: str | None
    sender_kommune_name: str | None
    vendor: str | None
    vendor_email: str | None
    code: ResponseCode
    response_identifier: str  # the MessageHeader.id that it acknowledges
    disposition: Disposition
    reason: str | None
    advis_id: int | None
    handled_at: datetime | None
    handled_by: str | None
    handled_note: str | None


def list_unmatched(
    conn: Connection, *, only: Collection[str] | None = None, every: bool = False, limit: int = 1_000
) -> list[KvitteringLine]:
    """The uafklarede that nobody has handled, the oldest first; with `every` the handled ones too."""
    kvittering = tables.kvittering
    query = _rows().where(kvittering.c.disposition == literal_column("'unmatched'"))
    if only is not None:
        query = query.where(kvittering.c.kommune_code.in_(only))
    if not every:
        query = query.where(tables.handled.c.subject.is_(None))
    return [
        _view(row)
        for row in conn.execute(query.order_by(kvittering.c.received_at, kvittering.c.id).limit(limit))
    ]


def show_kvittering(
    conn: Connection, kvittering_id: int, *, only: Collection[str] | None = None
) -> KvitteringLine:
    query = _rows().where(tables.kvittering.c.id == kvittering_id)
    if only is not None:
        query = query.where(tables.kvittering.c.kommune_code.in_(only))
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(f"Der er ingen kvittering {kvittering_id}.")
    return _view(row)


def what_to_do(line: KvitteringLine) -> str:
    """Danish, for the one who looks at it."""
    match line.disposition:
        case Disposition.UNMATCHED if line.system_uuid is None:
            return (
                "Beskeden siger ikke, hvem der kvitterer. Bed kommunens leverandører udfylde Beskedkuverten."
            )
        case Disposition.UNMATCHED if line.sender is None:
            return "Systemet er ikke registreret. Spørg kommunen, om det skal tilføjes eller kvitterer ved en fejl."
        case Disposition.UNMATCHED if line.kommune not in {None, line.sender_kommune}:
            return (
                f"Systemet er registreret i {line.sender_kommune_name}, ikke i {line.kommune_name}. Spørg "
                "leverandøren, hvilken kommune det kvitterer for, og kommunen, om det skal tilføjes."
            )
        case Disposition.UNMATCHED:
            return "Kontakt leverandøren: systemet kvitterer for et advis, som Sundhedsagenten ikke har sendt det."
        case Disposition.UNEXPECTED:
            return (
                "Intet: systemet var ikke spurgt om dette advis. Kvitteringen er gemt og ikke sendt videre."
            )
        case Disposition.CONFLICT:
            return "Kontakt leverandøren: systemet har sagt to forskellige ting om samme advis. Den første gælder."
        case _ if line.code is not ResponseCode.OK:
            return "Kontakt leverandøren: systemet har afvist adviset."
        case _:
            return "Intet."


def _rows() -> Select[Any]:
    kvittering, kommune, receiver, handled = (
        tables.kvittering,
        tables.kommune,
        tables.receiver,
        tables.handled,
    )
    # A UUID may be registered in several kommuner, and again after a removal: the latest row of the right one counts.
    of_uuid, at_home = receiver.alias("of_uuid"), kommune.alias("at_home")
    anybodys = select(func.max(of_uuid.c.id)).where(of_uuid.c.system_uuid == kvittering.c.system_uuid)
    theirs = anybodys.where(of_uuid.c.kommune_code == kvittering.c.kommune_code)
    sender_id = func.coalesce(kvittering.c.receiver_id, theirs.scalar_subquery(), anybodys.scalar_subquery())
    return (
        select(
            kvittering,
            kommune.c.name.label("kommune_name"),
            receiver.c.name.label("sender"),
            receiver.c.kommune_code.label("sender_kommune"),
            at_home.c.name.label("sender_kommune_name"),
            receiver.c.vendor,
            receiver.c.vendor_email,
            handled.c.at.label("handled_at"),
            handled.c.by.label("handled_by"),
            handled.c.note.label("handled_note"),
        )
        .outerjoin(kommune, kommune.c.code == kvittering.c.kommune_code)
        .outerjoin(receiver, receiver.c.id == sender_id)
        .outerjoin(at_home, at_home.c.code == receiver.c.kommune_code)
        .outerjoin(handled, handled.c.subject == literal_column("'uafklaret:' || kvittering.id"))
    )


def _view(row: Any) -> KvitteringLine:
    return KvitteringLine(
        row.id,
        row.received_at,
        row.kommune_code,
        row.kommune_name,
        row.system_uuid,
        row.sender,
        row.sender_kommune,
        row.sender_kommune_name,
        row.vendor,
        row.vendor_email,
        ResponseCode(row.code),
        row.response_identifier,
        Disposition(row.disposition),
        row.reason,
        row.advis_id,
        row.handled_at,
        row.handled_by,
        row.handled_note,
    )
