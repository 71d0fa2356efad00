"""VANSEnvelopes: written by the schema, read with the deviations that hospitals send."""

import base64
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.finding import ErrorCode, Severity
from engine.errors import ForbiddenMarkup, Malformed, WireError
from engine.wire import vans_envelope as vans
from engine.wire.vans_envelope import EndPoint, EndPointType, Head, MetaInformation, ReceiptKind
from tests.wire.schemas import assert_vans

ENVELOPE_ID = "0b6f1a3c-1111-4222-8333-944455556666"
MESSAGE_ID = "1c7f1a3c-1111-4222-8333-944455556666"
HEAD = Head(
    sender=EndPoint(EndPointType.EAN, "5790000209354"),
    receiver=EndPoint(EndPointType.EAN, "5790001348120"),
    envelope_id=ENVELOPE_ID,
    sent_at="2025-03-14T09:30:00+01:00",
)
META = MetaInformation(
    identifier=MESSAGE_ID,
    name="MCM:FDIS20#admit-inpatient",
    version="3.0.0",
    transport_type="reliable",
    transform_message=False,
    service_tags=(("MCM:MIME", "application/fhir+xml"),),
)
DATA = b"<Bundle>\xc3\xa6</Bundle>"
GOOD = vans.write_message(HEAD, META, DATA)
SIZED = replace(META, size_in_bytes=len(DATA))
PATH = "VANSEnvelope.Message.MetaInformation"


def changed(old, new, data=GOOD):
    old, new = old.encode(), new.encode()
    assert old in data
    return data.replace(old, new)


def without(element, data=GOOD):
    """The envelope without that element and what is in it."""
    start = data.index(f"<{element}".encode())
    end = data.index(f"</{element}>".encode()) + len(element) + 3
    return data[:start] + data[end:]


def test_what_is_written_reads_back_and_has_no_findings():
    envelope = vans.read(GOOD)
    assert isinstance(envelope, vans.MessageEnvelope)
    assert (envelope.head, envelope.meta, envelope.data) == (HEAD, SIZED, DATA)
    assert (envelope.damage, envelope.findings) == (None, ())
    assert envelope.meta.mime == "application/fhir+xml"


def test_size_is_counted_from_the_data_whatever_the_meta_says():
    envelope = vans.read(vans.write_message(HEAD, replace(META, size_in_bytes=1), DATA))
    assert isinstance(envelope, vans.MessageEnvelope)
    assert envelope.meta.size_in_bytes == len(DATA)


@pytest.mark.parametrize(
    "meta",
    [
        META,
        MetaInformation(identifier=MESSAGE_ID),
        replace(META, name="MCM:" + "x" * 400, version="v" * 300, processing=("p" * 300, "s")),
        replace(META, format="PDF", transport_type="carrier pigeon", transform_message=True),
        replace(META, service_tags=tuple((f"MCM:{n}", "v" * 80) for n in range(9))),
        replace(META, service_tags=(("", "x"), ("y", ""))),
        replace(META, name='MCM:<&">\x00\x0b'),
    ],
)
def test_what_is_written_is_valid_by_the_schema(meta):
    assert_vans(vans.write_message(HEAD, meta, DATA))
    for kind in ReceiptKind:
        assert_vans(vans.write_receipt(HEAD, kind, ENVELOPE_ID, meta, error_code=7, error_text="fejl"))


def read_receipt(kind, **error):
    data = vans.write_receipt(HEAD, kind, ENVELOPE_ID, SIZED, **error)
    receipt = vans.read(data)
    assert isinstance(receipt, vans.ReceiptEnvelope)
    return receipt


