"""The message of an advis, set out to be read: nothing in the masked one tells who the citizen is."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from engine.desk.message import MASK, full_message, masked_message
from engine.domain.advis import AdvisCode
from engine.errors import NotFoundError, RuleError
from engine.home import Home, payload_key
from engine.simulation import builders as simulated
from engine.simulation import resources
from engine.simulation.made_up import BRUNO, TestPerson
from engine.simulation.messages import hn_bytes
from engine.store import tables
from engine.store.database import Database
from engine.store.payloads import PayloadBox
from engine.wire import fhir
from tests.desk.builders import an_act, an_advis, connect

MEDIA = pytest.mark.parametrize("media_type", [fhir.XML, fhir.JSON], ids=["xml", "json"])
CPR = BRUNO.cpr


@pytest.fixture
def box(new_home: Home) -> PayloadBox:
    return PayloadBox(payload_key(new_home))


def received(db: Database, box: PayloadBox, data: bytes, person: TestPerson = BRUNO) -> int:
    """An advis with these bytes as its message."""
    name = " ".join((*person.given, person.family))
    sealed = box.seal(json.dumps({"cpr": person.cpr, "name": name}).encode())
    with db.writing() as tx:
        advis_id = an_advis(tx, receivers=connect(tx), sealed_person=sealed)
    put(db, box, advis_id, data)
    return advis_id


def put(db: Database, box: PayloadBox, advis_id: int, data: bytes) -> None:
    """Let these bytes be the message of the advis."""
    advis, payload = tables.advis, tables.payload
    its = payload.c.id == select(advis.c.payload_id).where(advis.c.id == advis_id).scalar_subquery()
    with db.writing() as tx:
        tx.conn.execute(update(payload).where(its).values(sealed=box.seal(data)))


def masked(db: Database, box: PayloadBox, advis_id: int) -> str:
    with db.reading() as conn:
        message = masked_message(conn, box, advis_id)
    assert message.masked
    return message.text


def tells_of(person: TestPerson, text: str) -> list[str]:
    """What of a person stands in the text, however it is written."""
    digits = re.sub(r"[^0-9A-Za-z]", "", text)
    names = [word for word in (*person.given, person.family) if re.search(rf"(?i)\b{word}\b", text)]
    return names + ([person.cpr] if person.cpr in digits else [])


@MEDIA
@pytest.mark.parametrize("code", [AdvisCode.STIN, AdvisCode.SLHJ, AdvisCode.MORS])
def test_the_citizen_is_masked_and_the_stay_is_not(
    db: Database, box: PayloadBox, media_type: str, code: AdvisCode
) -> None:
    spec = simulated.an_advis(code=code)
    text = masked(db, box, received(db, box, hn_bytes(spec, media_type)))
    assert tells_of(BRUNO, text) == []
    assert MASK in text
    for seen in (spec.message_id, spec.encounter_id, spec.hospital.sor, spec.kommune.name):
        assert seen in text, seen
    assert "\n  " in text
    assert "\r" not in text


# Where a hospital could write about the citizen, and each time a way to write it.
_LEAKS = [
    ("Organization", "name", f"Afdelingen, {BRUNO.given[0]} {BRUNO.family}"),
    ("Organization", "alias", [f"{CPR[:6]}-{CPR[6:]}"]),
    ("Encounter", "id", CPR),
    ("Encounter", "language", BRUNO.family),
    ("MessageHeader", "language", "".join(chr(ord(digit) + 0xFEE0) for digit in CPR)),
    ("MessageHeader", "implicitRules", f"https://x.example/{CPR[:6]}%2D{CPR[6:]}"),
    ("Encounter", "identifier", [{"system": "urn:oid:1.2.208.176.1.1", "value": f"{CPR[:6]} {CPR[6:]}"}]),
    ("Encounter", "text", {"status": "generated", "div": f"<div xmlns='{fhir.XHTML}'>{BRUNO.family}</div>"}),
    ("Encounter", "extension", [{"url": "https://x.example/navn", "valueString": BRUNO.given[0]}]),
    ("Encounter", "extension", [{"url": f"https://x.example/{BRUNO.family.lower()}", "valueCode": "a"}]),
]


@MEDIA
@pytest.mark.parametrize(("kind", "element", "value"), _LEAKS, ids=range(len(_LEAKS)))
def test_a_person_written_elsewhere_is_masked_too(
    db: Database, box: PayloadBox, kind: str, element: str, value: Any, media_type: str
) -> None:
    bundle = json.loads(hn_bytes(simulated.an_advis(), fhir.JSON))
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == kind:
            entry["resource"][element] = value
    data = resources.to_bytes(bundle, media_type)
    assert tells_of(BRUNO, data.decode()) or "%2D" in str(value) or not str(value).isascii()
    assert tells_of(BRUNO, masked(db, box, received(db, box, data))) == []


def test_in_xml_comments_attributes_and_foreign_elements_are_masked(db: Database, box: PayloadBox) -> None:
    text = hn_bytes(simulated.an_advis()).decode()
    name = f"{BRUNO.given[0]} {BRUNO.family}"
    head, _, rest = text.partition("<entry>")
    own = f"<!-- {name} --><x:y xmlns:x='urn:x' z='{name}'>{name}</x:y>{name}<entry>"
    try:
        fhir.read_bundle((head + own + rest).encode())
    except Exception:  # noqa: BLE001 - what is not read is not kept either
        own = f"<!-- {name} --><entry>"
    assert tells_of(BRUNO, masked(db, box, received(db, box, (head + own + rest).encode()))) == []


def test_a_name_with_danish_letters_is_found_however_it_is_spelt(db: Database, box: PayloadBox) -> None:
    person = replace(BRUNO, given=("Søren",), family="Åkjær")
    bundle = json.loads(hn_bytes(simulated.an_advis(patient=person), fhir.JSON))
    organizations = [
        e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Organization"
    ]
    advis_id = received(db, box, b"", person)
    spellings = ["SØREN", "Soeren", "aakjaer", "A\u030akjær", "AKJAER"]
    for number, spelling in enumerate(spellings):
        organizations[number % len(organizations)]["name"] = f"Afsnit {spelling}"
        put(db, box, advis_id, json.dumps(bundle).encode())
        assert spelling not in masked(db, box, advis_id), spelling


@MEDIA
def test_the_whole_message_is_shown_for_a_reason_that_is_kept(
    db: Database, box: PayloadBox, media_type: str
) -> None:
    advis_id = received(db, box, hn_bytes(simulated.an_advis(), media_type))
    with db.writing() as tx:
        message = full_message(an_act(tx), box, advis_id, "Leverandøren spørger til adressen")
    assert not message.masked
    assert set(tells_of(BRUNO, message.text)) == {*BRUNO.given, BRUNO.family, CPR}
    with db.reading() as conn:
        audit = tables.audit
        row = conn.execute(select(audit).where(audit.c.action == "person-shown")).one()
    assert (row.actor, row.subject, row.reason) == (
        "mette",
        f"advis:{advis_id}",
        "Leverandøren spørger til adressen",
    )
    assert CPR not in str(tuple(row))


@pytest.mark.parametrize("reason", ["", "  ", f"Se {CPR}"])
def test_without_a_proper_reason_nothing_is_shown(db: Database, box: PayloadBox, reason: str) -> None:
    advis_id = received(db, box, hn_bytes(simulated.an_advis()))
    with pytest.raises(RuleError), db.writing() as tx:
        full_message(an_act(tx), box, advis_id, reason)
    with db.reading() as conn:
        assert conn.execute(select(tables.audit).where(tables.audit.c.action == "person-shown")).all() == []


def test_an_unknown_advis_is_said_to_be_so(db: Database, box: PayloadBox) -> None:
    with db.reading() as conn, pytest.raises(NotFoundError, match="Intet advis har nummer 99"):
        masked_message(conn, box, 99)


_EXAMPLES = sorted(Path(__file__).parents[3].glob("shared/data/*/hospitalnotification*/*.xml"))


@pytest.mark.skipif(not _EXAMPLES, reason="the official examples are not here")
@pytest.mark.parametrize("path", _EXAMPLES[:6], ids=lambda path: path.stem)
def test_the_official_examples_tell_of_nobody(db: Database, box: PayloadBox, path: Path) -> None:
    text = masked(db, box, received(db, box, path.read_bytes()))
    assert tells_of(BRUNO, text) == []
    assert not re.search(r"\b(Nancy|Berggren)\b", text)
