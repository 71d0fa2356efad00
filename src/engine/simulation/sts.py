"""An STS in software: issues short-lived assertions to whoever comes with a certificate, and knows its own again.

What it issues is a SAML assertion in its outer form alone: CVR, audience and end, sealed with a key.
"""

import base64
import hashlib
import hmac
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.routing import Route

PATH = "/runtime/api/rest/wstrust/v1/issue"
_TIMES = "%m/%d/%Y %H:%M:%S"
_ASSERTION = re.compile(
    r'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2\.0:assertion" ID="(?P<id>[0-9a-f]+)">'
    r'<saml:Conditions NotOnOrAfter="(?P<end>[^"]+)"><saml:Audience>(?P<audience>[^<]+)</saml:Audience>'
    r"</saml:Conditions><saml:CvrNumberIdentifier>(?P<cvr>\d{8})</saml:CvrNumberIdentifier>"
    r"<ds:SignatureValue>(?P<seal>[0-9a-f]+)</ds:SignatureValue></saml:Assertion>"
)


@dataclass(frozen=True, slots=True)
class Claims:
    """What an assertion says."""

    cvr: str
    audience: str
    expires_at: datetime


@dataclass
class Sts:
    """Issues and knows assertions. `issued` counts them by (CVR, EntityID); `refuses` are CVRs that get none; the `key`
    is how it knows its own again.
    """

    lasts: timedelta = timedelta(hours=1)
    refuses: set[str] = field(default_factory=set)
    issued: Counter[tuple[str, str]] = field(default_factory=Counter)
    key: bytes = field(default_factory=lambda: os.urandom(32))

    def issue(self, cvr: str, entity_id: str) -> tuple[str, datetime, datetime]:
        """An assertion, and from when until when it is good."""
        now = datetime.now(UTC)
        end = now + self.lasts
        self.issued[cvr, entity_id] += 1
        head = (
            '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
            f' ID="{os.urandom(8).hex()}"><saml:Conditions NotOnOrAfter="{end.isoformat()}">'
            f"<saml:Audience>{entity_id}</saml:Audience></saml:Conditions>"
            f"<saml:CvrNumberIdentifier>{cvr}</saml:CvrNumberIdentifier>"
        )
        seal = f"<ds:SignatureValue>{self._seal(head)}</ds:SignatureValue></saml:Assertion>"
        return head + seal, now, end

    def read(self, assertion: str) -> Claims | None:
        """What one of our own says; None for anything else."""
        found = _ASSERTION.fullmatch(assertion)
        if found is None or not hmac.compare_digest(
            found["seal"], self._seal(assertion.partition("<ds:SignatureValue>")[0])
        ):
            return None
        return Claims(found["cvr"], found["audience"], datetime.fromisoformat(found["end"]))

    def answer(self, request: Any) -> dict[str, Any] | None:
        """The JSON answer to a request; None where it is refused."""
        try:
            cvr, entity_id = (
                request["AnvenderKontekst"]["Cvr"],
                request["AppliesTo"]["EndpointReference"]["Address"],
            )
            base64.b64decode(request["UseKey"], validate=True)
        except (KeyError, TypeError, ValueError):
            return None
        if not re.fullmatch(r"\d{8}", cvr) or cvr in self.refuses:
            return None
        assertion, created, expires = self.issue(cvr, entity_id)
        return {
            "RequestedSecurityToken": {"Assertion": base64.b64encode(assertion.encode()).decode()},
            "Lifetime": {"Created": created.strftime(_TIMES), "Expires": expires.strftime(_TIMES)},
        }

    def application(self) -> "Starlette":
        """The REST interface alone; its server asks for a client certificate."""
        from starlette.applications import Starlette  # noqa: PLC0415

        return Starlette(routes=[self.route()])

    def route(self) -> "Route":
        from starlette.requests import Request  # noqa: PLC0415
        from starlette.responses import JSONResponse  # noqa: PLC0415
        from starlette.routing import Route  # noqa: PLC0415

        async def issue(request: Request) -> JSONResponse:
            answer = self.answer(await request.json())
            return JSONResponse(answer) if answer else JSONResponse({"error": "refused"}, 403)

        return Route(PATH, issue, methods=["POST"])

    def _seal(self, text: str) -> str:
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
