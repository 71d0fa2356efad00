import errno
import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from sqlalchemy import insert, update

from engine.commands import template
from engine.commands.app import main, root
from engine.commands.danish import Commands
from engine.desk.access import caller_identity
from engine.home import Home
from engine.store import tables
from engine.store.database import Database
from tests.commands.conftest import Command, Result

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
CURA = "abcdef01-0000-4000-8000-000000000000"

commands = Commands("Til test.")
commands.callback()(root)
commands.add_typer(template.app, name="template")


@pytest.fixture
def at_home(capfd: pytest.CaptureFixture[str], new_home: Home) -> Command:
    """The command line with `template`, on a fresh home."""

    def run(*arguments: object) -> Result:
        capfd.readouterr()
        status = main(["--home", str(new_home.path), *map(str, arguments)], commands=commands)
        return Result(status, *capfd.readouterr())

    return run


@pytest.fixture
def aarhus(db: Database) -> Database:
    with db.writing() as tx:
        receiver = {
            "id": 1,
            "kommune_code": "0751",
            "system_uuid": CURA,
            "name": "Cura",
            "vendor": "Systematic",
            "vendor_email": "drift@s.example",
            "added_at": NOON,
        }
        tx.insert(tables.receiver, [receiver])
        connection = {
            "kommune_code": "0751",
            "primary_receiver_id": 1,
            "contact_email": "advis@aarhus.example",
            "connected_at": NOON,
        }
        tx.insert(tables.connection, [connection])
    return db


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def only_kommune(db: Database) -> Callable[[str], None]:
    """Makes the caller one with the role kommune alone."""

    def of(code: str) -> None:
        with db.writing() as tx:
            tx.conn.execute(update(tables.role_grant).values(role="kommune", kommune_code=code))

    return of


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_show_tells_the_rows_and_what_is_missing(at_home: Command, aarhus: Database) -> None:
    at_home("template", "set", "0751", "--field", "lokal-kontakt", "--value", "Bo", "--receiver", "cura")
    found = at_home("template", "show", "aarhus")
    assert (found.status, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[0] == "Skabelon til forvaltning af Sundhedsagenten – Aarhus Kommune (0751)"
    headings = [line for place, line in enumerate(lines) if place and not lines[place - 1]]
    assert headings == [
        "Kommune",
        "Leverandør af modtagersystem Cura",
        "MultiMed (leverandør af Sundhedsagenten)",
        "MedCom (certificering af leverandører)",
        "KOMBIT",
        "Mangler",
    ]
    assert "Kontaktpunkt                advis@aarhus.example" in lines
    typed = next(line for line in lines if line.startswith("Lokal kontakt"))
    assert " Bo  [" + caller_identity() + ", 20" in typed
    assert typed.endswith(", version 1]")
    assert lines[lines.index("Mangler") + 1 :] == [
        "Sundhedsagentadministrator (Kommune)",
        "Kontakt hos leverandøren (Leverandør af modtagersystem Cura)",
    ]


def test_show_as_json(at_home: Command, aarhus: Database) -> None:
    found = at_home("template", "show", "0751", "--json").json
    assert list(found) == ["kommune_code", "kommune_name", "made_at", "rows", "missing"]
    assert [row["key"] for row in found["rows"]] == ["kommune", "receiver:1", "supplier", "medcom", "kombit"]
    assert found["rows"][0]["fields"][1] == {
        "key": "administrator",
        "label": "Sundhedsagentadministrator",
        "value": "",
        "origin": "typed",
        "typed_at": None,
        "typed_by": None,
        "version": 0,
        "missing": True,
    }
    assert found["missing"][0] == {
        "row": "kommune",
        "party": "Kommune",
        "label": "Sundhedsagentadministrator",
    }


def test_nothing_missing_is_said(at_home: Command, aarhus: Database) -> None:
    at_home("template", "set", "0751", "--field", "administrator", "--value", "Mette")
    for field in ("lokal-kontakt", "leverandør-kontakt"):
        at_home("template", "set", "0751", "--field", field, "--value", "Bo", "--receiver", CURA.upper())
    assert at_home("template", "show", "0751").out.endswith("\nMangler\nIntet.\n")


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("administrator", "Administrator", "Sundhedsagentadministrator"), "administrator"),
        (("lokal-kontakt", "local-contact", "LOKALKONTAKT"), "local-contact"),
        (
            ("leverandoer-kontakt", "leverandørkontakt", "leverandør-kontakt", "vendor-contact"),
            "vendor-contact",
        ),
        (("kommentar", "comment"), "comment"),
    ],
)
def test_fields_have_danish_and_english_names(
    at_home: Command, aarhus: Database, words: tuple[str, ...], key: str
) -> None:
    receiver = () if key == "administrator" else ("--receiver", "Cura")
    for word in words:
        found = at_home("template", "set", "0751", "--field", word, "--value", f"af {word}", *receiver)
        assert (found.status, found.err) == (0, "")
        rows = at_home("template", "show", "0751", "--json").json["rows"]
        value = {field["key"]: field["value"] for row in rows[:2] for field in row["fields"]}[key]
        assert value == f"af {word}"


