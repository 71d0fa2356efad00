"""What the hotline does for those who call: `advis search|where|resend`, `todo`, `quarantine`, `kvittering`."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from engine.home import Home
from engine.settings import Settings
from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.envelopes import Correspondence, hn_envelope, kvittering_besked
from engine.simulation.made_up import BRUNO, made_up_unit
from engine.simulation.messages import HnSpec, ack_bytes, hn_bytes
from engine.store.database import Database
from tests.commands.conftest import Command
from tests.desk.builders import a_kommune, an_act, uuid
from tests.process.outside import drop

CPR, REASON = BRUNO.cpr, ("--reason", "Opkald fra kommunen")
KOMMUNE = made_up_unit(751, "Sygehusadviser, Aarhus Kommune")
ENVELOPE = "6f1c1f2e-0000-4000-8000-000000000001"


@pytest.fixture
def spec() -> HnSpec:
    return an_advis(kommune=KOMMUNE)


@pytest.fixture
def desk(at_home: Command, new_home: Home, db: Database, spec: HnSpec) -> Command:
    """One advis about MedCom's test person, taken in and published by the real engine."""
    from engine.desk.kommuner import connect_kommune

    with db.writing() as tx:
        connect_kommune(an_act(tx), a_kommune(gln=KOMMUNE.gln, sor=KOMMUNE.sor))
    drop(new_home.vans_in, ENVELOPE, hn_envelope(spec, hn_bytes(spec), envelope_id=ENVELOPE))
    assert at_home("run", "--drain").status == 0
    return at_home


# --- search -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["message", "bundle", "envelope", "besked", "hospital"])
def test_an_advis_is_found_by_each_of_its_names(desk: Command, spec: HnSpec, field: str) -> None:
    (found,) = desk("advis", "search", "--json").json
    option = {
        "message": ("--message-id", spec.message_id.upper()),
        "bundle": ("--bundle-id", found["bundle_id"].upper()),
        "envelope": ("--envelope", ENVELOPE.upper()),
        "besked": ("--besked-id", found["besked_id"]),
        "hospital": ("--hospital", found["hospital"]["name"][:6].lower()),
    }[field]
    assert [each["id"] for each in desk("advis", "search", *option, "--json").json] == [1]
    other = (option[0], "findes-ikke")
    assert desk("advis", "search", *other).out == "Ingen adviser passer.\n"


def test_a_person_is_found_with_a_reason_and_leaves_a_trace(desk: Command) -> None:
    assert "kræver en begrundelse" in desk("advis", "search", "--cpr", CPR).err
    for written in (CPR, f"{CPR[:6]}-{CPR[6:]}"):
        found = desk("advis", "search", "--cpr", written, *REASON, "--json")
        assert [each["id"] for each in found.json] == [1]
        assert CPR[:6] not in found.out
    assert desk("advis", "search", "--cpr", "0101010101", *REASON).out == "Ingen adviser passer.\n"
    entries = [entry for entry in desk("audit", "list", "--json").json if entry["action"] == "person-sought"]
    assert [entry["after"]["found"] for entry in entries] == [0, 1, 1]
    assert entries[0]["reason"] == "Opkald fra kommunen"
    assert entries[1]["subject"] == entries[2]["subject"] != entries[0]["subject"]
    assert CPR not in json.dumps(entries)


def test_what_is_no_cpr_number_is_not_repeated(desk: Command) -> None:
    refused = desk("advis", "search", "--cpr", "25094799899", *REASON)
    assert refused.status == 1
    assert "10 cifre" in refused.err
    assert "2509" not in refused.err


