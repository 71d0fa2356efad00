"""The scenes, made once for a run."""

import fcntl
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from screenshots.scenes import Scene, make_scene

from engine.home import Home

SIZES = ((60, 15), (80, 24), (120, 34), (200, 60))


@pytest.fixture(scope="session")
def scene_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Scene], Path]:
    """Where a scene lies: made once, for all workers of the run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base

    def path_of(scene: Scene) -> Path:
        folder = shared / f"scene-{scene}"
        with (shared / f"scene-{scene}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                making = folder.with_name(f"making-{scene}")
                with ThreadPoolExecutor(1) as elsewhere:  # an event loop may run here already
                    elsewhere.submit(make_scene, scene, making).result()
                making.rename(folder)
        return folder

    return path_of


@pytest.fixture
def scene_home(scene_path: Callable[[Scene], Path], tmp_path: Path) -> Callable[[Scene], Home]:
    """A scene to do things in: a copy of one's own."""

    def home_of(scene: Scene) -> Home:
        return Home(shutil.copytree(scene_path(scene), tmp_path / f"scene-{scene}"))

    return home_of
