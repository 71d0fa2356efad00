"""The Beskedfordeler in software, on a real RabbitMQ: what tests and a developer's laptop publish to.

It takes what lies in AFSEND_BESKED_EXCHANGE: checks the token, the envelope and the serviceaftale, trims
TilladtModtager, fans out to the dueslag (queues named by their UUID), and answers with a StandardRetur. It can be told
to refuse, to say nothing, and to lose its connection.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage
from lxml import etree
from pamqp.commands import Basic

from engine.errors import WireError
from engine.links.amqp import EXCHANGE
from engine.simulation.sts import Sts
from engine.wire import beskedkuvert, standard_retur, xml
from engine.wire.kuvert_model import KUVERT, SAGDOK
from engine.wire.standard_retur import StandardRetur

_AFSEND = "afsend"
_B, _S = f"{{{KUVERT}}}", f"{{{SAGDOK}}}"
_AT_ONCE = 200
_COME_BACK_S = 0.3


@dataclass(frozen=True, slots=True)
class Serviceaftale:
    """Who may receive a beskedtype of a kommune, in which dueslag."""

    beskedtype: str
    kommune_cvr: str
    dueslag: str


@dataclass
class BeskedfordelerSimulator:
    """`verdict` may refuse a besked (by its id) with a StandardRetur; `stalled` lets what comes lie unanswered."""

    url: str
    sts: Sts
    entity_id: str
    aftaler: tuple[Serviceaftale, ...]
    verdict: Callable[[str], StandardRetur | None] = lambda _besked_id: None
    taken: Counter[str] = field(default_factory=Counter)  # BeskedId → how often it was accepted
    refused: Counter[int] = field(default_factory=Counter)  # StatusKode → how often
    stalled: bool = False
    _connection: aiormq.Connection | None = None
    _channel: AbstractChannel | None = None

    @property
    def is_connected(self) -> bool:
        return self._channel is not None and not self._channel.is_closed

    async def start(self) -> None:
        """Connect, and make what the real one has: the exchange and the dueslag."""
        connection = self._connection = aiormq.Connection(self.url)  # `stop` may let go of it meanwhile
        await connection.connect()
        channel = await connection.channel(publisher_confirms=True)
        await channel.exchange_declare(EXCHANGE, exchange_type="direct", durable=True)
        await channel.queue_declare(_AFSEND, durable=True)
        await channel.queue_bind(_AFSEND, EXCHANGE, routing_key="")
        for dueslag in {aftale.dueslag for aftale in self.aftaler}:
            await channel.queue_declare(dueslag, durable=True)
        await channel.basic_qos(prefetch_count=_AT_ONCE)
        await channel.basic_consume(_AFSEND, self._came)
        self._channel = channel

    async def keep(self) -> None:
        """Work for as long as the task lives; it comes back when its broker does."""
        while True:
            with suppress(aiormq.exceptions.AMQPError, aiormq.exceptions.ChannelInvalidStateError, OSError):
                await self.start()
                connection = self._connection
                if connection is not None:
                    await asyncio.wait([connection.closing])
            with suppress(Exception):
                await self.stop()
            await asyncio.sleep(_COME_BACK_S)

    async def stop(self) -> None:
        """What was not answered comes again, to whoever is there then."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            await connection.close()

    async def _came(self, message: DeliveredMessage) -> None:
        channel = message.channel
        assert message.delivery_tag is not None
        if self.stalled:
            return  # unconfirmed: it comes again when this connection is gone
        answer = await self._handle(channel, message)
        if answer.status == standard_retur.ACCEPTED:
            self.taken[_besked_id(message.body)] += 1
        else:
            self.refused[answer.status] += 1
        properties = message.header.properties
        if properties.reply_to:
            await channel.basic_publish(
                standard_retur.write(answer),
                routing_key=properties.reply_to,
                properties=Basic.Properties(correlation_id=properties.correlation_id),
            )
        await channel.basic_ack(message.delivery_tag)

    async def _handle(self, channel: AbstractChannel, message: DeliveredMessage) -> StandardRetur:
        properties = message.header.properties
        claims = self.sts.read(str((properties.headers or {}).get("token", "")))
        if claims is None or claims.audience != self.entity_id:
            return StandardRetur(40, "Token er ikke udstedt til denne service")
        if claims.expires_at <= datetime.now(UTC):
            return StandardRetur(standard_retur.TOKEN_EXPIRED, "Token er udløbet")
        if not properties.message_id:
            return StandardRetur(40, "messageId mangler")
        try:
            besked = beskedkuvert.read(message.body)
        except WireError as error:
            return StandardRetur(40, str(error))
        if besked.besked_id is None or besked.beskedtype is None:
            return StandardRetur(40, "BeskedId eller Beskedtype mangler")
        refusal = self.verdict(besked.besked_id)
        if refusal is not None:
            return refusal
        if claims.cvr not in besked.cvrs:
            return StandardRetur(40, "Myndigheden er en anden end tokenets")
        reached = self._receivers(besked.beskedtype, besked.cvrs)
        body = _delivered(message.body, {aftale.kommune_cvr for aftale in reached})
        await asyncio.gather(
            *(
                channel.basic_publish(
                    body,
                    routing_key=aftale.dueslag,
                    properties=Basic.Properties(message_id=properties.message_id, delivery_mode=2),
                )
                for aftale in reached
            )
        )
        return StandardRetur(standard_retur.ACCEPTED)

    def _receivers(self, beskedtype: str, cvrs: Iterable[str]) -> list[Serviceaftale]:
        """Version 2 trims silently: whoever has no aftale gets nothing, and the sender hears nothing of it."""
        return [
            aftale
            for aftale in self.aftaler
            if aftale.beskedtype == beskedtype and aftale.kommune_cvr in set(cvrs)
        ]


def _besked_id(data: bytes) -> str:
    return beskedkuvert.read(data).besked_id or ""


def _delivered(data: bytes, cvrs: set[str]) -> bytes:
    """The besked as it lies in the dueslag: trimmed to those who may have it, and with the sender as Kildesystem."""
    root = xml.parse(data, keep=True)
    filtering = root.find(f"{_B}Beskedkuvert/{_B}Filtreringsdata")
    delivery = root.find(f"{_B}Beskedkuvert/{_B}Leveranceinformation")
    assert filtering is not None
    assert delivery is not None
    for allowed in filtering.findall(f"{_B}TilladtModtager"):
        urn = allowed.findtext(f"{_S}URNIdentifikator") or ""
        if urn.rpartition(":")[2] not in cvrs:
            filtering.remove(allowed)
    sender = filtering.find(f"{_B}BeskedAnsvarligAktoer")
    if sender is not None and delivery.find(f"{_B}Kildesystem") is None:
        _put_source(delivery, sender)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _put_source(delivery: xml.Element, sender: xml.Element) -> None:
    """Kildesystem stands after TransaktionsId in KOMBIT's schema."""
    from copy import deepcopy  # noqa: PLC0415

    source = deepcopy(sender)
    source.tag = f"{_B}Kildesystem"
    before = [child for child in delivery if child.tag in {f"{_B}Dannelsestidspunkt", f"{_B}TransaktionsId"}]
    delivery.insert(len(before), source)
