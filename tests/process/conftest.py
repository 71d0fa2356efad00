from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.home import Home
from tests.process.outside import Outside, connect


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    home = Home.create(tmp_path / "home", SystemClock(), "test")
    connect(home)
    return Outside(home)
