"""«Er mit advis kommet?»: every end of the handbook's way."""

from typing import Any

import pytest
from sqlalchemy import insert

from engine.desk.look_up import AdvisFilter, list_advis
from engine.desk.noted import note_receiver
from engine.desk.registry import find_kommune
from engine.desk.typed import KOMMUNE_ROW, TypedField, noted_row, receiver_row, type_field
from engine.desk.where import Answer, Whereabouts, for_kommune, for_vendor
from engine.domain.events import EventKind
from engine.errors import RuleError
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database
from tests.desk.builders import (
    AARHUS,
    FRB,
    MINUTE,
    NOON,
    a_receiver,
    a_refused_advis,
    an_act,
    an_advis,
    an_event,
    connect,
    uuid,
)
from tests.desk.test_todo import AN_INCIDENT, a_case

SETTINGS = Settings()


@pytest.fixture
def receivers(db: Database) -> list[int]:
    with db.writing() as tx:
        return connect(tx)


def vendor(db: Database, system: str = "System 1") -> Whereabouts:
    with db.reading() as conn:
        kommune = find_kommune(conn, AARHUS)
        return for_vendor(conn, SETTINGS, kommune, system, list_advis(conn, AdvisFilter()))


def kommune_asks(db: Database, system: str | None) -> Whereabouts:
    with db.reading() as conn:
        return for_kommune(conn, SETTINGS, find_kommune(conn, AARHUS), system)


def note(db: Database) -> None:
    """A system without acknowledgement."""
    with db.writing() as tx:
        act = an_act(tx)
        noted = note_receiver(act, AARHUS, a_receiver(7, vendor="Andre", vendor_email="hjaelp@a.example"))
        field = TypedField.VENDOR_CONTACT
        type_field(act, AARHUS, noted_row(noted.receiver_id), field, "Eva, 8765 4321")


def one(db: Database, receivers: list[int], state: str = "pending", **changes: Any) -> None:
    with db.writing() as tx:
        known = {"published_at": NOON + MINUTE, "receivers": receivers, "states": [state, "ok"]}
        an_advis(tx, **{**known, "due_at": NOON + 46 * MINUTE, **changes})


def test_a_kommune_is_sent_to_its_systems_vendor(db: Database, receivers: list[int]) -> None:
    with db.writing() as tx:
        act = an_act(tx)
        type_field(act, AARHUS, receiver_row(receivers[1]), TypedField.VENDOR_CONTACT, "Bo, 1234 5678")
        type_field(act, AARHUS, KOMMUNE_ROW, TypedField.ADMINISTRATOR, "Anna")
    found = kommune_asks(db, "System 2")
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
    note(db)
    found = kommune_asks(db, None)
    assert [(contact.role, contact.email) for contact in found.call] == [
        ("Leverandør af System 1", "drift@v.example"),
        ("Leverandør af System 2", "drift@v.example"),
        ("Leverandør af System 7", "hjaelp@a.example"),
    ]
    assert "det berørte forvaltningsområde" in found.say
    assert found.case is None


def test_a_kommune_may_miss_them_in_a_system_that_never_acknowledges(
    db: Database, receivers: list[int]
) -> None:
    note(db)
    for named in ("system 7", uuid(7)):
        found = kommune_asks(db, named)
        assert [contact.shown for contact in found.call] == [
            "Leverandør af System 7: Andre – Eva, 8765 4321, hjaelp@a.example"
        ]
        assert found.case is None


def test_a_kommune_hears_of_the_open_case_and_of_the_incident(db: Database, receivers: list[int]) -> None:
    a_case(db, receivers[0], closed_at=NOON)
    assert kommune_asks(db, "System 1").case is None
    number = a_case(db, receivers[0], taken_by="anna", taken_at=NOON)
    with db.writing() as tx:
        tx.conn.execute(insert(tables.incident).values({**AN_INCIDENT, "state": "declared"}))
    found = kommune_asks(db, "System 1")
    assert found.known == (
        f"Sag {number} fra 1.7.2026 kl. 14:00 om, at System 1 ikke kvitterer: taget af anna.",
    )
    assert "åben driftshændelse (Beskedfordeleren)" in found.say
    assert kommune_asks(db, "System 2").case is None  # another system's


