from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.clock import SimulatedClock
from engine.desk.access import caller_identity
from engine.desk.act import Act
from engine.desk.exchange import (
    Absent,
    ChangeKind,
    FieldChange,
    Outcome,
    apply_import,
    faults_text,
    import_registry,
    preview_import,
    registry_records,
)
from engine.desk.exchange_files import (
    KOMMUNE,
    SYSTEM,
    KommuneRecord,
    RegistryFile,
    SystemRecord,
    read_registry,
    to_csv,
    to_json,
)
from engine.desk.facts import GivenFacts
from engine.desk.kommuner import connect_kommune
from engine.desk.noted import note_receiver
from engine.desk.office import Office
from engine.desk.receivers import add_receiver, edit_receiver
from engine.desk.registry import show_kommune
from engine.errors import AccessError, OutdatedError, RuleError
from engine.home import Home
from engine.simulation.made_up import made_up_gln
from engine.store import tables
from engine.store.database import Database
from tests.desk.builders import AARHUS, FRB, NOON, a_kommune, a_receiver, uuid

FULL = {
    "agreement": "godkendt",
    "agreement_dates": "anmodet=2026-05-01, godkendt=2026-06-01",
    "certification": "certificeret",
    "certified_on": "2026-04-01",
    "connected_on": "2026-06-15",
    "monitored_from": "2026-12-01T09:00:00.000001+00:00",
    "overview": True,
    "overview_emails": "a@v.example, b@v.example",
    "local_contact": '=Hanne; "Sund"',
    "vendor_contact": "+45 12 34",
    "comment": "A\u030a, '@x",
}
NOTED = {"only_kvittering": None, "monitored_from": None, "overview": None, "overview_emails": None}


@pytest.fixture
def office(new_home: Home) -> Iterator[Office]:
    with Office(new_home, clock=SimulatedClock(NOON)) as office:
        yield office


@pytest.fixture
def registered(office: Office) -> Office:
    """Aarhus with its primary 1, 2 beside it and 3 noted; Frederiksberg with 4 noted alone, without a UUID."""
    with office.administering() as act:
        connect_kommune(act, a_kommune(contact_note="Vagten; tlf. 1"), checklists=False)
        add_receiver(act, AARHUS, a_receiver(2, **FULL), checklists=False)
        note_receiver(act, AARHUS, a_receiver(3, **(FULL | NOTED)), checklists=False)
        note_receiver(act, FRB, a_receiver(4, uuid=None, **NOTED), checklists=False)
    return office


def exported(office: Office) -> tuple[KommuneRecord, ...]:
    with office.reading() as conn:
        return registry_records(conn)


def a_file(*kommuner: KommuneRecord) -> RegistryFile:
    """As it is read: with places."""
    return read_registry(to_csv(kommuner))


def edited(office: Office, position: int, code: str = AARHUS, **cells: str) -> RegistryFile:
    """What is exported, with one system's cells changed; the position counts within the kommune."""

    def change(kommune: KommuneRecord) -> KommuneRecord:
        systems = list(kommune.systems)
        systems[position] = SystemRecord({**systems[position].cells, **cells})
        return replace(kommune, systems=tuple(systems))

    return a_file(*(change(item) if item.code == code else item for item in exported(office)))


def with_kommune(office: Office, code: str = AARHUS, **cells: str) -> RegistryFile:
    changed = (
        replace(item, cells={**item.cells, **cells}) if item.code == code else item
        for item in exported(office)
    )
    return a_file(*changed)


def with_system(office: Office, **cells: str) -> RegistryFile:
    """What is exported, with one more system in Aarhus, of which it says the same as of 2."""
    every = list(exported(office))
    first = next(number for number, item in enumerate(every) if item.code == AARHUS)
    new = {**every[first].systems[1].cells, "uuid": uuid(9), "name": "System 9"} | cells
    every[first] = replace(every[first], systems=(*every[first].systems, SystemRecord(new)))
    return a_file(*every)


