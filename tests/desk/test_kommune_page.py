"""Rules of a kommune's page and of the list of the 98: whose numbers they are, and what is over."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from engine.desk.kommune_state import (
    KommunePage,
    KommuneState,
    kommune_page,
    kommune_states,
    switchover_planned,
)
from engine.desk.maintenance import cancel_maintenance, plan_maintenance
from engine.desk.noted import note_receiver, remove_noted
from engine.desk.procedures import procedures, set_step
from engine.desk.receivers import remove_receiver
from engine.desk.requests import hand_in, return_request
from engine.desk.switchovers import PlanSwitchover, cancel_switchover, plan_switchover
from engine.desk.typed import KOMMUNE_ROW, TypedField, receiver_row, type_field
from engine.domain.procedure import StepState
from engine.errors import NotFoundError
from engine.simulation.made_up import made_up_gln
from engine.store import tables
from engine.store.database import Database, Tx
from tests.desk.builders import (
    AARHUS,
    FRB,
    MINUTE,
    NOON,
    a_receiver,
    an_act,
    an_advis,
    connect,
    uuid,
)
from tests.desk.test_stream import a_case, join

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def state(db: Database, code: str = AARHUS) -> KommuneState:
    with db.reading() as conn:
        return next(each for each in kommune_states(conn, NOON) if each.line.code == code)


def page(db: Database, code: str = AARHUS) -> KommunePage:
    with db.reading() as conn:
        return kommune_page(conn, code, NOON)


def plan(tx: Tx, at: datetime = NOON + HOUR) -> int:
    systems = {"old_name": "System 1", "old_uuid": uuid(1), "new_name": "System 2", "new_uuid": uuid(2)}
    return plan_switchover(an_act(tx), PlanSwitchover(code=AARHUS, at=at, **systems)).id


def settled(tx: Tx, advis_id: int, receiver_id: int, **values: Any) -> None:
    expected = tables.expected_kvittering
    wanted = (expected.c.advis_id == advis_id, expected.c.receiver_id == receiver_id)
    tx.conn.execute(update(expected).where(*wanted).values(values))


# --- late, and waited for ---------------------------------------------------------------------------------------------


def test_late_is_what_has_a_case_or_is_past_its_deadline(db: Database) -> None:
    with db.writing() as tx:
        (primary,) = connect(tx, others=0)
        case = a_case(tx, primary)
        for due, has_case in (
            (NOON - MINUTE, True),
            (NOON + MINUTE, True),  # the clock was set back after it was missed
            (NOON - MINUTE, False),
            (NOON, False),  # the last moment is in time
            (NOON + MINUTE, False),
            (None, False),  # not published, or not watched yet: no clock runs
        ):
            advis = an_advis(tx, receivers=[primary], due_at=due)
            if has_case:
                join(tx, case, advis, primary)
        done = an_advis(tx, receivers=[primary], due_at=NOON - MINUTE, states=["ok"])
        join(tx, case, done, primary)
    whole, (standing,) = state(db), page(db).receivers
    assert (whole.pending, whole.overdue) == (6, 3)
    assert (standing.pending, standing.overdue, standing.case_id) == (6, 3, case)


def test_a_case_that_is_closed_counts_no_more(db: Database) -> None:
    with db.writing() as tx:
        primary, other = connect(tx)
        a_case(tx, primary, closed_at=NOON)
        second = a_case(tx, other)
        a_case(tx, other, closed_at=NOON)
        a_case(tx, None)  # of the Beskedfordeler: the kommune's, and no receiver's
    assert state(db).cases == 2
    assert [each.case_id for each in page(db).receivers] == [None, second]


def test_what_a_removed_receiver_owed_is_waited_for_no_more(db: Database) -> None:
    with db.writing() as tx:
        two = connect(tx)
        an_advis(tx, receivers=two, due_at=NOON - MINUTE)
        remove_receiver(an_act(tx), AARHUS, name="System 2", uuid=uuid(2))
    assert (state(db).pending, state(db).overdue) == (1, 1)
    assert [each.found.id for each in page(db).receivers] == two[:1]


def test_the_same_system_in_two_kommuner_has_two_standings(db: Database) -> None:
    with db.writing() as tx:
        aarhus, frb = connect(tx, others=0), connect(tx, FRB, others=0)
        an_advis(tx, receivers=aarhus, due_at=NOON - MINUTE)
        an_advis(tx, FRB, frb, due_at=NOON + MINUTE)
        a_case(tx, frb[0], FRB)
    here, there = page(db).receivers[0], page(db, FRB).receivers[0]
    assert here.found.facts.uuid == there.found.facts.uuid
    assert (here.pending, here.overdue, here.case_id) == (1, 1, None)
    assert (there.pending, there.overdue) == (1, 0)
    assert there.case_id is not None


# --- how quick --------------------------------------------------------------------------------------------------------


def test_the_last_kvittering_is_the_latest_of_any_kind_in_a_week(db: Database) -> None:
    with db.writing() as tx:
        ok, negative, silent = connect(tx, others=2)
        for days, minutes, states in (
            (8, 1, ["ok", "ok", "ok"]),  # too old to look for
            (2, 2, ["ok", "transient-error", "removed"]),
            (1, 3, ["fatal-error", "pending", "removed"]),
        ):
            came = NOON - days * DAY
            advis = an_advis(tx, receivers=[ok, negative, silent], states=states, received_at=came)
            for receiver in (ok, negative, silent):
                settled(tx, advis, receiver, settled_at=came + minutes * MINUTE)
    found = [each.last_kvittering_at for each in page(db).receivers]
    assert found == [NOON - DAY + 3 * MINUTE, NOON - 2 * DAY + 2 * MINUTE, None]


def test_the_median_is_of_what_was_published_in_the_last_24_hours(db: Database) -> None:
    with db.writing() as tx:
        (primary,) = connect(tx, others=0)
        for ago, seconds in ((25 * HOUR, 1000), (23 * HOUR, 60), (2 * HOUR, 90), (HOUR, 600)):
            published = NOON - ago
            advis = an_advis(
                tx, receivers=[primary], states=["ok"], published_at=published, received_at=published
            )
            at = published + timedelta(seconds=seconds)
            settled(tx, advis, primary, clock_from=published, settled_at=at)
        an_advis(tx, receivers=[primary], published_at=NOON - MINUTE)  # not here yet: no time of its own
    assert page(db).receivers[0].median_s == 90


# --- what is planned, asked for and noted -----------------------------------------------------------------------------


def test_a_switchover_stands_in_the_list_while_it_is_planned(db: Database) -> None:
    with db.writing() as tx:
        connect(tx)
        first = plan(tx)
        cancel_switchover(an_act(tx), first)
    assert state(db).switchover is None
    assert switchover_planned(page(db)) is None
    with db.writing() as tx:
        second = plan(tx, NOON + 2 * HOUR)
    found = state(db).switchover
    assert found is not None
    assert found.id == second
    planned = switchover_planned(page(db))
    assert planned is not None
    assert planned.id == second
    assert [each.id for each in page(db).switchovers] == [second, first]  # the planned one first


def test_everything_on_a_page_is_the_kommunes_own(db: Database) -> None:
    with db.writing() as tx:
        act = an_act(tx)
        connect(tx, others=2)
        connect(tx, FRB)
        switchover = plan(tx)
        window = plan_maintenance(act, AARHUS, "System 2", NOON + HOUR, NOON + 2 * HOUR, "Opgradering")
        noted = note_receiver(act, AARHUS, a_receiver(9, only_kvittering=None)).receiver_id
        asked = hand_in(act, AARHUS, "3.2", {"name": "System 3", "uuid": uuid(3)})
        type_field(act, AARHUS, KOMMUNE_ROW, TypedField.ADMINISTRATOR, "Administrationen")
        type_field(act, AARHUS, receiver_row(2), TypedField.VENDOR_CONTACT, "Vagttelefonen")
    own, other = page(db), page(db, FRB)
    assert own.view.code == AARHUS
    assert own.administrator is not None
    assert own.administrator.name == "Administrationen"
    vendors = [each.vendor.name for each in own.receivers]
    assert vendors == ["Leverandør", "Leverandør – Vagttelefonen", "Leverandør"]
    assert [each.id for each in own.switchovers] == [switchover]
    assert [each.id for each in own.noted] == [noted]
    assert [each.id for each in own.requests] == [asked.id]
    assert [each.id for each in own.maintenance] == [window.id]
    assert {each.kommune for each in own.procedures} == {AARHUS}
    assert {each.kommune for each in other.procedures} == {FRB}
    assert (other.administrator, other.noted, other.switchovers, other.requests, other.maintenance) == (
        None,
        (),
        (),
        (),
        (),
    )


def test_what_is_over_has_left_the_page(db: Database) -> None:
    with db.writing() as tx:
        act = an_act(tx)
        connect(tx)
        cancelled = plan_maintenance(act, AARHUS, "System 2", NOON + HOUR, NOON + 2 * HOUR, "Opgradering")
        cancel_maintenance(act, cancelled.id)
        past = {"from_at": NOON - 2 * HOUR, "until_at": NOON, "reason": "x", "planned_at": NOON}
        tx.conn.execute(insert(tables.maintenance).values(receiver_id=1, planned_by="mette", **past))
        note_receiver(act, AARHUS, a_receiver(9, only_kvittering=None))
        remove_noted(act, AARHUS, "System 9")
        returned = hand_in(act, AARHUS, "3.2", {"name": "System 2", "uuid": uuid(2)})
        return_request(act, returned.id, "Den er i brug endnu")
    found = page(db)
    assert (found.maintenance, found.noted) == ((), ())
    assert [each.state.value for each in found.requests] == ["returned"]  # the kommune shall see the answer


def test_a_checklist_leaves_the_page_when_its_last_step_is_done(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, others=0)
    before = page(db).procedures
    with db.writing() as tx:
        act = an_act(tx)
        (line,) = before
        for step in procedures()[line.kind].steps:
            set_step(act, line.id, step.key, state=StepState.DONE)
    assert page(db).procedures == ()


# --- which kommuner ---------------------------------------------------------------------------------------------------


def test_a_kommune_with_several_addresses_stands_once(db: Database) -> None:
    with db.writing() as tx:
        connect(tx)
        row = {"gln": made_up_gln(9_000), "sor": "1", "kommune_code": AARHUS}
        tx.conn.execute(insert(tables.unit).values(row))
    with db.reading() as conn:
        found = kommune_states(conn, NOON)
    assert len(found) == 98
    assert sum(each.line.connected for each in found) == 1


@pytest.mark.parametrize(
    ("only", "found"), [([], []), ([AARHUS], [AARHUS]), ([AARHUS, FRB], [FRB, AARHUS]), (["9999"], [])]
)
def test_some_see_their_own_kommuner_alone(db: Database, only: list[str], found: list[str]) -> None:
    with db.writing() as tx:
        connect(tx)
        connect(tx, FRB)
    with db.reading() as conn:
        assert [each.line.code for each in kommune_states(conn, NOON, only=only)] == found


def test_the_order_is_the_danish_one(db: Database) -> None:
    with db.reading() as conn:
        names = [each.line.name.removesuffix(" Kommune") for each in kommune_states(conn, NOON)]
    last = names[names.index("Vordingborg") :]
    assert last == ["Vordingborg", "Ærø", "Aabenraa", "Aalborg", "Aarhus"]
    assert names.index("Faaborg-Midtfyn") > names.index("Furesø")  # å within a name, too


def test_there_is_no_page_of_a_kommune_that_is_none(db: Database) -> None:
    with db.reading() as conn, pytest.raises(NotFoundError):
        kommune_page(conn, "9999", NOON)
