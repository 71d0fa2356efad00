"""The installed wheel alone carries all that the engine and the console need: migrations, kommuner, texts, the page."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_alone_works_from_any_folder(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    page = tmp_path / "site/console/web/assets"
    assert {path.name for path in page.iterdir()} == {"page.css", "page.html", "page.js"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "engine", *arguments]
        done = subprocess.run(
            command, cwd=elsewhere, env=environment, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    where = [sys.executable, "-c", "import engine; print(engine.__file__)"]
    found = subprocess.run(
        where, cwd=elsewhere, env=environment, capture_output=True, check=True
    ).stdout.decode()
    assert str(tmp_path / "site") in found
    run("init", "home")
    assert run("--home", "home", "kommune", "list", "--json").count('"code"') == 98
    run("--home", "home", "run", "--drain")
