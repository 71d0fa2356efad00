"""VANS on its way out: many envelopes over few connections, and each with a result of its own."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.links import vans_https
from engine.links.vans_https import HttpsVansOutbox
from engine.ports import OutgoingEnvelope, SendResult
from engine.settings import VansSettings
from engine.simulation.serving import serving
from tests.waiting import LoopClock, until

LATE = SendResult("VANS svarer ikke inden for tiden")


def envelopes(count: int) -> list[OutgoingEnvelope]:
    return [OutgoingEnvelope(str(number), "r", str(number).encode()) for number in range(count)]


class Provider:
    """Refuses 7, and does not answer 3 until all is over."""

    def __init__(self) -> None:
        self.came: list[int] = []
        self.peers: set[object] = set()
        self.under_way = self.most = 0
        self.over = asyncio.Event()

    def application(self) -> Starlette:
        async def take(request: Request) -> Response:
            number = int(await request.body())
            self.came.append(number)
            self.peers.add(request.client)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await (self.over.wait() if number == 3 else asyncio.sleep(0.005))
            self.under_way -= 1
            return Response(status_code=503 if number == 7 else 200)

        return Starlette(routes=[Route("/", take, methods=["POST"])])


def counted(outbox: HttpsVansOutbox) -> list[SendResult]:
    """The answers as they come."""
    answered, send = [], outbox._send

    async def counting(*about: Any) -> SendResult:
        answered.append(result := await send(*about))
        return result

    outbox._send = counting  # type: ignore[method-assign]
    return answered


async def test_so_many_are_under_way_over_connections_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vans_https, "_KEPT_S", 60.0)  # a slow machine lets none go meanwhile
    provider = Provider()
    async with serving(provider.application()) as url:
        outbox = HttpsVansOutbox(VansSettings(send_by="https", url=url, in_flight=4, timeout="30 s"))
        results = await outbox.send(envelopes(3))
        results += await outbox.send(envelopes(40)[4:])
        await outbox.close()
        provider.over.set()
    assert sorted(provider.came) == [*range(3), *range(4, 40)]
    assert [result.error for result in results] == [*[None] * 6, "VANS svarer 503", *[None] * 32]
    assert (provider.most, len(provider.peers)) == (4, 4)


async def test_one_that_is_not_answered_costs_the_others_nothing() -> None:
    clock, provider = LoopClock(), Provider()
    async with serving(provider.application()) as url:
        outbox = HttpsVansOutbox(VansSettings(send_by="https", url=url, in_flight=4, timeout="60 s"), 20)
        answered = counted(outbox)
        batch = asyncio.create_task(outbox.send(envelopes(7)))
        await until(lambda: len(answered) == 6)
        clock.put_forward(18)
        results = await batch
        await outbox.close()
        provider.over.set()
    assert results == [SendResult(), SendResult(), SendResult(), LATE, *[SendResult()] * 3]


async def test_what_there_is_no_time_for_is_not_tried() -> None:
    clock, provider = LoopClock(), Provider()
    async with serving(provider.application()) as url:
        outbox = HttpsVansOutbox(VansSettings(send_by="https", url=url, in_flight=1, timeout="60 s"), 20)
        batch = asyncio.create_task(outbox.send(envelopes(6)))
        await until(lambda: 3 in provider.came)
        clock.put_forward(18)
        results = await batch
        await outbox.close()
        provider.over.set()
    assert provider.came == [0, 1, 2, 3]
    assert results[3:] == [LATE, *[SendResult(LATE.error, tried=False)] * 2]
