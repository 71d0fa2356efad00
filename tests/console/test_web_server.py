"""The console's server for browsers: who is let in, how many, and that no console outlives browser or server."""

import os
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from screenshots.scenes import Scene
from tests.servers.console_web import Visitor, grant_caller, is_alive, visitor, web
from tests.servers.ports import free_port
from tests.servers.postgresql import wait_for
from tests.waiting import until

from console.command import main
from console.web.front import Front
from console.web.server import ConsoleServer
from console.web.session import CLOSED, FULL, STOPPED, size_of
from engine.desk.access import Role, caller_identity
from engine.home import Home

ASSETS = Path(__file__).parents[2] / "src/console/web/assets"


@pytest.fixture
def home(scene_home: Callable[[Scene], Home]) -> Home:
    """A scene in which whoever runs the tests is administrator."""
    found = scene_home(Scene.OVERDUE)
    grant_caller(found, Role.ADMINISTRATOR, Scene.OVERDUE)
    return found


# --- with consoles made up for the occasion ---------------------------------------------------------------------------

_READY = "import sys, time; sys.stdout.buffer.write(b'__GANGLION__\\n'); sys.stdout.flush(); "
_READS = _READY + "sys.stdin.buffer.read()"  # ends with its input
_STUCK = _READY + "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
_DRAWS = _READY + "\nwhile True: sys.stdout.buffer.write(b'D' + (60000).to_bytes(4, 'big') + b'x' * 60000)"


@asynccontextmanager
async def served(program: str, *, most: int = 5) -> AsyncIterator[tuple[ConsoleServer, TestServer]]:
    server = ConsoleServer([sys.executable, "-c", program], Front(), most)
    testing = TestServer(server.application())
    await testing.start_server()
    try:
        yield server, testing
    finally:
        await testing.close()


@asynccontextmanager
async def line_to(testing: TestServer) -> AsyncIterator[Visitor]:
    origin = str(testing.make_url("/")).rstrip("/")
    async with aiohttp.ClientSession() as session:
        timeout = aiohttp.ClientWSTimeout(ws_close=1)
        async with session.ws_connect(
            testing.make_url("/ws"), headers={"Origin": origin}, timeout=timeout
        ) as line:
            yield Visitor(line)


async def begun(server: ConsoleServer, count: int = 1) -> list[int]:
    """The processes of so many consoles, once they are there."""
    await until(lambda: len(_pids(server)) == count)
    return _pids(server)


def _pids(server: ConsoleServer) -> list[int]:
    return [each._process.pid for each in server._sessions if each._process is not None]


async def gone(pids: list[int], within: float) -> None:
    await until(lambda: not any(is_alive(pid) for pid in pids), within)


@pytest.mark.parametrize(("status", "code"), [(0, CLOSED), (1, STOPPED), (3, STOPPED)])
async def test_the_page_hears_how_the_console_ended(status: int, code: int) -> None:
    async with served(_READY + f"sys.exit({status})") as (_, testing), line_to(testing) as person:
        assert await person.closed() == code


async def test_a_console_that_never_comes_up_is_told_too() -> None:
    async with served("raise SystemExit('forkert')") as (_, testing), line_to(testing) as person:
        assert await person.closed() == STOPPED


async def test_a_console_killed_is_told() -> None:
    async with served(_READS) as (server, testing), line_to(testing) as person:
        (pid,) = await begun(server)
        server._sessions.copy().pop().kill()
        assert await person.closed() == STOPPED
        await gone([pid], 5)


async def test_the_page_knows_the_same_numbers() -> None:
    script = (ASSETS / "page.js").read_text(encoding="utf-8")
    assert f"CLOSED = {CLOSED}, STOPPED = {STOPPED}, FULL = {FULL};" in script


@pytest.mark.parametrize("program", [_READS, _STUCK, _DRAWS], ids=["reads", "stuck", "draws"])
async def test_a_browser_that_leaves_takes_its_console_along(program: str) -> None:
    async with served(program) as (server, testing):
        async with line_to(testing):
            pids = await begun(server)
        await gone(pids, 8)
        await until(lambda: not server._sessions)


