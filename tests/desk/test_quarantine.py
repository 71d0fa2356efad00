"""The quarantine: looked at, handed in again, discarded. Whatever fails on the way, nothing of it is lost."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from engine.desk.quarantine import (
    Quarantined,
    clear_file,
    discard_quarantined,
    file_of,
    list_quarantine,
    retry_quarantined,
    show_quarantined,
)
from engine.domain.intake import QuarantineDecision, QuarantineReason
from engine.errors import NotFoundError, PayloadError, RuleError
from engine.flow.handed_in import waiting
from engine.home import Home, payload_key
from engine.settings import Settings, VansSettings
from engine.store import tables
from engine.store.database import Database
from engine.store.payloads import PayloadBox
from tests.desk.builders import MINUTE, NOON, an_act

CONTENT = b"<ikke en konvolut>"
SETTINGS = Settings(vans=VansSettings(max_envelope_bytes=10_000))

Put = Callable[..., int]


@pytest.fixture
def box(new_home: Home) -> PayloadBox:
    return PayloadBox(payload_key(new_home))


@pytest.fixture
def put(db: Database, new_home: Home, box: PayloadBox) -> Put:
    """Something in quarantine, as taking.py leaves it: the row, the content sealed, the file and its note."""

    def put(*, kept: bool = True, file: bytes | None = CONTENT, **changes: Any) -> int:
        name = changes.setdefault("name", "forkert.xml")
        channel = changes.setdefault("channel", "vans")
        row = {
            "delivery_key": f"{channel}/{name}",
            "quarantined_at": NOON,
            "reason": QuarantineReason.NOT_AN_ENVELOPE.value,
            "detail": "Linje 1",
        }
        with db.writing() as tx:
            if kept:
                row["payload_id"] = tx.next_id("payload")
                tx.insert(tables.payload, [{"id": row["payload_id"], "sealed": box.seal(CONTENT)}])
            key = tx.conn.execute(insert(tables.quarantine).values(row | changes)).inserted_primary_key
        assert key is not None
        folder = new_home.vans_quarantine if channel == "vans" else new_home.beskedfordeler_quarantine
        if file is not None:
            (folder / name).write_bytes(file)
            (folder / f"{name}.reason.json").write_text("{}")
        return int(key[0])

    return put


def item(db: Database, number: int) -> Quarantined:
    with db.reading() as conn:
        return show_quarantined(conn, number)


def retry(db: Database, home: Home, box: PayloadBox, number: int, reason: str = "") -> None:
    with db.writing() as tx:
        retry_quarantined(an_act(tx, NOON + MINUTE, "anna"), home, SETTINGS, box, number, reason)


def handed_in(db: Database, box: PayloadBox, channel: str = "vans") -> list[bytes | None]:
    """What an engine finds."""
    with db.reading() as conn:
        return [delivery.data for delivery in waiting(conn, box, channel)]


def discard(db: Database, number: int, reason: str = "En test") -> Quarantined:
    with db.writing() as tx:
        return discard_quarantined(an_act(tx, NOON + MINUTE, "anna"), number, reason)


def recorded(db: Database, table: Any) -> list[Any]:
    with db.reading() as conn:
        return list(conn.execute(select(table)))


# --- looking ----------------------------------------------------------------------------------------------------------


def test_what_waits_comes_oldest_first_and_all_of_it_latest_first(db: Database, put: Put) -> None:
    late, early = put(quarantined_at=NOON + MINUTE), put(name="b.xml")
    discard(db, put(name="c.xml"))
    with db.reading() as conn:
        assert [each.id for each in list_quarantine(conn)] == [early, late]
        assert [each.id for each in list_quarantine(conn, every=True)] == [3, early, late]
        assert [each.id for each in list_quarantine(conn, limit=1)] == [early]


def test_the_sender_is_told_where_the_envelope_could_be_read(db: Database, put: Put) -> None:
    with db.writing() as tx:
        number = tx.next_id("envelope_in")
        values = {
            "id": number,
            "delivery_key": "x",
            "envelope_id": "e",
            "message_id": "m",
            "sender_type": "EAN",
            "sender_id": "5790001111111",
            "receiver_type": "EAN",
            "receiver_id": "5790000000000",
            "received_at": NOON,
            "document_name": "x",
            "outcome": "rejected",
        }
        tx.conn.execute(insert(tables.envelope_in).values(values))
    assert item(db, put(envelope_in_id=number)).sender == "EAN 5790001111111"
    assert item(db, put(name="b.xml")).sender is None


def test_a_number_that_there_is_not(db: Database) -> None:
    with pytest.raises(NotFoundError, match="intet nummer 7"):
        item(db, 7)


# --- handed in again --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("channel", "other"), [("vans", "beskedfordeler"), ("beskedfordeler", "vans")])
def test_it_waits_for_an_engine_in_the_channel_that_it_came_by(
    db: Database, new_home: Home, box: PayloadBox, put: Put, channel: str, other: str
) -> None:
    number = put(channel=channel)
    retry(db, new_home, box, number, "Rettet hos leverandøren")
    assert handed_in(db, box, channel) == [CONTENT]
    assert handed_in(db, box, other) == []
    assert item(db, number).decision is QuarantineDecision.RETRIED
    assert (item(db, number).decided_by, item(db, number).decided_at) == ("anna", NOON + MINUTE)
    (event,) = recorded(db, tables.event)
    assert (event.kind, event.actor) == ("quarantine-retried", "anna")
    assert "Rettet hos leverandøren" in event.data
    (entry,) = recorded(db, tables.audit)
    assert (entry.action, entry.subject) == ("quarantine-retried", f"quarantine:{number}")
    assert entry.reason == "Rettet hos leverandøren"


def test_what_was_sealed_counts_and_not_what_the_file_says_now(
    db: Database, new_home: Home, box: PayloadBox, put: Put
) -> None:
    retry(db, new_home, box, put(file=b"rettet i haanden"))
    retry(db, new_home, box, put(name="b.xml", file=None))
    assert handed_in(db, box) == [CONTENT, CONTENT]


def test_what_is_in_its_file_alone_comes_from_there(
    db: Database, new_home: Home, box: PayloadBox, put: Put
) -> None:
    retry(db, new_home, box, put(kept=False, file=b"stor"))
    assert handed_in(db, box) == [b"stor"]
    gone = put(kept=False, file=None, name="b.xml")
    with pytest.raises(RuleError, match="Indholdet er der ikke længere"):
        retry(db, new_home, box, gone)
    assert item(db, gone).decision is None


def test_what_is_larger_than_the_setting_still_is_not_handed_in(
    db: Database, new_home: Home, box: PayloadBox, put: Put
) -> None:
    number = put(kept=False, file=b"x" * (SETTINGS.vans.max_envelope_bytes + 1))
    with pytest.raises(
        RuleError, match=r"fylder 10001 byte, og vans\.max_envelope_bytes er 10000\. Hæv grænsen"
    ):
        retry(db, new_home, box, number)
    assert item(db, number).decision is None
    assert file_of(new_home, item(db, number)).exists()


def test_what_another_key_sealed_is_told_to_who_decides(
    db: Database, new_home: Home, box: PayloadBox, put: Put
) -> None:
    number, other = put(), PayloadBox(bytes(32))
    with pytest.raises(PayloadError, match="forkert nøgle"):
        retry(db, new_home, other, number)
    assert item(db, number).decision is None
    assert recorded(db, tables.event) == recorded(db, tables.audit) == []
    # Damaged afterwards it does not stop what came with it.
    for each in (number, put(name="b.xml")):
        retry(db, new_home, box, each)
    with db.writing() as tx:
        tx.conn.execute(
            update(tables.payload).where(tables.payload.c.id == 1).values(sealed=b"\x01" + bytes(40))
        )
    assert handed_in(db, box) == [CONTENT]


def test_a_crash_before_the_commit_leaves_it_waiting_for_a_person(
    db: Database, new_home: Home, box: PayloadBox, put: Put
) -> None:
    number = put(kept=False)

    def crashing() -> None:
        with db.writing() as tx:
            retry_quarantined(an_act(tx), new_home, SETTINGS, box, number)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crashing()
    assert item(db, number).decision is None
    assert not item(db, number).is_kept
    assert file_of(new_home, item(db, number)).exists()
    assert handed_in(db, box) == []
    retry(db, new_home, box, number)
    assert handed_in(db, box) == [CONTENT]


# --- decided once -----------------------------------------------------------------------------------------------------


def test_what_is_decided_is_not_decided_again(
    db: Database, new_home: Home, box: PayloadBox, put: Put
) -> None:
    one, other = put(), put(name="b.xml")
    retry(db, new_home, box, one)
    discard(db, other)
    for number, what in ((one, "prøvet igen"), (other, "kasseret")):
        with pytest.raises(
            RuleError, match=f"Nummer {number} er allerede {what} af anna 2026-07-01 14:01:00"
        ):
            discard(db, number)
        with pytest.raises(
            RuleError, match=f"Nummer {number} er allerede {what} af anna 2026-07-01 14:01:00"
        ):
            retry(db, new_home, box, number)
    assert handed_in(db, box) == [CONTENT]


def test_discarding_needs_a_reason_that_tells_of_nobody(db: Database, put: Put) -> None:
    number = put()
    for reason, refused in ((" ", "Skriv begrundelsen"), ("Om 250947-9989", "CPR-nummer")):
        with pytest.raises(RuleError, match=refused):
            discard(db, number, reason)
    assert discard(db, number).decision_reason == "En test"
    (event,) = recorded(db, tables.event)
    (entry,) = recorded(db, tables.audit)
    assert event.kind == entry.action == "quarantine-discarded"
    assert entry.reason == "En test"


def test_a_remark_on_a_retry_tells_of_nobody_either(
    db: Database, new_home: Home, box: PayloadBox, put: Put
) -> None:
    with pytest.raises(RuleError, match="CPR-nummer"):
        retry(db, new_home, box, put(), "Om 250947-9989")
    assert handed_in(db, box) == []


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_goes_with_its_note_where_its_content_is_sealed(
    db: Database, new_home: Home, put: Put
) -> None:
    clear_file(new_home, discard(db, put()))
    assert list(new_home.vans_quarantine.iterdir()) == []
    clear_file(new_home, item(db, 1))  # twice is once


def test_the_only_one_there_is_stays_when_it_is_discarded(db: Database, new_home: Home, put: Put) -> None:
    clear_file(new_home, discard(db, put(kept=False)))
    assert (new_home.vans_quarantine / "forkert.xml").exists()


def test_what_is_handed_in_again_is_not_left_behind(
    db: Database, new_home: Home, box: PayloadBox, put: Put
) -> None:
    number = put(kept=False)
    retry(db, new_home, box, number)
    clear_file(new_home, item(db, number))
    assert list(new_home.vans_quarantine.iterdir()) == []
    assert handed_in(db, box) == [CONTENT]
