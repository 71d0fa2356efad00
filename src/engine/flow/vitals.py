"""How the engine does, for those who watch it from outside: alive, ready, and in numbers.

Every number is read from an index of what waits, or from a counter: a look costs the same with a million adviser.
"""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, literal_column, select

from engine.clock import Clock
from engine.domain import pulse
from engine.domain.alarm import CaseKind
from engine.domain.incident import IncidentState
from engine.domain.stall import CHANNELS, watched
from engine.flow.oversee import Heartbeats
from engine.settings import Settings
from engine.store import tables
from engine.store.certificates import held
from engine.store.database import Database
from engine.store.pulse import of_all, pulses
from engine.store.queues import queues

if TYPE_CHECKING:  # slow to import, and needed only where somebody asks
    from prometheus_client.core import GaugeMetricFamily, Metric

_ANSWERS_WITHIN_S = 2.0
_FRESH = timedelta(seconds=5)  # several who ask at once share one look
_SECOND = timedelta(seconds=1)
_BY_PEOPLE = "person:"


class Vitals:
    """Answers the three questions."""

    def __init__(self, beats: Heartbeats, db: Database, clock: Clock, settings: Settings) -> None:
        self._beats = beats
        self._db = db
        self._clock = clock
        self._settings = settings
        self._shown = b""
        self._looked: timedelta | None = None
        self._looking = asyncio.Lock()

    async def alive(self) -> list[str]:
        """The event loop turns, or nobody would answer; so does the database, within two seconds."""
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                await self._db.read(lambda conn: conn.execute(select(1)).one())
        except TimeoutError:
            return [f"Databasen svarer ikke inden for {_ANSWERS_WITHIN_S:.0f} s"]
        except Exception as error:  # noqa: BLE001 - whatever it is, the database does not answer
            return [f"Databasen kan ikke bruges ({type(error).__name__})"]
        return []

    async def ready(self) -> list[str]:
        """What stands still, but for what waits for people."""
        faults = await self.alive()
        if faults:
            return faults
        limit = self._settings.monitor.station_after
        slow = [watched(pulse.station(name)).what for name, age in self._beats.ages().items() if age > limit]
        stalled = await self._db.read(_stalled)
        return [*(f"{what} står stille" for what in slow), *stalled]

    async def metrics(self) -> bytes:
        """In the text format of Prometheus, at most five seconds old."""
        async with self._looking:
            now = self._clock.steady().elapsed
            if self._looked is None or now - self._looked >= _FRESH:
                self._shown = await self._db.read(self._exposition)
                self._looked = now
            return self._shown

    def _exposition(self, conn: Connection) -> bytes:
        from prometheus_client import PROCESS_COLLECTOR, CollectorRegistry, generate_latest  # noqa: PLC0415

        families = list(_families(conn, self._clock.now(), self._beats))

        class Look:
            def collect(self) -> "Iterable[Metric]":
                yield from families
                yield from PROCESS_COLLECTOR.collect()

        registry = CollectorRegistry(auto_describe=False)
        registry.register(Look())
        return generate_latest(registry)


def _stalled(conn: Connection) -> list[str]:
    stall = tables.stall
    query = select(stall.c.detail).where(
        ~stall.c.name.startswith(_BY_PEOPLE), ~stall.c.name.startswith(pulse.region(""))
    )
    return list(conn.execute(query.order_by(stall.c.since)).scalars())