async def test_a_browser_that_takes_nothing_is_left_and_its_console_ends() -> None:
    with patch("console.web.server._HEARTBEAT_S", 0.5):
        async with served(_DRAWS) as (server, testing), aiohttp.ClientSession() as session:
            url, origin = testing.make_url("/ws"), str(testing.make_url("/")).rstrip("/")
            line = await session.ws_connect(url, headers={"Origin": origin}, autoping=False)
            pids = await begun(server)
            await gone(pids, 15)
            await line.close()


@pytest.mark.parametrize("program", [_READS, _STUCK, _DRAWS], ids=["reads", "stuck", "draws"])
async def test_the_server_ends_its_consoles(program: str) -> None:
    async with served(program) as (server, testing), line_to(testing), line_to(testing):
        pids = await begun(server, 2)
        started = time.monotonic()
        await testing.close()
        assert [pid for pid in pids if is_alive(pid)] == []
        assert time.monotonic() - started < 10


async def test_there_is_room_for_so_many_and_then_for_the_next() -> None:
    async with served(_READS, most=1) as (server, testing):
        async with line_to(testing):
            await begun(server)
            with patch("console.web.server._WAITS_S", 0.3):
                async with line_to(testing) as second:
                    assert await second.closed() == FULL
        with patch("console.web.server._WAITS_S", 60.0):
            async with line_to(testing):
                await begun(server)


async def test_a_page_loaded_anew_waits_for_its_old_console_to_leave() -> None:
    async with served(_READS, most=1) as (server, testing):
        async with line_to(testing):
            (first,) = await begun(server)
        async with line_to(testing):
            await until(lambda: len(_pids(server)) == 1 and _pids(server) != [first])


@pytest.mark.parametrize(
    "sent",
    [
        "nix",
        "{}",
        "[]",
        '["stdin", 7]',
        '["resize", {"width": "a", "height": 1}]',
        '["resize", 1]',
        '["andet"]',
    ],
)
async def test_what_makes_no_sense_closes_the_line(sent: str) -> None:
    async with served(_READS) as (server, testing), line_to(testing) as person:
        pids = await begun(server)
        await person.line.send_str(sent)
        assert await person.closed() == aiohttp.WSCloseCode.UNSUPPORTED_DATA
        await gone(pids, 8)


async def test_the_page_may_ask_whether_we_are_there() -> None:
    async with served(_READS) as (_, testing), line_to(testing) as person:
        await person.line.send_str('["ping", "12"]')
        assert await person.line.receive_json(timeout=10) == ["pong", "12"]


def test_no_screen_is_larger_than_a_screen() -> None:
    assert size_of(10**9, 10**9) == (500, 200)
    assert size_of(-5, 0) == (1, 1)


# --- who is let in ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/ws", "/static/js/textual.js", "/assets/page.js", "/download/x"])
async def test_another_name_for_this_machine_gets_nothing(path: str) -> None:
    async with served(_READS) as (server, testing), aiohttp.ClientSession() as session:
        url = testing.make_url(path)
        async with session.get(url, headers={"Host": f"ond.example:{testing.port}"}) as answer:
            assert answer.status == 403
            assert (await answer.text()).startswith("Konsollen vises ikke på denne adresse.")
        assert server._sessions == set()


