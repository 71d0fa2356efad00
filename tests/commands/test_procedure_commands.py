from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert

from engine.clock import SimulatedClock
from engine.store import tables
from engine.store.database import Database
from tests.commands.conftest import Command, Result

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
AgainAs = Callable[[str], None]


@pytest.fixture
def desk(at_home: Command, clock: SimulatedClock) -> Command:
    """Checklist 1 is Aarhus' for a system that is not registered yet, 2 is Frederiksberg's; a Monday at ten."""
    assert at_home("procedure", "start", "0751", "3.1", "--subject", "Sensum Bosted").err == ""
    assert at_home("procedure", "start", "Frederiksberg", "3.2", "--subject", "Columna").err == ""
    return at_home


@pytest.fixture
def grant(db: Database) -> Callable[..., None]:
    def give(identity: str, role: str, kommune: str = "") -> None:
        row = {"identity": identity, "role": role, "kommune_code": kommune}
        with db.writing() as tx:
            tx.conn.execute(insert(tables.role_grant).values(**row, granted_at=NOW, granted_by="test"))

    return give


def refusal(found: Result) -> str:
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("Fejl: ")
    return found.err


def steps(desk: Command, number: int = 1) -> dict[str, Any]:
    return {step["key"]: step for step in desk("procedure", "show", number, "--json").json["steps"]}


# --- looking ------------------------------------------------------------------------------------------------------


def test_there_may_be_none(at_home: Command) -> None:
    assert at_home("procedure", "list").out == "Der er ingen tjeklister.\n"
    assert at_home("procedure", "list", "--json").json == []


def test_the_list_shows_how_far_each_has_come(desk: Command) -> None:
    desk("procedure", "step", 1, "agreed")
    assert [line.split() for line in desk("procedure", "list").out.splitlines()] == [
        ["Nr.", "Kommune", "Afsnit", "Om", "Trin", "Næste"],
        ["2", "Frederiksberg", "Kommune", "3.2", "Columna", "0/3", "Aftalt", "med", "forvaltningsområdet"],
        [
            *("1", "Aarhus", "Kommune", "3.1", "Sensum", "Bosted", "1/10"),
            *("Leverandøren", "bedt", "om", "at", "blive", "certificeret", "hos", "MedCom"),
        ],
    ]
    assert [(item["id"], item["finished"]) for item in desk("procedure", "list", "--json").json] == [
        (2, 0),
        (1, 1),
    ]


def test_the_list_can_be_narrowed(desk: Command) -> None:
    for key in ("agreed", "removed", "agreement-closed"):
        desk("procedure", "step", 2, key)
    assert " færdig" in desk("procedure", "list").out
    of_aarhus = desk("procedure", "list", "--kommune", "aarhus", "--json").json
    assert [item["id"] for item in of_aarhus] == [1]
    assert [item["id"] for item in desk("procedure", "list", "--open", "--json").json] == [1]
    assert desk("procedure", "list", "--kommune", "0147", "--open").out == "Der er ingen tjeklister.\n"
    assert "Ingen kommune har koden eller navnet 'Atlantis'" in refusal(
        desk("procedure", "list", "--kommune", "Atlantis")
    )


def test_a_checklist_is_shown_with_every_step(desk: Command) -> None:
    desk("procedure", "step", 2, "agreed", "--person", "Pia Pil", "--date", "20.11.2026", "--note", "mail")
    desk("procedure", "step", 2, "agreement-closed", "--state", "ikke-relevant")
    lines = desk("procedure", "show", 2).out.splitlines()
    assert lines[:6] == [
        "Tjekliste  2",
        "Afsnit     3.2 Fjern et modtagersystem",
        "Kommune    Frederiksberg Kommune (0147)",
        "Om         Columna",
        "Udført     2 af 3",
        "",
    ]
    assert lines[6:12] == [
        "[x] Aftalt med forvaltningsområdet",
        "    agreed * · udført af Pia Pil 20.11.2026 · mail",
        "[ ] Fjernet i Sundhedsagenten",
        "    removed · leverandøren af Sundhedsagenten",
        "[–] Serviceaftalen lukket",
        lines[11],
    ]
    assert lines[11].startswith("    agreement-closed * · ikke relevant af ")
    assert lines[11].endswith(" 23.11.2026")
    assert lines[-1] == "* har en tekst klar til at sende: sundhedsagent procedure text 2 TRIN"


