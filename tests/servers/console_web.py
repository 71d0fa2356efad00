"""`sundhedsagent web` as a process of its own, and who comes to it without a browser."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from benchmarks.console_pty import COLUMNS, LINES, RUN, Screen
from screenshots.scenes import PERSON, Scene, clock_of

from engine.desk.access import Role, caller_identity
from engine.desk.office import Office
from engine.desk.roles import grant_role
from engine.home import Home
from tests.servers.ports import free_port
from tests.servers.postgresql import wait_for

ENDS_WITHIN_S = 10.0


@dataclass
class Web:
    """A server that runs, and its consoles."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path
    folder: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def consoles(self) -> list[int]:
        return children_of(self.process.pid)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status; subprocess.TimeoutExpired where it does not end in time."""
        self.process.send_signal(number)
        return self.process.wait(ENDS_WITHIN_S)


@contextlib.contextmanager
def web(home: Home, folder: Path, *options: str, port: int | None = None) -> Iterator[Web]:
    """The server, run in `folder`, until the end of the block."""
    port = port or free_port()
    log = folder.with_name(f"{folder.name}-{port}.log")
    command = [sys.executable, "-c", RUN, "--home", str(home.path), "web", "--port", str(port), *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder
        )
    found = Web(process, port, log, folder)
    try:
        wait_for("the server", lambda: process.poll() is not None or b"vises" in log.read_bytes())
        assert process.poll() is None, log.read_text()
        yield found
    finally:
        if process.poll() is None:
            found.end()


def grant_caller(home: Home, role: Role, scene: Scene) -> None:
    """Give whoever runs the tests a role in a scene."""
    with Office(home, PERSON, clock_of(scene)) as office, office.administering() as act:
        grant_role(act, caller_identity(), role)


@contextlib.asynccontextmanager
async def visitor(web: Web, *, origin: str | None = None) -> AsyncIterator["Visitor"]:
    """The line to a console, as the page has it."""
    address = f"{web.address}/ws?width={COLUMNS}&height={LINES}"
    headers = {"Origin": origin or web.address}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, headers=headers, timeout=aiohttp.ClientWSTimeout(ws_close=1)) as line,
    ):
        yield Visitor(line)


class Visitor:
    """Presses keys, and reads what a terminal would show."""

    def __init__(self, line: "aiohttp.ClientWebSocketResponse") -> None:
        self.line = line
        self.screen = Screen()

    async def sees(self, *texts: str, within: float = 30) -> None:
        end = time.monotonic() + within
        while not all(text in self.screen.text for text in texts):
            assert time.monotonic() < end, self.screen.text
            with contextlib.suppress(TimeoutError):
                message = await self.line.receive(1)
                assert message.type is aiohttp.WSMsgType.BINARY, (message, self.screen.text)
                self.screen.feed(message.data)

    async def presses(self, keys: str) -> None:
        await self.line.send_json(["stdin", keys])

    async def closed(self, within: float = 20) -> int | None:
        """The number that it was closed with, once it is."""
        while (message := await self.line.receive(within)).type is aiohttp.WSMsgType.BINARY:
            self.screen.feed(message.data)
        assert message.type is aiohttp.WSMsgType.CLOSE, message
        return self.line.close_code


def children_of(pid: int) -> list[int]:
    """The processes that one has started, its threads' too; none where it is no more."""
    with contextlib.suppress(OSError):
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
