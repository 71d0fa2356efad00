"""The whole outside on real servers, for a developer's laptop: an STS and the Beskedfordeler in software on a RabbitMQ,
the registry's receivers, and hospitals if they are wanted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from engine.desk.registry import list_receivers
from engine.home import Home
from engine.links.amqp import Amqp
from engine.links.certificates import TlsClient
from engine.settings import BeskedfordelerSettings, Settings
from engine.simulation import rabbitmq
from engine.simulation.amqp_mailboxes import AmqpMailboxes
from engine.simulation.beskedfordeler import BeskedfordelerSimulator, Serviceaftale
from engine.simulation.folders import HomeMailboxes
from engine.simulation.habits import Habits
from engine.simulation.ledger import Missing, Totals
from engine.simulation.mailbox import Mailbox
from engine.simulation.place import DUESLAG, SERVER, VANS, Place
from engine.simulation.relay import Relay
from engine.simulation.roster import SimKommune
from engine.simulation.serving import serving
from engine.simulation.simulation import STEP_SECONDS, Script, Simulation, utc_now
from engine.simulation.stays import MEAN_MESSAGES_PER_STAY
from engine.simulation.sts import PATH as STS_PATH
from engine.simulation.sts import Sts
from engine.simulation.vans_provider import HttpsVans
from engine.store import tables
from engine.wire.standard_retur import CANNOT_RECEIVE, StandardRetur

if TYPE_CHECKING:
    from starlette.routing import Route

_COMPRESSION = 2_000.0  # a stay of two days in a minute and a half
_REFUSAL = StandardRetur(CANNOT_RECEIVE, "Afvist af simuleringen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What hospitals and receivers do. With no `rate` the hospitals send nothing, and folders are left alone."""

    roster: Sequence[SimKommune]
    rate: float  # adviser in a second, about
    habits: Habits
    seed: int


class _Nothing:
    """The mailbox of hospitals that are not there."""

    def fetch(self) -> Iterator[tuple[str, bytes]]:
        return iter(())

    def taken(self, name: str) -> None: ...

    def left(self, name: str) -> None: ...

    def send(self, name: str, data: bytes) -> None: ...


