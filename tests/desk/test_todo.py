"""Kræver handling: what waits for a person, and for how long."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, update

from engine.desk.todo import Todo, TodoItem, TodoKind, mark_handled, todo
from engine.errors import NotFoundError, RuleError
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database, Tx
from tests.desk.builders import AARHUS, FRB, MINUTE, NOON, a_kvittering, an_act, an_advis, connect

HOUR = timedelta(hours=1)
SETTINGS = Settings()


@pytest.fixture
def receivers(db: Database) -> list[int]:
    with db.writing() as tx:
        return connect(tx)


def found(db: Database, **options: Any) -> Todo:
    with db.reading() as conn:
        return todo(conn, SETTINGS, options.pop("now", NOON), **options)


def only(db: Database, **options: Any) -> TodoItem:
    (item,) = found(db, **options).items
    return item


def put(db: Database, table: Any, **row: Any) -> int:
    with db.writing() as tx:
        key = tx.conn.execute(insert(table).values(**row)).inserted_primary_key
        assert key is not None
        return int(key[0]) if isinstance(key[0], int) else 0


def a_case(db: Database, receiver_id: int | None, **changes: Any) -> int:
    kind = "missing-kvittering" if receiver_id else "delayed-publication"
    row = {"kind": kind, "kommune_code": AARHUS, "receiver_id": receiver_id, "opened_at": NOON, "misses": 3}
    return put(db, tables.alarm_case, **(row | changes))


def done(db: Database, key: str, now: Any = NOON + HOUR) -> None:
    with db.writing() as tx:
        mark_handled(an_act(tx, now), SETTINGS, key, "Talt med dem")


# --- what waits -------------------------------------------------------------------------------------------------------


def test_a_quiet_night(db: Database, receivers: list[int]) -> None:
    assert found(db).items == ()
    assert set(found(db).counts.values()) == {0}
    assert set(found(db).counts) == set(TodoKind)


def test_a_case_names_vendor_and_contact_point_and_what_to_say(db: Database, receivers: list[int]) -> None:
    number = a_case(db, receivers[0])
    item = only(db)
    assert (item.key, item.since, item.kommune) == (f"sag:{number}", NOON, AARHUS)
    assert [(contact.role, contact.email) for contact in item.call] == [
        ("Leverandør", "drift@v.example"),
        ("Kontaktpunkt", "advis@k.example"),
    ]
    assert "System 1 har ikke kvitteret" in item.say
    assert item.command == f"sundhedsagent case show {number}"


def test_a_delayed_publication_leads_to_the_beskedfordeler(db: Database, receivers: list[int]) -> None:
    a_case(db, None)
    assert only(db).call[0].name == "KMD"


@pytest.mark.parametrize(
    "changes",
    [{"taken_by": "anna", "taken_at": NOON}, {"held_by": 1}, {"closed_at": NOON}],
    ids=["taken", "held", "closed"],
)
def test_a_case_that_somebody_or_something_sees_to_does_not_wait(
    db: Database, receivers: list[int], changes: dict[str, Any]
) -> None:
    put(db, tables.incident, **{**AN_INCIDENT, "state": "declared", "next_update_at": NOON + 9 * HOUR})
    a_case(db, receivers[0], **changes)
    assert found(db).items == ()


def test_what_a_vendor_has_planned_waits_once_the_window_is_over(db: Database, receivers: list[int]) -> None:
    put(
        db,
        tables.maintenance,
        receiver_id=receivers[0],
        from_at=NOON - HOUR,
        until_at=NOON + HOUR,
        reason="x",
        planned_at=NOON,
        planned_by="x",
    )
    a_case(db, receivers[0], quiet_misses=3)
    assert found(db).items == ()
    assert "Servicevinduet er forbi" in only(db, now=NOON + HOUR).what


def test_an_escalated_case_says_that_nobody_took_it(db: Database, receivers: list[int]) -> None:
    a_case(db, receivers[0], escalated_at=NOON)
    assert only(db).what.endswith("(ingen har taget den)")


AN_INCIDENT: dict[str, Any] = {
    "cause": "beskedfordeler",
    "state": "proposed",
    "title": "Beskedfordeleren",
    "basis": "Alt mislykkes",
    "began_at": NOON,
    "proposed_at": NOON,
    "proposed_by": "motor",
}


def test_a_proposal_and_an_update_that_is_near_wait(db: Database, receivers: list[int]) -> None:
    number = put(db, tables.incident, **AN_INCIDENT)
    assert (only(db).key, only(db).say) == (f"hændelse:{number}", "Alt mislykkes")
    with db.writing() as tx:
        incident = tables.incident
        tx.conn.execute(update(incident).values(state="declared", next_update_at=NOON + HOUR))
    assert found(db).items == ()
    assert "skal opdateres inden" in only(db, now=NOON + 51 * MINUTE).what


def test_a_manual_step_waits_with_its_text_also_when_the_incident_is_over(
    db: Database, receivers: list[int]
) -> None:
    number = put(db, tables.incident, **{**AN_INCIDENT, "state": "resolved", "resolved_at": NOON})
    put(
        db,
        tables.incident_step,
        incident_id=number,
        step="driftsvagt",
        target="driftsvagt",
        phase="investigating",
        title="Orientér driftsvagten",
        channel="manual",
        state="open",
        text="Til driftsvagten",
        due_at=NOON,
    )
    item = only(db)
    assert (item.key, item.say) == (f"trin:{number}:driftsvagt", "Til driftsvagten")
    assert item.command.endswith(f"incident step {number} driftsvagt")


def test_the_quarantine_waits_until_it_is_decided(db: Database) -> None:
    row = {"delivery_key": "k", "channel": "vans", "name": "a.xml", "quarantined_at": NOON, "detail": "x"}
    number = put(db, tables.quarantine, **row, reason="identity-conflict")
    assert only(db).key == f"karantæne:{number}"
    assert "forskellige borgere" in only(db).say
    with db.writing() as tx:
        tx.conn.execute(update(tables.quarantine).values(decision="discarded"))
    assert found(db).items == ()


def test_a_stall_waits(db: Database) -> None:
    put(db, tables.stall, name="mail", since=NOON, noticed_at=NOON, detail="12 mails venter")
    assert "12 mails venter" in only(db).what


def test_the_oldest_is_first(db: Database, receivers: list[int]) -> None:
    a_case(db, receivers[0], opened_at=NOON + 2 * MINUTE)
    a_case(db, receivers[1], opened_at=NOON)
    put(db, tables.stall, name="mail", since=NOON + MINUTE, noticed_at=NOON, detail="x")
    assert [item.since for item in found(db).items] == [NOON, NOON + MINUTE, NOON + 2 * MINUTE]


def test_more_than_a_page_are_counted_in_full(db: Database, receivers: list[int]) -> None:
    with db.writing() as tx:
        for number in range(600):
            row = {"name": f"s{number}", "since": NOON, "noticed_at": NOON, "detail": "x"}
            tx.insert(tables.stall, [row])
    assert found(db).counts[TodoKind.STALL] == 600
    assert len(found(db).items) == 500


def test_a_kommune_sees_its_own_alone(db: Database, receivers: list[int]) -> None:
    a_case(db, receivers[0])
    put(db, tables.stall, name="mail", since=NOON, noticed_at=NOON, detail="x")
    assert [item.kind for item in found(db, only=[AARHUS]).items] == [TodoKind.CASE]
    assert found(db, only=[FRB]).items == ()


# --- what a person says is done ---------------------------------------------------------------------------------------


def a_negative(db: Database, receivers: list[int], state: str = "fatal-error") -> int:
    with db.writing() as tx:
        advis_id = an_advis(tx, receivers=receivers, states=[state, "ok"])
        settle(tx, advis_id, NOON)
        return advis_id


def settle(tx: Tx, advis_id: int, at: Any) -> None:
    expected = tables.expected_kvittering
    tx.conn.execute(update(expected).where(expected.c.advis_id == advis_id).values(settled_at=at))


def test_a_negative_kvittering_waits_until_somebody_has_seen_to_it(
    db: Database, receivers: list[int]
) -> None:
    advis_id = a_negative(db, receivers)
    item = only(db)
    assert item.key == f"negativ:{advis_id}:{receivers[0]}"
    assert "svaret er sendt til sygehuset" in item.what
    done(db, item.key)
    assert found(db, now=NOON + 2 * HOUR).items == ()
    with db.reading() as conn:
        kinds = [row.kind for row in conn.execute(tables.event.select()) if row.advis_id == advis_id]
        actions = [row.action for row in conn.execute(tables.audit.select())]
    assert kinds == ["handled"]
    assert actions[-1] == "handled"


def test_the_same_receivers_next_negative_waits_anew(db: Database, receivers: list[int]) -> None:
    advis_id = a_negative(db, receivers, "transient-error")
    done(db, only(db).key)
    with db.writing() as tx:
        settle(tx, advis_id, NOON + 3 * HOUR)
    assert only(db, now=NOON + 4 * HOUR).since == NOON + 3 * HOUR


def test_an_unmatched_kvittering_waits_until_somebody_has_seen_to_it(
    db: Database, receivers: list[int]
) -> None:
    with db.writing() as tx:
        a_kvittering(tx, disposition="unmatched", reason="Intet advis", kommune_code=AARHUS)
    item = only(db)
    assert item.kind is TodoKind.UNMATCHED
    assert "Intet advis" in item.what
    done(db, item.key)
    assert found(db).items == ()


def test_a_refused_mail_waits_and_may_be_let_go(db: Database, receivers: list[int]) -> None:
    row = {"order_key": "a", "message_id": "a", "kind": "case-opened", "address": "x@x.example"}
    more = {"kommune_code": AARHUS, "subject": "s", "text": "t", "html": "h", "ordered_at": NOON}
    put(db, tables.mail, **row, **more, refused_at=NOON, last_error="550 findes ikke")
    assert only(db).call[0].email == "advis@k.example"
    done(db, only(db).key)
    assert found(db).items == ()


@pytest.mark.parametrize("key", ["sag:1", "stilstand:mail"])
def test_what_ends_by_itself_is_not_said_to_be_done(db: Database, receivers: list[int], key: str) -> None:
    a_case(db, receivers[0])
    put(db, tables.stall, name="mail", since=NOON, noticed_at=NOON, detail="x")
    with pytest.raises(RuleError, match="sundhedsagent"):
        done(db, key)


@pytest.mark.parametrize("key", ["negativ:9:9", "uafklaret:9", "noget:1", "negativ"])
def test_what_does_not_wait_cannot_be_done(db: Database, key: str) -> None:
    with pytest.raises(NotFoundError, match="står ikke i listen"):
        done(db, key)


def test_a_note_with_a_cpr_number_is_refused(db: Database, receivers: list[int]) -> None:
    a_negative(db, receivers)
    with db.writing() as tx, pytest.raises(RuleError, match="CPR"):
        mark_handled(an_act(tx), SETTINGS, only(db).key, "borger 0101901234")


# --- how quick it is --------------------------------------------------------------------------------------------------


@pytest.fixture
def queries(db: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def keep(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", keep)
    yield seen
    event.remove(db.engine, "before_cursor_execute", keep)


@pytest.mark.sqlite_only
def test_the_big_tables_are_read_by_their_indexes(
    db: Database, receivers: list[int], queries: list[str], tmp_path: Path
) -> None:
    a_negative(db, receivers)
    with db.writing() as tx:
        a_kvittering(tx, disposition="unmatched", reason="Intet advis", kommune_code=AARHUS)
    queries.clear()
    found(db)
    big = {"advis", "publication", "expected_kvittering", "kvittering", "event", "quarantine", "mail"}
    looked = [query for query in queries if query.startswith("SELECT")]
    assert len(looked) >= len(TodoKind)
    with db.reading() as conn:
        for query in looked:
            plan = conn.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {query}", tuple(0 for _ in range(query.count("?")))
            )
            steps = [row[3] for row in plan if row[3].startswith("SCAN")]
            assert [step for step in steps if step.split()[1] in big and "USING" not in step] == [], query