@pytest.mark.parametrize("kind", [ReceiptKind.NEGATIVE_MESSAGE, ReceiptKind.NEGATIVE_VANS])
def test_a_negative_receipt_reads_back(kind):
    receipt = read_receipt(kind, error_code=12, error_text="Data er beskadiget & <tom>")
    assert (receipt.head, receipt.kind, receipt.findings) == (HEAD, kind, ())
    assert (receipt.original_envelope_id, receipt.original_message_id) == (ENVELOPE_ID, MESSAGE_ID)
    assert (receipt.error_code, receipt.error_text) == (12, "Data er beskadiget & <tom>")


def test_a_positive_receipt_has_no_error():
    receipt = read_receipt(ReceiptKind.POSITIVE_MESSAGE, error_text="x")
    assert (receipt.kind, receipt.findings) == (ReceiptKind.POSITIVE_MESSAGE, ())
    assert (receipt.error_code, receipt.error_text) == (None, None)


def test_a_negative_receipt_needs_an_error_text():
    with pytest.raises(ValueError, match="error_text"):
        vans.write_receipt(HEAD, ReceiptKind.NEGATIVE_VANS, ENVELOPE_ID, META)


def test_a_long_error_text_is_cut():
    receipt = read_receipt(ReceiptKind.NEGATIVE_MESSAGE, error_text="é" * 600)
    assert receipt.error_text == "é" * 512


def test_a_receipt_of_the_network_may_leave_the_message_out():
    data = vans.write_receipt(
        HEAD, ReceiptKind.NEGATIVE_VANS, ENVELOPE_ID, META, error_text="Ukendt modtager"
    )
    receipt = vans.read(without("OriginalMessage", data))
    assert isinstance(receipt, vans.ReceiptEnvelope)
    assert (receipt.original_message_id, receipt.findings) == (None, ())


def test_an_answer_without_its_original_message_is_a_finding():
    data = vans.write_receipt(HEAD, ReceiptKind.POSITIVE_MESSAGE, ENVELOPE_ID, META)
    receipt = vans.read(without("OriginalMessage", data))
    assert isinstance(receipt, vans.ReceiptEnvelope)
    assert receipt.original_message_id is None
    assert [finding.severity for finding in receipt.findings] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (f">{ENVELOPE_ID}</Original", ">EPIC1</Original", "OriginalEnvelopeIdentifier"),
        ("<Description>x</Description>", "", "Error.Description"),
    ],
)
def test_a_deviating_receipt_is_read_with_a_warning(old, new, path):
    data = vans.write_receipt(HEAD, ReceiptKind.NEGATIVE_MESSAGE, ENVELOPE_ID, META, error_text="x")
    receipt = vans.read(changed(old, new, data))
    (finding,) = receipt.findings
    assert (finding.path, finding.severity) == (
        f"VANSEnvelope.Receipt.NegativeMessage.{path}",
        Severity.WARNING,
    )


def test_a_receipt_without_the_envelope_that_it_answers_is_malformed():
    data = vans.write_receipt(HEAD, ReceiptKind.POSITIVE_MESSAGE, ENVELOPE_ID, META)
    with pytest.raises(Malformed, match="OriginalEnvelopeIdentifier"):
        vans.read(without("OriginalEnvelopeIdentifier", data))


