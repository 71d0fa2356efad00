import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.clock import SystemClock
from engine.desk.access import caller_identity
from engine.home import Home
from tests import nothing_personal
from tests.servers.postgresql import PostgresServer, postgres_server


def pytest_configure(config: pytest.Config) -> None:
    nothing_personal.watch_everything()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--everything-on-both",
        action="store_true",
        help="on PostgreSQL also what asks and shows alone (commands, settings, homes), and the long ones",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    everything = config.getoption("--everything-on-both")
    items[:] = [item for item in items if not _is_on_server(item) or _belongs_on_server(item, everything)]


def _is_on_server(item: pytest.Item) -> bool:
    return hasattr(item, "callspec") and item.callspec.params.get("database_kind") == "postgresql"


def _belongs_on_server(item: pytest.Item, everything: bool) -> bool:
    if item.get_closest_marker("sqlite_only"):
        return False
    if everything:
        return True
    if item.get_closest_marker("long_on_server"):
        return False
    # The stations, the desk and the store are where all SQL is.
    return item.path.parent.name in {"flow", "desk", "doctor", "store", "process", "backup"}


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


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """What is true on one kind of database is true on the other: tests that use one run on both."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a worker; each has a database of its own."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home as `init` makes it, to copy: making one takes longer than most tests."""
    return Home.create(tmp_path_factory.mktemp("made") / "home", SystemClock(), caller_identity())


@pytest.fixture(scope="session")
def made_postgres_home(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same with its database on a server."""
    path = tmp_path_factory.mktemp("made") / "home"
    return Home.create(path, SystemClock(), caller_identity(), url=postgres.create())


@pytest.fixture
def power_cuts_are_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the doctor: our own servers keep nothing on a disk."""
    monkeypatch.setattr("engine.doctor.database._MUST_BE_ON", ())


@pytest.fixture
def new_home(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """A fresh home, without any kommune connected."""
    if database_kind == "sqlite":
        made: Home = request.getfixturevalue("made_home")
        yield Home(shutil.copytree(made.path, tmp_path / "home"))
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    made = request.getfixturevalue("made_postgres_home")
    home = Home(shutil.copytree(made.path, tmp_path / "home"))
    template = made.database_url
    url = server.create(template.rpartition("/")[2])
    home.settings_file.write_text(home.settings_file.read_text().replace(template, url))
    yield home
    server.drop(url)