def a_new_kommune(*systems: dict[str, str], **cells: str) -> KommuneRecord:
    own = {"name": "", "gln": made_up_gln(751), "sor": "325421000016001", "contact_email": "a@k.example"}
    return KommuneRecord(AARHUS, {"contact_note": ""} | own | cells, tuple(map(SystemRecord, systems)))


def a_new_system(number: int = 1, part: str = "primært", **cells: str) -> dict[str, str]:
    facts = {
        "name": f"System {number}",
        "uuid": uuid(number),
        "part": part,
        "vendor": "V",
        "vendor_email": "a@v.example",
        "area": "Sundhed",
        "agreed_by": "Chefen",
        "only_kvittering": "nej" if part == "uden kvittering" else "ja",
    }
    return dict.fromkeys(SYSTEM, "") | facts | cells


def told(office: Office, file: RegistryFile) -> list[str]:
    return [fault.text for fault in preview_import(office, file).faults]


def told_of(office: Office, *systems: dict[str, str], **cells: str) -> list[str]:
    return told(office, a_file(a_new_kommune(*systems, **cells)))


def rows(office: Office) -> dict[str, int]:
    names = ("receiver", "noted_receiver", "connection", "unit", "audit", "event", "typed_field")
    with office.reading() as conn:
        return {
            name: conn.execute(select(func.count()).select_from(tables.metadata.tables[name])).scalar_one()
            for name in names
        }


# --- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("write", "name"), [(to_csv, "r.csv"), (to_json, "r.json")])
def test_every_fact_goes_out_and_comes_in_again(
    registered: Office, made_home: Home, tmp_path: Any, write: Callable[..., bytes], name: str
) -> None:
    import shutil

    data = write(exported(registered))
    other = Home(shutil.copytree(made_home.path, tmp_path / "other"))
    with Office(other) as office:
        outcome = apply_import(office, read_registry(data, name))
        assert write(exported(office)) == data
        again = preview_import(office, read_registry(data, name))
    assert (outcome.count(ChangeKind.CONNECTED, systems=False), outcome.count(ChangeKind.ADDED)) == (1, 2)
    assert outcome.count(ChangeKind.NOTED) == 2
    assert outcome.new_receivers == (uuid(1), uuid(2))
    assert (again.changes, again.unchanged, again.absent) == ((), 4, ())


def test_what_is_exported(registered: Office) -> None:
    frb, aarhus = exported(registered)
    assert (frb.code, aarhus.code) == (FRB, AARHUS)
    assert frb.cells == {
        "name": "Frederiksberg Kommune",
        "gln": "",
        "sor": "",
        "contact_email": "",
        "contact_note": "",
    }
    assert list(aarhus.systems[1].cells.values()) == [
        *("System 2", uuid(2), "kvitterer", "Leverandør", "drift@v.example", "Sundhed og omsorg"),
        *("Områdechefen", "godkendt", "anmodet=2026-05-01, godkendt=2026-06-01", "certificeret"),
        *("2026-04-01", "2026-06-15", "ja", "2026-12-01T09:00:00.000001+00:00", "ja"),
        *("a@v.example, b@v.example", '=Hanne; "Sund"', "+45 12 34", "A\u030a, '@x"),
    ]
    assert tuple(aarhus.systems[1].cells) == tuple(SYSTEM)
    assert ("code", *aarhus.cells) == tuple(KOMMUNE)
    assert [system.cells["part"] for system in aarhus.systems] == ["primært", "kvitterer", "uden kvittering"]
    assert [aarhus.systems[2].cells[key] for key in NOTED] == ["", "", "", ""]
    assert aarhus.systems[0].cells["connected_on"] == ""


def test_the_primary_stands_first_also_where_it_came_later(registered: Office) -> None:
    with registered.administering() as act:
        found = select(tables.receiver.c.id).where(tables.receiver.c.system_uuid == uuid(2)).scalar_subquery()
        act.conn.execute(tables.connection.update().values(primary_receiver_id=found))
    assert [system.cells["name"] for system in exported(registered)[1].systems][:2] == [
        "System 2",
        "System 1",
    ]


