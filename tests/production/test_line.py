"""Several engines, a real PostgreSQL and RabbitMQ: whatever dies or stops, nothing is lost and nothing said twice."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.production.checker import judge
from tests.production.country import RECEIVERS
from tests.production.engines import wait_until_ready
from tests.production.habits import Habits
from tests.production.line import LEASE_S, Line, production_line
from tests.servers.postgresql import PostgresServer, postgres_server
from tests.servers.rabbitmq import RabbitServer, rabbit_server


@pytest.fixture
def servers() -> Iterator[tuple[PostgresServer, RabbitServer]]:
    """Its own: they are stopped and started."""
    with postgres_server(durable=True) as postgres, rabbit_server() as rabbit:
        yield postgres, rabbit


_LEAST = 2  # of each kind of trouble, also where all is sent sooner: much is under way still


async def kill_engines(line: Line, sending: "asyncio.Task[None]", *, every: float, most: int) -> None:
    for number in range(most):
        await asyncio.sleep(line.rng.uniform(0.5, 1.5) * every)
        if sending.done() and number >= _LEAST:
            return
        await line.kill_one()


async def stop_servers(line: Line, sending: "asyncio.Task[None]", *, every: float, most: int) -> None:
    """Now the broker, now the database; engines die meanwhile, too."""
    for number in range(most):
        await asyncio.sleep(line.rng.uniform(0.5, 1.5) * every)
        if sending.done() and number >= _LEAST:
            return
        await (line.stop_database if number % 2 else line.stop_broker)(line.rng.uniform(0.5, 3))


async def run(
    folder: Path,
    servers: tuple[PostgresServer, RabbitServer],
    habits: Habits,
    *,
    engines: int,
    adviser: int,
    kills: tuple[float, int],
    stops: tuple[float, int],
    settle: float,
) -> Counter[str]:
    """`kills` and `stops` are every how many seconds, and how often at most; it is over when nothing has come for
    `settle` seconds.
    """
    seed = int(os.environ.get("LINE_SEED", "1"))
    async with production_line(folder, *servers, engines=engines, seed=seed, habits=habits) as line:
        try:
            await asyncio.to_thread(wait_until_ready, line.engines)
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(line.send_all(adviser))
                group.create_task(kill_engines(line, sending, every=kills[0], most=kills[1]))
                group.create_task(stop_servers(line, sending, every=stops[0], most=stops[1]))
            await line.settle(settle, then=LEASE_S)
        finally:
            line.write(folder / "history.jsonl")
    history = map(json.loads, (folder / "history.jsonl").read_text().splitlines())
    found = judge(history, RECEIVERS, engines)
    assert found.faults == []
    assert found.counts["adviser"] == found.counts["verdicts"] == adviser
    return found.counts


@pytest.mark.timeout(400)
async def test_nothing_is_lost_whoever_dies(
    tmp_path: Path, servers: tuple[PostgresServer, RabbitServer]
) -> None:
    """The short form: every kind of trouble once, more or less."""
    habits = Habits(
        deadline_s=3, copied=0.1, late=0.05, transient=0.1, negative=0.1, repeated=0.1, negative_receipts=0.1
    )
    counts = await run(
        tmp_path, servers, habits, engines=2, adviser=150, kills=(2, 2), stops=(1, 2), settle=60
    )
    assert counts["envelopes"] > counts["adviser"]
    for what in ("kills", "broker stops", "database stops", "late", "fatal-error", "transient-error"):
        assert counts[what] > 0, what


@pytest.mark.campaign
@pytest.mark.timeout(7200)
async def test_twenty_thousand(tmp_path: Path, servers: tuple[PostgresServer, RabbitServer]) -> None:
    counts = await run(
        tmp_path,
        servers,
        Habits(),
        engines=3,
        adviser=20_000,
        kills=(12, 1_000),
        stops=(20, 1_000),
        settle=60,
    )
    print(dict(counts))
    assert counts["kills"] >= 20
    assert min(counts["broker stops"], counts["database stops"]) >= 4
    assert (
        min(counts["late"], counts["fatal-error"], counts["transient-error"], counts["refused answers"]) > 100
    )
