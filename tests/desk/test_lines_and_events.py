"""Rules of the console's lists that are easily broken: what is counted, who is left out, and who sees what."""

from datetime import timedelta

import pytest

from engine.desk.glance import SOON, glance
from engine.desk.happenings import HappeningFilter, happenings
from engine.desk.incidents import (
    declare_incident,
    dismiss_incident,
    incident_texts,
    propose_incident,
)
from engine.desk.look_up import AdvisFilter, AdvisState, show_advis, trace_advis
from engine.desk.receivers import remove_receiver
from engine.desk.stream import lines, newest_number, numbers, receiver_names
from engine.domain.events import EventKind, Level
from engine.home import Home
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database
from tests.desk.builders import (
    AARHUS,
    FRB,
    MINUTE,
    NOON,
    a_publication,
    a_refused_advis,
    an_act,
    an_advis,
    an_event,
    connect,
    uuid,
)
from tests.desk.test_stream import a_case, join

SECOND = timedelta(seconds=1)


# --- the lines of adviser ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "expected", "settled", "negative"),
    [
        ([], 4, 0, 0),
        (["ok", "ok", "ok", "ok"], 4, 4, 0),
        (["ok", "transient-error", "fatal-error", "ok"], 4, 4, 2),
        (["transient-error"], 4, 1, 1),
        (["fatal-error"], 4, 1, 1),
        (["removed"], 3, 0, 0),
        (["removed", "removed", "removed", "removed"], 0, 0, 0),
    ],
    ids=["none yet", "all", "some negative", "transient", "fatal", "one removed", "all removed"],
)
def test_kvitteringer_are_counted_by_how_they_went(
    db: Database, states: list[str], expected: int, settled: int, negative: int
) -> None:
    with db.writing() as tx:
        advis = an_advis(tx, receivers=connect(tx, others=3), states=states, published_at=NOON)
        an_advis(tx, receivers=[1], states=["fatal-error"])  # another one's are not its own
    with db.reading() as conn:
        line = lines(conn, [advis])[advis]
    assert (line.expected, line.settled, line.negative, line.missed) == (expected, settled, negative, 0)
    assert line.state is (AdvisState.PUBLISHED if settled < expected else AdvisState.ACKNOWLEDGED)


def test_missed_is_what_has_a_case_and_has_not_come_yet(db: Database) -> None:
    with db.writing() as tx:
        four = connect(tx, others=3)
        states = ["ok", "pending", "pending", "pending"]
        advis = an_advis(tx, receivers=four, states=states, due_at=NOON - MINUTE, published_at=NOON)
        for receiver in four[:3]:  # the first came late; of the fourth nobody has noticed yet
            join(tx, a_case(tx, receiver), advis, receiver)
    with db.reading() as conn:
        line = lines(conn, [advis])[advis]
        assert (line.expected, line.settled, line.missed) == (4, 1, 2)
        assert numbers(conn, AdvisFilter(), missed=True, limit=10) == [advis]  # once, though two are missed


def test_a_line_tells_what_the_look_up_tells(db: Database) -> None:
    with db.writing() as tx:
        advis = an_advis(
            tx,
            receivers=connect(tx),
            states=["ok"],
            received_at=NOON - MINUTE,
            published_at=NOON,
            verdict="ok",
            verdict_at=NOON,
            copies=3,
        )
    with db.reading() as conn:
        line, view = lines(conn, [advis])[advis], show_advis(conn, str(advis))
    for name in (
        "id",
        "received_at",
        "kommune",
        "kommune_name",
        "addressee",
        "code",
        "verdict",
        "copies",
        "state",
    ):
        assert getattr(line, name) == getattr(view, name), name


def test_lines_are_given_for_the_numbers_asked_for_alone(db: Database) -> None:
    with db.writing() as tx:
        ids = [a_refused_advis(tx, kommune=AARHUS) for _ in range(5)]
    with db.reading() as conn:
        assert set(lines(conn, [ids[3], ids[1], ids[3], 10**12])) == {ids[1], ids[3]}


