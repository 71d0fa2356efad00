"""Sees that nothing flows, and proposes a major incident (behaviour section 6).

(a) silence from VANS, against what the hour of the week usually brings; (b) adviser that cannot be processed; (c) a
Beskedfordeler that accepts nothing. Each look reads a few rows, whatever the size of the database.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, ClassVar

from sqlalchemy import Connection, delete, func, insert, select

from engine.clock import Clock, Steady
from engine.domain import pulse
from engine.domain.events import EventKind, Level
from engine.domain.incident import Cause
from engine.domain.silence import WEEKS, Habit, is_day, learn, silence
from engine.flow import incidents
from engine.flow.mail_texts import MailTexts
from engine.flow.timekeeping import open_ledger, own_time
from engine.local_time import local_text
from engine.ports import Inbox
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger
from engine.store.pulse import Pulse, beat, pulses
from engine.store.traffic import hour_of, traffic

_NEVER = datetime.min.replace(tzinfo=UTC)
_EVERY = timedelta(seconds=10)
_BEAT_EVERY = timedelta(seconds=30)
# Nobody hears a silence while the engine is down. A restart is no reason to begin anew.
_LONGEST_BREAK = timedelta(minutes=2)
# What arrives late is old from its first moment. It is news if it is still there after so long and nothing was taken.
_STILL_THERE = timedelta(seconds=30)
_SEVERAL = 2  # one kommune's trouble is not everybody's
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Sign:
    """What is seen: Danish, and since when."""

    basis: str
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that one look has seen."""

    now: datetime
    signs: Mapping[Cause, Sign]
    lasting: Collection[Cause]  # whose incident has not ended as far as is known
    news: Collection[Cause]  # that are to be proposed
    silent: Mapping[str, Sign]  # regions, by code
    told: Collection[str]  # regions that are known to be silent
    must_beat: bool


