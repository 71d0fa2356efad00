from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from string import Formatter
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from engine.desk.act import Act
from engine.desk.audit import AuditFilter, list_audit
from engine.desk.procedure_texts import MISSING
from engine.desk.procedures import (
    ProcedureView,
    StepLine,
    fulfil,
    give_up,
    go_on,
    kommune_of_procedure,
    list_procedures,
    procedures,
    set_step,
    show_procedure,
    start_procedure,
)
from engine.domain.audit import Action
from engine.domain.procedure import StepState
from engine.errors import NotFoundError, OutdatedError, RuleError
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LATE = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)  # past midnight in Denmark
AARHUS, FRB = "0751", "0147"
CURA, NEXUS, NOTED, SWITCH = 1, 2, 1, 1  # a noted system may have a receiver's number
DONE, OPEN, SKIPPED = StepState.DONE, StepState.OPEN, StepState.SKIPPED
OF_31 = [step.key for step in procedures()["3.1"].steps]


def system(row_id: int, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": row_id,
        "kommune_code": AARHUS,
        "system_uuid": f"3f0c2f6e-8f5b-4f0e-9c55-0d4b7f3a1c{row_id:02}",
        "name": name,
        "vendor": f"{name}-huset",
        "vendor_email": f"drift@{name.lower()}.example",
        "area": "Sundhed og omsorg",
        "agreed_by": "Ole Ost",
    } | changes


@pytest.fixture
def aarhus(db: Database) -> Database:
    """Aarhus with Cura as primary, Nexus beside it and to take over, and Sensum, which does not acknowledge."""
    with db.writing() as tx:
        cura, nexus = system(CURA, "Cura"), system(NEXUS, "Nexus")
        tx.insert(tables.receiver, [row | {"added_at": NOW} for row in (cura, nexus)])
        row = {"primary_receiver_id": CURA, "contact_email": "advis@aarhus.example", "connected_at": NOW}
        tx.insert(tables.connection, [{"kommune_code": AARHUS} | row])
        tx.insert(
            tables.noted_receiver,
            [system(NOTED, "Sensum", noted_at=NOW, system_uuid=f"{'0' * 8}-0000-4000-8000-{'0' * 12}")],
        )
        plan = {"from_receiver_id": CURA, "to_receiver_id": NEXUS, "at": NOW + timedelta(days=1)}
        stamp = {"state": "planned", "planned_at": NOW, "planned_by": "mette"}
        tx.insert(tables.switchover, [{"id": SWITCH, "kommune_code": AARHUS} | plan | stamp])
        # Others of the same numbers, so that none is taken for another.
        other = system(NOTED + 1, "Tavlen", noted_at=NOW, system_uuid=None)
        tx.insert(tables.noted_receiver, [other])
        for number in (NEXUS, 9):
            cancelled = plan | stamp | {"state": "cancelled"}
            tx.insert(tables.switchover, [{"id": number, "kommune_code": AARHUS} | cancelled])
        typed = {
            "kommune_code": AARHUS,
            "sheet_row": "kommune",
            "field": "administrator",
            "value": "Kaj Krog",
        }
        tx.insert(tables.typed_field, [typed | {"typed_at": NOW, "typed_by": "mette"}])
    return db


@contextmanager
def acting(db: Database, now: datetime = NOW, actor: str = "mette") -> Iterator[Act]:
    with db.writing() as tx:
        yield Act(tx, now, actor)


def started(
    db: Database, kind: str = "3.1", kommune: str = AARHUS, subject: str = "Nexus", **ids: int
) -> int:
    with acting(db) as act:
        return start_procedure(act, kommune, kind, subject=subject, **ids)


def shown(db: Database, number: int) -> ProcedureView:
    with db.reading() as conn:
        return show_procedure(conn, number, Settings())


def step_of(db: Database, number: int, key: str) -> StepLine:
    return next(step for step in shown(db, number).steps if step.key == key)


def finished(db: Database, number: int) -> list[str]:
    """Read from the rows themselves: a test may point a checklist at what is not there."""
    table = tables.procedure_step
    query = select(table.c.step).where(table.c.procedure_id == number, table.c.state != OPEN.value)
    with db.reading() as conn:
        found = set(conn.execute(query).scalars())
        kind = conn.execute(
            select(tables.procedure.c.kind).where(tables.procedure.c.id == number)
        ).scalar_one()
    return [step.key for step in procedures()[kind].steps if step.key in found]