def test_between_two_numbers_are_those_above_the_one_and_below_the_other(db: Database) -> None:
    with db.writing() as tx:
        ids = [a_refused_advis(tx, kommune=AARHUS) for _ in range(6)]
    with db.reading() as conn:
        assert numbers(conn, AdvisFilter(), above=ids[1], below=ids[4], limit=10) == [ids[3], ids[2]]
        assert numbers(conn, AdvisFilter(), above=ids[-1], limit=10) == []
        assert numbers(conn, AdvisFilter(), below=ids[0], limit=10) == []
        assert (
            numbers(conn, AdvisFilter(limit=1), limit=3) == ids[:2:-1]
        )  # its own limit counts, not the filter's


def test_numbers_follow_the_receipt_whatever_the_clock_said(db: Database) -> None:
    with db.writing() as tx:
        first = a_refused_advis(tx, received_at=NOON)
        second = a_refused_advis(tx, received_at=NOON - MINUTE)  # the clock was set back meanwhile
    with db.reading() as conn:
        assert numbers(conn, AdvisFilter(), limit=10) == [second, first]
        assert newest_number(conn) == second


def test_a_receiver_that_was_removed_is_no_name_to_ask_for(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, others=2)
        connect(tx, FRB, others=0)
        remove_receiver(an_act(tx), AARHUS, name="System 3", uuid=uuid(3))
    with db.reading() as conn:
        assert receiver_names(conn) == ["System 1", "System 2"]


# --- the numbers on top -----------------------------------------------------------------------------------------------


def test_a_deadline_is_soon_late_or_neither(db: Database) -> None:
    """Each advis has one kvittering, due so long from now; what is due right now is not late."""
    with db.writing() as tx:
        primary = connect(tx, others=0)
        for late in (-60 * MINUTE, -SECOND):
            an_advis(tx, receivers=primary, due_at=NOON + late)
        for near in (0 * SECOND, SECOND, SOON - SECOND):
            an_advis(tx, receivers=primary, due_at=NOON + near)
        for far in (SOON, 2 * SOON):
            an_advis(tx, receivers=primary, due_at=NOON + far)
    with db.reading() as conn:
        seen = glance(conn, NOON)
    assert (seen.pending, seen.overdue, seen.soon) == (7, 2, 3)


def test_what_was_missed_is_counted_once_and_stays_late_when_its_deadline_moves(db: Database) -> None:
    with db.writing() as tx:
        primary = connect(tx, others=0)
        case = a_case(tx, primary[0])
        for due in (NOON - MINUTE, NOON + MINUTE):  # the second: the clock was set back after it was missed
            join(tx, case, an_advis(tx, receivers=primary, due_at=due), primary[0])
    with db.reading() as conn:
        seen = glance(conn, NOON)
    assert (seen.pending, seen.overdue, seen.soon) == (2, 2, 0)


def test_only_open_incidents_stand_on_top(db: Database, new_home: Home) -> None:
    settings, texts = Settings.load(new_home), incident_texts(new_home)
    with db.writing() as tx:
        act = an_act(tx)
        proposed, declared, dismissed = (
            propose_incident(act, settings, texts, title=title, reason="Alle ringer").id
            for title in ("Den ene", "Den anden", "Den tredje")
        )
        declare_incident(act, settings, texts, declared)
        dismiss_incident(act, dismissed, "En fejl")
        found = glance(tx.conn, NOON).incidents
        assert glance(tx.conn, NOON, only=[AARHUS]).incidents == ()  # they are told in other ways
    assert {line.id: line.state.value for line in found} == {proposed: "proposed", declared: "declared"}


def test_a_caller_of_two_kommuner_has_the_sum_of_both(db: Database) -> None:
    with db.writing() as tx:
        aarhus, frb = connect(tx), connect(tx, FRB, others=0)
        first = an_advis(tx, receivers=aarhus, due_at=NOON - MINUTE, received_at=NOON - MINUTE)
        second = an_advis(tx, FRB, frb, due_at=NOON + MINUTE)
        for advis in (first, second):
            a_publication(tx, advis)
        a_case(tx, aarhus[0], taken_by="mette", taken_at=NOON)
        a_case(tx, None, FRB)
        both, one = (glance(tx.conn, NOON, only=only) for only in ([AARHUS, FRB], {AARHUS}))
    assert (both.pending, both.overdue, both.soon) == (3, 2, 1)
    assert (both.cases, both.taken, both.delayed, both.waiting_publications) == (2, 1, 1, 2)
    assert both.newest_at == NOON
    assert (one.pending, one.overdue, one.soon) == (2, 2, 0)
    assert (one.cases, one.taken, one.delayed, one.waiting_publications) == (1, 1, 0, 1)
    assert (one.at, one.newest_at) == (NOON, NOON - MINUTE)


