"""A throw-away RabbitMQ with TLS, where a client certificate logs on by its name (SASL EXTERNAL)."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.simulation import rabbitmq
from engine.simulation.certificates import Authority
from engine.simulation.rabbitmq import VHOST
from tests.servers.ports import free_port
from tests.servers.postgresql import missing, wait_for

PACKAGE = "rabbitmq-server"  # Debian's
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@dataclass
class RabbitServer:
    """A broker on 127.0.0.1; what it holds survives `stop` and `start`."""

    folder: Path
    authority: Authority
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    command: tuple[str, ...] = (str(PROGRAM),)
    _dist: int = field(default_factory=free_port)
    _epmd: int = field(default_factory=free_port)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where the Beskedfordeler in software logs on, by its password."""
        return f"amqp://{rabbitmq.ITSELF}:{rabbitmq.ITSELF}@127.0.0.1:{self.port}/{VHOST}"

    def configure(self) -> None:
        rabbitmq.write_configuration(
            self.folder,
            authority=self.authority.file,
            own=self.authority.issue("rabbitmq"),
            port=self.port,
            tls_port=self.tls_port,
        )

    def start(self) -> None:
        environment = os.environ | {
            **rabbitmq.environment(self.folder),
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"sundhedsagent{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._dist),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                self.command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        wait_for("RabbitMQ", lambda: self.is_up and _answers(self.tls_port), 60)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def stop_all(self) -> None:
        """Its name server too, which outlives it."""
        self.stop()
        with suppress(OSError, subprocess.SubprocessError):
            environment = os.environ | {"ERL_EPMD_PORT": str(self._epmd)}
            subprocess.run(["epmd", "-kill"], env=environment, capture_output=True, timeout=10, check=False)

    @property
    def is_up(self) -> bool:
        process = self._process
        assert process is None or process.poll() is None, (self.folder / "out").read_text()[-2000:]
        return _answers(self.port)


@contextmanager
def rabbit_server() -> Iterator[RabbitServer]:
    """A broker with its own authority; skips the test where RabbitMQ is not installed."""
    if not PROGRAM.exists():
        missing(PACKAGE)
    folder = Path(tempfile.mkdtemp(prefix="sundhedsagent-mq-"))
    server = RabbitServer(folder, Authority(folder / "certificates"))
    server.configure()
    try:
        server.start()
        yield server
    finally:
        server.stop_all()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
