"""A port that passes everything on to another one and can be cut: what a lost connection is to those who use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from engine.simulation.serving import bound

_CHUNK = 65_536


class Relay:
    """`host` and `port` are where it leads; while it `is_cut` nobody comes through."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self.is_cut = False

    @asynccontextmanager
    async def listening(self, address: str, port: int) -> AsyncIterator[None]:
        """Pass on while the block runs; SundhedsagentError where the port is taken."""
        server = await asyncio.start_server(self._came, sock=bound(address, port))
        try:
            yield
        finally:
            server.close()
            self._drop()
            await server.wait_closed()

    def cut(self) -> None:
        self.is_cut = True
        self._drop()

    def mend(self) -> None:
        self.is_cut = False

    def _drop(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = None
        if not self.is_cut:
            with suppress(OSError):  # nobody there: the caller hears it as he would without us
                there = await asyncio.open_connection(self._host, self._port)
        if there is None:
            writer.close()
            return
        ends = {writer, there[1]}
        self._open |= ends
        try:
            await asyncio.gather(_pass_on(reader, there[1]), _pass_on(there[0], writer))
        finally:
            self._open -= ends
            for end in ends:
                end.close()


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Until the source has no more; the other side hears how it ended."""
    try:
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
    except OSError:
        sink.transport.abort()
