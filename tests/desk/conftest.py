from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.home import Home
from engine.store.database import Database


@pytest.fixture
def db(new_home: Home) -> Iterator[Database]:
    db = new_home.open_database()
    yield db
    db.close()


@pytest.fixture
def home_path(new_home: Home) -> Path:
    return new_home.path
