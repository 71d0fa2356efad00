"""The status page by HTTP, in the words of Atlassian Statuspage's API (developer.statuspage.io, incidents).

No public interface of driftstatus.kombit.dk is known; this one is used only where `incident.driftstatus_api` names one.
The API has no key that makes a repeated call harmless, so what a crash may repeat is looked for first: an incident by
the key in its metadata, an update by its status and text.
"""

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from engine.ports import SendResult, StatusUpdate
from engine.settings import IncidentSettings

if TYPE_CHECKING:  # needed only where an API is used, and slow to import
    import httpx

_TIMEOUT_S = 15.0
_NAMESPACE = "sundhedsagenten"
_REFUSED = 400
_MAY_PASS = {408, 420, 425, 429}  # 420 is Statuspage's own "too many requests"
_SERVER_FAULT = 500


class HttpStatusPage:
    """Makes incidents on the page and updates them, one call at a time."""

    def __init__(self, settings: IncidentSettings) -> None:
        self._api = settings.driftstatus_api.rstrip("/")
        self._token = settings.driftstatus_token

    async def post(self, updates: Sequence[StatusUpdate]) -> Sequence[SendResult]:
        async with self._client() as client:
            return [await _result(self._post(client, each)) for each in updates]

    async def reach(self) -> SendResult:
        """Ask for the incidents, as before one is made, and make none."""
        async with self._client() as client:
            return await _result(self._open(client))

    def _client(self) -> "httpx.AsyncClient":
        import httpx  # noqa: PLC0415

        headers = {"Authorization": f"OAuth {self._token}"} if self._token else {}
        return httpx.AsyncClient(headers=headers, timeout=_TIMEOUT_S)

    async def _post(self, client: "httpx.AsyncClient", item: StatusUpdate) -> str:
        if item.external_id is None:
            return await self._create(client, item)
        await self._update(client, item, item.external_id)
        return item.external_id

    async def _open(self, client: "httpx.AsyncClient") -> None:
        await _call(client, "GET", f"{self._api}/incidents/unresolved")

    async def _create(self, client: "httpx.AsyncClient", item: StatusUpdate) -> str:
        for known in await _call(client, "GET", f"{self._api}/incidents/unresolved"):
            if (known.get("metadata") or {}).get(_NAMESPACE, {}).get("key") == item.key:
                return str(known["id"])
        made = await _call(
            client,
            "POST",
            f"{self._api}/incidents",
            {
                "name": item.title,
                "status": item.phase,
                "body": item.text,
                "metadata": {_NAMESPACE: {"key": item.key}},
            },
        )
        return str(made["id"])

    async def _update(self, client: "httpx.AsyncClient", item: StatusUpdate, external_id: str) -> None:
        url = f"{self._api}/incidents/{external_id}"
        known = await _call(client, "GET", url)
        if any(
            (each.get("status"), each.get("body")) == (item.phase, item.text)
            for each in known["incident_updates"]
        ):
            return
        await _call(client, "PATCH", url, {"status": item.phase, "body": item.text})


async def _result(call: Awaitable[str | None]) -> SendResult:
    """What became of a call, which gives the incident's id where there is one. Never raises."""
    import httpx  # noqa: PLC0415

    try:
        return SendResult(external_id=await call)
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        is_final = _REFUSED <= code < _SERVER_FAULT and code not in _MAY_PASS
        return SendResult(f"driftstatus svarer {code}", final=is_final)
    except httpx.TimeoutException:
        return SendResult("driftstatus svarer ikke inden for tiden")
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        return SendResult("incident.driftstatus_api er ikke en adresse på HTTP", final=True)
    except httpx.HTTPError:
        return SendResult("Der er ingen forbindelse til driftstatus")
    except (ValueError, KeyError, TypeError, AttributeError):
        return SendResult("driftstatus svarer noget, der ikke kan læses")


async def _call(client: "httpx.AsyncClient", method: str, url: str, incident: Any = None) -> Any:
    content = None if incident is None else {"incident": incident}
    response = await client.request(method, url, json=content)
    response.raise_for_status()
    return response.json()