@pytest.mark.parametrize(
    ("data", "path", "code"),
    [
        (changed(ENVELOPE_ID, "EPIC394319568"), "VANSEnvelope.EnvelopeIdentifier", ErrorCode.ID_INVALID),
        (changed(MESSAGE_ID, "EPIC1"), f"{PATH}.Identifier", ErrorCode.ID_INVALID),
        (changed("MCM:FDIS20#admit-inpatient", "XDIS18"), f"{PATH}.Document.Name", ErrorCode.VALUE_UNKNOWN),
        (changed("3.0.0", "XD1834C"), f"{PATH}.Document.Version", ErrorCode.VALUE_UNKNOWN),
        (changed("<Format>HL7", "<Format>FHIR"), f"{PATH}.Document.Format", ErrorCode.VALUE_UNKNOWN),
        (without("Transport"), f"{PATH}.Transport", ErrorCode.RESOURCE_REQUIRED),
        (without("ServiceTag"), f"{PATH}.Transport.ServiceTag", ErrorCode.RESOURCE_REQUIRED),
        (without("TransformMessage"), f"{PATH}.Transport.TransformMessage", ErrorCode.DATATYPE_WRONG),
        (changed(">reliable<", ">maybe<"), f"{PATH}.Transport.Type", ErrorCode.VALUE_UNKNOWN),
        (changed("+01:00</Sent", "</Sent"), "VANSEnvelope.SentDateTime", ErrorCode.DATE_FORMAT),
        (changed("2025-03-14T09:30:00+01:00", "i går"), "VANSEnvelope.SentDateTime", ErrorCode.DATE_FORMAT),
        (without("SentDateTime"), "VANSEnvelope.SentDateTime", ErrorCode.RESOURCE_REQUIRED),
        (changed("envelope:1.0.4", "envelope:1.0.3"), "VANSEnvelope", ErrorCode.WRONG_NAMESPACE),
        (changed(f">{len(DATA)}<", ">1<"), f"{PATH}.Document.SizeInBytes", ErrorCode.DAMAGED),
        (changed(f">{len(DATA)}<", ">mange<"), f"{PATH}.Document.SizeInBytes", ErrorCode.DATATYPE_WRONG),
        (without("SizeInBytes"), f"{PATH}.Document.SizeInBytes", ErrorCode.DATATYPE_WRONG),
        (
            changed('"EAN">5790000209354', '"SOR">5790000209354'),
            "VANSEnvelope.SenderID",
            ErrorCode.VALUE_UNKNOWN,
        ),
        (changed("5790000209354", "5" * 19), "VANSEnvelope.SenderID", ErrorCode.ELEMENT_TOO_LONG),
        (
            changed(f"<EnvelopeIdentifier>{ENVELOPE_ID}</EnvelopeIdentifier>", "").replace(
                b"<Message>", f"<EnvelopeIdentifier>{ENVELOPE_ID}</EnvelopeIdentifier><Message>".encode()
            ),
            "VANSEnvelope",
            ErrorCode.BAD_SYNTAX,
        ),
        (changed("<Message>", "<Extra/><Message>"), "VANSEnvelope", ErrorCode.BAD_SYNTAX),
    ],
)
def test_a_deviation_is_one_warning_and_the_message_is_read(data, path, code):
    envelope = vans.read(data)
    assert isinstance(envelope, vans.MessageEnvelope)
    assert envelope.data == DATA
    assert [(finding.path, finding.code) for finding in envelope.findings] == [(path, code)]
    assert envelope.findings[0].severity is Severity.WARNING
    for quoted in ("EPIC", "5790000209354", "XDIS18"):
        assert quoted not in envelope.findings[0].text


def test_an_unknown_end_point_type_reads_as_ean():
    envelope = vans.read(changed(' EndPointType="EAN">5790001348120', ">5790001348120"))
    assert envelope.head.receiver == EndPoint(EndPointType.EAN, "5790001348120")


def test_missing_document_fields_get_their_defaults():
    envelope = vans.read(without("Document"))
    assert isinstance(envelope, vans.MessageEnvelope)
    assert (envelope.meta.format, envelope.meta.name, envelope.meta.size_in_bytes) == ("HL7", "", 0)
    assert all(finding.severity is Severity.WARNING for finding in envelope.findings)


@pytest.mark.parametrize(
    "name", ["SenderID", "ReceiverID", "EnvelopeIdentifier", "Message", "MetaInformation"]
)
def test_what_routing_needs_must_be_there(name):
    with pytest.raises(Malformed):
        vans.read(without(name))


