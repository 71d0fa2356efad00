import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.world import World, a_database
from tests.servers.postgresql import PostgresServer


@pytest.fixture(scope="session")
def seeded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database with two kommuner, to copy: migrating anew for each test would take most of its time."""
    path = tmp_path_factory.mktemp("seed") / "seed.db"
    db = a_database(path)
    with db.engine.connect() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return path


@pytest.fixture(scope="session")
def seeded_on_server(postgres: PostgresServer) -> str:
    url = postgres.create()
    a_database(url).close()
    return url.rpartition("/")[2]


@pytest.fixture
def make_world(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., World]]:
    """Worlds without the stations that the module's `LEFT_OUT` names: an idle hour is mostly theirs."""
    left_out = getattr(request.module, "LEFT_OUT", ())
    worlds: list[World] = []
    urls: list[str] = []

    def make(**settings: Any) -> World:
        if database_kind == "sqlite":
            path = tmp_path / f"world-{len(worlds)}.db"
            shutil.copy(request.getfixturevalue("seeded_file"), path)
            worlds.append(World(path, left_out, **settings))
        else:
            server: PostgresServer = request.getfixturevalue("postgres")
            urls.append(server.create(request.getfixturevalue("seeded_on_server")))
            worlds.append(World(urls[-1], left_out, **settings))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()
    for url in urls:
        request.getfixturevalue("postgres").drop(url)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
