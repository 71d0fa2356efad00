"""`simulate-beskedfordeler` as a developer uses it: a real RabbitMQ from the files it makes, and an engine that finds
all by the settings it writes.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.servers.ports import free_port
from tests.servers.postgresql import missing, wait_for
from tests.servers.rabbitmq import PACKAGE, PROGRAM, RabbitServer

from engine.clock import SystemClock
from engine.desk.access import caller_identity
from engine.desk.office import Office
from engine.desk.overview import Status, status
from engine.domain import pulse
from engine.errors import SettingsError, SundhedsagentError
from engine.home import Home
from engine.links.certificates import CertificateFiles, TlsClient
from engine.settings import Settings
from engine.simulation import demo_roster
from engine.simulation.certificates import Authority, hosts_of
from engine.simulation.place import DUESLAG, Place, prepare
from engine.simulation.registered import connect_roster
from engine.simulation.relay import Relay
from engine.simulation.serving import serving
from engine.simulation.surroundings import registered_aftaler
from engine.simulation.vans_provider import HttpsVans

CVR = "64942212"
_QUICK = {"BESKEDFORDELER__REPLY_TIMEOUT": "1 s", "PUBLISH__LONGEST_PAUSE": "1 s"}


@dataclass
class Process:
    """A command of the program, and what it says."""

    arguments: list[str]
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine", *self.arguments],
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._hearing = threading.Thread(target=self._hear)
        self._hearing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(10)
        self._hearing.join(10)

    def waits_for(self, text: str, seconds: float = 30) -> None:
        """Until it has said so; each saying counts once."""

        def heard() -> bool:
            assert self.process.poll() is None, self.said
            return any(text in line for line in self.said)

        wait_for(f"{text!r} in {self.said}", heard, seconds)
        self.said = [line for line in self.said if text not in line]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        ended = self.process.wait(20)
        self._hearing.join(10)
        return ended

    def _hear(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                self.said.append(line)


@dataclass
class Laptop:
    """All that a developer has started."""

    home: Home
    world: Process

    def status(self) -> Status:
        with Office(self.home) as office, office.reading() as conn:
            return status(conn, office.clock.now(), Settings())

    @property
    def trouble(self) -> str:
        """What the engine's last attempt at the Beskedfordeler failed with."""
        channels = [channel for channel in self.status().channels if channel.name == pulse.BESKEDFORDELER]
        return "".join(channel.error or "" for channel in channels if channel.up is False)

    def misbehaves(self, number: signal.Signals, trouble: str) -> None:
        """Told so it does, and told so again it does no more."""
        self.world.process.send_signal(number)
        self.waits_until(lambda: trouble in self.trouble)
        before = self.status().published
        self.world.process.send_signal(number)
        self.waits_until(lambda: not self.trouble and self.status().published > before)

    def waits_until(self, it_is_so: Callable[[], bool]) -> None:
        try:
            wait_for("it", it_is_so, 90)
        except AssertionError as error:
            raise AssertionError(f"{self.trouble!r}, {self.status()}, {self.world.said}") from error


def _arguments(home: Home, files: Path, ports: dict[str, int]) -> list[str]:
    broker = f"amqp://beskedfordeler:beskedfordeler@127.0.0.1:{ports['broker']}/BF"
    options = {
        "--broker": broker,
        "--broker-tls": ports["broker_tls"],
        "--port": ports["amqp"],
        "--https-port": ports["https"],
        "--vans": f"https://127.0.0.1:{ports['vans']}/vans",
        "--kommuner": 2,
        "--rate": 5,
        "--habits": "flawless",
    }
    words = [str(word) for option in options.items() for word in option]
    return ["--home", str(home.path), "simulate-beskedfordeler", str(files), *words]


