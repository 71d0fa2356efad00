"""The flow as a list: numbers first, then a lean line of each advis that is shown."""

from typing import Any

from sqlalchemy import insert, update

from engine.desk.look_up import AdvisFilter, AdvisState
from engine.desk.stream import count_since, kommune_names, lines, newest_number, numbers, receiver_names
from engine.domain.advis import AdvisCode
from engine.store import tables
from engine.store.database import Database, Tx
from tests.desk.builders import (
    AARHUS,
    FRB,
    MINUTE,
    NOON,
    a_refused_advis,
    an_advis,
    connect,
)


def a_case(tx: Tx, receiver_id: int | None, kommune: str = AARHUS, **changes: Any) -> int:
    """Of a receiver that does not acknowledge; without one, of adviser that were not published."""
    kind = "delayed-publication" if receiver_id is None else "missing-kvittering"
    row = {"kind": kind, "kommune_code": kommune, "receiver_id": receiver_id, "opened_at": NOON}
    made = tx.conn.execute(insert(tables.alarm_case).values(row | changes))
    return int(made.inserted_primary_key[0])


def join(tx: Tx, case_id: int, advis_id: int, receiver_id: int) -> None:
    """The receiver's kvittering of the advis was missed, and belongs to the case."""
    expected = tables.expected_kvittering
    wanted = (expected.c.advis_id == advis_id, expected.c.receiver_id == receiver_id)
    tx.conn.execute(update(expected).where(*wanted).values(case_id=case_id))


def test_numbers_come_newest_first_and_in_parts(db: Database) -> None:
    with db.writing() as tx:
        ids = [a_refused_advis(tx) for _ in range(7)]
    with db.reading() as conn:
        everything = AdvisFilter()
        assert numbers(conn, everything, limit=10) == ids[::-1]
        assert numbers(conn, everything, limit=3) == ids[:-4:-1]
        assert numbers(conn, everything, above=ids[4], limit=10) == [ids[6], ids[5]]
        assert numbers(conn, everything, below=ids[2], limit=1) == [ids[1]]
        assert newest_number(conn) == ids[-1]


def test_without_any_advis_there_is_no_number(db: Database) -> None:
    with db.reading() as conn:
        assert numbers(conn, AdvisFilter(), limit=10) == []
        assert newest_number(conn) == 0
        assert lines(conn, []) == {}


def test_what_came_since_is_counted_once_and_then_goes_on(db: Database) -> None:
    with db.writing() as tx:
        a_refused_advis(tx, received_at=NOON - MINUTE)
        second = [a_refused_advis(tx, received_at=NOON) for _ in range(2)][-1]
    with db.reading() as conn:
        assert count_since(conn, NOON) == (2, second)
        assert count_since(conn, NOON + MINUTE) == (0, 0)
        assert count_since(conn, NOON, second) == (0, second)
    with db.writing() as tx:
        third = a_refused_advis(tx, received_at=NOON + MINUTE)
    with db.reading() as conn:
        assert count_since(conn, NOON, second) == (1, third)


def test_numbers_pass_the_filter(db: Database) -> None:
    with db.writing() as tx:
        aarhus, frb = connect(tx), connect(tx, FRB)
        one = an_advis(tx, receivers=aarhus, code="STIN")
        two = an_advis(tx, FRB, frb, code="SLHJ")
        three = an_advis(tx, receivers=aarhus, code="SLHJ")
        case = a_case(tx, aarhus[1])
        join(tx, case, three, aarhus[1])
        settled = an_advis(tx, receivers=aarhus, states=["ok", "ok"])
        join(tx, case, settled, aarhus[1])
    with db.reading() as conn:
        assert numbers(conn, AdvisFilter(kommuner=[AARHUS]), limit=10) == [settled, three, one]
        assert numbers(conn, AdvisFilter(kommuner=[]), limit=10) == []
        assert numbers(conn, AdvisFilter(code=AdvisCode.SLHJ), limit=10) == [three, two]
        assert numbers(conn, AdvisFilter(), missed=True, limit=10) == [three]
        assert numbers(conn, AdvisFilter(kommuner=[FRB]), missed=True, limit=10) == []


def test_a_line_counts_what_is_waited_for(db: Database) -> None:
    with db.writing() as tx:
        four = connect(tx, others=3)
        states = ["ok", "fatal-error", "pending", "removed"]
        advis = an_advis(tx, receivers=four, states=states, published_at=NOON, copies=2)
        join(tx, a_case(tx, four[2]), advis, four[2])
    with db.reading() as conn:
        (line,) = lines(conn, [advis, advis + 1000]).values()
    assert (line.id, line.expected, line.settled, line.negative, line.missed) == (advis, 3, 2, 1, 1)
    assert (line.kommune, line.kommune_name, line.hospital) == (
        AARHUS,
        "Aarhus Kommune",
        "Testhospital Aarhus",
    )
    assert (line.published, line.refused, line.verdict, line.copies) == (True, False, None, 2)


def test_the_state_is_the_one_that_the_look_up_tells(db: Database) -> None:
    with db.writing() as tx:
        two = connect(tx)
        published = {"published_at": NOON + MINUTE}
        wanted = {
            a_refused_advis(tx, kommune=AARHUS): AdvisState.REFUSED,
            an_advis(tx, receivers=two): AdvisState.RECEIVED,
            an_advis(tx, receivers=two, states=["ok", "pending"], **published): AdvisState.PUBLISHED,
            an_advis(tx, receivers=two, states=["ok", "ok"], **published): AdvisState.ACKNOWLEDGED,
            an_advis(tx, receivers=two, states=["ok"], verdict="ok", **published): AdvisState.ANSWERED,
        }
    with db.reading() as conn:
        assert {id_: line.state for id_, line in lines(conn, list(wanted)).items()} == wanted


def test_a_hospital_without_a_name_is_shown_by_its_number(db: Database) -> None:
    with db.writing() as tx:
        advis = a_refused_advis(tx, sender_name=None, sender_gln="5790001111111", code=None)
    with db.reading() as conn:
        line = lines(conn, [advis])[advis]
    assert (line.hospital, line.kommune_name, line.code) == ("5790001111111", None, None)


def test_names(db: Database) -> None:
    with db.writing() as tx:
        connect(tx)
        connect(tx, FRB, others=0)
    with db.reading() as conn:
        assert receiver_names(conn) == ["System 1", "System 2"]
        assert len(kommune_names(conn)) == 98
        assert kommune_names(conn, [AARHUS]) == {AARHUS: "Aarhus Kommune"}