def _families(conn: Connection, now: datetime, beats: Heartbeats) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415

    counted = tables.id_sequence
    made = {row.name: row.next_id - 1 for row in conn.execute(select(counted))}
    for name, sequence, what in (
        ("adviser", "advis", "Adviser taken in or refused"),
        ("kvitteringer", "kvittering", "Kvitteringer that came from receivers"),
        ("envelopes_out", "envelope_out", "Receipts and answers ordered towards VANS"),
    ):
        yield CounterMetricFamily(f"sundhedsagent_{name}", what, value=made.get(sequence, 0))

    # Each that was ordered waits until it is accepted: no million rows need be counted.
    waiting = queues(conn)
    accepted = made.get("publication", 0) - waiting["queue:publications"].count
    what = "Publications that the Beskedfordeler has accepted, resends included"
    yield CounterMetricFamily("sundhedsagent_publications", what, value=accepted)

    expected, case = tables.expected_kvittering, tables.alarm_case
    is_pending = expected.c.state == literal_column("'pending'")
    pending = [
        _count(conn, expected, is_pending, condition)
        for condition in (expected.c.case_id.is_(None), expected.c.case_id.is_not(None))
    ]
    yield _gauge("kvitteringer_pending", "Kvitteringer that are waited for", value=sum(pending))
    overdue = pending[1] + _count(
        conn, expected, is_pending, expected.c.case_id.is_(None), expected.c.due_at < now
    )
    yield _gauge("kvitteringer_overdue", "Of them past their deadline", value=overdue)

    size = _gauge("queue_size", "What waits, by queue", labels=["queue"])
    oldest = _gauge("queue_oldest_seconds", "For how long the oldest has waited", labels=["queue"])
    for name, queue in waiting.items():
        label = name.replace("queue:", "").replace(":", "-")
        size.add_metric([label], queue.count)
        oldest.add_metric([label], 0 if queue.since is None else (now - queue.since) / _SECOND)
    yield from (size, oldest)

    cases = _gauge("cases_open", "Open cases, by kind", labels=["kind"])
    of_kind = select(case.c.kind, func.count()).where(case.c.closed_at.is_(None)).group_by(case.c.kind)
    yield _filled(cases, CaseKind, conn.execute(of_kind))
    incidents = _gauge("incidents", "Major incidents, by state", labels=["state"])
    incident = tables.incident
    of_state = select(incident.c.state, func.count()).group_by(incident.c.state)
    yield _filled(incidents, IncidentState, conn.execute(of_state))

    stations = _gauge(
        "station_last_good_seconds", "Since each station came to the end of a step", labels=["station"]
    )
    for name, age in beats.ages().items():
        stations.add_metric([name], age / _SECOND)
    yield stations
    handled = CounterMetricFamily(
        "sundhedsagent_station_handled", "What each station of this engine has handled", labels=["station"]
    )
    for name, count in beats.handled.items():
        handled.add_metric([name], count)
    yield handled
    channels = _gauge("channel_up", "1 where every engine's last attempt was good", labels=["channel"])
    known = pulses(conn)
    for name in CHANNELS:
        state = of_all(known, name)
        if state is not None:
            channels.add_metric([name.removeprefix("channel:")], float(state.bad_since is None))
    yield channels
    heard = known.get(pulse.VANS_IN)
    if heard is not None and heard.good_at is not None:
        silent = (now - heard.good_at) / _SECOND
        yield _gauge("vans_silent_seconds", "Since the last advis came in", value=silent)
    yield _certificates(conn, now)
    stalls = _gauge("stalled", "1 for each that stands still for longer than it may", labels=["name"])
    for name in conn.execute(select(tables.stall.c.name)).scalars():
        stalls.add_metric([name], 1)
    yield stalls


def _certificates(conn: Connection, now: datetime) -> "GaugeMetricFamily":
    ends: dict[str, float] = {}
    for row in held(conn):
        left = 0.0 if row.expires_at is None else (row.expires_at - now) / _SECOND
        ends[row.use] = min(left, ends.get(row.use, left))
    what = "Until our own certificate expires, the soonest of each use; 0 where it cannot be used"
    found = _gauge("certificate_expires_seconds", what, labels=["use"])
    for use, left in ends.items():
        found.add_metric([use], left)
    return found


def _gauge(name: str, what: str, **more: Any) -> "GaugeMetricFamily":
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

    return GaugeMetricFamily(f"sundhedsagent_{name}", what, **more)


def _filled(family: "GaugeMetricFamily", words: Iterable[str], rows: Iterable[Any]) -> "GaugeMetricFamily":
    """Every word has a value: one that is missing looks to an alert rule like one that was never there."""
    known = {row[0]: row[1] for row in rows}
    for word in words:
        family.add_metric([str(word)], known.get(word, 0))
    return family


def _count(conn: Connection, table: Any, *conditions: Any) -> int:
    return conn.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()
