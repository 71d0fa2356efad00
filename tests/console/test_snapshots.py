"""Every view at every size on every scene, as text: a difference reads like the screen.

`make snapshots` writes them anew; look at what has changed before you commit it.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from screenshots.person import at_work, opened
from screenshots.scenes import Scene
from tests.console.conftest import SIZES

from console.actions import VIEWS
from engine.home import Home

_FOLDER = Path(__file__).parent / "snapshots"
_WRITES = bool(os.environ.get("WRITE_SNAPSHOTS"))


def compare(name: str, text: str) -> None:
    path = _FOLDER / f"{name}.txt"
    if _WRITES:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8").split("\n") == text.split("\n")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", Scene)
async def test_every_view_looks_as_it_did(
    scene: Scene, size: tuple[int, int], scene_path: Callable[[Scene], Path]
) -> None:
    home = Home(scene_path(scene))
    with at_work(scene):
        async with opened(home, size=size, scene=scene) as person:
            for key, view in enumerate(VIEWS, start=1):
                await person.presses(str(key))
                compare(f"{scene}/{size[0]}x{size[1]}/{key}-{view}", person.screen)
