import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.clock import SystemClock
from engine.desk.access import caller_identity
from engine.home import Home
from tests import nothing_personal


def pytest_configure(config: pytest.Config) -> None:
    nothing_personal.watch_everything()


@pytest.fixture(autouse=True)
def searched_for_persons(request: pytest.FixtureRequest) -> None:
    """What is found tells the test in which it was written."""
    nothing_personal.SEARCH.test = request.node.nodeid


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each worker hands over what it found; the one that started them fails the run."""
    found, searched = nothing_personal.SEARCH.found, nothing_personal.SEARCH.searched
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["persons_found"], output["persons_searched"] = found, dict(searched)
    elif found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker of pytest-xdist has ended."""
    nothing_personal.SEARCH.found += node.workeroutput.get("persons_found", [])
    nothing_personal.SEARCH.searched.update(node.workeroutput.get("persons_searched", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    search = nothing_personal.SEARCH
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(search.searched.items()))
    terminalreporter.write_line(f"Searched for persons: {told or 'nothing'}")
    for line in search.found[:20]:
        terminalreporter.write_line(f"PERSON FOUND {line}", red=True)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a home and settings of their own."""
    for name in list(os.environ):
        if name.upper().startswith("SUNDHEDSAGENT_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home as `init` makes it, to copy: making one takes longer than most tests."""
    return Home.create(tmp_path_factory.mktemp("made") / "home", SystemClock(), caller_identity())


@pytest.fixture
def new_home(made_home: Home, tmp_path: Path) -> Home:
    """A fresh home, without any kommune connected."""
    return Home(shutil.copytree(made_home.path, tmp_path / "home"))
