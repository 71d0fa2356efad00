"""Does a console beside it cost the engine anything? Whole jobs a second through the folders, with and without one.

Two engines on two homes do the same jobs, some at a time and in turn, for a disk that others share is now twice as
quick as it was a minute ago. Beside one of them is a console that is watched on its live list, killed with kill -9,
put aside with ctrl+z, whose terminal takes next to nothing, or (`none`) no console at all, which tells how well it is
measured. The ratio of a round is the median over its turns; given is the median of the rounds. Prints one JSON line,
and fails where one is more than 5 % slower.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import structlog
from benchmarks.console_pty import Session, is_filled
from benchmarks.whole_job import RECEIVERS, Job, a_home, jobs, through_folders

from engine.home import Home
from engine.service import Engine
from engine.simulation.roster import demo_roster

WAYS = ("watched", "killed", "put aside", "slow terminal")
_NONE = "none"
_LEAST = 0.95
_TURN = 50  # jobs
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


async def in_turn(homes: Sequence[Home], work: Sequence[Job]) -> list[list[float]]:
    """Seconds of each turn on both homes; the first to go is the other one each time."""
    engines = [Engine.open(home) for home in homes]
    turns = []
    for number, start in enumerate(range(0, len(work), _TURN)):
        part, seconds = work[start : start + _TURN], [0.0, 0.0]
        for place in (1, 0) if number % 2 else (0, 1):
            seconds[place] = await through_folders(engines[place], homes[place], part, start)
        turns.append(seconds)
    for home, engine in zip(homes, engines, strict=True):
        engine.close()
        assert len(list(home.vans_out.glob("*.xml"))) == 2 * len(work)
    return turns


def measure(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    kommuner = [kommune for kommune in demo_roster(98, 7) if len(kommune.receivers) >= RECEIVERS][:20]
    work = jobs(a_home(folder / "first", kommuner), kommuner, count)
    ratios: dict[str, list[float]] = {way: [] for way in (*WAYS, _NONE)}
    alone_s: list[float] = []
    for _ in range(rounds):
        for way, found in ratios.items():
            homes = [a_home(folder / name, kommuner) for name in ("alone", "beside")]
            with nullcontext() if way == _NONE else console(homes[1].path, way):
                turns = asyncio.run(in_turn(homes, work))
            found.append(statistics.median(alone / beside for alone, beside in turns))
            alone_s.append(sum(alone for alone, _ in turns))
            for home in homes:
                shutil.rmtree(home.path)
    return {
        "jobs": count,
        "rounds": rounds,
        "alone_jobs_per_s": round(count / statistics.median(alone_s), 1),
        "of_alone": {way: round(statistics.median(found), 3) for way, found in ratios.items()},
        "spread": {way: [round(min(found), 3), round(max(found), 3)] for way, found in ratios.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000)
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
    return 0 if min(told["of_alone"][way] for way in WAYS) >= _LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
