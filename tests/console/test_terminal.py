"""The console in a real pseudo-terminal beside a real engine: it ends, sleeps and dies without the engine noticing."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.console_pty import LINES, RUN, Screen, Terminal

from engine.home import Home, is_engine_running

_PATIENCE_S = 30.0


class Watched:
    """A terminal, and what stands on it."""

    def __init__(self, *arguments: str, program: str = RUN) -> None:
        self.terminal = Terminal([sys.executable, "-c", program, *arguments])
        self.screen = Screen()

    def waits_for(self, holds: Callable[[], object]) -> None:
        until = time.monotonic() + _PATIENCE_S
        while not holds():
            assert time.monotonic() < until, self.screen.text
            for piece in self.terminal.drain(0.05, 0.2):
                self.screen.feed(piece.data)

    def shows(self, *texts: str) -> None:
        self.waits_for(lambda: all(text in self.screen.text for text in texts))

    @property
    def is_stopped(self) -> bool:
        fields = Path(f"/proc/{self.terminal.pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] == "T"


@contextmanager
def watched(*arguments: str, program: str = RUN) -> Iterator[Watched]:
    found = Watched(*arguments, program=program)
    try:
        yield found
    finally:
        found.terminal.end()


@contextmanager
def engine(home: Home) -> Iterator["subprocess.Popen[bytes]"]:
    """A real engine on the home."""
    command = [sys.executable, "-m", "engine", "--home", str(home.path), "run"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + _PATIENCE_S
        while not is_engine_running(home):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(_PATIENCE_S)


def can_be_written(home: Home) -> bool:
    """Whether another program gets the database's one place to write: who sleeps with it keeps it for ever."""
    with sqlite3.connect(home.database_file, timeout=20, isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
    db.close()
    return True


def test_the_engine_comes_and_goes_and_the_console_says_so(new_home: Home) -> None:
    with watched("--home", str(new_home.path), "console") as person:
        person.shows("▲ Motoren kører ikke", "afventer")
        with engine(new_home):
            person.shows("● Motor ")
        person.shows("▲ Motoren kører ikke")
        person.terminal.write(b"q")
        person.waits_for(lambda: not person.terminal.is_alive)
        assert person.terminal.exit_status == 0


def test_for_reading_alone_it_says_so(new_home: Home) -> None:
    with watched("--home", str(new_home.path), "console", "--read-only") as person:
        person.shows("(administrator, kun læsning)")


def test_put_aside_it_holds_nothing_and_comes_back(new_home: Home) -> None:
    with engine(new_home), watched("--home", str(new_home.path), "console") as person:
        person.shows("● Motor ", "[1 Overblik]")
        person.terminal.write(b"\x1a")
        person.waits_for(lambda: person.is_stopped and "Overblik" not in person.screen.text)
        assert can_be_written(new_home)
        person.terminal.signal(signal.SIGCONT)
        person.waits_for(lambda: not person.is_stopped)
        person.shows("● Motor ", "[1 Overblik]", "Kræver handling", "esc tilbage")
        person.terminal.write(b"2")
        person.shows("[2 Adviser]")


def test_it_ends_with_its_terminal_also_where_that_is_to_be_ignored(new_home: Home) -> None:
    program = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); " + RUN  # as nohup does
    with watched("--home", str(new_home.path), "console", program=program) as person:
        person.shows("[1 Overblik]")
        person.terminal.signal(signal.SIGHUP)  # what the system sends when a terminal is gone
        person.waits_for(lambda: not person.terminal.is_alive)
        assert person.terminal.exit_status == -signal.SIGHUP


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
def test_stopped_or_killed_at_any_moment_the_engine_goes_on(new_home: Home, number: signal.Signals) -> None:
    with engine(new_home) as process, watched("--home", str(new_home.path), "console") as person:
        person.shows("● Motor ")
        person.terminal.signal(number)
        arrives = new_home.vans_in / "noget.xml"
        arrives.write_text("<ikke-en-konvolut/>", encoding="utf-8")
        until = time.monotonic() + _PATIENCE_S
        while arrives.exists():  # it is taken in, and put into quarantine
            assert time.monotonic() < until
            time.sleep(0.02)
        assert can_be_written(new_home)
        assert process.poll() is None


def test_an_engine_of_its_own_ends_with_it(new_home: Home) -> None:
    with watched("--home", str(new_home.path), "console", "--engine") as person:
        person.shows("● Motor ")
        assert is_engine_running(new_home)
        person.terminal.write(b"q")
        person.waits_for(lambda: not person.terminal.is_alive)
    assert not is_engine_running(new_home)


def test_the_demo_shows_adviser_and_leaves_nothing_running(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with watched("--home", str(home.path), "demo") as person:
        person.shows("[1 Overblik]", "● Motor ")
        person.terminal.write(b"2")
        person.shows("[2 Adviser]", "Besvaret")
        (world,) = _children(person.terminal.pid)
        person.terminal.write(b"q")
        person.waits_for(lambda: not person.terminal.is_alive)
        assert person.terminal.exit_status == 0
    assert not is_engine_running(home)
    assert not Path(f"/proc/{world}").exists()


def test_the_demo_killed_takes_its_world_with_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with watched("--home", str(home.path), "demo") as person:
        person.shows("● Motor ")
        (world,) = _children(person.terminal.pid)
        os.kill(person.terminal.pid, signal.SIGKILL)
        person.waits_for(lambda: not person.terminal.is_alive)
    until = time.monotonic() + _PATIENCE_S
    while is_engine_running(home) or _is_alive(world):
        assert time.monotonic() < until
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def test_a_screen_has_as_many_lines_as_the_terminal(new_home: Home) -> None:
    with watched("--home", str(new_home.path), "console") as person:
        person.shows("esc tilbage")
        assert "esc tilbage" in person.screen.line(LINES - 1)
