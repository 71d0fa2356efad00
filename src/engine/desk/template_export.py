"""A template as a file that a kommune may keep: Markdown, HTML or DOCX. Pure: the same template, the same bytes."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from enum import StrEnum
from html import escape

from engine.desk.template import TITLE, Field, Template
from engine.local_time import planned_text

MISSING = "(mangler)"
NOTHING = "–"

# Nothing but what can stand unescaped in a link of every format.
_EMAIL = re.compile(r"[A-Za-z0-9.+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/%?#=&+-]*)?")
_MARKDOWN = re.compile(r"[\\`*_\[\]|~$]")

_PAGE = """<!DOCTYPE html>
<html lang="da">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
@page {{ size: A4; margin: 18mm; }}
body {{ font: 16px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; margin: 0; }}
.kommune {{ font-size: 1.15rem; font-weight: 600; margin: .3rem 0 0; }}
.made {{ color: #555; margin: .3rem 0 1.2rem; }}
table {{ border-collapse: collapse; width: 100%; table-layout: fixed; }}
th, td {{ border: 1px solid #888; padding: .5rem .7rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }}
thead th {{ background: #e8eef2; }}
thead th:first-child {{ width: 32%; }}
dl {{ margin: 0; }}
dl div {{ margin: 0 0 .15rem; }}
dt {{ display: inline; font-weight: 600; }}
dt::after {{ content: ": "; }}
dd {{ display: inline; margin: 0; }}
.missing {{ color: #8a1c00; font-style: italic; }}
@media print {{
  body {{ font-size: 10.5pt; max-width: none; margin: 0; padding: 0; }}
  thead {{ display: table-header-group; }}
  tr {{ break-inside: avoid; }}
  thead th {{ background: none; border-bottom-width: 2px; }}
  a {{ color: inherit; text-decoration: none; }}
}}
</style>
</head>
<body>
<h1>{heading}</h1>
<p class="kommune">{kommune}</p>
<p class="made">{made}</p>
<table>
<thead>
<tr><th scope="col">Interessent</th><th scope="col">Info</th></tr>
</thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


class Format(StrEnum):
    """The formats; the value is the file's suffix too."""

    DOCX = "docx"
    HTML = "html"
    MARKDOWN = "md"


def export(template: Template, form: Format) -> bytes:
    """The whole file in one of the formats."""
    return _WRITERS[form](template)


def to_markdown(template: Template) -> bytes:
    """A table as GitHub and most others read it."""
    lines = [
        f"# {_markdown(template.title)}",
        "",
        made_line(template),
        "",
        "| Interessent | Info |",
        "| --- | --- |",
    ]
    for row in template.rows:
        told = "<br>".join(f"{_markdown(field.label)}: {_markdown_value(field)}" for field in row.fields)
        lines.append(f"| **{_markdown(row.party)}** | {told} |")
    return ("\n".join(lines) + "\n").encode()


def to_html(template: Template) -> bytes:
    """One page that needs nothing beside it, to look at or to print."""
    rows = [
        f'<tr><th scope="row"><bdi>{_html(row.party)}</bdi></th><td><dl>\n'
        + "".join(
            f"<div><dt>{_html(field.label)}</dt> <dd>{_html_value(field)}</dd></div>\n"
            for field in row.fields
        )
        + "</dl></td></tr>"
        for row in template.rows
    ]
    page = _PAGE.format(
        title=_html(template.title),
        heading=_html(TITLE),
        kommune=_html(template.kommune),
        made=_html(made_line(template)),
        rows="\n".join(rows),
    )
    return page.encode()


def to_docx(template: Template) -> bytes:
    """A document for word processors, A4."""
    # python-docx takes a while to import, and none of the other formats needs it.
    from engine.desk.template_docx import document_of  # noqa: PLC0415

    return document_of(template)


def clean(text: str) -> str:
    """The text on one line and without what does not show: control characters, marks that turn the writing around."""
    kept = "".join(" " if char.isspace() else char for char in text if char.isprintable() or char.isspace())
    return unicodedata.normalize("NFC", kept)


def shown(field: Field) -> str:
    """The value as every format shows it; what is empty says so."""
    return clean(field.value).strip() or (MISSING if field.missing else NOTHING)


def made_line(template: Template) -> str:
    """When the sheet was made: a copy grows old."""
    return f"Lavet {planned_text(template.made_at.replace(second=0, microsecond=0))}"


def _markdown(text: str) -> str:
    # `&` and the angles by name, so that no HTML comes through; the rest by a backslash.
    return _MARKDOWN.sub(r"\\\g<0>", escape(clean(text), quote=False))


def _markdown_value(field: Field) -> str:
    text = shown(field)
    is_link = _EMAIL.fullmatch(text) or _URL.fullmatch(text)
    return f"<{text}>" if is_link else _markdown(text)


def _html(text: str) -> str:
    return escape(clean(text))


def _html_value(field: Field) -> str:
    text = shown(field)
    if _EMAIL.fullmatch(text):
        return f'<a href="mailto:{_html(text)}">{_html(text)}</a>'
    if _URL.fullmatch(text):
        return f'<a href="{_html(text)}">{_html(text)}</a>'
    if text == MISSING and field.missing:
        return f'<span class="missing">{_html(text)}</span>'
    # On its own, so that text from right to left moves nothing beside it.
    return f"<bdi>{_html(text)}</bdi>"


_WRITERS: Mapping[Format, Callable[[Template], bytes]] = {
    Format.DOCX: to_docx,
    Format.HTML: to_html,
    Format.MARKDOWN: to_markdown,
}
