"""The clock of the demo: faster than life, and the same in two processes."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

from engine.clock import ScaledClock, SystemClock

BEGINS = datetime(2026, 11, 24, 8, tzinfo=UTC)


def test_it_runs_so_many_times_as_fast_from_where_it_began() -> None:
    since = SystemClock().steady().elapsed
    clock = ScaledClock(BEGINS, since - timedelta(seconds=10), 60.0)
    passed = clock.now() - BEGINS
    most = (SystemClock().steady().elapsed - since + timedelta(seconds=10)) * 60
    assert timedelta(minutes=10) <= passed <= most


def test_it_never_goes_back_and_its_steady_time_goes_along() -> None:
    clock = ScaledClock.from_now(BEGINS, 1000.0)
    first, steady = clock.now(), clock.steady()
    second, later = clock.now(), clock.steady()
    assert BEGINS <= first <= second
    assert steady.boot == later.boot
    assert later.elapsed >= steady.elapsed
    assert abs((second - first) - (later.elapsed - steady.elapsed)) < timedelta(minutes=5)


def test_another_process_with_the_same_values_agrees() -> None:
    clock = ScaledClock.from_now(BEGINS, 60.0)
    program = (
        "import sys; from datetime import datetime, timedelta; from engine.clock import ScaledClock; "
        "print(ScaledClock(datetime.fromisoformat(sys.argv[1]), timedelta(seconds=float(sys.argv[2])), 60.0).now())"
    )
    arguments = [clock.begins.isoformat(), str(clock.since.total_seconds())]
    before = clock.now()
    said = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert before <= datetime.fromisoformat(said.stdout.strip()) <= clock.now()


def test_it_tells_what_it_showed_at_a_moment_of_the_machine() -> None:
    clock = ScaledClock.from_now(BEGINS, 60.0)
    shown = clock.at(datetime.now(UTC) - timedelta(seconds=2))
    assert abs(clock.now() - timedelta(minutes=2) - shown) < timedelta(seconds=30)
