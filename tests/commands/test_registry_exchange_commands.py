import io
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.desk.office import Office
from engine.home import Home
from engine.simulation.registered import connect_roster
from engine.simulation.roster import demo_roster
from tests.commands.conftest import Command

CODES = [kommune.code for kommune in demo_roster(2, 1)]


@pytest.fixture
def roster(new_home: Home) -> Home:
    with Office(new_home) as office, office.administering() as act:
        connect_roster(act, demo_roster(2, 1))
    return new_home


@pytest.fixture
def csv_file(at_home: Command, roster: Home, tmp_path: Path) -> Path:
    file = tmp_path / "register.csv"
    assert at_home("registry", "export", file).status == 0
    return file


def a_terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(answer + "\n"))


def changed(file: Path, old: str = "Systematic", new: str = "Ny") -> Path:
    text = file.read_text(encoding="utf-8-sig")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return file


def as_another(home: Home, *, role: str) -> None:
    with sqlite3.connect(home.database_file) as conn:
        conn.execute("UPDATE role_grant SET role = ?", (role,))
    conn.close()


def exported(at_home: Command, form: str = "json") -> Any:
    return at_home("registry", "export", "--format", form)


def test_the_format_goes_by_the_option_and_else_by_the_name(
    at_home: Command, roster: Home, tmp_path: Path
) -> None:
    csv, other, named = tmp_path / "r.csv", tmp_path / "r.txt", tmp_path / "r.JSON"
    said = at_home("registry", "export", csv)
    assert (said.status, said.err) == (0, "")
    count = sum(len(kommune.receivers) for kommune in demo_roster(2, 1))
    assert said.out == f"2 kommuner med {count} systemer er skrevet til {csv}.\n"
    at_home("registry", "export", named)
    at_home("registry", "export", other, "--format", "JSON")
    assert csv.read_bytes().startswith(b"\xef\xbb\xbfkommunekode;")
    assert named.read_bytes() == other.read_bytes()
    assert [item["code"] for item in json.loads(named.read_bytes())["kommuner"]] == CODES
    assert exported(at_home).json == json.loads(named.read_bytes())
    assert at_home("registry", "export").out.encode() == csv.read_bytes()
    wrong = at_home("registry", "export", "--format", "xml")
    assert (wrong.status, wrong.out) == (2, "")
    assert "skal være en af csv, json, men er 'xml'" in wrong.err


@pytest.mark.sqlite_only
def test_auditors_and_the_hotline_export_but_do_not_import(
    at_home: Command, csv_file: Path, roster: Home
) -> None:
    for role in ("auditor", "hotline"):
        as_another(roster, role=role)
        assert at_home("registry", "export").status == 0
        for option in ("--yes", "--dry-run"):
            found = at_home("registry", "import", csv_file, option)
            assert (found.status, found.out) == (1, "")
            assert "det kræver rollen administrator" in found.err
    as_another(roster, role="kommune")
    assert at_home("registry", "export").status == 1


def test_an_import_into_an_empty_home_makes_the_receivers_mailboxes(
    at_home: Command, csv_file: Path, roster: Home, made_home: Home, new_home: Home
) -> None:
    before = exported(at_home).json
    import shutil

    shutil.rmtree(new_home.path)
    shutil.copytree(made_home.path, new_home.path)
    found = at_home("registry", "import", csv_file, "--yes")
    assert (found.status, found.err) == (0, "")
    receivers = [receiver for kommune in demo_roster(2, 1) for receiver in kommune.receivers]
    *lines, last = found.out.splitlines()
    assert last == f"Indlæst: 2 kommuner tilsluttet, {len(receivers)} systemer tilføjet."
    assert lines[0].startswith("Linje 2: ")
    assert lines[0].endswith(f"({CODES[0]}) tilsluttes")
    assert lines[1].endswith("tilføjes som primært")
    assert lines[2].endswith("tilføjes som kvitterende")
    assert exported(at_home).json == before
    assert {path.name for path in new_home.dueslag.iterdir()} == {item.uuid for item in receivers}


def test_a_dry_run_shows_before_and_after_and_changes_nothing(at_home: Command, csv_file: Path) -> None:
    before = exported(at_home).out
    count = before.count("Systematic")
    found = at_home("registry", "import", changed(csv_file), "--dry-run")
    assert (found.status, found.err) == (0, "")
    assert "    leverandør: Systematic → Ny\n" in found.out
    assert f"Det ville blive: {count} systemer rettet" in found.out.splitlines()[-1] or count == 1
    assert exported(at_home).out == before


def test_an_empty_side_of_a_change_is_a_dash(at_home: Command, csv_file: Path) -> None:
    found = at_home("registry", "import", changed(csv_file, ";kladde;", ";anmodet;"), "--dry-run")
    assert "    serviceaftale datoer: – → anmodet=" in found.out


