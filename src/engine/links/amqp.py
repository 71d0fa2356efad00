"""The Beskedfordeler over AMQP 0-9-1: BeskedAfsend for adviser, BeskedHent for kvitteringer (KOMBIT SF1462 and SF1461).

A besked is published with confirm, mandatory, and a token in its header; the StandardRetur comes by direct reply-to. A
dueslag is a queue named by its UUID; what is fetched is confirmed after the commit.
"""

import asyncio
import contextlib
import hashlib
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Final, TypeVar
from uuid import uuid4

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from engine.domain.registration import LIKE_CPR
from engine.errors import WireError
from engine.links.amqp_line import CUT, Line, LineError, Place, cut_is_an_error
from engine.links.certificates import CertificateFiles, TlsClient
from engine.links.pace import Pace
from engine.links.sts import TokenError, TokenSource
from engine.ports import Delivery, Finished, OutgoingBesked, SendResult
from engine.settings import Settings
from engine.wire import standard_retur

EXCHANGE: Final = "AFSEND_BESKED_EXCHANGE"
_REPLY_TO: Final = "amq.rabbitmq.reply-to"
_CONFIRM_S = 20.0
_PERSISTENT = 2
_LONGEST_TEXT = 120
# After a kvittering was confirmed the Beskedfordeler sends the next: it is on its way already.
_NEXT_IS_COMING_S = 0.05
_MOST_REMEMBERED = 10_000

V = TypeVar("V")


class _Late:
    """Answers that come when nobody waits for them any more. A besked that was accepted so need not be sent again: a
    Beskedfordeler that always answers too late would be sent the same one for ever, and hand it on each time.
    """

    def __init__(self) -> None:
        self._given_up: dict[str, str] = {}  # correlation id → TransaktionsId
        self._accepted: dict[str, None] = {}  # TransaktionsId

    def give_up(self, correlation_id: str, transaction_id: str) -> None:
        _remember(self._given_up, correlation_id, transaction_id)

    def came(self, correlation_id: str, body: bytes) -> None:
        transaction_id = self._given_up.pop(correlation_id, None)
        with contextlib.suppress(WireError):
            if transaction_id is not None and standard_retur.read(body).status == standard_retur.ACCEPTED:
                _remember(self._accepted, transaction_id, None)

    def has_accepted(self, transaction_id: str) -> bool:
        return transaction_id in self._accepted


def _remember(known: dict[str, V], key: str, value: V) -> None:
    known[key] = value
    if len(known) > _MOST_REMEMBERED:
        del known[next(iter(known))]


