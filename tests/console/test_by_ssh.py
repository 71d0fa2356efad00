"""The console as sudo opens it for somebody who came by ssh."""

from collections.abc import Callable
from pathlib import Path

import pytest
from screenshots.person import at_work, opened
from screenshots.scenes import Scene

from engine.home import Home


async def test_nobody_is_stopped_where_there_is_no_shell_to_wake_them(
    scene_path: Callable[[Scene], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_UID", "4000123")
    with at_work():
        async with opened(Home(scene_path(Scene.OVERDUE)), scene=Scene.OVERDUE) as person:
            await person.presses("ctrl+z")
            person.hears("ikke med sudo")
