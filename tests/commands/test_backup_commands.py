"""`backup`, `restore` and `db check` as people give them."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.desk.access import caller_identity
from engine.home import KEY_VARIABLE, Home
from tests.commands.conftest import Command
from tests.servers.postgresql import PostgresServer


@pytest.fixture
def backup(at_home: Command, tmp_path: Path) -> Path:
    assert at_home("backup", tmp_path / "kopier").status == 0
    (folder,) = (tmp_path / "kopier").glob("sundhedsagent-*")
    return folder


def test_backup_says_what_is_in_it_and_what_is_not(at_home: Command, tmp_path: Path) -> None:
    found = at_home("backup", tmp_path / "kopier", "--keep", 2)
    assert (found.status, found.err) == (0, "")
    (folder,) = (tmp_path / "kopier").glob("sundhedsagent-*")
    assert f"Sikkerhedskopien er lavet: {folder} (" in found.out
    assert "Nøglen (payload.key) er med vilje ikke med: gem den et andet sted." in found.out
    assert f"sundhedsagent restore --verify {folder}" in found.out
    at_home("backup", tmp_path / "kopier")
    assert f"Slettet: {folder.name}.\n" in at_home("backup", tmp_path / "kopier", "--keep", 2).out
    assert at_home("backup", tmp_path / "kopier", "--keep", 0).status == 2
    assert at_home("backup").status == 2


def test_backup_of_no_home_and_to_no_folder_is_told(
    at_home: Command, command: Command, new_home: Home, tmp_path: Path
) -> None:
    assert "er ikke en hjemmemappe" in command("--home", tmp_path, "backup", tmp_path / "b").err
    (tmp_path / "file").touch()
    found = at_home("backup", tmp_path / "file")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith(f"Fejl: Sikkerhedskopien kan ikke laves i {tmp_path / 'file'}: ")
    assert "ligger i hjemmemappen" in at_home("backup", new_home.path / "b").err


def test_verify_tells_each_thing_it_looked_at(at_home: Command, backup: Path) -> None:
    found = at_home("restore", "--verify", backup)
    assert (found.status, found.err) == (0, "")
    lines = found.out.splitlines()
    assert len([line for line in lines if line.startswith("✓ i orden")]) == 13
    assert lines[-1] == "Undersøgt: i orden 13."
    as_json = at_home("restore", "--verify", backup, "--json").json
    assert (as_json["faults"], len(as_json["checks"])) == (0, 13)
    assert as_json["checks"][0] == {
        "name": "files",
        "what": "Filer",
        "verdict": "good",
        "found": "manifest og 2 filer er, som de blev skrevet",
        "do": "",
    }


def test_verify_ends_with_1_where_anything_is_wrong(
    at_home: Command, command: Command, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # in no home: there is no key at hand
    found = command("restore", "--verify", backup)
    assert found.status == 0
    assert "? ukendt   Nøgle: der er ingen nøgle at prøve med" in found.out
    key = tmp_path / "anden.key"
    key.write_text("A" * 43 + "=\n")
    key.chmod(0o600)
    found = command("restore", "--verify", backup, "--key", key)
    assert found.status == 1
    assert "✗ fejl     Nøgle: nøglen er en anden" in found.out
    assert f"Fejl: Sikkerhedskopien {backup} kan ikke bruges" in found.err
    with (backup / "sundhedsagent.toml").open("a") as file:
        file.write("\n")
    found = at_home("restore", "--verify", backup, "--json")
    assert (found.status, found.json["faults"]) == (1, 1)
    assert "sundhedsagent.toml mangler eller er ændret" in found.json["checks"][0]["found"]


def test_restore_makes_a_home_and_says_what_is_next(
    command: Command, new_home: Home, backup: Path, tmp_path: Path
) -> None:
    found = command("restore", backup, tmp_path / "nyt hjem", "--key", new_home.key_file)
    assert (found.status, found.err) == (0, "")
    assert re.search(rf"Hjemmemappen {tmp_path / 'nyt hjem'} er gendannet, som den var .* kl\. ", found.out)
    for said in ("Før motoren startes:", "major incident", "VANS-leverandøren", "Når den kører:"):
        assert said in found.out
    assert "ikke administrator" not in found.out
    home = ("--home", tmp_path / "nyt hjem")
    assert command(*home, "db", "check").status == 0
    assert "database gendannet (database); sikkerhedskopi fra: " in command(*home, "audit", "list").out
    assert command(*home, "audit", "verify").status == 0
    again = command("restore", backup, tmp_path / "nyt hjem", "--key", new_home.key_file)
    assert (again.status, "allerede en hjemmemappe" in again.err) == (1, True)


def test_restore_wants_a_folder_and_a_key(
    command: Command, new_home: Home, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("restore", backup).status == 2
    assert command("restore", "--verify", backup, tmp_path / "nyt").status == 2
    assert command("restore", backup, tmp_path / "nyt", "--database", "mysql://x").status == 2
    found = command("restore", backup, tmp_path / "nyt")
    assert (found.status, found.out) == (1, "")
    assert f"Nøglen mangler: giv den med --key FIL eller i {KEY_VARIABLE}" in found.err
    monkeypatch.setenv(KEY_VARIABLE, new_home.key_file.read_text().strip())
    found = command("restore", backup, tmp_path / "nyt")
    assert found.status == 0
    assert f"Nøglen er ikke skrevet i hjemmet: den skal fortsat stå i {KEY_VARIABLE}." in found.out
    assert not (tmp_path / "nyt" / "payload.key").exists()


def test_restore_says_who_administers_where_it_is_not_the_caller(
    command: Command, at_home: Command, new_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(new_home.database_file)) as conn, conn:
        conn.execute("UPDATE role_grant SET identity = 'anna'")
    at_home("backup", tmp_path / "kopier")
    (folder,) = (tmp_path / "kopier").glob("sundhedsagent-*")
    found = command("restore", folder, tmp_path / "nyt", "--key", new_home.key_file)
    assert f"Du ({caller_identity()}) er ikke administrator i den. Det er: anna." in found.out


def test_db_check_tells_each_thing_and_ends_with_1_where_anything_is_wrong(
    at_home: Command, new_home: Home
) -> None:
    found = at_home("db", "check")
    assert (found.status, found.err) == (0, "")
    assert found.out.splitlines()[-1] == "Undersøgt: i orden 10."
    with closing(sqlite3.connect(new_home.database_file)) as conn, conn:
        conn.execute("INSERT INTO unit VALUES ('1', 's', '9999')")
    found = at_home("db", "check", "--json")
    assert (found.status, found.json["faults"]) == (1, 1)
    assert [each["name"] for each in found.json["checks"] if each["verdict"] == "fault"] == ["foreign-keys"]
    found = at_home("db", "check")
    assert "✗ fejl     Fremmednøgler: 1 rækker henviser til noget" in found.out
    assert found.err == "Fejl: Databasen er ikke i orden: se det, der er mærket ✗.\n"


class TestOnAServer:
    @pytest.fixture
    def database_kind(self) -> str:
        return "postgresql"

    def test_restore_goes_into_an_empty_database_and_says_which_one_the_engine_will_use(
        self,
        command: Command,
        new_home: Home,
        backup: Path,
        tmp_path: Path,
        postgres: PostgresServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        old, url = new_home.database_url, postgres.create()
        monkeypatch.setenv("SUNDHEDSAGENT_DATABASE__URL", old)
        words = ("restore", backup, tmp_path / "nyt", "--key", new_home.key_file, "--database")
        used = command(*words, old)
        assert (used.status, "er ikke tom" in used.err) == (1, True)
        found = command(*words, url)
        assert (found.status, found.err) == (0, "")
        assert "SUNDHEDSAGENT_DATABASE__URL er sat og gælder frem for adressen" in found.out
        monkeypatch.delenv("SUNDHEDSAGENT_DATABASE__URL")
        assert Home.open(tmp_path / "nyt").database_url == url
        assert command("--home", tmp_path / "nyt", "db", "check").status == 0
        postgres.drop(url)