def test_set_says_what_became_of_it(at_home: Command, aarhus: Database) -> None:
    def put(value: str, *more: str) -> Result:
        return at_home("template", "set", "0751", "--field", "administrator", "--value", value, *more)

    assert put("Mette").out == "Feltet Sundhedsagentadministrator (Aarhus Kommune) er udfyldt.\n"
    assert put("Mette").out == "Feltet Sundhedsagentadministrator (Aarhus Kommune) står sådan i forvejen.\n"
    outdated = put("Ole", "--version", "0")
    assert (outdated.status, outdated.out) == (1, "")
    assert 'nu "Mette", du ville skrive "Ole"' in outdated.err
    assert put("", "--version", "1").out == "Feltet Sundhedsagentadministrator (Aarhus Kommune) er tømt.\n"
    found = at_home("template", "set", "0751", "--field", "kommentar", "--value", "x", "--receiver", " cura ")
    assert found.out == "Feltet kommentar (cura, Aarhus Kommune) er udfyldt.\n"


def test_set_refuses_what_it_does_not_know(at_home: Command, aarhus: Database) -> None:
    found = at_home("template", "set", "0751", "--field", "telefon", "--value", "x")
    assert found.status == 2
    assert "--field: skal være administrator, lokal-kontakt" in found.err
    found = at_home("template", "set", "0751", "--field", "kommentar", "--value", "x")
    assert found.status == 1
    assert f"angiv hvilket:\n  Cura ({CURA})" in found.err
    found = at_home("template", "set", "0751", "--field", "kommentar")
    assert (found.status, "--value" in found.err) == (2, True)


def test_export_writes_a_docx_where_one_stands(at_home: Command, aarhus: Database, here: Path) -> None:
    found = at_home("template", "export", "0751")
    assert (found.status, found.out, found.err) == (0, "Skrevet: skabelon-0751.docx\n", "")
    assert names(here) == ["skabelon-0751.docx"]
    [table] = Document(here.joinpath("skabelon-0751.docx")).tables
    assert [row.cells[0].text for row in table.rows][1:3] == ["Kommune", "Leverandør af modtagersystem Cura"]


@pytest.mark.parametrize(
    ("words", "name", "start"),
    [
        (("--format", "html"), "skabelon-0101.html", b"<!DOCTYPE html>"),
        (("--format", "MD"), "skabelon-0101.md", b"# Skabelon"),
        (("--out", "ark.html"), "ark.html", b"<!DOCTYPE html>"),
        (("--out", "ark.MD"), "ark.MD", b"# Skabelon"),
        (("--out", "ark"), "ark", b"PK"),
        (("--out", "ark.txt", "--format", "md"), "ark.txt", b"# Skabelon"),
    ],
)
def test_export_in_a_format(
    at_home: Command, here: Path, words: tuple[str, ...], name: str, start: bytes
) -> None:
    assert at_home("template", "export", "0101", *words).out == f"Skrevet: {name}\n"
    assert names(here) == [name]
    assert here.joinpath(name).read_bytes().startswith(start)


def test_export_overwrites_only_by_force(at_home: Command, here: Path) -> None:
    file = here / "skabelon-0751.md"
    file.write_text("min egen")
    found = at_home("template", "export", "0751", "--format", "md")
    assert (found.status, found.out) == (1, "")
    assert "skabelon-0751.md findes i forvejen. Intet er skrevet. Overskriv med --force." in found.err
    assert file.read_text() == "min egen"
    assert at_home("template", "export", "0751", "--format", "md", "--force").status == 0
    assert file.read_text().startswith("# Skabelon")
    assert names(here) == [file.name]


