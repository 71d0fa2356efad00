"""Every rule of administering receivers (behaviour, section 7): broken from the command line, and the refusal read."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from engine.clock import SimulatedClock
from engine.home import Home
from engine.simulation.made_up import made_up_gln
from engine.store import tables
from engine.store.database import Database
from tests.commands.conftest import Command, Result
from tests.desk import builders

CURA, NEXUS, SENSUM = (
    "3f0c2f6e-8f5b-4f0e-9c55-0d4b7f3a1c01",
    "3f0c2f6e-8f5b-4f0e-9c55-0d4b7f3a1c02",
    "3f0c2f6e-8f5b-4f0e-9c55-0d4b7f3a1c03",
)
PRIMARY = {"--primary-name": "Cura", "--primary-uuid": CURA, "--vendor": "Systematic"}
UNIT = {"--gln": made_up_gln(751), "--sor": "325421000016001", "--contact-email": "advis@aarhus.example"}
ADDED = {
    "--name": "Nexus",
    "--uuid": NEXUS,
    "--vendor": "KMD",
    "--vendor-email": "drift@kmd.example",
    "--area": "Sundhed",
    "--agreed-by": "Områdechefen",
    "--only-kvittering": None,
}
REPLACED = {"--old-name": "Cura", "--old-uuid": CURA, "--new-name": "Nexus", "--new-uuid": NEXUS}
TOMORROW = "2026-11-24 10:00"


def words(options: dict[str, str | None]) -> list[str]:
    return [word for name, value in options.items() for word in ([name] if value is None else [name, value])]


@pytest.fixture
def desk(at_home: Command, clock: SimulatedClock) -> Command:
    """Aarhus with Cura as primary and Nexus beside it; a Monday at ten."""
    connect = words(UNIT | PRIMARY | {"--vendor-email": "drift@systematic.example"})
    assert at_home("kommune", "connect", "0751", *connect).err == ""
    assert at_home("receiver", "add", "0751", *words(ADDED)).err == ""
    return at_home


def refusal(found: Result) -> str:
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("Fejl: ")
    return found.err


def primary(desk: Command) -> str:
    return next(item["name"] for item in desk("receiver", "list", "0751", "--json").json if item["primary"])


def plan(desk: Command, at: str = TOMORROW, **changes: str) -> Result:
    return desk("switchover", "plan", "0751", *words(REPLACED | changes), "--at", at)


# --- connecting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"--gln": made_up_gln(751)[:12] + "0"}, "har forkert kontrolciffer: det skulle være 4"),
        ({"--gln": "123"}, "GLN skal være 13 cifre, men er '123'"),
        ({"--gln": made_up_gln(751)}, "bruges allerede af Aarhus Kommune (0751)"),
        ({"--sor": "12"}, "SOR-koden skal være 11 til 18 cifre"),
        ({"--contact-email": "a@b.dk, c@d.dk"}, "Kontaktpunktets e-mailadresse er ikke en gyldig adresse"),
        ({"--primary-uuid": "xyz"}, "skal have formen 8-4-4-4-12 hexcifre"),
        ({"--vendor-email": "nej"}, "Leverandørens e-mailadresse er ikke en gyldig adresse"),
        ({"--primary-name": " "}, "Kommunen tilsluttes med sit primære modtagersystem. Der mangler:"),
        ({"--monitored-from": "i morgen"}, 'skal skrives som "2026-12-01 10:00" (dansk tid)'),
    ],
)
def test_connecting_checks_every_value(desk: Command, changes: dict[str, str], told: str) -> None:
    given = UNIT | PRIMARY | {"--gln": made_up_gln(147), "--vendor-email": "drift@v.example"} | changes
    assert told in refusal(desk("kommune", "connect", "0147", *words(given)))
    assert len(desk("kommune", "list", "--connected", "--json").json) == 1


def test_a_kommune_is_connected_once(desk: Command) -> None:
    given = words(UNIT | PRIMARY | {"--vendor-email": "drift@v.example"})
    assert "er allerede tilsluttet" in refusal(desk("kommune", "connect", "0751", *given))


# --- 3.1 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ("--name", "systemets navn i ADM"),
        ("--uuid", "systemets UUID i ADM"),
        ("--vendor", "leverandørens navn i ADM"),
        ("--vendor-email", "leverandørens system-e-mail i ADM"),
        ("--area", "forvaltningsområdet"),
        ("--agreed-by", "hvem der har aftalt det for forvaltningsområdet"),
        ("--only-kvittering", "at systemet i ADM kun afsender MedComKvittering 1.0"),
    ],
)
def test_adding_needs_every_field_of_the_handbook(desk: Command, option: str, word: str) -> None:
    given = {name: value for name, value in ADDED.items() if name != option}
    told = refusal(
        desk("receiver", "add", "0751", *words(given | ({"--uuid": SENSUM} if option != "--uuid" else {})))
    )
    assert told.splitlines()[1:] == [f"  - {word} ({option})"]


def test_a_receiver_is_never_added_as_primary(desk: Command) -> None:
    found = desk("receiver", "add", "0751", *words(ADDED | {"--uuid": SENSUM}), "--primary")
    assert (found.status, "Der findes intet valg --primary." in found.err) == (2, True)
    assert desk("receiver", "add", "0751", *words(ADDED | {"--uuid": SENSUM, "--name": "Sensum"})).status == 0
    assert primary(desk) == "Cura"


def test_a_uuid_is_there_once_in_a_kommune(desk: Command) -> None:
    told = refusal(desk("receiver", "add", "0751", *words(ADDED | {"--uuid": NEXUS.upper(), "--name": "X"})))
    assert f"Systemet {NEXUS} er allerede registreret i Aarhus Kommune som Nexus." in told


def test_receivers_are_added_to_connected_kommuner(desk: Command) -> None:
    told = refusal(desk("receiver", "add", "0147", *words(ADDED)))
    assert "Frederiksberg Kommune (0147) er ikke tilsluttet endnu" in told
    assert "sundhedsagent kommune connect 0147" in told


def test_the_uuid_names_the_system_and_stays(desk: Command) -> None:
    told = refusal(desk("receiver", "edit", "0751", "Nexus", "--uuid", SENSUM))
    assert "kan ikke ændres" in told
    told = refusal(desk("receiver", "edit", "0751", "Nexus", "--not-only-kvittering"))
    assert "må ikke afsende andre beskedtyper" in told


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--agreement", "måske", "skal være en af kladde, anmodet, godkendt, afvist, ophørt, men er 'måske'"),
        ("--certification", "ja", "skal være en af ukendt, anmodet, certificeret, men er 'ja'"),
        ("--connected-on", "32.1.2026", "Tilslutningsdatoen skal skrives som 2026-12-01 eller 01.12.2026"),
        ("--monitored-from", "2027-03-28 02:30", "findes ikke: den nat stilles urene frem"),
        ("--overview-emails", "a@b.dk,x", "er ikke en gyldig adresse: 'x'"),
        ("--monitored-from", "0001-01-01T00:00+05:00", "ligger uden for kalenderen"),
        ("--area", "", "Forvaltningsområdet kan rettes, men ikke være tomt"),
        ("--agreed-by", " ", "kan rettes, men ikke være tomt"),
        ("--comment", "x" * 2001, "Kommentar er for lang: højst 2000 tegn"),
    ],
)
def test_every_fact_is_checked(desk: Command, option: str, value: str, told: str) -> None:
    before = desk("receiver", "show", "0751", "Nexus", "--json").json
    assert told in refusal(desk("receiver", "edit", "0751", "Nexus", option, value, "--name", "Andet"))
    assert desk("receiver", "show", "0751", "Nexus", "--json").json == before


# --- 3.2 ---------------------------------------------------------------------------------------------------------


def remove(desk: Command, name: str, uuid: str, *more: str) -> Result:
    return desk("receiver", "remove", "0751", "--name", name, "--uuid", uuid, "--yes", *more)


def test_the_primary_cannot_be_removed(desk: Command) -> None:
    told = refusal(remove(desk, "Cura", CURA, "--force"))
    assert "er det primære modtagersystem i Aarhus Kommune og kan ikke fjernes" in told
    assert "sundhedsagent switchover plan 0751" in told


def test_removing_needs_name_and_uuid_that_fit(desk: Command) -> None:
    found = desk("receiver", "remove", "0751", "--name", "Nexus", "--yes")
    assert (found.status, "Valget '--uuid' mangler." in found.err) == (2, True)
    assert "passer ikke sammen" in refusal(remove(desk, "Cura", NEXUS))
    assert "har intet modtagersystem" in refusal(remove(desk, "Sensum", SENSUM))


def test_removing_asks_first(desk: Command) -> None:
    told = refusal(desk("receiver", "remove", "0751", "--name", "Nexus", "--uuid", NEXUS))
    assert "Bekræft med --yes" in told
    assert remove(desk, "nexus", NEXUS.upper()).status == 0


def test_one_that_is_to_become_primary_cannot_be_removed(desk: Command) -> None:
    assert plan(desk).status == 0
    told = refusal(remove(desk, "Nexus", NEXUS, "--force"))
    assert "skal blive primært 24.11.2026 kl. 10:00 (omlægning 1)" in told


def test_one_that_owes_a_verdict_is_removed_by_force_only(desk: Command, db: Database) -> None:
    assert desk("receiver", "replace-primary", "0751", *words(REPLACED), "--yes").status == 0
    with db.writing() as tx:
        owed = builders.an_advis(tx, "0751", [1, 2], states=["transient-error"])
        pending = builders.an_advis(tx, "0751", [2, 1])
    told = refusal(remove(desk, "Cura", CURA))
    assert "skylder sygehuset svar på 1 advis(er)" in told
    assert "--force" in told
    done = remove(desk, "Cura", CURA, "--force")
    assert "1 kvittering(er) afventes ikke længere; heraf 1 svar" in done.out
    with db.reading() as conn:
        states = dict(
            conn.execute(
                select(tables.expected_kvittering.c.advis_id, tables.expected_kvittering.c.state).where(
                    tables.expected_kvittering.c.receiver_id == 1
                )
            ).all()
        )
    assert states == {owed: "transient-error", pending: "removed"}
    last = desk("audit", "list", "--action", "receiver-removed", "--json").json[0]
    assert last["reason"] == "tvunget, selv om systemet skyldte svar"
    trace = desk("advis", "trace", pending).out
    assert "Kvittering fra Cura afventes ikke længere: systemet er fjernet" in trace
    assert "Cura er fjernet som modtagersystem, selv om det skyldte 1 svar" in trace


# --- 3.3 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--old-name", "--old-uuid", "--new-name", "--new-uuid", "--at"])
def test_a_switchover_needs_every_field_of_the_handbook(desk: Command, option: str) -> None:
    given = {name: value for name, value in (REPLACED | {"--at": TOMORROW}).items() if name != option}
    found = desk("switchover", "plan", "0751", *words(given))
    assert (found.status, f"Valget '{option}' mangler." in found.err) == (2, True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"--old-name": "Nexus"}, "Navn og UUID for det nuværende primære modtagersystem passer ikke sammen"),
        ({"--new-name": "Cura"}, "Navn og UUID for det nye primære modtagersystem passer ikke sammen"),
        (
            {"--old-name": "Nexus", "--old-uuid": NEXUS},
            f"ikke primært i Aarhus Kommune; det er Cura ({CURA})",
        ),
        ({"--new-name": "Cura", "--new-uuid": CURA}, "er allerede primært i Aarhus Kommune"),
        ({"--new-name": "Sensum", "--new-uuid": SENSUM}, "et nyt tilføjes først (3.1)"),
    ],
)
def test_only_another_registered_receiver_can_become_primary(
    desk: Command, changes: dict[str, str], told: str
) -> None:
    assert told in refusal(plan(desk, **changes))
    assert told in refusal(desk("receiver", "replace-primary", "0751", *words(REPLACED | changes), "--yes"))
    assert (primary(desk), desk("switchover", "list", "--json").json) == ("Cura", [])


def test_neither_another_kommunes_nor_one_without_acknowledgement_can(desk: Command) -> None:
    noted = ADDED | {"--name": "Sensum", "--uuid": SENSUM}
    noted.pop("--only-kvittering")
    assert desk("receiver", "note-without-ack", "0751", *words(noted)).status == 0
    told = refusal(plan(desk, **{"--new-name": "Sensum", "--new-uuid": SENSUM}))
    assert "Kun et modtagersystem, der er registreret i kommunen, kan blive primært" in told
    other = UNIT | PRIMARY | {"--gln": made_up_gln(147), "--vendor-email": "d@v.example"}
    assert desk("kommune", "connect", "0147", *words(other | {"--primary-uuid": SENSUM})).status == 0
    assert "har intet modtagersystem" in refusal(plan(desk, **{"--new-name": "Cura", "--new-uuid": SENSUM}))


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2026-11-23 10:00", "er passeret"),
        ("2026-11-24", "skal have både dato og klokkeslæt, fx \"2026-12-01 10:00\", men er '2026-11-24'"),
        ("2027-12-01 10:00", "mere end et år frem"),
        ("i morgen kl. 10", 'skal skrives som "2026-12-01 10:00" (dansk tid)'),
        ("2027-03-28 02:30", "findes ikke: den nat stilles urene frem til sommertid"),
        ("2027-10-31 02:30", "findes to gange"),
    ],
)
def test_the_moment_is_one_that_comes(desk: Command, at: str, told: str) -> None:
    assert told in refusal(plan(desk, at))
    assert plan(desk).status == 0
    assert told in refusal(desk("switchover", "change", "1", "--at", at))


def test_one_switchover_at_a_time(desk: Command) -> None:
    assert plan(desk).status == 0
    told = refusal(plan(desk, "2026-11-25 10:00"))
    assert "har allerede en omlægning planlagt: Cura → Nexus 24.11.2026 kl. 10:00 (omlægning 1)" in told
    assert "sundhedsagent switchover change 1" in told


def test_what_is_settled_is_not_changed(desk: Command, clock: SimulatedClock) -> None:
    assert plan(desk).status == 0
    assert "ikke gennemført; der er intet at fortryde" in refusal(desk("switchover", "undo", "1", "--yes"))
    assert "når den er gennemført" in refusal(desk("switchover", "sheet", "1"))
    assert desk("switchover", "cancel", "1", "--yes").status == 0
    assert "er annulleret" in refusal(desk("switchover", "change", "1", "--at", TOMORROW))
    assert plan(desk).status == 0
    clock.advance(timedelta(days=2))  # no engine runs: whoever changes next meets what is in force
    assert "er gennemført og kan ikke ændres" in refusal(desk("switchover", "cancel", "2", "--yes"))
    assert "Der er ingen omlægning 9" in refusal(desk("switchover", "show", "9"))


def test_undoing_is_for_its_time_and_once(desk: Command, clock: SimulatedClock) -> None:
    assert desk("receiver", "replace-primary", "0751", *words(REPLACED), "--yes").status == 0
    clock.advance(timedelta(hours=24))
    assert desk("switchover", "undo", "1", "--yes").status == 0
    assert primary(desk) == "Cura"
    assert "er allerede fortrudt med omlægning 2" in refusal(desk("switchover", "undo", "1", "--yes"))
    clock.advance(timedelta(hours=24, seconds=1))
    assert "kunne fortrydes til 25.11.2026 kl. 10:00" in refusal(desk("switchover", "undo", "2", "--yes"))


def test_undoing_waits_for_what_is_planned(desk: Command) -> None:
    desk("receiver", "replace-primary", "0751", *words(REPLACED), "--yes")
    back = {"--old-name": "Nexus", "--old-uuid": NEXUS, "--new-name": "Cura", "--new-uuid": CURA}
    assert plan(desk, **back).status == 0
    assert "har allerede en omlægning planlagt" in refusal(desk("switchover", "undo", "1", "--yes"))


def test_undoing_needs_what_was_there(desk: Command) -> None:
    desk("receiver", "replace-primary", "0751", *words(REPLACED), "--yes")
    assert remove(desk, "Cura", CURA).status == 0
    assert "Cura er fjernet fra Aarhus Kommune siden" in refusal(desk("switchover", "undo", "1", "--yes"))


# --- 3.4 and 3.5 -------------------------------------------------------------------------------------------------


def test_what_does_not_acknowledge_is_noted_and_nothing_more(desk: Command, new_home: Home) -> None:
    given = {name: ADDED[name] for name in ("--vendor", "--vendor-email", "--area", "--agreed-by")}
    told = refusal(desk("receiver", "note-without-ack", "0751", *words(given)))
    assert "systemets navn i ADM (--name)" in told
    told = refusal(
        desk("receiver", "note-without-ack", "0751", *words(given), "--name", "N", "--uuid", NEXUS)
    )
    assert "kvitterer i Aarhus Kommune; det kan ikke også noteres uden" in told
    noted = (*words(given), "--name", "Visning", "--uuid", SENSUM)
    assert desk("receiver", "note-without-ack", "0751", *noted).status == 0
    assert "er allerede noteret" in refusal(desk("receiver", "note-without-ack", "0751", *noted))
    told = refusal(desk("receiver", "add", "0751", *words(ADDED | {"--uuid": SENSUM})))
    assert f"sundhedsagent receiver remove-without-ack 0751 {SENSUM}" in told
    assert not new_home.dueslag_of(SENSUM).exists()
    assert "har intet modtagersystem" in refusal(remove(desk, "Visning", SENSUM))
    assert "har intet system uden kvittering 'Nexus'" in refusal(
        desk("receiver", "remove-without-ack", "0751", "Nexus", "--yes")
    )
    assert desk("receiver", "remove-without-ack", "0751", "visning", "--yes").status == 0


# --- 4 -----------------------------------------------------------------------------------------------------------


def test_a_contact_point_is_one_address(desk: Command) -> None:
    for email in ("a@b.dk;c@d.dk", "a@b", ""):
        assert "er ikke en gyldig adresse" in refusal(desk("contact", "set", "0751", "--email", email))
    assert "Angiv, hvad der skal skiftes" in refusal(desk("contact", "set", "0751"))
    assert "er ikke tilsluttet endnu" in refusal(desk("contact", "set", "0147", "--email", "a@b.dk"))
    assert desk("contact", "set", "0751", "--email", "ny@aarhus.example", "--note", "SMS").status == 0
    shown = desk("contact", "show", "0751", "--json").json
    assert (shown["email"], shown["note"]) == ("ny@aarhus.example", "SMS")
    assert [item["email"] for item in shown["history"]] == ["ny@aarhus.example", "advis@aarhus.example"]


# --- against an outdated state ---------------------------------------------------------------------------------------


def test_a_change_of_what_one_has_not_seen_is_refused_and_shows_both(desk: Command) -> None:
    seen = desk("receiver", "show", "0751", "Nexus", "--json").json["version"]
    assert desk("receiver", "edit", "0751", "Nexus", "--vendor", "KMD A/S").status == 0
    told = refusal(desk("receiver", "edit", "0751", "Nexus", "--vendor", "Nexus ApS", "--version", str(seen)))
    assert "er ændret, siden du så det (du så version 1, nu er det 2, senest af" in told
    assert 'leverandørens navn i ADM: nu "KMD A/S", du ville skrive "Nexus ApS"' in told
    assert desk("receiver", "show", "0751", "Nexus", "--json").json["facts"]["vendor"] == "KMD A/S"
    assert plan(desk).status == 0
    assert desk("switchover", "change", "1", "--at", "2026-11-25 10:00", "--version", "1").status == 0
    told = refusal(desk("switchover", "cancel", "1", "--yes", "--version", "1"))
    assert 'tilstand: nu "planlagt", du ville skrive "annulleret"' in told
    assert desk("contact", "set", "0751", "--note", "SMS", "--version", "1").status == 0
    told = refusal(desk("contact", "set", "0751", "--note", "Telefon", "--version", "1"))
    assert 'nu "SMS", du ville skrive "Telefon"' in told
    told = refusal(remove(desk, "Nexus", NEXUS, "--version", "1"))
    assert "siden du så det" in told


# --- roles and requests --------------------------------------------------------------------------------------------


def test_only_an_administrator_administers(desk: Command, as_user: Callable[[str], None]) -> None:
    assert desk("role", "grant", "hanne", "hotline").status == 0
    assert desk("role", "grant", "kaj", "kommune", "--kommune", "0751").status == 0
    for who in ("hanne", "kaj", "ukendt"):
        as_user(who)
        for line in (
            ("receiver", "add", "0751", *words(ADDED | {"--uuid": SENSUM})),
            ("receiver", "remove", "0751", "--name", "Nexus", "--uuid", NEXUS, "--yes"),
            ("switchover", "plan", "0751", *words(REPLACED), "--at", TOMORROW),
            ("kommune", "edit", "0751", "--sor", "325421000016009"),
            ("role", "grant", who, "administrator"),
            ("request", "return", "1", "--reason", "x"),
            ("audit", "list"),
        ):
            assert "det kræver rollen administrator" in refusal(desk(*line)), line


@pytest.mark.parametrize("role", ["hotline", "auditor"])
def test_who_reads_all_fills_in_nothing(desk: Command, as_user: Callable[[str], None], role: str) -> None:
    assert desk("role", "grant", "hanne", role).status == 0
    as_user("hanne")
    assert desk("contact", "show", "0751").status == 0
    for line in (
        ("contact", "set", "0751", "--email", "hanne@aarhus.example"),
        ("template", "set", "0751", "--field", "administrator", "--value", "Hanne"),
        ("procedure", "start", "0751", "3.1", "--subject", "Nyt"),
        ("procedure", "step", "1", "mailbox"),
        ("request", "add", "0751", "3.2", "--name", "Nexus", "--uuid", NEXUS),
    ):
        told = refusal(desk(*line))
        assert "det kræver rollen administrator, eller rollen kommune for 0751" in told, line


def test_a_kommune_sees_and_fills_in_its_own(desk: Command, as_user: Callable[[str], None]) -> None:
    other = words(UNIT | PRIMARY | {"--gln": made_up_gln(147), "--vendor-email": "d@v.example"})
    desk("kommune", "connect", "0147", *other)
    desk("role", "grant", "kaj", "kommune", "--kommune", "0751")
    as_user("kaj")
    assert [item["code"] for item in desk("kommune", "list", "--json").json] == ["0751"]
    assert desk("contact", "set", "0751", "--email", "kaj@aarhus.example").status == 0
    for line in (
        ("kommune", "show", "0147"),
        ("receiver", "list", "Frederiksberg"),
        ("contact", "set", "0147", "--email", "kaj@aarhus.example"),
        ("request", "add", "0147", "3.2", "--name", "Cura", "--uuid", CURA),
        ("pending", "--kommune", "0147"),
        ("advis", "list", "--kommune", "0147"),
        ("status",),
    ):
        told = refusal(desk(*line))
        assert "kaj har kun rollen kommune for Aarhus Kommune" in told, line


def test_a_kommune_reads_only_its_own_adviser(
    desk: Command, db: Database, as_user: Callable[[str], None]
) -> None:
    other = words(UNIT | PRIMARY | {"--gln": made_up_gln(147), "--vendor-email": "d@v.example"})
    desk("kommune", "connect", "0147", *other)
    with db.writing() as tx:
        own, foreign = builders.an_advis(tx, "0751", [1, 2]), builders.an_advis(tx, "0147", [3])
    desk("role", "grant", "kaj", "kommune", "--kommune", "0751")
    as_user("kaj")
    assert [item["id"] for item in desk("advis", "list", "--json").json] == [own]
    assert {item["advis_id"] for item in desk("pending", "--json").json} == {own}
    assert desk("advis", "show", own).status == 0
    for verb in ("show", "trace"):
        assert f"Intet advis har id, MessageHeader.id eller BeskedId {foreign}." in refusal(
            desk("advis", verb, foreign)
        )


def test_the_last_administrator_stays(desk: Command) -> None:
    me = desk("role", "list", "--json").json[0]["identity"]
    assert "er den eneste administrator" in refusal(desk("role", "revoke", me, "administrator"))
    assert "har ikke rollen hotline" in refusal(desk("role", "revoke", me, "hotline"))
    assert "har allerede rollen administrator" in refusal(desk("role", "grant", me, "administrator"))
    assert "angiv den med --kommune KODE" in refusal(desk("role", "grant", "kaj", "kommune"))
    assert "gælder alle kommuner" in refusal(desk("role", "grant", "kaj", "hotline", "--kommune", "0751"))


REQUESTS: dict[str, dict[str, str | None]] = {
    "3.1": ADDED | {"--name": "Sensum", "--uuid": SENSUM},
    "3.2": {"--name": "Nexus", "--uuid": NEXUS},
    "3.3": REPLACED | {"--at": TOMORROW},
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_has_every_field_of_the_handbook(desk: Command, kind: str) -> None:
    for option in REQUESTS[kind]:
        given = {name: value for name, value in REQUESTS[kind].items() if name != option}
        told = refusal(desk("request", "add", "0751", kind, *words(given)))
        assert f"Anmodningen om {kind} er ikke fuldstændig" in told
        assert f"({option})" in told
    assert desk("request", "list", "--json").json == []


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        ("3.1", {"--uuid": NEXUS}, "er allerede registreret"),
        ("3.1", {"--at": TOMORROW}, "--at hører ikke til en anmodning om 3.1"),
        ("3.2", {"--name": "Cura", "--uuid": CURA}, "kan ikke fjernes"),
        ("3.3", {"--at": "2026-11-01 10:00"}, "er passeret"),
        ("3.3", {"--at": "2026-12-01"}, "skal have både dato og klokkeslæt"),
    ],
)
def test_a_request_that_a_rule_refuses_is_refused_at_once(
    desk: Command, kind: str, changes: dict[str, str], told: str
) -> None:
    assert told in refusal(desk("request", "add", "0751", kind, *words(REQUESTS[kind] | changes)))
    assert desk("request", "list", "--json").json == []


def test_other_procedures_are_not_asked_for(desk: Command) -> None:
    assert "Der kan anmodes om 3.1, 3.2, 3.3" in refusal(desk("request", "add", "0751", "3.4"))


@pytest.mark.parametrize("kind", REQUESTS)
def test_an_administrator_carries_a_request_out(
    desk: Command, kind: str, as_user: Callable[[str], None], new_home: Home
) -> None:
    me = desk("role", "list", "--json").json[0]["identity"]
    desk("role", "grant", "kaj", "kommune", "--kommune", "0751")
    as_user("kaj")
    assert desk("request", "add", "0751", kind, *words(REQUESTS[kind])).status == 0
    assert "kræver rollen administrator" in refusal(desk("request", "accept", "1", "--yes"))
    as_user(me)
    found = desk("request", "accept", "1", "--yes")
    assert "Anmodning 1 er imødekommet." in found.out
    assert "er allerede imødekommet af" in refusal(desk("request", "accept", "1", "--yes"))
    assert "er allerede imødekommet af" in refusal(desk("request", "return", "1", "--reason", "x"))
    names = [item["name"] for item in desk("receiver", "list", "0751", "--json").json]
    planned = desk("switchover", "list", "--planned", "--json").json
    expected: dict[str, Any] = {
        "3.1": (["Cura", "Nexus", "Sensum"], 0),
        "3.2": (["Cura"], 0),
        "3.3": (["Cura", "Nexus"], 1),
    }
    assert (names, len(planned)) == expected[kind]
    assert new_home.dueslag_of(SENSUM).exists() is (kind == "3.1")


def test_a_request_that_no_longer_fits_stays_and_can_be_returned(desk: Command) -> None:
    assert desk("request", "add", "0751", "3.2", *words(REQUESTS["3.2"])).status == 0
    assert plan(desk).status == 0
    assert "skal blive primært" in refusal(desk("request", "accept", "1", "--yes"))
    assert desk("request", "show", "1", "--json").json["state"] == "handed-in"
    assert "Skriv en begrundelse" in refusal(desk("request", "return", "1", "--reason", "  "))
    assert desk("request", "return", "1", "--reason", "Systemet bliver primært.").status == 0
    shown = desk("request", "show", "1", "--json").json
    assert (shown["state"], shown["reason"]) == ("returned", "Systemet bliver primært.")


@pytest.mark.parametrize(
    "line", [("switchover", "show"), ("request", "show"), ("procedure", "show"), ("switchover", "undo")]
)
def test_a_number_that_no_row_has_is_wrong_use(desk: Command, line: tuple[str, ...]) -> None:
    for number, told in (("9" * 20, "skal være højst"), ("0", "skal være mindst 1"), ("x", "et helt tal")):
        found = desk(*line, number)
        assert (found.status, found.out, told in found.err) == (2, "", True), found.err


# --- the audit log -----------------------------------------------------------------------------------------------


def test_the_audit_log_is_whole_and_says_when_it_is_not(desk: Command, db: Database) -> None:
    found = desk("audit", "verify", "--json").json
    assert found["whole"]
    head = found["head"]
    assert plan(desk).status == 0
    assert desk("audit", "verify", "--head", head).status == 0
    told = desk("audit", "verify", "--head", "f" * 64).err
    assert "findes ikke i loggen" in told
    newest, *_ = desk("audit", "list", "--kommune", "0751", "--json").json
    assert newest["action"] == "procedure-started" or newest["action"].startswith(("switchover", "step"))
    with db.writing() as tx:
        tx.conn.exec_driver_sql(f"DROP TRIGGER audit_changed{' ON audit' if db.is_shared else ''}")
        tx.conn.exec_driver_sql("UPDATE audit SET actor = 'en anden' WHERE id = 2")
    assert "er brudt ved post 2" in desk("audit", "verify").err


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'x'",
        "DELETE FROM audit WHERE id = 2",
        "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE id = 1",
        (
            "INSERT INTO audit (id, at, actor, action, subject, previous_hash, hash)"
            " VALUES (999, 1, 'x', 'x', 'x', 'x', 'x')"
        ),
    ],
)
def test_raw_sql_cannot_change_the_audit_log(desk: Command, db: Database, statement: str) -> None:
    if db.is_shared:
        statement = statement.replace(" OR REPLACE", "")
    with pytest.raises(IntegrityError), db.engine.begin() as conn:
        conn.exec_driver_sql(statement)
    assert desk("audit", "verify").status == 0
