"""Each rule of the profile: one message that breaks it, and the finding that says so."""

import pytest

from engine.domain.advis import AdvisCode
from engine.domain.finding import ErrorCode, Severity
from engine.wire import notification_parts as np
from tests.wire.builders import MEDIA_TYPES, findings, hn, part, setting, without

E, B, W = Severity.ERROR, Severity.BLOCKING, Severity.WARNING
C = ErrorCode
OBSOLETE = {"profile": ["http://medcomfhir.dk/fhir/hospitalnotification/StructureDefinition/x"]}
LEAVE = "Encounter.extension:leavePeriod"
YES, NO = True, False
FLAG = "MessageHeader.extension:reportOfAdmissionFlag"
SYSTEM = "Et andet system"


def edit(type_, change, number=0):
    return lambda bundle: change(part(bundle, type_, number))


def header(change):
    return edit("MessageHeader", change)


def encounter(change):
    return edit("Encounter", change)


def patient(change):
    return edit("Patient", change)


def provenance(change):
    return edit("Provenance", change, -1)


def twice(key):
    return lambda resource: resource.update({key: [resource[key], resource[key]]})


def again(type_):
    return lambda bundle: bundle["entry"].append({"resource": part(bundle, type_) | {"id": "igen"}})


def sender(bundle):
    wanted = part(bundle, "MessageHeader")["sender"]["reference"].rpartition("/")[2]
    return next(entry["resource"] for entry in bundle["entry"] if entry["resource"].get("id") == wanted)


def leave(period, count=1):
    extension = {"url": np.LEAVE_URL, "valuePeriod": period}
    return encounter(lambda e: e.update(extension=[extension] * count))


def forbidden(name):
    return encounter(lambda e: e.update({name: {"text": "x"}}))


def flags(*values):
    return header(lambda h: h.update(extension=[{"url": np.FLAG_URL, "valueBoolean": v} for v in values]))


def recipients(*references):
    found = [
        {"url": np.RECIPIENT_URL, "valueReference": {"reference": reference}} for reference in references
    ]
    return header(lambda h: h.update(extension=found))


GONE = {"reference": "Organization/findes-ikke"}
CARE = {"system": "https://www.esundhed.dk/Registre/Landspatientregisteret"}
LPR3 = "urn:uuid:11111111-2222-5333-8444-555566667777"
VERSION_4 = LPR3.replace("-5", "-4")
START = "2025-03-10T10:00:00+01:00"
BEFORE = "2025-03-09T10:00:00+01:00"
TWO_ENDS = {"start": BEFORE, "end": [START, START]}
BACKWARDS = {"start": START, "end": BEFORE}

BUNDLE = [
    (setting("Bundle", "id", None), "Bundle.id", C.RESOURCE_REQUIRED, E),
    (setting("Bundle", "id", "p099"), "Bundle.id", C.ID_INVALID, W),
    (setting("Bundle", "id", "æ ø"), "Bundle.id", C.ID_INVALID, E),
    (setting("Bundle", "type", None), "Bundle.type", C.RESOURCE_REQUIRED, E),
    (setting("Bundle", "type", "batch"), "Bundle.type", C.VALUE_UNKNOWN, E),
    (setting("Bundle", "timestamp", None), "Bundle.timestamp", C.RESOURCE_REQUIRED, E),
    (setting("Bundle", "timestamp", "2025-03-14T09:30:00"), "Bundle.timestamp", C.DATE_FORMAT, E),
    (setting("Bundle", "meta", OBSOLETE), "Bundle.meta.profile", C.VALUE_UNKNOWN, W),
    (lambda b: b["entry"].append(b["entry"].pop(0)), "Bundle.entry", C.BAD_SYNTAX, E),
    (again("MessageHeader"), "MessageHeader", C.BAD_SYNTAX, E),
]

