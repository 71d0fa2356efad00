"""Nothing stalls in silence: what has not moved for longer than its limit is an alarm, once, until it moves again."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, ClassVar, TypeVar

import structlog
from sqlalchemy import delete, insert, select, update

from engine.clock import Clock, Steady
from engine.domain import pulse
from engine.domain.events import EventKind, Level
from engine.domain.stall import WAITS_FOR, WATCHED, watched
from engine.errors import SundhedsagentError
from engine.flow.timekeeping import open_ledger
from engine.local_time import local_text
from engine.ports import Inbox
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger
from engine.store.pulse import Pulse, beat, note_bad, note_good, note_good_at, note_oldest, of_all, pulses
from engine.store.queues import Queue, queues

log = structlog.get_logger(__name__)

V = TypeVar("V")

_EVERY = timedelta(seconds=10)
# The engine beats with every look; after a longer break it has been down, or the machine has slept.
_LONGEST_BREAK = timedelta(minutes=2)
# An engine that has been told to be gone, and has not come back for so long.
_FORGET_AFTER = timedelta(days=7)
# Where others work beside it, an engine comes to try its own line again; mails are few.
_TRIES_WITHIN = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


class Heartbeats:
    """When each station last came to the end of a step, by the clock that nobody sets; and how much it has handled
    since this engine began.
    """

    def __init__(self, clock: Clock, names: Iterable[str]) -> None:
        self._clock = clock
        self._at = dict.fromkeys(names, clock.steady())
        self.handled = dict.fromkeys(self._at, 0)

    def beat(self, name: str, handled: int = 0) -> None:
        self._at[name] = self._clock.steady()
        self.handled[name] += handled

    def begin_anew(self) -> None:
        """Nobody could be at work: it is no station's fault."""
        self._at = dict.fromkeys(self._at, self._clock.steady())

    def ages(self) -> dict[str, timedelta]:
        """How long ago, by station."""
        now = self._clock.steady()
        return {name: now.elapsed - at.elapsed for name, at in self._at.items() if at.boot == now.boot}


@dataclass(frozen=True, slots=True)
class Inboxes:
    """Since when the oldest delivery lies in each, and what is wrong with those that cannot be read. By name."""

    oldest: Mapping[str, datetime | None]
    unreadable: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Still:
    """One that stands still: since when, and what to say of it, Danish."""

    since: datetime
    detail: str