@pytest.mark.parametrize("origin", ["https://ond.example", "http://localhost:3000", "null", None])
async def test_another_page_opens_no_console(origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    async with served(_READS) as (server, testing), aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(testing.make_url("/ws"), headers=headers)
        assert refused.value.status == 403
        assert server._sessions == set()


async def test_every_answer_says_where_a_page_may_fetch_from() -> None:
    async with served(_READS) as (_, testing), aiohttp.ClientSession() as session:
        for path, status in (("/", 200), ("/assets/page.js", 200), ("/nix", 404), ("/static/", 403)):
            async with session.get(testing.make_url(path)) as answer:
                assert answer.status == status
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'; script-src 'self';" in policy
                assert "frame-ancestors 'none'" in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                if status != 200:
                    assert re.search(r"Her er intet|Det gik ikke", await answer.text())


def test_the_page_names_no_other_machine() -> None:
    for name in ("page.html", "page.css", "page.js"):
        assert "//" not in re.sub(r"^\s*//.*$| // .*$", "", (ASSETS / name).read_text(), flags=re.MULTILINE)


# --- with real consoles -----------------------------------------------------------------------------------------------


async def test_it_shows_the_console_for_reading_alone(home: Home, tmp_path: Path) -> None:
    with web(home, tmp_path) as server:
        assert "kun til læsning" in server.log.read_text()
        async with visitor(server) as person:
            await person.sees("[1 Overblik]", "overskredet", "Ring til")
            await person.presses("b")
            await person.sees("Her kan kun læses.")
            await person.presses("q")
            assert await person.closed() == CLOSED
        assert server.end() == 0


async def test_it_lets_change_who_asks_for_it(home: Home, tmp_path: Path) -> None:
    with web(home, tmp_path, "--may-change") as server:
        assert "med din egen rolle" in server.log.read_text()
        async with visitor(server) as person:
            await person.sees("[1 Overblik]", "overskredet")
            await person.presses("6")
            await person.sees("[6 Hændelser]")
            await person.presses("n")
            await person.sees("F2 foreslå")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_with_all_its_consoles(home: Home, tmp_path: Path, number: signal.Signals) -> None:
    with web(home, tmp_path) as server:
        async with visitor(server) as one, visitor(server) as other:
            await one.sees("overskredet")
            await other.sees("overskredet")
            consoles = server.consoles
            assert len(consoles) == 2
            os.kill(consoles[0], signal.SIGSTOP)  # it can do nothing of itself
            assert server.end(number) == 0
            assert [pid for pid in consoles if is_alive(pid)] == []
            assert await other.closed() == aiohttp.WSCloseCode.GOING_AWAY


async def test_killed_it_leaves_no_console_behind(home: Home, tmp_path: Path) -> None:
    with web(home, tmp_path) as server:
        async with visitor(server) as person:
            await person.sees("overskredet")
            consoles = server.consoles
            assert len(consoles) == 1
            server.process.kill()
            server.process.wait(10)
            await gone(consoles, 10)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, 1)])
async def test_a_console_that_is_killed_is_told_to_page_and_log(
    home: Home, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with web(home, tmp_path) as server:
        async with visitor(server) as person:
            await person.sees("overskredet")
            (console,) = server.consoles
            os.kill(console, number)
            assert await person.closed() == STOPPED
        wait_for("the log", lambda: "web_console_ended" in server.log.read_text())
        assert f"status={status}" in server.log.read_text()


def test_it_listens_on_this_machine_alone(home: Home, tmp_path: Path) -> None:
    with web(home, tmp_path) as server:
        listening = {
            line.split()[1]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{server.process.pid}/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A" and line.split()[1].endswith(f":{server.port:04X}")
        }
    assert listening == {f"0100007F:{server.port:04X}"}


# --- what it refuses at the start -------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_told(new_home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--home", str(new_home.path), "web", "--port", str(port)]) == 1
    assert f"Der kan ikke lyttes på 127.0.0.1, port {port}: " in capsys.readouterr().err


def test_an_address_in_the_clear_is_wrong_use(new_home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(new_home.path), "web", "--public-url", "http://drift.example"]) == 2
    assert "--public-url: skal være som https://drift.example, uden sti" in capsys.readouterr().err


def test_who_has_no_role_is_told_before_anybody_looks(
    scene_path: Callable[[Scene], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--home", str(scene_path(Scene.OVERDUE)), "web", "--port", str(free_port())]
    assert main(arguments) == 1
    assert f"Brugeren {caller_identity()} har ingen rolle" in capsys.readouterr().err


def test_where_to_listen_is_no_choice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Der lyttes ikke på andre adresser: foran står en proxy med login." in told
    assert "--host" not in told
    assert main(["web", "--host", "0.0.0.0"]) == 2
