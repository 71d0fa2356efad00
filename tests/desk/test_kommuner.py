import json
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.desk.kommuner import ConnectKommune, connect_kommune
from engine.desk.receivers import add_receiver
from engine.desk.registry import find_kommune, list_kommuner, list_receivers, show_kommune
from engine.domain.ids import is_gln
from engine.errors import NotFoundError, RuleError
from engine.store import tables
from engine.store.database import Database
from tests.desk.builders import AARHUS, FRB, NOON, a_kommune, a_receiver, an_act, connect, uuid

GOOD = a_kommune().gln
BAD_CHECK = GOOD[:12] + str((int(GOOD[12]) + 1) % 10)


def refusal(db: Database, order: ConnectKommune) -> str:
    with pytest.raises((RuleError, NotFoundError)) as caught, db.writing() as tx:
        connect_kommune(an_act(tx), order)
    return str(caught.value)


def receiver_refusal(db: Database, **changes: Any) -> str:
    with db.writing() as tx:
        if not list_kommuner(tx.conn, connected_only=True):
            connect(tx)
    with pytest.raises(RuleError) as caught, db.writing() as tx:
        add_receiver(an_act(tx), AARHUS, a_receiver(7, **changes))
    return str(caught.value)


def test_connecting_makes_the_first_receiver_the_primary(db: Database) -> None:
    with db.writing() as tx:
        done = connect_kommune(an_act(tx), a_kommune(primary=a_receiver(uuid=uuid(1).upper(), name=" Cura ")))
    assert (done.kommune_name, done.receiver_name, done.system_uuid) == ("Aarhus Kommune", "Cura", uuid(1))
    with db.reading() as conn:
        view = show_kommune(conn, AARHUS)
        assert (view.connected, view.gln, view.contact_email) == (True, GOOD, "advis@k.example")
        assert [(item.name, item.uuid, item.primary) for item in view.receivers] == [("Cura", uuid(1), True)]
        event = conn.execute(select(tables.event)).one()
    assert (event.kind, event.actor, event.kommune_code) == ("kommune-connected", "mette", AARHUS)
    data = json.loads(event.data)
    assert (data["kommune"], data["receiver"]) == ("Aarhus Kommune", "Cura")
    assert "advis@k.example" not in event.data


def test_an_added_receiver_is_never_primary(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, others=0)
        add_receiver(an_act(tx), AARHUS, a_receiver(2, uuid=uuid(2).upper()))
    with db.reading() as conn:
        found = [(item.uuid, item.primary) for item in list_receivers(conn, AARHUS)]
        kinds = list(conn.execute(select(tables.event.c.kind)).scalars())
    assert found == [(uuid(1), True), (uuid(2), False)]
    assert kinds == ["kommune-connected", "receiver-added"]


def test_an_unknown_kommune_is_told_with_the_nearest(db: Database) -> None:
    assert "Mente du 0751 Aarhus Kommune" in refusal(db, a_kommune(code="Århus", gln=GOOD))
    assert "0756 Ikast-Brande Kommune" in refusal(db, a_kommune(code="0757", gln=GOOD))
    assert "kommune list" in refusal(db, a_kommune(code="xyzxyz", gln=GOOD))


def test_a_kommune_is_found_by_its_cvr_number_too(db: Database) -> None:
    with db.reading() as conn:
        assert find_kommune(conn, " 55133018 ").code == AARHUS
        for cvr, told in (
            ("55133019", "forkert kontrolciffer"),
            ("10403782", "Ingen kommune har CVR-nummeret"),
        ):
            with pytest.raises(NotFoundError, match=told):
                find_kommune(conn, cvr)


def test_a_kommune_is_connected_once(db: Database) -> None:
    with db.writing() as tx:
        connect(tx)
    assert "allerede tilsluttet" in refusal(db, a_kommune(gln="5790000000005", primary=a_receiver(9)))


@pytest.mark.parametrize(
    ("gln", "told"),
    [(GOOD[:12], "13 cifre"), ("579000000000x", "13 cifre"), ("", "13 cifre"), ("٥" * 13, "13 cifre")],
)
def test_a_gln_has_13_digits(db: Database, gln: str, told: str) -> None:
    assert told in refusal(db, a_kommune(gln=gln))


def test_a_wrong_check_digit_is_told_with_the_right_one(db: Database) -> None:
    assert not is_gln(BAD_CHECK)
    assert f"det skulle være {GOOD[12]}" in refusal(db, a_kommune(gln=BAD_CHECK))


