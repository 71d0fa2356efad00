"""The audit log as people read it, and what its chain proves."""

from datetime import timedelta

from engine.desk.audit import AuditFilter, list_audit, told, verify_audit
from engine.desk.facts import GivenFacts
from engine.desk.kommuner import set_contact
from engine.desk.receivers import edit_receiver
from engine.desk.switchovers import PlanSwitchover, cancel_switchover, change_switchover, plan_switchover
from engine.domain.audit import Action
from engine.store.database import Database
from tests.desk.builders import AARHUS, FRB, NOON, an_act, connect, uuid

DAY = timedelta(days=1)


def changes(db: Database, action: Action) -> list[list[str]]:
    with db.reading() as conn:
        return [told(entry) for entry in list_audit(conn, AuditFilter(action=action))]


def test_a_change_is_told_field_by_field_in_danish(db: Database) -> None:
    with db.writing() as tx:
        connect(tx)
        set_contact(an_act(tx), AARHUS, email="ny@k.example", note="SMS")
        set_contact(an_act(tx), AARHUS, note="")
        edit_receiver(
            an_act(tx),
            AARHUS,
            uuid(2),
            GivenFacts(agreement="anmodet", overview=True, overview_emails="a@b.dk,c@d.dk"),
        )
    assert changes(db, Action.CONTACT_CHANGED) == [
        ["andre kanaler: SMS"],
        ["kontaktpunkt: advis@k.example → ny@k.example", "andre kanaler: SMS"],
    ]
    assert changes(db, Action.RECEIVER_CHANGED) == [
        [
            "serviceaftale: kladde → anmodet",
            "serviceaftale datoer: anmodet 2026-07-01",
            "kvitteringsoverblik: nej → ja",
            "kvitteringsoverblik e-mails: a@b.dk, c@d.dk",
        ]
    ]


def test_moments_and_states_are_danish_too(db: Database) -> None:
    order = PlanSwitchover(
        code=AARHUS,
        old_name="System 1",
        old_uuid=uuid(1),
        new_name="System 2",
        new_uuid=uuid(2),
        at=NOON + DAY,
    )
    with db.writing() as tx:
        connect(tx)
        number = plan_switchover(an_act(tx), order).id
        change_switchover(an_act(tx), number, NOON + 2 * DAY)
        cancel_switchover(an_act(tx), number)
    assert changes(db, Action.SWITCHOVER_CHANGED) == [["tidspunkt: 2.7.2026 kl. 14:00 → 3.7.2026 kl. 14:00"]]
    assert changes(db, Action.SWITCHOVER_CANCELLED) == [["tilstand: planlagt → annulleret"]]


def test_the_log_is_filtered_and_the_newest_comes_first(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, others=0)
        connect(tx, FRB, others=0)
        set_contact(an_act(tx, NOON + DAY, "kaj"), FRB, note="SMS")
    with db.reading() as conn:

        def found(**wanted: object) -> list[tuple[str, str | None]]:
            entries = list_audit(conn, AuditFilter(**wanted))  # type: ignore[arg-type]
            return [(entry.action.value, entry.kommune_code) for entry in entries]

        assert found(actor="kaj") == [("contact-changed", FRB)]
        assert found(since=NOON + DAY) == found(limit=1) == found(actor="kaj")
        assert {code for _, code in found(kommune_code=AARHUS)} == {AARHUS}
        assert ("contact-changed", FRB) not in found(until=NOON + DAY)


def test_what_was_deleted_after_its_time_is_said_and_the_rest_proved(db: Database) -> None:
    with db.writing() as tx:
        connect(tx)
    with db.reading() as conn:
        whole = verify_audit(conn)
    assert (whole.is_whole, whole.first_id) == (True, 1)
    with db.writing() as tx:
        tx.conn.exec_driver_sql("DELETE FROM audit WHERE id = 1")
        tx.conn.exec_driver_sql("DELETE FROM audit WHERE id = 2")
    with db.reading() as conn:
        rest = verify_audit(conn, whole.head)
        assert (rest.is_whole, rest.first_id, rest.entries) == (True, 3, whole.entries - 2)
        assert not verify_audit(conn, "0" * 64).is_whole


def test_an_empty_log_is_whole(db: Database) -> None:
    with db.reading() as conn:
        found = verify_audit(conn)
    assert (found.is_whole, found.entries, found.first_id) == (True, 0, None)
