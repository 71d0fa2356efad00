import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event

from engine import local_time
from engine.commands.output import plain
from engine.desk.look_up import AdvisFilter, AdvisState, list_advis, show_advis, trace_advis
from engine.domain.advis import AdvisCode
from engine.domain.events import EventKind, Level
from engine.errors import NotFoundError
from engine.local_time import clock_text, from_local, local_text
from engine.store.database import Database
from tests.desk.builders import (
    AARHUS,
    FRB,
    MINUTE,
    NOON,
    a_kvittering,
    a_refused_advis,
    an_advis,
    an_envelope_out,
    an_event,
    connect,
    uuid,
)


def found(db: Database, **wanted: Any) -> list[int]:
    with db.reading() as conn:
        return [item.id for item in list_advis(conn, AdvisFilter(**wanted))]


def states(db: Database) -> dict[int, str]:
    with db.reading() as conn:
        return {item.id: item.state.value for item in list_advis(conn, AdvisFilter())}


def test_the_state_is_derived_from_what_happened(db: Database) -> None:
    published = {"published_at": NOON + MINUTE}
    with db.writing() as tx:
        two = connect(tx)
        refused = a_refused_advis(tx, kommune=AARHUS)
        expected = {
            refused: "refused",
            an_advis(tx, receivers=two): "received",
            an_advis(tx, receivers=two, **published): "published",
            an_advis(tx, receivers=two, states=["transient-error", "pending"], **published): "published",
            an_advis(tx, receivers=two, states=["transient-error", "ok"], **published): "acknowledged",
            an_advis(tx, receivers=two, states=["ok", "ok"], verdict="ok", **published): "answered",
            an_advis(tx, receivers=two, states=["ok"], verdict="ok", **published): "answered",
            an_advis(tx, receivers=two, states=["fatal-error"], verdict="fatal-error"): "answered",
        }
    assert states(db) == expected
    for state in AdvisState:
        assert set(found(db, state=state)) == {key for key, value in expected.items() if value == state}


def test_the_newest_come_first_and_no_more_than_the_limit(db: Database) -> None:
    with db.writing() as tx:
        ids = [
            an_advis(tx, receivers=connect(tx) if n == 0 else [1], received_at=NOON + n * MINUTE)
            for n in range(3)
        ]
        same_instant = an_advis(tx, receivers=[1], received_at=NOON + 2 * MINUTE)
    assert found(db) == [same_instant, *reversed(ids)]
    assert found(db, limit=2) == [same_instant, ids[2]]


def test_filters(db: Database) -> None:
    with db.writing() as tx:
        aarhus, frb = connect(tx), connect(tx, FRB, others=0)
        plain_one = an_advis(tx, receivers=aarhus, message_id="AbC-1", besked_id=uuid(77))
        other = an_advis(
            tx,
            FRB,
            frb,
            code="AN_SLHJ",
            received_at=NOON + 10 * MINUTE,
            sender_gln="5790002222222",
            sender_sor="222222",
            sender_name="Testhospital 100% Køge",
        )
    both = [other, plain_one]
    assert found(db) == both
    assert found(db, kommuner=[FRB]) == [other]
    assert found(db, kommuner=[FRB, AARHUS]) == both
    assert found(db, kommuner=[]) == []
    assert found(db, code=AdvisCode.AN_SLHJ) == [other]
    assert found(db, message_id="abc-1") == []  # an id is found in lower or upper case, or as it is written
    assert found(db, message_id="AbC-1") == [plain_one]
    assert found(db, besked_id=uuid(77).upper()) == [plain_one]
    assert (
        found(db, hospital="5790002222222")
        == found(db, hospital="222222")
        == found(db, hospital="100%")
        == [other]
    )
    assert found(db, hospital="testHOSPITAL") == both
    assert found(db, hospital="1%") == []  # no wildcard of SQL
    assert found(db, receiver="System 2") == found(db, receiver=uuid(2).upper()) == [plain_one]
    assert found(db, receiver="System 1") == both
    assert found(db, since=NOON + MINUTE) == [other]
    assert found(db, until=NOON + 10 * MINUTE) == [plain_one]
    assert found(db, since=NOON, until=NOON + 11 * MINUTE, kommuner=[AARHUS]) == [plain_one]


