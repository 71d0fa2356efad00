"""Haendelsesbeskeder: written by the schema, read in every form that has been seen."""

import base64
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from engine.domain.ids import BeskedId, Cvr, SystemUuid
from engine.errors import ForbiddenMarkup, Malformed, WireError
from engine.wire import beskedkuvert, fhir
from engine.wire.beskedkuvert import MedComKvittering, Sygehusophold
from tests.wire.schemas import assert_kuvert

BESKED = BeskedId("aaaaaaaa-1111-4222-8333-944455556666")
TYPE = "bbbbbbbb-1111-4222-8333-944455556666"
SYSTEM = SystemUuid("cccccccc-1111-4222-8333-944455556666")
OTHER_SYSTEM = SystemUuid("dddddddd-1111-4222-8333-944455556666")
MESSAGE = "eeeeeeee-1111-4222-8333-944455556666"
TRANSACTION = "ffffffff-1111-4222-8333-944455556666"
CVR = Cvr("55133018")
MADE = datetime(2025, 3, 14, 9, 30, 5, tzinfo=timezone(timedelta(hours=1)))
PAYLOAD = b'<Bundle xmlns="http://hl7.org/fhir"/>\n'

SYGEHUSOPHOLD = Sygehusophold(
    besked_id=BESKED,
    transaction_id=TRANSACTION,
    beskedtype=TYPE,
    agent_system_uuid=SYSTEM,
    kommune_cvr=CVR,
    message_id=MESSAGE,
    cpr="2509479989",
    registered_at=MADE - timedelta(seconds=5),
    made_at=MADE,
    valid_from=MADE - timedelta(hours=2),
    payload=PAYLOAD,
    media_type=fhir.XML,
    encoding="ISO-8859-1",
)
KVITTERING = MedComKvittering(
    besked_id=BESKED,
    beskedtype=TYPE,
    system_uuid=SYSTEM,
    kommune_cvr=CVR,
    related_besked_id=BeskedId(MESSAGE),
    made_at=MADE,
    payload=PAYLOAD,
    media_type=fhir.XML,
)
NS = {"b": "urn:oio:besked:kuvert:1.0", "s": "urn:oio:sagdok:3.0.0", "p": "urn:besked:kuvert:1.0"}
REGISTRATION = "b:Beskedkuvert/b:Filtreringsdata/b:ObjektRegistrering"


def written(**changes):
    data = beskedkuvert.write_sygehusophold(replace(SYGEHUSOPHOLD, **changes))
    assert_kuvert(data)
    return etree.fromstring(data)


# --- write ---


