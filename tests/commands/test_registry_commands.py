import sqlite3

import pytest

from engine.home import Home
from engine.simulation.made_up import made_up_gln
from tests.commands.conftest import Command

GLN = made_up_gln(751)
UUID = "3f0c2f6e-8f5b-4f0e-9c55-0d4b7f3a1c2d"
OTHER = "7e57ab1e-8f5b-4f0e-9c55-0d4b7f3a1c2d"
CONNECT = (
    *("kommune", "connect", "0751", "--gln", GLN, "--sor", "325421000016001"),
    *("--contact-email", "advis@aarhus.example", "--primary-name", "Cura", "--primary-uuid", UUID.upper()),
    *("--vendor", "Systematic", "--vendor-email", "drift@systematic.example"),
)
ADD = (
    *("receiver", "add", "0751", "--name", "Nexus Sårpleje", "--uuid", OTHER),
    *("--vendor", "KMD", "--vendor-email", "drift@kmd.example"),
    *("--area", "Sundhed", "--agreed-by", "Områdechefen", "--only-kvittering"),
)


def test_connecting_adding_and_looking(at_home: Command) -> None:
    found = at_home(*CONNECT)
    assert (found.status, found.err) == (0, "")
    assert found.out.splitlines() == [
        "Aarhus Kommune (0751) er tilsluttet.",
        f"Primært modtagersystem: Cura ({UUID}).",
    ]
    assert at_home(*ADD).out.splitlines()[0] == f"Nexus Sårpleje ({OTHER}) er tilføjet i Aarhus Kommune."
    shown = at_home("kommune", "show", "0751", "--json").json
    assert (shown["code"], shown["gln"], shown["connected"]) == ("0751", GLN, True)
    assert [(item["name"], item["uuid"], item["primary"]) for item in shown["receivers"]] == [
        ("Cura", UUID, True),
        ("Nexus Sårpleje", OTHER, False),
    ]
    listed = at_home("receiver", "list", "0751", "--json").json
    assert [item["uuid"] for item in listed] == [item["uuid"] for item in shown["receivers"]]
    lines = at_home("kommune", "list", "--json").json
    assert len(lines) == 98
    assert [item["name"] for item in lines if item["connected"]] == ["Aarhus Kommune"]
    assert at_home("kommune", "list", "--connected", "--json").json == [
        lines[[x["code"] for x in lines].index("0751")]
    ]


def test_the_registry_for_people_fits_80_columns(at_home: Command) -> None:
    at_home(*CONNECT)
    at_home(*ADD)
    assert at_home("kommune", "list", "--connected").out.splitlines() == [
        "Kode  Navn            GLN            Primært system  Systemer",
        f"0751  Aarhus Kommune  {GLN}  Cura                   2",
    ]
    shown = at_home("kommune", "show", "aarhus").out
    assert "Kontaktpunkt   advis@aarhus.example" in shown
    assert f"Cura            ja       Systematic  {UUID}" in shown
    assert (
        at_home("receiver", "list", "0751").out.splitlines()[2].startswith("Nexus Sårpleje  kvitterer   KMD")
    )
    assert at_home("receiver", "list", "0101").out == "Kommunen har ingen modtagersystemer.\n"
    for out in (shown, at_home("kommune", "list").out):
        assert max(len(line) for line in out.splitlines()) <= 80


def test_a_rule_that_refuses_is_status_1(at_home: Command) -> None:
    at_home(*CONNECT)
    found = at_home(*CONNECT)
    assert (found.status, found.out) == (1, "")
    assert found.err == "Fejl: Aarhus Kommune (0751) er allerede tilsluttet.\n"
    assert "allerede registreret" in (at_home(*ADD), at_home(*ADD))[1].err


@pytest.mark.sqlite_only
def test_without_a_role_there_is_no_access(at_home: Command, new_home: Home) -> None:
    with sqlite3.connect(new_home.database_file) as conn:
        conn.execute("UPDATE role_grant SET identity = 'mette'")
    conn.close()
    for words in (CONNECT, ADD, ("kommune", "list"), ("advis", "list"), ("pending",), ("status", "--json")):
        found = at_home(*words)
        assert (found.status, found.out) == (1, "")
        assert "har ingen rolle" in found.err
        assert "mette" in found.err
    assert at_home("run", "--drain").status == 0  # the engine is nobody's
