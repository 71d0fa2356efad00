import io
import re
import subprocess
import sys
import unicodedata
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from docx import Document
from docx.oxml.ns import qn

from engine.desk.template import Field, Origin, Row, Template
from engine.desk.template_export import Format, export, to_docx, to_html, to_markdown

NOW = datetime(2026, 7, 1, 12, 0, 59, tzinfo=UTC)


def a_template(*rows: Row, name: str = "Aarhus Kommune") -> Template:
    return Template("0751", name, NOW, rows)


def a_field(value: str, label: str = "Kommentar", *, missing: bool = False) -> Field:
    return Field("comment", label, value, Origin.TYPED, missing=missing)


def a_row(party: str, *fields: Field) -> Row:
    return Row("receiver:1", party, fields)


SHEET = a_template(
    a_row("Kommune", a_field("Aarhus Kommune (0751)", "Kommune"), a_field("", "Administrator", missing=True)),
    a_row("Leverandør af modtagersystem Cura", a_field("Bo", "Lokal kontakt"), a_field("")),
    a_row("KOMBIT", a_field("fki@kombit.dk", "E-mail"), a_field("https://k.dk/a_b/?c=d&e=f", "Vejledning")),
)
TOLD = [
    ("Kommune", ["Kommune: Aarhus Kommune (0751)", "Administrator: (mangler)"]),
    ("Leverandør af modtagersystem Cura", ["Lokal kontakt: Bo", "Kommentar: –"]),
    ("KOMBIT", ["E-mail: fki@kombit.dk", "Vejledning: https://k.dk/a_b/?c=d&e=f"]),
]

HOSTILE = {
    "markup": "<script>alert(1)</script><b>&amp;</b> <!-- \" ' ]]> {0} %s",
    "markdown": r"a | b || \| `kode` **fed** _kursiv_ [navn](https://ondt.dk) ![x](y) # ~~z~~ $x$ \\",
    "table": "x<br>y\n| Ny række | ondt |\r\n\n# Overskrift",
    "control": "a\x00b\x01c\x08d\x1b[31me\x7ff\x85g\ufffeh\uffffi\ud800j",
    "bidi": "for \u202eegaT\u202c \u2066x\u2069 \u200f efter",
    "hebrew": "\u05d0\u05d1\u05d2 123",
    "long": "x" * 5_000,
    "decomposed": unicodedata.normalize("NFD", "Åse Ærø é"),
    "spaces": " \u00a0\t\u2028 ",
    "field": "{ HYPERLINK } =SUM(A1) @formel",
    "emoji": "\U0001f3e5 \U00020000",
}
SEEN = {
    "control": "abcd[31mef ghij",
    "bidi": "for egaT x  efter",
    "table": "x<br>y | Ny række | ondt |   # Overskrift",
    "decomposed": "Åse Ærø é",
    "spaces": "–",
}


class Page(HTMLParser):
    """The text of a page's table: per row the party and the lines, and all tags there are."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.rows: list[list[list[str]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append([""])
        elif tag == "div":
            self.rows[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag  # well-formed

    def handle_data(self, data: str) -> None:
        if "td" in self._open or "th" in self._open:
            suffix = ":" if self._open[-1] == "dt" else ""
            self.rows[-1][-1][-1] += data.strip("\n") + suffix

    @property
    def told(self) -> list[tuple[str, list[str]]]:
        return [(party[0], [line for line in lines[1:] if line]) for party, lines in self.rows[1:]]


def html_of(template: Template) -> list[tuple[str, list[str]]]:
    return Page(to_html(template)).told


def docx_of(template: Template) -> list[tuple[str, list[str]]]:
    head, *rows = Document(io.BytesIO(to_docx(template))).tables[0].rows
    assert [cell.text for cell in head.cells] == ["Interessent", "Info"]
    return [(row.cells[0].text, [line.text for line in row.cells[1].paragraphs]) for row in rows]


def markdown_of(template: Template) -> list[tuple[str, list[str]]]:
    """As a reader of GitHub's Markdown has it: cells at bare pipes, then the escapes taken away."""
    rows = []
    for line in to_markdown(template).decode().split("\n"):
        if line.startswith("| **"):
            cells = re.split(r"(?<!\\)(?:\\\\)*\|", line)
            assert (len(cells), cells[0], cells[3]) == (4, "", "")
            party = re.fullmatch(r"\*\*(.*)\*\*", cells[1].strip())
            assert party is not None
            rows.append((_plain(party[1]), [_plain(part) for part in cells[2].strip().split("<br>")]))
    return rows


