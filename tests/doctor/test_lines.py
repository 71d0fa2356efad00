"""The outside as the doctor reaches it: by the engine's own links, and nothing is sent or fetched."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiormq
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.doctor import lines
from engine.doctor.examination import _one
from engine.domain.checkup import Checked, Verdict
from engine.settings import Settings
from engine.simulation.certificates import Authority, Issued
from engine.simulation.serving import serving
from engine.simulation.sts import PATH, Sts
from tests.doctor.conftest import only
from tests.links.smtp_server import PASSWORD, USER, Letterbox, a_certificate, smtp_server, with_logon
from tests.links.status_server import PAGE, TOKEN, Page, status_server
from tests.servers.rabbitmq import RabbitServer, rabbit_server

ADVICE, FAULT, GOOD = Verdict.ADVICE, Verdict.FAULT, Verdict.GOOD
CVR = "64942212"
SEND, RECEIVE = (
    "http://entityid.kombit.dk/service/bfo_afsend/2",
    "http://entityid.kombit.dk/service/bfo_modtag/2",
)


async def look(settings: Settings) -> list[Checked]:
    found = await asyncio.gather(*map(_one, lines.checks(settings)))
    return [line for each in found for line in each]


def test_what_goes_by_folders_has_no_line() -> None:
    assert lines.checks(Settings()) == []


# --- Beskedfordeleren -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rabbit() -> Iterator[RabbitServer]:
    with rabbit_server() as server:
        yield server


@dataclass
class Kombit:
    """A broker with one dueslag, and an STS."""

    rabbit: RabbitServer
    own: Issued
    sts: Sts
    sts_url: str
    dueslag: str

    def settings(self, **changes: Any) -> Settings:
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
        }
        return Settings(
            beskedfordeler=chosen | changes,
            listen={"port": 1} if changes.get("receive_by") == "push" else {},
        )

    async def look(self, **changes: Any) -> tuple[Checked, Checked]:
        sts, broker = await look(self.settings(**changes))
        assert (sts.name, broker.name) == ("sts", "beskedfordeler")
        assert [bool(each.do) for each in (sts, broker)] == [
            each.verdict is not GOOD for each in (sts, broker)
        ]
        return sts, broker

    async def channel(self) -> tuple[aiormq.Connection, Any]:
        connection = aiormq.Connection(self.rabbit.url)
        await connection.connect()
        return connection, await connection.channel()


@pytest.fixture
async def kombit(rabbit: RabbitServer) -> AsyncIterator[Kombit]:
    sts, dueslag = Sts(), str(uuid4())
    application = serving(
        sts.application(), own=rabbit.authority.issue("sts"), authority=rabbit.authority.file
    )
    async with application as address:
        made = Kombit(rabbit, rabbit.authority.issue("sundhedsagenten"), sts, address + PATH, dueslag)
        connection, channel = await made.channel()
        await channel.queue_declare(dueslag, durable=True)
        yield made
        await channel.queue_delete(dueslag)
        await connection.close()


async def test_it_logs_on_to_both_services_and_leaves_the_dueslag_as_it_is(kombit: Kombit) -> None:
    connection, channel = await kombit.channel()
    for number in range(3):
        await channel.basic_publish(b"%d" % number, routing_key=kombit.dueslag)
    sts, broker = await kombit.look()
    assert (sts.verdict, sts.found) == (GOOD, f"udsteder tokens for CVR {CVR}")
    assert broker.verdict is GOOD
    assert broker.found.endswith(": TLS og log-on; 3 venter i dueslaget")
    assert set(kombit.sts.issued) == {(CVR, SEND), (CVR, RECEIVE)}
    declared = await channel.queue_declare(kombit.dueslag, passive=True)
    assert (declared.message_count, declared.consumer_count) == (3, 0)
    for number in range(3):
        message = await channel.basic_get(kombit.dueslag, no_ack=True)
        # None was handed to anybody before.
        assert (message.body, message.delivery.redelivered) == (b"%d" % number, False)
    await connection.close()


async def test_where_kvitteringer_are_pushed_no_dueslag_is_looked_at(kombit: Kombit) -> None:
    _, broker = await kombit.look(receive_by="push")
    assert (broker.verdict, broker.found.endswith(": TLS og log-on")) == (GOOD, True)
    assert set(kombit.sts.issued) == {(CVR, SEND)}


async def test_a_dueslag_that_is_not_there_is_a_fault(kombit: Kombit) -> None:
    gone = str(uuid4())
    sts, broker = await kombit.look(dueslag=gone)
    assert (sts.verdict, broker.verdict) == (GOOD, FAULT)
    assert f"dueslaget {gone} findes ikke" in broker.found


@pytest.mark.parametrize(
    ("error", "verdict", "told"),
    [
        (
            aiormq.exceptions.ChannelAccessRefused("no"),
            GOOD,
            "dueslaget må vi ikke se på uden at hente fra det",
        ),
        (aiormq.exceptions.ChannelClosed("no"), FAULT, "Forbindelsen til Beskedfordeleren blev afbrudt"),
        (asyncio.CancelledError(), FAULT, "Forbindelsen til Beskedfordeleren blev afbrudt"),
    ],
)
async def test_a_dueslag_that_is_not_shown(
    kombit: Kombit, monkeypatch: pytest.MonkeyPatch, error: BaseException, verdict: Verdict, told: str
) -> None:
    """Whoever may fetch may not look everywhere; and the library cancels whoever waits on a line that is cut."""

    async def refuses(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(aiormq.Channel, "queue_declare", refuses)
    _, broker = await kombit.look()
    assert (broker.verdict, told in broker.found) == (verdict, True)


async def test_an_sts_that_refuses_is_a_fault_of_both(kombit: Kombit) -> None:
    kombit.sts.refuses.add(CVR)
    sts, broker = await kombit.look()
    assert (sts.verdict, sts.found) == (FAULT, "STS afviser at udstede et token (403)")
    assert f"CVR {CVR}" in sts.do
    assert (broker.verdict, "STS afviser" in broker.found) == (FAULT, True)


async def test_an_sts_that_refuses_one_service_alone_is_a_fault(
    kombit: Kombit, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = kombit.sts.answer
    monkeypatch.setattr(
        kombit.sts,
        "answer",
        lambda asked: answer(asked) if asked["AppliesTo"]["EndpointReference"]["Address"] == SEND else None,
    )
    sts, _ = await kombit.look()
    assert sts.verdict is FAULT


async def test_a_broker_that_is_away_is_a_fault_of_the_broker_alone(kombit: Kombit) -> None:
    sts, broker = await kombit.look(port=1)
    assert (sts.verdict, broker.verdict) == (GOOD, FAULT)
    assert (
        broker.found == "127.0.0.1, port 1: Ingen forbindelse til Beskedfordeleren (ingen lytter på porten)"
    )


async def test_a_broker_that_does_not_know_our_certificate_is_a_fault(kombit: Kombit) -> None:
    stranger = kombit.rabbit.authority.issue("nobody")
    _, broker = await kombit.look(certificate=str(stranger.certificate), key=str(stranger.key))
    assert (broker.verdict, "afviser vores token eller certifikat" in broker.found) == (FAULT, True)


async def test_servers_that_we_do_not_trust_are_faults(kombit: Kombit, tmp_path: Path) -> None:
    found = await kombit.look(ca_file=str(Authority(tmp_path).file))
    for each in found:
        assert each.verdict is FAULT
        assert "(serverens certifikat er udstedt af en, vi ikke stoler på)" in each.found


async def test_a_certificate_that_is_missing_is_told_by_its_name(kombit: Kombit) -> None:
    for each in await kombit.look(certificate="/nowhere.pem"):
        assert (each.verdict, "/nowhere.pem" in each.found) == (FAULT, True)


# --- VANS -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def a_vans(came: list[str], status: int = 202) -> Starlette:
    async def take(request: Request) -> Response:
        came.append(f"{request.method} {len(await request.body())}")
        return Response(status_code=status)

    return Starlette(routes=[Route("/modtag", take, methods=["POST", "HEAD"])])


def to_vans(url: str, own: Issued | None = None, authority: Authority | None = None, **more: Any) -> Settings:
    files = {"certificate": str(own.certificate), "key": str(own.key)} if own else {}
    trusted = {"ca_file": str(authority.file)} if authority else {}
    return Settings(vans={"send_by": "https", "url": url, **files, **trusted, **more})


async def test_vans_is_reached_with_our_certificate_and_gets_no_envelope(authority: Authority) -> None:
    came: list[str] = []
    server, own = authority.issue("vans"), authority.issue("own")
    async with serving(a_vans(came), own=server, authority=authority.file) as address:
        line = only(await look(to_vans(f"{address}/modtag", own, authority)))
    assert (line.verdict, line.found) == (GOOD, f"{address}/modtag: forbindelsen kan oprettes")
    assert came == ["HEAD 0"]


async def test_a_vans_that_takes_posts_alone_is_reached_too(authority: Authority) -> None:
    application = Starlette(routes=[Route("/modtag", lambda _: Response(), methods=["POST"])])
    async with serving(application, own=authority.issue("vans")) as address:
        assert only(await look(to_vans(f"{address}/modtag", None, authority))).verdict is GOOD


@pytest.mark.parametrize(("status", "do"), [(401, "kendt"), (403, "kendt"), (503, "i drift")])
async def test_a_vans_that_answers_so_is_advice(authority: Authority, status: int, do: str) -> None:
    async with serving(a_vans([], status), own=authority.issue("vans")) as address:
        line = only(await look(to_vans(f"{address}/modtag", None, authority)))
    assert (line.verdict, f"svarer {status}" in line.found, do in line.do) == (ADVICE, True, True)


async def test_a_vans_that_wants_a_certificate_we_do_not_have_is_a_fault(authority: Authority) -> None:
    async with serving(a_vans([]), own=authority.issue("vans"), authority=authority.file) as address:
        line = only(await look(to_vans(f"{address}/modtag", None, authority)))
    assert (line.verdict, "den anden side afbryder" in line.found) == (FAULT, True)


async def test_a_vans_we_do_not_trust_or_cannot_reach_is_a_fault(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger").issue("vans")
    async with serving(a_vans([]), own=stranger) as address:
        line = only(await look(to_vans(f"{address}/modtag", None, authority)))
    assert (line.verdict, "udstedt af en, vi ikke stoler på" in line.found) == (FAULT, True)
    line = only(await look(to_vans("https://127.0.0.1:1/modtag")))
    assert (
        line.found == "https://127.0.0.1:1/modtag: Der er ingen forbindelse til VANS (ingen lytter på porten)"
    )
    line = only(await look(to_vans("https://sundhedsagent.invalid/modtag")))
    assert (line.verdict, "ingen maskine hedder sådan" in line.found) == (FAULT, True)


async def test_a_vans_of_another_name_is_a_fault(tmp_path: Path) -> None:
    elsewhere = Authority(tmp_path / "elsewhere", ["vans.example"])
    async with serving(a_vans([]), own=elsewhere.issue("vans")) as address:
        line = only(await look(to_vans(f"{address}/modtag", None, elsewhere)))
    assert (line.verdict, "er til et andet navn" in line.found) == (FAULT, True)


async def test_a_vans_that_says_nothing_is_a_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        line = only(await look(to_vans(url, timeout="50 ms")))
    assert line.found == f"{url}: VANS svarer ikke inden for tiden"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (10, "er udløbet"),
        (9, "gælder ikke endnu"),
        (62, "til et andet navn"),
        (64, "til et andet navn"),
        (18, "udstedt af en, vi ikke stoler på"),
        (20, "udstedt af en, vi ikke stoler på"),
    ],
)
def test_why_a_server_is_not_trusted(code: int, reason: str) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code = code
    assert reason in (lines._reason(error) or "")


# --- mail and driftstatus ---------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_the_mail_server_is_logged_on_to_and_gets_no_mail(tmp_path: Path) -> None:
    box = Letterbox()
    trusted, context = a_certificate(tmp_path)
    with smtp_server(box, tls_context=context, **with_logon()) as reached:
        changes = {"security": "starttls", "ca_file": str(trusted), "user": USER, "password": PASSWORD}
        line = only(await look(Settings(mail=reached.model_dump() | changes)))
        assert (line.verdict, line.found) == (GOOD, f"127.0.0.1, port {reached.port}: STARTTLS og log-on")
        wrong = only(await look(Settings(mail=reached.model_dump() | changes | {"password": "forkert"})))
        assert (wrong.verdict, "Mailserveren afviser os: 535" in wrong.found) == (FAULT, True)
        distrusted = only(await look(Settings(mail=reached.model_dump() | changes | {"ca_file": ""})))
        assert (distrusted.verdict, "certifikat kan ikke godkendes" in distrusted.found) == (FAULT, True)
        assert "forkert" not in wrong.found + wrong.do
    assert (box.mails, box.data_begun) == ([], 0)
    assert box.connections == 3


async def test_a_mail_server_without_tls_where_we_want_it_is_a_fault() -> None:
    with smtp_server(Letterbox()) as reached:
        plain = only(await look(Settings(mail=reached.model_dump())))
        assert (plain.verdict, plain.found.endswith("uden kryptering")) == (GOOD, True)
        line = only(await look(Settings(mail=reached.model_dump() | {"security": "starttls"})))
    assert (line.verdict, "mail.security" in line.do) == (FAULT, True)


async def test_a_mail_server_that_is_away_is_a_fault() -> None:
    line = only(await look(Settings(mail={"send_by": "smtp", "server": "127.0.0.1", "port": 1})))
    assert line.verdict is FAULT
    assert (
        line.found == "127.0.0.1, port 1: Der er ingen forbindelse til mailserveren (ingen lytter på porten)"
    )


async def test_driftstatus_is_asked_and_nothing_is_made_there() -> None:
    page = Page()
    with status_server(page) as api:
        line = only(await look(Settings(incident={"driftstatus_api": api, "driftstatus_token": TOKEN})))
        assert (line.verdict, line.found) == (GOOD, f"{api}: svarer")
        wrong = only(await look(Settings(incident={"driftstatus_api": api, "driftstatus_token": "x"})))
    assert (wrong.verdict, "driftstatus svarer 401" in wrong.found) == (FAULT, True)
    assert page.incidents == {}
    away = only(await look(Settings(incident={"driftstatus_api": f"http://127.0.0.1:1{PAGE}"})))
    assert (away.verdict, "ingen forbindelse til driftstatus" in away.found) == (FAULT, True)


async def test_a_line_that_will_not_close_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_CLOSES_WITHIN_S", 0.01)
    async with asyncio.timeout(5):
        await lines._closed(asyncio.Event().wait())

        async def fails() -> None:
            raise OSError

        await lines._closed(fails())
