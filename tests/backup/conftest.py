from collections.abc import Callable, Iterator

import pytest

from engine.home import Home
from tests.backup.life import Life
from tests.process.outside import RECEIVERS, connect
from tests.servers.postgresql import PostgresServer

EmptyDatabase = Callable[[], str | None]


@pytest.fixture
def life(new_home: Home) -> Life:
    """A kommune with three receivers, and all around it."""
    connect(new_home)
    new_home.make_dueslag(*RECEIVERS)
    return Life(new_home)


@pytest.fixture
def empty_database(database_kind: str, request: pytest.FixtureRequest) -> Iterator[EmptyDatabase]:
    """Makes what a backup may be restored into: None for SQLite, whose file is in the home."""
    made: list[str] = []

    def make() -> str | None:
        if database_kind == "sqlite":
            return None
        server: PostgresServer = request.getfixturevalue("postgres")
        made.append(server.create())
        return made[-1]

    yield make
    for url in made:
        request.getfixturevalue("postgres").drop(url)