HEADER = [
    (header(lambda h: h.pop("eventCoding")), "MessageHeader.eventCoding", C.RESOURCE_REQUIRED, E),
    (header(twice("eventCoding")), "MessageHeader.eventCoding", C.BAD_SYNTAX, E),
    (
        header(lambda h: h["eventCoding"].pop("code")),
        "MessageHeader.eventCoding.code",
        C.RESOURCE_REQUIRED,
        E,
    ),
    (
        header(lambda h: h["eventCoding"].update(code="x")),
        "MessageHeader.eventCoding.code",
        C.VALUE_UNKNOWN,
        E,
    ),
    (
        header(lambda h: h["eventCoding"].update(system=SYSTEM)),
        "MessageHeader.eventCoding.system",
        C.CODE_SYSTEM_UNKNOWN,
        E,
    ),
    (header(lambda h: h.pop("destination")), "MessageHeader.destination", C.RECEIVER_MISSING, B),
    (
        header(lambda h: h["destination"][0].pop("endpoint")),
        "MessageHeader.destination.endpoint",
        C.RESOURCE_REQUIRED,
        E,
    ),
    (
        header(lambda h: h["destination"][0].pop("receiver")),
        "MessageHeader.destination.receiver",
        C.RESOURCE_REQUIRED,
        E,
    ),
    (
        header(lambda h: h["destination"][0].update(receiver=GONE)),
        "MessageHeader.destination.receiver",
        C.NO_MATCH,
        E,
    ),
    (
        header(lambda h: h["destination"].append(h["destination"][0])),
        "MessageHeader.destination",
        C.BAD_SYNTAX,
        E,
    ),
    (
        header(lambda h: h["destination"][0].pop("extension")),
        "MessageHeader.destination.extension.valueCoding.code",
        C.RESOURCE_REQUIRED,
        E,
    ),
    (
        header(lambda h: h["destination"][0]["extension"][0]["valueCoding"].update(code="cc")),
        "MessageHeader.destination",
        C.VALUE_UNKNOWN,
        E,
    ),
    (
        header(lambda h: h["destination"][0]["extension"][0]["valueCoding"].update(system=SYSTEM)),
        "MessageHeader.destination",
        C.CODE_SYSTEM_UNKNOWN,
        E,
    ),
    (header(lambda h: h.pop("sender")), "MessageHeader.sender", C.RESOURCE_REQUIRED, E),
    (header(lambda h: h.update(sender=GONE)), "MessageHeader.sender", C.NO_MATCH, E),
    (header(lambda h: h.pop("source")), "MessageHeader.source.endpoint", C.RESOURCE_REQUIRED, B),
    (header(lambda h: h["source"].pop("endpoint")), "MessageHeader.source.endpoint", C.RESOURCE_REQUIRED, B),
    (header(lambda h: h.pop("focus")), "MessageHeader.focus", C.RESOURCE_REQUIRED, E),
    (header(lambda h: h.update(focus=[GONE])), "MessageHeader.focus", C.NO_MATCH, E),
    (header(lambda h: h["focus"].append(h["focus"][0])), "MessageHeader.focus", C.BAD_SYNTAX, E),
    (flags(YES), FLAG, C.RESOURCE_REQUIRED, W),
    (flags("måske"), f"{FLAG}.valueBoolean", C.DATATYPE_WRONG, E),
    (flags(NO, NO), FLAG, C.BAD_SYNTAX, E),
    (recipients("Organization/x"), "MessageHeader.extension:reportOfAdmissionRecipient", C.NO_MATCH, E),
]