@pytest.mark.parametrize("element", ["SenderID", "EnvelopeIdentifier", "Identifier"])
def test_an_empty_element_is_a_missing_one(element):
    start = GOOD.index(b">", GOOD.index(f"<{element}".encode())) + 1
    end = GOOD.index(f"</{element}>".encode())
    with pytest.raises(Malformed, match=element):
        vans.read(GOOD[:start] + b"  " + GOOD[end:])


@pytest.mark.parametrize(
    "data",
    [
        changed("</VANSEnvelope>", "<Message/></VANSEnvelope>"),
        changed("</VANSEnvelope>", "<Receipt/></VANSEnvelope>"),
        changed("</SenderID>", '</SenderID><SenderID EndPointType="EAN">1</SenderID>'),
        changed("</Data>", "</Data><Data>AAAA</Data>"),
        b'<VANSEnvelope xmlns="urn:andet"/>',
        b"<VANSEnvelope/>",
        b'<Envelope xmlns="urn:oio:medcom:vans-envelope:1.0.4"/>',
        b"",
        b"ikke XML",
    ],
)
def test_what_is_no_single_envelope_is_malformed(data):
    with pytest.raises(Malformed):
        vans.read(data)


def test_a_dtd_is_refused():
    with pytest.raises(ForbiddenMarkup):
        vans.read(GOOD.replace(b"<VANSEnvelope", b'<!DOCTYPE a [<!ENTITY x "y">]><VANSEnvelope', 1))


BASE64 = base64.b64encode(DATA).decode()


@pytest.mark.parametrize(
    "text", ["", "  \n", "####", BASE64[:-1], BASE64 + "=AAA", "æ" + BASE64, "<x/>" + BASE64]
)
def test_damaged_data_is_told_and_not_raised(text):
    envelope = vans.read(changed(BASE64, text))
    assert isinstance(envelope, vans.MessageEnvelope)
    assert envelope.data is None
    assert envelope.damage
    assert envelope.damage.startswith("Data ")


def test_no_data_is_damage():
    envelope = vans.read(without("Data"))
    assert isinstance(envelope, vans.MessageEnvelope)
    assert (envelope.data, envelope.damage) == (None, "Data mangler")


@pytest.mark.parametrize("gap", ["\n", "\r\n", " ", "\t", "<!-- c -->"])
def test_white_space_within_base64_is_nothing(gap):
    envelope = vans.read(changed(BASE64, f"{gap}{BASE64[:5]}{gap}{BASE64[5:]}{gap}"))
    assert isinstance(envelope, vans.MessageEnvelope)
    assert (envelope.data, envelope.findings) == (DATA, ())


_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40).map(
    str.strip
)
_filled = _texts.filter(bool)


_metas = st.builds(
    MetaInformation,
    identifier=st.just(MESSAGE_ID),
    name=_filled,
    version=st.none() | _filled,
    processing=st.none() | st.tuples(_filled, _filled),
    transport_type=st.sampled_from([None, "reliable", "unreliable"]),
    transform_message=st.booleans(),
    service_tags=st.lists(st.tuples(_filled, _filled), min_size=1, max_size=5).map(tuple),
)


@given(data=st.binary(min_size=1, max_size=400), meta=_metas, sender=st.sampled_from(list(EndPointType)))
def test_every_message_reads_back(data, meta, sender):
    head = replace(HEAD, sender=EndPoint(sender, "12345678"))
    envelope = vans.read(vans.write_message(head, meta, data))
    assert isinstance(envelope, vans.MessageEnvelope)
    assert (envelope.head, envelope.data) == (head, data)
    assert envelope.meta == replace(meta, size_in_bytes=len(data))


@given(at=st.integers(0, len(GOOD) - 1), cut=st.integers(0, 30), put=st.binary(max_size=10))
def test_a_mutated_envelope_raises_nothing_but_wire_errors(at, cut, put):
    with suppress(WireError):
        vans.read(GOOD[:at] + put + GOOD[at + cut :])


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_wire_errors(data):
    with pytest.raises(WireError):
        vans.read(data)