class AmqpBeskedfordeler:
    """Sends beskeder, many in flight at once, each with the token of its kommune."""

    def __init__(
        self,
        place: Place,
        tokens: TokenSource,
        tls: TlsClient,
        *,
        reply_timeout_s: float,
        in_flight: int,
        within_s: float,
    ) -> None:
        self._place = place
        self._tokens = tokens
        self._reply_timeout_s = reply_timeout_s
        self._pace = Pace(in_flight, within_s, "Intet svar fra Beskedfordeleren inden for tiden")
        self._line = Line(place, tokens, tls, self._prepare)
        self._replies: dict[str, asyncio.Future[standard_retur.StandardRetur]] = {}
        self._late = _Late()

    async def publish(self, beskeder: Sequence[OutgoingBesked]) -> Sequence[SendResult]:
        return await self._pace.each(beskeder, self._publish)

    async def close(self) -> None:
        await self._line.close()

    async def _publish(self, besked: OutgoingBesked) -> SendResult:
        """TimeoutError where no answer comes. A token that has expired is renewed, and the besked sent once more."""
        if self._late.has_accepted(besked.transaction_id):
            return SendResult(tried=False)  # nothing was heard from the other side just now
        try:
            answer = await self._send(besked)
            if answer.status == standard_retur.TOKEN_EXPIRED:
                answer = await self._send(besked)
        except TimeoutError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the library makes of a broken connection
            return SendResult(_unanswered(error))
        if answer.status == standard_retur.ACCEPTED:
            return SendResult()
        return SendResult(f"StatusKode {answer.status}{_said(answer.text)}")

    async def _send(self, besked: OutgoingBesked) -> standard_retur.StandardRetur:
        """Publish once and wait for the StandardRetur; forgets a token that it calls expired."""
        place, channel = self._place, await self._line.channel()
        assertion = await self._tokens.token(besked.kommune_cvr, place.entity_id)
        async with self._reply_to(channel, besked.transaction_id) as (correlation_id, reply):
            properties = Basic.Properties(
                content_type="application/xml",
                content_encoding="UTF-8",
                delivery_mode=_PERSISTENT,
                correlation_id=correlation_id,
                message_id=besked.transaction_id,
                reply_to=_REPLY_TO,
                headers={"token": assertion},
            )
            with cut_is_an_error():
                await self._unblocked(channel)
                await channel.basic_publish(
                    besked.data, exchange=EXCHANGE, properties=properties, mandatory=True, timeout=_CONFIRM_S
                )
                async with asyncio.timeout(self._reply_timeout_s):
                    answer = await reply
        self._line.proved()
        if answer.status == standard_retur.TOKEN_EXPIRED:
            self._tokens.forget(besked.kommune_cvr, place.entity_id, assertion)
        return answer

    async def _unblocked(self, channel: AbstractChannel) -> None:
        """A broker that is short of memory reads no more: what is sent to it then would come many times after it."""
        try:
            async with asyncio.timeout(self._reply_timeout_s):
                await channel.connection.ready()
        except TimeoutError as error:
            raise LineError("Beskedfordeleren tager ikke imod lige nu") from error

    @contextlib.asynccontextmanager
    async def _reply_to(
        self, channel: AbstractChannel, transaction_id: str
    ) -> AsyncIterator[tuple[str, "asyncio.Future[standard_retur.StandardRetur]"]]:
        """A new correlation id, and the answer that will come for it; it fails when the channel does."""
        correlation_id = str(uuid4())
        reply: asyncio.Future[standard_retur.StandardRetur] = asyncio.get_running_loop().create_future()
        self._replies[correlation_id] = reply

        def cut(_closing: object) -> None:
            if not reply.done():
                reply.set_exception(ConnectionResetError("the channel was closed"))

        closing = channel.closing
        closing.add_done_callback(cut)
        try:
            yield correlation_id, reply
        finally:
            closing.remove_done_callback(cut)
            closing.cancel()  # an observer of our own: the channel would keep one for every besked
            del self._replies[correlation_id]
            reply.cancel()
            if reply.cancelled():
                self._late.give_up(correlation_id, transaction_id)

    async def _prepare(self, channel: AbstractChannel) -> None:
        await channel.basic_consume(_REPLY_TO, self._replied, no_ack=True)

    async def _replied(self, message: DeliveredMessage) -> None:
        correlation_id = message.header.properties.correlation_id or ""
        reply = self._replies.get(correlation_id)
        if reply is None or reply.done():
            self._late.came(correlation_id, message.body)
            return
        try:
            reply.set_result(standard_retur.read(message.body))
        except WireError:
            reply.set_result(standard_retur.StandardRetur(0, "svaret kan ikke læses"))


@dataclass(slots=True)
class _Held:
    """A message that the Beskedfordeler has handed over and that is not confirmed yet."""

    delivery: Delivery
    channel: AbstractChannel
    tag: int
    came_at: datetime


