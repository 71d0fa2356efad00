"""Who is let in: our own page alone, at an address that we know.

The server listens on this machine only, but every browser on it can be made to ask: by a page of another site, or by a
name that is pointed at 127.0.0.1. The login is the proxy's, and is not known here.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

HERE = "127.0.0.1"
_LOOPBACK = {HERE, "localhost", "::1"}
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST_LOGGED = 200

_STRANGE_HOST = (
    "Konsollen vises ikke på denne adresse. Driften angiver den rigtige:\n"
    "sundhedsagent web --public-url https://…\n"
)
_STRANGE_ORIGIN = "Kun konsollens egen side kan åbne den.\n"
_WORDS = {404: "Her er intet. En fil kan kun hentes én gang: gem den igen i konsollen.\n"}
_TROUBLE = "Det gik ikke. Prøv igen.\n"

_HEADERS = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Styles: the terminal writes its own. Nothing is fetched from anywhere else, and no other page frames this one.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src data:; "
        "connect-src 'self' {lines}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Front:
    """Where the console is met: at this machine's own port, and at the proxy's `origin` where there is one."""

    origin: str | None = None

    def knows(self, host: str) -> bool:
        """Whether a Host header names us. The port may be a tunnel's, so the name alone counts."""
        name = _name_in(f"//{host}")
        return name is not None and (name in _LOOPBACK or name == self._public_name)

    def is_own(self, origin: str, host: str) -> bool:
        """Whether a page of that origin is ours: the proxy's address, or the very one that is asked."""
        if origin == self.origin:
            return True
        return origin == f"http://{host}" and _name_in(origin) in _LOOPBACK

    def lines(self, host: str) -> str:
        """The websockets that our page may open. Not every browser counts them to the page's own address."""
        proxy = f" {self.origin.replace('http', 'ws', 1)}" if self.origin else ""
        return f"ws://{host} wss://{host}{proxy}"

    @property
    def _public_name(self) -> str | None:
        return None if self.origin is None else _name_in(self.origin)


def origin_of(address: str) -> str:
    """The origin of the address that people type, as browsers write it. ValueError, Danish, where it cannot be one."""
    fault = f"skal være som https://drift.example, uden sti, men er {address!r}."
    try:
        parts = urlsplit(address.strip())
        name, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError as error:
        raise ValueError(fault) from error
    is_secret = parts.scheme == "https" or (parts.scheme == "http" and name in _LOOPBACK)
    is_plain = parts.path in {"", "/"} and not (parts.query or parts.fragment or "@" in parts.netloc)
    if not (name and is_secret and is_plain):
        raise ValueError(fault)
    shown = f"[{name}]" if ":" in name else name
    other = "" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}"
    return f"{parts.scheme}://{shown}{other}"


def guard(front: Front) -> Middleware:
    """Turn strangers away before anything is done, and say in Danish what went wrong."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if not front.knows(request.host):
            return _refused(request, _STRANGE_HOST)
        # A browser names the page that opens a websocket; who does not is no browser, or hides it.
        if origin is None and request.path == "/ws":
            return _refused(request, _STRANGE_ORIGIN)
        if origin is not None and not front.is_own(origin, request.host):
            return _refused(request, _STRANGE_ORIGIN)
        try:
            return await handler(request)
        except web.HTTPClientError as error:
            return web.Response(status=error.status, text=_WORDS.get(error.status, _TROUBLE))

    return guarded


def headers_for(front: Front) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """What every answer tells the browser: fetch from here alone."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in _HEADERS.items():
            response.headers[name] = value.replace("{lines}", front.lines(request.host))

    return add


def _refused(request: web.Request, why: str) -> web.Response:
    log.warning(
        "web_refused",
        host=request.host[:_MOST_LOGGED],
        origin=(request.headers.get("Origin") or "")[:_MOST_LOGGED],
    )
    return web.Response(status=403, text=why)


def _name_in(address: str) -> str | None:
    """The name of the machine, without port; None where it cannot be read."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
