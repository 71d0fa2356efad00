"""The console for a long while on a world that runs sixty times faster than life: does its memory grow?

A real pseudo-terminal, the demo in it, and somebody who goes from view to view, down a list, into a row and back. The
memory of its process is looked at twice a minute; it counts from the third minute on, when every view has been
open. Prints one JSON line, and fails where it grew by more than the goal or where an error was on the screen.
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.console_pty import KEYS, RUN, Screen, Terminal

GOAL_MB = 10.0
_WARM_S, _SAMPLE_S = 180.0, 30.0
_ROUND = ("down", "down", "enter", "pgdn", "escape", "end", "home")  # in each view


def soak(home: Path, seconds: float) -> dict[str, object]:
    terminal = Terminal([sys.executable, "-c", RUN, "--home", str(home), "demo"])
    screen, begun = Screen(), time.perf_counter()
    samples: list[tuple[float, float]] = []
    faults: list[str] = []
    keys = itertools.cycle(key for view in "12345678" for key in (view, *_ROUND))
    try:
        while (now := time.perf_counter() - begun) < seconds and terminal.is_alive:
            for piece in terminal.drain(0.2, 1.0):
                screen.feed(piece.data)
            if "Uventet" in screen.text:
                faults.append(screen.text)
            if not samples or now - samples[-1][0] >= _SAMPLE_S:
                samples.append((now, terminal.memory_mb()[0]))
            key = next(keys)
            terminal.write(KEYS.get(key, key.encode()))
        alive, cpu = terminal.is_alive, terminal.cpu_s() if terminal.is_alive else 0.0
    finally:
        terminal.end()
    counted = [memory for at, memory in samples if at >= _WARM_S] or [samples[-1][1]]
    return {
        "seconds": round(samples[-1][0]),
        "is_alive": alive,
        "memory_mb": [memory for _, memory in samples],
        "grown_mb": round(max(counted) - counted[0], 1),
        "cpu_pct": round(100 * cpu / seconds, 1),
        "faults": faults[:3],
        "last_screen": screen.line(0).strip(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sundhedsagent-soak-") as folder:
        told = soak(Path(folder) / "home", _WARM_S + 60 * options.minutes)
    print(json.dumps(told))
    grown = told["grown_mb"]
    assert isinstance(grown, float)
    return 0 if told["is_alive"] and not told["faults"] and grown < GOAL_MB else 1


if __name__ == "__main__":
    sys.exit(main())