class AmqpInbox:
    """Fetches from one dueslag. The Beskedfordeler hands over the next message when one is confirmed (prefetch)."""

    def __init__(
        self,
        place: Place,
        tokens: TokenSource,
        tls: TlsClient,
        *,
        dueslag: str,
        prefetch: int,
        max_bytes: int,
    ) -> None:
        self._dueslag = dueslag
        self._prefetch = prefetch
        self._max_bytes = max_bytes
        self._line = Line(place, tokens, tls, self._prepare)
        self._waiting: deque[_Held] = deque()
        self._in_hand: dict[str, list[_Held]] = {}  # by key
        self._arrived = asyncio.Event()
        self._finished_at = 0.0

    async def take(self, limit: int) -> Sequence[Delivery]:
        """Nothing where the Beskedfordeler cannot be reached: `oldest` tells that."""
        try:
            await self._line.channel()
        except LineError:
            return ()
        if not self._waiting and time.monotonic() - self._finished_at < _NEXT_IS_COMING_S:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_NEXT_IS_COMING_S):
                    await self._arrived.wait()
        taken: list[Delivery] = []
        while self._waiting and len(taken) < limit:
            held = self._waiting.popleft()
            if held.channel.is_closed:
                continue  # the Beskedfordeler hands it over again
            same = self._in_hand.setdefault(held.delivery.key, [])
            same.append(held)
            if len(same) == 1:  # one that the Beskedfordeler has delivered twice is one delivery
                taken.append(held.delivery)
        return taken

    async def finish(self, finished: Sequence[Finished]) -> None:
        """Confirm. One whose channel is closed comes again, under the same key, and is only confirmed then."""
        for item in finished:
            for held in self._in_hand.pop(item.delivery.key, ()):
                if not held.channel.is_closed:
                    await _confirm(held)
        self._finished_at = time.monotonic()

    async def give_back(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in reversed(deliveries):
            self._waiting.extendleft(reversed(self._in_hand.pop(delivery.key, ())))

    async def oldest(self) -> datetime | None:
        """Of what has been handed over. LineError where the Beskedfordeler cannot be reached."""
        if self._line.trouble is not None:
            raise self._line.trouble
        held = chain(self._waiting, *self._in_hand.values())
        return min((each.came_at for each in held), default=None)

    async def close(self) -> None:
        await self._line.close()

    async def _prepare(self, channel: AbstractChannel) -> None:
        self._waiting.clear()  # what an earlier channel handed over comes again
        channel.on_consumer_cancel_callbacks.add(self._cancelled)
        await channel.basic_qos(prefetch_count=self._prefetch)

        async def came(message: DeliveredMessage) -> None:
            self._hold(channel, message)

        await channel.basic_consume(self._dueslag, came)

    def _cancelled(self, _frame: object) -> None:
        """The queue was deleted or moved. Without a consumer nothing would ever come, and nobody would know."""
        self._line.spoil("Beskedfordeleren har lukket for hentning fra dueslaget")

    def _hold(self, channel: AbstractChannel, message: DeliveredMessage) -> None:
        self._line.proved()
        tag, message_id = message.delivery_tag, message.header.properties.message_id or ""
        assert tag is not None
        body = message.body
        # The transaction's id and the content: the same after a crash, and another one for whatever else comes.
        key = hashlib.sha256(message_id.encode() + b"\0" + body).hexdigest()[:40]
        data = None if len(body) > self._max_bytes else body
        delivery = Delivery(key, f"{_plain(message_id) or key}.xml", data)
        self._waiting.append(_Held(delivery, channel, tag, datetime.now(UTC)))
        self._arrived.set()


async def _confirm(held: _Held) -> None:
    """Where it fails the message comes again."""
    with contextlib.suppress(Exception), cut_is_an_error():
        if held.delivery.data is None:
            # Nothing of it was kept: the Beskedfordeler puts it where its own poison messages go.
            await held.channel.basic_reject(held.tag, requeue=False)
        else:
            await held.channel.basic_ack(held.tag)


@dataclass(frozen=True, slots=True)
class Amqp:
    """The Beskedfordeler as the settings say."""

    beskedfordeler: AmqpBeskedfordeler
    kvitteringer: AmqpInbox
    tokens: TokenSource

    @classmethod
    def of(cls, settings: Settings) -> "Amqp":
        chosen = settings.beskedfordeler
        files = CertificateFiles(chosen.certificate, chosen.key, chosen.ca_file)
        tokens = TokenSource(chosen.sts, files, chosen.renew_before.total_seconds())
        tls = TlsClient(files)

        def place(entity_id: str) -> Place:
            return Place(chosen.server, chosen.port, chosen.vhost, chosen.cvr, entity_id)

        return cls(
            AmqpBeskedfordeler(
                place(chosen.entity_send),
                tokens,
                tls,
                reply_timeout_s=chosen.reply_timeout.total_seconds(),
                in_flight=chosen.in_flight,
                within_s=settings.send_within_s,
            ),
            AmqpInbox(
                place(chosen.entity_receive),
                tokens,
                tls,
                dueslag=chosen.dueslag,
                prefetch=chosen.prefetch,
                max_bytes=settings.kvittering.max_besked_bytes,
            ),
            tokens,
        )

    async def close(self) -> None:
        await self.beskedfordeler.close()
        await self.kvitteringer.close()


def _plain(message_id: str) -> str:
    return message_id if re.fullmatch(r"[0-9A-Za-z-]{1,64}", message_id) else ""


def _unanswered(error: Exception) -> str:
    """Why a besked has no StandardRetur."""
    if isinstance(error, LineError | TokenError):
        return str(error)
    if isinstance(error, aiormq.exceptions.PublishError):
        return "Beskedfordeleren sendte beskeden retur: den har ingen kø til den"
    if isinstance(error, aiormq.exceptions.DeliveryError):
        return "Beskedfordeleren kunne ikke gemme beskeden"
    return CUT


def _said(text: str) -> str:
    """What the other side says, short and without anything that could be a CPR number."""
    text = LIKE_CPR.sub("…", text)
    return f": {text[:_LONGEST_TEXT]}" if text else ""
