"""Mail on its way out: as .eml files in the home's mail/ folder, or to an SMTP server."""

import asyncio
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.domain.registration import LIKE_CPR
from engine.errors import UnreachableError
from engine.home import Home
from engine.links.folders import write_durably
from engine.ports import MailOutbox, OutgoingMail, SendResult
from engine.settings import MailSettings, Settings

if TYPE_CHECKING:  # needed only where mails go by SMTP, and slow to import
    import aiosmtplib

_LONGEST_REPLY = 120
_REFUSED = 500  # replies from here on are permanent (RFC 5321, 4.2.1)


def mail_outbox(home: Home, settings: Settings) -> MailOutbox:
    """The way that the settings choose."""
    if settings.mail.send_by == "smtp":
        return SmtpMail(settings.mail)
    return FolderMail(home.mail, settings.mail.sender)


def mail_bytes(mail: OutgoingMail, sender: str) -> bytes:
    """The message as it goes over the wire: the same bytes on every attempt."""
    message = EmailMessage(policy=SMTP)
    message["Message-ID"] = f"<{mail.message_id}>"
    message["Date"] = format_datetime(mail.ordered_at)
    message["From"] = f"Sundhedsagenten <{sender}>"
    message["To"] = mail.address
    message["Subject"] = mail.subject
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies, please
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    message.set_boundary(f"={mail.message_id.partition('@')[0]}=")
    return message.as_bytes()


class FolderMail:
    """Writes each mail as <message id>.eml."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, mails: Sequence[OutgoingMail]) -> Sequence[SendResult]:
        files = [
            (self._folder / f"{mail.message_id.partition('@')[0]}.eml", mail_bytes(mail, self._sender))
            for mail in mails
        ]
        return [SendResult(error) for error in await asyncio.to_thread(write_durably, files)]

    async def close(self) -> None:
        pass


class SmtpMail:
    """Hands each mail to one SMTP server, over a connection that is kept between mails."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._client: aiosmtplib.SMTP | None = None

    async def send(self, mails: Sequence[OutgoingMail]) -> Sequence[SendResult]:
        return [await self._send(mail) for mail in mails]

    async def reach(self) -> None:
        """Connect and log on as for a mail, and send none. UnreachableError where that cannot be done."""
        import aiosmtplib  # noqa: PLC0415

        try:
            await (await self._connected()).noop()
        except aiosmtplib.SMTPResponseException as error:
            raise UnreachableError(_refusal(error.code, error.message)) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise UnreachableError(_why(error)) from error

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _send(self, mail: OutgoingMail) -> SendResult:
        """Never raises. What the server refuses for good is the recipient or the mail; all else may pass."""
        import aiosmtplib  # noqa: PLC0415

        try:
            client = await self._connected()
            data = mail_bytes(mail, self._settings.sender)
            await client.sendmail(self._settings.sender, [mail.address], data)
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            await self._forget_transaction()
            return _answered("Modtageren afvises", refused.code, refused.message)
        except aiosmtplib.SMTPDataError as error:
            await self._forget_transaction()
            return _answered("Mailen afvises", error.code, error.message)
        except aiosmtplib.SMTPResponseException as error:
            # Log-on, sender or the server itself: another mail would meet the same, and a person can mend it.
            await self.close()
            return SendResult(_refusal(error.code, error.message))
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            await self.close()
            return SendResult(_why(error))
        return SendResult()

    async def _connected(self) -> "aiosmtplib.SMTP":
        import aiosmtplib  # noqa: PLC0415

        settings = self._settings
        if self._client is not None:
            if await _is_alive(self._client):
                return self._client
            await self.close()
        client = aiosmtplib.SMTP(
            hostname=settings.server,
            port=settings.port,
            timeout=settings.timeout.total_seconds(),
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=None if settings.security == "none" else await asyncio.to_thread(self._trusted),
            username=settings.user or None,
            password=settings.password or None,
        )
        try:
            await client.connect()
        except BaseException:
            client.close()
            raise
        self._client = client
        return client

    def _trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._settings.ca_file or None)

    async def _forget_transaction(self) -> None:
        """The next mail begins anew on the same connection."""
        import aiosmtplib  # noqa: PLC0415

        try:
            if self._client is not None:
                await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            await self.close()


async def _is_alive(client: "aiosmtplib.SMTP") -> bool:
    """A server that has closed a connection for want of work says so only when it is asked."""
    import aiosmtplib  # noqa: PLC0415

    try:
        return client.is_connected and (await client.noop()).code < _REFUSED
    except (aiosmtplib.SMTPException, OSError):
        return False


def _refusal(code: int, message: str) -> str:
    return f"Mailserveren afviser os: {_quoted(code, message)}"


def _answered(what: str, code: int, message: str) -> SendResult:
    return SendResult(f"{what}: {_quoted(code, message)}", final=code >= _REFUSED)


def _quoted(code: int, message: str) -> str:
    """The server's own words, as far as they may be shown: they are a stranger's, and could quote anything."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in message).split())
    if LIKE_CPR.search(plain):
        plain = ""
    return f"{code} {plain}"[:_LONGEST_REPLY].rstrip()


def _why(error: Exception) -> str:
    import aiosmtplib  # noqa: PLC0415

    match error:
        case ssl.SSLCertVerificationError():
            return "Mailserverens certifikat kan ikke godkendes"
        case aiosmtplib.SMTPTimeoutError() | TimeoutError():
            return "Mailserveren svarer ikke inden for tiden"
        case aiosmtplib.SMTPConnectError() if isinstance(error.__cause__, ssl.SSLError):
            return "Mailserverens certifikat kan ikke godkendes"
        case aiosmtplib.SMTPServerDisconnected():
            return "Mailserveren afbrød forbindelsen"
        case aiosmtplib.SMTPConnectError() | OSError():
            return "Der er ingen forbindelse til mailserveren"
        case _:
            return f"Mailserveren kan ikke bruges ({type(error).__name__})"
