"""FHIR in XML and JSON: one tree."""

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from engine.errors import ForbiddenMarkup, Malformed, WireError
from engine.simulation.builders import an_advis
from engine.simulation.messages import hn_bundle, hn_bytes
from engine.wire import fhir
from tests.wire.builders import ALL_CODES

NS = "http://hl7.org/fhir"
MINIMAL = {"resourceType": "Bundle", "id": "b1"}


def shape(root):
    """The tree as text, without white space between elements."""
    return etree.tostring(root, method="c14n2", strip_text=True)


def tree_of(text):
    return fhir.read_bundle(f'<Bundle xmlns="{NS}">{text}</Bundle>'.encode()).root


def json_tree(**content):
    return fhir.to_xml(MINIMAL | content)


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1", "windows-1252"])
def test_xml_is_read_in_its_declared_encoding(encoding):
    data = hn_bytes(an_advis(), encoding=encoding)
    bundle = fhir.read_bundle(data)
    assert bundle.encoding == encoding.upper()
    assert (bundle.media_type, bundle.native) == (fhir.XML, None)
    assert "Sygehusadviser, Testkommunen" in shape(bundle.root).decode()


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("utf-32-le", "UTF-32"),
        ("utf-32-be", "UTF-32"),
    ],
)
def test_json_is_read_in_every_encoding_it_may_have(encoding, told):
    data = json.dumps(MINIMAL | {"note": "ærø"}, ensure_ascii=False).encode(encoding)
    bundle = fhir.read_bundle(data)
    assert bundle.encoding == told
    assert bundle.media_type == fhir.JSON
    assert bundle.native == MINIMAL | {"note": "ærø"}
    assert bundle.root[1].get("value") == "ærø"


def test_white_space_before_json_is_nothing():
    assert fhir.read_bundle(b" \r\n\t" + json.dumps(MINIMAL).encode()).media_type == fhir.JSON