def audited(db: Database, action: Action) -> list[tuple[Any, ...]]:
    with db.reading() as conn:
        entries = list_audit(conn, AuditFilter(action=action))
    return [(entry.actor, entry.subject, entry.kommune_code, entry.before, entry.after) for entry in entries]


@contextmanager
def statements(db: Database) -> Iterator[list[str]]:
    """The statements that the database is asked in the block."""
    asked: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield asked
    event.remove(db.engine, "before_cursor_execute", note)


# --- beginning ---------------------------------------------------------------------------------------------------


def test_the_procedures_are_read_once() -> None:
    assert list(procedures()) == ["connect", "3.1", "3.2", "3.3", "3.4", "3.5", "4"]
    assert procedures() is procedures()


def test_a_checklist_begins_open_and_is_audited(aarhus: Database) -> None:
    number = started(aarhus, subject=" Nexus ", receiver_id=NEXUS)
    view = shown(aarhus, number)
    line = view.line
    assert (line.id, line.kommune, line.kommune_name, line.kind) == (number, AARHUS, "Aarhus Kommune", "3.1")
    assert (line.title, line.subject) == ("Tilføj et kvitterende modtagersystem", "Nexus")
    assert (line.started_at, line.started_by) == (NOW, "mette")
    assert (line.finished, line.total, line.next_step) == (0, 10, view.steps[0].title)
    assert view.steps[0] == StepLine(
        "agreed",
        "Aftalt med forvaltningsområdet, og lovhjemlen bekræftet",
        "Sundhedsagentadministrator",
        OPEN,
        None,
        None,
        "",
        None,
        None,
        0,
    )
    assert audited(aarhus, Action.PROCEDURE_STARTED) == [
        (
            "mette",
            f"procedure:{number}",
            AARHUS,
            None,
            {
                "kommune_code": AARHUS,
                "kind": "3.1",
                "subject": "Nexus",
                "receiver_id": NEXUS,
                "noted_receiver_id": None,
                "switchover_id": None,
            },
        )
    ]


@pytest.mark.parametrize("kind", ["3.6", "", "connect"])
def test_only_what_has_steps_can_be_begun(aarhus: Database, kind: str) -> None:
    with pytest.raises(RuleError, match=r"ingen tjekliste for .+; der er 3\.1, 3\.2, 3\.3, 3\.4, 3\.5, 4\."):
        started(aarhus, kind)


def test_a_checklist_is_about_something(aarhus: Database) -> None:
    with pytest.raises(RuleError, match="Angiv hvad det handler om"):
        started(aarhus, subject="  ")


# --- a checklist begun before its system was registered ------------------------------------------------------------


def continued(db: Database, number: int | None, kommune: str = AARHUS, kind: str = "3.1", **ids: int) -> int:
    with acting(db) as act:
        return go_on(act, kommune, kind, number, subject="Nexus", **(ids or {"receiver_id": NEXUS}))


def test_a_checklist_begun_earlier_goes_on_with_its_system(aarhus: Database) -> None:
    number = started(aarhus)
    assert continued(aarhus, number) == number
    with acting(aarhus) as act:
        fulfil(act, AARHUS, "added", receiver_id=NEXUS)
    assert finished(aarhus, number) == ["added"]


def test_without_one_a_new_one_is_begun(aarhus: Database) -> None:
    first = started(aarhus)
    number = continued(aarhus, None)
    assert number != first
    with acting(aarhus) as act:
        fulfil(act, AARHUS, "added", receiver_id=NEXUS)
    assert (finished(aarhus, first), finished(aarhus, number)) == ([], ["added"])


def test_only_the_kommunes_own_free_checklist_of_that_kind_goes_on(aarhus: Database) -> None:
    with pytest.raises(RuleError, match="Kommunen har ingen tjekliste 99"):
        continued(aarhus, 99)
    with pytest.raises(RuleError, match="Kommunen har ingen tjekliste"):
        continued(aarhus, started(aarhus, kommune=FRB))
    with pytest.raises(RuleError, match=r"er for 3\.2, ikke for 3\.1"):
        continued(aarhus, started(aarhus, "3.2"))
    with pytest.raises(RuleError, match="hører allerede til et system"):
        continued(aarhus, started(aarhus, receiver_id=CURA))
    taken = started(aarhus, "3.3", switchover_id=SWITCH)
    with pytest.raises(RuleError, match="hører allerede til et system eller en omlægning"):
        continued(aarhus, taken, kind="3.3", switchover_id=SWITCH)