def test_an_advis_shows_all_but_the_person(db: Database) -> None:
    finding = {"path": "Encounter.class", "code": "MSG_X", "text": "mangler", "severity": "error"}
    with db.writing() as tx:
        primary, other = connect(tx)
        due = NOON + 45 * MINUTE
        advis = an_advis(
            tx,
            receivers=[primary, other],
            states=["ok", "pending"],
            due_at=due,
            published_at=NOON,
            verdict="ok",
            verdict_at=NOON + MINUTE,
            findings=json.dumps([finding]),
            copies=2,
        )
        first = an_envelope_out(tx, advis, sent_at=NOON + MINUTE, receipt_kind="PositiveMessage")
        an_envelope_out(tx, advis, code="ok", repeats_id=first)
        an_envelope_out(tx, advis, kind="receipt", code=None)
        a_kvittering(tx, advis, primary)
        a_kvittering(tx, advis, primary, disposition="duplicate", reason="igen")
    with db.reading() as conn:
        shown = plain(show_advis(conn, str(advis)))
    assert shown["kommune"] == AARHUS
    assert shown["kommune_name"] == "Aarhus Kommune"
    assert shown["code_text"] == "Start sygehusophold – indlagt"
    assert shown["received_at"] == "2026-07-01T12:00:00.000Z"
    assert shown["verdict_at"] == "2026-07-01T12:01:00.000Z"
    assert shown["hospital"] == {"gln": "5790001111111", "sor": "111111", "name": "Testhospital Aarhus"}
    assert shown["episodes"] == ["episode-1"]
    assert shown["findings"] == [finding]
    assert shown["copies"] == 2
    assert [(item["name"], item["primary"], item["state"]) for item in shown["receivers"]] == [
        ("System 1", True, "ok"),
        ("System 2", False, "pending"),
    ]
    assert shown["receivers"][0]["due_at"] == "2026-07-01T12:45:00.000Z"
    assert [(item["code"], item["repeat"], item["receipt"]) for item in shown["answers"]] == [
        ("ok", False, "PositiveMessage"),
        ("ok", True, None),
    ]
    assert [item["disposition"] for item in shown["kvitteringer"]] == ["settled", "duplicate"]
    text = json.dumps(shown)
    assert "hash-of-somebody" not in text
    assert "sealed" not in text


def test_the_primary_is_the_one_of_receipt_time(db: Database) -> None:
    with db.writing() as tx:
        old, new = connect(tx)
        advis = an_advis(tx, receivers=[old, new])
        tx.conn.exec_driver_sql(f"UPDATE connection SET primary_receiver_id = {new}")
    with db.reading() as conn:
        assert [item.primary for item in show_advis(conn, str(advis)).receivers] == [True, False]


def test_an_advis_is_found_by_any_of_its_ids(db: Database) -> None:
    message_id = "4FABD206-280F-558C-9945-fb2a8d68cf8f".upper()
    with db.writing() as tx:
        advis = an_advis(tx, receivers=connect(tx), message_id=message_id, besked_id=uuid(77))
    with db.reading() as conn:
        for ref in (str(advis), message_id, message_id.lower(), uuid(77), uuid(77).upper(), f" {advis} "):
            assert show_advis(conn, ref).id == advis
        for ref in ("", "999", "nope", "9" * 30, "-1", "٣"):
            with pytest.raises(NotFoundError, match="Intet advis"):
                show_advis(conn, ref)


def test_an_ambiguous_id_is_told_with_the_kommuner(db: Database) -> None:
    with db.writing() as tx:
        first = an_advis(tx, receivers=connect(tx), message_id="same")
        second = an_advis(tx, FRB, connect(tx, FRB), message_id="same")
        third = a_refused_advis(tx, message_id="same", addressee="5790000000999")
    with db.reading() as conn, pytest.raises(NotFoundError) as caught:
        show_advis(conn, "same")
    assert str(caught.value).splitlines()[1:] == [
        f"  {first}: Aarhus Kommune",
        f"  {second}: Frederiksberg Kommune",
        f"  {third}: 5790000000999",
    ]


def test_a_refused_advis_of_nobody_is_shown(db: Database) -> None:
    with db.writing() as tx:
        advis = a_refused_advis(tx, message_id=None, code=None, addressee="5790000000999")
    with db.reading() as conn:
        view = show_advis(conn, str(advis))
    assert (view.kommune, view.kommune_name, view.code_text, view.state) == (
        None,
        None,
        None,
        AdvisState.REFUSED,
    )
    assert view.receivers == ()


