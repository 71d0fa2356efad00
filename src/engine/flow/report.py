"""Kvitteringsoverblik of the last day, once a day by mail (off by default): what `overview.*` in the settings says."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar

from sqlalchemy import Connection, select

from engine.clock import Clock
from engine.domain import pulse
from engine.domain.alarm import MailKind
from engine.flow.kvitteringsoverblik import OverblikLine, overblik
from engine.flow.mail_texts import MailTexts
from engine.flow.mailing import order_mail
from engine.flow.timekeeping import open_ledger
from engine.local_time import from_local, local_date
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database, Tx
from engine.store.pulse import note_good, pulses

_DAY = timedelta(days=1)


class Report:
    """Orders the day's mails once the time of day has come; a day that was missed is made up for, the latest alone."""

    name: ClassVar[str] = "report"

    def __init__(self, db: Database, clock: Clock, settings: Settings, texts: MailTexts) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._texts = texts
        self._done: date | None = None

    async def step(self) -> int:
        if not self._settings.overview.daily:
            return 0
        day = self._day()
        if day == self._done:
            return 0
        is_due = await self._db.read(lambda conn: self._is_due(conn, day))
        count = await self._db.write(lambda tx: self._order(tx, day)) if is_due else 0
        self._done = day
        return count

    def _day(self) -> date:
        """The latest day whose report is due by now."""
        now = self._clock.now()
        yesterday = local_date(now) - _DAY
        return yesterday if now >= self._due(yesterday) else yesterday - _DAY

    def _due(self, day: date) -> datetime:
        return from_local(datetime.combine(day + _DAY, time.fromisoformat(self._settings.overview.at)))

    def _is_due(self, conn: Connection, day: date) -> bool:
        known = pulses(conn).get(pulse.REPORT)
        if known is None or known.good_at is None:
            return day == local_date(self._clock.now()) - _DAY  # the first of all is never made up for
        return known.good_at < self._due(day)

    def _order(self, tx: Tx, day: date) -> int:
        ledger = open_ledger(tx, self._clock)
        begins, ends = day_of(day), day_of(day + _DAY)
        lines = {line.receiver_id: line for line in overblik(tx.conn, begins, ends, ledger.now)}
        count = 0
        for address, ids in _addressees(
            tx.conn, contact_points=self._settings.overview.contact_points
        ).items():
            told = [line for receiver_id, line in lines.items() if receiver_id in ids]
            if told:
                facts = mail_facts(self._settings, day, told)
                key = f"overview:{day.isoformat()}:{address.casefold()}"
                sender = self._settings.mail.sender
                count += order_mail(
                    ledger, self._texts, MailKind.OVERVIEW, address, facts, order_key=key, sender=sender
                )
        note_good(ledger, [pulse.REPORT])
        ledger.write()
        return count


def day_of(day: date) -> datetime:
    """The beginning of a Danish day."""
    return from_local(datetime.combine(day, time())).astimezone(UTC)


def mail_facts(settings: Settings, day: date, lines: Sequence[OverblikLine]) -> dict[str, Any]:
    """What the template `overview` may use."""
    return {
        "dag": day,
        "linjer": lines,
        "systemer": len(lines),
        "fordelt": sum(line.published for line in lines),
        "mangler": sum(line.missing for line in lines),
        "negative": sum(line.negative for line in lines),
        "hotline_navn": settings.parties.supplier,
        "hotline_mail": settings.parties.supplier_email,
        "hotline_telefon": settings.parties.supplier_phone,
    }


def _addressees(conn: Connection, *, contact_points: bool) -> Mapping[str, set[int]]:
    """Each address with the receivers that it is told of: a vendor's enrolled ones, a contact point's kommune's."""
    receiver, connection = tables.receiver, tables.connection
    query = (
        select(
            receiver.c.id,
            receiver.c.vendor_email,
            receiver.c.overview_enrolled,
            receiver.c.overview_emails,
            connection.c.contact_email,
        )
        .join(connection, connection.c.kommune_code == receiver.c.kommune_code)
        .where(receiver.c.removed_at.is_(None))
        .order_by(receiver.c.id)
    )
    spelt: dict[str, str] = {}  # as it was first met: "Drift@" and "drift@" are one mailbox
    found: dict[str, set[int]] = {}
    for row in conn.execute(query):
        addresses = [row.vendor_email, *row.overview_emails.split(",")] if row.overview_enrolled else []
        if contact_points:
            addresses.append(row.contact_email)
        for address in filter(None, (each.strip() for each in addresses)):
            found.setdefault(spelt.setdefault(address.casefold(), address), set()).add(row.id)
    return found