# --- what the registry reports --------------------------------------------------------------------------------------


def test_a_fact_sets_its_step_by_itself(aarhus: Database) -> None:
    number = started(aarhus, receiver_id=NEXUS)
    with acting(aarhus, LATE, "anna") as act:
        fulfil(act, AARHUS, "registered", receiver_id=NEXUS)
    step = step_of(aarhus, number, "registered")
    assert (step.state, step.person, step.on, step.note) == (DONE, "anna", date(2026, 11, 24), "")
    assert (step.set_at, step.set_by, step.version) == (LATE, "anna", 1)
    assert finished(aarhus, number) == ["registered"]
    after = {"step": "registered", "state": "done", "person": "anna", "on_date": "2026-11-24", "note": ""}
    assert audited(aarhus, Action.STEP_SET) == [
        ("anna", f"procedure:{number}:registered", AARHUS, None, after)
    ]


def test_one_fact_can_set_two_steps_and_two_facts_one(aarhus: Database) -> None:
    number = started(aarhus, receiver_id=NEXUS)
    with acting(aarhus) as act:
        fulfil(act, AARHUS, "agreement-anmodet", "agreement-godkendt", receiver_id=NEXUS)
        fulfil(act, AARHUS, "certification-certificeret", receiver_id=NEXUS)
    assert finished(aarhus, number) == ["certification", "agreement-requested", "agreement-approved"]


def test_a_fact_reaches_every_checklist_of_that_very_object(aarhus: Database) -> None:
    of_nexus = [started(aarhus, receiver_id=NEXUS) for _ in range(2)]
    others = [
        started(aarhus, receiver_id=CURA),
        started(aarhus, noted_receiver_id=NEXUS),
        started(aarhus, switchover_id=NEXUS),
        started(aarhus),
        started(aarhus, kommune=FRB, receiver_id=NEXUS),
    ]
    with acting(aarhus) as act:
        fulfil(act, AARHUS, "added", receiver_id=NEXUS)
    assert [finished(aarhus, number) for number in of_nexus] == [["added"]] * 2
    assert [finished(aarhus, number) for number in others] == [[]] * 5


def test_noted_systems_and_switchovers_have_checklists_too(aarhus: Database) -> None:
    noted = started(aarhus, "3.4", noted_receiver_id=NOTED)
    switchover = started(aarhus, "3.3", switchover_id=SWITCH)
    receiver = started(aarhus, "3.1", receiver_id=NOTED)
    with acting(aarhus) as act:
        fulfil(act, AARHUS, "agreement-godkendt", noted_receiver_id=NOTED)
        fulfil(act, AARHUS, "planned", switchover_id=SWITCH)
    assert finished(aarhus, noted) == ["agreement-requested", "agreement-approved"]
    assert finished(aarhus, switchover) == ["planned"]
    assert finished(aarhus, receiver) == []


def test_a_noted_systems_fact_reaches_no_other_noted_system(aarhus: Database) -> None:
    others = [started(aarhus, "3.5", noted_receiver_id=NOTED + 1), started(aarhus, "3.5")]
    with acting(aarhus) as act:
        fulfil(act, AARHUS, "agreement-ophørt", noted_receiver_id=NOTED)
    assert [finished(aarhus, number) for number in others] == [[], []]


def test_without_an_object_it_is_the_contact_points_checklist(aarhus: Database) -> None:
    contact, begun, other = started(aarhus, "4"), started(aarhus), started(aarhus, "4", FRB)
    with acting(aarhus) as act:
        fulfil(act, AARHUS, "administrator-named", "added")
    assert finished(aarhus, contact) == ["administrator"]
    assert (finished(aarhus, begun), finished(aarhus, other)) == ([], [])


