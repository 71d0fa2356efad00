"""BeskedAfsend and BeskedHent on a real RabbitMQ, with the Beskedfordeler and the STS in software behind it."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import aiormq
import httpx
import pytest
from lxml import etree
from pamqp import commands, frame
from pamqp.commands import Basic
from yarl import URL

from engine.links.amqp import Amqp
from engine.links.amqp_line import AssertionConnection, LineError, cut_is_an_error
from engine.links.certificates import CertificateFiles
from engine.links.sts import TokenError, TokenSource, read_token, request_body
from engine.ports import Finished, OutgoingBesked, SendResult
from engine.settings import Settings
from engine.simulation.beskedfordeler import BeskedfordelerSimulator, Serviceaftale
from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.certificates import Issued
from engine.simulation.envelopes import Correspondence, kvittering_besked
from engine.simulation.messages import ack_bytes
from engine.simulation.serving import serving
from engine.simulation.sts import PATH, Sts
from engine.wire import beskedkuvert, standard_retur
from engine.wire.beskedkuvert import Sygehusophold, write_sygehusophold
from engine.wire.standard_retur import StandardRetur
from tests.servers.postgresql import wait_for
from tests.servers.rabbitmq import VHOST, RabbitServer, rabbit_server

CVR, OTHER_CVR, STRANGE_CVR = "64942212", "11259979", "55133018"
ADVIS, KVITTERING = "b2f7a1d0-0000-4000-8000-000000000001", "b2f7a1d0-0000-4000-8000-000000000002"
RECEIVERS = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
AGENT = "b2f7a1d0-0000-4000-8000-00000000000a"
SEND, RECEIVE = (
    "http://entityid.kombit.dk/service/bfo_afsend/2",
    "http://entityid.kombit.dk/service/bfo_modtag/2",
)


@pytest.fixture(scope="module")
def rabbit() -> Iterator[RabbitServer]:
    with rabbit_server() as server:
        yield server


@pytest.fixture(scope="module")
def own(rabbit: RabbitServer) -> Issued:
    return rabbit.authority.issue("sundhedsagenten")


@dataclass
class Surroundings:
    """The Beskedfordeler, its STS, and the links of one engine to them."""

    rabbit: RabbitServer
    own: Issued
    sts: Sts
    sts_url: str
    simulator: BeskedfordelerSimulator
    dueslag: str
    closing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def links(self, **changes: Any) -> Amqp:
        chosen = {
            "via": "amqp",
            "server": "127.0.0.1",
            "port": self.rabbit.tls_port,
            "cvr": CVR,
            "dueslag": self.dueslag,
            "certificate": str(self.own.certificate),
            "key": str(self.own.key),
            "ca_file": str(self.rabbit.authority.file),
            "sts": self.sts_url,
            "reply_timeout": "5 s",
            "prefetch": 5,
        }
        amqp = Amqp.of(Settings(beskedfordeler=chosen | changes))
        self.closing.append(amqp.close)
        return amqp

    async def fetched(self, dueslag: str) -> list[bytes]:
        """What lies in a receiver's dueslag, taken out of it."""
        connection = aiormq.Connection(self.rabbit.url)
        await connection.connect()
        channel = await connection.channel()
        found = []
        while not isinstance(
            (message := await channel.basic_get(dueslag, no_ack=True)).delivery, Basic.GetEmpty
        ):
            found.append(message.body)
        await connection.close()
        return found

    async def put(self, body: bytes, message_id: str | None = None) -> None:
        """Lay a besked in our own dueslag, as the Beskedfordeler does."""
        connection = aiormq.Connection(self.rabbit.url)
        await connection.connect()
        channel = await connection.channel()
        properties = Basic.Properties(message_id=message_id or str(uuid4()), delivery_mode=2)
        await channel.basic_publish(body, routing_key=self.dueslag, properties=properties)
        await connection.close()

    async def waiting(self) -> int:
        """How many lie in our own dueslag, handed over or not."""
        connection = aiormq.Connection(self.rabbit.url)
        await connection.connect()
        channel = await connection.channel()
        declared = await channel.queue_declare(self.dueslag, passive=True)
        await connection.close()
        return declared.message_count or 0


