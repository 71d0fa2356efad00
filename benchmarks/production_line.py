"""The production line: whole jobs per second on PostgreSQL and RabbitMQ, with one engine and with two.

A job is that of `whole_job.py`: one advis in, stored, published, three kvitteringer in, one answer out; here by HTTPS
and AMQP with TLS, each commit on the disk, the engines as processes. Hospitals, receivers, STS and Beskedfordeler are
played by this process, and run on the same cores as the engines and the two servers: `cpu` says who had how much of all
cores, and `jobs_per_engine_cpu_s` how many jobs an engine does in a second of CPU of its own. Prints one JSON line;
medians over the rounds.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.production.engines import wait_until_ready
from tests.production.habits import CALM
from tests.production.line import Line, production_line
from tests.servers.postgresql import PostgresServer, postgres_server
from tests.servers.rabbitmq import RabbitServer, rabbit_server

Servers = tuple[PostgresServer, RabbitServer]
ENGINES = (1, 2)
WARM_UP = 100
SETTLES_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Round:
    jobs_per_s: float
    cpu: Mapping[str, float]  # of all cores' time
    jobs_per_engine_cpu_s: float


async def measured(folder: Path, servers: Servers, engines: int, jobs: int, at_once: int) -> Round:
    async with production_line(folder, *servers, engines=engines, habits=CALM) as line:
        await asyncio.to_thread(wait_until_ready, line.engines)
        await work(line, WARM_UP, at_once)
        begun, before = time.perf_counter(), cpu_s(line)
        await work(line, jobs, at_once)
        seconds, after = time.perf_counter() - begun, cpu_s(line)
    spent = {who: after[who] - before[who] for who in after}
    cores = len(os.sched_getaffinity(0))
    cpu = {who: round(of / seconds / cores, 3) for who, of in spent.items()}
    return Round(jobs / seconds, cpu, jobs / spent["engines"])


async def work(line: Line, jobs: int, at_once: int) -> None:
    await line.send_all(jobs, at_once=at_once)
    await line.settled(SETTLES_WITHIN_S)


# --- who has had the CPU ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Process:
    parent: int
    group: int
    seconds: float  # of CPU, its ended children's too


def cpu_s(line: Line) -> dict[str, float]:
    """Seconds of CPU so far: the engines, the load that this process plays, PostgreSQL and RabbitMQ."""
    found = processes()
    engines = {engine.process.pid for engine in line.engines if engine.process}
    postmaster = int((line.postgres.folder / "data" / "postmaster.pid").read_text().split()[0])
    rabbit = line.rabbit._process
    assert rabbit is not None
    own = os.times()
    return {
        "engines": sum(found[pid].seconds for pid in engines),
        "load": own.user + own.system,
        "postgresql": sum(each.seconds for pid, each in found.items() if postmaster in {pid, each.parent}),
        "rabbitmq": sum(each.seconds for each in found.values() if each.group == rabbit.pid),
    }


def processes() -> dict[int, Process]:
    tick, found = os.sysconf("SC_CLK_TCK"), {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            ticks = sum(map(int, fields[11:15]))
            found[int(folder.name)] = Process(int(fields[1]), int(fields[2]), ticks / tick)
    return found


# --- the run ----------------------------------------------------------------------------------------------------------


def measure(folder: Path, servers: Servers, jobs: int, rounds: int, at_once: int) -> dict[str, Any]:
    found: dict[int, list[Round]] = {engines: [] for engines in ENGINES}
    for number in range(rounds):
        for engines in ENGINES:  # in turn, so that what disturbs the machine disturbs both
            place = folder / f"{number}-{engines}"
            found[engines].append(asyncio.run(measured(place, servers, engines, jobs, at_once)))
    rates = {engines: [each.jobs_per_s for each in those] for engines, those in found.items()}
    one, two = (rates[engines] for engines in ENGINES)
    return {
        "jobs": jobs,
        "rounds": rounds,
        "at_once": at_once,
        "cores": len(os.sched_getaffinity(0)),
        "jobs_per_s": {str(engines): round(statistics.median(those), 1) for engines, those in rates.items()},
        "two_engines_of_one": round(statistics.median(b / a for a, b in zip(one, two, strict=True)), 2),
        "cpu": {
            str(engines): {
                who: round(statistics.median(each.cpu[who] for each in those), 2) for who in those[0].cpu
            }
            for engines, those in found.items()
        },
        "jobs_per_engine_cpu_s": {
            str(engines): round(statistics.median(each.jobs_per_engine_cpu_s for each in those), 1)
            for engines, those in found.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=48, help="adviser that hospitals send at once")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=Path.cwd()))
    try:
        with ExitStack() as held:
            servers = (
                held.enter_context(postgres_server(durable=True)),
                held.enter_context(rabbit_server()),
            )
            print(json.dumps(measure(folder, servers, options.jobs, options.rounds, options.at_once)))
    except pytest.skip.Exception as missing:
        print(json.dumps({"skipped": str(missing)}))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