def _plain(text: str) -> str:
    text = re.sub(r"<((?:https?://|[^<> ]+@)[^<> ]+)>", lambda link: link[1].replace("&", "&amp;"), text)
    assert not re.search(r"[<>]", text)  # no HTML comes through
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*\[\]~$|]", text)  # nor any mark
    text = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


READERS = {"html": html_of, "docx": docx_of, "md": markdown_of}


@pytest.mark.parametrize("form", READERS)
def test_a_sheet_has_its_rows_in_order(form: str) -> None:
    assert READERS[form](SHEET) == TOLD


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_stays_text(form: str, kind: str) -> None:
    text = HOSTILE[kind]
    seen = SEEN.get(kind, text)
    template = a_template(
        a_row(f"System {text}.", a_field(text), a_field("hel", text or "x")), a_row("Efter", a_field("ok"))
    )
    first, after = READERS[form](template)
    assert after == ("Efter", ["Kommentar: ok"])
    assert first[1][0] == f"Kommentar: {seen}"
    assert len(first[1]) == 2
    assert first[1][1].endswith(": hel")
    if kind != "spaces":
        assert first[0] == f"System {seen}."
        assert first[1][1] == f"{seen}: hel"


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_name_of_a_kommune_stays_text(kind: str) -> None:
    template = a_template(name=HOSTILE[kind])
    page = Page(to_html(template))
    assert {tag for tag, _ in page.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "p"),
        *("table", "thead", "tbody", "tr", "th"),
    }
    lines = to_markdown(template).decode().split("\n")
    assert (lines[0][:2], lines[1:3]) == ("# ", ["", "Lavet 1.7.2026 kl. 14:00"])
    document = Document(io.BytesIO(to_docx(template)))
    assert document.core_properties.title.startswith("Skabelon til forvaltning af Sundhedsagenten")


def test_only_harmless_links_are_links() -> None:
    linked = {
        "fki@kombit.dk": "mailto:fki@kombit.dk",
        "https://k.dk/a_b/?c=d&e=f": "https://k.dk/a_b/?c=d&e=f",
    }
    others = [
        "javascript:alert(1)",
        'https://x.dk/" onclick="y',
        "https://x.dk/|y",
        "a@b",
        "a <b@c.dk>",
        "x@y.dk z",
    ]
    for text in [*linked, *others]:
        template = a_template(a_row("x", a_field(text)))
        found = [attributes for tag, attributes in Page(to_html(template)).tags if tag == "a"]
        assert found == ([{"href": linked[text]}] if text in linked else [])
        assert (f"<{text}>" in to_markdown(template).decode()) == (text in linked)


def test_a_page_stands_alone_and_prints() -> None:
    page = to_html(SHEET).decode()
    tags = Page(page.encode()).tags
    assert page.startswith("<!DOCTYPE html>\n")
    assert ("html", {"lang": "da"}) in tags
    assert ("meta", {"charset": "utf-8"}) in tags
    assert [tag for tag, attributes in tags if "src" in attributes or tag in {"link", "script", "img"}] == []
    assert "@media print" in page
    assert "display: table-header-group" in page  # the heading on every printed page
    assert [attributes["scope"] for tag, attributes in tags if tag == "th"] == [
        "col",
        "col",
        "row",
        "row",
        "row",
    ]
    assert '<span class="missing">(mangler)</span>' in page
    assert page.count("(mangler)") == 1


