import tomllib
from importlib import resources

import pytest

from engine.domain.procedure import Addressee, Procedure, RequestState, StepState, parse_procedures

SHIPPED = resources.files("engine.data").joinpath("procedures.toml").read_text(encoding="utf-8")

REPORTED = {
    *("data-obtained", "registered", "added", "removed", "planned", "carried-out"),
    *("contact-set", "administrator-named", "overview-enrolled"),
    *("agreement-anmodet", "agreement-godkendt", "agreement-ophørt"),
    *("certification-anmodet", "certification-certificeret"),
}
"""Every fact that a use case reports: a step that waits for another one waits for ever."""

BEHAVIOUR = {
    "connect": (),
    "3.1": (
        *("agreed", "certification", "data", "registered", "agreement-requested", "agreement-approved"),
        *("driftstatus", "overview", "hotline", "added"),
    ),
    "3.2": ("agreed", "removed", "agreement-closed"),
    "3.3": ("agreed", "planned", "carried-out", "status-meeting", "verified"),
    "3.4": ("agreed", "certification", "agreement-requested", "agreement-approved"),
    "3.5": ("agreed", "agreement-closed"),
    "4": ("mailbox", "test-mail", "driftstatus", "administrator"),
}
"""The steps of each procedure as the behaviour's section 7 has them, in its order."""

ONE = """
[[procedure]]
id = "9.9"
title = "Prøv"

[[procedure.steps]]
key = "first"
title = "Det første"
duty = "kommunen"
text = "hello"
fact = ["added", "removed"]

[[procedure.steps]]
key = "second"
title = "Det andet"
duty = "leverandøren"

[texts.hello]
to = "vendor"
subject = "Om {system}"
body = '''

Hej {vendor}

  Hilsen
'''
"""


@pytest.fixture(scope="module")
def shipped() -> dict[str, Procedure]:
    return parse_procedures(SHIPPED)


# --- the values --------------------------------------------------------------------------------------------------


def test_states_have_danish_names() -> None:
    assert [state.danish for state in StepState] == ["åben", "udført", "ikke relevant"]
    assert [state.danish for state in RequestState] == ["indsendt", "imødekommet", "sendt tilbage"]
    assert [state.value for state in StepState] == ["open", "done", "skipped"]
    assert [state.value for state in RequestState] == ["handed-in", "accepted", "returned"]


def test_a_procedure_is_read_with_its_steps_and_texts() -> None:
    procedure = parse_procedures(ONE)["9.9"]
    first, second = procedure.steps
    assert (procedure.title, first.key, first.title, first.duty) == (
        "Prøv",
        "first",
        "Det første",
        "kommunen",
    )
    assert first.facts == {"added", "removed"}
    assert first.text is not None
    assert (first.text.to, first.text.subject) == (Addressee.VENDOR, "Om {system}")
    assert first.text.body == "Hej {vendor}\n\n  Hilsen"  # its empty lines at either end are the file's
    assert (second.facts, second.text) == (frozenset(), None)
    assert procedure.step("second") is second
    assert procedure.step("third") is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('text = "hello"', 'text = "goodbye"', "step first: there is no text goodbye"),
        ('key = "second"', 'key = "first"', "two steps of 9.9 have the same key"),
        ("[texts.hello]", '[[procedure]]\nid = "9.9"\ntitle = "x"\nsteps = []\n[texts.hello]', "same id"),
        ('to = "vendor"', 'to = "hospital"', "'hospital' is not a valid Addressee"),
        ('id = "9.9"', 'id = "9.9', "line"),
    ],
)
def test_what_is_wrong_with_the_data_is_told(old: str, new: str, told: str) -> None:
    assert old in ONE
    with pytest.raises(ValueError, match=told):
        parse_procedures(ONE.replace(old, new))


# --- the handbook's procedures as shipped -------------------------------------------------------------------------


def test_every_step_of_the_behaviour_is_there_in_its_order(shipped: dict[str, Procedure]) -> None:
    assert {
        name: tuple(step.key for step in procedure.steps) for name, procedure in shipped.items()
    } == BEHAVIOUR


def test_every_duty_is_one_of_the_handbooks_parties(shipped: dict[str, Procedure]) -> None:
    assert {step.duty for procedure in shipped.values() for step in procedure.steps} == {
        "Sundhedsagentadministrator",
        "kommunen",
        "kommunens Aftaleadministrator",
        "leverandøren af Sundhedsagenten",
        "leverandøren af modtagersystemet",
        "Sundhedsagenten selv",
    }


def test_the_aftaleadministrator_approves_and_closes(shipped: dict[str, Procedure]) -> None:
    steps = [
        step
        for procedure in shipped.values()
        for step in procedure.steps
        if step.key in {"agreement-approved", "agreement-closed"}
    ]
    assert len(steps) == 4
    for step in steps:
        assert step.duty == "kommunens Aftaleadministrator"
        assert step.text is not None
        assert step.text.to is Addressee.AGREEMENT_ADMINISTRATOR


