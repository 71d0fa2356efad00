"""What comes in by HTTPS: envelopes from VANS, and kvitteringer that the Beskedfordeler pushes (BeskedFåTilsendt).

A request is answered when what it brought has been committed, and not before. Whoever sends the same bytes again,
because no answer came, has brought the same delivery: it is only confirmed.
"""

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from engine.errors import SettingsError, WireError
from engine.links.certificates import CertificateFiles, TlsServer
from engine.links.sockets import bound
from engine.ports import Delivery, Finished
from engine.settings import ListenSettings, Settings
from engine.wire import beskedkuvert, standard_retur
from engine.wire.standard_retur import StandardRetur

if TYPE_CHECKING:  # needed only where a port is set, and slow to import
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

log = structlog.get_logger(__name__)

ReceiptsOf = Callable[[Sequence[str]], Awaitable[Mapping[str, bytes]]]
"""The VANS receipts of deliveries that are committed, by key."""

_OK, _UNAUTHORIZED, _TOO_SLOW, _TOO_LARGE, _NOT_TAKEN, _TOO_MANY, _UNAVAILABLE = (
    200,
    401,
    408,
    413,
    422,
    429,
    503,
)
_REFUSED = frozenset({_UNAUTHORIZED, _TOO_SLOW, _TOO_LARGE, _TOO_MANY, _UNAVAILABLE})
_RETRY_AFTER_S = 5
_XML = "application/xml; charset=utf-8"
# The next request is on its way when the last one has been answered.
_NEXT_IS_COMING_S = 0.01
_LOOK_AT_FILES_S = 30.0
# A connection that has not brought a request by then is closed: whoever it is need not have logged on yet.
_REQUEST_WITHIN_S = 10.0
# All bodies that are being read or wait for their commit, together.
_MOST_HELD_BYTES = 256 * 1024 * 1024
# What is larger than a message may be is read so far, and put in quarantine without its content; past it the sender
# is cut off.
_HARD_LIMIT = 10


class NotNow(Exception):  # noqa: N818 - it is no error: the sender comes again
    """It could not be handled now."""


@dataclass(frozen=True, slots=True)
class Refusal(Exception):  # noqa: N818 - it is no error of ours
    """What was brought is not let in: the HTTP status, and why, in Danish."""

    status: int
    why: str


@dataclass(frozen=True, slots=True)
class _Body:
    """`data` is None where it was too large to be kept; `digest` is the SHA-256 of all of it, in hex."""

    data: bytes | None
    digest: str


@dataclass(slots=True)
class _Request:
    """One that waits for its commit. `answer` is what it was finished with, and its VANS receipt."""

    delivery: Delivery
    came_at: datetime
    answer: "asyncio.Future[tuple[Finished, bytes | None]]"
    hearers: int = 0  # who wait for the answer still


