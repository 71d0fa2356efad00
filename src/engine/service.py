"""The one place where the parts meet: builds the stations on their links, runs and stops them."""

import asyncio
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol
from uuid import uuid4

import structlog
from sqlalchemy.exc import OperationalError

from engine.clock import Clock, SystemClock
from engine.errors import HomeError
from engine.flow.announce import Announce, IncidentClock
from engine.flow.answer import Answer, FollowUp
from engine.flow.claims import release_all
from engine.flow.collect import Collect
from engine.flow.detect import Detect
from engine.flow.mail_texts import MailTexts
from engine.flow.notify import Notify
from engine.flow.oversee import Heartbeats, Oversee
from engine.flow.post import Post
from engine.flow.publish import Publish
from engine.flow.receive import Receive
from engine.flow.report import Report
from engine.flow.switch_over import SwitchOver
from engine.flow.trouble import told
from engine.flow.vitals import Vitals
from engine.flow.watch import Watch
from engine.home import Home, payload_key
from engine.links.driftstatus import HttpStatusPage
from engine.links.folders import FolderBeskedfordeler, FolderInbox, FolderVansOutbox, leftovers
from engine.links.mail import mail_outbox
from engine.links.monitor import Probes, monitor
from engine.ports import Beskedfordeler, Inbox, MailOutbox, StatusPage, VansOutbox
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database
from engine.store.payloads import PayloadBox

log = structlog.get_logger(__name__)

# A station whose step fails (full disk, lost database) tries again after this long, then ever later.
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
# Stations that go by the clock look once a second; what others do rings for them too.
_BY_THE_CLOCK = (Watch, Notify, Detect, IncidentClock, Report, Post, Oversee)
_TICK_S = 1.0


class Station(Protocol):
    """One step of the way: takes a batch, does it in one transaction, leaves the next step's work in the outbox."""

    name: ClassVar[str]

    async def step(self) -> int:
        """How much was handled; 0 when there is nothing to do now."""
        ...


@dataclass(frozen=True, slots=True)
class Links:
    """The outside, as the engine reaches it."""

    vans_in: Inbox
    vans_out: VansOutbox
    beskedfordeler: Beskedfordeler
    kvitteringer: Inbox
    mails: MailOutbox
    status_page: StatusPage | None  # None: driftstatus is told by hand

    @classmethod
    def folders(cls, home: Home, settings: Settings) -> "Links":
        return cls(
            FolderInbox(home.vans_in, home.vans_quarantine, settings.vans.max_envelope_bytes),
            FolderVansOutbox(home.vans_out),
            FolderBeskedfordeler(home.dueslag),
            FolderInbox(home.afsend, home.beskedfordeler_quarantine, settings.kvittering.max_besked_bytes),
            mail_outbox(home, settings),
            HttpStatusPage(settings.incident) if settings.incident.driftstatus_api else None,
        )


class Bell:
    """Rung when work was done: whoever found nothing to do looks again. Never misses a ring between look and wait."""

    def __init__(self) -> None:
        self.rings = 0
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self.rings += 1
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, heard: int, timeout_s: float) -> None:
        """Until it rings after the `heard` rings, or the time is over."""
        if self.rings == heard:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._rung.wait()
            except TimeoutError:
                pass


