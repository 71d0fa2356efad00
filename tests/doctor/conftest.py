import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from engine.domain.checkup import Checked, Verdict
from engine.home import Home
from tests.servers.postgresql import PostgresServer


@pytest.fixture
def home(made_home: Home, tmp_path: Path) -> Home:
    """A fresh one on SQLite: most of what is looked at has nothing to do with the kind of database."""
    return Home(shutil.copytree(made_home.path, tmp_path / "home"))


@pytest.fixture
def server_home(postgres: PostgresServer, made_postgres_home: Home, tmp_path: Path) -> Iterator[Home]:
    """A fresh one on PostgreSQL, for what a file does not have."""
    home = Home(shutil.copytree(made_postgres_home.path, tmp_path / "home"))
    template = home.database_url
    url = postgres.create(template.rpartition("/")[2])
    home.settings_file.write_text(home.settings_file.read_text().replace(template, url))
    yield home
    postgres.drop(url)


def of(found: Iterable[Checked], verdict: Verdict) -> list[str]:
    """What was found with this verdict."""
    return [each.found for each in found if each.verdict is verdict]


def only(found: Iterable[Checked]) -> Checked:
    """The one line; where it is not fine it says what to do."""
    (line,) = found
    assert (line.do == "") == (line.verdict is Verdict.GOOD)
    return line
