from pathlib import Path

import pytest

from engine.desk.access import caller_identity
from engine.home import KEY_VARIABLE, Home
from engine.settings import fields
from tests.commands.conftest import Command


def test_init_makes_a_home_and_says_what_is_next(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "nyt hjem"
    found = command("init", folder)
    assert (found.status, found.err) == (0, "")
    assert f"Hjemmemappen {folder} er oprettet. {caller_identity()} er administrator." in found.out
    assert "payload.key" in found.out
    assert Home.open(folder).path == folder
    assert command("status", "--home", folder).status == 0
    again = command("init", folder)
    assert (again.status, again.err) == (
        1,
        f"Fejl: {folder} er allerede en hjemmemappe. Vælg en anden mappe.\n",
    )


def test_init_in_the_folder_one_stands_in(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("init", ".").status == 0
    assert command("status").status == 0


def test_upgrade_has_nothing_to_do_on_a_new_home(at_home: Command) -> None:
    assert at_home("db", "upgrade").out == "Databasen er opdateret i forvejen.\n"
    old = at_home("upgrade")
    assert (old.status, old.out) == (2, "")


def test_settings_shows_each_value_and_where_from(at_home: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_ENGINE__BATCH", "7")
    monkeypatch.setenv(KEY_VARIABLE, "secret-key")
    found = at_home("settings", "--json")
    assert found.status == 0
    by_key = {item["key"]: item for item in found.json}
    assert by_key["engine.batch"] == {"key": "engine.batch", "value": "7", "origin": "miljø"}
    assert by_key["publish.batch"]["origin"] == "fil"
    assert set(by_key) == {key for key, _ in fields()} | {"payload_key"}
    text = at_home("settings").out
    assert "kvittering.deadline" in text
    assert '"45 min"' in text
    assert "secret-key" not in found.out + text


@pytest.mark.sqlite_only
def test_a_wrong_setting_stops_a_command_with_its_name(at_home: Command, new_home: Home) -> None:
    new_home.settings_file.write_text("[engine]\nbatsh = 1\n")
    for words in (("settings",), ("status",), ("run", "--drain"), ("simulate",)):
        found = at_home(*words)
        assert (found.status, found.out) == (1, "")
        assert "engine.batsh er ukendt; mente du engine.batch?" in found.err
