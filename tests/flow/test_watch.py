"""The 45-minute watch: cases are opened in time, whatever is done to the clock, and closed when all has come."""

from datetime import timedelta

import pytest

from engine.domain.acknowledgement import ResponseCode
from engine.ports import SendResult
from engine.store import tables
from tests.flow.world import PRIMARY, SECOND, THIRD, World

HOUR, MINUTE, SECOND_ = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
ALL = (PRIMARY, SECOND, THIRD)


async def published(world: World, *, acknowledged: tuple[str, ...] = (SECOND, THIRD), **overrides: object):
    """An advis that is published now; those that `acknowledged` have done so."""
    spec = world.hn(**overrides)
    world.send(spec)
    await world.drain()
    for system in acknowledged:
        world.acknowledge(spec, system)
    await world.drain()
    return spec


def cases(world: World, *columns: str) -> list:
    return world.rows(tables.alarm_case, *(columns or ("id", "kind", "kommune_code", "misses", "closed_at")))


async def test_a_case_opens_when_the_deadline_has_passed_and_not_before(world: World) -> None:
    await published(world)
    await world.after(minutes=44, seconds=59)
    assert cases(world) == []
    await world.after(seconds=1)
    (case,) = cases(world)
    assert (case.kind, case.kommune_code, case.misses, case.closed_at) == (
        "missing-kvittering",
        "0101",
        1,
        None,
    )


async def test_each_receiver_has_a_case_of_its_own_and_later_misses_join_it(world: World) -> None:
    await published(world, acknowledged=(THIRD,))
    await world.after(minutes=10)
    await published(world, acknowledged=(SECOND, THIRD))
    await world.after(minutes=45)
    receivers = {row.id: row.name for row in world.rows(tables.receiver, "id", "name")}
    found = {receivers[case.receiver_id]: case.misses for case in cases(world, "receiver_id", "misses")}
    assert found == {"Cura": 2, "Nexus": 1}


async def test_a_late_kvittering_closes_the_case(world: World) -> None:
    spec = await published(world)
    await world.after(minutes=46)
    world.acknowledge(spec, PRIMARY)
    await world.drain()
    (case,) = cases(world)
    assert case.closed_at == world.clock.now()
    assert world.codes == ["ok"]


async def test_a_negative_kvittering_counts_as_received(world: World) -> None:
    spec = await published(world, acknowledged=(SECOND, THIRD))
    world.acknowledge(spec, PRIMARY, ResponseCode.FATAL_ERROR)
    await world.drain()
    await world.after(minutes=50)
    assert cases(world) == []


async def test_the_case_stays_open_until_the_last_has_come(world: World) -> None:
    first = await published(world)
    second = await published(world)
    await world.after(minutes=46)
    world.acknowledge(first, PRIMARY)
    await world.drain()
    assert cases(world)[0].closed_at is None
    world.acknowledge(second, PRIMARY)
    await world.drain()
    assert cases(world)[0].closed_at is not None


async def test_what_is_missed_after_a_case_was_closed_opens_another_one(world: World) -> None:
    spec = await published(world)
    await world.after(minutes=46)
    world.acknowledge(spec, PRIMARY)
    await world.drain()
    await published(world)
    await world.after(minutes=46)
    assert [case.closed_at is None for case in cases(world)] == [False, True]


async def test_a_removed_receiver_is_not_waited_for_and_its_case_closes(world: World) -> None:
    from engine.desk.receivers import remove_receiver

    await published(world, acknowledged=(PRIMARY, THIRD))
    await world.after(minutes=46)
    assert cases(world)[0].closed_at is None
    with world.acting() as act:
        remove_receiver(act, "0101", name="Nexus", uuid=SECOND)
    await world.drain()
    assert cases(world)[0].closed_at is not None


# --- the machine's clock ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=3), timedelta(days=-3)]
)
@pytest.mark.long_on_server
async def test_setting_the_clock_moves_no_deadline(world: World, step: timedelta) -> None:
    await published(world)
    await world.after(minutes=20)
    world.clock.step(step)
    await world.drain()
    await world.after(minutes=24, seconds=59)
    assert cases(world) == []
    await world.after(seconds=1)
    assert len(cases(world)) == 1
    assert "clock-was-set" in world.events()