def test_the_trace_has_every_event_in_order_in_danish(db: Database) -> None:
    with db.writing() as tx:
        advis = an_advis(tx, receivers=connect(tx))
        about = {"advis_id": advis, "kommune_code": AARHUS}
        due = (NOON + 45 * MINUTE).isoformat()
        an_event(
            tx,
            EventKind.ADVIS_RECEIVED,
            **about,
            actor="Testhospital",
            hospital="Testhospital",
            envelope_id="e",
        )
        an_event(tx, EventKind.ADVIS_PUBLISHED, NOON + MINUTE, **about, besked_id="b", due=due)
        an_event(tx, EventKind.ADVIS_PUBLISHED, NOON + MINUTE, advis_id=advis + 1)
        late = (NOON + timedelta(hours=12)).isoformat()
        failed = {"attempts": 2, "error": "Disken er fuld", "next": late}
        an_event(tx, EventKind.PUBLICATION_FAILED, NOON, level=Level.WARNING, **about, **failed)
    with db.reading() as conn:
        lines = trace_advis(conn, str(advis))
    assert [line.sentence for line in lines] == [
        "Modtaget fra Testhospital i konvolut e; afventer kvittering fra –",
        "Beskedfordeleren har taget imod (StatusKode 20); BeskedId b, frist kl. 14:45:00",
        "Beskedfordeleren tog ikke imod (forsøg 2): Disken er fuld; nyt forsøg kl. 02:00:00 den 02.07.2026",
    ]
    assert [line.actor for line in lines] == ["Testhospital", "motor", "motor"]
    assert [line.level for line in lines] == [Level.INFO, Level.INFO, Level.WARNING]
    assert lines[0].local_time == "2026-07-01 14:00:00"
    assert plain(lines[0])["at"] == "2026-07-01T12:00:00.000Z"


def test_the_trace_of_nothing_is_an_error(db: Database) -> None:
    with db.reading() as conn, pytest.raises(NotFoundError):
        trace_advis(conn, "nope")


def test_danish_time_follows_summer_and_winter(monkeypatch: pytest.MonkeyPatch) -> None:
    winter = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert (local_text(winter), local_text(NOON)) == ("2026-01-01 13:00:00", "2026-07-01 14:00:00")
    assert from_local(datetime(2026, 7, 1, 14)) == NOON  # noqa: DTZ001 - as a person writes it
    monkeypatch.setattr(local_time, "_zone", lambda: UTC)
    assert clock_text(NOON, NOON) == "12:00:00 UTC"  # a machine without time zones labels what it shows


def plan(conn: Connection, wanted: AdvisFilter | str) -> str:
    """How the database would carry out the query for the adviser themselves."""
    steps: list[str] = []

    def explain(conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not steps and "FROM advis" in statement:
            rows = conn.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            steps.extend(row[3] for row in rows)

    event.listen(conn, "before_cursor_execute", explain)
    if isinstance(wanted, str):
        with pytest.raises(NotFoundError):
            show_advis(conn, wanted)
    else:
        list_advis(conn, wanted)
    event.remove(conn, "before_cursor_execute", explain)
    return "\n".join(steps)


@pytest.mark.sqlite_only
def test_lists_and_ids_use_indexes(db: Database) -> None:
    with db.reading() as conn:
        by_kommune = plan(conn, AdvisFilter(kommuner=[AARHUS], since=NOON))
        by_time = plan(conn, AdvisFilter(since=NOON))
        newest = plan(conn, AdvisFilter())
        by_id = plan(conn, "some-message")
        by_number = plan(conn, "4711")
    assert "ix_advis_kommune_code_received_at (kommune_code=? AND received_at>?)" in by_kommune
    assert "ix_advis_received_at (received_at>?)" in by_time
    assert "USING INDEX ix_advis_received_at" in newest
    for found_by_time in (by_kommune, by_time, newest):
        assert "TEMP B-TREE" not in found_by_time
        assert "SCAN advis\n" not in found_by_time + "\n"
    assert "ix_advis_message_id (message_id=?)" in by_id
    assert "besked_id=?" in by_id
    assert "SCAN" not in by_id
    assert "INTEGER PRIMARY KEY (rowid=?)" in by_number