class RequestInbox:
    """An inbox of requests. Two with the same key at once are one delivery, and both are answered."""

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._waiting: deque[str] = deque()
        self._requests: dict[str, _Request] = {}
        self._arrived = asyncio.Event()
        self._finished_at = 0.0
        self.receipts: ReceiptsOf | None = None

    @property
    def is_full(self) -> bool:
        return len(self._requests) >= self._most_waiting

    async def bring(self, delivery: Delivery, timeout_s: float) -> tuple[Finished, bytes | None]:
        """Hand over a delivery, and wait until it is committed. NotNow where there is no room, or no time is left."""
        request = self._requests.get(delivery.key)
        if request is None:
            if self.is_full:
                raise NotNow
            answer = asyncio.get_running_loop().create_future()
            request = self._requests[delivery.key] = _Request(delivery, datetime.now(UTC), answer)
            self._waiting.append(delivery.key)
            self._arrived.set()
        request.hearers += 1
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(request.answer)
        except TimeoutError as error:
            raise NotNow from error
        finally:
            request.hearers -= 1

    async def take(self, limit: int) -> Sequence[Delivery]:
        if not self._waiting and time.monotonic() - self._finished_at < _NEXT_IS_COMING_S:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_NEXT_IS_COMING_S):
                    await self._arrived.wait()
        keys = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        return [self._requests[key].delivery for key in keys]

    async def finish(self, finished: Sequence[Finished]) -> None:
        # A receipt that nobody is left to hear is not handed over: it goes out by the outbox.
        keys = [
            key
            for key in (item.delivery.key for item in finished)
            if key in self._requests and self._requests[key].hearers
        ]
        receipts = await self.receipts(keys) if self.receipts is not None and keys else {}
        for item in finished:
            request = self._requests.pop(item.delivery.key, None)
            if request is not None and not request.answer.done():
                request.answer.set_result((item, receipts.get(item.delivery.key)))
        self._finished_at = time.monotonic()

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Nobody waits for long: the sender hears it, and comes again."""
        for delivery in deliveries:
            request = self._requests.pop(delivery.key, None)
            if request is not None and not request.answer.done():
                request.answer.set_exception(NotNow())
                request.answer.exception()  # also where nobody is left to hear it

    async def oldest(self) -> datetime | None:
        return min((request.came_at for request in self._requests.values()), default=None)


@dataclass
class _Rate:
    """So many a second, with as many saved up as a second brings."""

    per_second: int
    _left: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._left, self._at = float(self.per_second), time.monotonic()

    def admits(self) -> bool:
        now = time.monotonic()
        self._left = min(float(self.per_second), self._left + (now - self._at) * self.per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Listener:
    """POST /vans and POST /beskedfordeler on one port, each where the settings ask for it, with the inboxes behind."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.listen
        self._rate = _Rate(self._settings.per_second)
        self._held_bytes = 0
        self._most = {
            "/vans": settings.vans.max_envelope_bytes,
            "/beskedfordeler": settings.kvittering.max_besked_bytes,
        }
        self.vans = RequestInbox(self._settings.most_waiting) if settings.takes_vans else None
        self.kvitteringer = RequestInbox(self._settings.most_waiting) if settings.takes_pushes else None

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve while the block runs; SettingsError where the port is taken or the certificate cannot be used."""
        import uvicorn  # noqa: PLC0415

        class Server(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield  # signals are the engine's

        tls = _tls(self._settings)
        with bound(self._settings.address, self._settings.port, "listen") as listener:
            config = uvicorn.Config(
                self.application(),
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=5,
                http=_protocol(),
                ws="none",
            )
            config.load()
            config.ssl = None if tls is None else tls.context()
            server = Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]), name="listener")
            looking = asyncio.create_task(_renew(tls), name="listener's certificate")
            try:
                yield
            finally:
                looking.cancel()
                server.should_exit = True
                await serving

    def application(self) -> "Starlette":
        from starlette.applications import Starlette  # noqa: PLC0415
        from starlette.routing import Route  # noqa: PLC0415

        routes = []
        if self.vans is not None:
            routes.append(Route("/vans", partial(self._vans, self.vans), methods=["POST"]))
        if self.kvitteringer is not None:
            routes.append(Route("/beskedfordeler", partial(self._push, self.kvitteringer), methods=["POST"]))
        return Starlette(routes=routes)

    # --- VANS ---------------------------------------------------------------------------------------------------------

    async def _vans(self, inbox: RequestInbox, request: "Request") -> "Response":
        try:
            async with self._body_of(request, inbox) as body:
                delivery = Delivery(f"https-{body.digest[:40]}", "vans.xml", body.data)
                finished, receipt = await inbox.bring(delivery, self._timeout_s)
        except Refusal as refusal:
            return _text(refusal.status, refusal.why)
        except NotNow:
            return _text(_UNAVAILABLE, "Ikke modtaget: send den igen om lidt")
        if receipt is not None:
            return _answer(_OK, receipt, _XML)
        if finished.quarantine is not None:
            return _text(_NOT_TAKEN, f"Sat i karantæne: {finished.note.get('text', '')}")
        return _text(_OK, "Modtaget")

    # --- BeskedFåTilsendt ---------------------------------------------------------------------------------------------

    async def _push(self, inbox: RequestInbox, request: "Request") -> "Response":
        """Always HTTP 200 to whoever is let in: what became of it is the StatusKode (D.09.02)."""
        try:
            async with self._body_of(request, inbox) as body:
                key = await asyncio.to_thread(_push_key, body)
                await inbox.bring(Delivery(key, "besked.xml", body.data), self._timeout_s)
        except Refusal as refusal:
            if refusal.status == _UNAUTHORIZED:
                return _text(refusal.status, refusal.why)
            return _pushed(standard_retur.CANNOT_RECEIVE, refusal.why)
        except NotNow:
            return _pushed(standard_retur.CANNOT_RECEIVE, "Besked kan ikke modtages lige nu")
        return _pushed(standard_retur.ACCEPTED)

    # --- who may, and how much ----------------------------------------------------------------------------------------

    @property
    def _timeout_s(self) -> float:
        return self._settings.timeout.total_seconds()

    @contextlib.asynccontextmanager
    async def _body_of(self, request: "Request", inbox: RequestInbox) -> AsyncIterator[_Body]:
        """What a request brings; it counts as held while the block runs. Refusal or NotNow where it is not let in."""
        from starlette.requests import ClientDisconnect  # noqa: PLC0415

        if not self._may(request):
            raise Refusal(
                _UNAUTHORIZED, "Ukendt afsender: certifikatet eller tokenet er ikke registreret her"
            )
        if not self._rate.admits():
            raise Refusal(_TOO_MANY, "For mange på én gang: send den igen om lidt")
        if inbox.is_full:
            raise NotNow
        read = _Reading(self._most[request.scope["path"]])
        try:
            async with asyncio.timeout(self._timeout_s):
                async for part in request.stream():
                    self._held_bytes += read.add(part)
                    if self._held_bytes > _MOST_HELD_BYTES:
                        raise NotNow
            yield read.body()
        except TimeoutError as error:
            raise Refusal(_TOO_SLOW, "Det hele kom ikke inden for tiden") from error
        except ClientDisconnect as error:
            raise NotNow from error
        finally:
            self._held_bytes -= read.held

    def _may(self, request: "Request") -> bool:
        """By a certificate that is named in the settings, or by a bearer token."""
        chosen = self._settings
        if chosen.clients and _peer(request) in chosen.clients:
            return True
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if chosen.token and kind.lower() == "bearer":
            # As the bytes that came: a header is read as Latin-1, whatever was meant.
            return hmac.compare_digest(token.strip().encode("latin-1"), chosen.token.encode())
        return not chosen.clients and not chosen.token


class _Reading:
    """A body on its way in. What is larger than it may be is not kept, but known by its digest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._digest = hashlib.sha256()
        self._size = 0
        self._parts: list[bytes] = []
        self.held = 0

    def add(self, part: bytes) -> int:
        """How many bytes more are held now; fewer where all was let go. Refusal past the hard limit."""
        before = self.held
        self._digest.update(part)
        self._size += len(part)
        if self._size > _HARD_LIMIT * self._most:
            raise Refusal(_TOO_LARGE, f"Større end {self._most} byte")
        if self._size > self._most:
            self._parts, self.held = [], 0
        else:
            self._parts.append(part)
            self.held = self._size
        return self.held - before

    def body(self) -> _Body:
        data = None if self._size > self._most else b"".join(self._parts)
        return _Body(data, self._digest.hexdigest())


