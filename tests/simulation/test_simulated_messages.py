import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from engine.domain.acknowledgement import ResponseCode
from engine.domain.advis import AdvisCode, EncounterClass, EncounterStatus, Unit
from engine.domain.finding import Severity
from engine.simulation import ack_bytes, an_acknowledgement, an_advis, hn_bytes, hn_envelope
from engine.simulation.made_up import made_up_id
from engine.wire import acknowledgement, fhir, hospital_notification, vans_envelope
from engine.wire.hospital_notification import Difference, MessageKind

CODES = list(AdvisCode)
MEDIA = [fhir.XML, fhir.JSON]
DEPARTMENT = Unit(sor="999000000003000", name="Afsnit 3, Testhospitalet")


def read(spec, media_type=fhir.XML, encoding="UTF-8"):
    return hospital_notification.read(fhir.read_bundle(hn_bytes(spec, media_type, encoding)))


def errors(notification):
    return [finding for finding in notification.findings if finding.severity is not Severity.WARNING]


@pytest.mark.parametrize("media_type", MEDIA)
@pytest.mark.parametrize("code", CODES)
def test_every_code_is_clean_and_derives_to_itself(code, media_type):
    spec = an_advis(code=code)
    bundle = fhir.read_bundle(hn_bytes(spec, media_type))
    notification = hospital_notification.read(bundle)
    assert errors(notification) == []
    expected = (
        AdvisCode.MORS if code is AdvisCode.RE_MORS else code
    )  # alone, a message cannot tell them apart
    assert notification.code is expected
    assert hospital_notification.kind_of(bundle, "") is MessageKind.HOSPITAL_NOTIFICATION
    assert notification.encounter_status == spec.status
    assert notification.encounter_class == spec.encounter_class


@pytest.mark.parametrize("code", CODES)
def test_xml_and_json_say_the_same(code):
    spec = an_advis(code=code, department=DEPARTMENT, episode_lpr3=made_up_id("lpr3"))
    first, second = (fhir.read_bundle(hn_bytes(spec, media_type)) for media_type in MEDIA)
    assert hospital_notification.compare(first, second) is Difference.NONE
    assert hospital_notification.read(first) == hospital_notification.read(second)


def test_everything_that_is_meant_is_read():
    spec = an_advis(
        code=AdvisCode.SLOR,
        department=DEPARTMENT,
        episode_lpr3=made_up_id("lpr3"),
        report_of_admission=False,
    )
    read_back = read(spec)
    assert read_back.message_id == spec.message_id
    assert read_back.bundle_id == spec.bundle_id
    assert read_back.encounter_id == spec.encounter_id
    assert read_back.cpr == spec.patient.cpr
    assert read_back.sender == spec.hospital
    assert read_back.receiver == spec.kommune
    assert read_back.service_provider == DEPARTMENT
    assert read_back.created_at == spec.sent_at
    assert read_back.period_start == spec.started_at
    assert read_back.period_end is None
    assert (read_back.leave_start, read_back.leave_end) == (spec.leave_start, spec.leave_end)
    assert read_back.episodes == (spec.episode_local, f"urn:uuid:{spec.episode_lpr3}")
    assert read_back.previous_message_id == spec.history[-1].message_id
    assert read_back.source_endpoint == f"https://sor2.sum.dsdn.dk/#id={spec.hospital.sor}"
    assert not read_back.report_of_admission
    assert read(an_advis(report_of_admission=True)).report_of_admission


def test_a_discharge_from_the_emergency_department_says_so():
    spec = an_advis(code=AdvisCode.SLHJ, encounter_class=EncounterClass.EMER)
    assert spec.activity == "discharge-emergency-home"
    assert read(spec).code is AdvisCode.SLHJ


def test_a_cancelled_death_gives_the_leave_back():
    spec = an_advis(code=AdvisCode.AN_MORS, standing=AdvisCode.STOR)
    assert spec.status is EncounterStatus.ONLEAVE
    read_back = read(spec)
    assert errors(read_back) == []
    assert read_back.code is AdvisCode.AN_MORS
    assert read_back.leave_start == spec.leave_start


@pytest.mark.parametrize(
    ("code", "lacking"),
    [(AdvisCode.SLHJ, "ended_at"), (AdvisCode.STOR, "leave_start"), (AdvisCode.STIN, "sent_at")],
)
def test_a_spec_that_cannot_be_said_is_refused(code, lacking):
    value = datetime(2025, 1, 1) if lacking == "sent_at" else None  # noqa: DTZ001 - without zone on purpose
    with pytest.raises(ValueError, match=lacking if value is None else "zone"):
        replace(an_advis(code=code), **{lacking: value})