class Engine:
    """The stations of one engine on one database."""

    def __init__(
        self,
        db: Database,
        box: PayloadBox,
        clock: Clock,
        settings: Settings,
        links: Links,
        texts: MailTexts | None = None,
    ) -> None:
        texts = texts or MailTexts()
        owner = str(uuid4())
        self._db = db
        self._links = links
        self._poll_s = settings.engine.poll.total_seconds()
        self.stations: Sequence[Station] = (
            Receive(links.vans_in, db, box, clock, settings),
            Publish(links.beskedfordeler, db, box, clock, settings, owner),
            Collect(links.kvitteringer, db, box, clock, settings),
            Answer(links.vans_out, db, box, clock, settings, owner),
            FollowUp(db, clock, settings),
            SwitchOver(db, clock),
            Watch(db, clock, settings),
            Notify(db, clock, settings, texts),
            Detect(links.vans_in, db, clock, settings, texts),
            IncidentClock(db, clock, settings, texts),
            *([Announce(links.status_page, db, box, clock, settings, owner)] if links.status_page else []),
            Report(db, clock, settings, texts),
            Post(links.mails, db, box, clock, settings, owner),
        )
        self._beats = Heartbeats(clock, [*(station.name for station in self.stations), Oversee.name])
        inboxes = {"inbox:vans": links.vans_in, "inbox:beskedfordeler": links.kvitteringer}
        self._monitor = settings.monitor
        self._vitals = Vitals(self._beats, db, clock, settings)
        # The last in line: when it looks, the others have had their turn.
        self.stations = (*self.stations, Oversee(self._beats, inboxes, db, clock, settings))

    @classmethod
    def open(
        cls,
        home: Home,
        settings: Settings | None = None,
        clock: Clock | None = None,
        links: Links | None = None,
    ) -> "Engine":
        """An engine on a home's database, and on its folders unless other links are given.

        The caller holds the home's engine lock.
        """
        _calm_collector()
        settings = settings or Settings.load(home)
        db = Database.sqlite(home.database_file)
        leftovers(
            [
                home.vans_out,
                home.vans_quarantine,
                home.beskedfordeler_quarantine,
                home.mail,
                *home.dueslag.iterdir(),
            ]
        )
        with db.writing() as tx:
            # The lock says that no other engine lives: claims are a dead one's.
            for outbox in (tables.publication, tables.envelope_out, tables.mail, tables.incident_step):
                release_all(tx, outbox)
        box = PayloadBox(payload_key(home))
        links = links or Links.folders(home, settings)
        return cls(db, box, clock or SystemClock(), settings, links, MailTexts(home.mail_templates))

    async def run(self, stop: asyncio.Event, begun: Callable[[], None] = lambda: None) -> None:
        """Work until `stop` is set, then finish what is in hand; `begun` is called once the work has begun.

        SettingsError where the monitor's port is taken.
        """
        bell = Bell()
        vitals = self._vitals
        try:
            probes = Probes(vitals.alive, vitals.ready, vitals.metrics)
            async with monitor(self._monitor, probes), asyncio.TaskGroup() as group:
                for station in self.stations:
                    group.create_task(self._work(station, bell, stop), name=station.name)
                begun()
                await stop.wait()
                bell.ring()
        finally:
            await self._links.mails.close()

    async def drain(self) -> int:
        """Handle all that waits, until nothing is left to do now; how much was handled.

        Raises HomeError where the database cannot be used.
        """
        handled = 0
        try:
            while done := sum([await self._step(station) for station in self.stations]):
                handled += done
        except OperationalError as error:
            raise HomeError(
                f"Databasen kan ikke bruges nu ({error.orig}). Intet er tabt; kør igen bagefter."
            ) from error
        finally:
            await self._links.mails.close()
        return handled

    def close(self) -> None:
        self._db.close()

    async def _step(self, station: Station) -> int:
        handled = await station.step()
        self._beats.beat(station.name)
        return handled

    async def _work(self, station: Station, bell: Bell, stop: asyncio.Event) -> None:
        failures = 0
        poll_s = max(self._poll_s, _TICK_S) if isinstance(station, _BY_THE_CLOCK) else self._poll_s
        while not stop.is_set():
            heard = bell.rings
            try:
                handled = await self._step(station)
            except Exception as error:  # noqa: BLE001 - a station outlives its failures
                failures += 1
                pause_s = min(_FIRST_PAUSE_S * 2 ** (failures - 1), _LONGEST_PAUSE_S)
                log.error("station-failed", station=station.name, pause_s=pause_s, **told(error))
                await _sleep_unless(stop, pause_s)
                continue
            failures = 0
            if handled:
                bell.ring()
            else:
                await bell.wait(heard, poll_s)


def _calm_collector() -> None:
    """A batch makes a hundred thousand objects that live until its end, and Python's default is to look through the
    living ones after every 700 new ones: that was 4 % of the engine's time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def _sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