def test_a_gln_belongs_to_one_kommune(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, FRB)
    told = refusal(db, a_kommune(gln=a_kommune(FRB).gln))
    assert "bruges allerede af Frederiksberg Kommune (0147)" in told


@pytest.mark.parametrize("sor", ["", "1234567890", "1" * 19, "32542100001600x"])
def test_a_sor_code_has_11_to_18_digits(db: Database, sor: str) -> None:
    assert "SOR-koden skal være 11 til 18 cifre" in refusal(db, a_kommune(sor=sor))


EMAILS = [
    "",
    "x",
    "x@y",
    "x y@z.dk",
    "x@@y.dk",
    "a@b..dk",
    "Navn <x@y.dk>",
    "x@y.dk,z@y.dk",
    "a" * 250 + "@b.dk",
]


@pytest.mark.parametrize("email", EMAILS)
def test_e_mail_addresses_are_plausible(db: Database, email: str) -> None:
    assert "Kontaktpunktets e-mailadresse" in refusal(db, a_kommune(contact_email=email))
    told = "Leverandørens e-mailadresse" if email else "--vendor-email"
    assert told in receiver_refusal(db, vendor_email=email)


@pytest.mark.parametrize("text", ["", "123", uuid(1).replace("-", ""), f"{uuid(1)}0", "g" + uuid(1)[1:]])
def test_a_uuid_has_its_form(db: Database, text: str) -> None:
    assert "UUID" in receiver_refusal(db, uuid=text)


@pytest.mark.parametrize("field", ["name", "vendor"])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Der mangler"),
        ("  ", "Der mangler"),
        ("x" * 201, "højst 200"),
        ("a\x1b[2Jb", "ikke kan vises"),
    ],
)
def test_names_are_there_short_and_printable(db: Database, field: str, text: str, told: str) -> None:
    assert told in receiver_refusal(db, **{field: text})


def test_a_name_that_turns_the_direction_of_writing_is_refused(db: Database) -> None:
    assert "ikke kan vises" in receiver_refusal(db, name="abc\u202edef")


def test_a_uuid_is_there_once_in_a_kommune_in_any_case(db: Database) -> None:
    assert "allerede registreret i Aarhus Kommune som System 1" in receiver_refusal(db, uuid=uuid(1).upper())


def test_the_same_system_can_serve_two_kommuner(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, AARHUS)
        connect(tx, FRB)
    with db.reading() as conn:
        assert [item.uuid for item in list_receivers(conn, FRB)] == [uuid(1), uuid(2)]


def test_a_removed_system_can_be_added_again(db: Database) -> None:
    with db.writing() as tx:
        _, other = connect(tx)
        tx.conn.execute(tables.receiver.update().where(tables.receiver.c.id == other).values(removed_at=NOON))
        add_receiver(an_act(tx), AARHUS, a_receiver(2))
        assert len(list_receivers(tx.conn, AARHUS)) == 2


def test_nothing_is_added_before_the_kommune_is_connected(db: Database) -> None:
    with pytest.raises(RuleError, match="ikke tilsluttet endnu"), db.writing() as tx:
        add_receiver(an_act(tx), AARHUS, a_receiver(2))


def test_what_is_refused_leaves_nothing(db: Database) -> None:
    refusal(db, a_kommune(primary=a_receiver(vendor_email="x")))
    with db.reading() as conn:
        for table in (tables.receiver, tables.unit, tables.connection, tables.event):
            assert conn.execute(select(func.count()).select_from(table)).scalar() == 0


@pytest.mark.parametrize("text", ["0751", "Aarhus Kommune", "aarhus", " AARHUS KOMMUNE "])
def test_a_kommune_is_found_by_code_or_name(db: Database, text: str) -> None:
    with db.reading() as conn:
        assert find_kommune(conn, text).code == AARHUS


def test_an_unknown_kommune_is_not_found(db: Database) -> None:
    with db.reading() as conn, pytest.raises(NotFoundError):
        show_kommune(conn, "9" * 50)


def test_the_list_has_all_98_and_who_is_connected(db: Database) -> None:
    with db.writing() as tx:
        connect(tx, AARHUS, others=2)
    with db.reading() as conn:
        every, [line] = list_kommuner(conn), list_kommuner(conn, connected_only=True)
    assert len(every) == 98
    assert [item.code for item in every] == sorted(item.code for item in every)
    assert (line.code, line.primary, line.receivers, line.gln) == (AARHUS, "System 1", 3, GOOD)
    assert sum(item.connected for item in every) == 1
