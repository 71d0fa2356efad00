"""`doctor` on the command line: signs, words, what to do, and the exit status."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.home import Home
from engine.settings import variable
from tests.commands.conftest import Command

pytestmark = pytest.mark.usefixtures("power_cuts_are_nothing")


def test_a_fresh_home_has_advice_and_no_fault(at_home: Command, new_home: Home) -> None:
    result = at_home("doctor")
    assert (result.status, result.err) == (0, "")
    lines = result.out.splitlines()
    assert "✓ i orden  Nøgle: kan læses, og det er den, databasen kender" in lines
    advice = lines.index("! råd      Indstillinger: alarm.lead_email er tom")
    assert lines[advice + 1] == (
        "           En sag, som ingen tager, bliver ikke mailet til hotlinens leder. Sæt adressen."
    )
    assert lines[-1].startswith("Undersøgt: i orden ")
    assert "fejl" not in lines[-1]


def test_a_fault_is_told_with_what_to_do_and_the_status_is_1(at_home: Command, new_home: Home) -> None:
    new_home.key_file.chmod(0o644)
    result = at_home("doctor")
    assert result.status == 1
    lines = result.out.splitlines()
    fault = lines.index(f"✗ fejl     Nøgle: Nøglefilen {new_home.key_file} kan læses af andre")
    assert lines[fault + 1] == f"           Kør: chmod 600 {new_home.key_file}"
    assert lines[-1].endswith("fejl 1.")
    assert result.err == "Fejl: Noget er galt: ret det, der er mærket ✗, og kør sundhedsagent doctor igen.\n"


def test_as_json_it_is_one_object(at_home: Command, new_home: Home) -> None:
    found = at_home("doctor", "--json").json
    assert found["faults"] == 0
    by_name = {each["name"]: each for each in found["checks"]}
    assert by_name["key"] == {
        "name": "key",
        "what": "Nøgle",
        "verdict": "good",
        "found": "kan læses, og det er den, databasen kender",
        "do": "",
    }
    assert set(by_name) >= {"settings", "key", "folders", "disk", "database", "clock", "engine"}
    new_home.key_file.unlink()
    broken = at_home("doctor", "--json")
    assert (broken.status, broken.json["faults"]) == (1, 1)


def test_a_home_that_cannot_be_opened_is_looked_at_all_the_same(at_home: Command, new_home: Home) -> None:
    new_home.settings_file.write_text("[")
    assert at_home("status").status == 1
    result = at_home("doctor")
    assert result.status == 1
    assert "✗ fejl     Indstillinger: " in result.out
    assert "✓ i orden  Mapper: " in result.out
    assert "? ukendt   Forbindelser: " in result.out


def test_where_no_home_is(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = command("--home", tmp_path / "væk", "doctor")
    assert (away.status, away.out.splitlines()[0]) == (
        1,
        f"✗ fejl     Hjemmemappe: {tmp_path / 'væk'} findes ikke",
    )
    monkeypatch.chdir(tmp_path)
    chosen = command("doctor")
    assert (chosen.status, "Ingen hjemmemappe er valgt" in chosen.err) == (1, True)


def test_what_links_log_does_not_stand_between_the_lines(
    at_home: Command, new_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "via": "amqp",
        "server": "127.0.0.1",
        "port": "1",
        "cvr": "64942212",
        "dueslag": "b2f7a1d0-0000-4000-8000-000000000001",
        "certificate": str(new_home.path / "none.pem"),
        "sts": "https://127.0.0.1:1/",
    }
    for key, value in settings.items():
        monkeypatch.setenv(variable(f"beskedfordeler.{key}"), value)
    result = at_home("doctor")
    assert result.status == 1
    names = ("Certifikat: Beskedfordeleren", "STS", "Beskedfordeler")
    assert [name for name in names if f"✗ fejl     {name}: " not in result.out] == []
    assert len(result.err.splitlines()) == 1


def test_no_role_is_needed(at_home: Command, as_user: Callable[[str], None]) -> None:
    as_user("fremmed")
    assert at_home("status").status == 1
    assert at_home("doctor").status == 0
