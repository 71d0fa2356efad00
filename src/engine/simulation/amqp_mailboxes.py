"""Receivers at the Beskedfordeler itself: each fetches from its dueslag over AMQP, and sends its kvitteringer so."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from uuid import uuid4

from engine.links.amqp import Amqp
from engine.ports import Beskedfordeler, Delivery, Finished, Inbox, OutgoingBesked
from engine.simulation.mailbox import Mailbox
from engine.wire import beskedkuvert

_AT_ONCE = 100
_LOOK_EVERY_S = 0.05
_TRY_AGAIN_S = 0.5


class AmqpMailbox:
    """One dueslag, between the simulation's steps and a connection that has a pace of its own."""

    def __init__(self, inbox: Inbox, send: Callable[[str, bytes], None]) -> None:
        self._inbox = inbox
        self._send = send
        self._waiting: dict[str, Delivery] = {}
        self._finished: list[Finished] = []

    def fetch(self) -> Iterator[tuple[str, bytes]]:
        for name, delivery in list(self._waiting.items()):
            yield name, delivery.data or b""

    def taken(self, name: str) -> None:
        self._finished.append(Finished(self._waiting.pop(name)))

    def left(self, name: str) -> None:
        self.taken(name)  # a dueslag has no place where it could lie: the next would not come

    def send(self, name: str, data: bytes) -> None:
        self._send(name, data)

    async def carry(self) -> None:
        """Fetch and confirm, for as long as the task lives."""
        while True:
            finished, self._finished = self._finished, []
            if finished:
                await self._inbox.finish(finished)
            for delivery in await self._inbox.take(_AT_ONCE):
                self._waiting[delivery.key] = delivery
            await asyncio.sleep(_LOOK_EVERY_S)


class AmqpMailboxes:
    """All receivers' dueslag, each with a connection of its own; what they send goes over one that they share."""

    def __init__(self, vans: Mailbox, links: Mapping[str, Amqp], sender: Amqp) -> None:
        self.vans = vans
        self._closing = [link.close for link in (*links.values(), sender)]
        self._sender: Beskedfordeler = sender.beskedfordeler
        self._outgoing: dict[str, OutgoingBesked] = {}
        self._mailboxes = {
            system: AmqpMailbox(link.kvitteringer, self._order) for system, link in links.items()
        }

    def of(self, system_uuid: str) -> AmqpMailbox:
        return self._mailboxes[system_uuid]

    @asynccontextmanager
    async def carrying(self) -> AsyncIterator[None]:
        """Carry both ways while the block runs."""
        work = [self._send(), *(mailbox.carry() for mailbox in self._mailboxes.values())]
        tasks = [asyncio.create_task(each) for each in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for close in self._closing:
                await close()

    def _order(self, besked_id: str, data: bytes) -> None:
        cvr = beskedkuvert.read(data).cvrs[0]
        self._outgoing[besked_id] = OutgoingBesked(besked_id, str(uuid4()), cvr, (), data)

    async def _send(self) -> None:
        """Each under the same BeskedId until the Beskedfordeler has accepted it."""
        while True:
            beskeder = list(self._outgoing.values())[:_AT_ONCE]
            results = await self._sender.publish(beskeder) if beskeder else ()
            accepted = [besked for besked, sent in zip(beskeder, results, strict=True) if sent.error is None]
            for besked in accepted:
                del self._outgoing[besked.besked_id]
            await asyncio.sleep(_LOOK_EVERY_S if len(accepted) == len(beskeder) else _TRY_AGAIN_S)