def test_without_yes_a_person_is_asked(
    at_home: Command, csv_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = exported(at_home).out
    found = at_home("registry", "import", changed(csv_file))
    assert found.status == 1
    assert "Indlæs register.csv? Bekræft med --yes; her er ingen terminal at spørge på." in found.err
    a_terminal(monkeypatch, "n")
    found = at_home("registry", "import", csv_file)
    assert (found.status, found.err) == (1, "Fejl: Afbrudt; intet er ændret.\n")
    assert exported(at_home).out == before
    a_terminal(monkeypatch, "j")
    found = at_home("registry", "import", csv_file)
    assert (found.status, found.err) == (0, "")
    assert "leverandør: Systematic → Ny" in found.out
    assert "Indlæst: " in found.out.splitlines()[-1]
    assert exported(at_home).out == before.replace("Systematic", "Ny")


@pytest.mark.sqlite_only
def test_a_change_between_the_question_and_the_answer_stops_the_import(
    at_home: Command, csv_file: Path, roster: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_question: str) -> str:
        with sqlite3.connect(roster.database_file) as conn:
            conn.execute("UPDATE receiver SET vendor = 'En anden' WHERE vendor = 'Systematic'")
        conn.close()
        return "j"

    a_terminal(monkeypatch, "")
    monkeypatch.setattr("builtins.input", answer)
    found = at_home("registry", "import", changed(csv_file))
    assert found.status == 1
    assert found.err.startswith("Fejl: Registret er ændret, siden du så, hvad importen ville gøre")
    assert "En anden" in exported(at_home).out


@pytest.mark.parametrize("option", ["--yes", "--dry-run", None])
def test_all_faults_stand_on_standard_error(at_home: Command, csv_file: Path, option: str | None) -> None:
    before = exported(at_home).out
    changed(csv_file, "drift@systematic.example", "x")
    found = at_home("registry", "import", csv_file, *([option] if option else []))
    assert (found.status, found.out) == (1, "")
    first, *others = found.err.splitlines()
    assert first.startswith("Fejl: Der er ")
    assert len(others) == before.count("drift@systematic.example")
    assert all('"leverandør e-mail"' in line and line.startswith("  Linje ") for line in others)
    assert exported(at_home).out == before


def test_nothing_to_change_is_told_and_nobody_is_asked(at_home: Command, csv_file: Path) -> None:
    found = at_home("registry", "import", csv_file)
    assert (found.status, found.out) == (0, "Registret svarer til filen; der er intet at ændre.\n")


def test_what_is_absent_is_told_by_kommune(at_home: Command, csv_file: Path) -> None:
    lines = csv_file.read_bytes().splitlines(keepends=True)
    csv_file.write_bytes(b"".join(lines[:2]))
    found = at_home("registry", "import", csv_file)
    assert found.status == 0
    assert "Står ikke i filen; ændres ikke\n" in found.out
    told = [line for line in found.out.splitlines() if line.startswith("  ")]
    assert [f"({code}): " in line for code, line in zip(CODES, told, strict=True)] == [True, True]
    assert sum(line.count("-") // 4 for line in told) == len(lines) - 2


def test_another_encoding_is_told(at_home: Command, csv_file: Path) -> None:
    csv_file.write_bytes(csv_file.read_text(encoding="utf-8-sig").encode("cp1252"))
    found = at_home("registry", "import", csv_file, "--yes")
    assert found.status == 0
    assert found.out.startswith("Bemærk: Filen er ikke UTF-8 og er læst som Windows-1252")


def test_json_for_programs(at_home: Command, csv_file: Path) -> None:
    asked = at_home("registry", "import", csv_file, "--json")
    assert (asked.status, asked.out) == (1, "")
    assert "brug også --dry-run eller --yes" in asked.err
    file = changed(csv_file)
    shown = at_home("registry", "import", file, "--json", "--dry-run").json
    done = at_home("registry", "import", file, "--json", "--yes").json
    assert (shown["applied"], done["applied"]) == (False, True)
    assert shown | {"applied": True} == done
    assert (done["absent"], done["faults"], done["notes"]) == ([], [], [])
    change = done["changes"][0]
    assert (change["kind"], change["place"][:6]) == ("changed", "Linje ")
    assert change["fields"] == [{"field": "leverandør", "before": "Systematic", "after": "Ny"}]
    wrong = at_home("registry", "import", changed(file, "drift@kmd.example", "x"), "--json", "--dry-run")
    assert wrong.status == 1
    fault = wrong.json["faults"][0]
    assert fault["column"] == "leverandør e-mail"
    assert "er ikke en gyldig adresse: 'x'" in fault["message"]
    assert "gyldig adresse" in wrong.err


def test_a_file_that_is_not_there(at_home: Command, tmp_path: Path) -> None:
    found = at_home("registry", "import", tmp_path / "intet.csv", "--yes")
    assert (found.status, found.out) == (1, "")
    assert "intet.csv" in found.err


def test_help_is_danish(at_home: Command) -> None:
    found = at_home("registry", "import", "--help")
    assert found.status == 0
    assert "Indlæs registret fra en fil. Det tilføjer og retter; det fjerner" in found.out
    assert "--dry-run" in found.out
