"""What all commands have in common: the home, the exit status, errors, help."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import engine.commands.settings
from engine.commands.app import app
from engine.commands.danish import danish_fault, danish_help
from engine.errors import HomeError
from engine.home import HOME_VARIABLE, Home
from tests.commands.conftest import Command

ENGLISH = re.compile(
    r"\b(Usage|Options|Commands|Arguments|Show this|message|exit|required|default|missing|No such|Invalid|value|"
    r"Input|should|requires|unexpected|extra|Try|Error|Did|you|mean|Possible)\b",
    re.IGNORECASE,
)
EVERY = (
    (),
    ("init",),
    ("db", "upgrade"),
    ("settings",),
    ("run",),
    ("pending",),
    ("status",),
    ("simulate",),
    *((noun, *verb) for noun in ("kommune", "receiver", "advis") for verb in ((), ("list",))),
    ("kommune", "connect"),
    ("kommune", "show"),
    ("receiver", "add"),
    ("advis", "show"),
    ("advis", "trace"),
)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_help_is_danish(command: Command, words: tuple[str, ...]) -> None:
    found = command(*words, "--help")
    assert found.status == 0
    assert found.out.startswith("Brug: sundhedsagent")
    assert "Vis denne hjælp." in found.out
    # What stands after dashes or in capitals is a name.
    text = re.sub(r"--[a-z-]+|\b[A-Z_]+\b", "", found.out)
    assert ENGLISH.findall(text) == []
    assert all(len(line) <= 100 for line in found.out.splitlines())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("advis", "show"), "Argumentet 'ID' mangler."),
        (("kommune", "connect", "0751"), "Valget '--gln' mangler."),
        (("kommune", "lst"), "Der findes ingen kommando 'lst'. Mente du 'list'?"),
        (("qqqqq",), "Der findes ingen kommando 'qqqqq'."),
        (("kommune", "list", "--jsn"), "Der findes intet valg --jsn. Mente du --json?"),
        (("kommune", "list", "--qqqqq"), "Der findes intet valg --qqqqq."),
        (("advis", "list", "--code"), "Valget '--code' kræver en værdi."),
        (("advis", "list", "--json=x"), "Valget '--json' tager ingen værdi."),
        (("advis", "show", "1", "2"), "For mange argumenter: 2"),
        (("advis", "list", "--limit", "x"), "'--limit' skal være et helt tal."),
        (("advis", "list", "--limit", "0"), "'--limit' skal være mindst 1."),
        (("simulate", "--kommuner", "99"), "'--kommuner' skal være højst 98."),
        (("simulate", "--rate", "x"), "'--rate' skal være et tal."),
        (("simulate", "--habits", "x"), "--habits: skal være en af flawless"),
        (("advis", "list", "--state", "x"), "--state: skal være en af refused"),
        (("advis", "list", "--code", "x"), "--code: skal være en af STAA"),
        (("advis", "list", "--since", "i går"), '--since: skal skrives som "2026-07-01"'),
        (("--home",), "Valget '--home' kræver en værdi."),
        (("status", "--home"), "Valget '--home' kræver en værdi."),
    ],
)
def test_wrong_use_is_told_in_danish_with_status_2(
    command: Command, words: tuple[str, ...], told: str
) -> None:
    found = command(*words)
    assert found.status == 2
    assert found.out == ""
    assert f"Fejl: {told}" in found.err
    assert ENGLISH.findall(re.sub(r"--[a-z-]+", "", found.err)) == []


@pytest.mark.parametrize("words", [(), ("kommune",), ("advis",)])
def test_without_a_command_the_help_is_shown_with_status_2(command: Command, words: tuple[str, ...]) -> None:
    found = command(*words)
    assert (found.status, found.out) == (2, "")
    assert "Kommandoer:" in found.err


def test_a_home_of_others_is_refused_in_danish() -> None:
    said = "Invalid value for '--home': path '/hjem' is not readable."
    assert danish_fault(said) == "'--home': du må ikke læse '/hjem'."


def test_what_typer_says_anew_is_passed_on() -> None:
    assert danish_fault("Something new.") == "Something new."
    assert danish_help("Nothing to translate") == "Nothing to translate"


def test_the_version(command: Command) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", command("--version").out)


def test_the_home_stands_before_or_after_the_command(
    command: Command, new_home: Home, tmp_path: Path
) -> None:
    path = str(new_home.path)
    forms = (
        ("--home", path, "kommune", "list", "--json"),
        ("kommune", "--home", path, "list", "--json"),
        ("kommune", "list", "--json", "--home", path),
        ("kommune", "list", f"--home={path}", "--json"),
    )
    for words in forms:
        found = command(*words)
        assert (found.status, len(found.json)) == (0, 98), words
    missing = tmp_path / "nowhere"
    assert command("kommune", "list", "--home", missing).err == (
        f"Fejl: Mappen {missing} findes ikke. Opret en hjemmemappe med: sundhedsagent init {missing}\n"
    )


def test_after_two_dashes_nothing_is_an_option(at_home: Command) -> None:
    assert "--home" in at_home("kommune", "show", "--", "--home").err


def test_the_home_comes_from_the_environment(
    command: Command, new_home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    found = command("status")
    assert (found.status, found.out) == (1, "")
    assert "Ingen hjemmemappe er valgt" in found.err
    monkeypatch.setenv(HOME_VARIABLE, str(new_home.path))
    assert command("status").status == 0


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def home_of(_: typer.Context) -> Home:
        raise error

    monkeypatch.setattr(engine.commands.settings, "home_of", home_of)


def test_errors_of_ours_are_status_1_and_cannot_move_the_cursor(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(HomeError("to\nlinjer \x1b[2J\u202e"), monkeypatch)
    found = command("settings")
    assert (found.status, found.err) == (1, "Fejl: to\nlinjer \ufffd[2J\ufffd\n")


def test_an_unexpected_error_shows_its_place_and_not_its_words(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(ValueError("0101010101"), monkeypatch)
    found = command("settings")
    assert found.status == 1
    assert "Uventet fejl (ValueError)" in found.err
    assert "test_command_line.py" in found.err
    assert "0101010101" not in found.err


def test_trouble_with_files_and_interruption(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(PermissionError(13, "x", "/some/file"), monkeypatch)
    assert command("settings").err.startswith("Fejl: /some/file: ")
    raising(KeyboardInterrupt(), monkeypatch)
    assert command("settings").status == 130


@pytest.mark.sqlite_only
def test_a_locked_database_is_told(at_home: Command, new_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.store.sqlite

    monkeypatch.setattr(engine.store.sqlite, "BUSY_TIMEOUT_MS", 50)
    holder = sqlite3.connect(new_home.database_file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    words = ("--name", "x", "--uuid", "x", "--vendor", "x", "--vendor-email", "x")
    found = at_home("receiver", "add", "0751", *words)
    holder.close()
    assert (found.status, found.err) == (
        1,
        "Fejl: Databasen kan ikke bruges nu: databasen er låst af et andet program; prøv igen.\n",
    )


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "engine", *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_as_a_process(new_home: Home) -> None:
    found = run("--home", str(new_home.path), "kommune", "show", "0147")
    assert (found.returncode, found.stderr) == (0, "")
    assert "Frederiksberg Kommune (0147)" in found.stdout
    assert run("--home", str(new_home.path), "kommune", "show", "x").returncode == 1
    assert run("nothing").returncode == 2


def test_a_reader_that_has_had_enough_is_no_error(new_home: Home) -> None:
    line = f'"{sys.executable}" -m engine --home "{new_home.path}" kommune list | head -1; echo ${{PIPESTATUS[0]}}'
    found = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    assert found.stderr == ""
    assert found.stdout.splitlines()[1:] == ["0"]


@pytest.mark.parametrize("written", [("--home", "kommune", "status"), ("status", "--home=kommune")])
def test_a_home_may_have_the_name_of_a_command(
    command: Command, written: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("init", "kommune").status == 0
    found = command(*written)
    assert (found.status, found.err) == (0, "")
    assert "Motoren" in found.out


def test_looking_at_help_imports_neither_database_nor_settings() -> None:
    code = (
        "import sys; from engine.commands.app import main; main(['status', '--help'])\n"
        "heavy = {'sqlalchemy', 'alembic', 'pydantic', 'lxml', 'structlog', 'engine.commands.run'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_each_command_is_found_without_the_others() -> None:
    """One that is not would be found all the same, but as slowly as if all were asked for."""
    names = list(typer.main.get_command(app.whole()).commands)
    assert len(names) > 25
    for name in names:
        assert list(typer.main.get_command(app.only(name)).commands) == [name]


@pytest.mark.sqlite_only
def test_a_look_up_does_not_import_what_it_does_not_need(new_home: Home) -> None:
    code = (
        f"import sys; from engine.commands.app import main; main(['status', '--home', {str(new_home.path)!r}])\n"
        "heavy = {'alembic', 'lxml', 'structlog', 'cryptography', 'engine.service'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