def test_a_sygehusophold_says_exactly_what_the_table_proposes():
    root = written()
    assert {(root.getroottree().getelementpath(leaf), leaf.text) for leaf in root.iter() if leaf.text} == {
        (
            path.replace("b:", f"{{{NS['b']}}}")
            .replace("s:", f"{{{NS['s']}}}")
            .replace("p:", f"{{{NS['p']}}}"),
            text,
        )
        for path, text in (
            ("b:BeskedId/s:UUIDIdentifikator", BESKED),
            ("b:BeskedVersion", "1.0"),
            ("b:Beskedkuvert/b:Filtreringsdata/b:Beskedtype/s:UUIDIdentifikator", TYPE),
            ("b:Beskedkuvert/b:Filtreringsdata/b:BeskedAnsvarligAktoer/s:UUIDIdentifikator", SYSTEM),
            (
                "b:Beskedkuvert/b:Filtreringsdata/b:TilladtModtager/s:URNIdentifikator",
                f"urn:oio:cvr-nr:{CVR}",
            ),
            (
                "b:Beskedkuvert/b:Filtreringsdata/b:RelateretObjekt/b:ObjektId/s:URNIdentifikator",
                "urn:oio:cpr-nr:2509479989",
            ),
            (
                "b:Beskedkuvert/b:Filtreringsdata/b:RelateretObjekt/b:ObjektType/s:UUIDIdentifikator",
                "ce7fcf97-a8a2-447a-8690-d38aa0f6e23c",
            ),
            (f"{REGISTRATION}/b:ObjektRegistreringId/s:UUIDIdentifikator", MESSAGE),
            (f"{REGISTRATION}/b:RegistreringsAktoer/s:UUIDIdentifikator", SYSTEM),
            (f"{REGISTRATION}/b:Registreringstidspunkt/s:TidsstempelDatoTid", "2025-03-14T09:30:00+01:00"),
            (f"{REGISTRATION}/b:ObjektAnsvarligMyndighed/s:URNIdentifikator", f"urn:oio:cvr-nr:{CVR}"),
            (f"{REGISTRATION}/b:ObjektId/s:URNIdentifikator", "urn:oio:cpr-nr:2509479989"),
            (f"{REGISTRATION}/b:ObjektType/s:UUIDIdentifikator", "ce7fcf97-a8a2-447a-8690-d38aa0f6e23c"),
            (
                "b:Beskedkuvert/b:Leveranceinformation/b:Dannelsestidspunkt/s:TidsstempelDatoTid",
                "2025-03-14T09:30:05+01:00",
            ),
            ("b:Beskedkuvert/b:Leveranceinformation/b:TransaktionsId/s:UUIDIdentifikator", TRANSACTION),
            (
                "b:Beskedkuvert/b:Leveranceinformation/b:Sikkerhedsklassificering/s:UUIDIdentifikator",
                "31c09910-e011-46a5-86fb-254374421fe8",
            ),
            ("b:Beskedkuvert/b:GyldighedFra/s:TidsstempelDatoTid", "2025-03-14T07:30:05+01:00"),
            ("b:Beskeddata/p:Base64", base64.b64encode(PAYLOAD).decode()),
        )
    }


@pytest.mark.parametrize(("media_type", "file_type"), [(fhir.XML, ".xml"), (fhir.JSON, ".json")])
def test_the_payload_tells_its_type(media_type, file_type):
    held = written(media_type=media_type).find("b:Beskeddata/p:Base64", NS)
    assert dict(held.attrib) == {"content-type": media_type, "encoding": "ISO-8859-1", "file-type": file_type}


def test_without_cpr_the_kuvert_names_no_person():
    root = written(cpr=None)
    assert root.find(".//b:RelateretObjekt", NS) is None
    assert root.find(f"{REGISTRATION}/b:ObjektId", NS) is None
    assert b"cpr" not in etree.tostring(root)


def test_unknown_times_are_left_out():
    root = written(registered_at=None, valid_from=None)
    assert root.find(f"{REGISTRATION}/b:Registreringstidspunkt", NS) is None
    assert root.find("b:Beskedkuvert/b:GyldighedFra", NS) is None


def test_a_message_id_that_is_no_uuid_stands_as_a_urn():
    found = written(message_id="g099<&>").find(f"{REGISTRATION}/b:ObjektRegistreringId", NS)
    assert [(child.tag, child.text) for child in found] == [(f"{{{NS['s']}}}URNIdentifikator", "g099<&>")]


@pytest.mark.parametrize("related", [None, BeskedId(MESSAGE)])
def test_a_kvittering_is_valid_by_the_schema(related):
    assert_kuvert(beskedkuvert.write_medcomkvittering(replace(KVITTERING, related_besked_id=related)))


# --- read ---

GOOD = beskedkuvert.write_medcomkvittering(KVITTERING)
BASE64 = base64.b64encode(PAYLOAD).decode()
START = GOOD.index(b"<b:Beskeddata>") + len("<b:Beskeddata>")
END = GOOD.index(b"</b:Beskeddata>")


def holding(content):
    """The good kvittering with that as its Beskeddata."""
    return GOOD[:START] + content.encode() + GOOD[END:]


def changed(old, new):
    assert old.encode() in GOOD
    return GOOD.replace(old.encode(), new.encode())


