"""`case` and `maintenance`: what the hotline does at night, from the command line."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from engine.clock import SimulatedClock
from engine.flow.mail_texts import MailTexts
from engine.flow.notify import Notify
from engine.flow.watch import Watch
from engine.settings import Settings
from engine.store.database import Database
from tests.commands.conftest import Command
from tests.desk.builders import an_advis, connect

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
async def desk(at_home: Command, db: Database, clock: SimulatedClock) -> Command:
    """Two adviser whose kvittering from the primary is 5 minutes late, and the engine has noticed."""
    with db.writing() as tx:
        receivers = connect(tx)
        for _ in range(2):
            an_advis(tx, receivers=receivers, states=["pending", "ok"], due_at=clock.now() - 5 * MINUTE)
    await engine_works(db, clock)
    return at_home


async def engine_works(db: Database, clock: SimulatedClock) -> None:
    watch, notify = Watch(db, clock, Settings()), Notify(db, clock, Settings(), MailTexts())
    while await watch.step() or await notify.step():
        pass


async def test_the_list_says_what_is_missing_and_how_it_stands(desk: Command) -> None:
    (line,) = desk("case", "list", "--json").json
    assert (line["missing"], line["state"], line["kind"]) == (2, "åben", "missing-kvittering")
    shown = desk("case", "list").out
    assert "kvitterer ikke" in shown
    assert "åben" in shown


async def test_a_case_in_full_says_whom_to_call(desk: Command, db: Database, clock: SimulatedClock) -> None:
    clock.advance(MINUTE)
    await engine_works(db, clock)
    shown = desk("case", "show", 1).out
    found = desk("case", "show", 1, "--json").json
    for needed in (found["contact_email"], found["vendor_email"], found["adviser"][0]["besked_id"]):
        assert needed in shown
    assert len(found["mails"]) == 2
    assert "Sag 1 åbnet" in shown


async def test_a_case_is_taken_noted_and_released(desk: Command, as_user: Callable[[str], None]) -> None:
    assert desk("role", "grant", "anna", "hotline").status == 0
    as_user("anna")
    taken = desk("case", "take", 1, "--note", "Ringet til leverandøren")
    assert taken.out.startswith(
        "Sag 1 er taget af anna. Den rejses igen, hvis den vokser eller ikke er lukket 23.11."
    )
    assert desk("case", "list", "--json").json[0]["state"] == "taget af anna"
    assert desk("case", "note", 1, "De genstarter kl. 11").out == "Noten står på sag 1.\n"
    assert desk("case", "release", 1).out == "Sag 1 er givet fri.\n"
    sentences = [event["sentence"] for event in desk("case", "show", 1, "--json").json["events"]]
    assert "Sag 1 er taget af anna: Ringet til leverandøren" in sentences
    assert "Note til sag 1: De genstarter kl. 11" in sentences
    assert "Sag 1 er givet fri igen" in sentences


async def test_every_step_of_it_is_audited(desk: Command) -> None:
    desk("case", "take", 1)
    desk("case", "note", 1, "set")
    desk("case", "release", 1)
    actions = {entry["action"] for entry in desk("audit", "list", "--json").json}
    assert {"case-taken", "case-noted", "case-released"} <= actions
    assert desk("audit", "verify").status == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("take", 9), "Der er ingen sag 9"),
        (("release", 1), "Sag 1 er ikke taget af nogen"),
        (("note", 1, "   "), "det må ikke være tomt"),
        (("note", 1, "ring til 010203-1234"), "ligner noget med et CPR-nummer"),
        (("take", 1, "--version", 99), "er ændret, siden du så det"),
    ],
)
async def test_what_cannot_be_is_refused_and_says_why(desk: Command, arguments: Any, told: str) -> None:
    found = desk("case", *arguments)
    assert found.status == 1
    assert told in found.err


async def test_an_auditor_reads_and_takes_nothing(desk: Command, as_user: Callable[[str], None]) -> None:
    desk("role", "grant", "rita", "auditor")
    as_user("rita")
    assert desk("case", "list").status == 0
    refused = desk("case", "take", 1)
    assert refused.status == 1
    assert "rollen hotline eller administrator" in refused.err


async def test_a_kommune_sees_its_own_cases_alone(desk: Command, as_user: Callable[[str], None]) -> None:
    code = desk("case", "list", "--json").json[0]["kommune"]
    other = "0147" if code != "0147" else "0101"
    desk("role", "grant", "kim", "kommune", "--kommune", code)
    desk("role", "grant", "per", "kommune", "--kommune", other)
    as_user("kim")
    assert len(desk("case", "list", "--json").json) == 1
    as_user("per")
    assert desk("case", "list", "--json").json == []
    assert desk("case", "show", 1).status == 1


async def test_a_closed_case_is_listed_with_all_and_cannot_be_taken(
    desk: Command, db: Database, clock: SimulatedClock
) -> None:
    from sqlalchemy import update

    from engine.store import tables

    with db.writing() as tx:
        tx.conn.execute(update(tables.expected_kvittering).values(state="ok"))
    await engine_works(db, clock)
    assert desk("case", "list").out == "Der er ingen åbne sager.\n"
    assert [line["state"] for line in desk("case", "list", "--all", "--json").json] == ["lukket"]
    assert "blev lukket" in desk("case", "take", 1).err


async def test_the_trace_of_an_advis_tells_of_its_case_and_the_mails(
    desk: Command, db: Database, clock: SimulatedClock
) -> None:
    clock.advance(MINUTE)
    await engine_works(db, clock)
    desk("case", "take", 1, "--note", "Ringet")
    told = [line["sentence"] for line in desk("advis", "trace", 1, "--json").json]
    assert any("inden fristen; sag 1" in sentence for sentence in told)
    assert any(sentence.startswith("Mail til ") for sentence in told)
    assert any(sentence.endswith(": Ringet") for sentence in told)


# --- maintenance ------------------------------------------------------------------------------------------------------


def window(
    desk: Command, begins: str = "2026-11-23 22:00", ends: str = "2026-11-24 02:00", **words: str
) -> Any:
    line = desk("case", "list", "--json").json[0]
    receiver = words.get("receiver", line["receiver"])
    reason = words.get("reason", "Ny version")
    return desk(
        "maintenance", "add", line["kommune"], receiver, "--from", begins, "--until", ends, "--reason", reason
    )


async def test_a_window_is_planned_listed_and_cancelled(desk: Command, clock: SimulatedClock) -> None:
    planned = window(desk)
    assert "fra 23.11.2026 kl. 22:00 til 24.11.2026 kl. 02:00" in planned.out
    assert "planlagt" in desk("maintenance", "list").out
    clock.advance(14 * HOUR)
    assert "i gang" in desk("maintenance", "list").out
    assert "er aflyst" in desk("maintenance", "cancel", 1).out
    assert desk("maintenance", "list").out == "Der er ingen servicevinduer.\n"
    assert "aflyst" in desk("maintenance", "list", "--all").out
    assert "kan ikke aflyses" in desk("maintenance", "cancel", 1).err


@pytest.mark.parametrize(
    ("begins", "ends", "words", "told"),
    [
        ("2026-11-24 02:00", "2026-11-23 22:00", {}, "skal slutte, efter at det er begyndt"),
        ("2026-11-22 22:00", "2026-11-23 22:00", {}, "kan ikke begynde i fortiden"),
        ("2026-11-23 22:00", "2026-11-30 22:00", {}, "højst vare 3 døgn"),
        ("2026-11-23 22:00", "2026-11-24 02:00", {"reason": " "}, "det må ikke være tomt"),
        ("2026-11-23 22:00", "2026-11-24 02:00", {"receiver": "Ukendt"}, "intet modtagersystem"),
        ("i morgen", "2026-11-24 02:00", {}, "skal skrives som"),
    ],
)
async def test_a_window_that_cannot_be_is_refused(
    desk: Command, begins: str, ends: str, words: dict[str, str], told: str
) -> None:
    found = window(desk, begins, ends, **words)
    assert found.status == 1
    assert told in found.err
