"""The VANS provider in software, by HTTPS: posts hospitals' envelopes to the engines, and takes what they post."""

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx
    from starlette.routing import Route

PATH = "/modtag"
_AT_ONCE = 8
_TIMEOUT_S = 30.0
_TRY_AGAIN_S = 0.5
_NOT_TAKEN = 422  # quarantined: the same again would be of no use


class HttpsVans:
    """A mailbox. What is sent goes to one engine after another, until one of them has taken it."""

    def __init__(self, engines: Sequence[str], tls: ssl.SSLContext) -> None:
        self._engines = itertools.cycle(engines)
        self._tls = tls
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._waiting: dict[str, bytes] = {}
        self._came = 0

    def fetch(self) -> Iterator[tuple[str, bytes]]:
        yield from list(self._waiting.items())

    def taken(self, name: str) -> None:
        del self._waiting[name]

    def left(self, name: str) -> None:
        del self._waiting[name]

    def send(self, name: str, data: bytes) -> None:  # noqa: ARG002 - an envelope is known by its own id
        self._outgoing.put_nowait(data)

    def route(self) -> "Route":
        """Where engines post."""
        from starlette.requests import Request  # noqa: PLC0415
        from starlette.responses import Response  # noqa: PLC0415
        from starlette.routing import Route  # noqa: PLC0415

        async def take(request: Request) -> Response:
            self._keep(await request.body())
            return Response(status_code=200)

        return Route(PATH, take, methods=["POST"])

    @asynccontextmanager
    async def carrying(self) -> AsyncIterator[None]:
        """Post while the block runs."""
        import httpx  # noqa: PLC0415

        async with httpx.AsyncClient(verify=self._tls, timeout=_TIMEOUT_S) as client:
            tasks = [asyncio.create_task(self._work(client)) for _ in range(_AT_ONCE)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _keep(self, data: bytes) -> None:
        self._came += 1
        self._waiting[str(self._came)] = data

    async def _work(self, client: "httpx.AsyncClient") -> None:
        while True:
            data = await self._outgoing.get()
            if not await self._was_posted(client, data):
                self._outgoing.put_nowait(data)
                await asyncio.sleep(_TRY_AGAIN_S)

    async def _was_posted(self, client: "httpx.AsyncClient", data: bytes) -> bool:
        """Whether an engine has dealt with it. The body of its answer is a VANS receipt, where there is one."""
        import httpx  # noqa: PLC0415

        with suppress(httpx.HTTPError):
            answer = await client.post(next(self._engines), content=data)
            if answer.is_success and "xml" in answer.headers.get("Content-Type", ""):
                self._keep(answer.content)
            return answer.is_success or answer.status_code == _NOT_TAKEN
        return False
