"""The documents say what the program is: files, words, settings and commands are compared with it, and the README's
five minutes are run.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from enum import StrEnum
from pathlib import Path

import pytest
import typer

from console.command import app
from engine.desk.access import Role
from engine.desk.look_up import AdvisState
from engine.desk.mails import MailState
from engine.desk.switchover_sheet import Fate
from engine.desk.todo import TodoKind
from engine.desk.typed import TypedField
from engine.desk.where import Answer
from engine.domain import events
from engine.domain.acknowledgement import Disposition, PendingState
from engine.domain.advis import AdvisCode
from engine.domain.alarm import CaseKind, MailKind
from engine.domain.audit import Action
from engine.domain.checkup import Verdict
from engine.domain.events import EventKind, Level
from engine.domain.finding import Severity
from engine.domain.incident import Cause, Channel, IncidentState, IncidentStepState, Phase
from engine.domain.intake import Outcome, QuarantineDecision, QuarantineReason
from engine.domain.procedure import RequestState, StepState
from engine.domain.registration import Certification, ServiceAgreement
from engine.domain.switchover import SwitchoverState
from engine.home import HOME_VARIABLE, KEY_VARIABLE, Home
from engine.settings import new_file
from engine.wire.vans_envelope import ReceiptKind

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ORDBOG = (ROOT / "docs/ordbog.md").read_text(encoding="utf-8")
WALK_ENDS_WITHIN_S = 100


def section(heading: str) -> str:
    """The README's chapter of that name."""
    _, _, rest = README.partition(f"\n## {heading}\n")
    assert rest, heading
    return rest.partition("\n## ")[0]


def shell_blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


# --- files and words --------------------------------------------------------------------------------------------------


def test_the_tour_names_every_file_once_and_no_other():
    tour = (ROOT / "docs/rundtur.md").read_text(encoding="utf-8")
    named = re.findall(r"^- `((?:engine|console)/[^`]+\.py)`: \S", tour, re.MULTILINE)
    files = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src").rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "versions"
    }
    assert sorted(named) == sorted(files)


@pytest.mark.parametrize(
    "words",
    [
        Action,
        AdvisCode,
        AdvisState,
        Answer,
        CaseKind,
        Cause,
        Certification,
        Channel,
        Disposition,
        EventKind,
        Fate,
        IncidentState,
        IncidentStepState,
        Level,
        MailKind,
        MailState,
        Outcome,
        PendingState,
        Phase,
        QuarantineDecision,
        QuarantineReason,
        ReceiptKind,
        RequestState,
        Role,
        ServiceAgreement,
        Severity,
        StepState,
        SwitchoverState,
        TodoKind,
        TypedField,
        Verdict,
    ],
)
def test_the_glossary_has_every_word(words: type[StrEnum]):
    assert [word for word in words if not re.search(rf"^\| `?{word.value}`? \|", ORDBOG, re.MULTILINE)] == []


@pytest.mark.parametrize(
    "words",
    [
        Action,
        AdvisCode,
        AdvisState,
        Answer,
        CaseKind,
        Cause,
        Channel,
        Disposition,
        Fate,
        IncidentState,
        IncidentStepState,
        MailKind,
        MailState,
        Phase,
        QuarantineDecision,
        QuarantineReason,
        SwitchoverState,
        TodoKind,
        TypedField,
        Verdict,
    ],
)
def test_the_glossary_has_the_word_on_the_screen(words):
    assert [
        word
        for word in words
        if not re.search(rf"\| `?{word.value}`? \| {re.escape(word.danish)} \|", ORDBOG)
    ] == []


def test_the_glossary_has_every_sentence():
    assert [
        kind for kind, text in events._SENTENCES.items() if f"| `{kind.value}` | {text} |" not in ORDBOG
    ] == []