@pytest.mark.parametrize("media_type", MEDIA)
def test_a_resent_letter_is_a_copy(media_type):
    spec = an_advis(code=AdvisCode.RE_STIN)
    again = spec.resent(bundle_id=made_up_id("new"), at=spec.sent_at + timedelta(minutes=30))
    first, second = (fhir.read_bundle(hn_bytes(one, media_type)) for one in (spec, again))
    assert hospital_notification.compare(first, second) is Difference.NONE
    assert hospital_notification.read(second).message_id == spec.message_id
    assert hospital_notification.read(second).bundle_id != spec.bundle_id
    assert hn_bytes(spec, media_type) != hn_bytes(again, media_type)


def test_other_patients_are_told_apart():
    spec = an_advis()
    other = replace(spec, patient=replace(spec.patient, cpr="0101589006"))
    first, second = (fhir.read_bundle(hn_bytes(one)) for one in (spec, other))
    assert hospital_notification.compare(first, second) is Difference.IDENTITY


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "UTF-16"])
def test_declared_encodings(encoding):
    spec = an_advis(patient=replace(an_advis().patient, family="Ærø-Ågård"))
    bundle = fhir.read_bundle(hn_bytes(spec, encoding=encoding))
    assert bundle.encoding == encoding
    assert "Ærø-Ågård" in (hospital_notification.read(bundle).patient_name or "")


@pytest.mark.parametrize("code", CODES)
def test_sizes_are_those_of_real_messages(code):
    for media_type in MEDIA:
        assert 13_000 <= len(hn_bytes(an_advis(code=code), media_type)) <= 23_000


@pytest.mark.parametrize("code", [AdvisCode.STIN, AdvisCode.STAA, AdvisCode.SLHJ, AdvisCode.MORS])
def test_the_commonest_messages_are_13_to_17_kb(code):
    assert 13_000 <= len(hn_bytes(an_advis(code=code))) <= 17_000


def test_json_stands_in_fhirs_order_and_xml_is_declared():
    spec = an_advis(code=AdvisCode.STOR, report_of_admission=False)
    bundle = json.loads(hn_bytes(spec, fhir.JSON))
    encounter = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Encounter")
    assert list(encounter) == [
        "resourceType",
        "id",
        "meta",
        "text",
        "extension",
        "status",
        "class",
        "subject",
        "episodeOfCare",
        "period",
        "serviceProvider",
    ]
    assert hn_bytes(spec).startswith(b"<?xml")
    assert etree.fromstring(hn_bytes(spec)).find(".//{http://www.w3.org/1999/xhtml}table") is not None


@pytest.mark.parametrize("media_type", MEDIA)
@pytest.mark.parametrize("code", list(ResponseCode))
def test_acknowledgements_are_read_as_meant(code, media_type):
    advis = an_advis()
    spec = an_acknowledgement(advis, code=code)
    data = ack_bytes(spec, media_type)
    answer = acknowledgement.read(data)
    assert answer.code is code
    assert answer.response_identifier == advis.message_id
    assert answer.message_id == spec.message_id
    assert answer.bundle_id == spec.bundle_id
    assert answer.media_type == media_type
    assert bool(answer.issues) is (code is not ResponseCode.OK)
    assert 11_000 <= len(data) <= 15_000
    bundle = fhir.read_bundle(data)
    assert hospital_notification.kind_of(bundle, "") is MessageKind.ACKNOWLEDGEMENT
    steps = list(bundle.root.iter("{http://hl7.org/fhir}Provenance"))
    assert len(steps) == 2


def test_builders_give_new_ids_and_take_overrides():
    assert an_advis().message_id != an_advis().message_id
    assert an_advis(message_id="x").message_id == "x"
    assert an_acknowledgement(response_identifier="x").response_identifier == "x"


def test_the_envelope_says_what_is_inside():
    spec = an_advis(sent_at=datetime(2025, 6, 1, 10, tzinfo=UTC))
    data = hn_bytes(spec, fhir.JSON)
    envelope = vans_envelope.read(
        hn_envelope(spec, data, envelope_id=made_up_id("envelope"), media_type=fhir.JSON)
    )
    assert isinstance(envelope, vans_envelope.MessageEnvelope)
    assert envelope.findings == ()
    assert envelope.data == data
    assert envelope.meta.mime == fhir.JSON
    assert envelope.meta.name == "MCM:FDIS20#admit-inpatient"
    assert envelope.meta.size_in_bytes == len(data)
    assert envelope.head.receiver.id == spec.kommune.gln
    assert envelope.head.sent_at == "2025-06-01T12:00:00+02:00"
