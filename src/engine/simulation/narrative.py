"""The human-readable text of each resource, as hospital systems put it in: half of the bytes, no meaning.

MedCom asks for it (GOV-050); without it messages would be too small for a benchmark or a demo to be believed.
"""

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

XHTML = "http://www.w3.org/1999/xhtml"

_BOX = "border: 1px solid #b8c4cc; padding: 6px; margin: 4px; background-color: #f4f7f9"
_HEAD = "text-align: left; vertical-align: top; padding: 2px 12px 2px 0"
_CELL = "padding: 2px 0"


def narrative(title: str, ident: str, profile: str, rows: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """A Narrative: title, id, profile and a table of labels and values."""
    lines = "".join(
        f'<tr><th style="{_HEAD}">{escape(label)}</th><td style="{_CELL}">{escape(value)}</td></tr>'
        for label, value in rows
    )
    short = profile.rsplit("/", 1)[-1]
    div = (
        f'<div xmlns="{XHTML}" lang="da"><div style="{_BOX}">'
        f"<p><b>{escape(title)}</b><br/><small>Id: <code>{escape(ident)}</code></small></p>"
        f'<table class="grid"><tbody>{lines}</tbody></table>'
        f'<p><small>Profil: <a href="{escape(profile)}">{escape(short)}</a></small></p></div></div>'
    )
    return {"status": "generated", "div": div}