def test_a_proposal_is_not_told_to_anybody(db: Database, receivers: list[int]) -> None:
    with db.writing() as tx:
        tx.conn.execute(insert(tables.incident).values(AN_INCIDENT))
    for found in (kommune_asks(db, "System 1"), vendor(db)):
        assert found.incidents == ()
        assert "driftshændelse" not in found.say


def test_nothing_came_from_the_region(db: Database, receivers: list[int]) -> None:
    found = vendor(db)
    assert found.answer is Answer.NOTHING_CAME
    assert "kommunen spørger den sygehusafdeling" in found.say
    assert "ikke modtaget noget advis om borgeren" in (found.handed_on or "")
    assert [contact.email for contact in found.call] == ["advis@k.example"]


def test_it_was_refused(db: Database, receivers: list[int]) -> None:
    with db.writing() as tx:
        number = a_refused_advis(
            tx, findings='[{"text": "Titlen mangler", "path": "x", "code": "y", "severity": "warning"}]'
        )
        an_event(tx, EventKind.ADVIS_REFUSED, advis_id=number, findings="Id mangler", codes=["y"])
    found = vendor(db)
    assert found.answer is Answer.REFUSED
    assert "Id mangler" in found.known[1]
    assert "Titlen mangler" not in "".join(found.known)
    assert [contact.email for contact in found.call] == ["advis@k.example"]


def test_it_has_not_been_published(db: Database, receivers: list[int]) -> None:
    one(db, receivers, published_at=None)
    a_case(db, receivers[0])  # about something else
    delayed = a_case(db, None)
    found = vendor(db)
    assert found.answer is Answer.NOT_PUBLISHED
    assert found.case is not None
    assert found.case.id == delayed
    assert "Beskedfordeleren ikke tager imod: åben" in found.known[-1]
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
    assert vendor(db).case is None
    a_case(db, None)
    number = a_case(db, receivers[0])
    found = vendor(db)
    assert found.answer is Answer.NOT_ACKNOWLEDGED
    assert found.case is not None
    assert found.case.id == number
    assert f"Sag {number} fra" in found.known[-1]
    assert "System 1 har ikke kvitteret. Fristen er 1.7.2026 kl. 14:46." in found.known[2]
    assert "under samme BeskedId" in found.say
    assert found.call[0].email == "drift@v.example"


def test_the_system_has_acknowledged(db: Database, receivers: list[int]) -> None:
    one(db, receivers, "ok")
    a_case(db, receivers[0])  # of other adviser: this one has come
    found = vendor(db)
    assert found.answer is Answer.ACKNOWLEDGED
    assert found.case is None
    assert "Fejlen skal derfor findes i systemet" in found.say


@pytest.mark.parametrize("code", ["transient-error", "fatal-error"])
def test_the_system_has_refused_it(db: Database, receivers: list[int], code: str) -> None:
    one(db, receivers, code)
    found = vendor(db)
    assert found.answer is Answer.NEGATIVE
    assert code in found.say


def test_the_system_never_acknowledges(db: Database, receivers: list[int]) -> None:
    note(db)
    one(db, receivers)
    found = vendor(db, "System 7")
    assert found.answer is Answer.UNWATCHED
    assert "kvitterer aldrig" in found.say
    assert any(line.startswith("Fordelt 1.7.2026") for line in found.known)
    assert [contact.name for contact in found.call] == ["Andre – Eva, 8765 4321"]


def test_an_advis_of_another_kommune_is_not_told_of(db: Database, receivers: list[int]) -> None:
    with db.writing() as tx:
        an_advis(tx, FRB, connect(tx, FRB))
    assert vendor(db).answer is Answer.NOTHING_CAME


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
