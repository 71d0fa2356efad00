"""`advis resend`: the same BeskedId once more, and nothing that is waited for begins anew."""

import json
from datetime import timedelta
from typing import Any

import pytest

from engine.desk import resend as module
from engine.desk.look_up import AdvisFilter
from engine.desk.resend import Resend, plan_resend, resend
from engine.domain.acknowledgement import ResponseCode
from engine.errors import RuleError
from engine.ports import SendResult
from engine.store import tables
from tests.flow.test_watch import cases
from tests.flow.world import FRB, PRIMARY, UNWATCHED, World

LEFT_OUT = UNWATCHED


def press(world: World, **wanted: Any) -> Resend:
    with world.acting("anna") as act:
        return resend(act, AdvisFilter(**wanted), "Leverandøren har mistet beskeder")


async def published(world: World, count: int = 1, **changes: Any) -> list[Any]:
    specs = [world.hn(**changes) for _ in range(count)]
    for spec in specs:
        world.send(spec)
    await world.drain()
    return specs


async def test_the_same_besked_goes_out_again(world: World) -> None:
    await published(world)
    assert len(press(world).ids) == 1
    await world.drain()
    first, again = world.published
    assert (first.besked_id, first.data != b"") == (again.besked_id, True)
    (event,) = [row for row in world.rows(tables.event) if row.kind == "advis-resent"]
    assert "mistet beskeder" in event.data
    assert event.actor == "anna"
    assert [kind for kind in world.events() if kind.startswith("advis-p")] == [
        "advis-published",
        "advis-published-again",
    ]


async def test_no_clock_begins_anew_and_nothing_settled_is_opened(world: World) -> None:
    (spec,) = await published(world)
    world.acknowledge(spec, PRIMARY, ResponseCode.OK)
    await world.drain()
    before = [(row.state, row.due_at) for row in world.rows(tables.expected_kvittering)]
    world.clock.advance(timedelta(minutes=20))
    press(world)
    await world.drain()
    assert [(row.state, row.due_at) for row in world.rows(tables.expected_kvittering)] == before
    await world.after(minutes=25)
    assert len(cases(world)) == 2  # of the two others, at the first publication's deadline


async def test_each_resend_is_a_round_of_its_own_and_says_why(world: World) -> None:
    await published(world)
    for _ in range(2):
        press(world)
        await world.after(minutes=1)
    assert [row.round for row in world.rows(tables.publication)] == [1, 2, 3]
    assert len({besked.transaction_id for besked in world.published}) == 3
    with pytest.raises(RuleError, match="CPR-nummer"), world.acting("anna") as act:
        resend(act, AdvisFilter(), "Om 250947-9989")


async def test_a_second_press_does_nothing(world: World) -> None:
    await published(world, 3)
    assert len(press(world).ids) == 3
    assert (press(world).ids, press(world).waiting) == ((), 3)
    await world.drain()
    assert (press(world).ids, press(world).just_sent) == ((), 3)
    await world.after(minutes=1)
    assert len(press(world).ids) == 3
    await world.drain()
    assert len(world.published) == 9


async def test_a_resend_that_the_beskedfordeler_does_not_take_opens_no_case(world: World) -> None:
    await published(world)
    world.beskedfordeler.verdict = lambda _: SendResult("nej")
    press(world)
    await world.after(minutes=11)
    assert cases(world) == []


async def test_the_filter_chooses_and_the_plan_tells(world: World) -> None:
    await published(world, 2)
    world.clock.advance(timedelta(hours=1))
    await published(world, 1, kommune=FRB)
    with world.db.reading() as conn:
        plan = plan_resend(conn, AdvisFilter(), world.clock.now())
    assert plan.kommuner == {"0101": 2, "0147": 1}
    assert plan.oldest is not None
    assert plan.newest is not None
    assert plan.newest - plan.oldest == timedelta(hours=1)
    assert len(press(world, kommuner=["0147"]).ids) == 1
    await world.drain()
    assert len(world.published) == 4


async def test_a_refused_advis_is_never_published(world: World) -> None:
    world.send(world.hn(), data=world_without_id(world))
    await world.drain()
    plan = press(world)
    assert (plan.ids, plan.refused) == ((), 1)


def world_without_id(world: World) -> bytes:
    from engine.simulation.messages import hn_bytes
    from engine.wire import fhir

    spec = world.hn()
    return hn_bytes(spec, fhir.XML).replace(spec.message_id.encode(), b"")


async def test_too_many_at_once_are_refused_with_a_way_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    await published(world, 3)
    with pytest.raises(RuleError, match="--since"):
        press(world)


async def test_the_audit_log_names_a_few_and_counts_many(world: World) -> None:
    await published(world, 21)
    press(world, ids=[1])
    press(world, ids=range(1, 22))
    few, many = world.rows(tables.audit)
    assert (few.subject, json.loads(few.after)) == ("advis:1", {"ids": [1], "count": 1})
    assert (many.subject, json.loads(many.after)) == ("advis", {"count": 20})


async def test_it_is_one_entry_in_the_audit_log(world: World) -> None:
    await published(world, 3)
    press(world, kommuner=["0101"])
    press(world)  # nothing is left to send, and nothing is recorded
    (entry,) = world.rows(tables.audit)
    assert (entry.action, entry.kommune_code) == ("advis-resent", "0101")
    assert '"count": 3' in entry.after or '"count":3' in entry.after
