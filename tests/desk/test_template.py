import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update

from engine.desk.act import Act
from engine.desk.template import Field, Origin, Row, Template, all_templates, missing, set_field, template_of
from engine.desk.typed import TypedField
from engine.domain.audit import Action
from engine.errors import NotFoundError, OutdatedError, RuleError
from engine.settings import PartiesSettings, Settings
from engine.store import tables
from engine.store.database import Database, Tx

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
LATE = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)  # in Denmark it is July already
CURA, NEXUS, NOTED = (f"abcdef0{n}-0000-4000-8000-000000000000" for n in (1, 2, 3))


def act_of(tx: Tx, actor: str = "mette", now: datetime = NOW) -> Act:
    return Act(tx, now, actor)


def a_receiver(tx: Tx, uuid: str, name: str, code: str = "0751", **changes: Any) -> int:
    row = {
        "kommune_code": code,
        "system_uuid": uuid,
        "name": name,
        "vendor": f"Leverandøren af {name}",
        "vendor_email": "drift@v.example",
        "added_at": LATE,
    }
    key = tx.conn.execute(insert(tables.receiver).values(row | changes)).inserted_primary_key
    assert key is not None
    return int(key[0])


def a_noted(tx: Tx, uuid: str | None, name: str, code: str = "0751", **changes: Any) -> int:
    row = {
        "kommune_code": code,
        "system_uuid": uuid,
        "name": name,
        "vendor": "Columna",
        "vendor_email": "drift@c.example",
        "noted_at": LATE,
    }
    key = tx.conn.execute(insert(tables.noted_receiver).values(row | changes)).inserted_primary_key
    assert key is not None
    return int(key[0])


def connect(tx: Tx, primary: int, code: str = "0751", **changes: Any) -> None:
    row = {
        "kommune_code": code,
        "primary_receiver_id": primary,
        "contact_email": "advis@aarhus.example",
        "connected_at": NOW,
        "contact_note": "telefon 1234",
    }
    tx.conn.execute(insert(tables.connection).values(row | changes))


@pytest.fixture
def aarhus(db: Database) -> dict[str, int]:
    """Nexus was added first, and Cura is the primary; one system is noted."""
    with db.writing() as tx:
        nexus = a_receiver(tx, NEXUS, "Nexus", connected_on="2026-03-01")
        cura = a_receiver(tx, CURA, "Cura")
        connect(tx, cura)
        return {"nexus": nexus, "cura": cura, "noted": a_noted(tx, NOTED, "Columna Flow")}


def made(db: Database, code: str = "0751", **parties: Any) -> Template:
    settings = Settings(parties=PartiesSettings(**parties)) if parties else Settings()
    with db.reading() as conn:
        return template_of(conn, code, settings, NOW)


def row_of(template: Template, key: str) -> Row:
    return next(row for row in template.rows if row.key == key)


def field_of(template: Template, row: str, key: str) -> Field:
    return next(field for field in row_of(template, row).fields if field.key == key)


def values(row: Row) -> list[tuple[str, str]]:
    return [(field.label, field.value) for field in row.fields]