def test_a_cpr_number_may_come_without_being_shown(desk: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{CPR}\n"))
    assert len(desk("advis", "search", "--cpr", "-", *REASON, "--json").json) == 1


def test_an_auditor_searches_for_adviser_and_not_for_people(
    desk: Command, as_user: Callable[[str], None]
) -> None:
    desk("role", "grant", "rev", "auditor")
    as_user("rev")
    assert desk("advis", "search", "--envelope", ENVELOPE).status == 0
    assert "kræver rollen hotline eller administrator" in desk("advis", "search", "--cpr", CPR, *REASON).err


# --- where ------------------------------------------------------------------------------------------------------------


def test_a_kommune_that_asks_is_sent_to_its_vendor(desk: Command) -> None:
    shown = desk("advis", "where", "--asker", "kommune", "--kommune", "0751", "--system", "System 1").out
    assert "Kommunen kontakter leverandøren" in shown
    assert "Leverandør af System 1: Leverandør, drift@v.example" in shown


def test_a_vendor_that_asks_hears_what_we_have(desk: Command, spec: HnSpec) -> None:
    asked = ("advis", "where", "--asker", "leverandør", "--kommune", "Aarhus", "--system", "System 1")
    shown = desk(*asked, "--message-id", spec.message_id).out
    for needed in ("har ikke kvitteret", "Fordelt", "under BeskedId", "Ring til"):
        assert needed in shown
    assert desk(*asked, "--cpr", CPR, *REASON, "--json").json["answer"] == "not-acknowledged"
    assert desk(*asked, "--message-id", "findes-ikke", "--json").json["answer"] == "nothing-came"


def test_one_that_was_addressed_to_nobody_has_come_all_the_same(
    desk: Command, new_home: Home, spec: HnSpec
) -> None:
    from dataclasses import replace

    stray = replace(spec, message_id=str(UUID(int=7, version=4)), bundle_id=str(UUID(int=8, version=4)))
    stray = replace(stray, kommune=made_up_unit(999, "Ingen"))
    envelope_id = str(UUID(int=9, version=4))
    drop(new_home.vans_in, envelope_id, hn_envelope(stray, hn_bytes(stray), envelope_id=envelope_id))
    assert desk("run", "--drain").status == 0
    asked = ("advis", "where", "--asker", "lev", "--kommune", "0751", "--system", "System 1")
    found = desk(*asked, "--message-id", stray.message_id, "--json").json
    assert found["answer"] == "refused"
    assert "ikke en kommune, der er tilsluttet" in found["known"][1]


def test_without_a_terminal_it_says_which_option_is_missing(desk: Command) -> None:
    for words, option in (
        ((), "--asker"),
        (("--asker", "leverandør"), "--kommune"),
        (("--asker", "leverandør", "--kommune", "0751"), "--system"),
        (("--asker", "leverandør", "--kommune", "0751", "--system", "System 1"), "--message-id"),
    ):
        refused = desk("advis", "where", *words)
        assert refused.status == 1
        assert option in refused.err
    assert desk("advis", "where", "--asker", "region").status == 2


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A person at a terminal who answers one question after the other."""

    def answer(*answers: str) -> None:
        coming: Iterator[str] = iter(answers)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda _: next(coming))
        monkeypatch.setattr("getpass.getpass", lambda _: next(coming))

    class Terminal(io.StringIO):
        pass

    monkeypatch.setattr(sys, "stdin", Terminal())
    return answer


def test_at_a_terminal_it_asks_step_by_step(desk: Command, spec: HnSpec, typed: Callable[..., None]) -> None:
    typed("l", "aarhus", "System 1", spec.message_id)
    assert "har ikke kvitteret" in desk("advis", "where").out
    typed("lev", "0751", "System 1", "", CPR, "Opkald")
    assert "har ikke kvitteret" in desk("advis", "where").out
    typed("l", "0751", "System 1", "", "", "test", "2000-01-01", "")
    assert "Fordelt" in desk("advis", "where").out
    typed("k", "0751")
    assert "Kommunen kontakter leverandøren" in desk("advis", "where").out


# --- resend -----------------------------------------------------------------------------------------------------------


def test_one_is_sent_again_after_a_look_at_what_it_is(desk: Command, new_home: Home) -> None:
    reason = ("--reason", "Tabt hos leverandøren")
    (dueslag,) = new_home.dueslag.iterdir()
    (file,) = dueslag.glob("*.xml")
    file.unlink()
    shown = desk("advis", "resend", 1, *reason)
    assert "1 advis sendes igen under samme BeskedId. Ingen frist begynder forfra." in shown.out
    assert "Bekræft med --yes" in shown.err
    assert desk("advis", "resend", 1, *reason, "--yes").status == 0
    twice = desk("advis", "resend", 1, *reason, "--yes")
    assert "er allerede på vej" in twice.out
    assert desk("run", "--drain").status == 0
    assert file.exists()
    assert "Fordeles igen under samme BeskedId (runde 2)" in desk("advis", "trace", 1).out


def test_only_those_that_are_named_are_sent_again(desk: Command, new_home: Home, spec: HnSpec) -> None:
    from dataclasses import replace

    others = {"message_id": str(UUID(int=7, version=4)), "bundle_id": str(UUID(int=8, version=4))}
    other, envelope_id = replace(spec, **others), str(UUID(int=9, version=4))
    drop(new_home.vans_in, envelope_id, hn_envelope(other, hn_bytes(other), envelope_id=envelope_id))
    assert desk("run", "--drain").status == 0
    named = desk("advis", "resend", other.message_id, "--reason", "x", "--yes", "--json").json
    assert named["ids"] == [2]


def test_nothing_chosen_is_not_everything(desk: Command) -> None:
    refused = desk("advis", "resend", "--reason", "x", "--yes")
    assert refused.status == 2
    assert "angiv hvilke" in refused.err
    assert (
        len(desk("advis", "resend", "--kommune", "0751", "--reason", "x", "--yes", "--json").json["ids"]) == 1
    )


# --- todo, kvittering -------------------------------------------------------------------------------------------------


@pytest.fixture
def answered(desk: Command, new_home: Home, spec: HnSpec) -> Command:
    """A negative kvittering from the primary, and one from a system that nobody knows."""
    from engine.domain.acknowledgement import ResponseCode

    beskedtype = Settings.load(new_home).beskedtype_medcomkvittering
    for number, code in ((1, ResponseCode.FATAL_ERROR), (9, ResponseCode.OK)):
        data = ack_bytes(an_acknowledgement(spec, code=code))
        who = Correspondence(uuid(number), "55133018", beskedtype)
        besked = kvittering_besked(
            data, who=who, besked_id=uuid(100 + number), related_besked_id=None, made_at=spec.sent_at
        )
        drop(new_home.afsend, f"k{number}", besked)
    assert desk("run", "--drain").status == 0
    return desk


def test_todo_says_what_waits_whom_to_call_and_what_to_say(answered: Command) -> None:
    shown = answered("todo").out
    for needed in (
        "Kræver handling: uafklarede kvitteringer 1, negative kvitteringer 1.",
        "svarede fatal-error på advis 1",
        "Ring: Leverandør: Leverandør, drift@v.example",
        "Åbn:  sundhedsagent kvittering show",
    ):
        assert needed in shown
    found = answered("todo", "--json").json
    assert (found["counts"]["negativ"], found["counts"]["sag"]) == (1, 0)
    for item in found["items"]:
        assert answered("todo", "done", item["key"], "--note", "Talt med dem").status == 0
    assert answered("todo").out == "Intet venter på et menneske.\n"


def test_an_unmatched_kvittering_in_full(answered: Command) -> None:
    (line,) = answered("kvittering", "unmatched", "--json").json
    assert line["disposition_text"] == "uafklaret kvittering"
    assert line["sender"] is None
    shown = answered("kvittering", "show", line["id"]).out
    for needed in ("uafklaret kvittering", "ikke registreret", "Spørg kommunen", uuid(9)):
        assert needed in shown
    assert "ingen kvittering 99" in answered("kvittering", "show", 99).err
    answered("todo", "done", f"uafklaret:{line['id']}", "--note", "Set")
    assert answered("kvittering", "unmatched").out == "Der er ingen uafklarede kvitteringer.\n"
    assert len(answered("kvittering", "unmatched", "--all", "--json").json) == 1


# --- quarantine -------------------------------------------------------------------------------------------------------


@pytest.fixture
def aside(at_home: Command, new_home: Home) -> Command:
    drop(new_home.vans_in, "forkert", b"ingen konvolut")
    drop(new_home.afsend, "heller-ikke", b"ingen besked")
    assert at_home("run", "--drain").status == 0
    return at_home


def test_the_quarantine_says_why_and_where_and_not_what(aside: Command, new_home: Home) -> None:
    assert [item["channel"] for item in aside("quarantine", "list", "--json").json] == [
        "vans",
        "beskedfordeler",
    ]
    shown = aside("quarantine", "show", 1).out
    assert "Filen er ikke en læsbar VANSEnvelope" in shown
    assert str(new_home.vans_quarantine / "forkert.xml") in shown
    assert "ingen konvolut" not in shown


@pytest.mark.parametrize("number", [1, 2])
def test_what_is_retried_is_a_new_delivery(aside: Command, new_home: Home, number: int) -> None:
    retried = aside("quarantine", "retry", number, "--reason", "Rettet")
    assert (retried.status, retried.out) == (0, f"Nummer {number} prøves igen, når en motor kører.\n")
    folder = (new_home.vans_quarantine, new_home.beskedfordeler_quarantine)[number - 1]
    assert list(folder.iterdir()) == []
    assert "allerede prøvet igen" in aside("quarantine", "retry", number).err
    assert aside("run", "--drain").status == 0
    waiting = aside("quarantine", "list", "--json").json  # it is no better than it was
    assert sorted(item["id"] for item in waiting) == [3 - number, 3]
    assert "gemt i databasen" in aside("quarantine", "show", 3).out


def test_what_is_discarded_waits_no_more(aside: Command, new_home: Home) -> None:
    assert aside("quarantine", "discard", 1).status == 2
    assert aside("quarantine", "discard", 1, "--reason", "En test").status == 0
    assert [item["id"] for item in aside("quarantine", "list", "--json").json] == [2]
    assert list(new_home.vans_quarantine.iterdir()) == []
    assert "kasseret" in aside("quarantine", "list", "--all").out
    assert "En test" in aside("quarantine", "show", 1).out
    assert "gemt i databasen" in aside("quarantine", "show", 1).out


def test_what_was_too_large_is_kept_in_its_file_alone(
    at_home: Command, new_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_VANS__MAX_ENVELOPE_BYTES", "10000")
    drop(new_home.vans_in, "stor", b"x" * 10_001)
    at_home("run", "--drain")
    (file,) = new_home.vans_quarantine.glob("*.xml")
    assert at_home("quarantine", "discard", 1, "--reason", "x").status == 0
    assert file.exists()  # nowhere else


def test_those_who_only_read_decide_nothing(aside: Command, as_user: Callable[[str], Any]) -> None:
    aside("role", "grant", "rev", "auditor")
    as_user("rev")
    assert aside("quarantine", "show", 1).status == 0
    for words in (("retry", 1), ("discard", 1, "--reason", "x")):
        assert "kræver rollen" in aside("quarantine", *words).err
