"""What the use cases of the desk do to checklists: they begin them, go on with them, and tick off what they know."""

import pytest

from engine.desk.facts import GivenFacts
from engine.desk.kommuner import set_contact
from engine.desk.procedures import (
    ProcedureView,
    fulfil,
    go_on,
    list_procedures,
    set_step,
    show_procedure,
    start_procedure,
)
from engine.desk.receivers import add_receiver, edit_receiver, remove_receiver
from engine.desk.switchovers import PlanSwitchover, cancel_switchover, plan_switchover
from engine.desk.typed import KOMMUNE_ROW, TypedField, type_field
from engine.domain.procedure import StepState
from engine.errors import RuleError
from engine.settings import Settings
from engine.store.database import Database, Tx
from tests.desk.builders import AARHUS, FRB, NOON, a_receiver, an_act, connect, uuid


def view(tx: Tx, number: int) -> ProcedureView:
    return show_procedure(tx.conn, number, Settings())


def done(tx: Tx, number: int) -> list[str]:
    return [step.key for step in view(tx, number).steps if step.state is StepState.DONE]


def test_adding_ticks_off_what_the_registry_knows(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, others=0)
        added = add_receiver(an_act(tx), AARHUS, a_receiver(2))
        assert added.procedure_id is not None
        assert done(tx, added.procedure_id) == ["data", "registered", "added"]
        edit_receiver(an_act(tx), AARHUS, uuid(2), GivenFacts(agreement="anmodet", certification="anmodet"))
        assert set(done(tx, added.procedure_id)) == {
            *("data", "registered", "added", "agreement-requested", "certification")
        }
        edit_receiver(an_act(tx), AARHUS, uuid(2), GivenFacts(agreement="godkendt", overview=True))
        assert {"agreement-approved", "overview"} <= set(done(tx, added.procedure_id))


def test_what_a_person_has_set_is_not_touched(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, others=0)
        number = add_receiver(an_act(tx), AARHUS, a_receiver(2)).procedure_id or 0
        set_step(an_act(tx), number, "certification", state=StepState.SKIPPED, note="gammelt system")
        edit_receiver(an_act(tx), AARHUS, uuid(2), GivenFacts(certification="certificeret"))
        step = next(step for step in view(tx, number).steps if step.key == "certification")
    assert (step.state, step.note, step.person) == (StepState.SKIPPED, "gammelt system", "mette")


def test_facts_of_one_system_tick_off_nothing_of_another(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, others=0)
        first = add_receiver(an_act(tx), AARHUS, a_receiver(2)).procedure_id or 0
        add_receiver(an_act(tx), AARHUS, a_receiver(3, agreement="godkendt"))
        assert "agreement-approved" not in done(tx, first)


def test_a_switchover_ticks_itself_off_and_one_that_is_cancelled_closes_its_list(db: Database) -> None:
    order = PlanSwitchover(
        code=AARHUS, old_name="System 1", old_uuid=uuid(1), new_name="System 2", new_uuid=uuid(2), at=None
    )
    later = PlanSwitchover(
        code=AARHUS,
        old_name="System 2",
        old_uuid=uuid(2),
        new_name="System 1",
        new_uuid=uuid(1),
        at=NOON.replace(year=2027),
    )
    with db.writing() as tx:
        connect(tx)
        plan_switchover(an_act(tx), order)
        line, *_ = list_procedures(tx.conn)
        assert (line.kind, done(tx, line.id)) == ("3.3", ["planned", "carried-out"])
        cancel_switchover(an_act(tx), plan_switchover(an_act(tx), later).id)
        line, *_ = list_procedures(tx.conn)
        assert (line.finished, line.total, line.next_step) == (5, 5, None)
        assert line.id not in {item.id for item in list_procedures(tx.conn, open_only=True)}


def test_the_contact_points_list_knows_its_administrator(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, others=0)
        line, *_ = list_procedures(tx.conn)
        fulfil(an_act(tx), AARHUS, "administrator-named")
        assert (line.kind, done(tx, line.id)) == ("4", ["administrator"])
        set_contact(an_act(tx), AARHUS, email="ny@k.example")
        assert [item.subject for item in list_procedures(tx.conn)] == [
            "Kontaktpunkt ny@k.example",
            "Kontaktpunkt advis@k.example",
        ]


def test_a_list_that_was_begun_earlier_goes_on(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, others=0)
        connect(tx, FRB, others=0)
        number = start_procedure(an_act(tx), AARHUS, "3.1", subject="Nyt system")
        removal = start_procedure(an_act(tx), AARHUS, "3.2", subject="Gammelt system")
        foreign = start_procedure(an_act(tx), FRB, "3.1", subject="Nyt system")
        for wrong, told in (
            (removal, "er for 3.2"),
            (foreign, "har ingen tjekliste"),
            (99, "har ingen tjekliste"),
        ):
            with pytest.raises(RuleError, match=told):
                go_on(an_act(tx), AARHUS, "3.1", wrong, subject="x", receiver_id=1)
        added = add_receiver(an_act(tx), AARHUS, a_receiver(2), procedure_id=number)
        assert (added.procedure_id, "registered" in done(tx, number)) == (number, True)
        with pytest.raises(RuleError, match="hører allerede til"):
            add_receiver(an_act(tx), AARHUS, a_receiver(3), procedure_id=number)


def test_texts_say_what_is_known_and_what_is_missing(db: Database) -> None:
    with db.writing() as tx:
        connect(tx)
        number = start_procedure(an_act(tx), AARHUS, "3.1", subject="Nyt system")
        text = view(tx, number).texts["agreement-requested"]
        assert text.address is None
        assert "Nyt system ([mangler: systemets UUID])" in text.body
        type_field(an_act(tx), AARHUS, KOMMUNE_ROW, TypedField.ADMINISTRATOR, "Kaj Krog")
        add_receiver(an_act(tx), AARHUS, a_receiver(3), procedure_id=number)
        text = view(tx, number).texts["agreement-requested"]
        assert (text.address, f"System 3 ({uuid(3)})" in text.body) == ("drift@v.example", True)
        assert "Kaj Krog, Aarhus Kommune" in text.body
        removal = remove_receiver(an_act(tx), AARHUS, name="System 2", uuid=uuid(2)).procedure_id
        assert "System 2" in view(tx, removal).texts["agreement-closed"].body