class Surroundings:
    """All of it at work, until it is stopped, and told to misbehave meanwhile."""

    def __init__(
        self, place: Place, settings: Settings, aftaler: Sequence[Serviceaftale], tell: Callable[[str], None]
    ) -> None:
        self._place = place
        self._settings = settings
        self._tell = tell
        self._sts = Sts(key=place.sts_key.read_bytes())
        self._relay = Relay(place.broker_host, place.broker_tls_port)
        self._refuses = False
        self._beskedfordeler = BeskedfordelerSimulator(
            place.broker,
            self._sts,
            settings.beskedfordeler.entity_send,
            tuple(aftaler),
            verdict=lambda _besked_id: _REFUSAL if self._refuses else None,
        )
        self._reconnecting: set[asyncio.Task[None]] = set()

    async def run(
        self, home: Home, traffic: Traffic, stop: asyncio.Event
    ) -> tuple[Totals, tuple[Missing, ...]]:
        """Until `stop` is set; what was seen from outside, and what is missing then.

        SundhedsagentError where a port is taken.
        """
        async with self._serving(home, traffic) as simulation:
            was_connected = False
            self._tell(f"Venter på RabbitMQ på {self._place.broker_host}, port {self._place.broker_port}.")
            while not stop.is_set():
                simulation.step(utc_now())
                if self._beskedfordeler.is_connected != was_connected:
                    was_connected = not was_connected
                    self._tell(
                        "Beskedfordeleren er i gang." if was_connected else "RabbitMQ er væk; prøver igen."
                    )
                with suppress(TimeoutError):
                    async with asyncio.timeout(STEP_SECONDS):
                        await stop.wait()
            return simulation.totals, simulation.missing()

    def refuse_or_not(self) -> None:
        self._refuses = not self._refuses
        self._tell(
            "Beskedfordeleren afviser nu alt (StatusKode 40)."
            if self._refuses
            else "Beskedfordeleren tager imod igen."
        )

    def stall_or_not(self) -> None:
        simulator = self._beskedfordeler
        simulator.stalled = not simulator.stalled
        if not simulator.stalled:
            # What lies unanswered is handed over again to a new connection.
            task = asyncio.ensure_future(simulator.stop())
            self._reconnecting.add(task)
            task.add_done_callback(self._reconnecting.discard)
        self._tell(
            "Beskedfordeleren tier nu."
            if simulator.stalled
            else "Beskedfordeleren svarer igen, også på det, der ventede."
        )

    def cut_or_mend(self) -> None:
        if self._relay.is_cut:
            self._relay.mend()
            self._tell("Beskedfordeleren kan nås igen.")
        else:
            self._relay.cut()
            self._tell("Alle forbindelser til Beskedfordeleren er brudt, og ingen slipper igennem.")

    @asynccontextmanager
    async def _serving(self, home: Home, traffic: Traffic) -> AsyncIterator[Simulation]:
        from starlette.applications import Starlette  # noqa: PLC0415

        place = self._place
        async with AsyncExitStack() as held:
            routes: list[Route] = [self._sts.route()]
            vans: Mailbox = HomeMailboxes(home).vans if traffic.rate else _Nothing()
            if place.engines:
                vans = by_https = HttpsVans(place.engines, TlsClient(place.files(VANS)).context())
                routes.append(by_https.route())
                await held.enter_async_context(by_https.carrying())
            await held.enter_async_context(self._relay.listening(place.address, place.amqp_port))
            await held.enter_async_context(
                serving(
                    Starlette(routes=routes),
                    own=place.issued(SERVER),
                    authority=place.authority,
                    address=place.address,
                    port=place.https_port,
                )
            )
            held.push_async_callback(self._beskedfordeler.stop)
            held.push_async_callback(_end, asyncio.create_task(self._beskedfordeler.keep()))
            systems = [receiver.uuid for kommune in traffic.roster for receiver in kommune.receivers]
            mailboxes = AmqpMailboxes(
                vans, {system: self._reach(system) for system in systems}, self._reach()
            )
            await held.enter_async_context(mailboxes.carrying())
            yield self._simulation(mailboxes, traffic)

    def _simulation(self, mailboxes: AmqpMailboxes, traffic: Traffic) -> Simulation:
        script = Script(
            roster=traffic.roster,
            seed=traffic.seed,
            start=utc_now(),
            stay_every=timedelta(seconds=MEAN_MESSAGES_PER_STAY / (traffic.rate or 1)),
            compression=_COMPRESSION,
            habits=traffic.habits,
            beskedtype_kvittering=self._settings.beskedtype_medcomkvittering,
        )
        simulation = Simulation(mailboxes, script)
        if not traffic.rate:
            simulation.stop_sending()
        return simulation

    def _reach(self, system: str = "") -> Amqp:
        """A modtagersystem's link to the Beskedfordeler: by the engine's own code, with another certificate."""
        place, files = self._place, self._place.files(rabbitmq.RECEIVERS)
        chosen = BeskedfordelerSettings(
            via="amqp",
            server=place.near,
            port=place.amqp_port,
            vhost=rabbitmq.VHOST,
            cvr=self._beskedfordeler.aftaler[0].kommune_cvr,
            dueslag=system,
            entity_send=self._settings.beskedfordeler.entity_send,
            prefetch=100,
            certificate=files.certificate,
            key=files.key,
            ca_file=files.authorities,
            sts=f"https://{place.near}:{place.https_port}{STS_PATH}",
        )
        # A copy, for the environment would win over what is given to the constructor.
        return Amqp.of(self._settings.model_copy(update={"beskedfordeler": chosen}))


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def registered_aftaler(conn: Connection, settings: Settings) -> tuple[Serviceaftale, ...]:
    """Who may receive what: each receiver its kommune's adviser, and Sundhedsagenten all kvitteringer."""
    dueslag = settings.beskedfordeler.dueslag or DUESLAG
    kommune, connection = tables.kommune, tables.connection
    query = select(kommune.c.code, kommune.c.cvr).join(
        connection, connection.c.kommune_code == kommune.c.code
    )
    aftaler: list[Serviceaftale] = []
    for code, cvr in conn.execute(query.order_by(kommune.c.code)):
        systems = [receiver.uuid for receiver in list_receivers(conn, code)]
        aftaler += [Serviceaftale(settings.beskedtype_sygehusophold, cvr, system) for system in systems]
        aftaler.append(Serviceaftale(settings.beskedtype_medcomkvittering, cvr, dueslag))
    return tuple(aftaler)