def _read(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    if not PROGRAM.exists():
        missing(PACKAGE)
    home = Home.create(tmp_path / "home", SystemClock(), caller_identity())
    files = Path(tempfile.mkdtemp(prefix="sundhedsagent-laptop-"))
    ports = {name: free_port() for name in ("broker", "broker_tls", "amqp", "https", "vans")}
    arguments = _arguments(home, files, ports)
    prepared = subprocess.run(
        [sys.executable, "-m", "engine", *arguments, "--prepare"], capture_output=True, text=True, check=True
    )
    assert "Der er lavet nye certifikater" in prepared.stdout
    settings = _read(files / "engine.env")
    assert all(f"  {name}={value}\n" in prepared.stdout for name, value in settings.items())
    rabbit = RabbitServer(
        files,
        Authority(tmp_path / "of nobody"),
        ports["broker"],
        ports["broker_tls"],
        ("sh", str(files / "start-rabbitmq")),
    )
    quick = {f"SUNDHEDSAGENT_{name}": value for name, value in _QUICK.items()}
    try:
        rabbit.start()
        # In the environment of an engine, as in a shell that has read its settings.
        with Process(arguments, settings) as world:
            world.waits_for("Beskedfordeleren er i gang.")
            with Process(["--home", str(home.path), "run"], settings | quick) as engine:
                engine.waits_for("Sundhedsagenten kører i")
                yield Laptop(home, world)
                assert engine.stop() == 0
    finally:
        rabbit.stop_all()
        shutil.rmtree(files, ignore_errors=True)


@pytest.mark.timeout(600)
def test_an_engine_on_a_laptop_lacks_nothing(laptop: Laptop) -> None:
    laptop.waits_until(lambda: laptop.status().answered["ok"] > 0)
    laptop.misbehaves(signal.SIGUSR1, "StatusKode 40: Afvist af simuleringen")
    laptop.world.waits_for("Beskedfordeleren afviser nu alt")
    laptop.world.waits_for("Beskedfordeleren tager imod igen")
    laptop.misbehaves(signal.SIGUSR2, "Intet svar fra Beskedfordeleren inden for tiden")
    laptop.misbehaves(signal.SIGALRM, "orbindelse")
    assert laptop.world.stop() == 0
    told = "".join(laptop.world.said)
    figures = re.findall(
        r"sygehusene: (\d+) adviser.*VANS: (\d+).*modtagerne: (\d+).*Besvaret: (\d+)", told, re.DOTALL
    )
    sent, receipted, fetched, answered = map(int, figures[0])
    assert sent >= receipted >= answered > 0
    assert fetched >= answered


# --- its parts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path / "files", broker="amqp://a:b@127.0.0.1:5672/BF", broker_tls_port=5673)


def test_certificates_that_are_good_are_kept(place: Place) -> None:
    assert prepare(place, Settings(), CVR)
    files = [
        place.authority,
        place.sts_key,
        *(place.issued(name).certificate for name in ("rabbitmq", "vans")),
    ]
    before = [file.read_bytes() for file in files]
    assert not prepare(place, Settings(), CVR)
    assert [file.read_bytes() for file in files] == before
    elsewhere = replace(place, hosts=("omverden", "192.0.2.7"))
    assert prepare(elsewhere, Settings(), CVR)
    assert set(hosts_of(place.issued("rabbitmq").certificate)) == {
        "localhost",
        "127.0.0.1",
        "omverden",
        "192.0.2.7",
    }
    assert not prepare(elsewhere, Settings(), CVR)
    place.issued("vans").certificate.write_text("ikke et certifikat")
    assert prepare(elsewhere, Settings(), CVR)


def test_the_files_keep_their_secrets(place: Place) -> None:
    prepare(place, Settings(), CVR)
    secrets = [*place.folder.glob("*.key")]
    assert len(secrets) == 6
    assert {file.stat().st_mode & 0o077 for file in secrets} == {0}


def test_an_engine_can_use_what_it_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = replace(place, engines=("https://127.0.0.1:9443/vans",))
    prepare(engine, Settings(), CVR)
    for name, value in _read(place.engine_file).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.beskedfordeler.via, settings.beskedfordeler.cvr) == ("amqp", CVR)
    assert settings.listen.port == 9443
    assert settings.takes_vans
    TlsClient(place.files("sundhedsagenten")).context()


@pytest.mark.parametrize("broker", ["127.0.0.1:5672", "https://127.0.0.1/", "amqp:///BF"])
def test_a_broker_is_an_address(place: Place, broker: str) -> None:
    with pytest.raises(SettingsError, match="skal være som amqp://"):
        prepare(replace(place, broker=broker), Settings(), CVR)


async def test_a_relay_passes_on_until_it_is_cut() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data.upper())
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    relay, port = Relay("127.0.0.1", server.sockets[0].getsockname()[1]), free_port()
    async with server, relay.listening("127.0.0.1", port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"advis")
        assert await reader.readexactly(5) == b"ADVIS"
        relay.cut()
        with contextlib.suppress(ConnectionError):
            assert await reader.read(1) == b""
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read(1) == b""
        writer.close()
        relay.mend()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"igen")
        writer.write_eof()
        assert await reader.read() == b"IGEN"
        writer.close()


async def test_a_port_in_use_is_told_of() -> None:
    async with serving(Starlette()) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(SundhedsagentError, match=f"port {port}: den er i brug"):
            async with serving(Starlette(), port=port):
                pass


async def test_vans_posts_again_until_an_engine_has_taken_it(tmp_path: Path) -> None:
    taken: list[bytes] = []
    answers = [503, 200, 422]

    async def take(request: Request) -> Response:
        taken.append(await request.body())
        status = answers[len(taken) - 1]
        return Response(b"<receipt/>", status, media_type="application/xml")

    authority = Authority(tmp_path)
    tls = {"own": authority.issue("engine"), "authority": authority.file}
    own = authority.issue("vans")
    files = CertificateFiles(str(own.certificate), str(own.key), str(authority.file))
    async with serving(Starlette(routes=[Route("/vans", take, methods=["POST"])]), **tls) as url:
        vans = HttpsVans([f"{url}/vans"], TlsClient(files).context())
        async with vans.carrying():
            vans.send("a", b"<a/>")
            await asyncio.to_thread(wait_for, "a", lambda: len(taken) == 2)
            vans.send("b", b"<b/>")
            await asyncio.to_thread(wait_for, "b", lambda: len(taken) == 3)
            await asyncio.to_thread(wait_for, "a receipt", lambda: len(list(vans.fetch())) == 1)
    assert taken == [b"<a/>", b"<a/>", b"<b/>"]
    ((name, receipt),) = vans.fetch()
    assert receipt == b"<receipt/>"
    vans.taken(name)
    assert list(vans.fetch()) == []


def test_the_serviceaftaler_are_the_registrys(new_home: Home) -> None:
    roster = demo_roster(3, seed=1)
    with Office(new_home) as office:
        with office.administering() as act:
            connect_roster(act, roster)
        with office.reading() as conn:
            found = registered_aftaler(conn, Settings())
    settings = Settings()
    adviser = {aftale.dueslag for aftale in found if aftale.beskedtype == settings.beskedtype_sygehusophold}
    own = [aftale for aftale in found if aftale.beskedtype == settings.beskedtype_medcomkvittering]
    assert adviser == {receiver.uuid for kommune in roster for receiver in kommune.receivers}
    assert [aftale.dueslag for aftale in own] == [DUESLAG] * 3
    assert len({aftale.kommune_cvr for aftale in own}) == 3
