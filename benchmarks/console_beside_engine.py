"""Does a console beside it cost the engine anything? Whole jobs a second through the folders, with and without one.

In each round the engine does the same jobs alone, and with a console that is watched on its live list, killed with
kill -9, put aside with ctrl+z, or whose terminal takes next to nothing. Each ratio is of one round, to the engine
alone; given is the median of the rounds. Prints one JSON line, and fails where one is more than 5 % slower.
"""

import argparse
import asyncio
import json
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from benchmarks.console_pty import Session, is_filled
from benchmarks.whole_job import RECEIVERS, a_home, in_folders, jobs

from engine.simulation.roster import demo_roster

WAYS = ("watched", "killed", "put aside", "slow terminal")
_LEAST = 0.95
_BEFORE_S = 0.5  # so long the engine works beside a living console before that is killed or put aside


def keep(home: Path, way: str) -> None:
    """Keep a console in a terminal until our standard input is closed. Says so when the console is filled."""
    session = Session(home)
    assert session.wait_for(is_filled, 30), "no data is shown"
    session.view(2, "Adviser")
    print("ready", flush=True)
    terminal, begun, is_done = session.terminal, time.perf_counter(), False
    while not select.select([sys.stdin], [], [], 0)[0]:
        if way == "slow terminal":
            terminal.read(0.2)
            time.sleep(1.0)
            continue
        terminal.drain(0.05, 0.2)
        if not is_done and time.perf_counter() - begun > _BEFORE_S:
            is_done = True
            if way == "killed":
                terminal.kill()
                sys.stdin.read()
                return
            if way == "put aside":
                terminal.write(b"\x1a")
    terminal.end()


@contextmanager
def console(home: Path, way: str) -> Iterator[None]:
    command = [sys.executable, __file__, "--keep", way, "--home", str(home)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.stdin.close()
        process.wait(30)


def measure(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    kommuner = [kommune for kommune in demo_roster(98, 7) if len(kommune.receivers) >= RECEIVERS][:20]
    work = jobs(a_home(folder / "first", kommuner), kommuner, count)
    rates: dict[str, list[float]] = {way: [] for way in ("alone", *WAYS)}
    for number in range(rounds):
        ways = list(rates)
        for way in ways[number % len(ways) :] + ways[: number % len(ways)]:  # none is always the first
            home = a_home(folder / "home", kommuner)
            if way == "alone":
                seconds = asyncio.run(in_folders(home, work))
            else:
                with console(home.path, way):
                    seconds = asyncio.run(in_folders(home, work))
            rates[way].append(count / seconds)
            shutil.rmtree(home.path)
    alone = rates["alone"]
    return {
        "jobs": count,
        "rounds": rounds,
        "alone_jobs_per_s": round(statistics.median(alone), 1),
        "of_alone": {
            way: round(statistics.median(a / b for a, b in zip(rates[way], alone, strict=True)), 3)
            for way in WAYS
        },
        "spread_of_alone": [round(min(alone), 1), round(max(alone), 1)],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where the homes lie; a disk, not memory")
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--keep", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.keep:
        keep(options.home, options.keep)
        return 0
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder or Path.cwd()))
    try:
        told = measure(folder, options.jobs, options.rounds)
    finally:
        shutil.rmtree(folder)
    print(json.dumps(told))
    return 0 if min(told["of_alone"].values()) >= _LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