def test_the_file_has_the_permissions_of_any_other(at_home: Command, here: Path) -> None:
    before = os.umask(0o027)
    try:
        at_home("template", "export", "0751")
    finally:
        os.umask(before)
    assert here.joinpath("skabelon-0751.docx").stat().st_mode & 0o777 == 0o640


def test_export_all_writes_one_per_kommune(at_home: Command, aarhus: Database, tmp_path: Path) -> None:
    folder = tmp_path / "nye" / "ark"
    found = at_home("template", "export", "--all", folder, "--format", "alle")
    assert (found.status, found.err) == (0, "")
    assert found.out == f"98 skabeloner (docx, html, md) er skrevet i {folder}: 294 filer.\n"
    assert len(names(folder)) == 294
    assert {"skabelon-0101.md", "skabelon-0751.docx", "skabelon-0860.html"} <= set(names(folder))
    assert "Cura" in folder.joinpath("skabelon-0751.md").read_text()
    assert "Cura" not in folder.joinpath("skabelon-0101.md").read_text()
    Document(io.BytesIO(folder.joinpath("skabelon-0860.docx").read_bytes()))


def test_export_all_overwrites_only_by_force(at_home: Command, tmp_path: Path) -> None:
    for code in ("0751", "0860"):
        tmp_path.joinpath(f"skabelon-{code}.md").write_text("min egen")
    before = names(tmp_path)
    found = at_home("template", "export", "--all", tmp_path, "--format", "md")
    assert found.status == 1
    assert "2 af filerne findes i forvejen, fx" in found.err
    assert names(tmp_path) == before
    assert at_home("template", "export", "--all", tmp_path, "--format", "md", "--force").status == 0
    assert tmp_path.joinpath("skabelon-0860.md").read_text().startswith("# Skabelon")


def test_a_kommune_reads_fills_in_and_exports_its_own_alone(
    at_home: Command, only_kommune: Callable[[str], None], tmp_path: Path
) -> None:
    only_kommune("0751")
    folder = tmp_path / "ark"
    assert at_home("template", "export", "--all", folder).out == (
        f"1 skabelon (docx) er skrevet i {folder}: 1 fil.\n"
    )
    assert names(folder) == ["skabelon-0751.docx"]
    assert at_home("template", "set", "0751", "--field", "administrator", "--value", "Mette").status == 0
    assert at_home("template", "show", "0751").status == 0
    for words in (
        ("show", "0101"),
        ("export", "0101", "--out", tmp_path / "x.docx"),
        ("set", "0101", "--field", "administrator", "--value", "x"),
    ):
        found = at_home("template", *words)
        assert (found.status, found.out) == (1, "")
        assert "rollen kommune for 0101" in found.err
    assert not tmp_path.joinpath("x.docx").exists()


def test_an_auditor_reads_and_does_not_fill_in(at_home: Command, db: Database) -> None:
    with db.writing() as tx:
        tx.conn.execute(update(tables.role_grant).values(role="auditor"))
    assert at_home("template", "show", "0101").status == 0
    found = at_home("template", "set", "0101", "--field", "administrator", "--value", "x")
    assert (found.status, "kræver rollen administrator" in found.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said", "status"),
    [
        ((), "Angiv enten en kommune eller --all MAPPE.", 1),
        (("0751", "--all", "ark"), "Angiv enten en kommune eller --all MAPPE.", 1),
        (("--all", "ark", "--out", "x.md"), "--out er til én kommune", 1),
        (("0751", "--format", "pdf"), "--format: skal være en af docx, html, md, men er 'pdf'.", 2),
        (("0751", "--format", "alle"), "--format: skal være en af docx, html, md, men er 'alle'.", 2),
        (("--all", "ark", "--format", "pdf"), "skal være en af docx, html, md, alle", 2),
    ],
)
def test_export_refuses_what_makes_no_sense(
    at_home: Command, here: Path, words: tuple[str, ...], said: str, status: int
) -> None:
    found = at_home("template", "export", *words)
    assert (found.status, found.out) == (status, "")
    assert said in found.err
    assert names(here) == []


