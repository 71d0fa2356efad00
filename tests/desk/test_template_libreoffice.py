"""The exported DOCX as a word processor reads it. NEEDS_ALL_PROGRAMS=1 makes a missing program a failure."""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.desk.template import Field, Origin, Row, Template
from engine.desk.template_export import to_docx

# Read at import: a test's own environment may be cleared.
NEEDS_ALL = os.environ.get("NEEDS_ALL_PROGRAMS") == "1"
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SYSTEMS = 12  # more than one page


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        message = f"{name} is missing: apt-get install {package}"
        if NEEDS_ALL:
            pytest.fail(message)
        pytest.skip(message)
    return found


def convert(document: bytes, form: str, folder: Path) -> Path:
    source = folder / "skabelon.docx"
    source.write_bytes(document)
    subprocess.run(
        [
            program("soffice", "libreoffice-writer"),
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",  # none but this run uses it
            *("--headless", "--convert-to", form, "--outdir", folder, source),
        ],
        check=True,
        capture_output=True,
        timeout=100,
    )
    return folder / f"skabelon.{form.partition(':')[0]}"


def a_sheet() -> Template:
    systems = [
        Row(
            f"receiver:{number}",
            f"Leverandør af modtagersystem Æøå {number}",
            (
                Field("local-contact", "Lokal kontakt", f"Bo <{number}> & \u05d0\u05d1", Origin.TYPED),
                Field("vendor", "Leverandørnavn", f"Firma {number}", Origin.REGISTRY),
                Field("comment", "Kommentar", "x" * 150 + f" slut{number}", Origin.TYPED),
            ),
        )
        for number in range(SYSTEMS)
    ]
    last = Row("kombit", "KOMBIT", (Field("email", "E-mail", "fki@kombit.dk", Origin.SETTINGS),))
    return Template("0751", "Aarhus Kommune", NOW, (*systems, last))


def test_a_word_processor_reads_all_rows_in_order(tmp_path: Path) -> None:
    text = convert(to_docx(a_sheet()), "txt:Text (encoded):UTF8", tmp_path).read_text("utf-8-sig")
    at = 0
    for number in range(SYSTEMS):
        for wanted in (
            f"Leverandør af modtagersystem Æøå {number}\n",
            f"Lokal kontakt: Bo <{number}> & \u05d0\u05d1\n",
            f"Leverandørnavn: Firma {number}\n",
            f"slut{number}\n",
        ):
            at = text.find(wanted, at)
            assert at >= 0, wanted
    assert text.find("E-mail: fki@kombit.dk", at) > 0
    assert text.index("Interessent") < text.index("Info") < text.index("Æøå 0")


def test_the_heading_stands_on_every_printed_page(tmp_path: Path) -> None:
    reader = program("pdftotext", "poppler-utils")
    pdf = convert(to_docx(a_sheet()), "pdf", tmp_path)
    text = subprocess.run(
        [reader, "-layout", pdf, "-"], check=True, capture_output=True, timeout=30
    ).stdout.decode()
    pages = [page for page in text.split("\f") if page.strip()]
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        assert "Interessent" in page
        assert f"side {number} af {len(pages)}" in page
    for number in range(SYSTEMS):
        assert f"Firma {number}\n" in text
