import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.clock import SimulatedClock, SystemClock
from engine.commands.app import main
from engine.desk import office
from engine.home import Home
from engine.store.postgresql import DatabaseClock


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Result]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """The command line in this process."""

    def run(*arguments: object) -> Result:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return Result(status, *capfd.readouterr())

    return run


@pytest.fixture
def at_home(command: Command, new_home: Home) -> Command:
    """The command line on a fresh home."""
    return lambda *arguments: command("--home", new_home.path, *arguments)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimulatedClock:
    """The machine's clock, to turn: a Monday in winter, ten in the morning in Denmark."""
    simulated = SimulatedClock(datetime(2026, 11, 23, 9, tzinfo=UTC))
    monkeypatch.setattr(SystemClock, "now", lambda _: simulated.now())
    monkeypatch.setattr(SystemClock, "steady", lambda _: simulated.steady())
    monkeypatch.setattr(DatabaseClock, "now", lambda _: simulated.now())
    return simulated


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sit down as another user of the operating system."""
    return lambda name: monkeypatch.setattr(office, "caller_identity", lambda _home: name)


@pytest.fixture
def db(new_home: Home) -> Any:
    db = new_home.open_database()
    yield db
    db.close()
