"""VANS on its way out: many envelopes over few connections, and each with a result of its own."""

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.links.vans_https import HttpsVansOutbox
from engine.ports import OutgoingEnvelope, SendResult
from engine.settings import VansSettings
from engine.simulation.serving import serving

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


async def test_so_many_are_under_way_over_connections_that_are_kept() -> None:
    provider = Provider()
    async with serving(provider.application()) as url:
        outbox = HttpsVansOutbox(VansSettings(send_by="https", url=url, in_flight=4, timeout="100 ms"))
        results = await outbox.send(envelopes(3))
        results += await outbox.send(envelopes(40)[4:])
        await outbox.close()
        provider.over.set()
    assert sorted(provider.came) == [*range(3), *range(4, 40)]
    assert [result.error for result in results] == [*[None] * 6, "VANS svarer 503", *[None] * 32]
    assert (provider.most, len(provider.peers)) == (4, 4)


async def test_one_that_is_not_answered_costs_the_others_nothing() -> None:
    provider = Provider()
    async with serving(provider.application()) as url:
        outbox = HttpsVansOutbox(VansSettings(send_by="https", url=url, in_flight=4, timeout="10 s"), 1.0)
        results = await outbox.send(envelopes(7))
        await outbox.close()
        provider.over.set()
    assert results == [SendResult(), SendResult(), SendResult(), LATE, *[SendResult()] * 3]


async def test_what_there_is_no_time_for_is_not_tried() -> None:
    provider = Provider()
    async with serving(provider.application()) as url:
        outbox = HttpsVansOutbox(VansSettings(send_by="https", url=url, in_flight=1, timeout="10 s"), 0.4)
        results = await outbox.send(envelopes(6))
        await outbox.close()
        provider.over.set()
    assert provider.came == [0, 1, 2, 3]
    assert results[3:] == [LATE, *[SendResult(LATE.error, tried=False)] * 2]
