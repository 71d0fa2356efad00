"""How it goes in each kommune, and with each of its receivers."""

from datetime import timedelta

from sqlalchemy import update

from engine.desk.kommune_state import kommune_page, kommune_states, switchover_planned
from engine.desk.switchovers import PlanSwitchover, plan_switchover
from engine.store import tables
from engine.store.database import Database, Tx
from tests.desk.builders import AARHUS, FRB, MINUTE, NOON, an_act, an_advis, connect, uuid
from tests.desk.test_stream import a_case, join

HOUR = timedelta(hours=1)


def plan(tx: Tx) -> None:
    order = PlanSwitchover(
        code=AARHUS,
        old_name="System 1",
        old_uuid=uuid(1),
        new_name="System 2",
        new_uuid=uuid(2),
        at=NOON + HOUR,
    )
    plan_switchover(an_act(tx), order)


def test_all_98_stand_by_name_as_in_a_danish_register(db: Database) -> None:
    with db.reading() as conn:
        names = [state.line.name for state in kommune_states(conn, NOON)]
    assert len(names) == len(set(names)) == 98
    assert names[0] == "Albertslund Kommune"
    assert names[-1].startswith("Aarhus")
    assert names.index("Ærø Kommune") > names.index("Vordingborg Kommune")


def test_a_kommune_counts_what_it_waits_for(db: Database) -> None:
    with db.writing() as tx:
        two, frb = connect(tx), connect(tx, FRB, others=0)
        missed = an_advis(tx, receivers=two, due_at=NOON - HOUR)
        join(tx, a_case(tx, two[0]), missed, two[0])
        an_advis(tx, receivers=two, due_at=NOON + HOUR, states=["ok"])
        an_advis(tx, FRB, frb, due_at=NOON + HOUR)
        plan(tx)
    with db.reading() as conn:
        found = {state.line.code: state for state in kommune_states(conn, NOON)}
        aarhus, other = found[AARHUS], found[FRB]
        assert (aarhus.pending, aarhus.overdue, aarhus.cases) == (3, 2, 1)
        assert aarhus.switchover is not None
        assert aarhus.switchover.at == NOON + HOUR
        assert (other.pending, other.overdue, other.cases, other.switchover) == (1, 0, 0, None)
        assert found["0101"].pending == 0
        assert [state.line.code for state in kommune_states(conn, NOON, only=[FRB])] == [FRB]


def test_each_receiver_has_its_own_standing(db: Database) -> None:
    with db.writing() as tx:
        one, two, three = connect(tx, others=2)
        published = {"published_at": NOON - 2 * HOUR, "received_at": NOON - 2 * HOUR}
        advis = an_advis(tx, receivers=[one, two], due_at=NOON - HOUR, states=["ok"], **published)
        join(tx, a_case(tx, two), advis, two)
        expected = tables.expected_kvittering
        times = {"settled_at": NOON - 117 * MINUTE, "clock_from": NOON - 120 * MINUTE}
        tx.conn.execute(update(expected).where(expected.c.receiver_id == one).values(times))
    with db.reading() as conn:
        page = kommune_page(conn, AARHUS, NOON)
    standing = {each.found.id: each for each in page.receivers}
    assert list(standing) == [one, two, three]
    assert (standing[one].pending, standing[one].overdue, standing[one].case_id) == (0, 0, None)
    assert standing[one].last_kvittering_at == NOON - 117 * MINUTE
    assert standing[one].median_s == 180
    assert (standing[two].pending, standing[two].overdue) == (1, 1)
    assert standing[two].case_id is not None
    assert (standing[three].last_kvittering_at, standing[three].median_s) == (None, None)
    assert standing[two].vendor.shown.endswith("drift@v.example")


def test_the_page_has_what_is_planned_and_asked_for(db: Database) -> None:
    with db.writing() as tx:
        connect(tx)
        plan(tx)
    with db.reading() as conn:
        page = kommune_page(conn, AARHUS, NOON)
        empty = kommune_page(conn, FRB, NOON)
    planned = switchover_planned(page)
    assert planned is not None
    assert planned.new_name == "System 2"
    assert "3.3" in [line.kind for line in page.procedures]
    assert (empty.receivers, empty.switchovers, empty.procedures, switchover_planned(empty)) == (
        (),
        (),
        (),
        None,
    )
    assert not empty.view.connected
