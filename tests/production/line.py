"""The production line: engines on PostgreSQL and RabbitMQ, and around them an STS, a Beskedfordeler, receivers, and
hospitals that send by HTTPS. All that is seen from outside is written into a history."""

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from engine.domain.acknowledgement import ResponseCode
from engine.links.amqp import Amqp
from engine.ports import Finished, OutgoingBesked
from engine.settings import Settings
from engine.simulation.beskedfordeler import BeskedfordelerSimulator
from engine.simulation.certificates import Issued
from engine.simulation.envelopes import hn_envelope
from engine.simulation.messages import HnSpec
from engine.simulation.serving import serving
from engine.simulation.sts import PATH, Sts
from engine.wire import vans_envelope
from engine.wire.vans_envelope import MessageEnvelope, ReceiptKind
from tests.production.country import AFTALER, CODES, DUESLAG, ENTITY, KOMMUNER, RECEIVERS
from tests.production.engines import EngineProcess, engine_processes
from tests.production.facts import core, digest, of_besked, of_envelope
from tests.production.habits import Habits
from tests.production.messages import Messages, besked_of
from tests.servers.postgresql import PostgresServer
from tests.servers.rabbitmq import RabbitServer

FINAL = {ResponseCode.OK.value, ResponseCode.FATAL_ERROR.value}
LEASE_S = 12.0
CLIENTS = 64


