"""Acknowledgements: read tolerantly, refused to the profile, renewed with nothing else changed."""

import copy
import json
from datetime import UTC, datetime

import pytest
from lxml import etree

from engine.domain.acknowledgement import ResponseCode
from engine.domain.advis import AdvisCode, Unit
from engine.domain.finding import HL7_ERRORS, MEDCOM_ERRORS, ErrorCode, Finding, Severity
from engine.errors import ForbiddenMarkup, Malformed
from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.messages import ack_bundle, ack_bytes, hn_bundle
from engine.simulation.resources import to_bytes
from engine.wire import acknowledgement, fhir, hospital_notification, tree
from engine.wire.hospital_notification import Difference, MessageKind
from tests.wire.builders import MEDIA_TYPES, bundle_of, example, hn, part, setting, without

NOW = datetime(2025, 3, 14, 10, 0, tzinfo=UTC)
NOW_TEXT = "2025-03-14T10:00:00+00:00"
BUNDLE_ID = "aaaaaaaa-1111-4222-8333-944455556666"
MESSAGE_ID = "bbbbbbbb-1111-4222-8333-944455556666"


# --- read ---


def changed(change, media_type=fhir.XML, **overrides):
    native = ack_bundle(an_acknowledgement(**overrides))
    change(native)
    return to_bytes(native, media_type)


def response(**fields):
    return lambda native: part(native, "MessageHeader")["response"].update(fields)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.parametrize("code", list(ResponseCode))
def test_every_code_is_read_in_both_formats(code, media_type):
    spec = an_acknowledgement(code=code)
    found = acknowledgement.read(ack_bytes(spec, media_type))
    assert (found.bundle_id, found.message_id) == (spec.bundle_id, spec.message_id)
    assert (found.response_identifier, found.code) == (spec.response_identifier, code)
    assert found.media_type == media_type
    assert len(found.issues) == len(spec.issues)
    for issue, text in zip(spec.issues, found.issues, strict=True):
        assert text == f"{issue.code} {issue.detail}: {issue.text}"


@pytest.mark.parametrize("encoding", ["UTF-16", "ISO-8859-1", "windows-1252"])
def test_every_encoding_is_read(encoding):
    spec = an_acknowledgement()
    assert (
        acknowledgement.read(ack_bytes(spec, fhir.XML, encoding)).response_identifier
        == spec.response_identifier
    )


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_event_code_profile_and_provenance_do_not_matter(media_type):
    def spoil(native):
        del native["meta"]
        part(native, "MessageHeader")["eventCoding"]["code"] = "noget-andet"
        native["entry"] = [
            entry for entry in native["entry"] if entry["resource"]["resourceType"] != "Provenance"
        ]
        native["entry"].reverse()

    assert acknowledgement.read(changed(spoil, media_type)).code is ResponseCode.OK


@pytest.mark.parametrize(
    "prefix", ["MessageHeader/", "urn:uuid:", "https://epj.example/fhir/MessageHeader/", " "]
)
def test_a_prefix_of_the_identifier_is_stripped(prefix):
    assert acknowledgement.read(changed(response(identifier=f"{prefix}abc-1"))).response_identifier == "abc-1"


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.parametrize(
    "change",
    [
        response(identifier=""),
        response(code="AA"),
        response(code="OK"),
        response(code=""),
        lambda native: part(native, "MessageHeader")["response"].pop("identifier"),
        lambda native: part(native, "MessageHeader")["response"].pop("code"),
        lambda native: part(native, "MessageHeader").pop("response"),
        without("MessageHeader"),
    ],
)
def test_what_cannot_be_matched_or_understood_is_malformed(change, media_type):
    with pytest.raises(Malformed):
        acknowledgement.read(changed(change, media_type))


def test_what_is_no_bundle_is_malformed():
    with pytest.raises(Malformed):
        acknowledgement.read(b"ok")
    with pytest.raises(ForbiddenMarkup):
        acknowledgement.read(b"<!DOCTYPE a><a/>")


@pytest.mark.parametrize("suffix", ["xml", "json"])
@pytest.mark.parametrize(
    ("start", "code", "identifier"),
    [
        ("a8c041b8", ResponseCode.OK, "42cb9200-f421-4d08-8391-7d51a2503cb4"),
        ("bc9535ef", ResponseCode.FATAL_ERROR, "53128d9b-cede-4c7f-8904-809eab322d7d"),
        ("c9c2b2f6", ResponseCode.TRANSIENT_ERROR, "53128d9b-cede-4c7f-8904-809eab322d7d"),
    ],
)
def test_the_official_examples_are_read(start, code, identifier, suffix):
    found = acknowledgement.read(example("acknowledgement-2.0.3", start, suffix))
    assert (found.code, found.response_identifier) == (code, identifier)