@pytest.mark.parametrize("state", StepState)
def test_a_fact_never_touches_what_a_person_has_set(aarhus: Database, state: StepState) -> None:
    number = started(aarhus, receiver_id=NEXUS)
    with acting(aarhus) as act:
        set_step(act, number, "added", state=state, person="Bo", note="venter")
    before = step_of(aarhus, number, "added")
    with acting(aarhus, LATE, "anna") as act:
        fulfil(act, AARHUS, "added", "registered", receiver_id=NEXUS)
    assert step_of(aarhus, number, "added") == before
    assert step_of(aarhus, number, "registered").person == "anna"


def test_a_fact_told_twice_changes_nothing(aarhus: Database) -> None:
    number = started(aarhus, receiver_id=NEXUS)
    for now, actor in ((NOW, "mette"), (LATE, "anna")):
        with acting(aarhus, now, actor) as act:
            fulfil(act, AARHUS, "added", receiver_id=NEXUS)
    step = step_of(aarhus, number, "added")
    assert (step.person, step.version) == ("mette", 1)
    assert len(audited(aarhus, Action.STEP_SET)) == 1


def test_a_fact_that_nothing_waits_for_costs_one_query(aarhus: Database) -> None:
    for _ in range(5):
        started(aarhus, receiver_id=NEXUS)
    with acting(aarhus) as act, statements(aarhus) as asked:
        fulfil(act, AARHUS, "removed", receiver_id=NEXUS)
        fulfil(act, FRB, "added", receiver_id=NEXUS)
    assert len(asked) == 2


def test_a_cancelled_switchovers_open_steps_are_of_no_more_use(aarhus: Database) -> None:
    number, other = started(aarhus, "3.3", switchover_id=SWITCH), started(aarhus, "3.3", switchover_id=9)
    with acting(aarhus) as act:
        fulfil(act, AARHUS, "planned", switchover_id=SWITCH)
        give_up(act, AARHUS, SWITCH, "omlægningen er annulleret")
    view = shown(aarhus, number)
    assert [step.state for step in view.steps] == [SKIPPED, DONE, SKIPPED, SKIPPED, SKIPPED]
    assert [step.note for step in view.steps] == [
        "omlægningen er annulleret" if n != 1 else "" for n in range(5)
    ]
    assert view.line.next_step is None
    assert finished(aarhus, other) == []


# --- what people set ----------------------------------------------------------------------------------------------


def test_a_step_keeps_state_person_date_and_note(aarhus: Database) -> None:
    number = started(aarhus)
    with acting(aarhus) as act:
        done = set_step(
            act, number, "agreed", state=DONE, person=" Ole Ost ", on="20.11.2026", note="på\nmødet"
        )
    assert done == step_of(aarhus, number, "agreed")
    assert (done.state, done.person, done.on, done.note) == (DONE, "Ole Ost", date(2026, 11, 20), "på mødet")
    assert (done.set_at, done.set_by, done.version) == (NOW, "mette", 1)
    after = {
        "step": "agreed",
        "state": "done",
        "person": "Ole Ost",
        "on_date": "2026-11-20",
        "note": "på mødet",
    }
    assert audited(aarhus, Action.STEP_SET) == [("mette", f"procedure:{number}:agreed", AARHUS, None, after)]


def test_without_more_it_is_the_caller_today_in_denmark(aarhus: Database) -> None:
    number = started(aarhus)
    with acting(aarhus, LATE, "anna") as act:
        done = set_step(act, number, "agreed", state=SKIPPED)
    assert (done.state, done.person, done.on, done.note) == (SKIPPED, "anna", date(2026, 11, 24), "")


def test_a_step_is_set_again_with_its_note_kept_and_both_audited(aarhus: Database) -> None:
    number = started(aarhus)
    with acting(aarhus) as act:
        set_step(act, number, "agreed", state=DONE, person="Ole", note="aftalt")
    with acting(aarhus, LATE, "anna") as act:
        again = set_step(act, number, "agreed", state=SKIPPED, person="Pia")
    assert (again.state, again.person, again.note, again.version) == (SKIPPED, "Pia", "aftalt", 2)
    assert again.set_by == "anna"
    _, _, _, before, after = audited(aarhus, Action.STEP_SET)[0]
    assert before == {"state": "done", "person": "Ole", "on_date": "2026-11-23", "note": "aftalt"}
    assert after == {
        "step": "agreed",
        "state": "skipped",
        "person": "Pia",
        "on_date": "2026-11-24",
        "note": "aftalt",
    }
    with acting(aarhus) as act:
        assert set_step(act, number, "agreed", state=DONE, note="").note == ""