ENCOUNTER = [
    (encounter(lambda e: e.pop("status")), "Encounter.status", C.RESOURCE_REQUIRED, E),
    (encounter(lambda e: e.update(status="arrived")), "Encounter.status", C.VALUE_UNKNOWN, E),
    (encounter(lambda e: e.update(status="finished")), "Encounter.status", C.VALUE_UNKNOWN, W),
    (encounter(lambda e: e.pop("class")), "Encounter.class", C.RESOURCE_REQUIRED, E),
    (encounter(lambda e: e["class"].update(code="AMB")), "Encounter.class", C.VALUE_UNKNOWN, E),
    (encounter(lambda e: e["class"].update(code="EMER")), "Encounter.class", C.VALUE_UNKNOWN, W),
    (encounter(lambda e: e["class"].pop("code")), "Encounter.class.code", C.RESOURCE_REQUIRED, E),
    (encounter(lambda e: e["class"].update(system="x")), "Encounter.class.system", C.CODE_SYSTEM_UNKNOWN, E),
    (encounter(lambda e: e.pop("subject")), "Encounter.subject", C.RESOURCE_REQUIRED, E),
    (encounter(lambda e: e.update(subject=GONE)), "Encounter.subject", C.NO_MATCH, E),
    (encounter(lambda e: e.pop("episodeOfCare")), "Encounter.episodeOfCare", C.RESOURCE_REQUIRED, E),
    (
        encounter(lambda e: e["episodeOfCare"][0].pop("identifier")),
        "Encounter.episodeOfCare.identifier",
        C.RESOURCE_REQUIRED,
        E,
    ),
    (
        encounter(lambda e: e["episodeOfCare"][0]["identifier"].pop("system")),
        "Encounter.episodeOfCare.identifier.system",
        C.RESOURCE_REQUIRED,
        E,
    ),
    (
        encounter(lambda e: e["episodeOfCare"][0]["identifier"].pop("value")),
        "Encounter.episodeOfCare.identifier.value",
        C.RESOURCE_REQUIRED,
        E,
    ),
    (
        encounter(lambda e: e["episodeOfCare"][0].update(reference="EpisodeOfCare/1")),
        "Encounter.episodeOfCare.reference",
        C.RESOURCE_NOT_ALLOWED,
        E,
    ),
    (
        encounter(lambda e: e.update(episodeOfCare=[{"identifier": CARE | {"value": LPR3}}] * 2)),
        "Encounter.episodeOfCare",
        C.BAD_SYNTAX,
        E,
    ),
    (
        encounter(lambda e: e.update(episodeOfCare=[{"identifier": CARE | {"value": VERSION_4}}])),
        "Encounter.episodeOfCare.identifier.value",
        C.ID_INVALID,
        W,
    ),
    (encounter(lambda e: e.pop("period")), "Encounter.period", C.RESOURCE_REQUIRED, E),
    (encounter(lambda e: e.update(period={"end": START})), "Encounter.period.start", C.RESOURCE_REQUIRED, E),
    (
        encounter(lambda e: e.update(period={"start": START, "end": "2025-03-11"})),
        "Encounter.period.end",
        C.DATE_FORMAT,
        E,
    ),
    (encounter(lambda e: e.update(period=BACKWARDS)), "Encounter.period", C.DATE_FORMAT, E),
    (encounter(lambda e: e.update(period=TWO_ENDS)), "Encounter.period.end", C.BAD_SYNTAX, E),
    (leave(TWO_ENDS), f"{LEAVE}.valuePeriod.end", C.BAD_SYNTAX, E),
    (encounter(lambda e: e.pop("serviceProvider")), "Encounter.serviceProvider", C.RESOURCE_REQUIRED, E),
    (encounter(lambda e: e.update(serviceProvider=GONE)), "Encounter.serviceProvider", C.NO_MATCH, E),
    (leave({"end": START}), f"{LEAVE}.valuePeriod.start", C.RESOURCE_REQUIRED, E),
    (leave({"start": "2025-03-10"}), f"{LEAVE}.valuePeriod.start", C.DATE_FORMAT, E),
    (leave({"start": START, "end": "i dag"}), f"{LEAVE}.valuePeriod.end", C.DATE_FORMAT, E),
    (leave({"start": START, "end": BEFORE}), f"{LEAVE}.valuePeriod", C.DATE_FORMAT, E),
    (leave({"start": START}, 2), LEAVE, C.BAD_SYNTAX, E),
    *(
        (forbidden(name), f"Encounter.{name}", C.RESOURCE_NOT_ALLOWED, E)
        for name in (
            "type", "serviceType", "priority", "basedOn", "participant", "appointment", "length",
            "reasonCode", "reasonReference", "diagnosis", "account", "hospitalization", "location", "partOf",
        )
    ),
]  # fmt: skip

PATIENT = [
    (again("Patient"), "Patient", C.BAD_SYNTAX, E),
    (patient(lambda p: p.pop("identifier")), "Patient.identifier", C.RESOURCE_REQUIRED, E),
    (patient(lambda p: p["identifier"].append(p["identifier"][0])), "Patient.identifier", C.BAD_SYNTAX, E),
    (patient(lambda p: p["identifier"][0].pop("value")), "Patient.identifier.value", C.RESOURCE_REQUIRED, E),
    (
        patient(lambda p: p["identifier"][0].update(value="250947-9989")),
        "Patient.identifier.value",
        C.ID_INVALID,
        E,
    ),
    *(
        (
            patient(lambda p, oid=oid: p["identifier"][0].update(system=f"urn:oid:1.2.208.176.1.6.1.{oid}")),
            "Patient.identifier.system",
            C.CODE_SYSTEM_UNKNOWN,
            E,
        )
        for oid in ("1", "3", "3.181")
    ),
    (patient(lambda p: p["name"][0].pop("use")), "Patient.name", C.RESOURCE_REQUIRED, E),
    (patient(lambda p: p["name"].append(p["name"][0])), "Patient.name", C.RESOURCE_REQUIRED, E),
    (patient(lambda p: p["name"][0].pop("family")), "Patient.name.family", C.RESOURCE_REQUIRED, E),
    (patient(lambda p: p.update(deceasedBoolean="ja")), "Patient.deceased", C.DATATYPE_WRONG, E),
    (
        patient(lambda p: p.update(deceasedBoolean=True, deceasedDateTime=START)),
        "Patient.deceased",
        C.BAD_SYNTAX,
        E,
    ),
    (patient(lambda p: p.update(deceasedBoolean=False)), "Patient.deceased", C.VALUE_UNKNOWN, W),
]