def test_removed_systems_are_not_exported(registered: Office) -> None:
    with registered.administering() as act:
        for table in (tables.receiver, tables.noted_receiver):
            gone = table.update().where(table.c.system_uuid.in_([uuid(2), uuid(3)]))
            act.conn.execute(gone.values(removed_at=NOON))
    assert [[item.cells["name"] for item in kommune.systems] for kommune in exported(registered)] == [
        ["System 4"],
        ["System 1"],
    ]


# --- what an import changes -------------------------------------------------------------------------------------------


def test_a_preview_shows_each_field_and_keeps_nothing(registered: Office) -> None:
    before = rows(registered)
    file = edited(registered, 1, vendor="Ny", comment="", monitored_from="2026-12-01 12:00")
    outcome = preview_import(registered, file)
    assert rows(registered) == before
    [change] = outcome.changes
    assert (change.kind, change.place, change.kommune) == (ChangeKind.CHANGED, "Linje 4", AARHUS)
    assert (change.system, change.uuid, change.part) == ("System 2", uuid(2), "kvitterer")
    assert change.fields == (
        FieldChange("leverandør", "Leverandør", "Ny"),
        FieldChange("overvåges fra", "2026-12-01T09:00:00.000001+00:00", "2026-12-01T11:00:00+00:00"),
        FieldChange("kommentar", "A\u030a, '@x", ""),
    )
    assert (outcome.unchanged, outcome.absent, outcome.faults) == (3, (), ())


def test_what_was_shown_is_what_is_done_and_it_is_audited(registered: Office) -> None:
    before = rows(registered)
    file = edited(registered, 1, vendor="Ny", comment="")
    assert apply_import(registered, file, shown=preview_import(registered, file)).faults == ()
    assert exported(registered) == file.kommuner
    after = rows(registered)
    assert {name: after[name] - count for name, count in before.items() if after[name] != count} == {
        "audit": 2
    }
    with registered.reading() as conn:
        audit = tables.audit
        last = conn.execute(select(audit.c.action, audit.c.actor).order_by(audit.c.id.desc()).limit(2)).all()
    assert sorted(last) == [("field-typed", caller_identity()), ("receiver-changed", caller_identity())]


def test_an_import_of_what_stands_writes_nothing(registered: Office) -> None:
    before = rows(registered)
    apply_import(registered, a_file(*exported(registered)))
    assert rows(registered) == before


def test_empty_cells_clear_and_missing_columns_leave_alone(registered: Office) -> None:
    cleared = ("connected_on", "certified_on", "monitored_from", "overview_emails", "local_contact")
    file = edited(registered, 1, **dict.fromkeys(cleared, ""), overview="", agreement_dates="")
    apply_import(registered, file)
    cells = exported(registered)[1].systems[1].cells
    assert [cells[key] for key in cleared] == [""] * 5
    assert (cells["overview"], cells["agreement_dates"], cells["agreement"]) == ("nej", "", "godkendt")
    bare = read_registry(f"kommunekode;uuid;leverandør\n0751;{uuid(2)};Ny\n".encode())
    [change] = apply_import(registered, bare).changes
    assert change.fields == (FieldChange("leverandør", "Leverandør", "Ny"),)


def test_a_noted_systems_facts_are_cleared_and_set_too(registered: Office) -> None:
    apply_import(registered, edited(registered, 2, comment="", area="Nyt", certified_on=""))
    cells = exported(registered)[1].systems[2].cells
    assert (cells["comment"], cells["area"], cells["certified_on"]) == ("", "Nyt", "")


