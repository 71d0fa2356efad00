"""The watch: what should have come by now and has not becomes a case, or joins the one that is open.

Kvitteringer 45 minutes after StatusKode 20 (behaviour section 5), and adviser that the Beskedfordeler has not accepted
within `publish.alarm_after` (section 6). Nothing is looked through while nothing is due: both deadlines have an index.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import Connection, Select, bindparam, insert, literal_column, select, update

from engine.clock import Clock
from engine.domain.alarm import CaseKind, Stage
from engine.domain.events import EventKind, Level
from engine.flow.timekeeping import open_ledger, own_time
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger

_BATCH = 500


def _kvitteringer() -> Select[Any]:
    """What is due and in no case yet, oldest first. Literals: SQLite uses a partial index only with its condition."""
    expected, advis = tables.expected_kvittering, tables.advis
    return (
        select(expected.c.advis_id, expected.c.receiver_id, expected.c.due_at, advis.c.kommune_code)
        .join(advis, advis.c.id == expected.c.advis_id)
        .where(
            expected.c.state == literal_column("'pending'"),
            expected.c.case_id.is_(None),
            expected.c.due_at <= bindparam("now", type_=tables.Instant),
        )
        .order_by(expected.c.due_at)
    )


def _publications() -> Select[Any]:
    publication, advis = tables.publication, tables.advis
    return (
        select(publication.c.id, publication.c.advis_id, advis.c.kommune_code)
        .join(advis, advis.c.id == publication.c.advis_id)
        .where(
            publication.c.next_at.is_not(None),
            publication.c.case_id.is_(None),
            publication.c.delayed_at <= bindparam("now", type_=tables.Instant),
        )
        .order_by(publication.c.delayed_at)
    )


# Made once: they are asked again and again.
_DUE_KVITTERINGER, _DUE_PUBLICATIONS = _kvitteringer(), _publications()
_LOOKS = [due.limit(1) for due in (_DUE_KVITTERINGER, _DUE_PUBLICATIONS)]


@dataclass(frozen=True, slots=True)
class Missed:
    """One thing that has not come. `receiver_id` is None for a publication; `key` names its row."""

    kommune_code: str
    receiver_id: int | None
    advis_id: int
    key: int  # the publication's id, or the receiver's
    quiet: bool  # inside maintenance: recorded, and no mail is sent for it


class Watch:
    """Opens cases."""

    name: ClassVar[str] = "watch"

    def __init__(self, db: Database, clock: Clock, settings: Settings) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings

    async def step(self) -> int:
        """Record up to one batch of each kind; how many."""
        return await self._db.write(self._record) if await self._db.read(self._is_any_due) else 0

    def _is_any_due(self, conn: Connection) -> bool:
        now = own_time(conn, self._clock)
        return now is None or any(conn.execute(look, {"now": now}).first() is not None for look in _LOOKS)

    def _record(self, tx: Tx) -> int:
        ledger = open_ledger(tx, self._clock)
        kvitteringer = _missed_kvitteringer(ledger)
        publications = [
            Missed(row.kommune_code, None, row.advis_id, row.id, quiet=False)
            for row in tx.conn.execute(
                _DUE_PUBLICATIONS.limit(_BATCH).with_for_update(skip_locked=True),
                {"now": ledger.now},
            )
        ]
        self._join(ledger, CaseKind.MISSING_KVITTERING, kvitteringer)
        self._join(ledger, CaseKind.DELAYED_PUBLICATION, publications)
        ledger.write()
        return len(kvitteringer) + len(publications)

    def _join(self, ledger: Ledger, kind: CaseKind, missed: Sequence[Missed]) -> None:
        groups: dict[tuple[str, int | None], list[Missed]] = {}
        for item in missed:
            groups.setdefault((item.kommune_code, item.receiver_id), []).append(item)
        names = _receiver_names(ledger.tx.conn, {item.receiver_id for item in missed} - {None})
        for (kommune_code, receiver_id), items in groups.items():
            name = names.get(receiver_id or 0, "")
            case_id = self._case_of(ledger, kind, kommune_code, receiver_id, items, name)
            for item in items:
                self._told(ledger, item, case_id, name)
            _mark(ledger.tx.conn, case_id, items)

    def _case_of(
        self,
        ledger: Ledger,
        kind: CaseKind,
        kommune_code: str,
        receiver_id: int | None,
        items: Sequence[Missed],
        name: str,
    ) -> int:
        """The open case that these join, counted; a new one where there is none."""
        table, now, alarm = tables.alarm_case, ledger.now, self._settings.alarm
        counts = Counter(item.quiet for item in items)
        whose = table.c.receiver_id == receiver_id if receiver_id else table.c.kommune_code == kommune_code
        query = select(table).where(
            table.c.closed_at.is_(None), table.c.kind == literal_column(f"'{kind}'"), whose
        )
        row = ledger.tx.conn.execute(query.with_for_update()).one_or_none()
        values: dict[str, Any] = {
            "misses": (row.misses if row else 0) + len(items),
            "quiet_misses": (row.quiet_misses if row else 0) + counts[True],
        }
        is_new_to_mails = row is None or (
            row.stage == Stage.NEW and row.mail_due is None and row.held_by is None
        )
        if counts[False] and is_new_to_mails:
            values |= {"mail_due": now + alarm.gather}
            if row is None or row.taken_by is None:
                values |= {"escalate_due": now + alarm.escalate_after}
        if row is not None:
            ledger.tx.conn.execute(update(table).where(table.c.id == row.id).values(**values))
            row_id: int = row.id
            return row_id
        key = ledger.tx.conn.execute(
            insert(table).values(
                kind=kind.value, kommune_code=kommune_code, receiver_id=receiver_id, opened_at=now, **values
            )
        ).inserted_primary_key
        assert key is not None
        what = f"manglende kvittering fra {name}" if receiver_id else "Beskedfordeleren tager ikke imod"
        ledger.event(
            EventKind.CASE_OPENED,
            level=Level.ALARM if counts[False] else Level.WARNING,
            kommune_code=kommune_code,
            case_id=key[0],
            case=key[0],
            what=what,
        )
        return int(key[0])

    def _told(self, ledger: Ledger, item: Missed, case_id: int, name: str) -> None:
        data: dict[str, Any] = {"case": case_id}
        if item.receiver_id is None:
            kind = EventKind.ADVIS_DELAYED
            data["minutes"] = self._settings.publish.alarm_after // timedelta(minutes=1)
        else:
            kind = EventKind.KVITTERING_MISSED_QUIETLY if item.quiet else EventKind.KVITTERING_MISSED
            data["receiver"] = name
        ledger.event(
            kind,
            level=Level.WARNING,
            advis_id=item.advis_id,
            kommune_code=item.kommune_code,
            case_id=case_id,
            **data,
        )


def _missed_kvitteringer(ledger: Ledger) -> list[Missed]:
    conn, window = ledger.tx.conn, tables.maintenance
    due = _DUE_KVITTERINGER.limit(_BATCH).with_for_update(of=tables.expected_kvittering, skip_locked=True)
    rows = conn.execute(due, {"now": ledger.now}).all()
    if not rows:
        return []
    query = select(window.c.receiver_id, window.c.from_at, window.c.until_at).where(
        window.c.receiver_id.in_({row.receiver_id for row in rows}),
        window.c.cancelled_at.is_(None),
        window.c.until_at > rows[0].due_at,
    )
    windows = conn.execute(query).all()
    return [
        Missed(
            row.kommune_code,
            row.receiver_id,
            row.advis_id,
            row.receiver_id,
            quiet=any(of == row.receiver_id and begins <= row.due_at < ends for of, begins, ends in windows),
        )
        for row in rows
    ]


def _mark(conn: Connection, case_id: int, items: Sequence[Missed]) -> None:
    """The rows say which case they joined, so that they are not looked at again."""
    expected, publication = tables.expected_kvittering, tables.publication
    if items[0].receiver_id is None:
        ids = [item.key for item in items]
        conn.execute(update(publication).where(publication.c.id.in_(ids)).values(case_id=case_id))
        return
    of_row = (
        expected.c.advis_id == bindparam("of_advis"),
        expected.c.receiver_id == bindparam("of_receiver"),
    )
    rows = [{"of_advis": item.advis_id, "of_receiver": item.key} for item in items]
    conn.execute(update(expected).where(*of_row).values(case_id=case_id), rows)


def _receiver_names(conn: Connection, ids: Collection[int | None]) -> dict[int, str]:
    receiver = tables.receiver
    query = select(receiver.c.id, receiver.c.name).where(receiver.c.id.in_([each for each in ids if each]))
    return {row.id: row.name for row in conn.execute(query)}