ORIGIN = [
    (lambda b: sender(b).pop("identifier"), "MessageHeader.sender.identifier:SOR", C.RESOURCE_REQUIRED, E),
    (lambda b: sender(b)["identifier"].pop(0), "MessageHeader.sender.identifier:EAN", C.RESOURCE_REQUIRED, E),
    (
        lambda b: sender(b)["identifier"].append(sender(b)["identifier"][1]),
        "MessageHeader.sender.identifier:SOR",
        C.BAD_SYNTAX,
        E,
    ),
    (
        lambda b: sender(b)["identifier"][1].update(value="SOR-1"),
        "MessageHeader.sender.identifier:SOR",
        C.ID_INVALID,
        E,
    ),
    (
        lambda b: sender(b)["identifier"][0].update(value="5790000209355"),
        "MessageHeader.sender.identifier:EAN",
        C.ID_INVALID,
        W,
    ),
    (without("Provenance"), "Provenance", C.RESOURCE_REQUIRED, E),
    (provenance(lambda p: p.pop("target")), "Provenance.target", C.RESOURCE_REQUIRED, E),
    (provenance(lambda p: p["target"].append(p["target"][0])), "Provenance.target", C.BAD_SYNTAX, E),
    (
        provenance(lambda p: p["target"][0].pop("reference")),
        "Provenance.target.reference",
        C.RESOURCE_REQUIRED,
        E,
    ),
    (provenance(lambda p: p.update(target=[{"reference": "Patient/1"}])), "Provenance.target", C.NO_MATCH, E),
    (
        provenance(lambda p: p.update(target=[{"reference": "MessageHeader/andet"}])),
        "Provenance.target",
        C.NO_MATCH,
        W,
    ),
    (provenance(lambda p: p.pop("occurredDateTime")), "Provenance.occurredDateTime", C.RESOURCE_REQUIRED, E),
    (
        provenance(lambda p: p.update(occurredDateTime="2025-03-14T09:30:00")),
        "Provenance.occurredDateTime",
        C.DATE_FORMAT,
        E,
    ),
    (
        provenance(lambda p: p.update(occurredPeriod={"start": START})),
        "Provenance.occurredPeriod",
        C.RESOURCE_NOT_ALLOWED,
        E,
    ),
    (provenance(lambda p: p.pop("recorded")), "Provenance.recorded", C.RESOURCE_REQUIRED, E),
    (provenance(lambda p: p.update(recorded="2025-03-14")), "Provenance.recorded", C.DATE_FORMAT, E),
    (provenance(lambda p: p.pop("activity")), "Provenance.activity", C.RESOURCE_REQUIRED, E),
    (
        provenance(lambda p: p.update(activity={"text": "x"})),
        "Provenance.activity.coding",
        C.RESOURCE_REQUIRED,
        E,
    ),
    (
        provenance(lambda p: p["activity"]["coding"][0].pop("code")),
        "Provenance.activity.coding.code",
        C.RESOURCE_REQUIRED,
        E,
    ),
    (
        provenance(lambda p: p["activity"]["coding"][0].update(code="forward-message")),
        "Provenance.activity",
        C.VALUE_UNKNOWN,
        E,
    ),
    (
        provenance(lambda p: p["activity"]["coding"][0].update(system=SYSTEM)),
        "Provenance.activity",
        C.CODE_SYSTEM_UNKNOWN,
        E,
    ),
    (provenance(lambda p: p.pop("agent")), "Provenance.agent", C.RESOURCE_REQUIRED, E),
    (provenance(lambda p: p["agent"][0].pop("who")), "Provenance.agent.who", C.RESOURCE_REQUIRED, E),
    (provenance(lambda p: p["agent"][0].update(who=GONE)), "Provenance.agent.who", C.NO_MATCH, E),
    (
        provenance(lambda p: p.update(entity=[{"what": {"reference": "MessageHeader/1"}}])),
        "Provenance.entity.role",
        C.RESOURCE_REQUIRED,
        E,
    ),
    (
        provenance(lambda p: p.update(entity=[{"role": "x", "what": {"reference": "MessageHeader/1"}}])),
        "Provenance.entity.role",
        C.VALUE_UNKNOWN,
        E,
    ),
    (
        provenance(lambda p: p.update(entity=[{"role": "revision"}])),
        "Provenance.entity.what",
        C.RESOURCE_REQUIRED,
        E,
    ),
]

