"""`incident`: from the proposal to the report, from the command line."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.clock import SimulatedClock
from engine.domain.incident import Cause
from engine.flow import incidents
from engine.flow.mail_texts import MailTexts
from engine.flow.timekeeping import open_ledger
from engine.settings import Settings
from engine.store.database import Database
from tests.commands.conftest import Command
from tests.desk.builders import an_advis, connect

MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(at_home: Command, db: Database, clock: SimulatedClock) -> Command:
    """The Beskedfordeler has refused everything for five minutes, and the engine has proposed an incident."""
    with db.writing() as tx:
        ledger = open_ledger(tx, clock)
        incidents.propose(
            ledger,
            Settings(),
            MailTexts(),
            Cause.BESKEDFORDELER,
            basis="Al fordeling er mislykkedes siden 09:55",
            began_at=clock.now() - 5 * MINUTE,
        )
        ledger.write()
    return at_home


def test_from_proposal_to_report(desk: Command, clock: SimulatedClock, tmp_path: Path) -> None:
    assert "Beskedfordeleren tager ikke imod sygehusadviser" in desk("incident", "list", "--open").out
    declared = desk("incident", "declare", 1, "--yes")
    assert declared.status == 0
    for told in ("driftstatus (manuelt)", "KOMBITs driftsvagt (manuelt)", "holdes tilbage"):
        assert told in declared.out
    shown = desk("incident", "show", 1).out
    assert "Til KOMBITs driftsvagt" in shown
    assert "[driftsvagt: mangler, manuelt]" in shown
    clock.advance(10 * MINUTE)
    done = desk(
        "incident", "step", 1, "driftsvagt", "--person", "Bo", "--at", "2026-11-23 10:05", "--note", "Sag 12"
    )
    assert done.out == "Orientér KOMBITs driftsvagt: udført af Bo.\n"
    assert desk("incident", "step", 1, "beskedfordeler", "--skip", "--note", "De ved det").status == 0
    updated = desk(
        "incident", "update", 1, "--phase", "identified", "--text", "Netværket", "--next", "2026-11-23 11:30"
    )
    assert "lovet 23.11.2026 kl. 11:30" in updated.out
    assert "[update-1-driftstatus]" in updated.out
    assert "beskedfordeler]" not in updated.out
    clock.advance(20 * MINUTE)
    resolved = desk("incident", "resolve", 1, "--text", "Alt kører")
    assert "ses stadig" in resolved.out
    assert desk("incident", "list", "--open").out == "Der er ingen åbne hændelser.\n"
    report = desk("incident", "report", 1).out
    for needed in (
        "# Hændelse 1: Beskedfordeleren tager ikke imod sygehusadviser",
        "| Varighed | 0 t 35 min |",
        "| Orientér KOMBITs driftsvagt | manuelt | udført | Bo | 23.11.2026 kl. 10:05 | Sag 12 |",
        "Løst** (",
        "er sprunget over: De ved det",
    ):
        assert needed in report, needed
    data = desk("incident", "report", 1, "--format", "json").json
    assert (data["minutes"], data["incident"]["state"], len(data["updates"])) == (35, "resolved", 2)
    file = tmp_path / "rapport.json"
    assert desk("incident", "report", 1, "--format", "json", "--out", file).status == 0
    assert json.loads(file.read_text(encoding="utf-8")) == data
    assert "findes" in desk("incident", "report", 1, "--out", file).err


def test_the_report_counts_what_came_and_what_was_late(
    desk: Command, db: Database, clock: SimulatedClock
) -> None:
    began = clock.now() - 5 * MINUTE
    with db.writing() as tx:
        receivers = connect(tx)
        for minutes, took in ((-8, 12), (-8, 9), (-11, 20), (1, 2), (2, None)):
            received = began + minutes * MINUTE
            published = None if took is None else received + took * MINUTE
            an_advis(tx, receivers=receivers, received_at=received, published_at=published)
    data = desk("incident", "report", 1, "--format", "json").json
    # Two came after it had begun. Late: the one under way when it began, and the one not there yet.
    assert (data["adviser_received"], data["adviser_delayed"]) == (2, 2)


def test_a_proposal_is_dismissed_with_a_reason(desk: Command) -> None:
    assert desk("incident", "dismiss", 1).status == 2
    assert desk("incident", "dismiss", 1, "--reason", "Planlagt arbejde").status == 0
    assert "afvist" in desk("incident", "list").out
    assert "Planlagt arbejde" in desk("incident", "report", 1).out
    refused = desk("incident", "declare", 1, "--yes")
    assert "er afvist og kan ikke erklæres" in refused.err


def test_the_hotline_proposes_and_an_administrator_decides(
    desk: Command, as_user: Callable[[str], None]
) -> None:
    for who, role in (("anna", "hotline"), ("rev", "auditor")):
        desk("role", "grant", who, role)
    as_user("anna")
    proposed = desk("incident", "propose", "--title", "Strømsvigt", "--reason", "Datacentret er nede")
    assert "Hændelse 2 er foreslået: Strømsvigt." in proposed.out
    forbidden: list[tuple[Any, ...]] = [
        ("declare", 2, "--yes"),
        ("dismiss", 2, "--reason", "x"),
        ("step", 1, "driftsvagt"),
        ("update", 1, "--phase", "identified", "--text", "x"),
        ("resolve", 1, "--text", "x"),
    ]
    for words in forbidden:
        assert "kræver rollen administrator" in desk("incident", *words).err
    as_user("rev")
    assert desk("incident", "show", 2).status == 0
    assert "kræver rollen" in desk("incident", "propose", "--title", "x", "--reason", "y").err


def test_what_changed_meanwhile_is_not_declared_unseen(desk: Command) -> None:
    refused = desk("incident", "declare", 1, "--yes", "--version", 9)
    assert refused.status == 1
    assert "ændret, siden du så det" in refused.err


def test_what_people_type_is_checked(desk: Command) -> None:
    desk("incident", "declare", 1, "--yes")
    for words, told in (
        (("step", 1, "driftsvagt", "--note", "010190-1234"), "CPR"),
        (("step", 1, "driftsvagt", "--skip"), "hvorfor"),
        (("step", 1, "driftvagt"), "intet trin 'driftvagt'"),
        (("update", 1, "--phase", "resolved", "--text", "x"), "incident resolve 1"),
        (("propose", "--title", "x" * 130, "--reason", "y"), "højst have 120 tegn"),
        (("propose", "--title", "x", "--reason", "y", "--began", "2026-12-01 10:00"), "i fremtiden"),
        (("show", 9), "ingen hændelse 9"),
    ):
        refused = desk("incident", *words)
        assert refused.status == 1, words
        assert told in refused.err
    assert desk("incident", "update", 1, "--phase", "forkert", "--text", "x").status == 2
    assert desk("incident", "report", 1, "--format", "pdf").status == 2


def test_without_a_terminal_it_must_be_said(desk: Command) -> None:
    refused = desk("incident", "declare", 1)
    assert "Bekræft med --yes" in refused.err
    assert desk("incident", "show", 1, "--json").json["state"] == "proposed"


def test_every_act_stands_in_the_audit_log(desk: Command) -> None:
    desk("incident", "declare", 1, "--yes")
    desk("incident", "step", 1, "driftsvagt")
    desk("incident", "update", 1, "--phase", "monitoring", "--text", "Bedre")
    desk("incident", "resolve", 1, "--text", "Slut")
    actions = [entry["action"] for entry in desk("audit", "list", "--json").json]
    assert {"incident-declared", "incident-step-set", "incident-updated", "incident-resolved"} <= set(actions)
