"""The console in a real pseudo-terminal: how soon it is there, what it costs, and how quickly it answers a key.

The home holds a million adviser. Measured are starts, rest, keys, and all of it while another process writes 200
adviser a second. What the console writes is read at once, with the time of each piece, and put on a screen of our own:
so it is known when a key had its effect, which is not the first byte that came after it where the list is alive.

For each key: `first` byte after it; `seen`, the cursor or the rows are other ones; `shown`, no visible row is still
being fetched; `last` byte before 12 ms of quiet. Prints one JSON line; milliseconds, % of one core, MB, bytes a second.
"""

import argparse
import codecs
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.console_home import ADVISER, fill

COLUMNS, LINES = 120, 40
RUN = "import sys; from console.command import main; sys.exit(main())"
KEYS = {
    "down": b"\x1b[B",
    "up": b"\x1b[A",
    "pgdn": b"\x1b[6~",
    "pgup": b"\x1b[5~",
    "end": b"\x1b[F",
    "home": b"\x1b[H",
    "enter": b"\r",
    "escape": b"\x1b",
}
GOALS = {
    "first_paint_ms": 500,
    "idle_pct": 2,
    "key_p95_ms": 15,
    "end_home_p95_ms": 50,
    "rss_mb": 100,
    "live_cpu_pct": 15,
    "live_key_p95_ms": 30,
}

_QUIET_S = 0.012  # so long nothing comes: the answer to a key is over
_LONGEST_S = 1.5  # a key is waited for so long
_SILENT_S = 0.4  # a key that changes nothing is followed by no byte but those of the next second's tick
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def console_command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-c", RUN, "--home", str(home), *(arguments or ("console",))]


# --- the terminal -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that came at once."""

    at: float
    data: bytes