def test_the_official_message_that_is_no_acknowledgement_is_malformed():
    with pytest.raises(Malformed):
        acknowledgement.read(example("acknowledgement-2.0.3", "eb26be85", "xml"))


# --- refusal ---

KOMMUNE = Unit(sor="999000000016001", gln="5790000000012", name="Sundhedsagenten")
FINDINGS = (
    Finding("MessageHeader.id", ErrorCode.RESOURCE_REQUIRED, "MessageHeader.id mangler", Severity.BLOCKING),
    Finding("x", ErrorCode.RECEIVER_UNKNOWN, "Modtageren <ukendt> & borte"),
    Finding("y", ErrorCode.ID_INVALID, "y er ikke et UUID", Severity.WARNING),
)


def refuse(bundle, findings=FINDINGS, about="hn-id-1"):
    return acknowledgement.refusal(
        bundle,
        response_identifier=about,
        findings=findings,
        acknowledger=KOMMUNE,
        bundle_id=BUNDLE_ID,
        message_id=MESSAGE_ID,
        now=NOW,
    )


def refused(bundle, **kwargs):
    """The refusal as its resources by type, each a tree whatever the format."""
    root = fhir.read_bundle(refuse(bundle, **kwargs)).root
    return root, tree.resources(tree.children(root))


def alone(element):
    """The element as a document of its own, without white space between elements."""
    return etree.tostring(etree.fromstring(etree.tostring(element)), method="c14n2", strip_text=True)


def text_of(element, path):
    found = element.find("/".join(f"{{{fhir.NAMESPACE}}}{name}" for name in path.split("/")))
    return None if found is None else found.get("value")


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_refusal_answers_in_the_messages_own_format(media_type):
    advis = an_advis(code=AdvisCode.SLHJ)
    bundle = bundle_of(hn_bundle(advis), media_type=media_type)
    data = refuse(bundle, about=advis.message_id)
    found = acknowledgement.read(data)
    assert (found.bundle_id, found.message_id) == (BUNDLE_ID, MESSAGE_ID)
    assert (found.response_identifier, found.code) == (advis.message_id, ResponseCode.FATAL_ERROR)
    assert found.media_type == media_type
    assert fhir.read_bundle(data).encoding == "UTF-8"
    assert hospital_notification.kind_of(fhir.read_bundle(data), "") is MessageKind.ACKNOWLEDGEMENT
    assert data == refuse(bundle, about=advis.message_id)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_refusal_goes_from_the_addressee_to_the_sender(media_type):
    advis = an_advis()
    root, resources = refused(bundle_of(hn_bundle(advis), media_type=media_type))
    (header,) = resources.of_type("MessageHeader")
    assert resources.all[0] is header
    assert (
        text_of(header.element, "destination/endpoint")
        == f"https://sor2.sum.dsdn.dk/#id={advis.hospital.sor}"
    )
    assert text_of(header.element, "source/endpoint") == f"https://sor2.sum.dsdn.dk/#id={advis.kommune.sor}"
    to = resources.find(text_of(header.element, "destination/receiver/reference"), "Organization")
    own = resources.find(text_of(header.element, "sender/reference"), "Organization")
    assert tree.unit(to) == advis.hospital
    assert tree.unit(own) == advis.kommune
    assert text_of(root, "timestamp") == NOW_TEXT


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_refusal_has_the_latest_provenance_and_a_new_one(media_type):
    advis = an_advis(code=AdvisCode.SLHJ)
    bundle = bundle_of(hn_bundle(advis), media_type=media_type)
    _root, resources = refused(bundle, about=advis.message_id)
    copied, new = resources.of_type("Provenance")
    original = part(hn_bundle(advis), "Provenance", -1)
    assert alone(copied.element) == alone(fhir.to_xml(original))
    assert text_of(new.element, "target/reference") == f"MessageHeader/{MESSAGE_ID}"
    assert text_of(new.element, "activity/coding/code") == "acknowledgement"
    assert text_of(new.element, "entity/role") == "revision"
    assert text_of(new.element, "entity/what/reference") == f"MessageHeader/{advis.message_id}"
    assert text_of(new.element, "occurredDateTime") == text_of(new.element, "recorded") == NOW_TEXT
    for provenance in (copied, new):
        who = text_of(provenance.element, "agent/who/reference")
        assert resources.find(who, "Organization") is not None


