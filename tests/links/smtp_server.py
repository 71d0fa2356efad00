"""A real SMTP server in the test's own process, with the moods that servers have."""

import asyncio
import datetime as dt
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from engine.settings import MailSettings
from tests.servers.ports import free_port

USER, PASSWORD = "sundhedsagent", "hemmeligt"


@dataclass
class Letterbox:
    """What came in, and how the server answers. `on_data` is called with the number of the mail, from 1; `on_taken` is
    awaited between its coming in and the answer.
    """

    mails: list[bytes] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)  # address → reply at RCPT
    on_data: Callable[[int], str | None] = lambda _: None
    on_taken: Callable[[int], Awaitable[None]] | None = None
    hangs: bool = False
    connections: int = 0
    data_begun: int = 0

    @property
    def messages(self) -> list[Message]:
        return [message_from_bytes(data, policy=default) for data in self.mails]

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _: Any) -> str:  # noqa: N802
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.data_begun += 1
        number = self.data_begun
        if self.hangs:
            await asyncio.sleep(60)
        answer = self.on_data(number)
        if answer == "hang up":
            server.transport.abort()
            return "250 never heard"
        if answer is not None:
            return answer
        self.mails.append(envelope.content)
        self.addresses += envelope.rcpt_tos
        if self.on_taken is not None:
            await self.on_taken(number)
        return "250 OK"


class _Counting(Controller):
    def factory(self) -> SMTP:
        self.handler.connections += 1
        return super().factory()


def _logs_on(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    return AuthResult(success=right, handled=right)  # unhandled: the server itself answers 535


@contextmanager
def smtp_server(box: Letterbox, *, port: int = 0, **options: Any) -> Iterator[MailSettings]:
    """A server on a port of its own; the settings that reach it."""
    controller = _Counting(box, hostname="127.0.0.1", port=port or free_port(), **options)
    controller.start()
    box.connections = 0  # the controller tries its own server once
    try:
        yield MailSettings(
            server="127.0.0.1",
            port=controller.port,
            security="none",
            sender="agent@s.example",
            send_by="smtp",
        )
    finally:
        controller.stop(no_assert=True)


def with_logon() -> dict[str, Any]:
    return {"authenticator": _logs_on, "auth_required": True, "auth_require_tls": False}


def a_certificate(folder: Path, name: str = "127.0.0.1") -> tuple[Path, ssl.SSLContext]:
    """A certificate that is its own authority: its file, and what the server needs."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "server.pem", folder / "server.key"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return public, context