@dataclass
class Line:
    """All of it, at work."""

    postgres: PostgresServer
    rabbit: RabbitServer
    engines: list[EngineProcess]
    sts: Sts
    simulator: BeskedfordelerSimulator
    rng: random.Random
    habits: Habits
    clients: "asyncio.Queue[httpx.AsyncClient]"
    history: list[dict[str, Any]] = field(default_factory=list)
    messages: Messages = field(default_factory=Messages)
    sent: dict[str, HnSpec] = field(default_factory=dict)
    waiting: set[tuple[str, str]] = field(default_factory=set)  # what is to come, for whom
    _finals: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # advis → VANS messages
    _owed: Counter[str] = field(default_factory=Counter)  # verdicts to be repeated, by advis
    _arrived: set[str] = field(default_factory=set)  # envelopes that reached their hospital
    _confirmed: set[str] = field(default_factory=set)  # VANS messages of which hospitals have told
    _begun: float = field(default_factory=time.monotonic)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _endless: set["asyncio.Task[None]"] = field(default_factory=set)

    def note(self, what: str, **facts: Any) -> None:
        self.history.append({"what": what, "at": round(time.monotonic() - self._begun, 3), **facts})

    def soon(self, work: Coroutine[Any, Any, None], *, ends: bool = True) -> None:
        """Do it beside everything else; trouble of the line's own is a fact too."""

        async def noted() -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001 -- the checker tells of it
                self.note("broken", error=repr(error))

        task, tasks = asyncio.create_task(noted()), self._tasks if ends else self._endless
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    # --- hospitals ----------------------------------------------------------------------------------------------------

    async def send_all(self, count: int, *, at_once: int = 24) -> None:
        """So many adviser, some of them sent again as a hospital does: in a new envelope."""
        gate = asyncio.Semaphore(at_once)
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                await gate.acquire()
                task = group.create_task(self._send())
                task.add_done_callback(lambda _: gate.release())

    async def _send(self) -> None:
        kommune = self.rng.choice(list(KOMMUNER))
        spec = self.messages.new(kommune)
        self.sent[spec.message_id] = spec
        self.waiting |= {(system, spec.message_id) for system in RECEIVERS[kommune]}
        self.waiting.add(("verdict", spec.message_id))
        await self._offer(spec)
        if self.chance(self.habits.copied):
            await self._offer(spec if self.chance(0.5) else self.messages.resent(spec))

    async def _offer(self, spec: HnSpec) -> None:
        """In an envelope of its own, until some engine has taken it."""
        kommune, envelope_id = CODES[spec.kommune.gln], str(uuid4())
        data = self.messages.advis(kommune, spec)
        envelope = hn_envelope(spec, data, envelope_id=envelope_id)
        about = {"envelope": envelope_id, "message": spec.message_id}
        if self._finals.get(spec.message_id):
            self._owed[spec.message_id] += 1
        self.waiting.add(("receipt", envelope_id))
        self.note("offered", **about, kommune=kommune, content=digest(data))
        times = 2 if self.chance(self.habits.twice_at_once) else 1
        for answer in await asyncio.gather(*(self._bring(envelope) for _ in range(times))):
            if answer.status_code == 200:
                self.note("taken", **about)
                self._vans_brought(answer.content)
            else:
                self.note("refused", **about, status=answer.status_code)

    async def _bring(self, envelope: bytes) -> httpx.Response:
        """The same bytes to one engine after the other, until one has taken or refused them."""
        while True:
            client = await self.clients.get()
            try:
                answer = await client.post(self.rng.choice(self.engines).vans_url, content=envelope)
                if answer.status_code not in {429, 503}:
                    return answer
            except httpx.HTTPError:
                pass  # that engine is away
            finally:
                self.clients.put_nowait(client)
            await asyncio.sleep(self.rng.uniform(0.05, 0.3))

    def _vans_brought(self, data: bytes) -> None:
        """A receipt or an answer, however it came."""
        found = of_envelope(data)
        if found is None:
            self.note("unreadable", whole=digest(data))
            return
        what, facts = found
        self.note(what, **facts)
        if what == "receipt":
            self.waiting.discard(("receipt", facts["of"]))
            return
        message, vans_message = facts["message"], facts["vans_message"]
        is_first = message in self.sent and not self._finals.get(message)
        if facts["code"] in FINAL:
            self._finals[message].add(vans_message)
            self.waiting.discard(("verdict", message))
        if facts["envelope"] in self._arrived:
            return
        self._arrived.add(facts["envelope"])
        self.waiting.discard(("again", vans_message))
        if self.habits.receipts:
            self._confirm(data, facts)
        share = (
            self.habits.copied_when_answered if facts["code"] in FINAL else self.habits.copied_when_transient
        )
        if is_first and self.chance(share):
            self.soon(self._offer(self.messages.resent(self.sent[message])))

    def _confirm(self, data: bytes, facts: dict[str, Any]) -> None:
        """The hospital's VANS receipt; a negative one only for the first sending of a message."""
        answer = vans_envelope.read(data)
        assert isinstance(answer, MessageEnvelope)
        is_first = facts["vans_message"] not in self._confirmed
        is_negative = is_first and self.chance(self.habits.negative_receipts)
        kind = ReceiptKind.NEGATIVE_MESSAGE if is_negative else ReceiptKind.POSITIVE_MESSAGE
        self._confirmed.add(facts["vans_message"])
        self.note(
            "confirmed", envelope=facts["envelope"], vans_message=facts["vans_message"], kind=kind.value
        )
        if is_negative and facts["code"] in FINAL:
            self.waiting.add(("again", facts["vans_message"]))
        head = vans_envelope.Head(answer.head.receiver, answer.head.sender, str(uuid4()), answer.head.sent_at)
        error_text = "afvist" if is_negative else None
        receipt = vans_envelope.write_receipt(
            head, kind, answer.head.envelope_id, answer.meta, error_text=error_text
        )

        async def bring() -> None:
            await self._bring(receipt)

        self.soon(bring())

    def vans(self) -> Starlette:
        """The VANS provider that the engines send to."""

        async def take(request: Request) -> Response:
            if self.chance(self.habits.vans_refuses):
                return Response(status_code=503)
            with suppress(ClientDisconnect):  # an engine that died meanwhile
                self._vans_brought(await request.body())
            return Response(status_code=200)

        return Starlette(routes=[Route("/modtag", take, methods=["POST"])])

    # --- receivers ----------------------------------------------------------------------------------------------------

    async def receive(self, kommune: str, system: str, amqp: Amqp) -> None:
        """One modtagersystem, for as long as the task lives."""
        known: set[str] = set()
        while True:
            deliveries = await amqp.kvitteringer.take(100)
            for delivery in deliveries:
                assert delivery.data is not None
                facts = of_besked(system, delivery.name.removesuffix(".xml"), delivery.data)
                self.note("delivered", **facts)
                message = facts["message"]
                self.waiting.discard((system, message))
                if message in self.sent and message not in known:
                    known.add(message)
                    self.soon(self._acknowledge(kommune, system, message, amqp))
            await amqp.kvitteringer.finish([Finished(delivery) for delivery in deliveries])
            if not deliveries:
                await asyncio.sleep(0.02)

    async def _acknowledge(self, kommune: str, system: str, message: str, amqp: Amqp) -> None:
        """Mostly at once; some late, some negative, some transient first, some twice."""
        habits, is_late = self.habits, self.chance(self.habits.late)
        if is_late:
            await asyncio.sleep(habits.deadline_s * 1.3)
        if self.chance(habits.transient):
            await self._say(amqp, kommune, system, message, ResponseCode.TRANSIENT_ERROR)
            await asyncio.sleep(1)
        code = ResponseCode.FATAL_ERROR if self.chance(habits.negative) else ResponseCode.OK
        data = await self._say(amqp, kommune, system, message, code, is_late=is_late)
        if self.chance(habits.repeated):
            await self._say(amqp, kommune, system, message, code, data)
        if system == RECEIVERS[kommune][0] and self.chance(habits.contradicted):
            while ("verdict", message) in self.waiting:  # noqa: ASYNC110 -- it is rare, and seconds away
                await asyncio.sleep(0.2)
            opposite = ResponseCode.OK if code is ResponseCode.FATAL_ERROR else ResponseCode.FATAL_ERROR
            await self._say(amqp, kommune, system, message, opposite)

    async def _say(
        self,
        amqp: Amqp,
        kommune: str,
        system: str,
        message: str,
        code: ResponseCode,
        data: bytes | None = None,
        *,
        is_late: bool = False,
    ) -> bytes:
        """Send a kvittering, under the same BeskedId until the Beskedfordeler has accepted it."""
        cvr, besked_id, transaction_id = KOMMUNER[kommune], str(uuid4()), str(uuid4())
        data = data or self.messages.acknowledgement(kommune, message, code)
        self.note(
            "acknowledged",
            system=system,
            message=message,
            code=code.value,
            content=digest(data),
            core=core(data) if system == RECEIVERS[kommune][0] else "",
            late=is_late,
        )
        body = besked_of(kommune, system, data, besked_id)
        while True:
            besked = OutgoingBesked(besked_id, transaction_id, cvr, (), body)
            (result,) = await amqp.beskedfordeler.publish([besked])
            if result.error is None:
                return data
            await asyncio.sleep(0.3)

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    async def kill_one(self) -> None:
        """kill -9 of an engine at random that is at work, and a new one in its place."""
        at_work = [number for number, engine in enumerate(self.engines) if engine.is_up]
        if not at_work:
            return
        number = self.rng.choice(at_work)
        engine = self.engines[number]
        await engine.note()
        self.note("killed", engine=number)
        engine.kill()
        engine.start()

    async def stop_broker(self, seconds: float) -> None:
        self.note("stopped", server="broker")
        await asyncio.to_thread(self.rabbit.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.rabbit.start)
        self.note("started", server="broker")

    async def stop_database(self, seconds: float) -> None:
        """At once, as a crash, or as an administrator stops it."""
        self.note("stopped", server="database")
        await asyncio.to_thread(self.postgres.stop, self.rng.choice(["immediate", "fast"]))
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.postgres.start)
        self.note("started", server="database")

    async def supervise(self, number: int) -> None:
        """An engine that ends is started again. It may end where its database is away when it begins, and else not."""
        engine = self.engines[number]
        while True:
            process = engine.process
            if process is not None and process.poll() is not None:
                self.note("ended", engine=number, code=process.returncode, at_work=engine.is_up)
                engine.start()
            engine.is_up = engine.is_up or await engine.listens()
            await asyncio.sleep(0.2)

    # --- the end ------------------------------------------------------------------------------------------------------

    def is_settled(self) -> bool:
        """Everything that must come has come."""
        repeated = all(len(self._finals[message]) > owed for message, owed in self._owed.items())
        return not self.waiting and not self._tasks and repeated

    async def settled(self, seconds: float) -> None:
        """Until nothing is to come any more; TimeoutError after so long."""
        async with asyncio.timeout(seconds):
            while not self.is_settled():  # noqa: ASYNC110 -- nothing tells of the end of a hundred things
                await asyncio.sleep(0.05)

    async def settle(self, seconds: float, *, then: float) -> None:
        """The end. What is missing when nothing has come for so long is for the checker to tell, and what should not
        come has its time, too: `then` so much longer.
        """
        came = -1
        while came != (came := self._came()):
            with suppress(TimeoutError):
                await self.settled(seconds)
        await asyncio.sleep(then)
        await self._take_stock()

    def _came(self) -> int:
        """How many things have come from the engines so far: envelopes, and beskeder from the Beskedfordeler."""
        return len(self.sent) - len(self.waiting) + len(self._arrived)

    async def _take_stock(self) -> None:
        """What the engines did, and what they say is left to do."""
        for number, engine in enumerate(self.engines):
            await engine.note()
            for station, count in engine.handled.items():
                self.note("worked", engine=number, station=station, count=count)
        for name, count in (await self._left()).items():
            self.note("left", name=name, count=count)

    async def _left(self) -> dict[str, int]:
        """What waits, as the engines say; what is on its way has as long as a dead engine's lease, and a pause."""
        names = [
            "pending",
            "waiting_publications",
            "waiting_envelopes",
            "quarantined",
            "unmatched_kvitteringer",
        ]
        names += ["receipts_awaited"] if self.habits.receipts else []
        until = time.monotonic() + 6 * LEASE_S
        while True:
            status = await asyncio.to_thread(self.engines[0].status)
            left = {name: status[name] for name in names} | {"cases": sum(status["open_cases"].values())}
            if not any(left.values()) or time.monotonic() > until:
                return left
            await asyncio.sleep(1)

    def write(self, path: Path) -> None:
        path.write_text("".join(json.dumps(fact) + "\n" for fact in self.history))