def test_json_has_the_steps_and_the_texts(desk: Command) -> None:
    shown = desk("procedure", "show", 1, "--json").json
    assert set(shown) == {"procedure", "steps", "texts"}
    assert (shown["procedure"]["id"], shown["procedure"]["kommune"], shown["procedure"]["total"]) == (
        1,
        "0751",
        10,
    )
    assert shown["procedure"]["started_at"] == "2026-11-23T09:00:00.000Z"
    assert [step["version"] for step in shown["steps"]] == [0] * 10
    assert set(shown["steps"][0]) == {
        *("key", "title", "duty", "state", "person", "on", "note", "set_at", "set_by", "version")
    }
    assert set(shown["texts"]["certification"]) == {"to", "address", "subject", "body"}


def test_a_text_is_ready_to_paste(desk: Command) -> None:
    lines = desk("procedure", "text", 1, "certification").out.splitlines()
    assert lines[:4] == [
        "Til: leverandøren",
        "Emne: Sensum Bosted: certificering hos MedCom til Advis om sygehusophold",
        "",
        "Til [mangler: leverandørens navn]",
    ]
    assert lines[-1] == "[mangler: Sundhedsagentadministratorens navn], Aarhus Kommune"
    ready = desk("procedure", "text", 1, "certification", "--json").json
    assert (ready["to"], ready["address"]) == ("vendor", None)
    assert ready["body"].splitlines() == lines[3:]


def test_a_texts_address_is_shown_where_it_is_known(desk: Command, db: Database) -> None:
    with db.writing() as tx:
        row = {"kommune_code": "0147", "system_uuid": "3f0c2f6e-8f5b-4f0e-9c55-0d4b7f3a1c2d", "name": "Cura"}
        more = {"vendor": "Systematic", "vendor_email": "drift@s.example", "added_at": NOW}
        tx.conn.execute(insert(tables.receiver).values(id=7, **row, **more))
        contact = {"primary_receiver_id": 7, "contact_email": "advis@frb.example", "connected_at": NOW}
        tx.conn.execute(insert(tables.connection).values(kommune_code="0147", **contact))
    assert desk("procedure", "start", "0147", "4", "--subject", "Kontaktpunkt").status == 0
    out = desk("procedure", "text", 3, "test-mail").out
    assert out.splitlines()[0] == "Til: kommunens kontaktpunkt <advis@frb.example>"


def test_a_step_without_a_text_is_told(desk: Command) -> None:
    told = refusal(desk("procedure", "text", 2, "removed"))
    assert "Trinnet 'removed' har ingen tekst i tjekliste 2." in told
    assert "Trin med tekst: agreed, agreement-closed." in told


def test_an_unknown_checklist_is_told(desk: Command) -> None:
    for words in (("show", 99), ("text", 99, "agreed"), ("step", 99, "agreed")):
        assert "Der er ingen tjekliste 99" in refusal(desk("procedure", *words))


# --- beginning and setting ------------------------------------------------------------------------------------------


def test_beginning_says_the_number(desk: Command) -> None:
    found = desk("procedure", "start", "0751", "3.4", "--subject", "Columna Flow")
    assert found.out == ("Tjekliste 3 for 3.4 i Aarhus Kommune er begyndt: sundhedsagent procedure show 3\n")
    assert desk("procedure", "list", "--json").json[0]["subject"] == "Columna Flow"


def test_beginning_needs_a_procedure_and_a_subject(desk: Command) -> None:
    assert "der er 3.1, 3.2, 3.3, 3.4, 3.5, 4" in refusal(
        desk("procedure", "start", "0751", "5", "--subject", "x")
    )
    found = desk("procedure", "start", "0751", "3.1")
    assert (found.status, "Valget '--subject' mangler" in found.err.replace('"', "'")) == (2, True)
    assert len(desk("procedure", "list", "--json").json) == 2


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ("udført", "done"),
        ("done", "done"),
        ("Udført", "done"),
        ("åben", "open"),
        ("open", "open"),
        ("ikke-relevant", "skipped"),
        ("ikke relevant", "skipped"),
        ("skipped", "skipped"),
    ],
)
def test_states_are_danish_words(desk: Command, given: str, state: str) -> None:
    assert desk("procedure", "step", 1, "data", "--state", given).err == ""
    assert steps(desk)["data"]["state"] == state


def test_another_state_is_wrong_use(desk: Command) -> None:
    found = desk("procedure", "step", 1, "data", "--state", "måske")
    assert (found.status, found.out) == (2, "")
    assert "--state: skal være udført, åben eller ikke-relevant, men er 'måske'" in found.err
    assert steps(desk)["data"]["version"] == 0