def test_a_kvittering_reads_back():
    besked = beskedkuvert.read(GOOD)
    assert (besked.besked_id, besked.beskedtype) == (BESKED, TYPE)
    assert (besked.kildesystem, besked.modtaget_fra_system) == (None, None)
    assert besked.besked_ansvarlig_aktoer == SYSTEM
    assert besked.cvrs == (CVR,)
    assert besked.related_besked_ids == (MESSAGE,)
    assert (besked.payload, besked.media_type, besked.damage) == (PAYLOAD, fhir.XML, None)
    assert besked.findings == ()


def test_a_sygehusophold_reads_back():
    besked = beskedkuvert.read(beskedkuvert.write_sygehusophold(SYGEHUSOPHOLD))
    assert (besked.payload, besked.cvrs, besked.related_besked_ids) == (PAYLOAD, (CVR,), ())


def test_the_push_wrapper_is_looked_into():
    body = GOOD.partition(b"?>")[2]
    wrapped = b'<w:ModtagBeskedInput xmlns:w="urn:oio:sts:1.0.0">' + body + b"</w:ModtagBeskedInput>"
    assert beskedkuvert.read(wrapped) == beskedkuvert.read(GOOD)


def leveranceinformation(*parts):
    return changed("<b:Sikkerhedsklassificering>", "".join(parts) + "<b:Sikkerhedsklassificering>")


def actor(name, uuid):
    return f"<b:{name}><UUIDIdentifikator>{uuid}</UUIDIdentifikator></b:{name}>"


def routes(*uuids):
    inner = "".join(
        f"<b:Leverancerute>{actor('ModtagetFraSystem', uuid)}</b:Leverancerute>" for uuid in uuids
    )
    return f"<b:Leveranceruter>{inner}</b:Leveranceruter>"


def test_the_system_that_sent_it_is_read_from_where_the_beskedfordeler_writes_it():
    besked = beskedkuvert.read(
        leveranceinformation(actor("Kildesystem", SYSTEM.upper()), routes(TYPE, SYSTEM))
    )
    assert (besked.kildesystem, besked.modtaget_fra_system) == (SYSTEM, SYSTEM)
    assert besked.findings == ()


def test_senders_that_differ_are_a_finding():
    besked = beskedkuvert.read(leveranceinformation(actor("Kildesystem", OTHER_SYSTEM)))
    assert (besked.kildesystem, besked.besked_ansvarlig_aktoer) == (OTHER_SYSTEM, SYSTEM)
    assert len(besked.findings) == 1


def test_a_system_that_is_no_uuid_is_none_and_a_finding():
    besked = beskedkuvert.read(changed(SYSTEM, "mit-system"))
    assert besked.besked_ansvarlig_aktoer is None
    assert len(besked.findings) == 1


def test_uuids_are_lower_case_however_they_came():
    besked = beskedkuvert.read(
        GOOD.replace(BESKED.encode(), BESKED.upper().encode()).replace(
            MESSAGE.encode(), f"urn:uuid:{MESSAGE.upper()}".encode()
        )
    )
    assert (besked.besked_id, besked.related_besked_ids) == (BESKED, (MESSAGE,))


@pytest.mark.parametrize("form", ["urn:oio:cvr-nr:", "urn:oio:cvr:", "URN:OIO:CVR-NR:"])
def test_both_forms_of_a_cvr_urn_are_read(form):
    assert beskedkuvert.read(changed("urn:oio:cvr-nr:", form)).cvrs == (CVR,)


def test_the_authority_comes_before_the_allowed_receiver():
    at = GOOD.index(b"<b:TilladtModtager>")
    data = GOOD[:at] + GOOD[at:].replace(b"55133018", b"29189846", 1)
    assert beskedkuvert.read(data).cvrs == (CVR, "29189846")


def test_what_is_no_cvr_is_no_candidate():
    assert beskedkuvert.read(changed("urn:oio:cvr-nr:55133018", "urn:oio:cvr-nr:5513301")).cvrs == ()