def test_the_copied_provenance_is_the_native_one_in_json():
    advis = an_advis(code=AdvisCode.SLHJ)
    native = json.loads(refuse(bundle_of(hn_bundle(advis), media_type=fhir.JSON)))
    assert part(native, "Provenance", 0) == part(hn_bundle(advis), "Provenance", -1)


def test_the_message_itself_is_left_as_it_was():
    bundle = hn(code=AdvisCode.SLHJ)
    before = etree.tostring(bundle.root)
    refuse(bundle)
    assert etree.tostring(bundle.root) == before


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_message_without_provenance_gets_only_the_new_one(media_type):
    _root, resources = refused(hn(without("Provenance"), media_type=media_type))
    assert len(resources.of_type("Provenance")) == 1


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_each_finding_is_an_issue(media_type):
    native_or_xml = hn(media_type=media_type)
    _root, resources = refused(native_or_xml)
    (outcome,) = resources.of_type("OperationOutcome")
    (header,) = resources.of_type("MessageHeader")
    assert text_of(header.element, "response/details/reference") == f"OperationOutcome/{outcome.id}"
    issues = outcome.children[fhir.tag("issue")]
    told = [
        (text_of(issue, "severity"), text_of(issue, "code"), text_of(issue, "details/coding/system"))
        for issue in issues
    ]
    assert told == [
        ("error", "required", HL7_ERRORS),
        ("error", "not-found", MEDCOM_ERRORS),
        ("warning", "value", HL7_ERRORS),
    ]
    assert [text_of(issue, "details/text") for issue in issues] == [finding.text for finding in FINDINGS]


def test_an_outcome_always_has_an_issue():
    assert len(acknowledgement.read(refuse(hn(), findings=())).issues) == 1


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_the_acknowledger_fills_what_the_message_leaves_out(media_type):
    def forget(bundle):
        receiver = part(bundle, "MessageHeader")["destination"][0]["receiver"]["reference"].rpartition("/")[2]
        for entry in bundle["entry"]:
            if entry["resource"]["id"] == receiver:
                del entry["resource"]["identifier"][0]
                del entry["resource"]["name"]
        del part(bundle, "MessageHeader")["destination"][0]["endpoint"]

    advis = an_advis()
    _root, resources = refused(bundle_of(hn_bundle(advis), forget, media_type=media_type))
    (header,) = resources.of_type("MessageHeader")
    own = tree.unit(resources.find(text_of(header.element, "sender/reference"), "Organization"))
    assert own == Unit(sor=advis.kommune.sor, gln=KOMMUNE.gln, name=KOMMUNE.name)
    assert text_of(header.element, "source/endpoint") == f"https://sor2.sum.dsdn.dk/#id={advis.kommune.sor}"


def test_the_acknowledger_stands_in_for_a_missing_addressee():
    _root, resources = refused(hn(setting("MessageHeader", "destination", None)))
    (header,) = resources.of_type("MessageHeader")
    own = tree.unit(resources.find(text_of(header.element, "sender/reference"), "Organization"))
    assert own == KOMMUNE
    assert text_of(header.element, "source/endpoint") == f"https://sor2.sum.dsdn.dk/#id={KOMMUNE.sor}"


def test_a_missing_source_endpoint_is_made_of_the_senders_number():
    advis = an_advis()
    no_source = setting("MessageHeader", "source", None)

    def endpoint(*changes):
        _root, resources = refused(bundle_of(hn_bundle(advis), no_source, *changes))
        return text_of(resources.all[0].element, "destination/endpoint")

    def no_sor(bundle):
        for entry in bundle["entry"]:
            if entry["resource"]["resourceType"] == "Organization":
                del entry["resource"]["identifier"][1]

    assert endpoint() == f"https://sor2.sum.dsdn.dk/#id={advis.hospital.sor}"
    assert endpoint(no_sor) == f"urn:oid:1.3.88.{advis.hospital.gln}"


def test_an_almost_empty_message_can_be_refused():
    for data in (b'{"resourceType":"Bundle"}', b'<Bundle xmlns="http://hl7.org/fhir"/>'):
        assert acknowledgement.read(refuse(fhir.read_bundle(data))).code is ResponseCode.FATAL_ERROR