@pytest.mark.long_on_server
async def test_many_small_steps_add_up_to_no_more_than_a_second(world: World) -> None:
    await published(world)
    for _ in range(44):
        world.clock.step(timedelta(seconds=-0.4))
        await world.after(minutes=1)
    await world.after(seconds=59)
    assert cases(world) == []
    await world.after(seconds=2)
    assert len(cases(world)) == 1


async def test_a_clock_set_just_before_a_publication_moves_only_what_was_there_before(world: World) -> None:
    await published(world)
    world.clock.advance(10 * MINUTE)
    world.clock.step(-HOUR)  # and the very next thing that happens is a publication
    await published(world)
    due = [
        row.due_at
        for row in world.rows(tables.expected_kvittering, "due_at", "state")
        if row.state == "pending"
    ]
    assert [at - world.clock.now() for at in sorted(due)] == [35 * MINUTE, 45 * MINUTE]


async def test_a_deadline_passes_while_the_engine_is_down(world: World) -> None:
    await published(world)
    world.clock.advance(2 * HOUR)
    world.start_engine()
    await world.drain()
    assert len(cases(world)) == 1


async def test_after_a_reboot_with_a_wrong_clock_no_deadline_is_further_away_than_it_was(
    world: World,
) -> None:
    await published(world)
    await world.after(minutes=10)
    world.clock.reboot()
    world.clock.step(timedelta(days=-400))
    world.start_engine()
    await world.drain()
    await world.after(minutes=34, seconds=59)
    assert cases(world) == []
    await world.after(seconds=1)
    assert len(cases(world)) == 1


async def test_a_retry_that_waits_is_not_held_up_by_a_clock_that_was_set_back(world: World) -> None:
    world.beskedfordeler.verdict = lambda _: SendResult("nede")
    world.send(world.hn())
    await world.drain()
    world.clock.step(-6 * HOUR)
    await world.drain()
    world.beskedfordeler.verdict = lambda _: SendResult()
    await world.after(seconds=5)
    assert len(world.published) == 1


# --- the Beskedfordeler -----------------------------------------------------------------------------------------------


async def test_an_advis_that_is_not_accepted_in_time_is_a_case_also_for_one_kommune_alone(
    world: World,
) -> None:
    world.beskedfordeler.verdict = lambda _: SendResult("nede")
    world.send(world.hn())
    await world.drain()
    await world.after(minutes=9, seconds=59)
    assert cases(world) == []
    await world.after(seconds=1)
    (case,) = cases(world)
    assert (case.kind, case.kommune_code, case.misses) == ("delayed-publication", "0101", 1)
    world.beskedfordeler.verdict = lambda _: SendResult()
    await world.after(minutes=5)
    assert cases(world)[0].closed_at is not None
    await world.after(minutes=44)
    assert len(cases(world)) == 1  # the 45 minutes run from StatusKode 20


async def test_a_republication_after_a_transient_error_gets_a_clock_and_a_case_of_its_own(
    world: World,
) -> None:
    spec = await published(world)
    await world.after(minutes=46)
    world.acknowledge(spec, PRIMARY, ResponseCode.TRANSIENT_ERROR)
    await world.drain()
    assert [case.closed_at is None for case in cases(world)] == [False]
    world.send(spec)  # the hospital's resend
    await world.drain()
    await world.after(minutes=46)
    assert [case.closed_at is None for case in cases(world)] == [False, True]
    await world.after(minutes=1)
    (opening,) = [
        mail for mail in world.mails.sent if "sag 2" in mail.subject and mail.address == "v@v.example"
    ]
    assert "fordelt 2 gange: bed leverandøren om at genindlæse dette BeskedId" in opening.text


# --- cost -------------------------------------------------------------------------------------------------------------


@pytest.mark.sqlite_only
async def test_looking_reads_an_index_and_takes_no_lock(world: World) -> None:
    from sqlalchemy import event

    from engine.flow.watch import Watch

    await published(world)
    statements: list[str] = []
    listen = (world.db.engine, "before_cursor_execute")

    def note(_conn, _cursor, statement, parameters, *_):
        statements.append(statement if statement.startswith(("BEGIN", "PRAGMA")) else "")
        if statement.startswith("SELECT"):
            plan = _conn.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            statements[-1] = "\n".join(row[3] for row in plan)

    event.listen(*listen, note)
    assert await Watch(world.db, world.clock, world.settings).step() == 0
    event.remove(*listen, note)
    told = "\n".join(statements)
    assert "ix_expected_kvittering_due" in told
    assert "ix_publication_delayed" in told
    assert "IMMEDIATE" not in told