def test_a_noted_system_is_known_by_its_name_until_it_has_a_uuid(registered: Office) -> None:
    file = edited(registered, 0, FRB, uuid=uuid(4), name="SYSTEM  4")
    [change] = apply_import(registered, file).changes
    assert change.fields[0] == FieldChange("systemnavn", "System 4", "SYSTEM  4")
    file = edited(registered, 0, FRB, name="Nyt navn")
    [change] = apply_import(registered, file).changes
    assert change.fields == (FieldChange("systemnavn", "SYSTEM  4", "Nyt navn"),)
    assert apply_import(registered, edited(registered, 0, FRB, uuid="")).changes == ()


def test_a_kommunes_own_facts_are_changed(registered: Office) -> None:
    new = {"gln": made_up_gln(999), "sor": "11111111111", "contact_email": "ny@k.example", "contact_note": ""}
    [change] = apply_import(registered, with_kommune(registered, **new)).changes
    assert (change.kind, change.place, change.system, change.part) == (ChangeKind.CHANGED, "Linje 3", "", "")
    assert [field.field for field in change.fields] == ["gln", "sor", "kontaktpunkt", "andre kanaler"]
    assert [field.after for field in change.fields] == list(new.values())
    with registered.reading() as conn:
        view = show_kommune(conn, AARHUS)
    assert (view.gln, view.contact_email, view.contact_note) == (new["gln"], "ny@k.example", "")


def test_a_system_that_is_not_known_is_added_or_noted(registered: Office) -> None:
    outcome = apply_import(registered, with_system(registered))
    assert [(item.kind, item.uuid) for item in outcome.changes] == [(ChangeKind.ADDED, uuid(9))]
    assert outcome.new_receivers == (uuid(9),)
    noted = {"part": "uden kvittering", "uuid": uuid(8), "name": "System 8"}
    file = with_system(registered, **noted, **dict.fromkeys(NOTED, ""))
    outcome = apply_import(registered, file)
    assert [(item.kind, item.uuid) for item in outcome.changes] == [(ChangeKind.NOTED, uuid(8))]
    assert outcome.new_receivers == ()


def test_nothing_is_removed_and_what_is_absent_is_told(registered: Office) -> None:
    frb, aarhus = exported(registered)
    outcome = apply_import(registered, a_file(replace(aarhus, systems=aarhus.systems[:1])))
    assert outcome.changes == ()
    assert outcome.absent == (
        Absent(FRB, "Frederiksberg Kommune", "System 4", "", "uden kvittering"),
        Absent(AARHUS, "Aarhus Kommune", "System 2", uuid(2), "kvitterer"),
        Absent(AARHUS, "Aarhus Kommune", "System 3", uuid(3), "uden kvittering"),
    )
    assert exported(registered) == (frb, aarhus)


def test_a_change_of_state_has_todays_date_unless_the_file_has_one(registered: Office) -> None:
    apply_import(registered, edited(registered, 1, agreement="afvist"))
    dates = "anmodet=2026-05-01, godkendt=2026-06-01"
    assert exported(registered)[1].systems[1].cells["agreement_dates"] == f"{dates}, afvist=2026-07-01"
    apply_import(registered, edited(registered, 1, agreement="ophørt", agreement_dates="ophørt=02.06.2026"))
    assert exported(registered)[1].systems[1].cells["agreement_dates"] == "ophørt=2026-06-02"


def test_a_new_system_has_the_dates_of_the_file_and_no_other(office: Office) -> None:
    apply_import(office, a_file(a_new_kommune(a_new_system(agreement="godkendt"))))
    cells = exported(office)[0].systems[0].cells
    assert (cells["agreement"], cells["agreement_dates"]) == ("godkendt", "")