def test_steps_wait_only_for_facts_that_are_reported(shipped: dict[str, Procedure]) -> None:
    for procedure in shipped.values():
        for step in procedure.steps:
            assert step.facts <= REPORTED, (procedure.id, step.key)


@pytest.mark.parametrize(
    ("kind", "key", "facts"),
    [
        ("3.1", "certification", {"certification-anmodet", "certification-certificeret"}),
        ("3.1", "data", {"data-obtained"}),
        ("3.1", "registered", {"registered"}),
        ("3.1", "agreement-requested", {"agreement-anmodet", "agreement-godkendt"}),
        ("3.1", "agreement-approved", {"agreement-godkendt"}),
        ("3.1", "overview", {"overview-enrolled"}),
        ("3.1", "added", {"added"}),
        ("3.2", "removed", {"removed"}),
        ("3.2", "agreement-closed", {"agreement-ophørt"}),
        ("3.3", "planned", {"planned"}),
        ("3.3", "carried-out", {"carried-out"}),
        ("3.4", "agreement-approved", {"agreement-godkendt"}),
        ("3.5", "agreement-closed", {"agreement-ophørt"}),
        ("4", "administrator", {"administrator-named"}),
    ],
)
def test_what_the_registry_knows_sets_its_step(
    shipped: dict[str, Procedure], kind: str, key: str, facts: set[str]
) -> None:
    step = shipped[kind].step(key)
    assert step is not None
    assert step.facts == facts


def test_people_alone_say_what_only_people_know(shipped: dict[str, Procedure]) -> None:
    """Agreements, meetings and mailboxes are seen by no registry."""
    asked = {
        (name, step.key) for name, procedure in shipped.items() for step in procedure.steps if not step.facts
    }
    assert asked == {
        *((name, "agreed") for name in ("3.1", "3.2", "3.3", "3.4", "3.5")),
        *(("3.1", "driftstatus"), ("3.1", "hotline")),
        *(("3.3", "status-meeting"), ("3.3", "verified")),
        *(("4", "mailbox"), ("4", "test-mail"), ("4", "driftstatus")),
    }


def test_no_text_and_no_key_of_the_file_is_left_unused() -> None:
    """A misspelt key would be passed over in silence."""
    content = tomllib.loads(SHIPPED)
    steps = [step for procedure in content["procedure"] for step in procedure["steps"]]
    assert {step["text"] for step in steps if "text" in step} == set(content["texts"])
    assert set(content) == {"procedure", "texts"}
    for procedure in content["procedure"]:
        assert set(procedure) == {"id", "title", "steps"}
    for step in steps:
        assert set(step) - {"text", "fact"} == {"key", "title", "duty"}
        assert isinstance(step.get("fact", []), list)  # a bare string would become a set of letters
        assert len(step["key"]) <= 32  # the column's width
    for text in content["texts"].values():
        assert set(text) == {"to", "subject", "body"}
        assert "\n" not in text["subject"]


@pytest.mark.parametrize(
    ("kind", "key", "to", "holds"),
    [
        ("3.1", "agreed", "area", ("{area}", "lovhjemmel")),
        ("3.1", "certification", "vendor", ("{medcom_email}", "{medcom_url}")),
        ("3.1", "data", "vendor", ("UUID", "MedComKvittering 1.0")),
        ("3.1", "agreement-requested", "vendor", ("serviceaftale", "{kommune}")),
        ("3.1", "agreement-approved", "agreement-administrator", ("Godkend", "{system}", "{uuid}")),
        ("3.1", "driftstatus", "vendor", ("{driftstatus_url}",)),
        ("3.1", "overview", "vendor", ("Kvitteringsoverblik", "45 minutter", "{supplier_email}")),
        ("3.1", "hotline", "vendor", ("{supplier_email}", "{supplier_phone}", "{driftstatus_url}")),
        ("3.2", "agreed", "area", ("{area}", "{system}")),
        ("3.2", "agreement-closed", "agreement-administrator", ("Luk", "{system}", "{uuid}")),
        ("3.3", "agreed", "area", ("{old_system}", "{new_system}", "{at}")),
        ("3.3", "status-meeting", "vendor", ("statusmøde", "{old_system}", "{new_system}", "{at}")),
        ("4", "test-mail", "kommune", ("{contact_email}", "hver dag")),
        ("4", "driftstatus", "kommune", ("{driftstatus_url}",)),
    ],
)
def test_texts_say_what_the_handbook_wants_said(
    shipped: dict[str, Procedure], kind: str, key: str, to: str, holds: tuple[str, ...]
) -> None:
    step = shipped[kind].step(key)
    assert step is not None
    assert step.text is not None
    assert step.text.to == to
    for words in holds:
        assert words in step.text.subject + step.text.body
