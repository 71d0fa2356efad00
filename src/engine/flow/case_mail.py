"""The mails about a case: to whom, and with which facts. The words stand in data/mails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from engine.domain.alarm import CaseKind, MailKind
from engine.flow.mail_texts import MailTexts
from engine.flow.mailing import order_mail
from engine.settings import Settings
from engine.store import tables
from engine.store.ledger import Ledger

_LISTED = 20  # a mail is read by people: the rest is a number, and stands in the console

KONTAKTPUNKT, LEVERANDOER, HOTLINE, LEDER = "kontaktpunkt", "leverandør", "hotline", "leder"


@dataclass(frozen=True, slots=True)
class MissingLine:
    """One advis that is missing something. `runde` over 1: it was published again."""

    advis_id: int
    besked_id: str
    message_id: str
    modtaget: datetime
    fordelt: datetime | None
    frist: datetime | None
    runde: int


def missing_count(conn: Connection, case: Any) -> int:
    """How many are missing in the case now."""
    of_case, table = _missing(case)
    return conn.execute(select(func.count()).select_from(table).where(*of_case)).scalar_one()


def missing_lines(conn: Connection, case: Any, limit: int = _LISTED) -> list[MissingLine]:
    """The oldest of them."""
    expected, publication, advis = tables.expected_kvittering, tables.publication, tables.advis
    of_case, table = _missing(case)
    each = publication.alias("each")
    rounds = select(func.coalesce(func.max(each.c.round), 1)).where(each.c.advis_id == advis.c.id)
    deadline = expected.c.due_at if table is expected else publication.c.delayed_at
    published = expected.c.clock_from if table is expected else advis.c.published_at
    query = (
        select(
            advis.c.id,
            advis.c.besked_id,
            advis.c.message_id,
            advis.c.received_at,
            published,
            deadline,
            rounds.scalar_subquery(),
        )
        .select_from(table)
        .join(advis, advis.c.id == table.c.advis_id)
        .where(*of_case)
        .order_by(deadline)
        .limit(limit)
    )
    return [MissingLine(*row) for row in conn.execute(query)]


def _missing(case: Any) -> tuple[tuple[Any, ...], Any]:
    """The conditions with which the partial indexes answer, and the table."""
    if case.kind == CaseKind.MISSING_KVITTERING:
        table = tables.expected_kvittering
        return (table.c.case_id == case.id, table.c.state == literal_column("'pending'")), table
    table = tables.publication
    return (table.c.case_id == case.id, table.c.next_at.is_not(None)), table


def order_case_mails(
    ledger: Ledger, texts: MailTexts, settings: Settings, case: Any, kind: MailKind, *, missing: int
) -> None:
    """One mail of this kind to each addressee of the case."""
    facts = case_facts(ledger.tx.conn, settings, case, ledger.now, missing=missing)
    for address, role in _addressees(ledger.tx.conn, settings, case, kind):
        order_mail(
            ledger,
            texts,
            kind,
            address,
            {**facts, "rolle": role},
            # The timer that was due tells one reminder from the next; one transaction orders it and moves the timer.
            order_key=f"case:{case.id}:{kind.value}:{(case.mail_due or ledger.now).isoformat()}:{address}",
            sender=settings.mail.sender,
            kommune_code=case.kommune_code,
            case_id=case.id,
        )


def case_facts(
    conn: Connection, settings: Settings, case: Any, now: datetime, *, missing: int
) -> dict[str, Any]:
    """What the templates `case-*` may use; docs/drift.md lists the same."""
    kommune, receiver, connection = tables.kommune, tables.receiver, tables.connection
    of_kommune = (
        select(kommune.c.name, connection.c.contact_email)
        .join(connection, connection.c.kommune_code == kommune.c.code)
        .where(kommune.c.code == case.kommune_code)
    )
    name, contact_email = conn.execute(of_kommune).one()
    of_receiver = select(
        receiver.c.name, receiver.c.vendor, receiver.c.vendor_email, connection.c.primary_receiver_id
    ).join(connection, connection.c.kommune_code == receiver.c.kommune_code)
    system = conn.execute(of_receiver.where(receiver.c.id == case.receiver_id)).one_or_none()
    lines = missing_lines(conn, case)
    loud = case.misses - case.quiet_misses
    return {
        "sag": case.id,
        "slags": case.kind,
        "aabnet": case.opened_at,
        "nu": now,
        "kommune": name,
        "kommune_kode": case.kommune_code,
        "kontaktpunkt": contact_email,
        "modtagersystem": system.name if system else None,
        "leverandoer": system.vendor if system else None,
        "leverandoer_mail": system.vendor_email if system else None,
        "primaert": bool(system and system.primary_receiver_id == case.receiver_id),
        "mangler": missing,
        "i_alt": case.misses,
        "nye": max(0, loud - case.told_misses),
        "i_servicevindue": case.quiet_misses,
        "adviser": lines,
        "ikke_vist": max(0, missing - len(lines)),
        "taget_af": case.taken_by,
        "frist_minutter": settings.kvittering.deadline.total_seconds() // 60,
        "fordeling_minutter": settings.publish.alarm_after.total_seconds() // 60,
        "hotline_navn": settings.parties.supplier,
        "hotline_mail": settings.parties.supplier_email,
        "hotline_telefon": settings.parties.supplier_phone,
        "beskedfordeler": settings.parties.beskedfordeler,
        "driftstatus": settings.parties.driftstatus_url,
    }


def _addressees(conn: Connection, settings: Settings, case: Any, kind: MailKind) -> Sequence[tuple[str, str]]:
    """Each address once, with the part that it plays."""
    if kind is MailKind.CASE_ESCALATED:
        return [(settings.alarm.lead_email, LEDER)] if settings.alarm.lead_email else []
    connection, receiver = tables.connection, tables.receiver
    contact = conn.execute(
        select(connection.c.contact_email).where(connection.c.kommune_code == case.kommune_code)
    ).scalar_one()
    found = {contact: KONTAKTPUNKT}
    if case.kind == CaseKind.DELAYED_PUBLICATION:
        found.setdefault(settings.parties.supplier_email, HOTLINE)
        return list(found.items())
    query = select(receiver.c.vendor_email, receiver.c.overview_enrolled, receiver.c.overview_emails)
    row = conn.execute(query.where(receiver.c.id == case.receiver_id)).one()
    found.setdefault(row.vendor_email, LEVERANDOER)
    if row.overview_enrolled:  # Kvitteringsoverblik: its further addresses are told too
        for address in filter(None, (part.strip() for part in row.overview_emails.split(","))):
            found.setdefault(address, LEVERANDOER)
    return list(found.items())