@pytest.fixture
async def bfo(rabbit: RabbitServer, own: Issued) -> AsyncIterator[Surroundings]:
    dueslag, sts = str(uuid4()), Sts()
    async with AsyncExitStack() as held:
        address = await held.enter_async_context(
            serving(sts.application(), own=rabbit.authority.issue("sts"), authority=rabbit.authority.file)
        )
        simulator = BeskedfordelerSimulator(
            rabbit.url,
            sts,
            SEND,
            (
                *(Serviceaftale(ADVIS, CVR, receiver) for receiver in RECEIVERS),
                Serviceaftale(ADVIS, OTHER_CVR, RECEIVERS[1]),
                Serviceaftale(KVITTERING, CVR, dueslag),
            ),
        )
        await simulator.start()
        surroundings = Surroundings(rabbit, own, sts, address + PATH, simulator, dueslag)
        yield surroundings
        for close in surroundings.closing:
            await close()
        for receiver in RECEIVERS:
            await surroundings.fetched(receiver)
        await simulator.stop()


def an_outgoing(cvr: str = CVR) -> OutgoingBesked:
    besked_id, transaction_id, now = str(uuid4()), str(uuid4()), datetime.now(UTC)
    besked = Sygehusophold(
        besked_id=besked_id,
        transaction_id=transaction_id,
        beskedtype=ADVIS,
        agent_system_uuid=AGENT,
        kommune_cvr=cvr,
        message_id=str(uuid4()),
        cpr=None,
        registered_at=now,
        made_at=now,
        valid_from=now,
        payload=b"<Bundle/>",
        media_type="application/fhir+xml",
        encoding="UTF-8",
    )
    return OutgoingBesked(besked_id, transaction_id, cvr, (), write_sygehusophold(besked))


def a_kvittering() -> bytes:
    spec = an_advis()
    return kvittering_besked(
        ack_bytes(an_acknowledgement(spec)),
        who=Correspondence(RECEIVERS[0], CVR, KVITTERING),
        besked_id=str(uuid4()),
        related_besked_id=None,
        made_at=datetime.now(UTC),
    )


async def taken(amqp: Amqp, count: int) -> list[Any]:
    """Take until there are so many; fails where they do not come."""
    found: list[Any] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found += await amqp.kvitteringer.take(100)
            await asyncio.sleep(0.005)
    return found


# --- sending --------------------------------------------------------------------------------------------------------


async def test_a_besked_reaches_every_dueslag_with_an_aftale_and_no_other(bfo: Surroundings) -> None:
    mine, others = an_outgoing(), an_outgoing(OTHER_CVR)
    results = await bfo.links().beskedfordeler.publish([mine, others])
    assert [result.error for result in results] == [None, None]
    (first,), second = await bfo.fetched(RECEIVERS[0]), await bfo.fetched(RECEIVERS[1])
    assert beskedkuvert.read(first).besked_id == mine.besked_id
    assert {beskedkuvert.read(data).besked_id for data in second} == {mine.besked_id, others.besked_id}
    assert beskedkuvert.read(first).payload == b"<Bundle/>"
    assert bfo.sts.issued == {
        (CVR, SEND): 1,
        (OTHER_CVR, SEND): 1,
    }  # one for each kommune, however many beskeder


async def test_hundreds_are_under_way_at_once(bfo: Surroundings) -> None:
    most, now = 0, 0
    amqp = bfo.links(in_flight=40)
    send = amqp.beskedfordeler._send

    async def counted(besked: OutgoingBesked) -> StandardRetur:
        nonlocal most, now
        now += 1
        most = max(most, now)
        answer = await send(besked)
        now -= 1
        return answer

    amqp.beskedfordeler._send = counted  # type: ignore[method-assign]
    beskeder = [an_outgoing() for _ in range(200)]
    assert {result.error for result in await amqp.beskedfordeler.publish(beskeder)} == {None}
    assert most == 40
    assert bfo.simulator.taken == {besked.besked_id: 1 for besked in beskeder}


