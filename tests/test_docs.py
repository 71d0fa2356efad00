"""The documents say what the program is: files, words, settings and commands are compared with it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.desk.look_up import AdvisState
from engine.domain.acknowledgement import Disposition, PendingState
from engine.domain.advis import AdvisCode
from engine.domain.events import EventKind
from engine.domain.intake import Outcome, QuarantineReason
from engine.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_tour_names_every_file_once_and_no_other():
    named = re.findall(
        r"^- `((?:engine|console)/[^`]+\.py)`:", (ROOT / "docs/rundtur.md").read_text(), re.MULTILINE
    )
    files = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src").rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "versions"
    }
    assert sorted(named) == sorted(files)


@pytest.mark.parametrize(
    "words", [AdvisCode, AdvisState, EventKind, Outcome, QuarantineReason, Disposition, PendingState]
)
def test_the_glossary_has_every_word(words):
    text = (ROOT / "docs/ordbog.md").read_text()
    assert [
        word for word in words if f"| `{word.value}` |" not in text and f"| {word.value} |" not in text
    ] == []


def test_the_readme_has_every_setting_and_no_other():
    in_force = {
        f"{name}.{inner}" if hasattr(field.annotation, "model_fields") else name
        for name, field in Settings.model_fields.items()
        for inner in getattr(field.annotation, "model_fields", [""])
    }
    table = README[README.index("## Settings") : README.index("## How fast")]
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", table, re.MULTILINE)) == in_force


def test_the_readmes_walk_works(tmp_path):
    """Every shell block, in order, in an empty folder, as one script."""
    script = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    assert script.count("sundhedsagent ") >= 10
    program = Path(sys.executable).with_name("sundhedsagent")
    assert program.exists()
    environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    environment.pop("SUNDHEDSAGENT_HOME", None)
    walk = subprocess.Popen(
        [shutil.which("bash") or "sh", "-e", "-m", "-c", script],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = walk.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        os.killpg(walk.pid, signal.SIGKILL)
        raise
    assert walk.returncode == 0, err.decode()
    text = out.decode()
    assert "Københavns Kommune" in text
    assert "Beskedfordeleren har taget imod" in text


def test_no_document_names_a_machine_or_a_registry():
    for path in [
        ROOT / "README.md",
        *ROOT.glob("docs/*.md"),
        ROOT / "CHANGELOG.md",
        ROOT / "requirements.lock",
    ]:
        assert not re.search(
            r"https?://[a-z0-9.]*py(thonhosted|pi)|(?<![\w.])/(work|root|home)/", path.read_text()
        ), path
