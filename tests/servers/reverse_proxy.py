"""A proxy as an organisation puts in front: TLS, a login, and websockets handed on."""

import asyncio
import contextlib
import ssl
import subprocess
import sys
from collections.abc import Iterator

import aiohttp
from aiohttp import web

from engine.simulation.certificates import Issued

_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "content-encoding",
}


class _Proxy:
    def __init__(self, behind: str) -> None:
        self._behind = behind

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("login") == "rigtigt":
            answer = web.Response(status=302, headers={"Location": "/"})
            answer.set_cookie("session", "rigtigt", secure=True, httponly=True)
            return answer
        if request.cookies.get("session") != "rigtigt":
            return web.Response(status=401, text="Log ind først")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        async with aiohttp.ClientSession() as session:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._websocket(request, session)
            async with session.get(self._behind + request.path_qs, headers=headers) as found:
                kept = {name: value for name, value in found.headers.items() if name.lower() not in _HOP}
                return web.Response(status=found.status, body=await found.read(), headers=kept)

    async def _websocket(self, request: web.Request, session: aiohttp.ClientSession) -> web.StreamResponse:
        here = web.WebSocketResponse()
        await here.prepare(request)
        # As nginx does of itself: our own address as the host, and the origin as the browser sent it.
        there = await session.ws_connect(
            self._behind + request.path_qs, headers={"Origin": request.headers["Origin"]}
        )

        async def hand_on(source: "_Line", target: "_Line") -> None:
            async for message in source:
                send = target.send_bytes if message.type is aiohttp.WSMsgType.BINARY else target.send_str
                await send(message.data)
            await target.close(code=source.close_code or aiohttp.WSCloseCode.GOING_AWAY)

        await asyncio.gather(hand_on(here, there), hand_on(there, here))
        return here


_Line = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


@contextlib.contextmanager
def reverse_proxy(behind: str, own: Issued, port: int) -> Iterator[None]:
    """Serve `behind` on https://localhost:`port`, for whoever has logged in with ?login=rigtigt."""
    command = [sys.executable, "-m", __name__, behind, str(own.certificate), str(own.key), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


def main(behind: str, certificate: str, key: str, port: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    application = web.Application()
    application.router.add_get("/{path:.*}", _Proxy(behind).handle)
    web.run_app(
        application,
        host="127.0.0.1",
        port=int(port),
        ssl_context=context,
        print=lambda text: print(text, flush=True),
        access_log=None,
        shutdown_timeout=1,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
