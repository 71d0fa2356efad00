"""VANS on its way out by HTTPS: each envelope is POSTed to the VANS provider; a 2xx means that it has taken it over."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.errors import SettingsError, UnreachableError
from engine.links.certificates import CertificateFiles, TlsClient
from engine.links.pace import Pace
from engine.ports import OutgoingEnvelope, SendResult
from engine.settings import VansSettings

if TYPE_CHECKING:  # needed only where it is chosen, and slow to import
    import httpx


# Sooner than servers do it: what goes out on a connection that the other side is just closing is lost on the way.
_KEPT_S = 3.0
_WITHIN_S = 90.0
_LATE = "VANS svarer ikke inden for tiden"


class HttpsVansOutbox:
    """Several under way at once, each over a connection of its own that is kept.

    One client with many connections would look through all of them for every request: that was a third of the engine's
    time.
    """

    def __init__(self, settings: VansSettings, within_s: float = _WITHIN_S) -> None:
        self._settings = settings
        self._pace = Pace(settings.in_flight, within_s, _LATE)
        self._tls = TlsClient(CertificateFiles(settings.certificate, settings.key, settings.ca_file))
        self._clients: Sequence[httpx.AsyncClient] = ()
        self._clients_tls: object = None

    async def send(self, envelopes: Sequence[OutgoingEnvelope]) -> Sequence[SendResult]:
        try:
            free = list(await self._http())
        except SettingsError as error:
            return [SendResult(str(error))] * len(envelopes)

        async def send(envelope: OutgoingEnvelope) -> SendResult:
            client = free.pop()  # there are as many as may be under way
            try:
                return await self._send(client, envelope)
            finally:
                free.append(client)

        return await self._pace.each(envelopes, send)

    async def reach(self) -> int:
        """Connect as for an envelope, and bring none (HEAD): the status that is answered.

        UnreachableError where there is no answer, SettingsError where our certificate cannot be used.
        """
        import httpx  # noqa: PLC0415

        client, *_ = await self._http()
        try:
            return (await client.head(self._settings.url)).status_code
        except httpx.HTTPError as error:
            raise UnreachableError(_why(error)) from error

    async def close(self) -> None:
        clients, self._clients = self._clients, ()
        for client in clients:
            await client.aclose()

    async def _send(self, client: "httpx.AsyncClient", envelope: OutgoingEnvelope) -> SendResult:
        """TimeoutError where no answer comes."""
        import httpx  # noqa: PLC0415

        try:
            answer = await client.post(self._settings.url, content=envelope.data)
        except httpx.TimeoutException as error:
            raise TimeoutError from error
        except httpx.HTTPError as error:
            return SendResult(_why(error))
        return SendResult() if answer.is_success else SendResult(f"VANS svarer {answer.status_code}")

    async def _http(self) -> "Sequence[httpx.AsyncClient]":
        """New ones where the certificate is another: what goes out presents the one that is there now."""
        import httpx  # noqa: PLC0415

        tls = self._tls.context()
        if not self._clients or tls is not self._clients_tls:
            await self.close()
            chosen = self._settings
            headers = {"Content-Type": "application/xml; charset=utf-8"}
            if chosen.token:
                headers["Authorization"] = f"Bearer {chosen.token}"
            limits = httpx.Limits(max_connections=1, keepalive_expiry=_KEPT_S)
            timeout = chosen.timeout.total_seconds()
            self._clients = [
                httpx.AsyncClient(verify=tls, headers=headers, timeout=timeout, limits=limits)
                for _ in range(chosen.in_flight)
            ]
            self._clients_tls = tls
        return self._clients


def _why(error: "httpx.HTTPError") -> str:
    import httpx  # noqa: PLC0415

    is_late = isinstance(error, httpx.TimeoutException)
    return _LATE if is_late else "Der er ingen forbindelse til VANS"
