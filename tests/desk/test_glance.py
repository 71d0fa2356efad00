"""The few numbers on top of every screen."""

from datetime import timedelta
from typing import Any

import pytest

from engine.desk.glance import SOON, Glance, glance
from engine.desk.incidents import declare_incident, incident_texts, propose_incident
from engine.home import Home
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database
from tests.desk.builders import AARHUS, FRB, MINUTE, NOON, a_publication, an_act, an_advis, connect
from tests.desk.test_stream import a_case, join

SECOND = timedelta(seconds=1)


def seen(db: Database, **given: Any) -> Glance:
    with db.reading() as conn:
        return glance(conn, NOON, **given)


def test_an_empty_home_has_nothing(db: Database) -> None:
    found = seen(db)
    assert (found.pending, found.soon, found.overdue, found.cases, found.taken) == (0, 0, 0, 0, 0)
    assert (found.delayed, found.waiting_publications, found.stalls) == (0, 0, 0)
    assert (found.newest_at, found.engine_seen_at, found.incidents) == (None, None, ())
    assert [channel.up for channel in found.channels] == [None] * len(found.channels)


def test_what_is_waited_for_by_its_deadline(db: Database) -> None:
    with db.writing() as tx:
        two = connect(tx)
        missed = an_advis(tx, receivers=two, due_at=NOON - 60 * MINUTE)
        join(tx, a_case(tx, two[0]), missed, two[0])  # the other one is late, and has no case yet
        an_advis(tx, receivers=two[:1], due_at=NOON)
        an_advis(tx, receivers=two[:1], due_at=NOON + SOON - SECOND)
        an_advis(tx, receivers=two[:1], due_at=NOON + SOON)
        an_advis(tx, receivers=two[:1])  # not published: no clock runs
        an_advis(tx, receivers=two, states=["ok", "removed"], due_at=NOON)
    found = seen(db)
    assert (found.pending, found.overdue, found.soon) == (6, 2, 2)
    assert found.newest_at == NOON


def test_cases_and_publications(db: Database) -> None:
    with db.writing() as tx:
        two = connect(tx)
        a_case(tx, two[0])
        a_case(tx, two[1], taken_by="mette", taken_at=NOON)
        a_case(tx, two[1], closed_at=NOON)
        a_case(tx, None)
        a_publication(tx, an_advis(tx, receivers=two))
        a_publication(tx, an_advis(tx, receivers=two), next_at=None)
    found = seen(db)
    assert (found.cases, found.taken, found.delayed, found.waiting_publications) == (3, 1, 1, 1)


def test_what_stands_still_and_who_was_seen(db: Database) -> None:
    with db.writing() as tx:
        tx.insert(
            tables.stall, [{"name": "publish", "detail": "3 venter", "since": NOON, "noticed_at": NOON}]
        )
        tx.insert(tables.pulse, [{"name": "engine", "good_at": NOON - SECOND}])
        down = {"bad_since": NOON - MINUTE, "error": "svarer ikke"}
        tx.insert(tables.pulse, [{"name": "channel:beskedfordeler", "good_at": NOON - 5 * MINUTE, **down}])
    found = seen(db)
    assert (found.stalls, found.engine_seen_at) == (1, NOON - SECOND)
    (broken,) = [channel for channel in found.channels if channel.up is False]
    assert (broken.name, broken.bad_since, broken.error) == (
        "channel:beskedfordeler",
        NOON - MINUTE,
        "svarer ikke",
    )


def test_open_incidents(db: Database, new_home: Home) -> None:
    with db.writing() as tx:
        act = an_act(tx)
        settings, texts = Settings.load(new_home), incident_texts(new_home)
        number = propose_incident(act, settings, texts, title="Intet kommer igennem", reason="Alle ringer").id
        assert [line.id for line in glance(tx.conn, NOON).incidents] == [number]
        declare_incident(act, settings, texts, number)
        assert [line.state.value for line in glance(tx.conn, NOON).incidents] == ["declared"]


@pytest.mark.parametrize(
    ("only", "pending", "cases", "waiting"), [([AARHUS], 2, 1, 1), ([FRB], 1, 0, 0), ([], 0, 0, 0)]
)
def test_some_see_their_own_numbers_and_nothing_of_the_whole(
    db: Database, only: list[str], pending: int, cases: int, waiting: int
) -> None:
    with db.writing() as tx:
        aarhus, frb = connect(tx), connect(tx, FRB, others=0)
        a_publication(tx, an_advis(tx, receivers=aarhus, due_at=NOON))
        an_advis(tx, FRB, frb, due_at=NOON, received_at=NOON - MINUTE)
        a_case(tx, aarhus[0])
        tx.insert(
            tables.stall, [{"name": "publish", "detail": "3 venter", "since": NOON, "noticed_at": NOON}]
        )
        tx.insert(tables.pulse, [{"name": "engine", "good_at": NOON}])
    found = seen(db, only=only)
    assert (found.pending, found.cases, found.waiting_publications) == (pending, cases, waiting)
    assert (found.stalls, found.engine_seen_at, found.channels, found.incidents) == (0, None, (), ())
    assert found.newest_at == {0: None, 1: NOON - MINUTE, 2: NOON}[pending]