async def test_a_token_that_has_expired_is_renewed_and_the_besked_sent_again(bfo: Surroundings) -> None:
    amqp, besked = bfo.links(), an_outgoing()
    old, _, _ = Sts(lasts=timedelta(0), key=bfo.sts.key).issue(CVR, SEND)
    source, known = amqp.tokens, bfo.sts.issued
    assert await source.token(CVR, SEND)
    source._tokens[CVR, SEND] = read_token(
        {"RequestedSecurityToken": {"Assertion": base64.b64encode(old.encode()).decode()}}, 0
    )
    assert [result.error for result in await amqp.beskedfordeler.publish([besked])] == [None]
    assert (known[CVR, SEND], bfo.simulator.refused[standard_retur.TOKEN_EXPIRED]) == (2, 1)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (StandardRetur(53, "Service ikke tilgængelig"), "StatusKode 53: Service ikke tilgængelig"),
        (StandardRetur(40), "StatusKode 40"),
        (StandardRetur(44, "Ukendt CPR 2509479989"), "StatusKode 44: Ukendt CPR …"),
    ],
)
async def test_what_is_refused_says_why_and_holds_up_nobody(
    bfo: Surroundings, answer: StandardRetur, told: str
) -> None:
    refused, fine = an_outgoing(), an_outgoing()
    bfo.simulator.verdict = lambda besked_id: answer if besked_id == refused.besked_id else None
    results = await bfo.links().beskedfordeler.publish([refused, fine])
    assert [result.error for result in results] == [told, None]
    assert not any(result.final for result in results)


async def test_silence_is_told_after_its_time(bfo: Surroundings) -> None:
    bfo.simulator.stalled = True
    (result,) = await bfo.links(reply_timeout="100 ms").beskedfordeler.publish([an_outgoing()])
    assert result.error == "Intet svar fra Beskedfordeleren inden for tiden"


