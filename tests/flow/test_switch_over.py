"""Switchovers at their instant, by the engine: on time, late, once, and never for an advis that was under way."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from engine.desk.facts import GivenFacts
from engine.desk.procedures import set_step
from engine.desk.receivers import edit_receiver, remove_receiver
from engine.desk.switchover_sheet import Fate, switchover_sheet
from engine.desk.switchovers import (
    PlanSwitchover,
    cancel_switchover,
    change_switchover,
    plan_switchover,
    show_switchover,
    undo_switchover,
)
from engine.domain.acknowledgement import ResponseCode
from engine.domain.procedure import StepState
from engine.errors import RuleError
from engine.flow.switch_over import CARRIED_OUT
from engine.ports import SendResult
from engine.store import tables
from tests.flow.world import PRIMARY, SECOND, START, THIRD, UNWATCHED, World

LEFT_OUT = UNWATCHED

HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
TO_NEXUS = {"old_name": "Cura", "old_uuid": PRIMARY, "new_name": "Nexus", "new_uuid": SECOND}


def plan(world: World, at: datetime | None = START + HOUR, **changes: str) -> int:
    with world.acting() as act:
        return plan_switchover(act, PlanSwitchover(code="0101", at=at, **(TO_NEXUS | changes))).id


def state_of(world: World, switchover_id: int) -> str:
    with world.db.reading() as conn:
        return show_switchover(conn, switchover_id).state


async def test_it_happens_at_its_instant_where_nothing_comes_in(world: World) -> None:
    number = plan(world)
    await world.after(minutes=59, seconds=59, microseconds=999_999)
    assert (world.primary(), state_of(world, number)) == ("Cura", "planned")
    await world.after(microseconds=1)
    assert (world.primary(), state_of(world, number)) == ("Nexus", "done")
    await world.after(hours=1)
    assert world.events().count("switchover-carried-out") == 1


@pytest.mark.parametrize(("early", "answer"), [(timedelta(microseconds=1), PRIMARY), (timedelta(0), SECOND)])
async def test_an_advis_received_at_the_instant_belongs_to_the_new_primary(
    world: World, early: timedelta, answer: str
) -> None:
    plan(world)
    world.clock.advance(HOUR - early)
    spec = world.hn()
    world.send(spec)
    await world.drain()
    await world.after(hours=1)
    sent = {uuid: world.acknowledge(spec, uuid) for uuid in (THIRD, SECOND, PRIMARY)}
    await world.drain()
    assert [item.content for item in world.answers] == [sent[answer]]


async def test_receiving_alone_puts_it_in_force(world: World) -> None:
    """Receive is enough, whatever the order of the stations: the planned instant counts by the time of receipt."""
    plan(world)
    world.clock.advance(3 * HOUR)
    world.send(world.hn())
    await world.engine.stations[0].step()
    assert world.primary() == "Nexus"
    assert world.rows(tables.advis, "primary_receiver_id")[0].primary_receiver_id == 2


async def test_an_engine_that_was_down_carries_it_out_late_and_once(world: World) -> None:
    number = plan(world)
    world.clock.advance(5 * HOUR)
    world.start_engine()
    await world.drain()
    with world.db.reading() as conn:
        done = show_switchover(conn, number)
    assert (done.at, done.carried_out_at) == (START + HOUR, START + 5 * HOUR)
    event = next(row for row in world.rows(tables.event) if row.kind == "switchover-carried-out")
    assert "(forsinket)" in event.data
    assert world.rows(tables.audit)[-1].action == "switchover-carried-out"


async def test_an_advis_in_flight_is_answered_by_its_own_primary(world: World) -> None:
    before, after = world.hn(), world.hn()
    world.send(before)
    await world.drain()
    plan(world, at=None)
    world.send(after)
    await world.drain()
    world.acknowledge(before, SECOND, ResponseCode.FATAL_ERROR)
    world.acknowledge(after, PRIMARY, ResponseCode.FATAL_ERROR)
    await world.drain()
    assert world.codes == []
    old, new = world.acknowledge(before, PRIMARY), world.acknowledge(after, SECOND)
    await world.drain()
    assert [item.content for item in world.answers] == [old, new]


async def test_it_can_be_moved_and_cancelled_until_its_instant(world: World) -> None:
    number = plan(world)
    with world.acting() as act:
        change_switchover(act, number, START + 2 * HOUR)
    await world.after(hours=1)
    assert world.primary() == "Cura"
    with world.acting() as act:
        cancel_switchover(act, number, reason="fortrudt")
    await world.after(hours=2)
    assert (world.primary(), state_of(world, number)) == ("Cura", "cancelled")


async def test_undoing_is_a_new_one_back(world: World) -> None:
    number = plan(world, at=None)
    assert world.primary() == "Nexus"
    await world.after(hours=24)
    with world.acting() as act:
        back = undo_switchover(act, number, within=DAY)
    assert (world.primary(), back.undoes, back.state) == ("Cura", number, "done")
    with world.acting() as act, pytest.raises(RuleError, match=f"allerede fortrudt med omlægning {back.id}"):
        undo_switchover(act, number, within=DAY)


async def test_undoing_is_possible_for_its_time_only(world: World) -> None:
    number = plan(world, at=None)
    world.clock.advance(DAY - HOUR)
    with world.acting() as act, pytest.raises(RuleError, match="kunne fortrydes til"):
        undo_switchover(act, number, within=DAY, at=world.clock.now() + 2 * HOUR)
    world.clock.advance(HOUR + timedelta(microseconds=1))
    with world.acting() as act, pytest.raises(RuleError, match="kunne fortrydes til"):
        undo_switchover(act, number, within=DAY)


async def test_an_undo_that_was_planned_and_cancelled_can_be_planned_again(world: World) -> None:
    number = plan(world, at=None)
    for _ in range(2):
        with world.acting() as act:
            back = undo_switchover(act, number, within=DAY, at=START + HOUR)
            cancel_switchover(act, back.id)
    with world.acting() as act:
        undo_switchover(act, number, within=DAY)
    assert world.primary() == "Cura"


@pytest.mark.parametrize(
    ("planned", "utc"),
    [
        (
            datetime(2026, 3, 29, 1, 59, tzinfo=UTC),
            "2026-03-29T01:59",
        ),  # an hour after the clocks went forward
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "2026-10-25T00:30"),  # 02:30 for the first time
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "2026-10-25T01:30"),  # and for the second
    ],
)
@pytest.mark.long_on_server
async def test_summer_and_winter_time_change_nothing(world: World, planned: datetime, utc: str) -> None:
    plan(world, at=planned)
    world.clock.advance(planned - START - timedelta(seconds=1))
    await world.drain()
    assert world.primary() == "Cura"
    await world.after(seconds=1)
    assert world.primary() == "Nexus"
    assert world.clock.now().isoformat().startswith(utc)


@pytest.mark.parametrize("state", [StepState.OPEN, StepState.SKIPPED])
async def test_what_a_person_said_of_the_step_stops_nothing(world: World, state: StepState) -> None:
    number = plan(world)
    with world.acting("kaj") as act:
        set_step(act, 1, CARRIED_OUT, state=state, note="vi venter på den")
    world.clock.advance(2 * HOUR)
    world.send(world.hn())
    await world.drain()
    assert (world.primary(), state_of(world, number), len(world.published)) == ("Nexus", "done", 1)
    (step,) = [row for row in world.rows(tables.procedure_step) if row.step == CARRIED_OUT]
    assert (step.state, step.note) == (state, "vi venter på den")


async def test_one_that_the_database_refuses_holds_up_nobody(world: World) -> None:
    number = plan(world)
    with world.db.writing() as tx:
        # What no rule lets happen: the successor is another's, so that the triggers refuse the switchover.
        on = " ON receiver" if world.db.is_shared else ""
        tx.conn.exec_driver_sql(f"DROP TRIGGER switchover_target_removed{on}")
        tx.conn.execute(update(tables.receiver).where(tables.receiver.c.id == 2).values(removed_at=START))
    world.clock.advance(2 * HOUR)
    world.send(world.hn())
    await world.drain()
    assert (world.primary(), state_of(world, number)) == ("Cura", "planned")
    assert len(world.published) == 1


# --- removing -------------------------------------------------------------------------------------------------------


async def removed_after_switchover(world: World, *, force: bool = False) -> int:
    with world.acting() as act:
        return remove_receiver(act, "0101", name="Cura", uuid=PRIMARY, force=force).verdicts


async def test_one_that_owes_a_verdict_stays_until_it_came(world: World) -> None:
    spec = world.hn()
    world.send(spec)
    await world.drain()
    plan(world, at=None)
    with pytest.raises(RuleError, match=r"skylder sygehuset svar på 1 advis"):
        await removed_after_switchover(world)
    world.acknowledge(spec, PRIMARY, ResponseCode.TRANSIENT_ERROR)
    await world.drain()
    with pytest.raises(RuleError, match=r"skylder sygehuset svar på 1 advis"):
        await removed_after_switchover(world)
    world.acknowledge(spec, PRIMARY)
    await world.drain()
    assert await removed_after_switchover(world) == 0


async def test_by_force_it_is_recorded_and_its_late_verdict_still_goes_out(world: World) -> None:
    spec = world.hn()
    world.send(spec)
    await world.drain()
    plan(world, at=None)
    assert await removed_after_switchover(world, force=True) == 1
    assert world.states() == ["removed", "pending", "pending"]
    assert world.rows(tables.receiver, "id", "removed_by_force")[0].removed_by_force
    (removal,) = [row for row in world.rows(tables.audit) if row.action == "receiver-removed"]
    assert removal.reason == "tvunget, selv om systemet skyldte svar"
    answer = world.acknowledge(spec, PRIMARY)
    await world.drain()
    assert [item.content for item in world.answers] == [answer]
    assert world.states() == ["ok", "pending", "pending"]


async def test_other_pending_kvitteringer_close_as_removed_and_are_matched_all_the_same(world: World) -> None:
    spec = world.hn()
    world.send(spec)
    await world.drain()
    with world.acting() as act:
        done = remove_receiver(act, "0101", name="sensum", uuid=THIRD.upper())
    assert (done.waived, done.verdicts) == (1, 0)
    assert world.states() == ["pending", "pending", "removed"]
    world.acknowledge(spec, THIRD, ResponseCode.FATAL_ERROR)
    await world.drain()
    assert world.states() == ["pending", "pending", "fatal-error"]
    world.send(other := world.hn())
    await world.drain()
    assert len([row for row in world.rows(tables.expected_kvittering) if row.advis_id == 2]) == 2
    assert other.message_id in world.published[-1].data.decode()


async def test_no_republication_for_a_primary_that_is_gone(world: World) -> None:
    spec = world.hn()
    world.send(spec)
    await world.drain()
    world.acknowledge(spec, PRIMARY, ResponseCode.TRANSIENT_ERROR)
    await world.drain()
    plan(world, at=None)
    await removed_after_switchover(world, force=True)
    world.send(spec.resent(bundle_id="en-anden", at=world.clock.now()))
    await world.drain()
    assert len(world.published) == 1
    assert world.states()[0] == "transient-error"


async def test_a_republication_waits_only_for_those_who_are_still_there(world: World) -> None:
    spec = world.hn()
    world.send(spec)
    await world.drain()
    for system in (PRIMARY, SECOND, THIRD):
        world.acknowledge(spec, system, ResponseCode.TRANSIENT_ERROR)
    await world.drain()
    with world.acting() as act:
        remove_receiver(act, "0101", name="Sensum", uuid=THIRD)
    world.send(spec.resent(bundle_id="en-anden", at=world.clock.now()))
    await world.drain()
    assert len(world.published) == 2
    assert world.states() == ["pending", "pending", "transient-error"]


# --- monitoring -----------------------------------------------------------------------------------------------------


async def test_no_clock_runs_before_monitored_from(world: World) -> None:
    with world.acting() as act:
        edit_receiver(act, "0101", THIRD, GivenFacts(monitored_from=(START + HOUR).isoformat()))
    world.send(world.hn())
    await world.drain()
    assert [row.due_at is None for row in world.rows(tables.expected_kvittering, "due_at")] == [
        False,
        False,
        True,
    ]
    world.clock.advance(HOUR)
    world.send(world.hn())
    await world.drain()
    assert [row.due_at is None for row in world.rows(tables.expected_kvittering, "due_at")[3:]] == [False] * 3


# --- the sheet ------------------------------------------------------------------------------------------------------


async def test_the_sheet_tells_what_became_of_each(world: World) -> None:
    answered, owed, late, transient, unpublished = (world.hn() for _ in range(5))
    for spec in (answered, owed, late, transient):
        world.send(spec)
    await world.drain()
    world.acknowledge(answered)
    world.acknowledge(transient, code=ResponseCode.TRANSIENT_ERROR)
    await world.drain()
    await world.after(minutes=1)
    number = plan(world, at=None)
    await world.after(minutes=5)
    world.acknowledge(late)
    first = world.hn()
    world.send(first)
    await world.after(minutes=1)
    world.acknowledge(first, SECOND)
    await world.drain()
    world.beskedfordeler.verdict = lambda _: SendResult("nede")
    world.send(unpublished)
    await world.drain()
    with world.db.reading() as conn:
        sheet = switchover_sheet(conn, number, world.clock.now())
    assert [(line.message_id, line.fate) for line in sheet.in_flight] == [
        (owed.message_id, Fate.WAITING),
        (late.message_id, Fate.ANSWERED),
        (transient.message_id, Fate.TRANSIENT),
    ]
    assert sheet.last_of_old is not None
    assert sheet.first_of_new is not None
    assert (sheet.last_of_old.advis_id, sheet.last_of_old.state) == (3, "ok")
    assert (sheet.first_of_new.advis_id, sheet.first_of_new.at) == (5, START + timedelta(minutes=7))
    assert (sheet.since, sheet.answered_since) == (2, 1)
    assert [line.fate for line in sheet.missing_since] == [Fate.UNPUBLISHED]
    assert not sheet.is_verified


async def test_the_sheet_counts_what_is_overdue_and_verifies_when_all_is_there(world: World) -> None:
    number = plan(world, at=None)
    spec = world.hn()
    world.send(spec)
    await world.drain()
    await world.after(minutes=46)
    with world.db.reading() as conn:
        sheet = switchover_sheet(conn, number, world.clock.now())
    assert [line.fate for line in sheet.missing_since] == [Fate.OVERDUE]
    world.acknowledge(spec, SECOND)
    await world.drain()
    with world.db.reading() as conn:
        assert switchover_sheet(conn, number, world.clock.now()).is_verified


async def test_there_is_no_sheet_before(world: World) -> None:
    number = plan(world)
    with world.db.reading() as conn, pytest.raises(RuleError, match="når den er gennemført"):
        switchover_sheet(conn, number, START)