def test_an_import_begins_no_checklists(office: Office) -> None:
    systems = (a_new_system(1), a_new_system(2, "kvitterer"), a_new_system(3, "uden kvittering"))
    apply_import(office, a_file(a_new_kommune(*systems)))
    apply_import(office, with_kommune(office, contact_email="ny@k.example"))
    with office.reading() as conn:
        assert (
            conn.execute(select(func.count()).select_from(tables.metadata.tables["procedure"])).scalar() == 0
        )


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_one_wrong_line_and_nothing_is_changed(registered: Office) -> None:
    before = rows(registered)
    file = edited(registered, 1, vendor="Ny", vendor_email="x")
    with pytest.raises(RuleError) as caught:
        apply_import(registered, file)
    assert str(caught.value).splitlines() == [
        "Der er 1 fejl i filen; intet er ændret.",
        (
            f'  Linje 4, "leverandør e-mail", System 2 ({uuid(2)}): Leverandørens e-mailadresse er ikke en gyldig '
            "adresse: 'x'. Der skal stå én adresse, fx navn@kommune.dk."
        ),
    ]
    assert rows(registered) == before


def test_every_fault_of_every_line_is_told(office: Office) -> None:
    first = a_new_system(1, vendor_email="x", certification="måske", certified_on="i går")
    second = a_new_system(2, "kvitterer", overview="måske", uuid="123", agreed_by=" ", only_kvittering="nej")
    third = a_new_system(3, "kvitterer", monitored_from="2026-10-25 02:30", agreement_dates="godkendt")
    texts = told_of(office, first, second, third, gln="5790000000000", sor="3,25421E+14", contact_email="")
    expected = [
        ('Linje 2, "gln": GLN 5790000000000 har forkert kontrolciffer', ""),
        ('Linje 2, "sor": SOR-koden skal være 11 til 18 cifre', "Regnearket har gjort det til et tal"),
        ("Linje 2, \"kontaktpunkt\": Kontaktpunktets e-mailadresse er ikke en gyldig adresse: ''.", ""),
        (f'Linje 2, "leverandør e-mail", System 1 ({uuid(1)}): Leverandørens e-mailadresse', ""),
        (
            f'Linje 2, "certificering", System 1 ({uuid(1)}): Certificeringen hos',
            "ukendt, anmodet, certificeret",
        ),
        (f'Linje 2, "certificeret den", System 1 ({uuid(1)}): Certificeringens dato skal skrives', "'i går'"),
        (
            'Linje 3, "aftalt med", System 2 (123): Hvem der har aftalt det for forvaltningsområdet mangler.',
            "",
        ),
        ("Linje 3, \"kvitteringsoverblik\", System 2 (123): Skal være ja eller nej, men er 'måske'.", ""),
        ('Linje 3, "uuid", System 2 (123): Systemets UUID skal have formen', ""),
        ('Linje 3, "kun medcomkvittering", System 2 (123): Skal være ja: det skal være bekræftet', ""),
        (
            'Linje 4, "serviceaftale datoer", System 3',
            "Serviceaftalens datoer skal skrives som anmodet=2026-11-01",
        ),
        ('Linje 4, "overvåges fra", System 3', "findes to gange"),
    ]
    assert len(texts) == len(expected)
    for start, part in expected:
        assert any(text.startswith(start) and part in text for text in texts), start
    assert [text.split(",")[0] for text in texts] == ["Linje 2"] * 6 + ["Linje 3"] * 4 + ["Linje 4"] * 2


def test_a_kommune_that_cannot_be_connected_has_no_faults_that_follow(registered: Office) -> None:
    taken = exported(registered)[1].cells["gln"]
    new = replace(
        a_new_kommune(
            a_new_system(6), a_new_system(7, "kvitterer"), a_new_system(8, "kvitterer", vendor=""), gln=taken
        ),
        code="0101",
    )
    texts = told(registered, a_file(new))
    assert texts == [
        f"Linje 2, System 6 ({uuid(6)}): GLN {taken} bruges allerede af Aarhus Kommune (0751).",
        f'Linje 4, "leverandør", System 8 ({uuid(8)}): Leverandørens navn i ADM mangler.',
    ]


