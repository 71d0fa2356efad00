"""`sundhedsagent web`: textual-serve's server on this machine; it keeps strangers out, and ends what it begins."""

import asyncio
import shlex
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
from aiohttp import WSCloseCode, web
from textual_serve.server import Server

from console.web.front import HERE, Front, guard, headers_for
from console.web.session import FULL, ConsoleSession, listen, size_of
from engine.desk.office import Office
from engine.errors import SundhedsagentError, os_reason
from engine.home import Home
from engine.logs import configure_logs
from engine.settings import Settings

_ASSETS = Path(__file__).with_name("assets")
_HEARTBEAT_S = 15.0  # a browser that has gone without a word is missed after one and a half of these
_CLOSES_S = 1.0  # so long a browser may take to agree that the line is closed
_WAITS_S = 5.0  # for room: a page that is loaded anew leaves its old console about now
_SHUTDOWN_S = 7.0
_LONGEST_MESSAGE = 1 << 20  # what may be pasted in

log = structlog.get_logger()


class ConsoleServer(Server):
    """Each browser gets a console of its own; there is room for `most` at a time."""

    def __init__(self, command: Sequence[str], front: Front, most: int) -> None:
        super().__init__(shlex.join(command), host=HERE, title="Sundhedsagenten")
        self._arguments = command
        self._front = front
        self._room = asyncio.Semaphore(most)
        self._lines: set[web.WebSocketResponse] = set()
        self._sessions: set[ConsoleSession] = set()
        self._endings: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        application = web.Application(middlewares=[guard(self._front)])
        application.router.add_get("/", self.show_page)
        application.router.add_get("/ws", self.open_console)
        application.router.add_get("/download/{key}", self.handle_download)
        application.router.add_static("/static", self.statics_path)
        application.router.add_static("/assets", _ASSETS)
        application.on_response_prepare.append(headers_for(self._front))
        application.on_shutdown.append(self._close_lines)
        application.on_cleanup.append(self._see_to_the_end)
        return application

    async def show_page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(_ASSETS / "page.html")

    async def open_console(self, request: web.Request) -> web.StreamResponse:
        """The page's line to a console, until one of them ends."""
        size = size_of(_number(request.query.get("width")), _number(request.query.get("height")))
        line = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, timeout=_CLOSES_S, max_msg_size=_LONGEST_MESSAGE)
        await line.prepare(request)
        self._lines.add(line)
        try:
            await self._show_console(line, size)
        finally:
            self._lines.discard(line)
        return line

    async def _show_console(self, line: web.WebSocketResponse, size: tuple[int, int]) -> None:
        try:
            async with asyncio.timeout(_WAITS_S):
                await self._room.acquire()
        except TimeoutError:
            log.warning("web_full", consoles=len(self._sessions))
            await line.close(code=FULL)
            return
        session = ConsoleSession(self._arguments, line, self.download_manager)
        self._sessions.add(session)
        try:
            await session.start(*size)
            log.info("web_console_opened", consoles=len(self._sessions))
            await listen(line, session)
        finally:
            ending = asyncio.create_task(self._end(session))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)
            await asyncio.shield(ending)  # whatever becomes of the request

    async def _end(self, session: ConsoleSession) -> None:
        await session.stop()
        self._sessions.discard(session)
        self._room.release()

    async def _close_lines(self, _application: web.Application) -> None:
        await asyncio.gather(*(line.close(code=WSCloseCode.GOING_AWAY) for line in self._lines))

    async def _see_to_the_end(self, _application: web.Application) -> None:
        await asyncio.gather(*self._endings)


def serve(home: Home, *, port: int, origin: str | None, most: int, may_change: bool) -> None:
    """Show the console to browsers until SIGTERM or Ctrl+C. SundhedsagentError where nothing could be shown."""
    with Office(home, only_reads=True) as office, office.visiting():
        pass  # a database that is away, or a user without a role, is told here and not to every browser
    command = [sys.executable, "-m", "console.web.browser", "--home", str(home.path)]
    if may_change:
        command.append("--may-change")
    with _listening(port) as listener:
        configure_logs(Settings.load(home).log)
        server = ConsoleServer(command, Front(origin), most)
        public = f" og {origin}/" if origin else ""
        rights = "med din egen rolle" if may_change else "kun til læsning"
        print(f"Konsollen vises på http://{HERE}:{port}/{public}, {rights}. Ctrl+C standser.", flush=True)
        web.run_app(
            server.application(), sock=listener, print=None, access_log=None, shutdown_timeout=_SHUTDOWN_S
        )


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HERE, port))
            listener.listen()
        except OSError as error:
            raise SundhedsagentError(
                f"Der kan ikke lyttes på {HERE}, port {port}: {os_reason(error)}. Vælg en anden med --port."
            ) from error
        yield listener


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else 0
