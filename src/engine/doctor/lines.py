"""The outside: each is reached by the very link that the engine uses, and nothing is sent or fetched."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import TYPE_CHECKING

from engine.doctor.examination import NETWORK_S, Check
from engine.domain.checkup import Checked, Subject
from engine.errors import SettingsError, SundhedsagentError, UnreachableError
from engine.settings import Settings

if TYPE_CHECKING:  # slow to import, and needed only where it is chosen
    from aiormq.abc import AbstractChannel

    from engine.links.amqp import Amqp

STS = Subject("sts", "STS")
BROKER = Subject("beskedfordeler", "Beskedfordeler")
VANS = Subject("vans", "VANS ud")
MAIL = Subject("mail", "Mail")
DRIFTSTATUS = Subject("driftstatus", "driftstatus")

_CLOSES_WITHIN_S = 2.0
_UNAUTHORIZED = (401, 403)
_SERVER_FAULT = 500
# What OpenSSL says of a server's certificate: X509_V_ERR_… in x509_vfy.h.
_NOT_YET, _EXPIRED, _WRONG_NAMES = 9, 10, (62, 64)
_FIREWALL = "Er adressen rigtig, og er der åbent i firewallen?"


def checks(settings: Settings) -> list[Check]:
    """One for each that the settings choose."""
    found = []
    if settings.beskedfordeler.via == "amqp":
        found += [
            Check(STS, lambda: _look_at_sts(settings), NETWORK_S),
            Check(BROKER, lambda: _look_at_broker(settings), NETWORK_S),
        ]
    if settings.vans.send_by == "https":
        found.append(Check(VANS, lambda: _look_at_vans(settings), NETWORK_S))
    if settings.mail.send_by == "smtp":
        found.append(Check(MAIL, lambda: _look_at_mail(settings), NETWORK_S))
    if settings.incident.driftstatus_api:
        found.append(Check(DRIFTSTATUS, lambda: _look_at_driftstatus(settings), NETWORK_S))
    return found


# --- Beskedfordeleren -------------------------------------------------------------------------------------------------


async def _look_at_sts(settings: Settings) -> list[Checked]:
    chosen = settings.beskedfordeler
    async with _amqp(settings) as amqp:
        try:
            for entity in _entities(settings):
                await amqp.tokens.token(chosen.cvr, entity)
        except SundhedsagentError as error:
            do = (
                f"{_FIREWALL} Kender STS vores certifikat, og har CVR {chosen.cvr} en serviceaftale "
                "med rettigheder til begge tjenester?"
            )
            return [STS.fault(_told(error), do)]
    return [STS.good(f"udsteder tokens for CVR {chosen.cvr}")]


async def _look_at_broker(settings: Settings) -> list[Checked]:
    """Logs on as the engine does, for sending and for fetching; the dueslag is looked at passively."""
    where = f"{settings.beskedfordeler.server}, port {settings.beskedfordeler.port}"
    async with _amqp(settings) as amqp:
        try:
            for entity in _entities(settings):
                waiting = await _log_on(settings, amqp, entity)
        except SundhedsagentError as error:
            do = f"{_FIREWALL} Er linjen om STS i orden, og kender Beskedfordeleren vores certifikat?"
            return [BROKER.fault(f"{where}: {_told(error)}", do)]
    return [BROKER.good(f"{where}: TLS og log-on{waiting}")]


async def _log_on(settings: Settings, amqp: "Amqp", entity: str) -> str:
    """What is seen of the dueslag, as the end of a sentence. LineError where the broker cannot be used."""
    from engine.links.amqp_line import Line, Place  # noqa: PLC0415
    from engine.links.certificates import CertificateFiles, TlsClient  # noqa: PLC0415

    chosen = settings.beskedfordeler
    tls = TlsClient(CertificateFiles(chosen.certificate, chosen.key, chosen.ca_file))
    place = Place(chosen.server, chosen.port, chosen.vhost, chosen.cvr, entity)
    line = Line(place, amqp.tokens, tls, _prepare_nothing)
    try:
        channel = await line.channel()
        return await _in_dueslag(channel, chosen.dueslag) if entity == chosen.entity_receive else ""
    finally:
        await _closed(line.close())


async def _prepare_nothing(_channel: "AbstractChannel") -> None:
    """No consumer: what lies in the dueslag stays there."""


async def _in_dueslag(channel: "AbstractChannel", dueslag: str) -> str:
    import aiormq  # noqa: PLC0415

    from engine.links.amqp_line import cut_is_an_error  # noqa: PLC0415

    try:
        with cut_is_an_error():
            declared = await channel.queue_declare(dueslag, passive=True)
    except aiormq.exceptions.ChannelNotFoundEntity as error:
        raise UnreachableError(f"dueslaget {dueslag} findes ikke") from error
    except aiormq.exceptions.ChannelAccessRefused:
        return "; dueslaget må vi ikke se på uden at hente fra det"
    except (aiormq.exceptions.AMQPError, OSError) as error:
        raise UnreachableError("Forbindelsen til Beskedfordeleren blev afbrudt") from error
    return f"; {declared.message_count} venter i dueslaget"


def _entities(settings: Settings) -> list[str]:
    """The services that we log on to; where kvitteringer are pushed to us, nothing is fetched."""
    chosen = settings.beskedfordeler
    return [chosen.entity_send] + ([chosen.entity_receive] if chosen.receive_by == "pull" else [])


@contextlib.asynccontextmanager
async def _amqp(settings: Settings) -> AsyncIterator["Amqp"]:
    from engine.links.amqp import Amqp  # noqa: PLC0415

    amqp = Amqp.of(settings)
    try:
        yield amqp
    finally:
        await _closed(amqp.close())


# --- VANS, mail, driftstatus ------------------------------------------------------------------------------------------


async def _look_at_vans(settings: Settings) -> list[Checked]:
    from engine.links.vans_https import HttpsVansOutbox  # noqa: PLC0415

    outbox, url = HttpsVansOutbox(settings.vans), settings.vans.url
    try:
        status = await outbox.reach()
    except SundhedsagentError as error:
        do = f"{_FIREWALL} Kender VANS-leverandøren vores certifikat eller token?"
        return [VANS.fault(f"{url}: {_told(error)}", do)]
    finally:
        await _closed(outbox.close())
    if status in _UNAUTHORIZED:
        do = "Spørg VANS-leverandøren, om vores certifikat eller token er kendt."
        return [VANS.advice(f"{url}: forbindelse, men svarer {status}", do)]
    if status >= _SERVER_FAULT:
        do = "Spørg VANS-leverandøren, om modtagelsen er i drift."
        return [VANS.advice(f"{url}: forbindelse, men svarer {status}", do)]
    return [VANS.good(f"{url}: forbindelsen kan oprettes")]


async def _look_at_mail(settings: Settings) -> list[Checked]:
    from engine.links.mail import SmtpMail  # noqa: PLC0415

    chosen = settings.mail
    link, where = SmtpMail(chosen), f"{chosen.server}, port {chosen.port}"
    try:
        await link.reach()
    except SundhedsagentError as error:
        do = f"{_FIREWALL} Passer mail.security, mail.user og adgangskoden til serveren?"
        return [MAIL.fault(f"{where}: {_told(error)}", do)]
    finally:
        await _closed(link.close())
    encrypted = "uden kryptering" if chosen.security == "none" else chosen.security.upper()
    return [MAIL.good(f"{where}: {encrypted}{' og log-on' if chosen.user else ''}")]


async def _look_at_driftstatus(settings: Settings) -> list[Checked]:
    from engine.links.driftstatus import HttpStatusPage  # noqa: PLC0415

    api = settings.incident.driftstatus_api
    result = await HttpStatusPage(settings.incident).reach()
    if result.error is not None:
        do = f"{_FIREWALL} Er incident.driftstatus_token rigtig? Imens oprettes meddelelser på hjemmesiden."
        return [DRIFTSTATUS.fault(f"{api}: {result.error}", do)]
    return [DRIFTSTATUS.good(f"{api}: svarer")]


# --- what went wrong --------------------------------------------------------------------------------------------------


async def _closed(closing: Awaitable[None]) -> None:
    """Nobody waits long for the other side to say goodbye."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSES_WITHIN_S):
            await closing


def _told(error: SundhedsagentError) -> str:
    """The link's own words, and what lies behind them where that is known."""
    said = str(error).rstrip(".")
    if isinstance(error, SettingsError):
        return said
    behind = next(filter(None, map(_reason, _causes(error))), None)
    return f"{said} ({behind})" if behind else said


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _reason(error: BaseException) -> str | None:
    match error:
        case ssl.SSLCertVerificationError():
            return _distrust(error.verify_code)
        case ssl.SSLWantReadError() | ssl.SSLWantWriteError():  # it was waited for, and that is all
            return None
        case ssl.SSLError() | ConnectionResetError() | BrokenPipeError():
            return "den anden side afbryder; måske godkender den ikke vores certifikat"
        case socket.gaierror():
            return "ingen maskine hedder sådan"
        case ConnectionRefusedError():
            return "ingen lytter på porten"
        case _:
            return None


def _distrust(code: int) -> str:
    if code == _EXPIRED:
        return "serverens certifikat er udløbet"
    if code == _NOT_YET:
        return "serverens certifikat gælder ikke endnu: er maskinens ur rigtigt?"
    if code in _WRONG_NAMES:
        return "serverens certifikat er til et andet navn"
    return "serverens certifikat er udstedt af en, vi ikke stoler på"