def test_a_kommune_is_connected_with_exactly_one_primary(office: Office) -> None:
    assert told_of(office, a_new_system(1), a_new_system(2)) == [
        (
            f'Linje 3, "kvittering", System 2 ({uuid(2)}): Kommunen har ét primært system, og System 1 ({uuid(1)}) er '
            "allerede mærket som det."
        )
    ]
    none = (
        'Linje 2, "kvittering": Aarhus Kommune er ikke tilsluttet endnu, '
        "og intet af dens systemer er mærket primært."
    )
    assert told_of(office, a_new_system(1, "kvitterer")) == [none]
    assert told_of(office, a_new_system(1, "uden kvittering")) == [none]  # it has an address all the same
    nothing = dict.fromkeys(("gln", "sor", "contact_email"), "")
    assert told_of(office, a_new_system(1, "uden kvittering"), **nothing) == []


def test_a_line_that_cannot_be_read_may_be_the_primary(office: Office) -> None:
    [text] = told_of(office, a_new_system(1, "primaert"), a_new_system(2, "kvitterer"))
    assert text.startswith(
        f'Linje 2, "kvittering", System 1 ({uuid(1)}): Skal være primært, kvitterer eller uden'
    )
    assert text.endswith("men er 'primaert'.")
    data = to_csv([a_new_kommune(a_new_system(2, "kvitterer"))]) + b"0751;for kort\r\n"
    assert [text.split(":")[0] for text in told(office, read_registry(data))] == ["Linje 3"]
    data = to_csv([a_new_kommune(a_new_system(1), a_new_system(2, "kvitterer"))]).replace(
        b"\r\n0751;", b"\r\nx;", 1
    )
    assert [text.split(",")[0] for text in told(office, read_registry(data))] == ["Linje 2"]


def test_a_primary_can_be_connected_without_an_area_as_by_hand(office: Office) -> None:
    assert told_of(office, a_new_system(1, area="", agreed_by="", only_kvittering="nej")) == []


def test_a_column_that_a_new_kommune_needs_is_missed(office: Office) -> None:
    data = f"kommunekode;gln;sor;uuid;systemnavn;kvittering\n0751;{made_up_gln(751)};11111111111;{uuid(1)};S;primært\n"
    texts = told(office, read_registry(data.encode()))
    assert 'Linje 2, "kontaktpunkt": Kolonnen mangler, og kommunen er ikke tilsluttet endnu.' in texts
    assert f'Linje 2, "leverandør", S ({uuid(1)}): Leverandørens navn i ADM mangler.' in texts
    data = f"kommunekode;uuid\n0751;{uuid(1)}\n"
    assert f'Linje 2, "kvittering", {uuid(1)}: Kolonnen mangler, og systemet er nyt.' in told(
        office, read_registry(data.encode())
    )


def test_an_unknown_kommune_and_a_wrong_name_are_told(office: Office) -> None:
    unknown = replace(a_new_kommune(a_new_system(1, vendor_email="x")), code="0757")
    first, second = told(office, a_file(unknown))
    assert first.startswith("Linje 2, \"kommunekode\": Ingen kommune har koden eller navnet '0757'. Mente du")
    assert second.startswith('Linje 2, "leverandør e-mail"')
    noted = KommuneRecord("0757", {}, (SystemRecord(a_new_system(1, "uden kvittering")),))
    assert len(told(office, a_file(noted))) == 1
    assert told_of(office, a_new_system(), name="Odense") == [
        "Linje 2, \"kommune\": 0751 er Aarhus Kommune, men her står 'Odense'."
    ]
    assert told_of(office, a_new_system(), name=" aarhus") == []


SWITCHOVER = "Planlæg en omlægning (3.3): sundhedsagent switchover plan 0751 …"


def test_an_import_does_not_change_which_system_is_primary(registered: Office) -> None:
    assert told(registered, edited(registered, 0, part="kvitterer")) == [
        (
            f'Linje 3, "kvittering", System 1 ({uuid(1)}): Systemet er det primære i Aarhus '
            f"Kommune; det ændrer en import ikke. {SWITCHOVER}"
        )
    ]
    assert told(registered, edited(registered, 1, part="primært")) == [
        (
            f'Linje 4, "kvittering", System 2 ({uuid(2)}): Systemet er ikke det primære i Aarhus Kommune; '
            f"det ændrer en import ikke. {SWITCHOVER}"
        )
    ]
    [text] = told(registered, with_system(registered, part="primært"))
    assert text.endswith(f"Tilføj det først som kvitterer. {SWITCHOVER}")


