"""The one place where the parts meet: builds the stations on their links, runs and stops them."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol
from uuid import uuid4

import structlog
from sqlalchemy.exc import DBAPIError

from engine.clock import Clock
from engine.database_errors import database_trouble
from engine.domain import pulse
from engine.errors import HomeError
from engine.flow.announce import Announce, IncidentClock
from engine.flow.answer import Answer, FollowUp
from engine.flow.claims import release_all
from engine.flow.collect import Collect
from engine.flow.detect import Detect
from engine.flow.expire import Expire
from engine.flow.mail_texts import MailTexts
from engine.flow.notify import Notify
from engine.flow.oversee import Heartbeats, Oversee
from engine.flow.post import Post
from engine.flow.publish import Publish
from engine.flow.receive import Receive
from engine.flow.reply import Reply
from engine.flow.report import Report
from engine.flow.switch_over import SwitchOver
from engine.flow.trouble import is_of_what_is_written, told
from engine.flow.vitals import Vitals
from engine.flow.watch import Watch
from engine.home import Home, payload_key
from engine.links.driftstatus import HttpStatusPage
from engine.links.folders import FolderBeskedfordeler, FolderInbox, FolderVansOutbox, leftovers
from engine.links.mail import mail_outbox
from engine.links.monitor import Probes, monitor
from engine.links.own_certificates import OwnCertificates, used
from engine.ports import Beskedfordeler, Certificates, Inbox, MailOutbox, StatusPage, VansOutbox
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database
from engine.store.payloads import PayloadBox
from engine.store.sealing import note_key

if TYPE_CHECKING:  # needed only where it is chosen, and slow to import
    from engine.links.listener import Listener

log = structlog.get_logger(__name__)

# A station whose step fails (full disk, lost database) tries again after this long, then ever later.
_THREADS = 32
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
# Stations that go by the clock look once a second; what others do rings for them too.
_BY_THE_CLOCK = (FollowUp, Watch, Notify, Detect, IncidentClock, Report, Post, Expire, Oversee)
_TICK_S = 1.0
# No advis waits for these: while others ring many times a second they look as often as if nobody rang.
_UNHURRIED = (*_BY_THE_CLOCK, SwitchOver)


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
    closing: Sequence[Callable[[], Awaitable[None]]] = ()  # lets go of the connections
    listener: "Listener | None" = None  # what comes by HTTPS
    certificates: Certificates = field(default_factory=lambda: OwnCertificates({}))

    @classmethod
    def chosen(cls, home: Home, settings: Settings) -> "Links":
        """As the settings say."""
        beskedfordeler: Beskedfordeler = FolderBeskedfordeler(home.dueslag)
        kvitteringer: Inbox = FolderInbox(
            home.afsend, home.beskedfordeler_quarantine, settings.kvittering.max_besked_bytes
        )
        vans_in: Inbox = FolderInbox(home.vans_in, home.vans_quarantine, settings.vans.max_envelope_bytes)
        vans_out: VansOutbox = FolderVansOutbox(home.vans_out)
        listener, mails = None, mail_outbox(home, settings)
        closing = [mails.close]
        if settings.takes_vans or settings.takes_pushes:
            from engine.links.listener import Listener  # noqa: PLC0415

            listener = Listener(settings)
            vans_in = listener.vans or vans_in
        if settings.vans.send_by == "https":
            from engine.links.vans_https import HttpsVansOutbox  # noqa: PLC0415

            by_https = HttpsVansOutbox(settings.vans, settings.send_within_s)
            vans_out = by_https
            closing.append(by_https.close)
        if settings.beskedfordeler.via == "amqp":
            from engine.links.amqp import Amqp  # noqa: PLC0415 - slow to import

            amqp = Amqp.of(settings)
            beskedfordeler, kvitteringer = amqp.beskedfordeler, amqp.kvitteringer
            closing.append(amqp.close)
            if listener is not None and listener.kvitteringer is not None:
                kvitteringer = listener.kvitteringer
        return cls(
            vans_in,
            vans_out,
            beskedfordeler,
            kvitteringer,
            mails,
            HttpStatusPage(settings.incident) if settings.incident.driftstatus_api else None,
            tuple(closing),
            listener,
            OwnCertificates(used(settings), _holder(home)),
        )

    async def close(self) -> None:
        for close in self.closing:
            await close()


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
        holder: str = "",
    ) -> None:
        texts = texts or MailTexts()
        who = (str(uuid4()), holder)
        self._db = db
        self._links = links
        self._reply = Reply(db, box, clock)
        self._poll_s = settings.engine.poll.total_seconds()
        self.stations: Sequence[Station] = (
            Receive(links.vans_in, db, box, clock, settings),
            Publish(links.beskedfordeler, db, box, clock, settings, *who),
            Collect(links.kvitteringer, db, box, clock, settings),
            Answer(links.vans_out, db, box, clock, settings, *who),
            FollowUp(db, clock, settings),
            SwitchOver(db, clock),
            Watch(db, clock, settings),
            Notify(db, clock, settings, texts),
            Detect(links.vans_in, db, clock, settings, texts, holder),
            IncidentClock(db, clock, settings, texts),
            *([Announce(links.status_page, db, box, clock, settings, *who)] if links.status_page else []),
            Report(db, clock, settings, texts),
            Post(links.mails, db, box, clock, settings, *who),
            Expire(links.certificates, db, clock),
        )
        self._beats = Heartbeats(clock, [*(station.name for station in self.stations), Oversee.name])
        inboxes = {pulse.INBOX_VANS: links.vans_in, pulse.INBOX_BESKEDFORDELER: links.kvitteringer}
        self._monitor = settings.monitor
        self._vitals = Vitals(self._beats, db, clock, settings)
        # The last in line: when it looks, the others have had their turn.
        self.stations = (*self.stations, Oversee(self._beats, inboxes, db, clock, settings, holder))

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
        leftovers(
            [
                home.vans_out,
                home.vans_quarantine,
                home.beskedfordeler_quarantine,
                home.mail,
                *home.dueslag.iterdir(),
            ]
        )
        box, links = PayloadBox(payload_key(home)), links or Links.chosen(home, settings)
        texts = MailTexts(home.mail_templates)
        with ExitStack() as until_it_works:
            db = home.open_database()
            until_it_works.callback(db.close)
            clock = clock or db.clock
            _take_over(db, box, clock)
            engine = cls(db, box, clock, settings, links, texts, _holder(home))
            until_it_works.pop_all()
        return engine

    async def run(self, stop: asyncio.Event, begun: Callable[[], None] = lambda: None) -> None:
        """Work until `stop` is set, then finish what is in hand; `begun` is called once the work has begun.

        SettingsError where the monitor's port is taken.
        """
        bell, loop = Bell(), asyncio.get_running_loop()
        # Python's own default is the cores and four: stations that wait for the database must not keep the probes out.
        loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="engine"))
        vitals = self._vitals

        def heard() -> None:
            loop.call_soon_threadsafe(bell.ring)

        try:
            probes = Probes(vitals.alive, vitals.ready, vitals.metrics)
            with self._db.present(heard):
                async with monitor(self._monitor, probes), self._listening(), asyncio.TaskGroup() as group:
                    for station in self.stations:
                        group.create_task(self._work(station, bell, stop), name=station.name)
                    begun()
                    await stop.wait()
                    bell.ring()
        finally:
            await self._links.close()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        listener = self._links.listener
        if listener is None:
            yield
            return
        if listener.vans is not None:
            listener.vans.receipts = self._reply.receipts
        async with listener.listening():
            yield

    async def drain(self) -> int:
        """Handle all that waits, until nothing is left to do now; how much was handled.

        Raises HomeError where the database cannot be used.
        """
        handled = 0
        try:
            while done := sum([await self._step(station) for station in self.stations]):
                handled += done
        except DBAPIError as error:
            if is_of_what_is_written(error):
                raise
            raise HomeError(
                f"Databasen kan ikke bruges nu: {database_trouble(error)}. Intet er tabt; kør igen bagefter."
            ) from error
        finally:
            await self._links.close()
        return handled

    def close(self) -> None:
        self._db.close()

    async def _step(self, station: Station) -> int:
        try:
            handled = await station.step()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # A library cancelled whatever waited on something of its own. A task that ends so is missed by nobody.
            raise InterruptedError from error
        self._beats.beat(station.name, handled)
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
                continue
            if isinstance(station, _UNHURRIED):
                await _sleep_unless(stop, self._poll_s)
            await bell.wait(heard, poll_s)


def _holder(home: Home) -> str:
    """Which of the engines that share a database this one is, the same after a restart; empty where it has its own."""
    return f"{socket.gethostname()}:{home.path}" if home.database_url else ""


def _take_over(db: Database, box: PayloadBox, clock: Clock) -> None:
    with db.writing() as tx:
        note_key(tx, box, clock.now())
        if not db.is_shared:
            # The home's lock says that no other engine lives: claims are a dead one's.
            for outbox in (tables.publication, tables.envelope_out, tables.mail, tables.incident_step):
                release_all(tx, outbox)


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