def test_setting_a_step_says_what_it_became(
    desk: Command, as_user: AgainAs, grant: Callable[..., None]
) -> None:
    grant("kaj", "kommune", "0751")
    as_user("kaj")
    title = "Aftalt med forvaltningsområdet, og lovhjemlen bekræftet"
    found = desk("procedure", "step", 1, "agreed", "--person", "Ole Ost", "--note", "Set af juristen")
    assert found.out == f"{title}: udført af Ole Ost 23.11.2026.\n"
    step = steps(desk)["agreed"]
    assert (step["state"], step["person"], step["on"], step["note"], step["set_by"]) == (
        *("done", "Ole Ost", "2026-11-23", "Set af juristen", "kaj"),
    )
    assert desk("procedure", "step", 1, "data").out.endswith(": udført af kaj 23.11.2026.\n")
    assert desk("procedure", "step", 1, "agreed", "--state", "åben").out == f"{title}: åben.\n"
    step = steps(desk)["agreed"]
    assert (step["state"], step["person"], step["on"], step["note"]) == (
        "open",
        None,
        None,
        "Set af juristen",
    )


def test_a_step_that_cannot_be_is_refused(desk: Command) -> None:
    assert "har intet trin 'agree'" in refusal(desk("procedure", "step", 1, "agree"))
    told = refusal(desk("procedure", "step", 1, "agreed", "--date", "2026-11-24"))
    assert "Datoen 24.11.2026 er ikke kommet endnu" in told
    assert "Datoen skal skrives som" in refusal(desk("procedure", "step", 1, "agreed", "--date", "i går"))
    assert steps(desk)["agreed"]["version"] == 0


def test_a_step_that_has_changed_since_is_refused(desk: Command) -> None:
    assert desk("procedure", "step", 1, "agreed", "--version", 0).status == 0
    told = refusal(desk("procedure", "step", 1, "agreed", "--note", "x", "--version", 0))
    assert "er ændret, siden du så det" in told
    assert "Intet er ændret." in told
    assert desk("procedure", "step", 1, "agreed", "--note", "x", "--version", 1).status == 0
    assert steps(desk)["agreed"]["version"] == 2


# --- whose they are -------------------------------------------------------------------------------------------------


def test_a_kommunes_own_people_see_and_fill_in_their_own(
    desk: Command, as_user: AgainAs, grant: Callable[..., None]
) -> None:
    grant("kaj", "kommune", "0751")
    as_user("kaj")
    assert [item["id"] for item in desk("procedure", "list", "--json").json] == [1]
    assert desk("procedure", "list", "--kommune", "0751").status == 0
    assert desk("procedure", "text", 1, "data").status == 0
    assert desk("procedure", "step", 1, "agreed").status == 0
    assert desk("procedure", "start", "0751", "4", "--subject", "Kontaktpunkt").status == 0
    for words in (
        ("list", "--kommune", "0147"),
        ("show", 2),
        ("show", 2, "--json"),
        ("text", 2, "agreed"),
        ("step", 2, "agreed"),
        ("start", "0147", "3.1", "--subject", "x"),
    ):
        assert "det kræver rollen" in refusal(desk("procedure", *words))


@pytest.mark.parametrize("role", ["hotline", "auditor"])
def test_hotline_and_auditor_read_all_and_change_nothing(
    desk: Command, as_user: AgainAs, grant: Callable[..., None], role: str
) -> None:
    grant("hans", role)
    as_user("hans")
    assert [item["id"] for item in desk("procedure", "list", "--json").json] == [2, 1]
    assert desk("procedure", "show", 2).status == 0
    for words in (("step", 1, "agreed"), ("start", "0751", "3.1", "--subject", "x")):
        told = refusal(desk("procedure", *words))
        assert "det kræver rollen administrator, eller rollen kommune for" in told
    assert steps(desk)["agreed"]["version"] == 0
    assert len(desk("procedure", "list", "--json").json) == 2


def test_without_a_role_there_is_nothing(desk: Command, as_user: AgainAs) -> None:
    as_user("nobody")
    for words in (
        ("list",),
        ("show", 1),
        ("text", 1, "agreed"),
        ("step", 1, "agreed"),
        ("start", "0751", "3.1", "--subject", "x"),
    ):
        assert "har ingen rolle" in refusal(desk("procedure", *words))
