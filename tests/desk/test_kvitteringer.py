"""Kvitteringer one by one: the uafklarede, who may have sent one, and what is to be done about it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from engine.desk.kvitteringer import KvitteringLine, list_unmatched, show_kvittering, what_to_do
from engine.desk.receivers import remove_receiver
from engine.errors import NotFoundError
from engine.store import tables
from engine.store.database import Database
from tests.desk.builders import AARHUS, FRB, NOON, a_kvittering, an_act, an_advis, connect, uuid

UNMATCHED: dict[str, Any] = {"disposition": "unmatched", "reason": "Intet advis", "kommune_code": AARHUS}


@pytest.fixture
def receivers(db: Database) -> list[int]:
    with db.writing() as tx:
        return connect(tx)


def put(db: Database, **changes: Any) -> int:
    with db.writing() as tx:
        a_kvittering(tx, **{**UNMATCHED, **changes})
        return int(
            tx.conn.execute(select(tables.kvittering.c.id).order_by(tables.kvittering.c.id.desc()))
            .scalars()
            .first()
            or 0
        )


def shown(db: Database, **changes: Any) -> KvitteringLine:
    number = put(db, **changes)
    with db.reading() as conn:
        return show_kvittering(conn, number)


def unmatched(db: Database, **options: Any) -> list[int]:
    with db.reading() as conn:
        return [line.id for line in list_unmatched(conn, **options)]


# --- the list ---------------------------------------------------------------------------------------------------------


def test_the_oldest_comes_first_and_only_the_uafklarede(db: Database, receivers: list[int]) -> None:
    numbers = [put(db, received_at=NOON + timedelta(minutes=minute)) for minute in (0, 1)]
    put(db, disposition="settled")
    assert unmatched(db) == numbers
    assert unmatched(db, limit=1) == numbers[:1]


def test_a_kommune_sees_its_own(db: Database, receivers: list[int]) -> None:
    own, other, nobodys = put(db), put(db, kommune_code=FRB), put(db, kommune_code=None)
    assert unmatched(db, only=[AARHUS]) == [own]
    assert unmatched(db) == [own, other, nobodys]
    with db.reading() as conn:
        assert show_kvittering(conn, own, only=[AARHUS]).kommune_name == "Aarhus Kommune"
        for foreign in (other, nobodys):
            with pytest.raises(NotFoundError, match=f"ingen kvittering {foreign}"):
                show_kvittering(conn, foreign, only=[AARHUS])


def test_one_that_is_handled_waits_no_more(db: Database, receivers: list[int]) -> None:
    number = put(db)
    with db.writing() as tx:
        row = {"subject": f"uafklaret:{number}", "at": NOON, "by": "anna", "note": "Set"}
        tx.conn.execute(insert(tables.handled).values(row))
    assert unmatched(db) == []
    assert unmatched(db, every=True) == [number]
    with db.reading() as conn:
        line = show_kvittering(conn, number)
    assert (line.handled_at, line.handled_by, line.handled_note) == (NOON, "anna", "Set")


@pytest.mark.sqlite_only
def test_the_list_is_found_by_its_index(db: Database) -> None:
    statements: list[str] = []
    with db.reading() as conn:
        event.listen(conn, "before_cursor_execute", lambda *args: statements.append(args[2]))
        list_unmatched(conn)
        plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statements[0]}", (1_000, 0)).all()
    assert any("ix_kvittering_unmatched" in row[3] for row in plan), plan


# --- who may have sent it ---------------------------------------------------------------------------------------------


def test_the_sender_is_the_system_of_the_same_kommune(db: Database, receivers: list[int]) -> None:
    with db.writing() as tx:
        connect(tx, FRB)  # the same system, later
    line = shown(db)
    assert (line.sender, line.sender_kommune, line.vendor_email) == ("System 1", AARHUS, "drift@v.example")
    assert "ikke har sendt det" in what_to_do(line)
    assert shown(db, kommune_code=FRB).sender_kommune == FRB


def test_a_system_that_another_kommune_has_is_named_with_its_kommune(
    db: Database, receivers: list[int]
) -> None:
    line = shown(db, kommune_code=FRB)
    assert (line.sender, line.sender_kommune_name) == ("System 1", "Aarhus Kommune")
    assert "registreret i Aarhus Kommune, ikke i Frederiksberg Kommune" in what_to_do(line)
    nobodys = shown(db, kommune_code=None)
    assert nobodys.sender == "System 1"
    assert "Kontakt leverandøren" in what_to_do(nobodys)


def test_a_system_that_was_removed_is_still_known(db: Database, receivers: list[int]) -> None:
    with db.writing() as tx:
        remove_receiver(an_act(tx), AARHUS, name="System 2", uuid=uuid(2))
    assert shown(db, system_uuid=uuid(2)).sender == "System 2"


def test_of_a_system_that_is_registered_nowhere_nothing_is_known(db: Database, receivers: list[int]) -> None:
    line = shown(db, system_uuid=uuid(9))
    assert (line.sender, line.sender_kommune, line.vendor) == (None, None, None)


# --- what to do -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"system_uuid": None}, "siger ikke, hvem der kvitterer"),
        ({"system_uuid": uuid(9)}, "Systemet er ikke registreret"),
        ({}, "ikke har sendt det"),
        ({"disposition": "unexpected"}, "ikke spurgt"),
        ({"disposition": "conflict"}, "to forskellige ting"),
        ({"disposition": "settled", "code": "fatal-error"}, "har afvist adviset"),
        ({"disposition": "settled", "code": "transient-error"}, "har afvist adviset"),
        ({"disposition": "settled"}, "Intet."),
        ({"disposition": "duplicate"}, "Intet."),
    ],
)
def test_each_says_what_to_do(
    db: Database, receivers: list[int], changes: dict[str, Any], expected: str
) -> None:
    with db.writing() as tx:
        advis = an_advis(tx, receivers=receivers)
    assert expected in what_to_do(shown(db, advis_id=advis, **changes))
