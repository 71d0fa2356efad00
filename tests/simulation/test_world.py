"""The world behind the console's demo: a process of its own, which leaves nothing behind however it ends."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import pytest

from engine.clock import ScaledClock, SystemClock
from engine.desk.look_up import AdvisFilter, AdvisState, AdvisView, list_advis
from engine.desk.office import Office
from engine.home import Home, is_engine_running
from engine.ports import OutgoingBesked, SendResult
from engine.service import Engine
from engine.simulation import demo_roster
from engine.simulation.registered import connect_roster
from engine.simulation.world import (
    OutageBeskedfordeler,
    _is_within,
    _ScaledInbox,
    run_world,
    silent_receivers,
)

SEED, RATE, SPEED, KOMMUNER = 7, 20.0, 600.0, 3
PATIENCE_S = 30.0  # far longer than anything takes
ENDS_S = 10.0  # so long the console waits for it


def until(condition: Callable[[], object], what: str, patience: float = PATIENCE_S) -> None:
    """Wait for the condition, and no longer than there is patience."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < patience, f"not within {patience:.0f} s: {what}"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether the process does anything still; one that is dead and not yet buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def members(group: int) -> list[int]:
    """The living processes of a process group: the world has one of its own, with all that it would start."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            pid = int(entry.name)
            if os.getpgid(pid) == group and is_alive(pid):
                found.append(pid)
        except (ValueError, ProcessLookupError):
            continue
    return found


@pytest.fixture
def home(new_home: Home) -> Home:
    """A home with so few kommuner as a demo can have."""
    with Office(new_home) as office, office.administering() as act:
        connect_roster(act, demo_roster(KOMMUNER, SEED))
    return new_home


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts the world's process; what still runs at the end of the test is ended by its id."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(
        home: Home, clock: ScaledClock, *, stdin: int = subprocess.PIPE, log: IO[bytes]
    ) -> "subprocess.Popen[bytes]":
        values = (clock.begins.isoformat(), str(clock.since.total_seconds()), str(clock.speed))
        arguments = (str(home.path), *values, str(SEED), str(RATE))
        process = subprocess.Popen(
            [sys.executable, "-m", "engine.simulation.world", *arguments],
            stdin=stdin,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.stdin is not None:
            process.stdin.close()
        if process.poll() is None:
            process.kill()
            process.wait()


def holder(home: Home) -> int | None:
    """The process that holds the home; it writes its id once it has it."""
    text = home.lock_file.read_text() if is_engine_running(home) else ""
    return int(text) if text.strip() else None


def seen(home: Home, **wanted: Any) -> list[AdvisView]:
    with Office(home) as office, office.reading() as conn:
        return list_advis(conn, AdvisFilter(**wanted))


def test_adviser_flow_by_its_clock_until_its_input_is_closed(
    home: Home, tmp_path: Path, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    clock = ScaledClock.from_now(datetime(2026, 3, 2, 8, tzinfo=UTC), SPEED)
    log = tmp_path / "world.log"
    with log.open("wb") as output:
        world = start(home, clock, log=output)
    # It is the engine of this home itself, and no other process is.
    until(lambda: holder(home) == world.pid or world.poll() is not None, "the engine runs")
    until(lambda: seen(home, state=AdvisState.ANSWERED) or world.poll() is not None, "an answer came")
    # All that happened has the time of its clock, which is months away from the machine's.
    adviser = seen(home)
    ends = clock.now()
    assert adviser
    assert all(clock.begins <= advis.received_at <= ends for advis in adviser)

    assert world.stdin is not None
    world.stdin.close()
    assert world.wait(ENDS_S) == 0
    assert log.read_text() == ""
    assert members(world.pid) == []
    assert not is_engine_running(home)
    # It finished what was in hand: no half-written file lies about, and the home is one to go on with.
    assert [path for path in home.path.rglob("*") if path.name.endswith((".part", ".tmp"))] == []
    Home.open(home.path)


def test_without_any_input_it_ends_at_once(
    home: Home, tmp_path: Path, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    """Whoever started it may be gone before it is ready."""
    log = tmp_path / "world.log"
    with log.open("wb") as output:
        world = start(
            home, ScaledClock.from_now(SystemClock().now(), SPEED), stdin=subprocess.DEVNULL, log=output
        )
    assert world.wait(PATIENCE_S) == 0
    assert log.read_text() == ""
    assert not is_engine_running(home)


def test_a_second_one_on_the_same_home_is_refused_and_the_first_goes_on(
    home: Home, tmp_path: Path, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    clock = ScaledClock.from_now(SystemClock().now(), SPEED)
    log = tmp_path / "second.log"
    with (tmp_path / "first.log").open("wb") as output:
        first = start(home, clock, log=output)
    until(lambda: holder(home) == first.pid or first.poll() is not None, "the engine runs")
    with log.open("wb") as output:
        second = start(home, clock, log=output)
    assert second.wait(PATIENCE_S) == 1  # its input is open still: that keeps it from nothing
    assert "kører allerede" in log.read_text()
    assert "Fatal" not in log.read_text()
    assert members(second.pid) == []
    assert first.poll() is None
    assert is_engine_running(home)


# As the console does it: a demo of its own, whose process ends with the one that began it.
_PARENT = """
import sys
from pathlib import Path
from console.demo_world import DemoWorld
with DemoWorld(Path(sys.argv[1]), seed=7, kommuner=3) as world:
    print(world.pid, flush=True)
    if sys.argv[2] == "wait":
        sys.stdin.read()