ALL = [*BUNDLE, *HEADER, *ENCOUNTER, *PATIENT, *ORIGIN]


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.parametrize(
    ("change", "path", "code", "severity"), ALL, ids=[f"{row[1]}-{row[2]}" for row in ALL]
)
def test_a_broken_rule_is_a_finding(change, path, code, severity, media_type):
    found = findings(hn(change, media_type=media_type))
    assert (path, code, severity) in {(finding.path, finding.code, finding.severity) for finding in found}
    if severity is W:
        assert {finding.severity for finding in found} == {W}
    if severity is E:
        assert B not in {finding.severity for finding in found}


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_message_without_id_or_header_is_blocked(media_type):
    no_id = findings(hn(header(lambda h: h.pop("id")), media_type=media_type), B)
    assert [(finding.path, finding.code) for finding in no_id] == [("MessageHeader.id", C.RESOURCE_REQUIRED)]
    no_header = findings(hn(without("MessageHeader"), media_type=media_type), B)
    assert [(finding.path, finding.code) for finding in no_header] == [("MessageHeader", C.RESOURCE_REQUIRED)]


def test_nothing_but_those_three_blocks():
    """A message with nothing in it but what routing and correlation need."""

    def bare(bundle):
        kept = part(bundle, "MessageHeader")
        bundle["entry"] = [
            {
                "resource": {
                    "resourceType": "MessageHeader",
                    "id": kept["id"],
                    "destination": [{"endpoint": "x"}],
                    "source": kept["source"],
                }
            }
        ]
        for key in ("id", "type", "timestamp", "meta"):
            del bundle[key]

    found = findings(hn(bare))
    assert {finding.severity for finding in found} == {E}
    assert {"Encounter", "Patient", "Provenance"} <= {finding.path for finding in found}


def test_an_id_that_is_no_uuid_is_a_warning():
    (found,) = findings(hn(message_id="g099bbf3-3fca"))
    assert (found.path, found.code, found.severity) == ("MessageHeader.id", C.ID_INVALID, W)


def test_what_came_before_may_name_what_is_not_in_the_message():
    def astray(bundle):
        part(bundle, "Provenance", 0)["agent"] = [{"who": GONE}]

    assert findings(hn(astray, code=AdvisCode.SLHJ)) == []


def test_what_came_before_is_held_to_the_list_of_activities_too():
    def astray(bundle):
        part(bundle, "Provenance", 0)["activity"]["coding"][0]["code"] = "new-message"

    (found,) = findings(hn(astray, code=AdvisCode.SLHJ))
    assert (found.path, found.code, found.severity) == ("Provenance.activity", C.VALUE_UNKNOWN, E)


@pytest.mark.parametrize(
    ("code", "change", "path", "found_code"),
    [
        (AdvisCode.STOR, encounter(lambda e: e.pop("extension")), LEAVE, C.RESOURCE_REQUIRED),
        (AdvisCode.SLOR, encounter(lambda e: e.pop("extension")), LEAVE, C.RESOURCE_REQUIRED),
        (
            AdvisCode.SLOR,
            encounter(lambda e: e["extension"][0]["valuePeriod"].pop("end")),
            f"{LEAVE}.valuePeriod.end",
            C.RESOURCE_REQUIRED,
        ),
        (
            AdvisCode.SLHJ,
            encounter(lambda e: e["period"].pop("end")),
            "Encounter.period.end",
            C.RESOURCE_REQUIRED,
        ),
        (
            AdvisCode.SLHJ,
            encounter(lambda e: e["class"].update(code="EMER")),
            "Encounter.class",
            C.VALUE_UNKNOWN,
        ),
        (
            AdvisCode.MORS,
            encounter(lambda e: e.update(status="in-progress")),
            "Encounter.status",
            C.VALUE_UNKNOWN,
        ),
        (
            AdvisCode.AN_STIN,
            provenance(lambda p: p["entity"][0].update(role="revision")),
            "Provenance.entity.role",
            C.VALUE_UNKNOWN,
        ),
    ],
)
def test_what_the_table_of_codes_says_is_a_warning(code, change, path, found_code):
    (found,) = findings(hn(change, code=code))
    assert (found.path, found.code, found.severity) == (path, found_code, W)


def test_a_quoted_code_is_short_and_printable():
    found = findings(hn(encounter(lambda e: e.update(status="x\u200b" * 200))))
    text = next(finding.text for finding in found if finding.path == "Encounter.status")
    assert len(text) < 110
    assert text.isprintable()
