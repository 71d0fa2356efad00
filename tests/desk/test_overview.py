from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert

from engine.desk.overview import list_pending, status
from engine.desk.progress import progress
from engine.domain.events import EventKind, Level
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database
from tests.desk.builders import (
    FRB,
    MINUTE,
    NOON,
    a_kvittering,
    a_publication,
    a_refused_advis,
    an_advis,
    an_envelope_out,
    an_event,
    connect,
    uuid,
)

SECOND = timedelta(seconds=1)


def test_pending_is_ordered_by_deadline_and_says_how_long(db: Database) -> None:
    with db.writing() as tx:
        aarhus, frb = connect(tx), connect(tx, FRB, others=0)
        later = an_advis(tx, receivers=aarhus, due_at=NOON + 45 * MINUTE, states=["ok"])
        overdue = an_advis(tx, FRB, frb, due_at=NOON - 90 * SECOND, besked_id=uuid(9), message_id="m")
        just_now = an_advis(tx, FRB, frb, due_at=NOON - SECOND / 2)
        at_the_deadline = an_advis(tx, receivers=aarhus[:1], due_at=NOON)
        not_published = an_advis(tx, receivers=aarhus[:1])
        an_advis(tx, receivers=aarhus, due_at=NOON, states=["ok", "fatal-error"])
    with db.reading() as conn:
        lines = list_pending(conn, NOON)
        assert [line.advis_id for line in list_pending(conn, NOON, only=[FRB])] == [
            overdue,
            just_now,
        ]
    assert [(line.advis_id, line.seconds_left, line.overdue) for line in lines] == [
        (overdue, -90, True),
        (just_now, -1, True),
        (at_the_deadline, 0, False),
        (later, 45 * 60, False),
        (not_published, None, False),
    ]
    assert [line.primary for line in lines] == [True, True, True, False, True]
    first = lines[0]
    assert (first.kommune, first.kommune_name, first.receiver) == (FRB, "Frederiksberg Kommune", "System 1")
    assert (first.besked_id, first.message_id, first.receiver_uuid) == (uuid(9), "m", uuid(1))
    assert first.due_at == NOON - 90 * SECOND


def test_an_empty_home_has_a_status(db: Database) -> None:
    with db.reading() as conn:
        found = status(conn, NOON, Settings())
    assert (found.received, found.pending, found.answered, found.alarms) == (
        0,
        0,
        {"ok": 0, "fatal-error": 0},
        (),
    )
    assert found.oldest_seconds.publication is None


def test_status_counts_each_kind_apart(db: Database) -> None:
    published = {"published_at": NOON}
    with db.writing() as tx:
        two = connect(tx)
        a_refused_advis(tx)
        waiting = an_advis(tx, receivers=two)
        a_publication(tx, waiting, ordered_at=NOON - 9 * MINUTE)
        delayed = an_advis(tx, receivers=two)
        a_publication(tx, delayed, ordered_at=NOON - 10 * MINUTE)
        done = an_advis(tx, receivers=two, states=["ok", "transient-error"], verdict="ok", **published)
        a_publication(tx, done, next_at=None, accepted_at=NOON, ordered_at=NOON - 99 * MINUTE)
        an_advis(tx, receivers=two, states=["fatal-error", "ok"], verdict="fatal-error", **published)
        an_advis(tx, receivers=two, due_at=NOON - 5 * SECOND, states=["ok"], verdict="ok", **published)
        a_kvittering(tx, done, two[0])
        a_kvittering(tx, disposition="unmatched", received_at=NOON - 7 * SECOND)
        quarantined = {
            "delivery_key": "k",
            "channel": "vans",
            "name": "n",
            "reason": "not-an-envelope",
            "detail": "",
        }
        tx.conn.execute(insert(tables.quarantine).values(quarantined_at=NOON, **quarantined))
        an_envelope_out(tx, done, next_at=NOON, ordered_at=NOON - 3 * SECOND)
        an_envelope_out(tx, done, repeats_id=1, receipt_due_at=NOON + MINUTE)
        an_envelope_out(tx, done, repeats_id=1, receipt_due_at=NOON + MINUTE, sending=2)
        an_envelope_out(tx, done, repeats_id=1, next_at=NOON, sending=3)
        an_envelope_out(tx, done, repeats_id=1, sending=2)
        alarm = {"level": Level.ALARM, "advis_id": done, "envelope_id": "e", "error": "x"}
        an_event(tx, EventKind.RECEIPT_NEGATIVE, NOON - MINUTE, **alarm)
        an_event(tx, EventKind.RECEIPT_MISSING, NOON - 2 * MINUTE, **alarm)
        an_event(tx, EventKind.RECEIPT_NEGATIVE, NOON - timedelta(hours=25), **alarm)
        an_event(tx, EventKind.QUARANTINED, NOON, level=Level.WARNING, reason="x")
    with db.reading() as conn:
        found = status(conn, NOON, Settings())
    assert (found.connected_kommuner, found.received, found.refused, found.published) == (1, 6, 1, 3)
    assert (found.waiting_publications, found.delayed_publications) == (2, 1)
    assert (found.pending, found.overdue) == (5, 1)
    assert found.answered == {"ok": 2, "fatal-error": 1}
    assert (found.negative_kvitteringer, found.unmatched_kvitteringer, found.quarantined) == (2, 1, 1)
    assert (found.waiting_envelopes, found.receipts_awaited, found.receipts_missing) == (2, 2, 2)
    assert found.receipts_negative == 1
    oldest = found.oldest_seconds
    assert (oldest.publication, oldest.envelope, oldest.overdue, oldest.unmatched) == (600, 3, 5, 7)
    assert found.alarm_count == 2
    assert [alarm.kind for alarm in found.alarms] == [EventKind.RECEIPT_NEGATIVE, EventKind.RECEIPT_MISSING]
    assert "konvolut e (x)" in found.alarms[0].sentence