def test_opening_a_step_clears_who_and_when_but_not_the_note(aarhus: Database) -> None:
    number = started(aarhus)
    with acting(aarhus) as act:
        set_step(act, number, "agreed", state=DONE, person="Ole", on="2026-11-01", note="aftalt")
        step = set_step(act, number, "agreed", state=OPEN)
    assert (step.state, step.person, step.on, step.note) == (OPEN, None, None, "aftalt")
    assert (step.set_by, step.version) == ("mette", 2)
    assert shown(aarhus, number).line.next_step == step.title


def test_a_step_cannot_have_been_done_tomorrow(aarhus: Database) -> None:
    number = started(aarhus)
    with acting(aarhus, LATE) as act:
        assert set_step(act, number, "agreed", state=DONE, on="2026-11-24").on == date(2026, 11, 24)
        with pytest.raises(RuleError, match=r"Datoen 25\.11\.2026 er ikke kommet endnu"):
            set_step(act, number, "agreed", state=DONE, on="2026-11-25")
    assert step_of(aarhus, number, "agreed").version == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"on": "i går"}, "Datoen skal skrives som 2026-12-01 eller 01.12.2026"),
        ({"person": " "}, "Angiv personens navn"),
        ({"person": "Ole\x1b[2J"}, "Personens navn indeholder tegn"),
        ({"note": "x" * 2001}, "Noten er for lang"),
        ({"note": "\x1b[2J"}, "Noten indeholder tegn"),
    ],
)
def test_what_is_given_is_checked(aarhus: Database, given: dict[str, Any], told: str) -> None:
    number = started(aarhus)
    with acting(aarhus) as act, pytest.raises(RuleError, match=told):
        set_step(act, number, "agreed", state=DONE, **given)
    assert finished(aarhus, number) == []


def test_an_unknown_step_is_told_with_those_there_are(aarhus: Database) -> None:
    number = started(aarhus, "3.2")
    with acting(aarhus) as act, pytest.raises(RuleError) as refused:
        set_step(act, number, "agree", state=DONE)
    assert str(refused.value).splitlines() == [
        f"Tjekliste {number} (3.2) har intet trin 'agree'. Trinene er:",
        "  agreed: Aftalt med forvaltningsområdet",
        "  removed: Fjernet i Sundhedsagenten",
        "  agreement-closed: Serviceaftalen lukket",
    ]


def test_nobody_overwrites_what_they_have_not_seen(aarhus: Database) -> None:
    number = started(aarhus)
    with acting(aarhus, actor="anna") as act:
        set_step(act, number, "agreed", state=DONE, note="aftalt", seen=0)
    with acting(aarhus) as act, pytest.raises(OutdatedError) as refused:
        set_step(act, number, "agreed", state=SKIPPED, note="nej", seen=0)
    told = str(refused.value)
    assert "du så version 0" in told
    assert "senest af anna" in told
    assert 'tilstand: nu "udført", du ville skrive "ikke relevant"' in told
    assert 'note: nu "aftalt", du ville skrive "nej"' in told
    with acting(aarhus) as act:
        assert set_step(act, number, "agreed", state=SKIPPED, seen=1).version == 2
        with pytest.raises(OutdatedError):
            set_step(act, number, "data", state=DONE, seen=1)


def test_steps_of_other_checklists_stay(aarhus: Database) -> None:
    first, second = started(aarhus), started(aarhus)
    with acting(aarhus) as act:
        set_step(act, first, "agreed", state=DONE)
        set_step(act, second, "agreed", state=DONE)
        set_step(act, second, "agreed", state=OPEN)
    assert (finished(aarhus, first), finished(aarhus, second)) == (["agreed"], [])


# --- looking ------------------------------------------------------------------------------------------------------


def test_an_unknown_checklist_is_told(aarhus: Database) -> None:
    number = started(aarhus, kommune=FRB)
    with acting(aarhus) as act:
        assert kommune_of_procedure(act.conn, number) == FRB
        for look in (
            lambda: kommune_of_procedure(act.conn, 99),
            lambda: show_procedure(act.conn, 99, Settings()),
            lambda: set_step(act, 99, "agreed", state=DONE),
        ):
            with pytest.raises(NotFoundError, match="Der er ingen tjekliste 99"):
                look()