class Terminal:
    """A program in a pseudo-terminal of its own; what it writes must be read with `drain`. End it with `end`."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a start compiles nothing but the first time
        for name in ("NO_COLOR", "COLUMNS", "LINES"):  # the terminal says how large it is
            environment.pop(name, None)
        self.begun = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
                os.execvpe(command[0], command, environment)
            finally:
                os._exit(127)
        self._status: int | None = None

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)

    def drain(self, quiet: float, limit: float, first: float | None = None) -> list[Piece]:
        """What comes until nothing has come for `quiet` seconds; the first piece is waited for `first`."""
        found: list[Piece] = []
        end = time.perf_counter() + limit
        while (now := time.perf_counter()) < end:
            wait = first if first is not None and not found else quiet
            piece = self.read(min(wait, end - now))
            if piece is None:
                break
            found.append(piece)
        return found

    def read(self, wait: float) -> Piece | None:
        ready, _, _ = select.select([self._fd], [], [], max(0.0, wait))
        if not ready:
            return None
        try:
            data = os.read(self._fd, 65_536)
        except OSError:  # the program has ended
            data = b""
        return Piece(time.perf_counter(), data) if data else None

    @property
    def is_alive(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
        return self._status is None

    @property
    def exit_status(self) -> int | None:
        """As a shell tells it; None while it runs."""
        return None if self.is_alive or self._status is None else os.waitstatus_to_exitcode(self._status)

    def signal(self, number: int) -> None:
        if self.is_alive:
            os.kill(self.pid, number)

    def cpu_s(self) -> float:
        """Processor seconds so far, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def memory_mb(self) -> tuple[float, float]:
        """What it holds now, and the most it ever held."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        rss, most = (int(re.findall(rf"{name}:\s+(\d+) kB", text)[0]) for name in ("VmRSS", "VmHWM"))
        return round(rss / 1024, 1), round(most / 1024, 1)

    def ended_within(self, seconds: float) -> bool:
        until = time.perf_counter() + seconds
        while self.is_alive and time.perf_counter() < until:
            self.drain(0.02, 0.05)
        return not self.is_alive

    def end(self) -> None:
        """Ask it to end, then insist."""
        for number in (signal.SIGCONT, signal.SIGTERM, signal.SIGKILL):
            if self.is_alive:
                self.signal(number)
                if number is signal.SIGCONT:
                    self.write(b"q")
                self.ended_within(3.0)
        os.close(self._fd)

    def kill(self) -> None:
        """At once, as a crash would."""
        self.signal(signal.SIGKILL)
        while self.is_alive:
            time.sleep(0.002)
        os.close(self._fd)


class Screen:
    """What a terminal would show: as much of its language as Textual writes, and the ground of each line's start."""

    _TOKEN = re.compile(
        r"\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
        r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
        r"|\x1b[^\[\]]"
        r"|(?P<text>[^\x1b\r\n\x07\x08]+)"
        r"|(?P<control>[\r\n\x07\x08])"
    )

    def __init__(self) -> None:
        self._rows = [[" "] * COLUMNS for _ in range(LINES)]
        self._grounds = [""] * LINES
        self._ground = ""
        self._y = self._x = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> None:
        text = self._rest + self._decoder.decode(data)
        place = 0
        while place < len(text):
            found = self._TOKEN.match(text, place)
            if found is None:  # cut in two by the pipe
                break
            self._take(found)
            place = found.end()
        self._rest = text[place:]

    def _take(self, found: "re.Match[str]") -> None:
        if found["text"]:
            self._put(found["text"])
        elif found["control"] == "\r":
            self._x = 0
        elif found["control"] == "\n":
            self._y = min(LINES - 1, self._y + 1)
        elif found["final"] == "H":
            y, _, x = found["parameters"].partition(";")
            self._y, self._x = min(LINES, int(y or 1)) - 1, min(COLUMNS, int(x or 1)) - 1
        elif found["final"] == "m":
            colour = re.search(r"48;2;(\d+;\d+;\d+)", found["parameters"])
            self._ground = colour[1] if colour else ""
        elif found["final"] == "J" or found["parameters"] == "?1049":
            # It is cleared, or the console's own screen has come or gone.
            self._rows = [[" "] * COLUMNS for _ in range(LINES)]

    def _put(self, text: str) -> None:
        if self._x == 0:
            self._grounds[self._y] = self._ground
        row = self._rows[self._y]
        shown = text[: COLUMNS - self._x]
        row[self._x : self._x + len(shown)] = shown
        self._x += len(shown)

    def line(self, y: int) -> str:
        return "".join(self._rows[y])

    @property
    def text(self) -> str:
        return "\n".join(self.line(y).rstrip() for y in range(LINES))

    # What a list looks like: its rows from the fifth line on, and the cursor's the only one with a ground of its own.

    @property
    def rows(self) -> list[str]:
        """The left part of each: when, which kommune, which code. How far it has come is left out, for it changes."""
        return [self.line(y)[:38].rstrip() for y in range(4, LINES - 1)]

    @property
    def cursor(self) -> int | None:
        grounds = self._grounds[4 : LINES - 1]
        usual = Counter(grounds).most_common(1)[0][0]
        return next((place for place, ground in enumerate(grounds) if ground != usual), None)

    @property
    def is_shown(self) -> bool:
        """No row is still being fetched."""
        return not any(row.startswith("…") for row in self.rows)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one key, in milliseconds after it."""

    first: float | None
    seen: float | None
    shown: float | None
    last: float | None
    size: int


class Session:
    """A console, and the screen that it has drawn."""

    def __init__(self, home: Path) -> None:
        self.terminal = Terminal(console_command(home))
        self.screen = Screen()
        self.size = 0

    def take(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            self.size += len(piece.data)
            self.screen.feed(piece.data)

    def wait_for(self, holds: Callable[[Screen], bool], limit: float) -> float | None:
        """The instant at which the screen first was so; None where it never was."""
        until = time.perf_counter() + limit
        while time.perf_counter() < until:
            piece = self.terminal.read(0.1)
            if piece is not None:
                self.take([piece])
                if holds(self.screen):
                    return piece.at
            elif holds(self.screen):
                return time.perf_counter()
        return None

    def rest(self, seconds: float) -> dict[str, float]:
        """What it costs while nobody presses a key."""
        self.take(self.terminal.drain(0.02, 1.0))
        size, cpu, begun = self.size, self.terminal.cpu_s(), time.perf_counter()
        while (lasted := time.perf_counter() - begun) < seconds:
            self.take(self.terminal.drain(0.05, 0.5, first=min(0.2, seconds - lasted)))
        lasted = time.perf_counter() - begun
        return {
            "cpu_pct": round(100 * (self.terminal.cpu_s() - cpu) / lasted, 1),
            "bytes_per_s": round((self.size - size) / lasted),
        }

    def press(self, key: str) -> Answer:
        """Press a key and wait until what it does is done."""
        self.take(self.terminal.drain(0.004, 0.2))
        before = (self.screen.cursor, self.screen.rows)
        pieces: list[Piece] = []
        seen = shown = None
        size = 0
        pressed = time.perf_counter()
        self.terminal.write(KEYS[key])
        while (now := time.perf_counter()) - pressed < _LONGEST_S:
            wait = _QUIET_S if shown is not None else _SILENT_S
            piece = self.terminal.read(min(wait, pressed + _LONGEST_S - now))
            if piece is None:
                if seen is None or shown is not None:
                    break
                continue
            pieces.append(piece)
            size += len(piece.data)
            self.screen.feed(piece.data)
            if seen is None and (self.screen.cursor, self.screen.rows) != before:
                seen = piece.at
            if seen is not None and shown is None and self.screen.is_shown:
                shown = piece.at
        self.size += size

        def since(at: float | None) -> float | None:
            return None if at is None else 1000 * (at - pressed)

        first, last = (pieces[0].at, pieces[-1].at) if pieces else (None, None)
        return Answer(since(first), since(seen), since(shown), since(last), size)

    def press_many(self, keys: Sequence[str], pause: float = 0.03) -> list[Answer]:
        answers = []
        for key in keys:
            answers.append(self.press(key))
            time.sleep(pause)
        return answers

    def view(self, number: int, sign: str) -> None:
        """Go to a view, and wait until its name stands where one is."""
        self.terminal.write(str(number).encode())
        assert self.wait_for(lambda screen: sign in screen.line(2), 20), f"view {number} does not come"
        self.take(self.terminal.drain(0.3, 3.0))


def percentiles(answers: Sequence[Answer]) -> dict[str, Any]:
    """Of each kind p50 and p95; and how many keys had no effect that could be seen, or rows that did not come."""
    told: dict[str, Any] = {"keys": len(answers)}
    for name in ("first", "seen", "shown", "last"):
        found = sorted(value for answer in answers if (value := _value(answer, name)) is not None)
        if found:
            told[name] = {
                "p50": round(statistics.median(found), 1),
                "p95": round(found[min(len(found) - 1, int(0.95 * len(found)))], 1),
                "max": round(found[-1], 1),
            }
    told["bytes"] = round(statistics.median(answer.size for answer in answers))
    told["without_effect"] = sum(answer.seen is None for answer in answers)
    told["rows_never_shown"] = sum(answer.seen is not None and answer.shown is None for answer in answers)
    return told


def _value(answer: Answer, name: str) -> float | None:
    """Rows that did not come count as long as they were waited for; a key that does nothing does not count."""
    if name == "shown" and answer.shown is None and answer.seen is not None:
        return 1000 * _LONGEST_S
    value: float | None = getattr(answer, name)
    return value


# --- what is measured -------------------------------------------------------------------------------------------------


def one_start(home: Path) -> dict[str, float | None]:
    """Milliseconds from the start of the process."""
    session = Session(home)
    begun, first = session.terminal.begun, None
    painted = data = None
    while data is None and time.perf_counter() - begun < 30:
        piece = session.terminal.read(1.0)
        if piece is None:
            if not session.terminal.is_alive:
                break
            continue
        session.take([piece])
        first = first or piece.at
        if painted is None and is_framed(session.screen):
            painted = piece.at
        if is_filled(session.screen):
            data = piece.at
    session.terminal.end()

    def since(at: float | None) -> float | None:
        return None if at is None else 1000 * (at - begun)

    return {"first_byte_ms": since(first), "first_paint_ms": since(painted), "data_ms": since(data)}


def is_framed(screen: Screen) -> bool:
    """The views' names on top, the keys at the bottom."""
    return "Overblik" in screen.line(1) and "tilbage" in screen.line(LINES - 1)