class Oversee:
    """Looks every ten seconds, and tells with the engine's own pulse that it does."""

    name: ClassVar[str] = "oversee"

    def __init__(
        self,
        beats: Heartbeats,
        inboxes: Mapping[str, Inbox],
        db: Database,
        clock: Clock,
        settings: Settings,
        holder: str = "",
    ) -> None:
        self._beats = beats
        self._inboxes = inboxes  # by the names of domain/stall.py
        self._db = db
        self._clock = clock
        self._settings = settings
        self._holder = holder  # empty where no other engine shares the database
        self._looked: Steady | None = None
        self._tried: Steady | None = None

    async def step(self) -> int:
        """Look; how many began or ceased to stand still."""
        steady = self._clock.steady()
        if self._looked is not None and steady.since(self._looked) < _EVERY:
            return 0
        if self._tried is not None and steady.since(self._tried) > _LONGEST_BREAK:
            self._beats.begin_anew()
        try:
            inboxes = await self._inboxes_now()
            changed = await self._db.write(lambda tx: self._record(tx, inboxes))
        finally:
            # A look that fails or takes long is no break: what hinders it (a full disk) may hinder the others too.
            self._tried = self._clock.steady()
        self._looked = steady
        return changed

    async def _inboxes_now(self) -> Inboxes:
        oldest, unreadable = {}, {}
        for name, inbox in self._inboxes.items():
            try:
                oldest[name] = await inbox.oldest()
            except SundhedsagentError as error:  # it says itself what is wrong
                unreadable[name] = str(error)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with this one, the others are looked at
                unreadable[name] = f"kan ikke læses ({type(error).__name__})"
        return Inboxes(self._owned(oldest), self._owned(unreadable))

    def _owned(self, values: Mapping[str, V]) -> dict[str, V]:
        """By the names that are this engine's alone: what is well here says nothing of the others' lines."""
        return {pulse.own(name, self._holder): value for name, value in values.items()}

    def _record(self, tx: Tx, inboxes: Inboxes) -> int:
        ledger = open_ledger(tx, self._clock)
        beat(ledger, pulse.ENGINE, longest_break=_LONGEST_BREAK)
        ages = self._owned({pulse.station(name): age for name, age in self._beats.ages().items()})
        note_good_at(ledger, {name: ledger.now - age for name, age in ages.items()})
        note_oldest(ledger, inboxes.oldest)
        for name, error in inboxes.unreadable.items():
            note_bad(ledger, name, error)
        gone: dict[str, Still] = {}
        if self._holder:
            note_good(ledger, [pulse.own(pulse.ENGINE, self._holder)])
            _forget_the_gone(ledger)
            gone = self._gone(ledger)
        waiting = queues(tx.conn)
        _forget_untried(ledger, waiting, {pulse.parted(name)[1] for name in gone})
        still = gone | self._still(ledger, inboxes, waiting, ages)
        changed = self._compare(ledger, still)
        ledger.write()
        return changed

    def _still(
        self,
        ledger: Ledger,
        inboxes: Inboxes,
        waiting: Mapping[str, Queue],
        ages: Mapping[str, timedelta],
    ) -> dict[str, Still]:
        """All that stands still for longer than it may."""
        now, known = ledger.now, pulses(ledger.tx.conn)
        since: dict[str, tuple[datetime | None, str]] = {
            **{name: (state.bad_since, state.error or "") for name, state in known.items()},
            **{name: (at, "") for name, at in inboxes.oldest.items()},
            **{name: (queue.since, f"{queue.count} venter") for name, queue in waiting.items()},
        }
        found = {}
        for each in WATCHED:
            is_own = each.name in self._inboxes or each.name in WAITS_FOR
            name = pulse.own(each.name, self._holder) if is_own else each.name
            at, detail = since.get(name, (None, ""))
            if at is not None and now - at > self._limit(each.limit):
                found[name] = Still(at, detail)
        for name, age in ages.items():
            if age > self._limit(watched(name).limit):
                found[name] = Still(now - age, "intet skridt er gennemført")
        return found

    def _gone(self, ledger: Ledger) -> dict[str, Still]:
        """The engines that have not been seen for longer than a station may stand still, while others were at work."""
        known = pulses(ledger.tx.conn)
        looked_since, found = known[pulse.ENGINE].since, {}
        for name, state in known.items():
            base, holder = pulse.parted(name)
            if base != pulse.ENGINE or not holder or not state.good_at or not looked_since:
                continue
            if ledger.now - max(state.good_at, looked_since) > self._limit(watched(name).limit):
                found[name] = Still(state.good_at, f"ikke set siden {local_text(state.good_at)}")
        return found

    def _limit(self, setting: str) -> timedelta:
        limit: timedelta = attrgetter(setting)(self._settings)
        return limit

    def _compare(self, ledger: Ledger, still: Mapping[str, Still]) -> int:
        conn, stall = ledger.tx.conn, tables.stall
        rows: dict[str, Any] = {row.name: row for row in conn.execute(select(stall))}
        known = {name for name in rows if self._is_ours(name)}
        for name in still.keys() - known:
            each, one = watched(name), still[name]
            detail = ": ".join(filter(None, (each.what, one.detail)))
            row = {"name": name, "since": one.since, "noticed_at": ledger.now, "detail": detail}
            conn.execute(insert(stall).values(**row))
            minutes = (ledger.now - one.since) // _MINUTE
            told: dict[str, Any] = {"what": each.what, "minutes": minutes, "detail": one.detail or each.do}
            ledger.event(EventKind.STALLED, level=Level.ALARM, **told)
        for name in known - still.keys():
            conn.execute(delete(stall).where(stall.c.name == name))
            ledger.event(EventKind.MOVED_AGAIN, what=watched(name).what)
        return len(still.keys() ^ known)

    def _is_ours(self, name: str) -> bool:
        """Regions are another station's, and what is another engine's own it sees itself. That one is gone, all see."""
        base, holder = pulse.parted(name)
        return base == pulse.ENGINE or (holder in ("", self._holder) and pulse.region_of(name) is None)


def _forget_the_gone(ledger: Ledger) -> None:
    """Nothing stands in the status for ever because of an engine that is no more."""
    conn = ledger.tx.conn
    for name, state in pulses(conn).items():
        base, holder = pulse.parted(name)
        if base != pulse.ENGINE or not holder or not state.good_at:
            continue
        if ledger.now - state.good_at <= _FORGET_AFTER:
            continue
        log.warning("engine-forgotten", engine=holder)
        for table in (tables.pulse, tables.stall):
            conn.execute(delete(table).where(table.c.name.endswith(f"@{holder}", autoescape=True)))


def _forget_untried(ledger: Ledger, waiting: Mapping[str, Queue], gone: Collection[str]) -> None:
    """Nobody knows that a channel still fails where its engine is gone, or nothing waits to be tried again.

    Where others have emptied the queue since it last failed here, it will soon be tried: that is waited for a while.
    """
    conn, table, stall = ledger.tx.conn, tables.pulse, tables.stall
    known = pulses(conn)
    untried, left = [], []
    for name, state in known.items():
        channel, holder = pulse.parted(name)
        if channel not in WAITS_FOR or state.bad_since is None:
            continue
        is_idle = not waiting[WAITS_FOR[channel]].count
        if holder in gone:
            left.append(name)
        elif is_idle and not _tries_soon(ledger.now, state, of_all(known, channel)):
            untried.append(name)
    forget = update(table).where(table.c.name.in_([*untried, *left]))
    conn.execute(forget.values(bad_since=None, since=None, error=None))
    # An engine that is there ends its own stall, and says so.
    conn.execute(delete(stall).where(stall.c.name.in_(left)))


def _tries_soon(now: datetime, state: Pulse, channel: Pulse | None) -> bool:
    if channel is None or channel.good_at is None or state.since is None:
        return False
    return state.since < channel.good_at and now - state.since <= _TRIES_WITHIN
