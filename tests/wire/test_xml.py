"""The hardened parser: what it refuses, and how text is written."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from engine.errors import ForbiddenMarkup, Malformed, WireError
from engine.wire import xml

LAUGHS = '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1"])
def test_a_dtd_is_refused_in_every_encoding(encoding):
    with pytest.raises(ForbiddenMarkup):
        xml.parse(LAUGHS.encode(encoding))


def test_an_external_dtd_is_refused():
    with pytest.raises(ForbiddenMarkup):
        xml.parse(b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>')


@pytest.mark.parametrize("declared", ["UTF-7", "EBCDIC-CP-US", "IBM037", "x-unknown"])
def test_an_encoding_that_could_hide_a_dtd_is_refused(declared):
    with pytest.raises(Malformed):
        xml.parse(f'<?xml version="1.0" encoding="{declared}"?><a/>'.encode())


def test_utf_32_is_refused():
    with pytest.raises(WireError):
        xml.parse("<!DOCTYPE a><a/>".encode("utf-32"))
    with pytest.raises(Malformed):
        xml.parse("<a/>".encode("utf-32"))


def test_an_undefined_entity_is_malformed():
    with pytest.raises(Malformed):
        xml.parse(b"<a>&secret;</a>")


def test_nesting_has_a_limit():
    assert xml.parse(b"<a>" * 200 + b"</a>" * 200).tag == "a"
    with pytest.raises(Malformed):
        xml.parse(b"<a>" * 300 + b"</a>" * 300)


def test_nesting_has_the_same_limit_in_a_huge_document():
    text = b"x" * 10_000_001
    root = xml.parse(b"<a>" + text + b"</a>")
    assert len(root.text or "") == len(text)
    with pytest.raises(Malformed, match="dybt"):
        xml.parse(b"<a>" * 300 + text + b"</a>" * 300)


def test_what_is_raised_quotes_nothing_of_the_document():
    with pytest.raises(Malformed) as caught:
        xml.parse(b"<cpr2509479989>x</andet>")
    assert "2509479989" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_comments_and_instructions_are_dropped_unless_they_are_to_be_kept():
    document = b"<a><!-- c --><?p i?> <b/></a>"
    assert [child.tag for child in xml.parse(document)] == ["b"]
    assert etree.tostring(xml.parse(document, keep=True)) == document


@pytest.mark.parametrize(
    ("document", "encoding"),
    [
        (b"<a/>", "UTF-8"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?><a/>', "ISO-8859-1"),
        ("<a/>".encode("utf-16"), "UTF-16"),
        (b"\xef\xbb\xbf<a/>", "UTF-8"),
    ],
)
def test_the_encoding_is_told(document, encoding):
    assert xml.encoding_of(document, xml.parse(document)) == encoding


@given(st.text())
def test_escaped_text_reads_back_the_same_but_for_what_xml_cannot_hold(text):
    escaped = xml.escape(text)
    root = xml.parse(f'<a b="{escaped}">{escaped}</a>'.encode(), keep=True)
    assert root.get("b") == xml.legal(text)
    assert (root.text or "") == xml.legal(text)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_wire_errors(data):
    with suppress(WireError):
        xml.parse(data)
