"""/healthz, /readyz and /metrics on a local port, for whoever watches the engine from outside."""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.links.sockets import bound
from engine.settings import MonitorSettings

if TYPE_CHECKING:  # needed only where a port is set, and slow to import
    from starlette.applications import Starlette

_OK, _UNAVAILABLE = 200, 503
# How the text format of Prometheus names itself.
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Probes:
    """What is asked for. `alive` and `ready` give what is wrong, in Danish: nothing where all is well."""

    alive: Callable[[], Awaitable[Sequence[str]]]
    ready: Callable[[], Awaitable[Sequence[str]]]
    metrics: Callable[[], Awaitable[bytes]]


@contextlib.asynccontextmanager
async def monitor(settings: MonitorSettings, probes: Probes) -> AsyncIterator[None]:
    """Serve while the block runs, in this event loop; port 0 serves nobody. SettingsError where the port is taken."""
    if not settings.port:
        yield
        return
    import asyncio  # noqa: PLC0415

    import uvicorn  # noqa: PLC0415

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # signals are the engine's

    with bound(settings.address, settings.port, "monitor") as listener:
        config = uvicorn.Config(
            application(probes),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        server = Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="monitor")
        try:
            yield
        finally:
            server.should_exit = True
            await serving


def application(probes: Probes) -> "Starlette":
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    def verdict(faults: Sequence[str]) -> Response:
        content = json.dumps({"ok": not faults, "faults": list(faults)}, ensure_ascii=False)
        status = _UNAVAILABLE if faults else _OK
        return Response(content, status, media_type="application/json")

    async def healthz(_request: Request) -> Response:
        return verdict(await probes.alive())

    async def readyz(_request: Request) -> Response:
        return verdict(await probes.ready())

    async def metrics(_request: Request) -> Response:
        return Response(await probes.metrics(), media_type=_METRICS)

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    )
