"""kill -9 at random moments under load, then `run --drain`: nothing lost, one verdict, one BeskedId."""

import os
import random
import signal
import subprocess
import time

import pytest

from tests.process.outside import Outside, command


def kill_again_and_again(outside: Outside, rng: random.Random, kills: int, load: int) -> None:
    for _ in range(kills):
        engine = subprocess.Popen(
            command(outside.home, "run"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            assert engine.stdout is not None
            assert engine.stdout.readline(), "the engine did not start"
            # Some adviser lie there at the start, some come while it works; the kill falls somewhere in between.
            alive_until = time.monotonic() + rng.uniform(0.0, 0.6)
            for _ in range(load):
                outside.send()
                if rng.random() < 0.3:
                    outside.look()
                if time.monotonic() > alive_until:
                    break
            while time.monotonic() < alive_until:
                outside.look()
        finally:
            engine.send_signal(signal.SIGKILL)
            engine.wait(10)
            engine.stdout.close()


def run(outside: Outside, kills: int, seed: int) -> None:
    kill_again_and_again(outside, random.Random(seed), kills, load=12)
    outside.drain()
    assert len(outside.sent) >= kills
    outside.judge()


@pytest.mark.timeout(240)
def test_kills_lose_nothing_and_nothing_is_said_twice(outside: Outside) -> None:
    run(outside, kills=6, seed=int(os.environ.get("KILL_SEED", "1")))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_two_hundred_kills(outside: Outside, seed: int) -> None:
    run(outside, kills=20, seed=seed)