class Detect:
    """Looks every ten seconds."""

    name: ClassVar[str] = "detect"

    def __init__(
        self,
        inbox: Inbox,
        db: Database,
        clock: Clock,
        settings: Settings,
        texts: MailTexts,
        holder: str = "",
    ) -> None:
        self._inbox = inbox
        self._db = db
        self._clock = clock
        self._settings = settings
        self._texts = texts
        self._holder = holder  # empty where no other engine shares the database
        self._looked: Steady | None = None
        self._old_since: Steady | None = None  # since when the oldest arrival has been too old
        self._habits: dict[str, Habit] = {}  # by region code, and "" for all of them
        self._learnt: datetime | None = None  # for which hour

    async def step(self) -> int:
        steady = self._clock.steady()
        if self._looked is None:
            # What came while the engine was down is to be taken before a silence is told.
            self._looked = steady
        if steady.since(self._looked) < _EVERY:
            return 0
        try:
            oldest = await self._inbox.oldest()
        except OSError:
            oldest = (
                None  # oversee tells of a folder that cannot be read; what else is seen must not wait for it
            )
        look = await self._db.read(lambda conn: self._look(conn, oldest))
        done = 0
        # Looked at again before it is told: another engine may just have told the same.
        if look is None or look.must_beat or self._changes(look):
            done = await self._db.write(lambda tx: self._record(tx, look and self._look(tx.conn, oldest)))
        self._looked = steady
        return done

    # --- looking --------------------------------------------------------------------------------------------------

    def _look(self, conn: Connection, oldest: datetime | None) -> Look | None:
        """None where the machine's clock was set: whatever waits must be moved first."""
        now = own_time(conn, self._clock)
        if now is None:
            return None
        if self._learnt != hour_of(now):
            self._learn(conn, now)
        known = pulses(conn)
        if self._holder:
            oldest = _oldest_of_all(known, now)
        watch = known.get(pulse.WATCH)
        standing = incidents.standing(conn, self._settings, now)
        lasting = standing.lasting
        failures = self._failures(conn, now)
        # What lies there was sent: VANS is not silent, and nobody knows yet from which regions it comes.
        is_sent = failures is not None or _waits(known, now, oldest)
        listening = None if is_sent else _listening_since(known, now)
        signs = _found(
            {
                Cause.VANS_SILENT: None
                if is_sent
                else self._silence(known, now, listening, is_known=Cause.VANS_SILENT in lasting),
                Cause.PROCESSING: failures
                or self._unprocessed(known, now, oldest, is_known=Cause.PROCESSING in lasting),
                Cause.BESKEDFORDELER: self._refused(conn, known, now),
            }
        )
        told = _told_regions(conn)
        # Also in the look that hears the first region again: the others have had no time to be heard.
        all_silent_until = now if Cause.VANS_SILENT in lasting else standing.over.get(Cause.VANS_SILENT)
        if Cause.VANS_SILENT in signs:
            listening = None  # beside the whole no region is news
        elif listening is not None and all_silent_until is not None:
            listening = max(listening, all_silent_until)
        return Look(
            now,
            signs,
            [cause for cause in lasting if cause is not Cause.OTHER],
            [cause for cause in signs if cause not in standing.settled],
            self._silent_regions(known, now, listening, told),
            told,
            watch is None or watch.good_at is None or now - watch.good_at >= _BEAT_EVERY,
        )

    def _silence(
        self, known: Mapping[str, Pulse], now: datetime, listening: datetime | None, *, is_known: bool
    ) -> Sign | None:
        """(a) An engine that has never received hears none: nobody may be connected yet."""
        heard = known.get(pulse.VANS_IN)
        if heard is None or heard.good_at is None:
            return None
        begins = _begins(heard.good_at, listening, is_known=is_known)
        if begins is None or not self._is_news(self._habits.get("", Habit({})), begins, now, self._unlearnt):
            return None
        return Sign(f"Intet advis er kommet fra VANS siden {local_text(heard.good_at)}", heard.good_at)

    def _silent_regions(
        self, known: Mapping[str, Pulse], now: datetime, listening: datetime | None, told: Collection[str]
    ) -> dict[str, Sign]:
        """Regions that are silent while others are not; there must be history to tell by."""
        found = {}
        for name, heard in known.items():
            code = pulse.region_of(name)
            if code is None or heard.good_at is None:
                continue
            begins = _begins(heard.good_at, listening, is_known=name in told)
            if begins is not None and self._is_news(self._habits.get(code, Habit({})), begins, now, None):
                found[code] = Sign(f"intet siden {local_text(heard.good_at)}", heard.good_at)
        return found

    def _is_news(self, habit: Habit, begins: datetime, now: datetime, unlearnt: Any) -> bool:
        rate = self._settings.incident.false_alarms_per_year
        return silence(habit, begins, now, false_alarms_per_year=rate, unlearnt=unlearnt) >= 1

    def _unlearnt(self, at: datetime) -> timedelta:
        incident = self._settings.incident
        return incident.silence_day if is_day(at) else incident.silence_night

    def _learn(self, conn: Connection, now: datetime) -> None:
        hour = hour_of(now)
        regions = traffic(conn, hour - timedelta(weeks=WEEKS), hour)
        whole: dict[datetime, int] = {}
        for counts in regions.values():
            for at, count in counts.items():
                whole[at] = whole.get(at, 0) + count
        self._habits = {code: learn(counts, now) for code, counts in regions.items()} | {
            "": learn(whole, now)
        }
        self._learnt = hour

    def _unprocessed(
        self, known: Mapping[str, Pulse], now: datetime, oldest: datetime | None, *, is_known: bool
    ) -> Sign | None:
        """(b) by age: the oldest arrival lies there for too long, and nothing is taken.

        After an outage a backlog is old, but it moves: it has as long again before it is news.
        """
        steady, may_lie = self._clock.steady(), self._settings.incident.unprocessed_after
        # The sender's file has the machine's time, which is never a second away from the engine's own.
        if oldest is None or now - oldest < may_lie:
            self._old_since = None
            return None
        self._old_since = self._old_since or steady
        heard = known.get(pulse.VANS_IN)
        is_moving = heard is not None and heard.good_at is not None and now - heard.good_at < _STILL_THERE
        if not is_known and steady.since(self._old_since) < (may_lie if is_moving else _STILL_THERE):
            return None
        return Sign(f"Det ældste fra VANS har ligget ubehandlet siden {local_text(oldest)}", oldest)

    def _failures(self, conn: Connection, now: datetime) -> Sign | None:
        """(b) by share: most of what arrives fails, and not from one sender alone."""
        incident = self._settings.incident
        since = now - incident.failure_window
        quarantine, envelope, advis = tables.quarantine, tables.envelope_in, tables.advis
        put_aside = (
            select(envelope.c.sender_id, func.count())
            .select_from(quarantine)
            .outerjoin(envelope, envelope.c.id == quarantine.c.envelope_in_id)
            .where(
                quarantine.c.decision.is_(None),
                quarantine.c.quarantined_at >= since,
                quarantine.c.channel == "vans",
            )
            .group_by(envelope.c.sender_id)
        )
        failed: Counter[str | None] = Counter({row[0]: row[1] for row in conn.execute(put_aside)})
        arrived = (
            select(advis.c.vans_sender_id, advis.c.refused, func.count())
            .where(advis.c.received_at >= since, advis.c.kommune_code.is_not(None))  # else nobody's address
            .group_by(advis.c.vans_sender_id, advis.c.refused)
        )
        taken: Counter[str | None] = Counter()
        for sender, is_refused, number in conn.execute(arrived):
            (failed if is_refused else taken)[sender] += number
        count, total = failed.total(), failed.total() + taken.total()
        if count < incident.failure_least or 100 * count < incident.failure_percent * total:
            return None
        if not _is_everybodys(failed, taken, incident.failure_percent):
            return None
        minutes = incident.failure_window // _MINUTE
        return Sign(f"{count} af {total} modtagne i {minutes} min kunne ikke behandles", since)

    def _refused(self, conn: Connection, known: Mapping[str, Pulse], now: datetime) -> Sign | None:
        """(c)"""
        failing = self._failing(known, now)
        if failing is None:
            return None
        began_at, error = failing
        if now - began_at < self._settings.incident.bfo_after:
            return None
        publication, advis = tables.publication, tables.advis
        kommuner = (
            select(advis.c.kommune_code)
            .select_from(publication)
            .join(advis, advis.c.id == publication.c.advis_id)
            .where(publication.c.next_at.is_not(None), publication.c.attempts > 0)
            .distinct()
            .limit(_SEVERAL)
        )
        if len(conn.execute(kommuner).all()) < _SEVERAL:
            return None
        since = local_text(began_at)
        return Sign(f"Al fordeling er mislykkedes siden {since}; senest: {error}", began_at)

    def _failing(self, known: Mapping[str, Pulse], now: datetime) -> tuple[datetime, str | None] | None:
        """Since when all that has been tried has failed, and with what.

        An engine that failed before another one last succeeded tells of its own line only, and of no incident.
        """
        every = {
            name: state for name, state in known.items() if pulse.parted(name)[0] == pulse.BESKEDFORDELER
        }
        at_work = [state for name, state in every.items() if self._is_at_work(known, name, now)]
        good_at = max((state.good_at for state in at_work if state.good_at), default=_NEVER)
        failed = [
            (state.bad_since, state.error)
            for state in at_work
            if state.bad_since is not None and state.bad_since >= good_at
        ]
        if not failed:
            return None
        since, error = min(failed, key=itemgetter(0))
        return max([since, *(state.good_at for state in every.values() if state.good_at)]), error

    def _is_at_work(self, known: Mapping[str, Pulse], name: str, now: datetime) -> bool:
        holder = pulse.parted(name)[1]
        if not self._holder:
            return not holder
        seen = known.get(pulse.own(pulse.ENGINE, holder)) if holder else None
        limit = self._settings.monitor.station_after
        return seen is not None and seen.good_at is not None and now - seen.good_at <= limit

    # --- recording ------------------------------------------------------------------------------------------------

    def _changes(self, look: Look) -> bool:
        silent = {pulse.region(code) for code in look.silent}
        return bool(look.news or set(look.lasting) - set(look.signs) or silent != set(look.told))

    def _record(self, tx: Tx, look: Look | None) -> int:
        ledger = open_ledger(tx, self._clock)
        beat(ledger, pulse.WATCH, longest_break=_LONGEST_BREAK)
        if look is not None:
            for cause in look.news:
                sign = look.signs[cause]
                more: dict[str, Any] = {"basis": sign.basis, "began_at": sign.began_at}
                incidents.propose(ledger, self._settings, self._texts, cause, **more)
            for cause in set(look.lasting) - set(look.signs):
                incidents.ended_itself(ledger, cause)
            self._record_regions(ledger, look)
        ledger.write()
        return int(look is not None and self._changes(look))

    def _record_regions(self, ledger: Ledger, look: Look) -> None:
        stall, conn = tables.stall, ledger.tx.conn
        names, already = _region_names(conn), _told_regions(conn)
        for code, sign in look.silent.items():
            if pulse.region(code) in already:
                continue
            row = {"name": pulse.region(code), "since": sign.began_at, "noticed_at": ledger.now}
            name = names.get(code, code)
            conn.execute(insert(stall).values(**row, detail=f"{name}: {sign.basis}"))
            ledger.event(EventKind.REGION_SILENT, level=Level.WARNING, region=name, basis=sign.basis)
        for told in already:
            code = pulse.region_of(told) or ""
            if code not in look.silent:
                conn.execute(delete(stall).where(stall.c.name == told))
                ledger.event(EventKind.REGION_HEARD, region=names.get(code, code))


