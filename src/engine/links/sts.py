"""Tokens from the STS (Adgangsstyring): a SAML assertion for one kommune and one service, by its REST interface.

KOMBIT: POST with our certificate, AnvenderKontekst with the kommune's CVR, AppliesTo with the service's EntityID. A
token lasts for some hours; it is used again until shortly before its end.
"""

import asyncio
import base64
import binascii
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engine.errors import SettingsError, SundhedsagentError
from engine.links.certificates import CertificateFiles, TlsClient, der_of

_TIMEOUT_S = 10.0
_TOKEN_TYPE = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0"  # noqa: S105 - a type's name
_ISSUE = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue"
_PUBLIC_KEY = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/PublicKey"
_TIMES = "%m/%d/%Y %H:%M:%S"  # Lifetime, in UTC
# Where the STS says nothing of how long a token lasts.
_SHORT_LIFE_S = 300.0
# After a refusal it is not asked again at once for every besked that waits.
_PAUSE_S = 2.0
# It goes into a header of every besked, and RabbitMQ ends the connection on a frame of over 128 kB.
_LONGEST_ASSERTION = 64 * 1024


class TokenError(SundhedsagentError):
    """No token can be had now; the text is Danish and for the hotline."""


@dataclass(frozen=True, slots=True)
class Token:
    assertion: str  # the SAML assertion's XML
    good_until: float  # by time.monotonic()


@dataclass(slots=True)
class _Refused:
    why: str
    until: float


class TokenSource:
    """Tokens by (CVR, EntityID), kept until shortly before their end. Who want the same one wait for one request."""

    def __init__(self, url: str, files: CertificateFiles, renew_before_s: float) -> None:
        self._url = url
        self._files = files
        self._tls = TlsClient(files)
        self._renew_before_s = renew_before_s
        self._tokens: dict[tuple[str, str], Token] = {}
        self._refused: dict[tuple[str, str], _Refused] = {}
        self._asking: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def token(self, cvr: str, entity_id: str) -> str:
        """A valid assertion. TokenError where none can be had."""
        key = (cvr, entity_id)
        async with self._asking[key]:
            now = time.monotonic()
            known, refused = self._tokens.get(key), self._refused.get(key)
            if known is not None and now < known.good_until:
                return known.assertion
            if refused is not None and now < refused.until:
                raise TokenError(refused.why)
            try:
                token = await self._issue(cvr, entity_id)
            except TokenError as error:
                self._refused[key] = _Refused(str(error), time.monotonic() + _PAUSE_S)
                raise
            self._tokens[key] = token
            return token.assertion

    def forget(self, cvr: str, entity_id: str, assertion: str) -> None:
        """The service says that this one has expired (StatusKode 41): the next is a new one."""
        known = self._tokens.get((cvr, entity_id))
        if known is not None and known.assertion == assertion:
            del self._tokens[cvr, entity_id]

    async def _issue(self, cvr: str, entity_id: str) -> Token:
        import httpx  # noqa: PLC0415

        try:
            content = request_body(cvr, entity_id, der_of(self._files.certificate))
            # A client of its own: it is asked some times a day, and by then the certificate may be another one.
            async with httpx.AsyncClient(verify=self._tls.context(), timeout=_TIMEOUT_S) as client:
                answer = await client.post(self._url, json=content)
            answer.raise_for_status()
            return read_token(answer.json(), self._renew_before_s)
        except httpx.HTTPStatusError as error:
            raise TokenError(f"STS afviser at udstede et token ({error.response.status_code})") from error
        except httpx.TimeoutException as error:
            raise TokenError("STS svarer ikke inden for tiden") from error
        except httpx.HTTPError as error:
            raise TokenError("Der er ingen forbindelse til STS") from error
        except (ValueError, KeyError, TypeError) as error:
            raise TokenError("STS svarer noget, der ikke kan læses") from error
        except SettingsError as error:
            raise TokenError(str(error)) from error


def request_body(cvr: str, entity_id: str, certificate: bytes) -> dict[str, Any]:
    """What the STS is asked (KOMBIT's REST form of WS-Trust); `certificate` is ours, as DER."""
    return {
        "TokenType": _TOKEN_TYPE,
        "RequestType": _ISSUE,
        "KeyType": _PUBLIC_KEY,
        "AnvenderKontekst": {"Cvr": cvr},
        "UseKey": base64.b64encode(certificate).decode(),
        "AppliesTo": {"EndpointReference": {"Address": entity_id}},
        "OnBehalfOf": None,
    }


def read_token(
    answer: dict[str, Any],
    renew_before_s: float,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Token:
    """The assertion of the STS's answer. Raises ValueError, KeyError or TypeError where it cannot be read.

    How long it is good for is told by its own two times, so that a clock that differs from the STS's does no harm.
    """
    try:
        assertion = base64.b64decode(answer["RequestedSecurityToken"]["Assertion"], validate=True).decode()
    except binascii.Error as error:
        raise ValueError("assertion") from error
    if len(assertion) > _LONGEST_ASSERTION:
        raise ValueError("assertion")
    lasts_s = _lasts_s(answer.get("Lifetime") or {}, now)
    # A token that is shorter than the margin is used for half of its life.
    margin_s = min(renew_before_s, lasts_s / 2)
    return Token(assertion, time.monotonic() + max(0.0, lasts_s - margin_s))


def _lasts_s(lifetime: dict[str, Any], now: Callable[[], datetime]) -> float:
    """A short life where it cannot be read: a token is worth more than its date."""
    try:
        expires = datetime.strptime(lifetime["Expires"], _TIMES).replace(tzinfo=UTC)
        created = lifetime.get("Created")
        began = datetime.strptime(created, _TIMES).replace(tzinfo=UTC) if created else now()
    except (KeyError, TypeError, ValueError):
        return _SHORT_LIFE_S
    return (expires - began).total_seconds()