def test_an_import_does_not_turn_a_noted_system_into_one_that_acknowledges(registered: Office) -> None:
    [text] = told(registered, edited(registered, 2, part="kvitterer", only_kvittering="ja"))
    assert text == (
        f'Linje 5, "kvittering", System 3 ({uuid(3)}): System 3 ({uuid(3)}) er noteret uden kvittering i Aarhus '
        "Kommune; det ændrer en import ikke. Fjern noten (3.5): sundhedsagent receiver remove-without-ack 0751 …, og "
        "tilføj systemet (3.1): sundhedsagent receiver add 0751 …"
    )
    # By its name, where it is noted without a UUID.
    frb = replace(a_new_kommune(a_new_system(4), gln=made_up_gln(147)), code=FRB)
    [text] = told(registered, a_file(frb))
    assert "System 4 er noteret uden kvittering i Frederiksberg Kommune" in text


def test_an_import_does_not_turn_a_receiver_into_one_that_does_not_acknowledge(registered: Office) -> None:
    [text] = told(registered, edited(registered, 1, part="uden kvittering", **dict.fromkeys(NOTED, "")))
    assert text == (
        f'Linje 4, "kvittering", System 2 ({uuid(2)}): System 2 ({uuid(2)}) kvitterer i Aarhus Kommune; det ændrer en '
        "import ikke. Fjern systemet (3.2): sundhedsagent receiver remove 0751 …, og notér det uden kvittering (3.4): "
        "sundhedsagent receiver note-without-ack 0751 …"
    )


def test_what_may_not_be_empty_is_told(registered: Office) -> None:
    cells = dict.fromkeys(("agreement", "certification", "vendor", "part"), "")
    texts = told(registered, edited(registered, 1, **cells))
    assert [text.split('"')[1] for text in texts] == [
        "kvittering",
        "serviceaftale",
        "certificering",
        "leverandør",
    ]
    assert texts[1].endswith(
        "Må ikke være tom for et system, der er registreret; tag kolonnen ud, hvis den skal blive."
    )
    assert told_of(registered, a_new_system(1), gln="")[0].startswith(
        'Linje 2, "gln": GLN skal være 13 cifre'
    )


def test_a_noted_system_has_nothing_of_what_receivers_have(registered: Office) -> None:
    cells = {
        "only_kvittering": "ja",
        "monitored_from": "2026-12-01",
        "overview": "nej",
        "overview_emails": "a@b.dk",
    }
    texts = told(registered, edited(registered, 2, **cells))
    names = ["kun medcomkvittering", "overvåges fra", "kvitteringsoverblik e-mails"]
    assert [text.split('"')[1] for text in texts] == names
    assert all(
        text.endswith("Det gælder kun systemer, der kvitterer; lad cellen være tom.") for text in texts
    )


def test_the_desks_own_rules_hold(registered: Office) -> None:
    [text] = told(registered, edited(registered, 1, only_kvittering="nej"))
    assert text.startswith(
        f"Linje 4, System 2 ({uuid(2)}): System 2 ({uuid(2)}) må ikke afsende andre beskedtyper"
    )
    [text] = told(registered, edited(registered, 1, monitored_from="0001-01-01T00:00+05:00"))
    assert "0001-01-01T00:00+05:00 ligger uden for kalenderen" in text