def _push_key(body: _Body) -> str:
    """The besked's id and content: what the Beskedfordeler adds when it delivers again (AntalLeveranceforsoeg) is not
    in it.
    """
    if body.data is None:
        return f"push-{body.digest[:40]}"
    try:
        besked = beskedkuvert.read(body.data)
    except WireError:
        identity = body.data
    else:
        identity = (besked.besked_id or "").encode() + b"\0" + (besked.payload or body.data)
    return f"push-{hashlib.sha256(identity).hexdigest()[:40]}"


def _text(status: int, text: str) -> "Response":
    return _answer(status, text.encode(), "text/plain; charset=utf-8")


def _pushed(status: int, text: str = "") -> "Response":
    return _answer(_OK, standard_retur.write_push_answer(StandardRetur(status, text)), _XML)


def _answer(status: int, content: bytes, kind: str) -> "Response":
    from starlette.responses import Response  # noqa: PLC0415

    # Whoever is refused may still be sending: that is read no further.
    headers = {"Connection": "close"} if status in _REFUSED else {}
    if status in {_TOO_MANY, _UNAVAILABLE}:
        headers["Retry-After"] = str(_RETRY_AFTER_S)
    return Response(content, status, headers, kind)


def _peer(request: "Request") -> str | None:
    """The SHA-256 fingerprint of the client's certificate, which our own protocol class has put there."""
    fingerprint: str | None = request.scope.get("state", {}).get("peer")
    return fingerprint


def _protocol() -> type[Any]:
    """Uvicorn's HTTP protocol; with it whose certificate the connection came with, and an end to waiting for requests
    that do not come.
    """
    from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415

    class Protocol(H11Protocol):
        _too_slow: "asyncio.TimerHandle | None" = None

        def connection_made(self, transport: Any) -> None:
            tls = transport.get_extra_info("ssl_object")
            certificate = tls.getpeercert(binary_form=True) if tls is not None else None
            if certificate is not None:
                self.app_state = {**self.app_state, "peer": hashlib.sha256(certificate).hexdigest()}
            super().connection_made(transport)
            self._too_slow = self.loop.call_later(_REQUEST_WITHIN_S, transport.abort)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            cycle: Any = self.cycle  # None until the first request is there
            if cycle is not None and not cycle.response_complete:
                self._let_be()
            elif self._too_slow is None:  # the next request has begun
                self._too_slow = self.loop.call_later(_REQUEST_WITHIN_S, self.transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            self._let_be()
            super().connection_lost(exc)

        def _let_be(self) -> None:
            if self._too_slow is not None:
                self._too_slow.cancel()
                self._too_slow = None

    return Protocol


def _tls(settings: ListenSettings) -> TlsServer | None:
    if not settings.certificate:
        return None
    return TlsServer(CertificateFiles(settings.certificate, settings.key, settings.client_ca))


async def _renew(tls: TlsServer | None) -> None:
    """New connections get the new certificate; those that are open keep theirs."""
    while tls is not None:
        await asyncio.sleep(_LOOK_AT_FILES_S)
        try:
            tls.reload()
        except SettingsError as error:
            log.error("listener-certificate-unusable", error=str(error))
