"""Our own certificates end: told 60, 30, 14 and 7 days ahead and when they have, once, until they are replaced."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from engine.clock import Clock, Steady
from engine.domain.events import EventKind, Level
from engine.domain.expiry import OVER, crossed, left_text, level, uses_text, where_text
from engine.flow.timekeeping import open_ledger
from engine.local_time import date_text, local_date
from engine.ports import CertificateLook, Certificates
from engine.store.certificates import Held, by_identity, held, keep
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger

_EVERY = timedelta(seconds=10)
_RECORD_EVERY = timedelta(hours=1)
# What another engine has not said again for so long is no engine's any more.
_FORGET_AFTER = timedelta(days=1)


class Expire:
    """Looks every ten seconds whether files were replaced, and says what it sees at least once an hour."""

    name: ClassVar[str] = "expire"

    def __init__(self, certificates: Certificates, db: Database, clock: Clock) -> None:
        self._certificates = certificates
        self._db = db
        self._clock = clock
        self._looked: Steady | None = None
        self._recorded: Steady | None = None
        self._known: list[tuple[CertificateLook, int | None]] = []  # what was recorded
        self._faulty: list[CertificateLook] = []

    async def step(self) -> int:
        """Look; how many certificates there was something to tell of."""
        steady = self._clock.steady()
        if self._looked is not None and steady.since(self._looked) < _EVERY:
            return 0
        looks = await asyncio.to_thread(self._certificates.look)
        self._looked = steady
        faulty, before = [look for look in looks if look.fault], self._faulty
        self._faulty = faulty
        if faulty and faulty != before:
            return (
                0  # the certificate may be new already, and its key not yet: believed when it is seen twice
            )
        if self._is_recorded(looks, steady):
            return 0
        told, now = await self._db.write(lambda tx: self._record(tx, looks))
        self._known, self._recorded = _with_due(looks, now), steady
        return told

    def _is_recorded(self, looks: Sequence[CertificateLook], steady: Steady) -> bool:
        """Whether others know all this, and have heard it lately."""
        if self._recorded is None or _with_due(looks, self._clock.now()) != self._known:
            return False
        return not looks or steady.since(self._recorded) < _RECORD_EVERY

    def _record(self, tx: Tx, looks: Sequence[CertificateLook]) -> tuple[int, datetime]:
        ledger, holder, before = open_ledger(tx, self._clock), self._certificates.holder, held(tx.conn)
        ours = [_as_held(look, holder, ledger.now) for look in looks]
        others = [row for row in before if row.holder != holder and ledger.now - row.seen_at <= _FORGET_AFTER]
        told_before = by_identity(row for row in before if row.told is not None)
        after: list[Held] = []
        told = 0
        for identity, rows in by_identity([*ours, *others]).items():
            marked, is_news = _marked(rows, told_before.get(identity, ()), ledger.now)
            if is_news:
                _tell(ledger, marked)
            told += is_news
            after += marked
        told += _tell_good(ledger, before, [row for row in after if row.holder == holder])
        keep(tx, after)
        ledger.write()
        return told, ledger.now


def _as_held(look: CertificateLook, holder: str, now: datetime) -> Held:
    identity = look.fingerprint or f"{look.use}@{holder}"
    return Held(holder, look.use, identity, look.file, look.expires_at, look.fault, now)


def _with_due(looks: Sequence[CertificateLook], now: datetime) -> list[tuple[CertificateLook, int | None]]:
    return [(look, None if look.expires_at is None else crossed(look.expires_at, now)) for look in looks]


def _marked(rows: Sequence[Held], told_before: Iterable[Held], now: datetime) -> tuple[list[Held], bool]:
    """One certificate's rows with what has been told now, and whether that is news."""
    ends = rows[0].expires_at
    due = OVER if ends is None else crossed(ends, now)
    if due is None:
        return [replace(row, told=None, told_at=None) for row in rows], False
    told = [(row.told, row.told_at) for row in told_before if row.told is not None]
    first = min((at for _, at in told if at is not None), default=now)
    is_news = not told or due < min(days for days, _ in told)
    return [replace(row, told=due, told_at=first) for row in rows], is_news


def _tell(ledger: Ledger, rows: Sequence[Held]) -> None:
    first, days = rows[0], rows[0].told
    assert days is not None
    data = _which(rows)
    if first.expires_at is None:
        ledger.event(EventKind.CERTIFICATE_UNUSABLE, level=Level.ALARM, **data, error=first.fault)
        return
    data["day"] = date_text(local_date(first.expires_at))
    if days == OVER:
        ledger.event(EventKind.CERTIFICATE_EXPIRED, level=level(days), **data)
    else:
        left = left_text(first.expires_at, ledger.now)
        ledger.event(EventKind.CERTIFICATE_EXPIRES, level=level(days), **data, left=left)


def _tell_good(ledger: Ledger, before: Iterable[Held], ours: Iterable[Held]) -> int:
    """Of those of ours that something was told of, and of whose successors nothing is to be told; how many."""
    warned = {(row.holder, row.use) for row in before if row.told is not None}
    good = by_identity(row for row in ours if row.told is None and (row.holder, row.use) in warned)
    for rows in good.values():
        ends = rows[0].expires_at
        assert ends is not None
        ledger.event(EventKind.CERTIFICATE_GOOD, **_which(rows), day=date_text(local_date(ends)))
    return len(good)


def _which(rows: Sequence[Held]) -> dict[str, Any]:
    return {"uses": uses_text(row.use for row in rows), "where": where_text(row.holder for row in rows)}