def fill(db: Database, field: TypedField, value: str, **how: Any) -> bool:
    with db.writing() as tx:
        return set_field(act_of(tx, how.pop("actor", "mette")), "0751", field, value, **how)


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    statements: list[str] = []

    def count(_conn: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", count)
    yield statements
    event.remove(db.engine, "before_cursor_execute", count)


def test_the_rows_are_those_of_the_annex_in_its_order(db: Database, aarhus: dict[str, int]) -> None:
    found = made(db)
    assert [(row.key, row.party) for row in found.rows] == [
        ("kommune", "Kommune"),
        (f"receiver:{aarhus['cura']}", "Leverandør af modtagersystem Cura"),
        (f"receiver:{aarhus['nexus']}", "Leverandør af modtagersystem Nexus"),
        (f"noted:{aarhus['noted']}", "Leverandør af modtagersystem Columna Flow (uden kvittering)"),
        ("supplier", "MultiMed (leverandør af Sundhedsagenten)"),
        ("medcom", "MedCom (certificering af leverandører)"),
        ("kombit", "KOMBIT"),
    ]
    assert (found.kommune_code, found.kommune_name, found.made_at) == ("0751", "Aarhus Kommune", NOW)
    assert found.title == "Skabelon til forvaltning af Sundhedsagenten – Aarhus Kommune (0751)"
    assert values(found.rows[0]) == [
        ("Kommune", "Aarhus Kommune (0751)"),
        ("Sundhedsagentadministrator", ""),
        ("Kontaktpunkt", "advis@aarhus.example"),
        ("Supplerende kanaler", "telefon 1234"),
    ]
    assert values(found.rows[1]) == [
        ("Lokal kontakt", ""),
        ("Leverandørnavn", "Leverandøren af Cura"),
        ("Systemnavn", "Cura"),
        ("Primær", "ja"),
        ("Kontakt hos leverandøren", ""),
        ("Leverandørens system-e-mail", "drift@v.example"),
        ("Tilslutningsdato", "1.7.2026"),  # the Danish day on which it was added
        ("Kommentar", ""),
    ]
    assert [values(found.rows[2])[place] for place in (3, 6)] == [
        ("Primær", "nej"),
        ("Tilslutningsdato", "1.3.2026"),
    ]
    assert [values(found.rows[3])[place] for place in (1, 2, 3, 6)] == [
        ("Leverandørnavn", "Columna"),
        ("Systemnavn", "Columna Flow"),
        ("Kvittering", "uden kvittering"),
        ("Tilslutningsdato", "1.7.2026"),
    ]


def test_the_parties_are_settings_with_a_date_in_danish(db: Database) -> None:
    found = made(
        db,
        supplier="Efterfølgeren",
        supplier_email="hjaelp@e.example",
        supplier_phone="1234 5678",
        supplier_as_of="2027-03-02",
        medcom_as_of="2027-04-05",
        kombit_product_owner="Anders And",
        kombit_as_of="2027-01-31",
    )
    assert row_of(found, "supplier").party == "Efterfølgeren (leverandør af Sundhedsagenten)"
    assert values(row_of(found, "supplier")) == [
        ("E-mail", "hjaelp@e.example"),
        ("Vagtnummer", "1234 5678"),
        ("Oplyst pr.", "2.3.2027"),
    ]
    assert values(row_of(found, "medcom")) == [
        ("E-mail", "certificering@medcom.dk"),
        ("Vejledning", "https://medcom.dk/standarder/test-og-certificering/"),
        ("Oplyst pr.", "5.4.2027"),
    ]
    assert values(row_of(found, "kombit")) == [
        ("Produktejer (PE)", "Anders And"),
        ("E-mail", "fki@kombit.dk"),
        ("Oplyst pr.", "31.1.2027"),
    ]
    assert {field.origin for row in found.rows[1:] for field in row.fields} == {Origin.SETTINGS}


def test_a_party_without_a_name_is_still_a_row_and_an_empty_setting_is_no_gap(db: Database) -> None:
    found = made(db, supplier="", supplier_phone="")
    assert row_of(found, "supplier").party == "Leverandør af Sundhedsagenten"
    assert values(row_of(found, "supplier"))[1] == ("Vagtnummer", "")
    assert values(row_of(found, "kombit"))[0] == ("Produktejer (PE)", "")
    assert not any(field.missing for field in row_of(found, "kombit").fields)


def test_a_kommune_that_is_not_connected_has_the_fixed_rows(db: Database) -> None:
    found = made(db, "0101")
    assert [row.key for row in found.rows] == ["kommune", "supplier", "medcom", "kombit"]
    assert [item.label for item in missing(found)] == ["Sundhedsagentadministrator", "Kontaktpunkt"]
    with pytest.raises(NotFoundError, match="9999"):
        made(db, "9999")


def test_registry_fields_follow_the_registry(db: Database, aarhus: dict[str, int]) -> None:
    receiver, connection = tables.receiver, tables.connection
    nexus = f"receiver:{aarhus['nexus']}"
    with db.writing() as tx:
        new = {"name": "Nexus 2", "vendor": "KMD", "vendor_email": "ny@v.example", "connected_on": None}
        tx.conn.execute(update(receiver).where(receiver.c.id == aarhus["nexus"]).values(new))
        values_now = {"primary_receiver_id": aarhus["nexus"], "contact_email": "ny@k.example"}
        tx.conn.execute(update(connection).values(values_now))
    found = made(db)
    assert [row.key for row in found.rows[1:3]] == [nexus, f"receiver:{aarhus['cura']}"]
    assert found.rows[1].party == "Leverandør af modtagersystem Nexus 2"
    shown = {field.key: field.value for field in found.rows[1].fields}
    assert (shown["name"], shown["vendor"], shown["vendor-email"]) == ("Nexus 2", "KMD", "ny@v.example")
    assert (shown["primary"], shown["connected-on"]) == ("ja", "1.7.2026")
    assert field_of(found, f"receiver:{aarhus['cura']}", "primary").value == "nej"
    assert field_of(found, "kommune", "contact-email").value == "ny@k.example"


def test_what_was_removed_is_no_row(db: Database, aarhus: dict[str, int]) -> None:
    with db.writing() as tx:
        for table, key in ((tables.receiver, "nexus"), (tables.noted_receiver, "noted")):
            tx.conn.execute(update(table).where(table.c.id == aarhus[key]).values(removed_at=NOW))
    assert [row.key for row in made(db).rows[1:-3]] == [f"receiver:{aarhus['cura']}"]
    for gone in ("Nexus", NOTED):
        with pytest.raises(RuleError, match="har intet modtagersystem"):
            fill(db, TypedField.COMMENT, "x", receiver=gone)


def test_a_typed_field_keeps_who_when_and_its_version(db: Database, aarhus: dict[str, int]) -> None:
    assert fill(db, TypedField.LOCAL_CONTACT, " Bo  Holm ", receiver=CURA.upper())
    assert not fill(db, TypedField.LOCAL_CONTACT, "Bo Holm", receiver="cURA", actor="ole")
    found = field_of(made(db), f"receiver:{aarhus['cura']}", "local-contact")
    assert found == Field(
        "local-contact", "Lokal kontakt", "Bo Holm", Origin.TYPED, NOW, "mette", 1, missing=False
    )
    assert fill(db, TypedField.LOCAL_CONTACT, "", receiver=CURA, actor="ole", seen=1)
    found = field_of(made(db), f"receiver:{aarhus['cura']}", "local-contact")
    assert (found.value, found.typed_by, found.version, found.missing) == ("", "ole", 2, True)
    untouched = field_of(made(db), f"receiver:{aarhus['nexus']}", "local-contact")
    assert (untouched.value, untouched.typed_at, untouched.version) == ("", None, 0)
    with db.reading() as conn:
        table = tables.audit
        query = select(table.c.subject, table.c.actor).where(table.c.action == Action.FIELD_TYPED.value)
        subject = f"typed:0751:receiver:{aarhus['cura']}:local-contact"
        assert conn.execute(query.order_by(table.c.id)).all() == [(subject, "mette"), (subject, "ole")]


def test_each_field_lands_in_its_own_place(db: Database, aarhus: dict[str, int]) -> None:
    cura, noted = f"receiver:{aarhus['cura']}", f"noted:{aarhus['noted']}"
    wanted = [
        ("kommune", TypedField.ADMINISTRATOR, None),
        (cura, TypedField.LOCAL_CONTACT, "Cura"),
        (cura, TypedField.VENDOR_CONTACT, CURA),
        (cura, TypedField.COMMENT, "CURA"),
        (noted, TypedField.LOCAL_CONTACT, "columna flow"),
        (noted, TypedField.VENDOR_CONTACT, NOTED.upper()),
        (noted, TypedField.COMMENT, " Columna Flow "),
    ]
    for row, field, receiver in wanted:
        assert fill(db, field, f"{field} i {row}", receiver=receiver)
    found = made(db)
    for row, field, _ in wanted:
        assert field_of(found, row, field.value).value == f"{field} i {row}"
    assert [item.row for item in missing(found)] == [f"receiver:{aarhus['nexus']}"] * 2


def test_optimistic_locking_shows_both_values(db: Database, aarhus: dict[str, int]) -> None:
    fill(db, TypedField.ADMINISTRATOR, "Ole", actor="ole")
    with pytest.raises(OutdatedError) as caught:
        fill(db, TypedField.ADMINISTRATOR, "Mette", seen=0)
    assert 'nu "Ole"' in str(caught.value)
    assert 'du ville skrive "Mette"' in str(caught.value)
    assert "senest af ole" in str(caught.value)
    assert field_of(made(db), "kommune", "administrator").value == "Ole"
    assert fill(db, TypedField.ADMINISTRATOR, "Mette", seen=1)
    fill(db, TypedField.COMMENT, "Først", receiver="Cura", seen=0)
    with pytest.raises(OutdatedError, match='nu "Først", du ville skrive "Sidst"'):
        fill(db, TypedField.COMMENT, "Sidst", receiver="Cura", seen=0)


def test_the_administrator_is_the_kommunes_and_the_others_a_systems(
    db: Database, aarhus: dict[str, int]
) -> None:
    with pytest.raises(RuleError, match="kommunens eget"):
        fill(db, TypedField.ADMINISTRATOR, "Mette", receiver="Cura")
    for nothing in (None, "", "  "):
        with pytest.raises(RuleError) as caught:
            fill(db, TypedField.COMMENT, "x", receiver=nothing)
        assert str(caught.value).splitlines() == [
            "Feltet kommentar hører til et modtagersystem; angiv hvilket:",
            f"  Nexus ({NEXUS})",
            f"  Cura ({CURA})",
            f"  Columna Flow ({NOTED})",
        ]


def test_an_unknown_or_ambiguous_system_lists_the_possible_ones(db: Database, aarhus: dict[str, int]) -> None:
    with db.writing() as tx:
        a_noted(tx, None, "CURA")
        a_receiver(tx, CURA, "Andetsteds", code="0101")
    with pytest.raises(RuleError) as caught:
        fill(db, TypedField.COMMENT, "x", receiver="cura")
    assert str(caught.value).splitlines() == [
        "Flere modtagersystemer i Aarhus Kommune hedder 'cura'; brug UUID:",
        f"  Cura ({CURA})",
        "  CURA (uden UUID)",
    ]
    for unknown in ("Cur", "Andetsteds"):
        with pytest.raises(RuleError) as caught:
            fill(db, TypedField.COMMENT, "x", receiver=unknown)
        assert f"har intet modtagersystem {unknown!r}" in str(caught.value)
        assert f"  Nexus ({NEXUS})" in str(caught.value)
    assert fill(db, TypedField.COMMENT, "den med UUID", receiver=CURA)
    assert field_of(made(db), f"receiver:{aarhus['cura']}", "comment").value == "den med UUID"
    with db.writing() as tx, pytest.raises(RuleError, match=r"\(ingen\)"):
        set_field(act_of(tx), "0147", TypedField.COMMENT, "x", receiver="Cura")


def test_a_name_is_found_however_its_letters_are_put_together(db: Database) -> None:
    with db.writing() as tx:
        key = a_noted(tx, None, "Sårpleje")
    assert fill(db, TypedField.COMMENT, "x", receiver=unicodedata.normalize("NFD", "SÅRPLEJE"))
    assert field_of(made(db), f"noted:{key}", "comment").value == "x"


def test_what_cannot_be_shown_is_refused(db: Database) -> None:
    for hostile in ("\x1b[31m", "\u202edrej", "nul\0"):
        with pytest.raises(RuleError, match="ikke kan vises"):
            fill(db, TypedField.ADMINISTRATOR, hostile)
    with pytest.raises(RuleError, match="højst 2000 tegn"):
        fill(db, TypedField.ADMINISTRATOR, "x" * 2_001)


@pytest.mark.parametrize(("value", "named"), [("Mette", True), ("", False), ("  ", False)])
def test_naming_the_administrator_fulfils_the_checklists(
    db: Database, monkeypatch: pytest.MonkeyPatch, value: str, named: bool
) -> None:
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr("engine.desk.procedures.fulfil", lambda _act, *facts: told.append(facts))
    for _ in range(2):  # a checklist may have been begun between the two
        fill(db, TypedField.ADMINISTRATOR, value)
    assert told == [("0751", "administrator-named")] * (2 if named else 0)


def test_a_checklist_that_waits_for_the_administrator_gets_its_step(db: Database) -> None:
    with db.writing() as tx:
        row = {
            "kommune_code": "0751",
            "kind": "4",
            "subject": "Kontaktpunkt",
            "started_at": NOW,
            "started_by": "mette",
        }
        tx.conn.execute(insert(tables.procedure).values(row))
    fill(db, TypedField.ADMINISTRATOR, "Mette")
    with db.reading() as conn:
        table = tables.procedure_step
        assert conn.execute(select(table.c.state, table.c.set_by)).all() == [("done", "mette")]


def test_what_is_missing_is_told_with_its_row(db: Database, aarhus: dict[str, int]) -> None:
    fill(db, TypedField.LOCAL_CONTACT, "Bo", receiver="Cura")
    with db.writing() as tx:
        tx.conn.execute(update(tables.connection).values(contact_note=""))
        tx.conn.execute(update(tables.noted_receiver).values(vendor_email=""))
    assert [(item.party.removeprefix("Leverandør af "), item.label) for item in missing(made(db))] == [
        ("Kommune", "Sundhedsagentadministrator"),
        ("modtagersystem Cura", "Kontakt hos leverandøren"),
        ("modtagersystem Nexus", "Lokal kontakt"),
        ("modtagersystem Nexus", "Kontakt hos leverandøren"),
        ("modtagersystem Columna Flow (uden kvittering)", "Lokal kontakt"),
        ("modtagersystem Columna Flow (uden kvittering)", "Kontakt hos leverandøren"),
        ("modtagersystem Columna Flow (uden kvittering)", "Leverandørens system-e-mail"),
    ]


@pytest.mark.sqlite_only
def test_all_are_made_with_as_many_queries_as_one(db: Database, aarhus: dict[str, int]) -> None:
    fill(db, TypedField.COMMENT, "Aarhus' egen", receiver="Cura")
    with db.writing() as tx:
        for number, code in enumerate(("0101", "0147", "0151")):
            uuid = f"abcdef1{number}-0000-4000-8000-000000000000"
            connect(tx, a_receiver(tx, uuid, f"System {code}", code), code)
    with counted(db) as statements, db.reading() as conn:
        every = all_templates(conn, Settings(), NOW)
        for_all = len(statements)
        own = all_templates(conn, Settings(), NOW, only=frozenset({"0147", "0751"}))
    assert for_all == 5  # BEGIN and four queries
    assert len(statements) - for_all == 4
    assert len(every) == 98
    assert [item.kommune_code for item in every] == sorted(item.kommune_code for item in every)
    by_code = {item.kommune_code: item for item in every}
    assert [item.kommune_code for item in own] == ["0147", "0751"]
    assert own == [by_code["0147"], by_code["0751"]]
    assert by_code["0751"] == made(db)
    assert by_code["0101"].rows[1].party == "Leverandør af modtagersystem System 0101"
    with db.reading() as conn:
        assert all_templates(conn, Settings(), NOW, only=frozenset()) == []