# --- what happened ----------------------------------------------------------------------------------------------------


def test_a_happening_tells_what_it_is_about_in_the_words_of_the_trace(db: Database) -> None:
    with db.writing() as tx:
        advis = an_advis(tx, receivers=connect(tx))
        about = {"advis_id": advis, "kommune_code": AARHUS, "case_id": 71}
        an_event(
            tx,
            EventKind.PUBLICATION_FAILED,
            **about,
            level=Level.WARNING,
            attempts=2,
            error="Disken er fuld",
            next=(NOON + 12 * 60 * MINUTE).isoformat(),
        )
        an_event(tx, EventKind.INCIDENT_DISMISSED, NOON + MINUTE, incident_id=5, incident=5, reason="Fejl")
    with db.reading() as conn:
        second, first = happenings(conn, HappeningFilter(since=NOON), limit=2)
        assert [first.line] == trace_advis(conn, str(advis))
    assert first.line.sentence.endswith("Disken er fuld; nyt forsøg kl. 02:00:00 den 02.07.2026")
    assert (first.line.level, first.line.actor) == (Level.WARNING, "motor")
    assert (first.advis_id, first.kommune, first.case_id, first.incident_id) == (advis, AARHUS, 71, None)
    assert (second.advis_id, second.kommune, second.case_id, second.incident_id) == (None, None, None, 5)


@pytest.mark.parametrize(
    ("levels", "found"),
    [
        (None, [Level.ALARM, Level.WARNING, Level.INFO]),
        ([], []),
        ([Level.ALARM], [Level.ALARM]),
        ([Level.INFO], [Level.INFO]),
        ([Level.INFO, Level.WARNING], [Level.WARNING, Level.INFO]),
        ([Level.ALARM, Level.WARNING], [Level.ALARM, Level.WARNING]),
    ],
    ids=str,
)
def test_happenings_by_level(db: Database, levels: list[Level] | None, found: list[Level]) -> None:
    with db.writing() as tx:
        for level in (Level.INFO, Level.WARNING, Level.ALARM):
            an_event(tx, EventKind.RECEIPT_MISSING, level=level, envelope_id="k")
    with db.reading() as conn:
        wanted = HappeningFilter(levels=levels, kinds=[EventKind.RECEIPT_MISSING])
        assert [item.line.level for item in happenings(conn, wanted)] == found


def test_a_kommune_sees_the_events_of_its_own_and_none_of_the_whole(db: Database) -> None:
    with db.writing() as tx:
        for code in (AARHUS, FRB, None):
            an_event(tx, EventKind.RECEIPT_MISSING, kommune_code=code, envelope_id="k")
    with db.reading() as conn:
        kinds = [EventKind.RECEIPT_MISSING]
        for only, found in (
            (None, [None, FRB, AARHUS]),
            ([AARHUS], [AARHUS]),
            ([AARHUS, FRB], [FRB, AARHUS]),
            ([], []),
        ):
            seen = happenings(conn, HappeningFilter(kinds=kinds, kommuner=only))
            assert [item.kommune for item in seen] == found


def test_page_after_page_gives_each_event_once(db: Database) -> None:
    with db.writing() as tx:
        for number in range(7):
            an_event(tx, EventKind.RECEIPT_MISSING, envelope_id=str(number))
    wanted = HappeningFilter(kinds=[EventKind.RECEIPT_MISSING])
    seen: list[int] = []
    with db.reading() as conn:
        while page := happenings(conn, wanted, below=seen[-1] if seen else None, limit=3):
            assert len(page) <= 3
            seen += [item.id for item in page]
        whole = conn.execute(tables.event.select().where(tables.event.c.kind == "receipt-missing")).all()
    assert seen == sorted((row.id for row in whole), reverse=True)
    assert len(seen) == 7
