"""The demo's clock to the microsecond, beside a machine whose steady clock is turned by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.clock import ScaledClock, Steady, SystemClock

BEGINS = datetime(2026, 11, 24, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SINCE = timedelta(days=3)


class Machine:
    """What the machine's steady clock shows."""

    def __init__(self) -> None:
        self.elapsed = SINCE


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(SystemClock, "steady", lambda _self: Steady("boot", machine.elapsed))
    return machine


@pytest.mark.parametrize("speed", [0.5, 1.0, 60.0, 3600.0])
def test_both_its_readings_run_at_its_speed(machine: Machine, speed: float) -> None:
    clock = ScaledClock(BEGINS, SINCE, speed)
    assert (clock.now(), clock.steady().elapsed) == (BEGINS, SINCE)
    machine.elapsed += 10 * SECOND
    assert clock.now() - BEGINS == clock.steady().elapsed - SINCE == 10 * SECOND * speed


def test_it_begins_where_it_is_told_to_whenever_that_is(machine: Machine) -> None:
    machine.elapsed += timedelta(hours=5)
    clock = ScaledClock.from_now(BEGINS, 60.0)
    assert clock.now() == BEGINS
    assert (clock.begins, clock.since, clock.speed) == (BEGINS, machine.elapsed, 60.0)
    # Its steady time goes on from the machine's own: never a step back for whoever read that before.
    assert clock.steady().elapsed == machine.elapsed


def test_those_with_the_same_values_agree_whenever_they_were_made(machine: Machine) -> None:
    first = ScaledClock.from_now(BEGINS, 60.0)
    machine.elapsed += 17 * SECOND
    # As the world's process is given them: as text.
    second = ScaledClock(
        datetime.fromisoformat(first.begins.isoformat()),
        timedelta(seconds=float(str(first.since.total_seconds()))),
        float(str(first.speed)),
    )
    assert first.now() == second.now() == BEGINS + 17 * timedelta(minutes=1)
    assert first.steady().elapsed == second.steady().elapsed


def test_setting_the_machines_clock_does_not_move_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ScaledClock(BEGINS, SINCE, 60.0)
    machine.elapsed += SECOND
    monkeypatch.setattr(SystemClock, "now", lambda _self: datetime(1999, 1, 1, tzinfo=UTC))
    assert clock.now() == BEGINS + timedelta(minutes=1)


def test_its_times_are_aware_and_in_utc(machine: Machine) -> None:
    clock = ScaledClock(BEGINS, SINCE, 60.0)
    assert clock.now().utcoffset() == clock.at(datetime.now(UTC)).utcoffset() == timedelta()