def test_the_list_has_the_newest_first(aarhus: Database) -> None:
    first, second, third = started(aarhus), started(aarhus, "3.2", FRB, "Columna"), started(aarhus, "3.5")
    with acting(aarhus) as act:
        set_step(act, second, "agreed", state=DONE)
        for key in ("agreed", "agreement-closed"):
            set_step(act, third, key, state=SKIPPED)
    with aarhus.reading() as conn:
        lines = list_procedures(conn)
        assert [line.id for line in lines] == [third, second, first]
        assert [(line.finished, line.total, line.next_step) for line in lines] == [
            (2, 2, None),
            (1, 3, "Fjernet i Sundhedsagenten"),
            (0, 10, "Aftalt med forvaltningsområdet, og lovhjemlen bekræftet"),
        ]
        assert (lines[1].kommune, lines[1].kommune_name, lines[1].kind, lines[1].subject) == (
            FRB,
            "Frederiksberg Kommune",
            "3.2",
            "Columna",
        )
        assert [line.id for line in list_procedures(conn, open_only=True)] == [second, first]
        assert [line.id for line in list_procedures(conn, only=[FRB])] == [second]
        assert list_procedures(conn, only=[FRB]) == [lines[1]]
        assert [line.id for line in list_procedures(conn, only={AARHUS}, open_only=True)] == [first]
        assert list_procedures(conn, only=[]) == []


def test_a_long_list_takes_no_more_queries(aarhus: Database) -> None:
    for _ in range(10):
        started(aarhus)
    for only in (None, [AARHUS]):
        with aarhus.reading() as conn, statements(aarhus) as asked:
            assert len(list_procedures(conn, only=only)) == 10
        assert len(asked) <= 3


def test_the_next_step_is_the_first_open_one(aarhus: Database) -> None:
    number = started(aarhus, "3.2")
    with acting(aarhus) as act:
        set_step(act, number, "removed", state=DONE)
    assert shown(aarhus, number).line.next_step == "Aftalt med forvaltningsområdet"


# --- texts ready to send --------------------------------------------------------------------------------------------

FULL: dict[str, dict[str, Any]] = {
    "3.1": {"receiver_id": NEXUS},
    "3.2": {"receiver_id": NEXUS},
    "3.3": {"switchover_id": SWITCH},
    "3.4": {"noted_receiver_id": NOTED},
    "3.5": {"noted_receiver_id": NOTED},
    "4": {},
}


@pytest.mark.parametrize("kind", FULL)
def test_every_text_is_complete_where_all_is_known(aarhus: Database, kind: str) -> None:
    view = shown(aarhus, started(aarhus, kind, **FULL[kind]))
    keys = [step.key for step in procedures()[kind].steps if step.text is not None]
    assert list(view.texts) == keys
    assert keys
    for text in view.texts.values():
        for words in (text.subject, text.body):
            assert "[mangler" not in words
            assert not {"{", "}"} & set(words)
            assert words.strip()


@pytest.mark.parametrize("kind", FULL)
def test_what_is_not_known_shows_as_missing(db: Database, kind: str) -> None:
    """Frederiksberg is not connected; nothing is registered, typed or planned."""
    number = started(db, kind, FRB, subject="Et nyt system")
    known = {"kommune", "system", "supplier", "supplier_email", "supplier_phone", "medcom_email"}
    known |= {"medcom_url", "driftstatus_url"}
    view = shown(db, number)
    for step in procedures()[kind].steps:
        if step.text is None:
            continue
        ready = view.texts[step.key]
        wanted = {name for _, name, _, _ in Formatter().parse(step.text.subject + step.text.body) if name}
        assert wanted <= set(MISSING)
        told = {name for name in MISSING if f"[mangler: {MISSING[name]}]" in ready.subject + ready.body}
        assert told == wanted - known
        assert ready.address is None


def test_every_placeholder_is_used_and_has_a_danish_word(aarhus: Database) -> None:
    texts = [step.text for item in procedures().values() for step in item.steps if step.text is not None]
    used = {name for text in texts for _, name, _, _ in Formatter().parse(text.subject + text.body) if name}
    assert used == set(MISSING)
    assert len(set(MISSING.values())) == len(MISSING)