"""


def parent(path: Path, then: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(path), then],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_when_its_parent_is_killed_it_ends_by_itself(tmp_path: Path) -> None:
    home = Home(tmp_path / "demo")
    with parent(home.path, "wait") as console:
        assert console.stdout is not None
        world = int(console.stdout.readline())
        assert is_alive(world)
        assert members(world) == [world]
        assert is_engine_running(home)
        console.send_signal(signal.SIGKILL)
        assert console.wait(PATIENCE_S) == -signal.SIGKILL
    try:
        until(lambda: not is_alive(world), "the world ends", ENDS_S)
    finally:
        if is_alive(world):
            os.kill(world, signal.SIGKILL)
    assert members(world) == []
    assert not is_engine_running(home)
    assert (home.path / "demo.log").read_text() == ""


def test_at_the_end_of_the_demo_it_is_gone(tmp_path: Path) -> None:
    home = Home(tmp_path / "demo")
    with parent(home.path, "end") as console:
        out, _ = console.communicate(timeout=PATIENCE_S)
    assert console.returncode == 0
    assert members(int(out)) == []  # already: the demo waits for it
    assert not is_engine_running(home)
    assert (home.path / "demo.log").read_text() == ""


def test_where_the_engine_ends_so_does_the_world(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async def end(_engine: Engine, _stopped: asyncio.Event) -> None:
        return

    monkeypatch.setattr(Engine, "run", end)
    stop = threading.Event()
    world = threading.Thread(
        target=run_world,
        args=(home, ScaledClock.from_now(SystemClock().now(), SPEED)),
        kwargs={"seed": SEED, "rate": RATE, "stop": stop},
        daemon=True,
    )
    world.start()
    world.join(PATIENCE_S)
    assert not world.is_alive()
    assert stop.is_set()
    assert not is_engine_running(home)


# --- what goes wrong in it, so that there is something to see ---------------------------------------------------------


def test_one_primary_and_two_others_fall_silent() -> None:
    roster = demo_roster(4, SEED)
    silent = silent_receivers(roster)
    by_uuid = {
        receiver.uuid: (kommune.code, receiver) for kommune in roster for receiver in kommune.receivers
    }
    assert [by_uuid[uuid][0] for uuid in silent] == [kommune.code for kommune in roster[:3]]
    assert [by_uuid[uuid][1].is_primary for uuid in silent] == [False, False, True]


def test_what_comes_round_begins_and_ends() -> None:
    minute = timedelta(minutes=1)

    def there(passed: timedelta) -> bool:
        return _is_within(passed, 60 * minute, 10 * minute, 5 * minute)

    within = [number for number in range(180) if there(number * minute)]
    assert within == [*range(10, 15), *range(70, 75), *range(130, 135)]


class Accepting:
    """A Beskedfordeler that accepts all, and remembers how much it was given."""

    def __init__(self) -> None:
        self.given: list[int] = []

    async def publish(self, beskeder: Sequence[OutgoingBesked]) -> Sequence[SendResult]:
        self.given.append(len(beskeder))
        return [SendResult() for _ in beskeder]


async def test_while_the_beskedfordeler_is_down_it_accepts_nothing() -> None:
    inner, down = Accepting(), [True]
    beskedfordeler = OutageBeskedfordeler(inner, lambda: down[0])
    beskeder: list[Any] = [object(), object()]
    refused = await beskedfordeler.publish(beskeder)
    assert len(refused) == 2
    assert all(result.error for result in refused)
    assert inner.given == []
    down[0] = False
    accepted = await beskedfordeler.publish(beskeder)
    assert [result.error for result in accepted] == [None, None]
    assert inner.given == [2]


class Folder:
    """An inbox whose oldest file came at this moment of the machine's clock."""

    def __init__(self, oldest: datetime | None) -> None:
        self._oldest = oldest

    async def oldest(self) -> datetime | None:
        return self._oldest


async def test_the_age_of_a_waiting_file_is_told_by_the_worlds_clock() -> None:
    clock = ScaledClock.from_now(datetime(2026, 3, 2, 8, tzinfo=UTC), SPEED)
    waiting: Any = Folder(datetime.now(UTC) - timedelta(seconds=6))
    empty: Any = Folder(None)
    found = await _ScaledInbox(waiting, clock).oldest()
    assert found is not None
    assert timedelta(hours=1) <= clock.now() - found < timedelta(hours=2)  # six seconds, 600 times as fast
    assert await _ScaledInbox(empty, clock).oldest() is None