def test_two_noted_systems_of_one_name_are_told_apart_by_uuid_alone(registered: Office) -> None:
    with registered.administering() as act:
        for number in (5, 6):
            note_receiver(act, FRB, a_receiver(number, name="Ens", **NOTED), checklists=False)
    systems = [a_new_system(7, "uden kvittering", uuid="", name="Ens")]
    frb = KommuneRecord(FRB, {}, tuple(map(SystemRecord, systems)))
    assert told(registered, a_file(frb)) == [
        'Linje 2, "uuid", Ens: Flere systemer uden kvittering i kommunen hedder sådan; skriv systemets UUID.'
    ]


def test_a_line_that_is_refused_half_way_leaves_nothing_for_the_next(
    registered: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(*arguments: Any, **named: Any) -> None:
        edit_receiver(*arguments, **named)
        raise RuleError("For sent.")

    monkeypatch.setattr("engine.desk.exchange.edit_receiver", too_late)
    file, before = edited(registered, 1, vendor="Ny"), exported(registered)
    with registered.administering() as act:
        outcome = import_registry(act, file)
        assert registry_records(act.conn) == before
    assert [fault.text for fault in outcome.faults] == [f"Linje 4, System 2 ({uuid(2)}): For sent."]


def test_faults_of_the_file_and_of_the_registry_are_told_in_order(office: Office) -> None:
    data = to_csv([a_new_kommune(a_new_system(1, vendor_email="x"))]) + b"xx;\r\n"
    data += to_csv([a_new_kommune(a_new_system(2, "kvitterer", vendor_email="y"))]).split(b"\r\n")[1]
    assert [text.split(",")[0] for text in told(office, read_registry(data))] == [
        "Linje 2",
        "Linje 3",
        "Linje 4",
    ]


def test_faults_are_counted_and_indented() -> None:
    from engine.desk.exchange_files import Fault, Place

    faults = [Fault(Place(1, "Linje 1"), "a\nb"), Fault(Place(2, "Linje 2"), "c")]
    assert faults_text(faults).splitlines() == [
        "Der er 2 fejl i filen; intet er ændret.",
        "  Linje 1: a",
        "    b",
        "  Linje 2: c",
    ]


# --- somebody else meanwhile ------------------------------------------------------------------------------------------


def test_an_import_that_would_do_something_else_than_shown_is_refused(registered: Office) -> None:
    file = edited(registered, 1, vendor="Ny")
    shown = preview_import(registered, file)
    with registered.administering() as act:
        edit_receiver(act, AARHUS, uuid(2), GivenFacts(vendor="En anden"))
    before = rows(registered)
    with pytest.raises(OutdatedError, match="Intet er ændret"):
        apply_import(registered, file, shown=shown)
    assert rows(registered) == before
    assert apply_import(registered, file, shown=preview_import(registered, file)).faults == ()


def test_what_nobody_was_shown_is_not_compared(registered: Office) -> None:
    assert apply_import(registered, edited(registered, 1, vendor="Ny")).count(ChangeKind.CHANGED) == 1


def test_only_administrators_import_and_those_who_see_all_export(registered: Office, new_home: Home) -> None:
    file = a_file(*exported(registered))
    with registered.administering() as act:
        for identity, role, code in (
            ("hanne", "hotline", ""),
            ("rie", "auditor", ""),
            ("kaj", "kommune", AARHUS),
        ):
            grant = {"identity": identity, "role": role, "kommune_code": code, "granted_at": NOON}
            act.tx.insert(tables.role_grant, [grant | {"granted_by": "test"}])
    for identity in ("hanne", "rie", "kaj"):
        with Office(new_home, identity) as office:
            with pytest.raises(AccessError):
                preview_import(office, file)
            with pytest.raises(AccessError):
                apply_import(office, file)


def test_an_import_within_a_transaction_of_the_callers(registered: Office, db: Database) -> None:
    file = edited(registered, 1, vendor="Ny")
    with db.writing() as tx:
        outcome: Outcome = import_registry(Act(tx, NOON, "mette"), file)
    assert outcome.count(ChangeKind.CHANGED) == 1
    assert exported(registered)[1].systems[1].cells["vendor"] == "Ny"
