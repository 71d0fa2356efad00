"""POST /vans and POST /beskedfordeler on a real port, with the engine behind them or somebody who plays it."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from engine.errors import SettingsError
from engine.home import Home
from engine.links import listener as listener_module
from engine.links.certificates import TlsServer
from engine.links.listener import Listener, RequestInbox
from engine.links.vans_https import HttpsVansOutbox
from engine.ports import Delivery, Finished, OutgoingEnvelope
from engine.settings import Settings, VansSettings
from engine.simulation.certificates import Authority, Issued
from engine.simulation.serving import serving
from engine.wire import standard_retur
from tests.servers.ports import free_port

AMQP = {
    "via": "amqp",
    "receive_by": "push",
    "cvr": "64942212",
    "dueslag": "b2f7a1d0-0000-4000-8000-00000000000a",
    "certificate": "x",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The listener's clock, which stands still unless it is put forward: a slow machine lets no more in."""
    now = [1_000.0]
    monkeypatch.setattr(listener_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def a_listener(vans: dict[str, Any] | None = None, **listen: Any) -> Listener:
    chosen = {"port": free_port(), "timeout": "30 s"} | listen
    return Listener(Settings(vans={"receive_by": "https"} | (vans or {}), beskedfordeler=AMQP, listen=chosen))


class Committed:
    """Plays the engine: takes what comes, and commits it as it is told."""

    def __init__(
        self, inbox: RequestInbox | None, decide: Callable[[Delivery], Finished | None] = Finished
    ) -> None:
        assert inbox is not None
        self.inbox = inbox
        self.decide = decide
        self.taken: list[Delivery] = []

    async def work(self) -> None:
        while True:
            for delivery in await self.inbox.take(10):
                self.taken.append(delivery)
                finished = self.decide(delivery)
                if finished is None:
                    await self.inbox.give_back([delivery])
                else:
                    await self.inbox.finish([finished])
            await asyncio.sleep(0.001)


@asynccontextmanager
async def running(
    listener: Listener, *engines: Committed, own: Issued | None = None, authority: Authority | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """The listener at work, and a client that trusts it."""
    tasks = [asyncio.create_task(engine.work()) for engine in engines]
    tls: ssl.SSLContext | bool = True
    if authority is not None:
        tls = ssl.create_default_context(cafile=str(authority.file))
        if own is not None:
            tls.load_cert_chain(own.certificate, own.key)
    kind = "http" if authority is None else "https"
    base = f"{kind}://127.0.0.1:{listener._settings.port}"
    async with listener.listening(), httpx.AsyncClient(base_url=base, verify=tls) as client:
        yield client
    for task in tasks:
        task.cancel()


# --- VANS -----------------------------------------------------------------------------------------------------------


async def test_nothing_is_answered_before_the_commit() -> None:
    listener = a_listener()
    assert listener.vans is not None
    async with running(listener) as client:
        asking = asyncio.create_task(client.post("/vans", content=b"<x/>"))
        found: list[Delivery] = []
        async with asyncio.timeout(5):
            while not found:
                await asyncio.sleep(0.001)
                found = list(await listener.vans.take(5))
        assert await listener.vans.oldest() is not None
        assert not asking.done()
        await listener.vans.finish([Finished(found[0])])
        answer = await asking
    assert (answer.status_code, answer.text, found[0].data) == (200, "Modtaget", b"<x/>")
    assert await listener.vans.oldest() is None


async def test_the_receipt_comes_in_the_answer() -> None:
    listener = a_listener()

    async def receipts(keys: Any) -> dict[str, bytes]:
        return dict.fromkeys(keys, b"<VANSEnvelope/>")

    assert listener.vans is not None
    listener.vans.receipts = receipts
    async with running(listener, Committed(listener.vans)) as client:
        answer = await client.post("/vans", content=b"<x/>")
    assert (answer.status_code, answer.content) == (200, b"<VANSEnvelope/>")
    assert answer.headers["content-type"].startswith("application/xml")


async def test_the_same_bytes_again_are_the_same_delivery() -> None:
    listener = a_listener()
    engine = Committed(listener.vans)
    async with running(listener, engine) as client:
        await client.post("/vans", content=b"<x/>")
        await client.post("/vans", content=b"<x/>")
        await client.post("/vans", content=b"<y/>")
        first, again, other = (delivery.key for delivery in engine.taken)
        both = await asyncio.gather(*(client.post("/vans", content=b"<z/>") for _ in range(2)))
    assert first == again != other
    assert {answer.status_code for answer in both} == {200}


async def test_what_is_put_in_quarantine_is_told_to_the_sender() -> None:
    listener = a_listener()
    engine = Committed(listener.vans, lambda delivery: Finished(delivery, "x.xml", {"text": "Ikke XML"}))
    async with running(listener, engine) as client:
        answer = await client.post("/vans", content=b"x")
    assert (answer.status_code, answer.text) == (422, "Sat i karantæne: Ikke XML")


async def test_what_cannot_be_handled_now_is_to_be_sent_again() -> None:
    listener = a_listener()
    async with running(listener, Committed(listener.vans, lambda _: None)) as client:
        answer = await client.post("/vans", content=b"x")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_an_engine_that_stands_still_keeps_nobody_waiting_for_ever() -> None:
    listener = a_listener(timeout="1 s")
    async with running(listener) as client:
        assert (await client.post("/vans", content=b"x")).status_code == 503
        assert listener.vans is not None
        (delivery,) = await listener.vans.take(5)  # it is not forgotten: it may be committed yet
        await listener.vans.finish([Finished(delivery)])
        assert listener.vans._requests == {}


async def test_no_more_wait_than_there_is_room_for() -> None:
    listener = a_listener(most_waiting=2, timeout="1 s")
    async with running(listener) as client:
        answers = await asyncio.gather(*(client.post("/vans", content=str(n).encode()) for n in range(3)))
    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert listener.vans is not None
    assert len(await listener.vans.take(10)) == 2


async def test_no_more_come_in_a_second_than_may(seconds: list[float]) -> None:
    listener = a_listener(per_second=5)
    async with running(listener, Committed(listener.vans)) as client:
        answers = [await client.post("/vans", content=str(n).encode()) for n in range(7)]
        seconds[0] += 0.2
        later = [await client.post("/vans", content=str(n).encode()) for n in range(7, 9)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert answers[-1].headers["retry-after"] == "5"
    assert [answer.status_code for answer in later] == [200, 429]


@pytest.mark.parametrize("declared", [True, False])
async def test_what_is_too_large_is_put_in_quarantine_without_its_content(declared: bool) -> None:
    listener = a_listener({"max_envelope_bytes": 10_000})
    engine = Committed(
        listener.vans, lambda delivery: Finished(delivery, None if delivery.data else "too-large")
    )

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(1_000)

    async with running(listener, engine) as client:
        answer = await client.post("/vans", content=bytes(20_000) if declared else parts())
        assert (await client.post("/vans", content=bytes(10_000))).status_code == 200
    assert answer.status_code == 422
    assert [len(delivery.data or b"") for delivery in engine.taken] == [0, 10_000]
    assert engine.taken[0].key == f"https-{hashlib.sha256(bytes(20_000)).hexdigest()[:40]}"
    assert listener._held_bytes == 0


async def test_past_the_hard_limit_the_sender_is_cut_off() -> None:
    listener = a_listener({"max_envelope_bytes": 10_000})
    engine = Committed(listener.vans)
    async with running(listener, engine) as client:
        answer = await client.post("/vans", content=bytes(100_001))
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert engine.taken == []


async def test_no_more_is_held_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "_MOST_HELD_BYTES", 25_000)
    listener = a_listener()
    async with running(listener) as client:
        first = asyncio.create_task(client.post("/vans", content=b"1" * 20_000))
        assert listener.vans is not None
        async with asyncio.timeout(5):
            while not listener.vans._waiting:  # noqa: ASYNC110 - nobody rings
                await asyncio.sleep(0.001)
        assert (await client.post("/vans", content=b"2" * 20_000)).status_code == 503
        await listener.vans.finish([Finished(delivery) for delivery in await listener.vans.take(5)])
        assert (await first).status_code == 200
    assert listener._held_bytes == 0


CHUNKED = b"POST /vans HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"


async def heard(listener: Listener, sends: bytes) -> bytes:
    """What is said to it, to the end: it is they who close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener._settings.port)
    writer.write(sends)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_body_that_never_ends_is_given_up() -> None:
    listener = a_listener(timeout="100 ms")
    async with listener.listening():
        assert (await heard(listener, CHUNKED)).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("begins", [b"", b"POST /vans HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_that_brings_no_request_is_closed(
    begins: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "_REQUEST_WITHIN_S", 0.1)
    listener = a_listener()
    async with listener.listening():
        assert await heard(listener, begins) == b""


async def test_who_is_refused_is_read_no_further() -> None:
    listener = a_listener(token="secret")
    async with listener.listening():
        assert (await heard(listener, CHUNKED)).startswith(b"HTTP/1.1 401 ")


async def test_a_receipt_that_nobody_hears_is_left_to_the_outbox() -> None:
    listener = a_listener(timeout="1 s")
    asked: list[str] = []

    async def receipts(keys: Sequence[str]) -> dict[str, bytes]:
        asked.extend(keys)
        return dict.fromkeys(keys, b"<receipt/>")

    assert listener.vans is not None
    listener.vans.receipts = receipts
    async with running(listener) as client:
        assert (await client.post("/vans", content=b"x")).status_code == 503
        (delivery,) = await listener.vans.take(5)
        await listener.vans.finish([Finished(delivery)])
    assert asked == []


async def test_only_what_is_chosen_is_served() -> None:
    settings = Settings(vans={"receive_by": "https"}, listen={"port": free_port()})
    async with running(Listener(settings)) as client:
        assert (await client.post("/beskedfordeler", content=b"x")).status_code == 404
        assert (await client.get("/vans")).status_code == 405


# --- who may --------------------------------------------------------------------------------------------------------


async def test_a_token_is_asked_for_where_there_is_one() -> None:
    listener = a_listener(token="hemmelig")
    async with running(listener, Committed(listener.vans), Committed(listener.kvitteringer)) as client:
        for path in ("/vans", "/beskedfordeler"):
            assert (await client.post(path, content=b"x")).status_code == 401
            for wrong in ("Bearer forkert", "Basic hemmelig", "hemmelig"):
                answer = await client.post(path, content=b"x", headers={"Authorization": wrong})
                assert answer.status_code == 401
            answer = await client.post(path, content=b"x", headers={"Authorization": "Bearer hemmelig"})
            assert answer.status_code == 200


async def test_with_a_client_authority_nobody_comes_without_a_certificate(
    authority: Authority, tmp_path: Path
) -> None:
    server, vans, other = (authority.issue(name) for name in ("server", "vans", "other"))
    stranger = Authority(tmp_path).issue("vans")
    files = {"certificate": str(server.certificate), "key": str(server.key), "client_ca": str(authority.file)}
    named = hashlib.sha256(ssl.PEM_cert_to_DER_cert(vans.certificate.read_text())).hexdigest()

    async def asked(own: Issued | None, **more: Any) -> int:
        listener = a_listener(**files, **more)
        async with running(listener, Committed(listener.vans), own=own, authority=authority) as client:
            return (await client.post("/vans", content=b"x")).status_code

    for nobody in (None, stranger):
        with pytest.raises(httpx.TransportError):
            await asked(nobody)
    assert await asked(other) == 200
    assert await asked(vans, clients=[named.upper()]) == 200
    assert await asked(other, clients=[named]) == 401


async def test_a_new_certificate_is_served_without_a_restart(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "_LOOK_AT_FILES_S", 0.01)
    paths = tmp_path / "own.pem", tmp_path / "own.key"

    def put(issued: Issued) -> None:
        for path, source in zip(paths, (issued.certificate, issued.key), strict=True):
            path.write_bytes(source.read_bytes())

    async def served(port: int) -> bytes:
        tls = ssl.create_default_context(cafile=str(authority.file))
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
        return certificate

    put(authority.issue("first"))
    listener = a_listener(certificate=str(paths[0]), key=str(paths[1]))
    port = listener._settings.port
    async with listener.listening():
        before = await served(port)
        looks = iter(count())
        reload = TlsServer.reload

        def looked(server: TlsServer) -> None:
            next(looks)
            reload(server)

        monkeypatch.setattr(TlsServer, "reload", looked)

        async def is_seen() -> None:
            seen = next(looks)
            async with asyncio.timeout(5):
                while next(looks) <= seen + 3:  # noqa: ASYNC110 - nobody rings
                    await asyncio.sleep(0.01)

        paths[0].write_text("half a file")  # somebody is in the middle of it
        await is_seen()
        assert await served(port) == before
        second = authority.issue("second")
        paths[0].write_bytes(second.certificate.read_bytes())  # and its key is still to come
        await is_seen()
        assert await served(port) == before
        put(second)
        async with asyncio.timeout(5):
            while await served(port) == before:  # noqa: ASYNC110 - nobody rings
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("listen", "told"),
    [
        ({"port": 0}, "listen.port skal sættes"),
        ({"port": 8443, "address": "0.0.0.0"}, "åben for andre maskiner"),
        ({"port": 8443, "address": "0.0.0.0", "token": "t"}, "åben for andre maskiner"),
        ({"port": 8443, "client_ca": "ca.pem", "token": "t"}, "kræver listen.certificate"),
        ({"port": 8443, "clients": ["ab" * 32]}, "listen.clients kræver"),
        ({"port": 8443, "clients": ["ab"]}, "SHA-256-fingeraftryk"),
    ],
)
def test_what_would_let_anybody_in_is_refused(listen: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Settings(vans={"receive_by": "https"}, listen=listen)


@pytest.mark.parametrize(
    "url", ["http://vans.example/", "http://127.0.0.1.evil.example/", "vans.example", ""]
)
def test_nothing_goes_out_where_others_can_read_along(url: str) -> None:
    with pytest.raises(ValueError, match=r"kræver vans\.url"):
        Settings(vans={"send_by": "https", "url": url})
    with pytest.raises(ValueError, match=r"beskedfordeler\.sts"):
        Settings(beskedfordeler=AMQP | {"receive_by": "pull", "sts": url})
    for ours in ("https://vans.example/x", "http://127.0.0.1:8080/x", "http://[::1]/x"):
        assert Settings(vans={"send_by": "https", "url": ours}).vans.url == ours


async def test_a_port_or_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    first = a_listener()
    async with first.listening():
        with pytest.raises(SettingsError, match=r"Vælg en anden listen\.port"):
            async with a_listener(port=first._settings.port).listening():
                pass
    with pytest.raises(SettingsError, match="findes ikke"):
        async with a_listener(certificate=str(tmp_path / "none.pem")).listening():
            pass


# --- BeskedFåTilsendt -----------------------------------------------------------------------------------------------


def pushed(besked_id: str, payload: str, tries: int) -> bytes:
    return (
        '<sts:ModtagBeskedInput xmlns:sts="urn:oio:sts:1.0.0"><b:Haendelsesbesked xmlns:b="urn:oio:besked:kuvert:1.0"'
        ' xmlns="urn:oio:sagdok:3.0.0">'
        f"<b:BeskedId><UUIDIdentifikator>{besked_id}</UUIDIdentifikator></b:BeskedId>"
        f"<b:Beskedkuvert><x>{tries}</x></b:Beskedkuvert><b:Beskeddata><Base64>{payload}</Base64></b:Beskeddata>"
        "</b:Haendelsesbesked></sts:ModtagBeskedInput>"
    ).encode()


async def test_a_push_is_answered_20_after_the_commit_and_40_where_it_fails() -> None:
    listener = a_listener()
    can = True
    engine = Committed(listener.kvitteringer, lambda delivery: Finished(delivery) if can else None)
    async with running(listener, engine) as client:
        good = await client.post("/beskedfordeler", content=pushed("a", "eA==", 1))
        can = False
        bad = await client.post("/beskedfordeler", content=pushed("b", "eA==", 1))
    assert (good.status_code, bad.status_code) == (200, 200)
    assert standard_retur.read(good.content).status == 20
    assert standard_retur.read(bad.content).status == 40
    assert b"ModtagBeskedOutput" in good.content
    assert b"urn:oio:sts:1.0.0" in good.content


async def test_a_besked_that_is_delivered_again_is_the_same_though_its_kuvert_counts() -> None:
    listener = a_listener()
    engine = Committed(listener.kvitteringer)
    async with running(listener, engine) as client:
        for body in (
            pushed("a", "eA==", 1),
            pushed("a", "eA==", 2),
            pushed("a", "eQ==", 1),
            pushed("b", "eA==", 1),
        ):
            await client.post("/beskedfordeler", content=body)
    keys = [delivery.key for delivery in engine.taken]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


@pytest.mark.usefixtures("seconds")
async def test_too_much_or_too_many_is_40_to_the_beskedfordeler() -> None:
    listener = a_listener(per_second=1)
    async with running(listener, Committed(listener.kvitteringer)) as client:
        first = await client.post("/beskedfordeler", content=pushed("a", "eA==", 1))
        second = await client.post("/beskedfordeler", content=pushed("b", "eA==", 1))
    assert [standard_retur.read(answer.content).status for answer in (first, second)] == [20, 40]


# --- VANS out -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def a_vans(
    answer: Callable[[bytes], int], **tls: Any
) -> AsyncIterator[tuple[str, list[tuple[bytes, dict[str, str]]]]]:
    """A VANS provider: its address, and what came."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    came: list[tuple[bytes, dict[str, str]]] = []

    async def take(request: Request) -> Response:
        body = await request.body()
        came.append((body, dict(request.headers)))
        return Response(status_code=answer(body))

    async with serving(Starlette(routes=[Route("/modtag", take, methods=["POST"])]), **tls) as address:
        yield address + "/modtag", came


async def test_envelopes_are_posted_and_a_2xx_means_taken(authority: Authority) -> None:
    server, own = authority.issue("vans-server"), authority.issue("agent")
    files = {"certificate": str(own.certificate), "key": str(own.key), "ca_file": str(authority.file)}
    async with a_vans(lambda body: 503 if body == b"b" else 202, own=server, authority=authority.file) as (
        url,
        came,
    ):
        outbox = HttpsVansOutbox(VansSettings(send_by="https", url=url, token="t", **files))
        results = await outbox.send([OutgoingEnvelope(text, "r", text.encode()) for text in "abc"])
        await outbox.close()
    assert [result.error for result in results] == [None, "VANS svarer 503", None]
    assert {body for body, _ in came} == {b"a", b"b", b"c"}
    assert {headers["authorization"] for _, headers in came} == {"Bearer t"}
    assert {headers["content-type"] for _, headers in came} == {"application/xml; charset=utf-8"}


async def test_a_vans_that_is_away_slow_or_somebody_else_is_told(
    authority: Authority, tmp_path: Path
) -> None:
    async def told(url: str, **more: Any) -> str | None:
        outbox = HttpsVansOutbox(VansSettings(send_by="https", url=url, **more))
        (result,) = await outbox.send([OutgoingEnvelope("a", "r", b"a")])
        await outbox.close()
        return result.error

    assert await told("https://127.0.0.1:1/x") == "Der er ingen forbindelse til VANS"
    async with a_vans(lambda _: 200, own=Authority(tmp_path).issue("stranger")) as (url, came):
        assert await told(url, ca_file=str(authority.file)) == "Der er ingen forbindelse til VANS"
        assert came == []
    gone = str(tmp_path / "none.pem")
    assert await told("https://127.0.0.1:1/x", certificate=gone) == f"Certifikatfilen {gone} findes ikke"

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1_000):
            pass
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await told(f"http://127.0.0.1:{port}/", timeout="1 s") == "VANS svarer ikke inden for tiden"


def test_settings_name_what_is_missing(new_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_VANS__SEND_BY", "https")
    with pytest.raises(SettingsError, match=r"kræver vans\.url"):
        Settings.load(new_home)