def is_filled(screen: Screen) -> bool:
    """The top line tells what is waited for."""
    return is_framed(screen) and " afventer" in screen.line(0)


def starts(home: Path, count: int) -> dict[str, Any]:
    one_start(home)  # compiles what is not compiled yet, and brings the files into memory
    found = [one_start(home) for _ in range(count)]
    told: dict[str, Any] = {"count": count}
    for name in found[0]:
        values = [value for start in found if (value := start[name]) is not None]
        told[name] = round(statistics.median(values)) if values else None
    return told


def measure(home: Path, adviser: int, options: argparse.Namespace) -> dict[str, Any]:
    told: dict[str, Any] = {"adviser": adviser, "cores": os.cpu_count(), "load_before": _load()}
    told["start"] = starts(home, options.starts)
    session = Session(home)
    try:
        assert session.wait_for(is_filled, 30), "no data is shown"
        told["rest"] = _at_rest(session, adviser, options)
        with writing(home, options.rate, seconds=20 * options.seconds + 120) as written:
            told["live"] = _alive(session, options)
        told["live"]["writer"] = written
    finally:
        session.terminal.end()
    told["exit_status"] = session.terminal.exit_status
    told["load_after"] = _load()
    told["goals"] = GOALS
    told["missed"] = _missed(told)
    return told


