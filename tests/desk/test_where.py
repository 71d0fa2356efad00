"""«Er mit advis kommet?»: every end of the handbook's way."""

from typing import Any

import pytest
from sqlalchemy import insert

from engine.desk.look_up import AdvisFilter, list_advis
from engine.desk.registry import find_kommune
from engine.desk.typed import KOMMUNE_ROW, TypedField, receiver_row, type_field
from engine.desk.where import Answer, Whereabouts, for_kommune, for_vendor
from engine.errors import RuleError
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database
from tests.desk.builders import AARHUS, MINUTE, NOON, a_refused_advis, an_act, an_advis, connect
from tests.desk.test_todo import AN_INCIDENT

SETTINGS = Settings()


@pytest.fixture
def receivers(db: Database) -> list[int]:
    with db.writing() as tx:
        return connect(tx)


def vendor(db: Database, system: str = "System 1") -> Whereabouts:
    with db.reading() as conn:
        kommune = find_kommune(conn, AARHUS)
        return for_vendor(conn, SETTINGS, kommune, system, list_advis(conn, AdvisFilter()))


def one(db: Database, receivers: list[int], state: str = "pending", **changes: Any) -> None:
    with db.writing() as tx:
        known = {"published_at": NOON + MINUTE, "receivers": receivers, "states": [state, "ok"]}
        an_advis(tx, **{**known, "due_at": NOON + 46 * MINUTE, **changes})


def test_a_kommune_is_sent_to_its_systems_vendor(db: Database, receivers: list[int]) -> None:
    with db.writing() as tx:
        act = an_act(tx)
        type_field(act, AARHUS, receiver_row(receivers[1]), TypedField.VENDOR_CONTACT, "Bo, 1234 5678")
        type_field(act, AARHUS, KOMMUNE_ROW, TypedField.ADMINISTRATOR, "Anna")
    with db.reading() as conn:
        found = for_kommune(conn, SETTINGS, find_kommune(conn, AARHUS), "System 2")
    assert found.answer is Answer.TO_THE_VENDOR
    assert [contact.shown for contact in found.call] == [
        "Leverandør af System 2: Leverandør – Bo, 1234 5678, drift@v.example"
    ]
    assert (
        "Anna, kommunens Sundhedsagentadministrator, orienterer forvaltningsområdet Sundhed og omsorg"
        in found.say
    )
    assert "driftstatus" in found.say


def test_a_kommune_that_names_no_system_gets_all_its_vendors(db: Database, receivers: list[int]) -> None:
    with db.reading() as conn:
        found = for_kommune(conn, SETTINGS, find_kommune(conn, AARHUS), None)
    assert [contact.role for contact in found.call] == ["Leverandør af System 1", "Leverandør af System 2"]
    assert "det berørte forvaltningsområde" in found.say


def test_nothing_came_from_the_region(db: Database, receivers: list[int]) -> None:
    found = vendor(db)
    assert found.answer is Answer.NOTHING_CAME
    assert "kommunen spørger den sygehusafdeling" in found.say
    assert "ikke modtaget noget advis om borgeren" in (found.handed_on or "")
    assert [contact.email for contact in found.call] == ["advis@k.example"]


def test_it_was_refused(db: Database, receivers: list[int]) -> None:
    with db.writing() as tx:
        a_refused_advis(
            tx, findings='[{"text": "Id mangler", "path": "x", "code": "y", "severity": "error"}]'
        )
    found = vendor(db)
    assert found.answer is Answer.REFUSED
    assert "Id mangler" in found.known[1]


def test_it_has_not_been_published(db: Database, receivers: list[int]) -> None:
    one(db, receivers, published_at=None)
    found = vendor(db)
    assert found.answer is Answer.NOT_PUBLISHED
    assert found.call[0].name == "KMD"
    assert "går ikke tabt" in found.say


def test_the_system_was_not_asked(db: Database, receivers: list[int]) -> None:
    one(db, receivers[:1])
    assert vendor(db, "System 2").answer is Answer.NOT_ASKED
    with db.writing() as tx:
        tx.conn.execute(tables.expected_kvittering.update().values(state="removed"))
    assert vendor(db).answer is Answer.NOT_ASKED


def test_the_system_has_not_acknowledged(db: Database, receivers: list[int]) -> None:
    one(db, receivers)
    found = vendor(db)
    assert found.answer is Answer.NOT_ACKNOWLEDGED
    assert "System 1 har ikke kvitteret. Fristen er 1.7.2026 kl. 14:46." in found.known[2]
    assert "under samme BeskedId" in found.say
    assert found.call[0].email == "drift@v.example"


def test_the_system_has_acknowledged(db: Database, receivers: list[int]) -> None:
    one(db, receivers, "ok")
    found = vendor(db)
    assert found.answer is Answer.ACKNOWLEDGED
    assert "Fejlen skal derfor findes i systemet" in found.say


@pytest.mark.parametrize("code", ["transient-error", "fatal-error"])
def test_the_system_has_refused_it(db: Database, receivers: list[int], code: str) -> None:
    one(db, receivers, code)
    found = vendor(db)
    assert found.answer is Answer.NEGATIVE
    assert code in found.say


def test_several_pass(db: Database, receivers: list[int]) -> None:
    one(db, receivers)
    one(db, receivers)
    found = vendor(db)
    assert found.answer is Answer.SEVERAL
    assert len(found.adviser) == 2


def test_an_open_incident_is_told_too(db: Database, receivers: list[int]) -> None:
    with db.writing() as tx:
        tx.conn.execute(insert(tables.incident).values({**AN_INCIDENT, "state": "declared"}))
    found = vendor(db)
    assert [line.title for line in found.incidents] == ["Beskedfordeleren"]
    assert "åben driftshændelse (Beskedfordeleren)" in found.say


def test_a_system_that_there_is_not(db: Database, receivers: list[int]) -> None:
    with pytest.raises(RuleError, match="intet modtagersystem 'Nexus'"):
        vendor(db, "Nexus")