def test_delayed_follows_the_setting(db: Database) -> None:
    with db.writing() as tx:
        a_publication(tx, an_advis(tx, receivers=connect(tx)), ordered_at=NOON - 2 * MINUTE)
    with db.reading() as conn:
        assert status(conn, NOON, Settings()).delayed_publications == 0
        assert status(conn, NOON, Settings(publish={"alarm_after": "1 min"})).delayed_publications == 1


def test_progress_counts_for_a_screen(db: Database) -> None:
    with db.writing() as tx:
        two = connect(tx)
        first = an_advis(tx, receivers=two, states=["ok"], verdict="ok", published_at=NOON, copies=2)
        an_envelope_out(tx, first, sent_at=NOON)
        an_envelope_out(tx, first, sent_at=NOON, repeats_id=1)
        waiting = an_advis(tx, receivers=two, states=["ok"], verdict="ok", received_at=NOON + MINUTE)
        an_envelope_out(tx, waiting)
        a_kvittering(tx, first, two[0])
        a_kvittering(tx, first, two[0], disposition="duplicate")
        a_kvittering(tx, waiting, two[0], code="transient-error")
    with db.reading() as conn:
        done = progress(conn, latest=1)
    assert (done.received, done.copies, done.published, done.answered) == (2, 2, 1, 1)
    assert (done.expected, done.pending, done.kvitteringer) == (4, 2, {"ok": 1, "transient-error": 1})
    assert [view.id for view in done.latest] == [waiting]


def plans(conn: Connection, look: Any) -> list[str]:
    steps: list[str] = []

    def explain(conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        rows = conn.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
        steps.append("\n".join(row[3] for row in rows))

    event.listen(conn, "before_cursor_execute", explain)
    look(conn)
    event.remove(conn, "before_cursor_execute", explain)
    return steps


@pytest.mark.sqlite_only
def test_pending_reads_the_index_of_deadlines(db: Database) -> None:
    with db.reading() as conn:
        missed, running, not_running = plans(conn, lambda conn: list_pending(conn, NOON))
    assert "expected_kvittering USING INDEX ix_expected_kvittering_missed" in missed
    for plan in (running, not_running):
        assert "expected_kvittering USING INDEX ix_expected_kvittering_due" in plan
        assert "SCAN advis" not in plan
    assert "TEMP B-TREE FOR ORDER BY" not in running


@pytest.mark.sqlite_only
def test_status_reads_no_table_from_end_to_end(db: Database) -> None:
    small = ("SCAN connection", "SCAN incident", "SCAN pulse", "SCAN stall", "SCAN certificate")
    with db.reading() as conn:
        for plan in plans(conn, lambda conn: status(conn, NOON, Settings())):
            scans = [step for step in plan.splitlines() if step.startswith("SCAN") and "INDEX" not in step]
            assert [step for step in scans if not step.startswith(small)] == []