def test_a_folder_that_cannot_be_written(at_home: Command, here: Path) -> None:
    found = at_home("template", "export", "0751", "--out", "mangler/ark.docx")
    assert found.err == "Fejl: mangler/ark.docx kan ikke skrives: filen eller mappen findes ikke.\n"
    here.joinpath("fil").write_text("x")
    found = at_home("template", "export", "0751", "--out", "fil/ark.docx")
    assert found.err == "Fejl: fil/ark.docx kan ikke skrives: en del af stien er ikke en mappe.\n"
    for folder, why in (("fil", "det er ikke en mappe"), ("fil/ark", "en del af stien er ikke en mappe")):
        found = at_home("template", "export", "--all", folder)
        assert found.err == f"Fejl: Mappen {folder} kan ikke oprettes: {why}.\n"
    here.joinpath("mappe").mkdir()
    found = at_home("template", "export", "0751", "--out", "mappe", "--force")
    assert found.err == "Fejl: mappe kan ikke skrives: det er en mappe.\n"
    long = "x" * 250 + ".docx"  # as long as a name may be: the temporary one is shorter
    assert at_home("template", "export", "0751", "--out", long).status == 0
    assert names(here) == ["fil", "mappe", long]
    assert at_home("template", "export", "0751", "--out", "x" * 300).status == 1


def test_a_folder_of_somebody_else(at_home: Command, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.open

    def refused(path: Any, *how: Any, **more: Any) -> int:
        # Root may write anywhere, so the refusal is made up; for these files alone, for pytest opens some too.
        if ".sundhedsagent-" in str(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return really(path, *how, **more)

    monkeypatch.setattr(os, "open", refused)
    found = at_home("template", "export", "0751")
    assert found.err == "Fejl: skabelon-0751.docx kan ikke skrives: du har ikke adgang.\n"
    assert names(here) == []


def _refusing(number: int) -> Callable[..., Any]:
    def refuse(*_arguments: object, **_options: object) -> Any:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_nothing_half_written(
    at_home: Command, here: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    here.joinpath("gammel.md").write_text("min egen")
    place = os if step == "fsync" else Path
    monkeypatch.setattr(place, step, _refusing(errno.ENOSPC))
    found = at_home("template", "export", "0751", "--out", "gammel.md", "--force")
    assert (found.status, found.out) == (1, "")
    assert found.err == "Fejl: gammel.md kan ikke skrives: der er ikke plads på disken.\n"
    assert names(here) == ["gammel.md"]
    assert here.joinpath("gammel.md").read_text() == "min egen"


def test_a_disk_that_fills_up_on_the_way_keeps_the_whole_ones(
    at_home: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, left = os.fsync, iter(range(3))

    def until_full(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", until_full)
    found = at_home("template", "export", "--all", ".", "--format", "md")
    assert found.status == 1
    assert found.err.endswith("der er ikke plads på disken.\n3 af 98 filer er skrevet.\n")
    assert len(names(here)) == 3
    assert all(here.joinpath(name).read_text().endswith(" |\n") for name in names(here))


def test_a_file_that_came_meanwhile_is_not_overwritten(
    at_home: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def and_another_writes(descriptor: int) -> None:
        fsync(descriptor)
        here.joinpath("skabelon-0751.docx").write_text("en andens")

    monkeypatch.setattr(os, "fsync", and_another_writes)
    found = at_home("template", "export", "0751")
    assert found.err == "Fejl: skabelon-0751.docx kan ikke skrives: den findes i forvejen.\n"
    assert here.joinpath("skabelon-0751.docx").read_text() == "en andens"


def test_nothing_from_outside_reaches_the_terminal_unchecked(
    at_home: Command, aarhus: Database, here: Path
) -> None:
    with aarhus.writing() as tx:
        tx.conn.execute(update(tables.receiver).values(name="\x1b[31mrød\u202e", vendor="a\x07b"))
        row = {
            "kommune_code": "0751",
            "sheet_row": "receiver:1",
            "field": "comment",
            "value": "\x1b]0;x\x07",
            "typed_at": NOON,
            "typed_by": "\x1b[2J",
        }
        tx.conn.execute(insert(tables.typed_field).values(row))
    found = at_home("template", "show", "0751")
    assert found.status == 0
    assert not set("\x1b\x07\u202e") & set(found.out)
    json.loads(at_home("template", "show", "0751", "--json").out)
    assert at_home("template", "export", "0751").status == 0
    for form in ("html", "md"):
        assert at_home("template", "export", "0751", "--format", form).status == 0
        assert not set("\x1b\x07\u202e") & set(here.joinpath(f"skabelon-0751.{form}").read_text())
