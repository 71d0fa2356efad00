"""MedCom's own example messages, all the way; they lie beside the project, and are skipped where they do not."""

import json
import re
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import insert

from engine.domain.advis import AdvisCode, Unit
from engine.simulation.messages import HnSpec
from engine.store import tables
from engine.wire import acknowledgement, beskedkuvert, fhir, hospital_notification
from tests.flow.world import CVRS, KBH, PRIMARY, SECOND, THIRD, UNWATCHED, World

LEFT_OUT = UNWATCHED

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "medcom-examples"
HERLEV = Unit(sor="953741000016009", gln="5790001348120", name="Plejecenter Herlev")
HOSPITAL = Unit(sor="265161000016000", gln="5790000209354", name="Hjerteafdelingen")
EMPTY_MESSAGE = "acknowledgement-2.0.3/Bundle-eb26be85-fdb7-454d-a980-95cba6d1745b"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="MedCom's official examples are not beside the project"
)


def codes_by_prefix() -> dict[str, str]:
    """The table of the folder's README: file prefix → advis code."""
    text = (FOLDER / "README.md").read_text() if FOLDER.is_dir() else ""
    return dict(re.findall(r"^\| ([a-z0-9]{8}) \| ((?:RE_|AN_)?[A-Z]{4}) \|", text, re.MULTILINE))


FILES = sorted(FOLDER.glob("hospitalnotification-3.0.2/Bundle-*"))


def with_fresh_ids(file: Path) -> tuple[bytes, str]:
    """The example with its own MessageHeader.id and Bundle.id: MedCom reuses one id in many files."""
    data = file.read_bytes()
    read = hospital_notification.read(fhir.read_bundle(data))
    message_id = str(uuid4())
    data = data.replace((read.message_id or "").encode(), message_id.encode())
    return data.replace((read.bundle_id or "").encode(), str(uuid4()).encode()), message_id


@pytest.fixture
def herlev(world: World) -> World:
    with world.db.writing() as tx:
        tx.conn.execute(insert(tables.unit).values(gln=HERLEV.gln, sor=HERLEV.sor, kommune_code="0101"))
    CVRS[HERLEV.gln] = CVRS[KBH.gln]
    return world


def spec_for(world: World, message_id: str) -> HnSpec:
    return replace(world.hn(), kommune=HERLEV, hospital=HOSPITAL, message_id=message_id)


def test_all_twelve_examples_are_there_in_both_formats():
    assert len(FILES) == 24
    assert len(codes_by_prefix()) == 12


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name[7:15] + file.suffix)
@pytest.mark.long_on_server
async def test_every_official_example_goes_all_the_way(herlev, file):
    world = herlev
    data, message_id = with_fresh_ids(file)
    spec = spec_for(world, message_id)
    media_type = fhir.JSON if file.suffix == ".json" else fhir.XML
    world.send(spec, data=data, media_type=media_type)
    await world.drain()
    (besked,) = world.published
    assert set(besked.receivers) == {PRIMARY, SECOND, THIRD}
    assert beskedkuvert.read(besked.data).payload == data
    (row,) = world.rows(tables.advis)
    assert row.code == AdvisCode(codes_by_prefix()[file.name[7:15]])
    assert (row.sender_gln, row.message_id) == (HOSPITAL.gln, message_id)
    for receiver in (SECOND, THIRD):
        world.acknowledge(spec, receiver, media_type=media_type)
    ours = world.acknowledge(spec, PRIMARY, media_type=media_type)
    await world.drain()
    (answer,) = world.answers
    assert answer.content == ours
    assert answer.envelope.head.receiver.id == HOSPITAL.gln
    assert world.states() == ["ok"] * 3
    errors = [f for f in json.loads(row.findings) if f["severity"] != "warning"]
    assert errors == []


@pytest.mark.parametrize("suffix", ["xml", "json"])
async def test_the_empty_message_gets_a_fatal_error(herlev, suffix):
    world = herlev
    data = (FOLDER / f"{EMPTY_MESSAGE}.{suffix}").read_bytes()
    world.send(spec_for(world, "unused"), data=data)
    await world.drain()
    (answer,) = world.answers
    read = acknowledgement.read(answer.content)
    assert read.code.value == "fatal-error"
    assert read.response_identifier == "3881874e-2042-4a00-aee8-23512799f512"
    assert "MSG_RECEIVER_UNABLE_TO_RECEIVE_MSG_TYPE" in " ".join(read.issues)
    assert world.published == []


@pytest.mark.parametrize("suffix", ["xml", "json"])
@pytest.mark.parametrize("name", ["a8c041b8", "bc9535ef", "c9c2b2f6"])
async def test_the_official_acknowledgements_settle_their_advis(herlev, name, suffix):
    """They name an advis by response.identifier alone: their Provenance points elsewhere."""
    world = herlev
    (file,) = FOLDER.glob(f"acknowledgement-2.0.3/Bundle-{name}*.{suffix}")
    data = file.read_bytes()
    read = acknowledgement.read(data)
    spec = spec_for(world, read.response_identifier)
    world.send(spec)
    await world.drain()
    world.acknowledge(spec, PRIMARY, data=data, media_type=fhir.JSON if suffix == "json" else fhir.XML)
    await world.drain()
    assert world.states()[0] == read.code.value
    assert [answer.content for answer in world.answers] == [data]