@pytest.mark.parametrize(
    "data",
    [
        b'{"resourceType":"Bundle","id":"a","id":"b"}',
        b'{"resourceType":"Bundle","entry":[{"a":{"b":1,"b":2}}]}',
        b'{"resourceType":"Bundle","a":NaN}',
        b'{"resourceType":"Bundle","a":-Infinity}',
        b'{"resourceType":"Bundle","a":1e999}',
        b'{"resourceType":"Bundle","a":' + b"9" * 5000 + b"}",
        b'{"resourceType":"Bundle","a":[[1]]}',
        b'{"resourceType":"Bundle","a b":1}',
        b'{"resourceType":"Bundle","":1}',
        b'{"resourceType":"Bundle","entry":{"resource":{"resourceType":7}}}',
        b'{"resourceType":"Patient"}',
        b"{}",
        b'{"resourceType":"Bundle"',
        b'{"resourceType":"Bundle","a":"\xff"}',
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"resourceType":"Bundle","a":' + b'{"a":' * 400 + b"1" + b"}" * 401,
        b"",
        b"hej",
        b'<Patient xmlns="http://hl7.org/fhir"/>',
        b"<Bundle/>",
    ],
)
def test_what_is_no_bundle_is_malformed(data):
    with pytest.raises(Malformed):
        fhir.read_bundle(data)


def test_a_wrong_namespace_is_named_as_such():
    with pytest.raises(Malformed, match=r"navnerummet er ikke http://hl7\.org/fhir"):
        fhir.read_bundle(b'<Bundle xmlns="http://hl7.org/fhir/v4"/>')


def test_a_dtd_is_refused():
    with pytest.raises(ForbiddenMarkup):
        fhir.read_bundle(b'<!DOCTYPE Bundle><Bundle xmlns="http://hl7.org/fhir"/>')


@pytest.mark.parametrize(
    ("content", "as_xml"),
    [
        ({"flag": True, "off": False}, '<flag value="true"/><off value="false"/>'),
        ({"n": 12}, '<n value="12"/>'),
        ({"list": ["a", "b"]}, '<list value="a"/><list value="b"/>'),
        ({"period": {"start": "2024"}}, '<period><start value="2024"/></period>'),
        ({"period": {"id": "p", "start": "2024"}}, '<period id="p"><start value="2024"/></period>'),
        (
            {"extension": [{"url": "u", "valueString": "x"}]},
            '<extension url="u"><valueString value="x"/></extension>',
        ),
        (
            {"modifierExtension": [{"url": "u", "valueUrl": "x"}]},
            '<modifierExtension url="u"><valueUrl value="x"/></modifierExtension>',
        ),
        ({"address": {"url": "x"}}, '<address><url value="x"/></address>'),
        (
            {"date": "2024", "_date": {"id": "d", "extension": [{"url": "u"}]}},
            '<date value="2024" id="d"><extension url="u"/></date>',
        ),
        ({"_date": {"extension": [{"url": "u"}]}}, '<date><extension url="u"/></date>'),
        (
            {"given": ["A", None, "C"], "_given": [None, {"id": "g"}]},
            '<given value="A"/><given id="g"/><given value="C"/>',
        ),
        (
            {"entry": [{"resource": {"resourceType": "Patient", "id": "p"}}]},
            '<entry><resource><Patient><id value="p"/></Patient></resource></entry>',
        ),
        (
            {"contained": [{"resourceType": "Patient", "id": "p"}]},
            '<contained><Patient><id value="p"/></Patient></contained>',
        ),
        (
            {
                "text": {
                    "status": "generated",
                    "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>x</p></div>',
                }
            },
            '<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p>x</p></div></text>',
        ),
        ({"text": {"status": "empty", "div": "<div>&nbsp;"}}, '<text><status value="empty"/></text>'),
        (
            {"text": {"status": "empty", "div": '<!DOCTYPE a><div xmlns="http://www.w3.org/1999/xhtml"/>'}},
            '<text><status value="empty"/></text>',
        ),
    ],
)
def test_json_becomes_the_tree_that_xml_has(content, as_xml):
    assert shape(json_tree(**content)) == shape(tree_of(f'<id value="b1"/>{as_xml}'))


def test_a_number_keeps_its_digits():
    bundle = fhir.read_bundle(b'{"resourceType":"Bundle","n":1.50,"m":1e3}')
    assert [child.get("value") for child in bundle.root] == ["1.50", "1e3"]


def test_characters_that_xml_cannot_hold_are_replaced():
    bundle = fhir.read_bundle(b'{"resourceType":"Bundle","a":"x\\u0000\\ud800y","b":{"id":"\\u0001"}}')
    assert bundle.root[0].get("value") == "x\ufffd\ufffdy"
    assert bundle.root[1].get("id") == "\ufffd"


def test_a_lone_surrogate_can_be_written_again():
    native = fhir.read_bundle(b'{"resourceType":"Bundle","a":"\\ud800"}').native
    assert native is not None
    assert json.loads(fhir.dump_json(native)) == native


@pytest.mark.parametrize("code", ALL_CODES)
def test_a_message_has_the_same_tree_in_both_formats(code):
    advis = an_advis(code=code)
    from_json = fhir.read_bundle(hn_bytes(advis, fhir.JSON))
    assert shape(from_json.root) == shape(fhir.read_bundle(hn_bytes(advis)).root)
    assert from_json.native == hn_bundle(advis)


_SIMPLE = st.text(min_size=1, max_size=8) | st.booleans() | st.integers()
_NAMES = st.sampled_from(
    ["a", "code", "value", "extension", "url", "id", "div", "_code", "resourceType", "text"]
)
_TREES = st.recursive(
    _SIMPLE | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(_NAMES, _TREES, max_size=5))
def test_any_json_becomes_a_tree_or_is_malformed(content):
    data = json.dumps(content | {"resourceType": "Bundle"}).encode()
    try:
        root = fhir.read_bundle(data).root
    except WireError:
        return
    assert etree.fromstring(etree.tostring(root)).tag == f"{{{NS}}}Bundle"


@given(st.dictionaries(st.sampled_from(["a", "bc", "status"]), st.text(min_size=1, max_size=20), max_size=3))
def test_primitives_of_json_read_as_their_xml_does(content):
    root = fhir.to_xml({"resourceType": "Bundle"} | content)
    again = fhir.read_bundle(etree.tostring(root, encoding="UTF-8")).root
    assert [(child.tag, child.get("value")) for child in again] == [
        (child.tag, child.get("value")) for child in root
    ]


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_wire_errors(data):
    for text in (data, b"{" + data, b"<" + data):
        with suppress(WireError):
            fhir.read_bundle(text)
