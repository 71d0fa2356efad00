"""A template as a DOCX: A4, one table, readable when it is printed."""

import io
import zipfile
from datetime import UTC
from typing import Any

from docx import Document
from docx.document import Document as DocumentType
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.table import Table, _Cell, _Row
from docx.text.paragraph import Paragraph

from engine.desk.template import TITLE, Field, Row, Template
from engine.desk.template_export import MISSING, clean, made_line, shown

_LANGUAGE = "da-DK"
_PAGE = (Mm(210), Mm(297))
_MARGIN = Mm(20)
_COLUMNS = (Mm(52), Mm(118))
_SHADE = "E8EEF2"
_GREY, _RED = RGBColor(0x55, 0x55, 0x55), RGBColor(0x8A, 0x1C, 0x00)
_LONGEST_PROPERTY = 255  # python-docx refuses more
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP can say; the document itself has the right one


def document_of(template: Template) -> bytes:
    """The finished file; the same template gives the same bytes."""
    document = Document()
    _set_page(document)
    _set_styles(document)
    _set_properties(document, template)
    document.add_paragraph(TITLE, style="Title")
    _write_whose(document, template)
    _add_table(document, template)
    _add_footer(document, template)
    content = io.BytesIO()
    document.save(content)
    return _without_the_clock(content)


def _set_page(document: DocumentType) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = _PAGE
    section.left_margin = section.right_margin = _MARGIN
    section.top_margin = section.bottom_margin = _MARGIN


def _set_styles(document: DocumentType) -> None:
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = "Calibri", Pt(10.5)
    normal.paragraph_format.space_after = Pt(2)
    title = document.styles["Title"]
    title.font.size, title.font.color.rgb = Pt(17), RGBColor(0, 0, 0)
    title.paragraph_format.space_after = Pt(4)
    # python-docx has no word for the language of the text.
    for language in document.styles.element.iter(qn("w:lang")):
        language.set(qn("w:val"), _LANGUAGE)


def _set_properties(document: DocumentType, template: Template) -> None:
    made_at = template.made_at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    properties = document.core_properties
    properties.title = clean(template.title)[:_LONGEST_PROPERTY]
    properties.language = _LANGUAGE
    properties.author = properties.last_modified_by = "Sundhedsagenten"
    properties.comments = ""
    properties.created = properties.modified = made_at
    properties.revision = 1


def _write_whose(document: DocumentType, template: Template) -> None:
    kommune = document.add_paragraph().add_run(clean(template.kommune))
    kommune.bold, kommune.font.size = True, Pt(13)
    made = document.add_paragraph()
    made.paragraph_format.space_after = Pt(10)
    made.add_run(made_line(template)).font.color.rgb = _GREY


def _add_table(document: DocumentType, template: Template) -> None:
    table = document.add_table(rows=1 + len(template.rows), cols=2, style="Table Grid")
    table.autofit = False
    _pad(table)
    for column, width in zip(table.columns, _COLUMNS, strict=True):
        column.width = width
    head, *rows = table.rows
    _fill_head(head)
    for place, row in zip(rows, template.rows, strict=True):
        _fill(place, row)


def _fill_head(place: _Row) -> None:
    for cell, text, width in zip(place.cells, ("Interessent", "Info"), _COLUMNS, strict=True):
        cell.width = width
        cell.paragraphs[0].add_run(text).bold = True
        _shade(cell)
    _mark(place, "w:tblHeader")  # Word and LibreOffice repeat it on every page
    _mark(place, "w:cantSplit")


def _fill(place: _Row, row: Row) -> None:
    party, told = place.cells
    party.width, told.width = _COLUMNS
    party.paragraphs[0].add_run(clean(row.party)).bold = True
    for position, field in enumerate(row.fields):
        _write(told.paragraphs[0] if position == 0 else told.add_paragraph(), field)
    _mark(place, "w:cantSplit")


def _write(paragraph: Paragraph, field: Field) -> None:
    paragraph.add_run(f"{clean(field.label)}: ").bold = True
    value = paragraph.add_run(shown(field))
    if field.missing and value.text == MISSING:
        value.italic, value.font.color.rgb = True, _RED


def _add_footer(document: DocumentType, template: Template) -> None:
    paragraph = document.sections[0].footer.paragraphs[0]
    paragraph.add_run(f"{clean(template.kommune_name)} – {made_line(template)} – side ")
    _add_number(paragraph, "PAGE")
    paragraph.add_run(" af ")
    _add_number(paragraph, "NUMPAGES")
    for run in paragraph.runs:
        run.font.size, run.font.color.rgb = Pt(8.5), _GREY


def _add_number(paragraph: Paragraph, code: str) -> None:
    """A field that the reader's program counts."""
    for kind, text in (("begin", None), (None, code), ("separate", None), (None, None), ("end", None)):
        run = paragraph.add_run("1" if kind is None and text is None else "")
        if kind is not None:
            mark: Any = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
            run._element.append(mark)  # noqa: SLF001 - python-docx has no fields
        elif text is not None:
            instruction: Any = OxmlElement("w:instrText")
            instruction.text = text
            run._element.append(instruction)  # noqa: SLF001


def _pad(table: Table) -> None:
    """Air between the text and the lines of the table, and lines that are lighter than the text."""
    margins: Any = OxmlElement("w:tblCellMar")
    for side, twips in (("top", 60), ("left", 115), ("bottom", 40), ("right", 115)):
        margin: Any = OxmlElement(f"w:{side}")
        margin.set(qn("w:w"), str(twips))
        margin.set(qn("w:type"), "dxa")
        margins.append(margin)
    borders: Any = OxmlElement("w:tblBorders")
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
        border: Any = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "4"), ("space", "0"), ("color", "888888")):
            border.set(qn(f"w:{name}"), value)
        borders.append(border)
    # Word wants the children in the order of the schema: borders, layout, margins, look.
    layout = table._tblPr.find(qn("w:tblLayout"))  # noqa: SLF001 - python-docx has no word for these
    assert layout is not None
    layout.addprevious(borders)
    layout.addnext(margins)


def _mark(place: _Row, name: str) -> None:
    place._tr.get_or_add_trPr().append(OxmlElement(name))  # noqa: SLF001 - python-docx has no word for it


def _shade(cell: _Cell) -> None:
    shade: Any = OxmlElement("w:shd")
    for name, value in (("w:val", "clear"), ("w:color", "auto"), ("w:fill", _SHADE)):
        shade.set(qn(name), value)
    cell._tc.get_or_add_tcPr().append(shade)  # noqa: SLF001


def _without_the_clock(content: io.BytesIO) -> bytes:
    """The same file without the time of day in its ZIP entries."""
    steady = io.BytesIO()
    with zipfile.ZipFile(content) as source, zipfile.ZipFile(steady, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, source.read(name))
    return steady.getvalue()
