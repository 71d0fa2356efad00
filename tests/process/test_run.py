"""The engine as a process: it stops as it should, and nothing that was taken in is lost by that."""

import signal
import subprocess
import time

import pytest

from tests.process.outside import Outside, command

STOPS_WITHIN_S = 10


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_status_0_within_ten_seconds(outside: Outside, sign: signal.Signals) -> None:
    for _ in range(60):
        outside.send()
    engine = subprocess.Popen(command(outside.home, "run"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert engine.stdout is not None
    assert engine.stdout.readline()
    while not any(outside.home.vans_out.iterdir()):
        time.sleep(0.01)
    asked = time.monotonic()
    engine.send_signal(sign)
    _, errors = engine.communicate(timeout=STOPS_WITHIN_S)
    assert time.monotonic() - asked < STOPS_WITHIN_S
    assert engine.returncode == 0, errors.decode()
    # It stopped taking in: what it had not taken lies where it lay, and a later engine goes on from there.
    outside.drain()
    outside.judge()


def test_a_second_engine_on_the_same_home_is_refused(outside: Outside) -> None:
    first = subprocess.Popen(command(outside.home, "run"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert first.stdout is not None
        assert first.stdout.readline()
        second = subprocess.run(
            command(outside.home, "run", "--drain"), capture_output=True, timeout=30, check=False
        )
        assert second.returncode == 1
        assert "kører allerede" in second.stderr.decode()
    finally:
        first.terminate()
        first.communicate(timeout=STOPS_WITHIN_S)


def test_drain_with_nothing_to_do_ends_at_once(outside: Outside) -> None:
    done = subprocess.run(
        command(outside.home, "run", "--drain"), capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0
