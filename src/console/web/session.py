"""One browser's console on the server's side: its process, and the line to the page."""

import asyncio
import shlex
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

import structlog
from aiohttp import WSCloseCode, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

CLOSED, STOPPED, FULL = 4000, 4001, 4002
"""Why the line was closed, as assets/page.js tells it: by the person, by a fault, for want of room."""

_DRIVER = "console.web.driver:BrowserDriver"
_GRACE_S = 3.0  # so long a console may take to end by itself
_PIECE = 65_536

log = structlog.get_logger()


class ConsoleSession(AppService):
    """A console begins with `start` and has ended when `stop` returns, whatever state it is in."""

    def __init__(
        self, command: Sequence[str], line: web.WebSocketResponse, downloads: DownloadManager
    ) -> None:
        super().__init__(
            shlex.join(command),
            write_bytes=line.send_bytes,
            write_str=line.send_str,
            close=_not_yet,
            download_manager=downloads,
        )
        self._arguments = command
        self._line = line
        self._downloads = downloads

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        environment = self._build_environment(width, height) | {"TEXTUAL_DRIVER": _DRIVER}
        # A session of its own: Ctrl+C in the terminal is the server's, which ends its consoles itself.
        process = await asyncio.create_subprocess_exec(
            *self._arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, start_new_session=True
        )
        self._process, self._stdin = process, process.stdin
        return process

    async def run(self) -> None:
        """Show what the process draws until it has ended, and then tell the page why."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        try:
            await super().run()
            # The page has gone; the process must get rid of the rest to end.
            await _to_the_end(process.stdout)
        finally:
            # Of one that was killed meanwhile too: a pipe that is not read to its end is never closed.
            await _to_the_end(process.stdout)
            status = await process.wait()
            code = CLOSED if status == 0 else STOPPED
            log.info("web_console_ended", status=status)
            await self._line.close(code=code)

    async def stop(self) -> None:
        """End the process: its input ends, and if that does not help, it is killed. The engine does not notice."""
        if self._task is None:
            return
        await self._downloads.cancel_app_downloads(app_service_id=self.app_service_id)
        self.stdin.close()
        done, _ = await asyncio.wait({self._task}, timeout=_GRACE_S)
        if not done:
            self.kill()
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_GRACE_S)

    def kill(self) -> None:
        """End the process at once, if it is still there."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


async def listen(line: web.WebSocketResponse, session: ConsoleSession) -> None:
    """Hand on what the page sends until the line is closed; what makes no sense closes it."""
    async for message in line:
        try:
            sent = message.json()
        except (TypeError, ValueError):
            sent = None
        match sent:
            case ["stdin", str(text)]:
                await session.send_bytes(text.encode(errors="replace"))
            case ["resize", {"width": int(width), "height": int(height)}]:
                await session.set_terminal_size(*size_of(width, height))
            case ["ping", str(when)]:
                await line.send_json(["pong", when])
            case ["focus"]:
                await session.focus()
            case ["blur"]:
                await session.blur()
            case _:
                await line.close(code=WSCloseCode.UNSUPPORTED_DATA)


def size_of(width: int, height: int) -> tuple[int, int]:
    """A size that a screen can have."""
    return min(max(width, 1), 500), min(max(height, 1), 200)


async def _to_the_end(pipe: asyncio.StreamReader) -> None:
    while await pipe.read(_PIECE):
        pass


async def _not_yet() -> None:
    """The process says that it is about to end; the line is closed when it has."""