@asynccontextmanager
async def production_line(
    folder: Path,
    postgres: PostgresServer,
    rabbit: RabbitServer,
    *,
    engines: int = 3,
    seed: int = 1,
    habits: Habits | None = None,
) -> AsyncIterator[Line]:
    """Everything up and at work; all of it ended when the block is left."""
    sts, habits = Sts(), habits or Habits()
    simulator = BeskedfordelerSimulator(rabbit.url, sts, ENTITY, AFTALER)
    own, theirs = rabbit.authority.issue("sundhedsagenten"), rabbit.authority.issue("modtager")
    async with AsyncExitStack() as held:
        clients: asyncio.Queue[httpx.AsyncClient] = (
            asyncio.Queue()
        )  # one for all is slow: it looks through them
        for _ in range(CLIENTS):
            clients.put_nowait(await held.enter_async_context(httpx.AsyncClient(timeout=15)))
        line = Line(postgres, rabbit, [], sts, simulator, random.Random(seed), habits, clients)
        tls = {"own": rabbit.authority.issue("sts"), "authority": rabbit.authority.file}
        sts_url = await held.enter_async_context(serving(sts.application(), **tls)) + PATH
        vans_url = await held.enter_async_context(serving(line.vans())) + "/modtag"
        line.soon(simulator.keep(), ends=False)
        for kommune, systems in RECEIVERS.items():
            for system in systems:
                chosen = _beskedfordeler(rabbit, sts_url, theirs, system)
                amqp = Amqp.of(Settings(beskedfordeler=chosen))
                held.push_async_callback(amqp.close)
                line.soon(line.receive(kommune, system, amqp), ends=False)
        chosen = _beskedfordeler(rabbit, sts_url, own, DUESLAG)
        settings = _settings(vans_url, habits) | {f"beskedfordeler.{name}": chosen[name] for name in chosen}
        line.engines = engine_processes(folder, postgres.create(), engines, settings)
        for number, engine in enumerate(line.engines):
            held.callback(engine.kill)
            engine.start()
            line.soon(line.supervise(number), ends=False)
        try:
            yield line
        finally:
            tasks = [*line._tasks, *line._endless]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await simulator.stop()


def _beskedfordeler(rabbit: RabbitServer, sts_url: str, own: Issued, dueslag: str) -> dict[str, Any]:
    """The settings of one that logs on by the certificate `own`."""
    return {
        "via": "amqp",
        "server": "127.0.0.1",
        "port": rabbit.tls_port,
        "cvr": KOMMUNER["0101"],
        "ca_file": str(rabbit.authority.file),
        "certificate": str(own.certificate),
        "key": str(own.key),
        "dueslag": dueslag,
        "sts": sts_url,
        "entity_receive": ENTITY,
        "prefetch": 100,
    }


def _settings(vans_url: str, habits: Habits) -> dict[str, object]:
    return {
        "vans.receive_by": "https",
        "vans.send_by": "https",
        "vans.url": vans_url,
        "listen.per_second": 2_000,
        "kvittering.deadline": f"{habits.deadline_s:.0f} s",
        "engine.lease": f"{LEASE_S:.0f} s",
        "publish.longest_pause": "5 s",
        "publish.batch": 50,  # sent within its lease also where five programs share two cores
        "log.format": "json",
    }
