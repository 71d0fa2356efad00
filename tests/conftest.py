import os
import shutil
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.desk.access import caller_identity
from engine.home import Home


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