def _at_rest(session: Session, adviser: int, options: argparse.Namespace) -> dict[str, Any]:
    told: dict[str, Any] = {}
    time.sleep(1)
    told["view_1"] = session.rest(options.seconds)
    told["view_1"]["rss_mb"] = session.terminal.memory_mb()[0]
    begun = time.perf_counter()
    session.view(2, "Adviser")
    count = f"{adviser:,}".replace(",", ".")
    whole = session.wait_for(lambda screen: count in screen.line(2) and "henter" not in screen.line(2), 120)
    told["list_whole_s"] = None if whole is None else round(whole - begun, 1)
    session.take(session.terminal.drain(0.2, 3.0))
    told["view_2"] = session.rest(options.seconds)
    told["down"] = percentiles(session.press_many(["down"] * options.keys))
    told["pgdn"] = percentiles(session.press_many(["pgdn"] * options.keys))
    told["rss_mb"], told["rss_most_mb"] = session.terminal.memory_mb()
    ends = session.press_many(["end", "home"] * options.ends)
    told["end"], told["home"] = percentiles(ends[::2]), percentiles(ends[1::2])
    told["rss_after_ends_mb"], told["rss_most_mb"] = session.terminal.memory_mb()
    return told


def _alive(session: Session, options: argparse.Namespace) -> dict[str, Any]:
    told: dict[str, Any] = {"rate": options.rate}
    session.press("home")
    session.rest(3)
    told["view_2"] = session.rest(options.seconds)
    session.press_many(
        ["down"] * 5
    )  # away from the top: the cursor stays on its advis, and new ones come above it
    told["down"] = percentiles(session.press_many(["down"] * options.keys))
    told["pgdn"] = percentiles(session.press_many(["pgdn"] * options.keys))
    told["view_2_below"] = session.rest(options.seconds)
    session.view(1, "Overblik")
    session.rest(2)
    told["view_1"] = session.rest(options.seconds)
    told["rss_mb"], told["rss_most_mb"] = session.terminal.memory_mb()
    return told


def _missed(told: dict[str, Any]) -> dict[str, Any]:
    """The goals that were missed, with what was measured instead. A key counts when its effect is seen."""
    rest, live = told["rest"], told["live"]
    measured = {
        "first_paint_ms": told["start"]["first_paint_ms"],
        "idle_pct": max(rest["view_1"]["cpu_pct"], rest["view_2"]["cpu_pct"]),
        "key_p95_ms": max(rest[key]["seen"]["p95"] for key in ("down", "pgdn")),
        "end_home_p95_ms": max(rest[key]["shown"]["p95"] for key in ("end", "home")),
        "rss_mb": max(rest["rss_most_mb"], live["rss_most_mb"]),
        "live_cpu_pct": max(live[view]["cpu_pct"] for view in ("view_1", "view_2", "view_2_below")),
        "live_key_p95_ms": live["down"]["seen"]["p95"],
    }
    return {name: value for name, value in measured.items() if value is None or value > GOALS[name]}


def _load() -> list[float]:
    return [round(value, 2) for value in os.getloadavg()]


@contextmanager
def writing(home: Path, rate: int, seconds: float) -> Iterator[dict[str, Any]]:
    """The live writer beside the block; what it tells stands in the mapping afterwards."""
    program = Path(__file__).with_name("console_home.py")
    command = [sys.executable, str(program), "write", "--home", str(home)]
    command += ["--rate", str(rate), "--seconds", str(seconds)]
    told: dict[str, Any] = {}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "the writer does not begin"
        yield told
    finally:
        process.terminate()
        try:
            out, _ = process.communicate(timeout=10)
            told.update(json.loads(out or "{}"))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adviser", type=int, default=ADVISER)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each look at what it costs")
    parser.add_argument("--keys", type=int, default=60, help="presses of each key")
    parser.add_argument("--ends", type=int, default=30, help="presses of End, and as many of Home")
    parser.add_argument("--rate", type=int, default=200, help="adviser a second")
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the home is made; a disk, not memory"
    )
    parser.add_argument("--home", type=Path, default=None, help="a filled home, which is kept and written in")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder or Path.cwd()))
    try:
        home = options.home or folder / "home"
        filled = {} if options.home else fill(home, options.adviser)
        adviser = filled.get("advis") or _adviser_of(home)
        print(json.dumps(measure(home, adviser, options) | {"filled": filled}))
    finally:
        shutil.rmtree(folder)


def _adviser_of(home: Path) -> int:
    import sqlite3  # noqa: PLC0415 - only where a home is brought along
    from contextlib import closing  # noqa: PLC0415

    with closing(sqlite3.connect(home / "sundhedsagent.db")) as conn:
        (count,) = conn.execute("SELECT count(*) FROM advis").fetchone()
    return int(count)


if __name__ == "__main__":
    main()
