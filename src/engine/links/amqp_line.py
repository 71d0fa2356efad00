"""One connection to the Beskedfordeler: how one logs on, and how it is made anew when it breaks.

TLS with our certificate, vhost BF, SASL EXTERNAL with the decoded SAML assertion as its response.
"""

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiormq
import structlog
from aiormq.abc import AbstractChannel
from yarl import URL

from engine.errors import SettingsError, SundhedsagentError
from engine.links.certificates import TlsClient
from engine.links.sts import TokenError, TokenSource

log = structlog.get_logger(__name__)

CUT = "Forbindelsen til Beskedfordeleren blev afbrudt"
_NO_CONNECTION = "Ingen forbindelse til Beskedfordeleren"
_CONNECT_S = 20.0
_CLOSE_S = 3.0
_HEARTBEAT_S = 30
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
# A channel that lived for so long was a good one, also where nothing went over it.
_LIVED_S = 30.0


class LineError(SundhedsagentError):
    """The Beskedfordeler cannot be reached now; Danish, for the hotline."""


class AssertionConnection(aiormq.Connection):
    """A connection that logs on by SASL EXTERNAL with an assertion."""

    def __init__(self, url: URL, assertion: str, context: ssl.SSLContext) -> None:
        super().__init__(url, context=context)
        self._assertion = assertion

    def _credentials_class(self, start_frame: Any) -> Any:
        if "EXTERNAL" not in start_frame.mechanisms.split():
            raise aiormq.exceptions.AuthenticationError(start_frame.mechanisms, ["EXTERNAL"])
        return _External(self._assertion)


@dataclass(frozen=True, slots=True)
class _External:
    """The mechanism in aiormq's shape: a name, and a value that is called with the connection and marshalled."""

    assertion: str
    name: str = "EXTERNAL"

    def value(self, _connection: object) -> "_External":
        return self

    def marshal(self) -> str:
        return self.assertion


@dataclass(frozen=True, slots=True)
class Place:
    """Where the Beskedfordeler is, and as whom one logs on there."""

    host: str
    port: int
    vhost: str
    cvr: str
    entity_id: str

    @property
    def url(self) -> URL:
        query = {"heartbeat": str(_HEARTBEAT_S), "name": "sundhedsagenten", "timeout": str(int(_CONNECT_S))}
        return URL.build(scheme="amqps", host=self.host, port=self.port, path=f"/{self.vhost}", query=query)


class Line:
    """One connection and its channel, made anew with growing pauses after each failure."""

    def __init__(
        self,
        place: Place,
        tokens: TokenSource,
        tls: TlsClient,
        prepare: Callable[[AbstractChannel], Awaitable[None]],
    ) -> None:
        self._place = place
        self._tokens = tokens
        self._tls = tls
        self._prepare = prepare
        self._connection: AssertionConnection | None = None
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._opened_at = 0.0
        self._is_proved = False
        self._spoilt: str | None = None  # why the channel is of no use any more, though it is open
        self._failures = 0
        self._not_before = 0.0
        self._why = _NO_CONNECTION

    async def channel(self) -> AbstractChannel:
        """The open channel; LineError where there is none, and it is not time to try again or trying fails."""
        async with self._opening:
            if self._channel is not None and self._is_open:
                return self._channel
            if self._channel is not None:
                await self._bury(self._channel)
            if time.monotonic() < self._not_before:
                raise LineError(self._why)
            await self.close()
            try:
                async with asyncio.timeout(_CONNECT_S):
                    with cut_is_an_error():
                        self._channel = await self._open()
            except Exception as error:
                raise self._failed(_why(error)) from error
            self._opened_at, self._is_proved = time.monotonic(), False
            return self._channel

    @property
    def trouble(self) -> LineError | None:
        """What the last attempt failed with; None where the line is open, or was never tried."""
        return None if self._is_open or not self._failures else LineError(self._why)

    def proved(self) -> None:
        """The other side has done something for us: the next failure is a first one."""
        self._is_proved, self._failures = True, 0

    def spoil(self, why: str) -> None:
        """The channel is open and of no use: it is made anew, as after a failure."""
        self._spoilt = why

    async def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            # Whatever the other side has to say to it, and however long it thinks: we are gone.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE_S):
                    with cut_is_an_error():
                        await connection.close()

    @property
    def _is_open(self) -> bool:
        return self._channel is not None and not self._channel.is_closed and self._spoilt is None

    async def _bury(self, channel: AbstractChannel) -> None:
        """One that ended without having served anybody is a failure: else it would be opened anew for every besked."""
        spoilt, self._spoilt = self._spoilt, None
        why = spoilt or _why(_end_of(channel))
        has_lived = self._is_proved or time.monotonic() - self._opened_at >= _LIVED_S
        await self.close()
        if has_lived:
            self._failures = 0
        if spoilt is not None or not has_lived:
            raise self._failed(why)

    async def _open(self) -> AbstractChannel:
        place = self._place
        assertion = await self._tokens.token(place.cvr, place.entity_id)
        self._connection = AssertionConnection(place.url, assertion, self._tls.context())
        try:
            await self._connection.connect()
        except aiormq.exceptions.AMQPConnectionError:
            # It may be the token that is refused: the next attempt comes with a new one.
            self._tokens.forget(place.cvr, place.entity_id, assertion)
            raise
        channel = await self._connection.channel(publisher_confirms=True)
        await self._prepare(channel)
        return channel

    def _failed(self, why: str) -> LineError:
        self._failures += 1
        pause_s = min(_FIRST_PAUSE_S * 2 ** (self._failures - 1), _LONGEST_PAUSE_S)
        pause_s *= random.uniform(0.5, 1)  # noqa: S311 - several engines should not come all at once
        self._not_before = time.monotonic() + pause_s
        self._why = why
        log.warning("beskedfordeler-unreachable", error=why, pause_s=round(pause_s, 1))
        return LineError(why)


@contextlib.contextmanager
def cut_is_an_error() -> Iterator[None]:
    """The library cancels whoever waits on a connection that it gives up: to us, one that was cut. A task that is
    cancelled itself stays so.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ConnectionResetError(CUT) from error


def _end_of(channel: AbstractChannel) -> BaseException | None:
    closing = channel.closing
    if not closing.done() or closing.cancelled():
        return None
    return closing.exception()


def _why(error: BaseException | None) -> str:
    """What an error of the line says to the hotline."""
    if isinstance(error, TokenError | SettingsError):
        return str(error)
    if isinstance(
        error, aiormq.exceptions.AuthenticationError | aiormq.exceptions.ProbableAuthenticationError
    ):
        return "Beskedfordeleren afviser vores token eller certifikat"
    if isinstance(error, aiormq.exceptions.ChannelNotFoundEntity):
        return "Beskedfordeleren har ikke den udveksling eller det dueslag, der er sat op"
    if isinstance(error, aiormq.exceptions.ChannelAccessRefused):
        return "Beskedfordeleren giver os ikke adgang til den udveksling eller det dueslag, der er sat op"
    if error is not None and isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return "Beskedfordelerens certifikat godtages ikke; se beskedfordeler.ca_file"
    return _NO_CONNECTION
