"""An ASGI application for as long as a block runs, with TLS where a certificate is given."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from engine.errors import SundhedsagentError, os_reason
from engine.simulation.certificates import Issued


@contextlib.asynccontextmanager
async def serving(
    application: Any,
    *,
    own: Issued | None = None,
    authority: Path | None = None,
    address: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[str]:
    """Its address; port 0 is one that is free. With an `authority` only who has a certificate of it is let in.

    SundhedsagentError where the port is taken.
    """
    import uvicorn  # noqa: PLC0415

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # signals are the caller's

    tls: dict[str, Any] = {}
    if own is not None:
        tls = {"ssl_certfile": str(own.certificate), "ssl_keyfile": str(own.key)}
        if authority is not None:
            tls |= {"ssl_ca_certs": str(authority), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    with bound(address, port) as listener:
        # A caller that keeps its connection open is not waited for.
        config = uvicorn.Config(
            application,
            log_config=None,
            log_level="critical",
            lifespan="off",
            timeout_graceful_shutdown=1,
            **tls,
        )
        server = Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                assert not running.done()
                await asyncio.sleep(0.005)
            yield f"{'https' if own else 'http'}://{address}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


def bound(address: str, port: int) -> socket.socket:
    """A socket that listens; SundhedsagentError where the port is taken."""
    try:
        return socket.create_server((address, port), backlog=1_024)
    except OSError as error:
        raise SundhedsagentError(
            f"Der kan ikke lyttes på {address}, port {port}: {os_reason(error)}."
        ) from error
