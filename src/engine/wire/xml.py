"""The one hardened XML parser, and the one way to write text into XML.

No DTD, no entity, no network, and no deeper nesting than `MAX_DEPTH`. What arrives is refused before it is
parsed where a DOCTYPE stands in it; the parsed document is looked at again, so that no encoding hides one.
"""

import re
from typing import Final, TypeAlias

from lxml import etree
from lxml.etree import _Element

from engine.errors import ForbiddenMarkup, Malformed

Element: TypeAlias = _Element

MAX_DEPTH: Final = 256
"""Elements within elements; libxml2's own limit for documents that are not declared huge."""

_HUGE_FROM: Final = 9_000_000
"""Bytes. libxml2 refuses a text of 10 MB and more unless the document is declared huge."""

# Every encoding here is either a superset of ASCII or UTF-16: in all of them the search below sees a DOCTYPE.
_ENCODING = re.compile(
    r"utf-?8|utf-?16(le|be)?|(us-)?ascii|iso[-_]?8859-?\d\d?|latin-?1|(windows-|cp)125\d", re.IGNORECASE
)
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([^"'>]{1,40})["']""")

_NO_DTD = "DTD og entiteter er ikke tilladt"


def _parser(*, keep: bool, huge: bool) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=huge,
        remove_comments=not keep,
        remove_pis=not keep,
        remove_blank_text=not keep,
        strip_cdata=not keep,
        collect_ids=False,
    )


_PARSERS = {(keep, huge): _parser(keep=keep, huge=huge) for keep in (True, False) for huge in (True, False)}


def parse(data: bytes, *, keep: bool = False) -> Element:
    """The root element of `data`.

    With `keep`, comments, processing instructions and white space between elements stay in the tree, for a
    document that is written again; without it they are gone, and reading is faster.
    Raises ForbiddenMarkup for a DTD, Malformed for everything else that is no XML. What is raised quotes
    nothing of the document.
    """
    _refuse_dtd(data)
    huge = len(data) >= _HUGE_FROM
    try:
        root = etree.fromstring(data, _PARSERS[keep, huge])
    except etree.XMLSyntaxError as exc:
        # libxml2's own text quotes the document: only the place is told.
        raise Malformed(f"XML kan ikke læses: fejl i linje {exc.lineno or 0}") from None
    except (ValueError, LookupError):
        raise Malformed("XML kan ikke læses") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise ForbiddenMarkup(_NO_DTD)
    if huge:
        _limit_depth(root)
    return root


def encoding_of(data: bytes, root: Element) -> str:
    """The declared encoding of the parsed document, else the detected one; in upper case."""
    if b"\0" in data[:4]:
        return "UTF-16"
    return (root.getroottree().docinfo.encoding or "UTF-8").upper()


def declaration(data: bytes) -> bool:
    """Whether the document begins with an XML declaration."""
    return b"<?xml" in data[:64].replace(b"\0", b"")


_ROOT_TAG = re.compile(rb"<[A-Za-z_:]")


def _refuse_dtd(data: bytes) -> None:
    # A DTD can only stand before the root element; one that hides behind a comment is found after parsing.
    root = _ROOT_TAG.search(data)
    if b"<!DOCTYPE" in data[: root.start() if root else len(data)]:
        raise ForbiddenMarkup(_NO_DTD)
    if b"\0" in data:
        if b"<\0!\0D\0O\0C\0T\0Y\0P\0E\0" in data or b"\0<\0!\0D\0O\0C\0T\0Y\0P\0E" in data:
            raise ForbiddenMarkup(_NO_DTD)
        if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"<\0\0\0", b"\0\0\0<")):
            raise Malformed("XML i UTF-32 kan ikke læses")
        return
    declared = _DECLARED.match(data[:200].removeprefix(b"\xef\xbb\xbf"))
    if declared is not None and not _ENCODING.fullmatch(declared.group(1).decode("ascii", "replace").strip()):
        raise Malformed("XML er erklæret i en tegnkodning, som ikke understøttes")


def _limit_depth(root: Element) -> None:
    depth = 0
    for event, _element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise Malformed("XML er indlejret for dybt")


_SPECIAL = re.compile("[^ !#-%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
REPLACEMENT: Final = "\ufffd"


def escape(text: str) -> str:
    """`text` for element content or a double-quoted attribute; what XML cannot hold becomes U+FFFD."""
    return _SPECIAL.sub(_escape_one, text)


def _escape_one(match: re.Match[str]) -> str:
    return _ESCAPES.get(match.group(), REPLACEMENT)


def legal(text: str) -> str:
    """`text` with the characters that XML cannot hold (controls, lone surrogates) replaced by U+FFFD."""
    return _ILLEGAL.sub(REPLACEMENT, text)
