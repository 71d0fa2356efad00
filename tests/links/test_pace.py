"""A side that is slow is not sent more than it can answer, and what it did answer counts."""

import asyncio
from dataclasses import dataclass, field

from engine.links.pace import Pace
from engine.ports import SendResult
from tests.waiting import LoopClock, until

LATE = "intet svar"


@dataclass
class OtherSide:
    """Answers at once; what is in `silent` never, and what is in `refused` with no."""

    silent: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    tried: list[int] = field(default_factory=list)
    under_way: int = 0
    most: int = 0
    answers_within_s: float = 0.02  # who waits for longer gives up

    async def send(self, message: int) -> SendResult:
        self.tried.append(message)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.answers_within_s if message in self.silent else 0)
        finally:
            self.under_way -= 1
        if message in self.silent:
            raise TimeoutError
        return SendResult("nej") if message in self.refused else SendResult()


async def test_each_has_its_result_in_order_and_no_more_are_under_way_than_may_be() -> None:
    side = OtherSide(refused={3, 17})
    results = await Pace(5, 10, LATE).each(range(40), side.send)
    assert [number for number, result in enumerate(results) if result.error == "nej"] == [3, 17]
    assert sum(result == SendResult() for result in results) == 38
    assert sorted(side.tried) == list(range(40))
    assert side.most == 5


async def test_it_begins_with_a_few_and_each_answer_lets_one_more_go() -> None:
    away, there = OtherSide(silent=set(range(100))), OtherSide()
    await Pace(50, 0.2, LATE).each(range(100), away.send)
    assert away.most == 4
    await Pace(50, 10, LATE).each(range(150), there.send)
    assert there.most == 50


async def test_nothing_to_send_is_fine() -> None:
    assert await Pace(5, 10, LATE).each([], OtherSide().send) == []


async def test_what_is_not_answered_in_time_costs_the_others_nothing() -> None:
    """Nobody waits for it past the batch's time, and what was answered meanwhile stays so."""
    clock, side = LoopClock(), OtherSide(silent={0}, answers_within_s=3_600)
    batch = asyncio.create_task(Pace(5, 2_000, LATE).each(range(20), side.send))
    await until(lambda: len(side.tried) == 20 and side.under_way == 1)
    clock.put_forward(1_800)
    assert await batch == [SendResult(LATE), *[SendResult()] * 19]


async def test_what_cannot_be_begun_in_time_is_not_tried() -> None:
    clock, side = LoopClock(), OtherSide(silent=set(range(100)))
    batch = asyncio.create_task(Pace(2, 20, LATE).each(range(100), side.send))
    await until(lambda: len(side.tried) > 5)
    tried = list(side.tried)
    clock.put_forward(10)
    results = await batch
    assert side.tried == tried
    assert [result.tried for result in results] == [number in tried for number in range(100)]
    assert {result.error for result in results} == {LATE}


async def test_where_answers_fail_to_come_fewer_are_sent_and_by_and_by_more_again() -> None:
    pace = Pace(8, 10, LATE)
    away = OtherSide(silent=set(range(100)))
    await pace.each(range(4), OtherSide().send)
    await pace.each(range(14), away.send)
    assert away.most == 8
    back = OtherSide()
    await pace.each(range(2), back.send)
    assert back.most == 1
    await pace.each(range(60), back.send)
    assert back.most == 8


async def test_one_that_answers_slowly_is_never_sent_so_much_that_nothing_is_answered() -> None:
    """It handles one after the other, also what nobody waits for any more: many at once would all come too late."""
    handled, line, seconds = 0, asyncio.Lock(), 0.02

    async def send(_message: int) -> SendResult:
        nonlocal handled

        async def handle() -> None:
            nonlocal handled
            async with line:
                await asyncio.sleep(seconds)
                handled += 1

        async with asyncio.timeout(4 * seconds):
            await asyncio.shield(asyncio.create_task(handle()))
        return SendResult()

    pace, waiting, accepted = Pace(16, 60, LATE), list(range(40)), 0
    for _ in range(20):
        results = await pace.each(waiting, send)
        accepted += sum(result.error is None for result in results)
        waiting = [number for number, result in zip(waiting, results, strict=True) if result.error]
        if not waiting:
            break
    assert (waiting, accepted) == ([], 40)
    assert handled < 3 * 40