def _is_everybodys(failed: Counter[str | None], taken: Counter[str | None], percent: int) -> bool:
    """Whether it fails as widely without the sender that fails most. What is no envelope has no sender: alone it is
    everybody's only where nothing else comes through.
    """
    ((worst, most),) = failed.most_common(1)
    others, others_taken = failed.total() - most, taken.total() - taken[worst]
    if others:
        return 100 * others >= percent * (others + others_taken)
    return worst is None and not taken


def _found(signs: Mapping[Cause, Sign | None]) -> dict[Cause, Sign]:
    return {cause: sign for cause, sign in signs.items() if sign is not None}


def _waits(known: Mapping[str, Pulse], now: datetime, oldest: datetime | None) -> bool:
    """Whether something has come after the last that was taken, or with it, and is not taken."""
    heard = known.get(pulse.VANS_IN)
    if oldest is None or heard is None or heard.good_at is None:
        return False
    return now - oldest >= _STILL_THERE and oldest > heard.good_at - _MINUTE


def _oldest_of_all(known: Mapping[str, Pulse], now: datetime) -> datetime | None:
    """Of what lies in the inboxes of all engines that are at work, as each has told it: so that all see the same."""
    found = [
        inbox.since
        for name, inbox in known.items()
        if pulse.parted(name)[0] == pulse.INBOX_VANS and inbox.since and inbox.bad_since is None
        if inbox.good_at and now - inbox.good_at <= _LONGEST_BREAK
    ]
    return min(found, default=None)


def _told_regions(conn: Connection) -> Collection[str]:
    stall = tables.stall
    query = select(stall.c.name).where(stall.c.name.startswith(pulse.region("")))
    return conn.execute(query).scalars().all()


def _begins(heard: datetime, listening: datetime | None, *, is_known: bool) -> datetime | None:
    """From when a silence counts: from when somebody listened. One that was found lasts until something is heard,
    whoever was down meanwhile.
    """
    if is_known:
        return heard
    return None if listening is None else max(heard, listening)


def _listening_since(known: Mapping[str, Pulse], now: datetime) -> datetime | None:
    """None where the engine has just come up after a break: nobody knows what came meanwhile."""
    watch = known.get(pulse.WATCH)
    if watch is None or watch.good_at is None or now - watch.good_at > _LONGEST_BREAK:
        return None
    return watch.since


def _region_names(conn: Connection) -> dict[str, str]:
    kommune = tables.kommune
    query = select(kommune.c.region_code, kommune.c.region).distinct()
    return {row.region_code: row.region for row in conn.execute(query)}