def test_a_text_holds_what_the_registry_knows(aarhus: Database) -> None:
    texts = shown(aarhus, started(aarhus, receiver_id=NEXUS)).texts
    certify, approve = texts["certification"], texts["agreement-approved"]
    assert (certify.to, certify.address) == ("vendor", "drift@nexus.example")
    assert certify.subject == "Nexus: certificering hos MedCom til Advis om sygehusophold"
    assert certify.body.startswith("Til Nexus-huset\n")
    assert "certificering@medcom.dk" in certify.body
    assert "https://medcom.dk/standarder/test-og-certificering/" in certify.body
    assert certify.body.endswith("Venlig hilsen\nKaj Krog, Aarhus Kommune")
    assert (approve.to, approve.address) == ("agreement-administrator", None)
    assert "3f0c2f6e-8f5b-4f0e-9c55-0d4b7f3a1c02" in approve.body
    assert "Sundhed og omsorg har aftalt det (Ole Ost)" in approve.body
    assert "MultiMed, hotline@multimed.dk, (+45) 7572 5475" in texts["hotline"].body
    assert "https://driftstatus.kombit.dk/" in texts["driftstatus"].body
    assert "drift@nexus.example" in texts["overview"].body


def test_a_switchovers_texts_hold_both_systems_and_the_time(aarhus: Database) -> None:
    texts = shown(aarhus, started(aarhus, "3.3", switchover_id=SWITCH)).texts
    subject = "Aarhus Kommune: statusmøde efter omlægningen den 24.11.2026 kl. 10:00"
    assert texts["status-meeting"].subject == subject
    assert "overtager Nexus opgaven" in texts["agreed"].body
    assert "modtagersystem efter Cura." in texts["agreed"].body
    assert "sundhedsagent switchover sheet 1" in texts["status-meeting"].body


def test_a_noted_systems_texts_hold_its_own_facts(aarhus: Database) -> None:
    texts = shown(aarhus, started(aarhus, "3.4", noted_receiver_id=NOTED)).texts
    assert texts["certification"].address == "drift@sensum.example"
    assert "Sensum (Sensum-huset)" in texts["agreed"].body


def test_the_test_mail_goes_to_the_contact_point(aarhus: Database) -> None:
    text = shown(aarhus, started(aarhus, "4", subject="Kontaktpunkt")).texts["test-mail"]
    assert (text.to, text.address) == ("kommune", "advis@aarhus.example")
    assert "(advis@aarhus.example)" in text.body


def test_settings_say_who_the_parties_are(aarhus: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_PARTIES__SUPPLIER", "Den Nye")
    assert "Den Nye" in shown(aarhus, started(aarhus, receiver_id=NEXUS)).texts["hotline"].body


def test_names_are_never_taken_for_placeholders(aarhus: Database) -> None:
    number = started(aarhus, subject="{uuid} {0} {x.__class__}")
    assert "{uuid} {0} {x.__class__}" in shown(aarhus, number).texts["certification"].subject


def test_before_its_system_is_registered_the_subject_names_it(aarhus: Database) -> None:
    number = started(aarhus, subject="Sensum Bosted")
    text = shown(aarhus, number).texts["certification"]
    assert text.subject.startswith("Sensum Bosted: ")
    assert text.body.startswith("Til [mangler: leverandørens navn]\n")
    continued(aarhus, number)
    assert shown(aarhus, number).texts["certification"].subject.startswith("Nexus: ")


def test_a_number_is_never_given_twice(aarhus: Database) -> None:
    numbers = [started(aarhus) for _ in range(3)]
    with aarhus.reading() as conn:
        assert conn.execute(select(tables.procedure.c.id)).scalars().all() == numbers
    assert len(set(numbers)) == 3


def test_a_row_put_in_by_the_flow_counts(aarhus: Database) -> None:
    """The engine ticks "carried-out" off by itself, with what every row must have and no version."""
    number = started(aarhus, "3.3", switchover_id=SWITCH)
    with aarhus.writing() as tx:
        row = {"state": "done", "person": "motor", "on_date": "2026-11-24", "note": ""}
        key = {"procedure_id": number, "step": "carried-out"}
        tx.conn.execute(insert(tables.procedure_step).values(**key, **row, set_at=NOW, set_by="motor"))
    step = step_of(aarhus, number, "carried-out")
    assert (step.state, step.person, step.version) == (DONE, "motor", 1)