def anchors(document: Path) -> set[str]:
    """The names of its headings, as links in the same document use them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_links_lead_somewhere():
    documents = [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md")]
    links = [
        (document, target)
        for document in documents
        for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8"))
        if "://" not in target
    ]
    assert len(links) >= 6
    missing = [
        (document.name, target)
        for document, target in links
        if not (document.parent / target.partition("#")[0]).exists()
        or (target.startswith("#") and target[1:] not in anchors(document))
    ]
    assert missing == []


def test_no_document_names_a_machine_or_a_registry():
    documents = [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *ROOT.glob("docs/*.md"),
        ROOT / "requirements.lock",
    ]
    for document in documents:
        text = document.read_text(encoding="utf-8")
        assert not re.search(r"https?://[a-z0-9.]*py(thonhosted|pi)|(?<![\w.])/(work|root|home)/", text), (
            document
        )


# --- the README's tables ----------------------------------------------------------------------------------------------


def defaults() -> dict[str, str]:
    """Every key, dotted, and its default as TOML writes it."""
    found: dict[str, str] = {}
    for name, value in tomllib.loads(new_file()).items():
        inner = (
            {f"{name}.{key}": item for key, item in value.items()}
            if isinstance(value, dict)
            else {name: value}
        )
        found |= {key: json.dumps(item, ensure_ascii=False) for key, item in inner.items()}
    return found


def test_the_readme_has_every_setting_with_its_default_and_no_other():
    rows = re.findall(r"^\| `([a-z_.]+)` \| `([^|]+)` \| [^|]+ \|$", section("Settings"), re.MULTILINE)
    assert dict(rows) == defaults()
    assert len(rows) == len(dict(rows))


def test_the_readme_has_every_variable():
    assert {HOME_VARIABLE, KEY_VARIABLE} <= set(
        re.findall(r"^\| `([A-Z_]+)` \|", section("Settings"), re.MULTILINE)
    )


def test_the_readme_has_every_folder_and_file(tmp_path):
    home = Home(tmp_path)
    named = set(re.findall(r"^\| `([^`]+)` \|", section("The home folder"), re.MULTILINE))
    dueslag = "beskedfordeler/dueslag/"
    folders = {f"{folder.relative_to(tmp_path)}/" for folder in home.folders} - {dueslag}
    files = {path.name for path in (home.settings_file, home.database_file, home.key_file, home.lock_file)}
    assert named == folders | files | {f"{dueslag}<system uuid>/"}


# --- the commands -----------------------------------------------------------------------------------------------------


def command_lines() -> list[list[str]]:
    """Every `sundhedsagent …` in the README's shell blocks and in drift.md's, without what the shell takes."""
    drift = (ROOT / "docs/drift.md").read_text(encoding="utf-8")
    blocks = shell_blocks(README) + re.findall(r"^```\n(.*?)^```", drift, re.DOTALL | re.MULTILINE)
    text = "\n".join(blocks).replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [[word for word in line[1:] if word != "&"] for line in lines if line[:1] == ["sundhedsagent"]]


def test_the_commands_in_the_readme_can_be_given():
    """They are parsed, as the program would, and not carried out."""
    assert len(command_lines()) >= 35
    for line in command_lines():
        command, words = typer.main.get_command(app.whole()), list(line)
        while hasattr(command, "commands") and (words or not command.invoke_without_command):
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        command.make_context("sundhedsagent", words)


def test_the_commands_that_the_documents_speak_of_exist():
    root = typer.main.get_command(app.whole())
    for document in (ROOT / "README.md", *ROOT.glob("docs/*.md")):
        for spoken in re.findall(r"`sundhedsagent ([a-z][^`]*)`", document.read_text(encoding="utf-8")):
            command = root
            for word in spoken.split():
                if not hasattr(command, "commands"):
                    break
                assert word in command.commands, (document.name, spoken)
                command = command.commands[word]


def test_the_readme_names_the_make_targets_that_there_are():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"^make (\w+)$|`make (\w+)`", README, re.MULTILINE))
    assert {first or second for first, second in named} <= targets


@pytest.mark.timeout(WALK_ENDS_WITHIN_S + 20)
def test_the_five_minutes_can_be_pasted(tmp_path):
    """The chapter's shell blocks, in order, in an empty folder, as one script that stops at the first failure."""
    script = "\n".join(shell_blocks(section("Five minutes")))
    program = tmp_path / "bin" / "sundhedsagent"
    program.parent.mkdir()
    # Not the installed script: the package that is tested, whatever else is on the path.
    call = "import sys; from console.command import main; sys.exit(main())"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{call}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUNDHEDSAGENT_")}
    environment |= {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONUTF8": "1",
    }
    # Files, not pipes: an engine that outlived a failed script would hold a pipe open.
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        walk = subprocess.Popen(
            [shutil.which("bash") or "sh", "-e", "-c", script],
            cwd=folder,
            env=environment,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            status = walk.wait(WALK_ENDS_WITHIN_S)
        finally:
            with contextlib.suppress(ProcessLookupError):  # all have ended, as they should
                os.killpg(walk.pid, signal.SIGTERM)
    assert status == 0, err.read_text(encoding="utf-8")
    text = out.read_text(encoding="utf-8")
    for said in (
        "Aarhus Kommune (0751) er tilsluttet.",
        "Sundhedsagenten kører i",
        "Motoren kører. Tilsluttede kommuner: 1",
        "Beskedfordeleren har taget imod (StatusKode 20)",
        "er sendt til sygehuset i konvolut",
        '"reason": "not-an-envelope"',
    ):
        assert said in text, said