async def test_an_answer_that_comes_late_counts_and_the_besked_is_not_sent_again(
    bfo: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, may_answer = bfo.simulator._handle, asyncio.Event()

    async def slowly(channel: Any, message: Any) -> Any:
        await may_answer.wait()
        return await handle(channel, message)

    monkeypatch.setattr(bfo.simulator, "_handle", slowly)
    sender, besked = bfo.links(reply_timeout="100 ms").beskedfordeler, an_outgoing()
    (first,) = await sender.publish([besked])
    assert first.error == "Intet svar fra Beskedfordeleren inden for tiden"
    may_answer.set()
    await asyncio.to_thread(wait_for, "the late answer", lambda: sender._late._accepted)
    for _ in range(2):  # what comes of the first may not have been recorded
        assert await sender.publish([besked]) == [SendResult(tried=False)]
    assert bfo.simulator.taken == {besked.besked_id: 1}
    sender._reply_timeout_s = 30
    # A further round is another transaction of the same besked.
    assert await sender.publish([replace(besked, transaction_id=str(uuid4()))]) == [SendResult()]
    assert bfo.simulator.taken == {besked.besked_id: 2}


async def test_without_a_queue_behind_the_exchange_the_besked_comes_back(bfo: Surroundings) -> None:
    connection = aiormq.Connection(bfo.rabbit.url)
    await connection.connect()
    channel = await connection.channel()
    await channel.queue_unbind("afsend", "AFSEND_BESKED_EXCHANGE", routing_key="")
    try:
        (result,) = await bfo.links().beskedfordeler.publish([an_outgoing()])
    finally:
        await channel.queue_bind("afsend", "AFSEND_BESKED_EXCHANGE", routing_key="")
        await connection.close()
    assert "retur" in (result.error or "")


async def test_no_token_for_one_kommune_is_no_other_kommunes_trouble(bfo: Surroundings) -> None:
    bfo.sts.refuses.add(STRANGE_CVR)
    results = await bfo.links().beskedfordeler.publish([an_outgoing(STRANGE_CVR), an_outgoing()])
    assert [result.error for result in results] == ["STS afviser at udstede et token (403)", None]


async def test_a_stranger_is_not_let_in(bfo: Surroundings, tmp_path: Path) -> None:
    from engine.simulation.certificates import Authority

    strange = Authority(tmp_path).issue("sundhedsagenten")
    amqp = bfo.links()
    source = amqp.tokens
    assertion = await source.token(CVR, SEND)
    stranger = bfo.links(certificate=str(strange.certificate), key=str(strange.key))
    stranger.tokens._tokens[CVR, SEND] = read_token(
        {"RequestedSecurityToken": {"Assertion": base64.b64encode(assertion.encode()).decode()}}, 0
    )
    (result,) = await stranger.beskedfordeler.publish([an_outgoing()])
    assert result.error == "Ingen forbindelse til Beskedfordeleren"


async def test_who_the_broker_does_not_know_is_told_so(bfo: Surroundings) -> None:
    unknown = bfo.rabbit.authority.issue("ukendt")
    amqp = bfo.links(certificate=str(unknown.certificate), key=str(unknown.key))
    (result,) = await amqp.beskedfordeler.publish([an_outgoing()])
    assert result.error == "Beskedfordeleren afviser vores token eller certifikat"


async def test_after_a_broken_connection_it_comes_back_by_itself(bfo: Surroundings) -> None:
    amqp = bfo.links()
    assert [result.error for result in await amqp.beskedfordeler.publish([an_outgoing()])] == [None]
    bfo.simulator.stalled = True
    under_way = asyncio.create_task(amqp.beskedfordeler.publish([an_outgoing()]))
    await asyncio.to_thread(wait_for, "the besked under way", lambda: amqp.beskedfordeler._replies)
    connection = amqp.beskedfordeler._line._connection
    assert connection is not None
    await connection.close()
    assert [result.error for result in await under_way] == ["Forbindelsen til Beskedfordeleren blev afbrudt"]
    bfo.simulator.stalled = False
    assert [result.error for result in await amqp.beskedfordeler.publish([an_outgoing()])] == [None]


async def test_a_task_that_the_library_cancels_is_a_cut_line_and_one_that_is_cancelled_stays_so() -> None:
    waited_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        with cut_is_an_error():
            await asyncio.shield(waited_on)

    ours = asyncio.create_task(wait())
    theirs = asyncio.create_task(wait())
    await asyncio.sleep(0)
    ours.cancel()
    await asyncio.wait([ours])
    assert ours.cancelled()
    waited_on.cancel()
    with pytest.raises(ConnectionResetError):
        await theirs


async def test_a_besked_leaves_nothing_behind(bfo: Surroundings) -> None:
    amqp = bfo.links()
    await amqp.beskedfordeler.publish([an_outgoing()])
    channel = await amqp.beskedfordeler._line.channel()
    before = len(channel._closing._callbacks)
    results = await amqp.beskedfordeler.publish([an_outgoing() for _ in range(30)])
    assert [result.error for result in results] == [None] * 30
    assert len(channel._closing._callbacks) <= before + 1
    assert amqp.beskedfordeler._replies == {}


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> float:
    """The lines' clock: however slow the machine is, no pause is over in the middle of a test."""
    monkeypatch.setattr("engine.links.amqp_line.time", SimpleNamespace(monotonic=lambda: 1_000.0))
    return 1_000.0


@pytest.mark.usefixtures("standing_clock")
async def test_a_line_that_opens_and_dies_at_once_is_a_failure(
    bfo: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.links.amqp.EXCHANGE", "NO_SUCH_EXCHANGE")
    amqp = bfo.links()
    opened = count()
    line = amqp.beskedfordeler._line
    opens = line._open

    async def counted() -> Any:
        next(opened)
        return await opens()

    monkeypatch.setattr(line, "_open", counted)
    for _ in range(5):
        results = await amqp.beskedfordeler.publish([an_outgoing() for _ in range(3)])
    assert {result.error for result in results} == {
        "Beskedfordeleren har ikke den udveksling eller det dueslag, der er sat op"
    }
    assert next(opened) == 1
    assert line.trouble is not None


async def test_a_broker_that_is_short_of_memory_is_sent_nothing(
    bfo: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    amqp = bfo.links(reply_timeout="200 ms")
    blocked = asyncio.Event()

    async def never(_connection: object) -> None:
        await blocked.wait()

    monkeypatch.setattr(AssertionConnection, "ready", never)
    (result,) = await amqp.beskedfordeler.publish([an_outgoing()])
    assert result.error == "Beskedfordeleren tager ikke imod lige nu"
    assert not bfo.simulator.taken
    blocked.set()
    amqp.beskedfordeler._reply_timeout_s = 30
    assert await amqp.beskedfordeler.publish([an_outgoing()]) == [SendResult()]
    assert bfo.simulator.taken.total() == 1


async def test_a_broker_that_is_away_is_asked_ever_more_rarely(
    bfo: Surroundings, standing_clock: float
) -> None:
    amqp = bfo.links(port=1)
    (first,) = await amqp.beskedfordeler.publish([an_outgoing()])
    line = amqp.beskedfordeler._line
    not_before = line._not_before
    (second,) = await amqp.beskedfordeler.publish([an_outgoing()])
    assert first.error == second.error == "Ingen forbindelse til Beskedfordeleren"
    assert line._not_before == not_before  # within the pause nobody was asked
    pauses = []
    for _ in range(9):
        line._not_before = 0.0
        await amqp.beskedfordeler.publish([an_outgoing()])
        pauses.append(line._not_before - standing_clock)
    assert 0.9 < pauses[0] < 2.1  # the second failure
    assert 29 < pauses[-1] < 61


def test_the_sasl_response_is_the_decoded_assertion() -> None:
    """Connection.StartOk as it goes over the wire; Debian's broker looks at the certificate alone."""
    assertion = '<saml:Assertion ID="æ">…</saml:Assertion>'
    loop = asyncio.new_event_loop()
    connection = AssertionConnection.__new__(AssertionConnection)
    connection._assertion = assertion
    loop.close()
    start = commands.Connection.Start(mechanisms="PLAIN EXTERNAL")
    credentials = connection._credentials_class(start)
    marshalled = frame.marshal(
        commands.Connection.StartOk(
            client_properties={},
            mechanism=credentials.name,
            response=credentials.value(connection).marshal(),
        ),
        0,
    )
    _, _, read_back = frame.unmarshal(marshalled)
    assert (read_back.mechanism, read_back.response) == ("EXTERNAL", assertion)
    length = len(assertion.encode()).to_bytes(4)
    assert b"\x08EXTERNAL" + length + assertion.encode() in marshalled
    with pytest.raises(aiormq.exceptions.AuthenticationError):
        connection._credentials_class(commands.Connection.Start(mechanisms="PLAIN"))


# --- fetching -------------------------------------------------------------------------------------------------------


async def test_kvitteringer_are_fetched_and_confirmed_after_the_commit(bfo: Surroundings) -> None:
    amqp, bodies = bfo.links(), [a_kvittering() for _ in range(3)]
    for body in bodies:
        await bfo.put(body)
    deliveries = await taken(amqp, 3)
    assert [delivery.data for delivery in deliveries] == bodies
    assert (await amqp.kvitteringer.oldest()) is not None
    await amqp.close()  # as a crash before the commit
    again = bfo.links()
    second = await taken(again, 3)
    assert [delivery.key for delivery in second] == [delivery.key for delivery in deliveries]
    await again.kvitteringer.finish([Finished(delivery) for delivery in second])
    await again.close()
    assert await bfo.waiting() == 0


async def test_no_more_are_handed_over_than_may_be_unconfirmed(
    bfo: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    amqp = bfo.links(prefetch=1)
    for _ in range(3):
        await bfo.put(a_kvittering())
    (first,) = await taken(amqp, 1)
    await asyncio.sleep(0.1)
    assert list(await amqp.kvitteringer.take(100)) == []
    monkeypatch.setattr("engine.links.amqp._NEXT_IS_COMING_S", 30.0)  # however slow the broker is
    await amqp.kvitteringer.finish([Finished(first)])
    assert len(await amqp.kvitteringer.take(100)) == 1  # it is on its way, and waited for


async def test_the_same_kvittering_sent_twice_is_two_deliveries(bfo: Surroundings) -> None:
    amqp, body = bfo.links(), a_kvittering()
    await bfo.put(body)
    await bfo.put(body)
    first, second = await taken(amqp, 2)
    assert first.key != second.key


async def test_one_that_the_beskedfordeler_delivers_twice_is_one_delivery(bfo: Surroundings) -> None:
    """As after a crash of its own: the same messageId and the same bytes."""
    amqp, body, message_id = bfo.links(), a_kvittering(), str(uuid4())
    await bfo.put(body, message_id)
    await bfo.put(body, message_id)
    await bfo.put(a_kvittering())
    first, other = await taken(amqp, 2)
    assert (first.data, other.data == body) == (body, False)
    await amqp.kvitteringer.give_back([first, other])
    assert list(await amqp.kvitteringer.take(100)) == [first, other]
    await amqp.kvitteringer.finish([Finished(first), Finished(other)])
    assert await amqp.kvitteringer.oldest() is None
    await amqp.close()
    assert await bfo.waiting() == 0


async def test_what_could_not_be_handled_now_is_taken_again(bfo: Surroundings) -> None:
    amqp = bfo.links()
    for _ in range(3):
        await bfo.put(a_kvittering())
    deliveries = await taken(amqp, 3)
    await amqp.kvitteringer.give_back(deliveries)
    assert await amqp.kvitteringer.take(100) == deliveries


async def test_one_that_is_too_large_is_left_to_the_beskedfordelers_own_quarantine(bfo: Surroundings) -> None:
    chosen = bfo.links()
    chosen.kvitteringer._max_bytes = 1_000
    await bfo.put(a_kvittering())
    (delivery,) = await taken(chosen, 1)
    assert delivery.data is None
    await chosen.kvitteringer.finish([Finished(delivery, "x.xml")])
    await chosen.close()
    assert await bfo.waiting() == 0


async def test_a_dueslag_that_is_not_there_is_told(bfo: Surroundings) -> None:
    amqp = bfo.links(dueslag=str(uuid4()))
    assert list(await amqp.kvitteringer.take(10)) == []
    with pytest.raises(LineError, match="har ikke den udveksling eller det dueslag"):
        await amqp.kvitteringer.oldest()


async def test_a_dueslag_that_is_taken_away_is_told_and_fetched_from_again(bfo: Surroundings) -> None:
    amqp = bfo.links()
    await bfo.put(b"<one/>")
    (delivery,) = await taken(amqp, 1)
    await amqp.kvitteringer.finish([Finished(delivery)])
    connection = aiormq.Connection(bfo.rabbit.url)
    await connection.connect()
    channel = await connection.channel()
    await channel.queue_delete(bfo.dueslag)
    await asyncio.to_thread(wait_for, "the news", lambda: amqp.kvitteringer._line._spoilt)
    assert list(await amqp.kvitteringer.take(10)) == []
    with pytest.raises(LineError, match="lukket for hentning fra dueslaget"):
        await amqp.kvitteringer.oldest()
    await channel.queue_declare(bfo.dueslag, durable=True)
    await connection.close()
    await bfo.put(b"<two/>")
    amqp.kvitteringer._line._not_before = 0.0
    (delivery,) = await taken(amqp, 1)
    assert delivery.data == b"<two/>"
    assert await amqp.kvitteringer.oldest() is not None


async def test_a_receivers_kvittering_comes_through_the_beskedfordeler(bfo: Surroundings) -> None:
    """As a receiver sends it: with its own certificate, to our dueslag, with Kildesystem set by the Beskedfordeler."""
    certificate = bfo.rabbit.authority.issue("modtager")
    receiver = bfo.links(certificate=str(certificate.certificate), key=str(certificate.key))
    body = a_kvittering()
    (result,) = await receiver.beskedfordeler.publish([OutgoingBesked("x", str(uuid4()), CVR, (), body)])
    assert result.error is None
    (delivery,) = await taken(bfo.links(), 1)
    besked = beskedkuvert.read(delivery.data)
    assert (besked.kildesystem, besked.payload) == (RECEIVERS[0], beskedkuvert.read(body).payload)


# --- the simulator itself -------------------------------------------------------------------------------------------


async def test_the_simulator_refuses_what_the_real_one_would(bfo: Surroundings) -> None:
    amqp = bfo.links()
    besked = an_outgoing()
    broken = OutgoingBesked(besked.besked_id, besked.transaction_id, CVR, (), b"<x/>")
    foreign = OutgoingBesked(besked.besked_id, str(uuid4()), OTHER_CVR, (), besked.data)
    results = await amqp.beskedfordeler.publish([broken, foreign])
    assert [(result.error or "")[:13] for result in results] == ["StatusKode 40", "StatusKode 40"]
    forged = Sts().issue(CVR, SEND)[0]
    amqp.tokens._tokens[CVR, SEND] = read_token(
        {"RequestedSecurityToken": {"Assertion": base64.b64encode(forged.encode()).decode()}}, 0
    )
    (result,) = await amqp.beskedfordeler.publish([besked])
    assert result.error == "StatusKode 40: Token er ikke udstedt til denne service"


async def test_the_delivered_besked_keeps_the_order_of_the_schema(bfo: Surroundings) -> None:
    await bfo.links().beskedfordeler.publish([an_outgoing()])
    (data,) = await bfo.fetched(RECEIVERS[0])
    (delivery,) = etree.fromstring(data).iter("{*}Leveranceinformation")
    names = [etree.QName(child).localname for child in delivery]
    assert names == ["Dannelsestidspunkt", "TransaktionsId", "Kildesystem", "Sikkerhedsklassificering"]


# --- tokens ---------------------------------------------------------------------------------------------------------


def a_source(bfo: Surroundings, **changes: Any) -> TokenSource:
    files = CertificateFiles(
        *(
            str(changes.pop(name, value))
            for name, value in (("certificate", bfo.own.certificate), ("key", bfo.own.key))
        ),
        str(bfo.rabbit.authority.file),
    )
    return TokenSource(changes.pop("url", bfo.sts_url), files, changes.pop("renew_before_s", 300))


async def test_a_token_is_kept_per_kommune_and_service_and_asked_for_once(bfo: Surroundings) -> None:
    source = a_source(bfo)
    tokens = await asyncio.gather(*(source.token(CVR, SEND) for _ in range(20)))
    assert len(set(tokens)) == 1
    assert await source.token(CVR, RECEIVE) != await source.token(OTHER_CVR, SEND)
    assert bfo.sts.issued == {(CVR, SEND): 1, (CVR, RECEIVE): 1, (OTHER_CVR, SEND): 1}


async def test_a_token_is_renewed_before_its_end(bfo: Surroundings) -> None:
    bfo.sts.lasts = timedelta(hours=1)
    source = a_source(bfo, renew_before_s=300)
    first = await source.token(CVR, SEND)
    token = source._tokens[CVR, SEND]
    left = token.good_until - asyncio.get_running_loop().time()
    assert 3_300 - 5 < left <= 3_300
    source._tokens[CVR, SEND] = type(token)(token.assertion, 0.0)
    assert await source.token(CVR, SEND) != first


async def test_an_sts_that_is_away_or_refuses_is_told_and_not_hammered(bfo: Surroundings) -> None:
    bfo.sts.refuses.add(CVR)
    source = a_source(bfo)
    for _ in range(3):
        with pytest.raises(TokenError, match="403"):
            await source.token(CVR, SEND)
    away = a_source(bfo, url="https://127.0.0.1:1/x")
    with pytest.raises(TokenError, match="ingen forbindelse til STS"):
        await away.token(CVR, SEND)
    nonsense = a_source(bfo, url=bfo.sts_url + "/nothing")
    with pytest.raises(TokenError, match="404"):
        await nonsense.token(CVR, SEND)
    bfo.sts.refuses.clear()
    asked = count()

    async def hangs(*_: object, **__: object) -> None:
        next(asked)
        await asyncio.sleep(0.3)
        raise httpx.ReadTimeout("")

    slow = a_source(bfo)
    with patch("httpx.AsyncClient.post", hangs):
        told = await asyncio.gather(*(slow.token(CVR, SEND) for _ in range(5)), return_exceptions=True)
    assert [str(error) for error in told] == ["STS svarer ikke inden for tiden"] * 5
    assert len({id(error) for error in told}) == 5  # each its own: a traceback grows with every raise
    assert next(asked) == 1
    missing = a_source(bfo, certificate="/nowhere.pem")
    with pytest.raises(TokenError, match="nowhere"):
        await missing.token(CVR, SEND)


async def test_a_new_certificate_is_used_without_a_restart(bfo: Surroundings, tmp_path: Path) -> None:
    paths = tmp_path / "own.pem", tmp_path / "own.key"
    for path, source_path in zip(paths, (bfo.own.certificate, bfo.own.key), strict=True):
        path.write_bytes(source_path.read_bytes())
    source = a_source(bfo, certificate=paths[0], key=paths[1])
    await source.token(CVR, SEND)
    before = source._tls.context()
    assert source._tls.context() is before
    renewed = bfo.rabbit.authority.issue("sundhedsagenten-ny")
    for path, source_path in zip(paths, (renewed.certificate, renewed.key), strict=True):
        path.write_bytes(source_path.read_bytes())
    assert source._tls.context() is not before
    assert await source.token(OTHER_CVR, SEND)


def test_what_the_sts_is_asked_and_what_it_answers() -> None:
    body = request_body(CVR, SEND, b"der")
    assert body["AnvenderKontekst"] == {"Cvr": CVR}
    assert body["AppliesTo"] == {"EndpointReference": {"Address": SEND}}
    assert (body["UseKey"], body["OnBehalfOf"]) == ("ZGVy", None)
    assert body["TokenType"].endswith("#SAMLV2.0")
    answer = {
        "RequestedSecurityToken": {"Assertion": base64.b64encode("<æ/>".encode()).decode()},
        "Lifetime": {"Created": "03/14/2026 09:00:00", "Expires": "03/14/2026 10:00:00"},
    }
    assert read_token(answer, 300).assertion == "<æ/>"
    too_long = base64.b64encode(bytes(65_537)).decode()
    for broken in (
        {},
        {"RequestedSecurityToken": {"Assertion": "%"}},
        {"RequestedSecurityToken": {"Assertion": too_long}},
    ):
        with pytest.raises((KeyError, ValueError)):
            read_token(broken, 300)
    unreadable = read_token(answer | {"Lifetime": {"Expires": "i morgen"}}, 0)
    assert unreadable.good_until <= time.monotonic() + 300


def test_the_vhost_is_that_of_the_settings() -> None:
    settings = Settings(beskedfordeler={"via": "amqp", "cvr": CVR, "certificate": "x", "dueslag": AGENT})
    place = Amqp.of(settings).beskedfordeler._place
    assert place.url.with_query(None) == URL(
        "amqps://beskedfordeler.eksterntest-stoettesystemerne.dk:5671/BF"
    )
    assert VHOST == "BF"