@pytest.mark.parametrize(
    "content",
    [
        f"<Base64>{BASE64}</Base64>",
        f'<Base64 xmlns="urn:besked:kuvert:1.0">{BASE64}</Base64>',
        f'<x:Base64 xmlns:x="urn:et:tredje">\n{BASE64[:7]}\n{BASE64[7:]}\n</x:Base64>',
        f"<Indhold><Base64>{BASE64}</Base64></Indhold>",
        BASE64,
        f"\n {BASE64[:9]}\n {BASE64[9:]}\n",
        f"<![CDATA[{PAYLOAD.decode().strip()}]]>",
    ],
)
def test_every_form_of_payload_is_read(content):
    besked = beskedkuvert.read(holding(content))
    assert besked.damage is None
    assert besked.payload is not None
    assert besked.payload.strip() == PAYLOAD.strip()


def test_json_is_told_by_what_it_is():
    payload = b'{"resourceType":"Bundle"}'
    data = beskedkuvert.write_medcomkvittering(replace(KVITTERING, payload=payload))
    assert beskedkuvert.read(data).media_type == fhir.JSON


@pytest.mark.parametrize("prefix", ["", "f:"])
def test_an_inline_bundle_is_taken_out_as_a_document(prefix):
    declared = f"xmlns{':f' if prefix else ''}"
    inner = f'<!-- c -->\n <{prefix}id value="æ"/>'
    inline = f'<{prefix}Bundle {declared}="http://hl7.org/fhir">{inner}</{prefix}Bundle>'
    besked = beskedkuvert.read(holding(f"\n{inline}\n"))
    assert besked.payload is not None
    assert besked.payload.decode().partition("\n")[2] == inline
    assert fhir.read_bundle(besked.payload).root[0].get("value") == "æ"
    assert besked.media_type == fhir.XML


@pytest.mark.parametrize(
    "data",
    [
        holding(""),
        holding("<Base64/>"),
        holding("<Base64>####</Base64>"),
        holding("<Base64>AAA</Base64>"),
        holding("ikke base64!"),
        holding("<Andet/>"),
        GOOD[: START - len("<b:Beskeddata>")] + GOOD[END + len("</b:Beskeddata>") :],
    ],
)
def test_no_payload_is_damage_and_the_rest_is_read(data):
    besked = beskedkuvert.read(data)
    assert (besked.payload, besked.media_type) == (None, None)
    assert besked.damage
    assert besked.besked_id == BESKED


def test_almost_nothing_is_demanded():
    besked = beskedkuvert.read(b'<Haendelsesbesked xmlns="urn:oio:besked:kuvert:1.0"/>')
    assert (besked.besked_id, besked.cvrs, besked.damage) == (None, (), "Beskeddata mangler")


@pytest.mark.parametrize(
    "data", [b"", b"x", b"<Haendelsesbesked/>", b'<a xmlns="urn:oio:besked:kuvert:1.0"/>']
)
def test_another_root_is_malformed(data):
    with pytest.raises(Malformed):
        beskedkuvert.read(data)


def test_a_dtd_is_refused():
    with pytest.raises(ForbiddenMarkup):
        beskedkuvert.read(b'<!DOCTYPE a [<!ENTITY x "y">]>' + GOOD.partition(b"?>")[2])


@given(
    payload=st.binary(min_size=1, max_size=300),
    message_id=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    cpr=st.none() | st.from_regex(r"\d{10}", fullmatch=True),
    made_at=st.datetimes(timezones=st.just(UTC)),
    encoding=st.sampled_from(["UTF-8", "ISO-8859-1"]),
)
def test_every_sygehusophold_is_valid_and_reads_back(payload, message_id, cpr, made_at, encoding):
    data = beskedkuvert.write_sygehusophold(
        replace(
            SYGEHUSOPHOLD, payload=payload, message_id=message_id, cpr=cpr, made_at=made_at, encoding=encoding
        )
    )
    assert_kuvert(data)
    besked = beskedkuvert.read(data)
    assert (besked.payload, besked.besked_id, besked.cvrs) == (payload, BESKED, (CVR,))


@given(at=st.integers(0, len(GOOD) - 1), cut=st.integers(0, 30), put=st.binary(max_size=10))
def test_a_mutated_besked_raises_nothing_but_wire_errors(at, cut, put):
    with suppress(WireError):
        beskedkuvert.read(GOOD[:at] + put + GOOD[at + cut :])
