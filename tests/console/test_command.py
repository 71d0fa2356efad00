"""The script `sundhedsagent`: the engine's commands and the console's."""

import subprocess
import sys
from pathlib import Path

import pytest

from console.command import main
from engine.home import Home


def test_it_has_the_commands_of_the_engine_and_of_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name in ("init", "run", "advis", "status", "demo"):
        assert f"  {name} " in out


def test_the_engine_alone_has_no_demo() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "engine", "demo"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, "'demo'" in found.stderr) == (2, True)


def test_the_demo_runs_the_whole_path(tmp_path: Path) -> None:
    script = "import sys; from console.command import main; sys.exit(main())"
    arguments = ["--home", str(tmp_path / "home"), "demo", "--seconds", "6", "--seed", "4", "--kommuner", "3"]
    found = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=90, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert "Intet er gået tabt" in found.stdout
    assert "\x1b" not in found.stdout
    Home.open(tmp_path / "home")


def test_the_demo_wants_a_fresh_home(new_home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(new_home.path), "demo"]) == 1
    assert "allerede en hjemmemappe" in capsys.readouterr().err


def test_only_the_server_for_browsers_imports_a_server(new_home: Home) -> None:
    """The others must be there at once."""
    script = (
        "import sys; from console.command import main; main(sys.argv[1:]); import console.app;"
        "print(sorted({'aiohttp', 'textual_serve', 'jinja2', 'starlette'} & set(sys.modules)), file=sys.stderr)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, "--home", str(new_home.path), "status"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert found.stderr.strip() == "[]"


def test_the_first_picture_waits_for_textual_alone(new_home: Home) -> None:
    """Database, settings and what reads arguments with types are imported while a person looks at it already."""
    script = (
        "import io, sys\n"
        "class Terminal(io.StringIO):\n"
        "    def isatty(self): return True\n"
        "sys.stdin, sys.stdout, shell = Terminal(), Terminal(), sys.stdout\n"
        "import console.app\n"
        "from console.command import main\n"
        "heavy = {'pydantic', 'sqlalchemy', 'lxml', 'structlog', 'alembic'}\n"
        "console.app.run_console = lambda home, **_: print(home.path, sorted(heavy & set(sys.modules)), file=shell)\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, "console", "--home", str(new_home.path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (found.stdout, found.stderr) == (f"{new_home.path} []\n", "")