def test_references_by_urn_stay_resolvable():
    def to_urns(bundle):
        text = json.dumps(bundle)
        for entry in bundle["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] == "Organization":
                text = text.replace(f'"Organization/{resource["id"]}"', f'"urn:uuid:{resource["id"]}"')
                text = text.replace(json.dumps(entry["fullUrl"]), f'"urn:uuid:{resource["id"]}"')
        bundle.clear()
        bundle.update(json.loads(text))

    root, resources = refused(hn(to_urns))
    urls = {entry.find(fhir.tag("fullUrl")).get("value") for entry in root.iterchildren(fhir.tag("entry"))}
    header = resources.all[0].element
    for path in ("destination/receiver/reference", "sender/reference"):
        assert text_of(header, path) in urls


R4_ORDER = {
    "Bundle": ["id", "meta", "type", "timestamp", "entry"],
    "MessageHeader": [
        "id", "meta", "text", "eventCoding", "destination", "sender", "source", "response",
    ],
    "Provenance": [
        "id", "meta", "text", "target", "occurredDateTime", "recorded", "activity", "agent", "entity",
    ],
    "Organization": ["id", "meta", "text", "identifier", "name"],
    "OperationOutcome": ["id", "meta", "text", "issue"],
}  # fmt: skip


def test_the_elements_stand_in_fhirs_order_and_each_resource_has_its_narrative():
    root, resources = refused(hn(code=AdvisCode.SLHJ))
    for name, element in [("Bundle", root), *((each.type, each.element) for each in resources.all)]:
        order = [etree.QName(child).localname for child in element]
        assert list(dict.fromkeys(order)) == R4_ORDER[name]
        if name != "Bundle":
            assert element.find(fhir.tag("text"))[1].tag == f"{{{fhir.XHTML}}}div"


@pytest.mark.parametrize("suffix", ["xml", "json"])
def test_an_official_example_can_be_refused(suffix):
    bundle = fhir.read_bundle(example("hospitalnotification-3.0.2", "bfab3e80", suffix))
    assert acknowledgement.read(refuse(bundle)).code is ResponseCode.FATAL_ERROR


# --- renew ---


def renewed(data):
    return acknowledgement.renew(data, bundle_id=BUNDLE_ID, now=NOW)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_renewal_changes_the_bundle_and_the_own_provenance_only(media_type):
    native = ack_bundle(an_acknowledgement(code=ResponseCode.FATAL_ERROR))
    again = renewed(to_bytes(native, media_type))
    expected = copy.deepcopy(native)
    expected |= {"id": BUNDLE_ID, "timestamp": NOW_TEXT}
    part(expected, "Provenance", 1).update(occurredDateTime=NOW_TEXT, recorded=NOW_TEXT)
    if media_type == fhir.JSON:
        assert json.loads(again) == expected
        assert list(json.loads(again)) == list(native)
    else:
        assert again == to_bytes(expected, media_type)


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1", "windows-1252"])
def test_renewal_keeps_the_declared_encoding(encoding):
    again = fhir.read_bundle(renewed(ack_bytes(an_acknowledgement(), fhir.XML, encoding)))
    assert again.encoding == encoding.upper()


def test_renewal_keeps_comments_and_white_space():
    data = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- foer --><Bundle xmlns="http://hl7.org/fhir">\n'
        b'  <id value="a"/> <!-- i -->\n  <timestamp value="b"/>\n</Bundle>'
    )
    expected = data.replace(b'"a"', f'"{BUNDLE_ID}"'.encode()).replace(b'"b"', f'"{NOW_TEXT}"'.encode())
    assert renewed(data).replace(b"'", b'"') == expected


def test_renewal_adds_what_was_missing():
    again = renewed(b'<Bundle xmlns="http://hl7.org/fhir"><type value="message"/><entry/></Bundle>')
    names = [etree.QName(child).localname for child in etree.fromstring(again)]
    assert names == ["id", "type", "timestamp", "entry"]
    native = json.loads(renewed(b'{"resourceType":"Bundle"}'))
    assert native == {"resourceType": "Bundle", "id": BUNDLE_ID, "timestamp": NOW_TEXT}


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_renewed_acknowledgement_says_the_same(media_type):
    data = ack_bytes(an_acknowledgement(), media_type)
    again = renewed(data)
    assert hospital_notification.compare(fhir.read_bundle(data), fhir.read_bundle(again)) is Difference.NONE


@pytest.mark.parametrize("data", [b"x", b"<a/>", b'{"resourceType":"Patient"}', b'{"a"'])
def test_only_a_bundle_can_be_renewed(data):
    with pytest.raises(Malformed):
        renewed(data)