def test_markdown_marks_are_escaped() -> None:
    written = to_markdown(a_template(a_row("a_b", a_field(HOSTILE["markdown"])))).decode()
    assert "| **a\\_b** | Kommentar: " in written
    for escaped in (
        r"a \| b \|\| \\\|",
        r"\`kode\`",
        r"\*\*fed\*\*",
        r"\_kursiv\_",
        r"!\[x\](y)",
        r"\~\~z\~\~",
    ):
        assert escaped in written


def test_what_somebody_wrote_is_not_taken_for_missing() -> None:
    page = to_html(a_template(a_row("x", a_field("(mangler)")))).decode()
    assert '<span class="missing">' not in page


def test_the_markdown_is_a_table() -> None:
    assert to_markdown(SHEET).decode().split("\n")[:7] == [
        "# Skabelon til forvaltning af Sundhedsagenten – Aarhus Kommune (0751)",
        "",
        "Lavet 1.7.2026 kl. 14:00",
        "",
        "| Interessent | Info |",
        "| --- | --- |",
        "| **Kommune** | Kommune: Aarhus Kommune (0751)<br>Administrator: (mangler) |",
    ]


def test_the_document_is_danish_a4_and_repeats_its_heading() -> None:
    document = Document(io.BytesIO(to_docx(SHEET)))
    section = document.sections[0]
    assert (round(section.page_width.mm), round(section.page_height.mm)) == (210, 297)
    assert [line.text for line in document.paragraphs] == [
        "Skabelon til forvaltning af Sundhedsagenten",
        "Aarhus Kommune (0751)",
        "Lavet 1.7.2026 kl. 14:00",
    ]
    assert document.paragraphs[0].style.name == "Title"
    [table] = document.tables
    width = sum(cell.width for cell in table.rows[0].cells)
    assert width == section.page_width - section.left_margin - section.right_margin
    heads = [row for row in table.rows if row._tr.trPr.find(qn("w:tblHeader")) is not None]
    assert [row._tr for row in heads] == [table.rows[0]._tr]
    for row in table.rows[1:]:
        assert all(run.bold for run in row.cells[0].paragraphs[0].runs)
        assert [run.bold for run in row.cells[1].paragraphs[0].runs] == [True, None]
    languages = {item.get(qn("w:val")) for item in document.styles.element.iter(qn("w:lang"))}
    assert languages == {"da-DK"}
    assert "side" in document.sections[0].footer.paragraphs[0].text


def test_the_documents_properties_are_its_own() -> None:
    found = Document(io.BytesIO(to_docx(SHEET))).core_properties
    assert (found.title, found.language) == (SHEET.title, "da-DK")
    assert (found.author, found.last_modified_by, found.comments) == (
        "Sundhedsagenten",
        "Sundhedsagenten",
        "",
    )
    assert (found.created, found.modified) == (NOW, NOW)


@pytest.mark.parametrize("form", Format)
def test_the_same_template_gives_the_same_bytes(form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    first = export(SHEET, form)
    with monkeypatch.context() as patch:
        patch.setattr("time.localtime", lambda *_: (1999, 12, 31, 23, 59, 58, 4, 365, 0))
        assert export(SHEET, form) == first
    assert export(replace(SHEET, made_at=datetime(2026, 7, 2, tzinfo=UTC)), form) != first
    if form is Format.DOCX:
        with zipfile.ZipFile(io.BytesIO(first)) as archive:
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_each_format_is_what_it_says() -> None:
    assert export(SHEET, Format.DOCX).startswith(b"PK")
    assert export(SHEET, Format.HTML) == to_html(SHEET)
    assert export(SHEET, Format.MARKDOWN) == to_markdown(SHEET)


def test_only_a_docx_needs_python_docx() -> None:
    code = (
        "import sys\n"
        "from datetime import datetime, UTC\n"
        "from engine.desk.template import Template\n"
        "from engine.desk.template_export import to_html, to_markdown\n"
        "import engine.commands.template\n"
        "sheet = Template('0751', 'x', datetime.now(UTC), ())\n"
        "to_html(sheet), to_markdown(sheet)\n"
        "assert 'docx' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
