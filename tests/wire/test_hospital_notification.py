"""HospitalNotifications: what they are, what they say, and when two copies are the same."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from engine.domain.advis import AdvisCode, Unit
from engine.domain.finding import ErrorCode, Severity
from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.messages import ack_bytes, hn_bundle, hn_bytes
from engine.simulation.resources import to_bytes
from engine.wire import fhir, hospital_notification
from engine.wire.hospital_notification import Difference, MessageKind, compare, kind_of, read
from tests.wire.builders import (
    ALL_CODES,
    MEDIA_TYPES,
    bundle_of,
    example,
    findings,
    hn,
    no_profiles,
    part,
    setting,
    without,
)

EVENTS = "http://medcomfhir.dk/ig/terminology/CodeSystem/medcom-messaging-eventCodes"
NO_EVENT = setting("MessageHeader", "eventCoding", None)
HN, ACK, OTHER = MessageKind.HOSPITAL_NOTIFICATION, MessageKind.ACKNOWLEDGEMENT, MessageKind.OTHER
ALONE = {AdvisCode.RE_MORS: AdvisCode.MORS}  # a message read alone cannot tell these apart


def event(code):
    return setting("MessageHeader", "eventCoding", {"system": EVENTS, "code": code})


def profile(type_, *urls):
    return setting(type_, "meta", {"profile": list(urls)})


# --- kind_of ---


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_the_event_code_says_what_a_message_is(media_type):
    assert kind_of(hn(no_profiles, media_type=media_type), "") is HN
    acknowledgement = fhir.read_bundle(ack_bytes(an_acknowledgement(), media_type))
    assert kind_of(acknowledgement, "MCM:FDIS20#x") is ACK


@pytest.mark.parametrize(
    "code", ["empty-message", "care-communication-message", "homecareobservation-message"]
)
def test_the_event_code_of_another_message_wins(code):
    assert kind_of(hn(event(code)), "MCM:FDIS20#admit-inpatient") is OTHER


@pytest.mark.parametrize("change", [NO_EVENT, event("hospital-notifikation")])
def test_without_a_known_event_code_the_profile_says_it(change):
    assert kind_of(hn(change), "") is HN
    assert kind_of(hn(change, setting("Bundle", "meta", None)), "") is HN
    assert kind_of(hn(change, setting("MessageHeader", "meta", None)), "") is HN


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (
            "http://medcomfhir.dk/fhir/hospitalnotification/StructureDefinition/medcom-hospitalNotification-message",
            HN,
        ),
        (
            "http://medcomfhir.dk/ig/hospitalnotification/StructureDefinition/medcom-hospitalNotification-message|3.0.2",
            HN,
        ),
        ("http://medcomfhir.dk/ig/acknowledgement/StructureDefinition/medcom-messaging-acknowledgement", ACK),
        (
            "http://medcomfhir.dk/fhir/acknowledgement/StructureDefinition/medcom-messaging-acknowledgementHeader",
            ACK,
        ),
        (
            "http://medcomfhir.dk/ig/carecommunication/StructureDefinition/medcom-careCommunication-message",
            OTHER,
        ),
        ("http://example.org/medcom-hospitalNotification-message", OTHER),
    ],
)
def test_current_and_obsolete_profiles_are_known(url, kind):
    assert kind_of(hn(NO_EVENT, no_profiles, profile("Bundle", url)), "MCM:FDIS20") is kind
    assert kind_of(hn(NO_EVENT, no_profiles, profile("MessageHeader", url)), "") is kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("MCM:FDIS20#admit-inpatient", HN),
        ("FDIS20", HN),
        ("MCM:FCTL#ok", ACK),
        ("FCTL", ACK),
        ("MCM:FDIS91#x", OTHER),
        ("FDIS200", OTHER),
        ("XFDIS20", OTHER),
        ("", OTHER),
    ],
)
def test_without_event_code_and_profile_the_document_name_says_it(name, kind):
    assert kind_of(hn(NO_EVENT, no_profiles), name) is kind


def test_the_header_need_not_come_first():
    assert kind_of(hn(lambda bundle: bundle["entry"].reverse(), no_profiles), "") is HN


def test_a_bundle_without_anything_is_something_else():
    assert kind_of(fhir.read_bundle(b'{"resourceType":"Bundle"}'), "") is OTHER


# --- read ---


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.parametrize("code", ALL_CODES)
def test_every_code_is_derived_and_a_clean_message_has_no_findings(code, media_type):
    advis = an_advis(code=code)
    notification = read(fhir.read_bundle(hn_bytes(advis, media_type)))
    assert notification.code is ALONE.get(code, code)
    assert notification.activity == advis.activity
    assert notification.findings == ()
    assert notification.profile_version == "3"


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_everything_the_engine_needs_is_read(media_type):
    department = Unit(sor="666771000016006", gln=None, name="Afsnit 7, Testhospitalet")
    lpr3 = "11111111-2222-5333-8444-555566667777"
    advis = an_advis(
        code=AdvisCode.SLOR,
        report_of_admission=True,
        department=department,
        episode_lpr3=lpr3,
        episode_local="lokal-1",
    )
    notification = read(fhir.read_bundle(hn_bytes(advis, media_type)))
    assert (notification.bundle_id, notification.message_id) == (advis.bundle_id, advis.message_id)
    assert (notification.encounter_class, notification.encounter_status) == ("IMP", "in-progress")
    assert (notification.period_start, notification.period_end) == (advis.started_at, None)
    assert (notification.leave_start, notification.leave_end) == (advis.leave_start, advis.leave_end)
    assert notification.episodes == ("lokal-1", f"urn:uuid:{lpr3}")
    assert notification.report_of_admission is True
    assert notification.previous_message_id == advis.history[-1].message_id
    assert notification.created_at == advis.sent_at
    assert notification.source_endpoint == f"https://sor2.sum.dsdn.dk/#id={advis.hospital.sor}"
    assert notification.destination_endpoint == f"https://sor2.sum.dsdn.dk/#id={advis.kommune.sor}"
    assert (notification.sender, notification.receiver) == (advis.hospital, advis.kommune)
    assert notification.service_provider == department
    assert notification.cpr == advis.patient.cpr
    assert notification.patient_name == " ".join((*advis.patient.given, advis.patient.family))
    assert notification.encounter_id == advis.encounter_id
    assert notification.created_at is not None
    assert notification.created_at.tzinfo is not None


def test_an_empty_bundle_is_read_with_findings():
    notification = read(fhir.read_bundle(b'{"resourceType":"Bundle"}'))
    assert notification.message_id is None
    assert notification.code is None
    assert notification.sender == Unit()
    assert Severity.BLOCKING in {finding.severity for finding in notification.findings}


def test_death_is_read_before_the_activity():
    assert read(hn(setting("Patient", "deceasedBoolean", value=True))).code is AdvisCode.MORS
    assert (
        read(hn(setting("Patient", "deceasedDateTime", "2025-03-14T08:00:00+01:00"))).code is AdvisCode.MORS
    )
    assert read(hn(setting("Patient", "deceasedBoolean", value=False))).code is AdvisCode.AN_MORS
    assert read(hn()).code is AdvisCode.STIN


def test_the_current_provenance_is_the_one_about_this_message():
    def later_history(bundle):
        part(bundle, "Provenance", 0)["occurredDateTime"] = "2029-01-01T00:00:00Z"

    notification = read(hn(later_history, code=AdvisCode.SLHJ))
    assert notification.code is AdvisCode.SLHJ


def test_where_none_is_about_this_message_the_current_provenance_is_the_latest():
    def astray(bundle):
        for number, at in ((0, "2025-03-14T10:00:00+01:00"), (1, "2025-03-14T09:30:00Z")):
            found = part(bundle, "Provenance", number)
            found["target"] = [{"reference": "MessageHeader/andet"}]
            found["occurredDateTime"] = at

    bundle = hn(astray, code=AdvisCode.SLHJ)
    assert read(bundle).code is AdvisCode.SLHJ  # 09:30Z is later than 10:00+01:00
    assert [finding.path for finding in findings(bundle)] == ["Provenance.target"]


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.parametrize("form", ["fullUrl", "urn", "versioned", "absolute"])
def test_references_are_resolved_in_every_form(form, media_type):
    def refer(bundle):
        for entry in bundle["entry"]:
            resource = entry["resource"]
            if form == "urn":
                entry["fullUrl"] = f"urn:uuid:{resource['id']}"
        text = json.dumps(bundle)
        for entry in bundle["entry"]:
            resource = entry["resource"]
            relative = f"{resource['resourceType']}/{resource['id']}"
            if resource["resourceType"] in {"Organization", "Encounter", "Patient"}:
                to = {
                    "fullUrl": entry["fullUrl"],
                    "urn": f"urn:uuid:{resource['id']}",
                    "versioned": f"{relative}/_history/2",
                    "absolute": f"https://andetsteds.example/fhir/{relative}",
                }[form]
                text = text.replace(f'"reference": "{relative}"', f'"reference": "{to}"')
        bundle.clear()
        bundle.update(json.loads(text))

    notification = read(hn(refer, media_type=media_type))
    assert notification.findings == ()
    assert notification.sender.sor
    assert notification.receiver.gln
    assert notification.encounter_id


def test_a_reference_to_another_type_resolves_to_nothing():
    notification = read(hn(lambda b: part(b, "MessageHeader").update(sender=part(b, "Encounter")["subject"])))
    assert notification.sender == Unit()


@pytest.mark.parametrize("system", ["https://www.gs1.org/gln", "http://www.gs1.org/gln", "urn:oid:1.3.88"])
def test_every_spelling_of_the_gln_system_is_read(system):
    def respell(bundle):
        for number in (0, 1):
            part(bundle, "Organization", number)["identifier"][0]["system"] = system

    notification = read(hn(respell))
    assert notification.findings == ()
    assert notification.receiver.gln


@pytest.mark.parametrize(
    ("period", "finding"),
    [
        ("2025-03-14T09:00:00", "mangler tidszone"),
        ("2025-03-14", "er kun en dato"),
        ("2025", "er kun en dato"),
        ("2025-02-30T09:00:00Z", "er ikke et gyldigt tidspunkt"),
        ("20250314T090000Z", "er ikke et gyldigt tidspunkt"),
        ("0001-01-01T00:00:00+14:00", "er ikke et gyldigt tidspunkt"),
        ("2025-03-14T24:00:00Z", "er ikke et gyldigt tidspunkt"),
    ],
)
def test_a_time_that_cannot_be_used_is_none_and_a_finding(period, finding):
    notification = read(hn(setting("Encounter", "period", {"start": period})))
    assert notification.period_start is None
    (found,) = notification.findings
    assert (found.path, found.code, found.severity) == (
        "Encounter.period.start",
        ErrorCode.DATE_FORMAT,
        Severity.ERROR,
    )
    assert found.text.endswith(finding)


def test_a_leap_day_fractions_and_any_offset_are_read():
    start = "2024-02-29T23:59:59.123456789-05:30"
    notification = read(hn(setting("Encounter", "period", {"start": start})))
    assert notification.period_start == datetime(2024, 3, 1, 5, 29, 59, 123456, tzinfo=UTC)
    assert notification.period_start.utcoffset() == -timedelta(hours=5, minutes=30)


def test_a_cpr_number_is_read_with_and_without_hyphen_but_never_when_it_is_none():
    def cpr(value, system="urn:oid:1.2.208.176.1.2"):
        return setting("Patient", "identifier", [{"system": system, "value": value}])

    assert read(hn(cpr("2509479989"))).cpr == "2509479989"
    assert read(hn(cpr("250947-9989"))).cpr == "2509479989"
    assert read(hn(cpr("9909479989"))).cpr is None
    assert read(hn(cpr("250947TV11", "urn:oid:1.2.208.176.1.6.1.3"))).cpr is None


def test_the_official_name_is_read():
    names = [
        {"use": "old", "family": "Gammel"},
        {"use": "official", "family": "Elmer", "given": ["Bruno", "Test"]},
    ]
    assert read(hn(setting("Patient", "name", names))).patient_name == "Bruno Test Elmer"
    assert read(hn(setting("Patient", "name", [{"text": "Kun tekst"}]))).patient_name == "Kun tekst"


def test_no_finding_quotes_personal_data():
    def spoil(bundle):
        patient = part(bundle, "Patient")
        patient["identifier"] = [{"system": "urn:oid:1.2.208.176.1.6.1.3", "value": "250947TV11"}]
        patient["name"] = [{"family": "Hemmelig"}]
        part(bundle, "Encounter")["period"] = {"start": "250947TV11"}

    texts = " ".join(finding.text for finding in findings(hn(spoil)))
    assert "250947" not in texts
    assert "Hemmelig" not in texts


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ([], "3"),
        ([profile("Bundle", "http://medcomfhir.dk/fhir/x/StructureDefinition/y")], "1"),
        ([profile("MessageHeader", "http://medcomfhir.dk/fhir/x/StructureDefinition/y")], "1"),
        ([setting("Encounter", "extension", None)], "2"),
        ([no_profiles], "3"),
        ([no_profiles, setting("Encounter", "extension", None)], ""),
    ],
)
def test_the_profile_version_is_told_as_far_as_it_shows(changes, version):
    assert read(hn(*changes, code=AdvisCode.STOR)).profile_version == version


# --- compare ---


def a_pair(*changes, code=AdvisCode.SLHJ, first=fhir.XML, second=fhir.XML):
    advis = an_advis(code=code)
    return bundle_of(hn_bundle(advis), media_type=first), bundle_of(
        hn_bundle(advis), *changes, media_type=second
    )


def test_a_lawful_resend_is_no_difference():
    advis = an_advis(code=AdvisCode.SLHJ)
    again = advis.resent(bundle_id="nyt-bundle-id", at=advis.sent_at + timedelta(minutes=30))
    first, second = fhir.read_bundle(hn_bytes(advis)), fhir.read_bundle(hn_bytes(again))
    assert compare(first, second) is Difference.NONE


@pytest.mark.parametrize("first", MEDIA_TYPES)
@pytest.mark.parametrize("second", MEDIA_TYPES)
def test_the_format_is_no_difference(first, second):
    assert compare(*a_pair(first=first, second=second)) is Difference.NONE


def test_white_space_and_attribute_order_are_no_difference():
    data = hn_bytes(an_advis(code=AdvisCode.SLOR))
    root = etree.fromstring(data, etree.XMLParser(remove_blank_text=True))
    dense = etree.tostring(root)
    assert compare(fhir.read_bundle(data), fhir.read_bundle(dense)) is Difference.NONE
    one = b'<Bundle xmlns="http://hl7.org/fhir"><extension url="u" id="i"/></Bundle>'
    two = b'<Bundle xmlns="http://hl7.org/fhir"><extension id="i"  url="u"></extension>\n</Bundle>'
    assert compare(fhir.read_bundle(one), fhir.read_bundle(two)) is Difference.NONE


def test_the_order_of_json_properties_is_no_difference():
    def turned(bundle):
        text = json.dumps(bundle, sort_keys=True)
        bundle.clear()
        bundle.update(json.loads(text))

    assert compare(*a_pair(turned, first=fhir.JSON, second=fhir.JSON)) is Difference.NONE


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b["entry"].reverse(),
        setting("Encounter", "status", "finished-not"),
        lambda b: part(b, "Encounter")["period"].update(start="2025-01-01T00:00:00Z"),
        lambda b: part(b, "Organization", 0).update(name="Et andet navn"),
        lambda b: part(b, "Encounter")["text"].update(
            div='<div xmlns="http://www.w3.org/1999/xhtml"><p>Andet</p></div>'
        ),
        lambda b: part(b, "Provenance", -1)["activity"]["coding"][0].update(code="admit-inpatient"),
        lambda b: b["entry"].pop(),
        lambda b: part(b, "Patient").update(deceasedBoolean=True),
    ],
)
def test_any_other_change_is_a_minor_difference(change):
    assert compare(*a_pair(change)) is Difference.MINOR


@pytest.mark.parametrize(
    "change",
    [
        lambda b: part(b, "Patient")["identifier"][0].update(value="0101010101"),
        lambda b: part(b, "MessageHeader")["source"].update(endpoint="https://sor2.sum.dsdn.dk/#id=1"),
        lambda b: part(b, "MessageHeader").update(
            sender=part(b, "MessageHeader")["destination"][0]["receiver"]
        ),
        lambda b: (
            part(b, "Encounter").update(id="et-andet"),
            part(b, "MessageHeader").update(focus=[{"reference": "Encounter/et-andet"}]),
        ),
        without("Patient"),
    ],
)
def test_another_sender_citizen_or_stay_is_another_message(change):
    assert compare(*a_pair(change)) is Difference.IDENTITY


# --- the official examples ---

OFFICIAL = {
    "a5e5b880": AdvisCode.STIN,
    "bfab3e80": AdvisCode.RE_STIN,
    "c83671a4": AdvisCode.AN_STIN,
    "d3128d9b": AdvisCode.STOR,
    "e94de8ee": AdvisCode.SLOR,
    "f4aa42a4": AdvisCode.SLHJ,
    "g099bbf3": AdvisCode.MORS,
    "h1c8e4a8": AdvisCode.STAA,
    "kcab461b": AdvisCode.SLHJ,
    "ld31e08a": AdvisCode.MORS,
    "m908i967": AdvisCode.STIN,
    "n73ccf30": AdvisCode.STIN,
}


@pytest.mark.parametrize(("start", "code"), OFFICIAL.items())
def test_the_official_examples_are_read_and_give_warnings_at_most(start, code):
    bundles = [
        fhir.read_bundle(example("hospitalnotification-3.0.2", start, suffix)) for suffix in ("xml", "json")
    ]
    notifications = [read(bundle) for bundle in bundles]
    assert [notification.code for notification in notifications] == [code, code]
    assert notifications[0] == notifications[1]
    assert {finding.severity for finding in notifications[0].findings} <= {Severity.WARNING}
    assert [kind_of(bundle, "") for bundle in bundles] == [HN, HN]
    assert compare(*bundles) is Difference.NONE


def test_the_official_invalid_kind_is_recognised_and_gives_errors():
    native = json.loads(example("hospitalnotification-3.0.2", "a5e5b880", "json"))
    del part(native, "Encounter")["class"]
    del part(native, "MessageHeader")["eventCoding"]
    bundle = fhir.read_bundle(to_bytes(native))
    assert kind_of(bundle, "") is HN
    errors = {finding.path for finding in findings(bundle) if finding.severity is Severity.ERROR}
    assert errors == {"Encounter.class", "MessageHeader.eventCoding"}
    assert not findings(bundle, Severity.BLOCKING)


@pytest.mark.parametrize(("start", "kind"), [("a8c041b8", ACK), ("bc9535ef", ACK), ("eb26be85", OTHER)])
def test_the_official_acknowledgements_are_no_adviser(start, kind):
    bundle = fhir.read_bundle(example("acknowledgement-2.0.3", start, "xml"))
    assert kind_of(bundle, "MCM:FDIS20") is kind


def test_reading_any_other_message_raises_nothing():
    assert hospital_notification.read(fhir.read_bundle(ack_bytes(an_acknowledgement()))).code is None
