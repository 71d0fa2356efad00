"""`mail`: what was sent, what waits, what was refused, and how the texts look."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from engine.clock import SimulatedClock
from engine.desk.mail_samples import sample_facts
from engine.domain.alarm import MailKind
from engine.flow.case_mail import case_facts
from engine.flow.mail_texts import MailTexts
from engine.flow.mailing import order_mail
from engine.flow.timekeeping import open_ledger
from engine.home import Home
from engine.settings import Settings
from engine.store import tables
from engine.store.database import Database
from tests.commands.conftest import Command
from tests.desk.builders import NOON, connect


@pytest.fixture
def desk(at_home: Command, db: Database, clock: SimulatedClock) -> Command:
    """Three mails: one sent, one that waits after a failure, one refused."""
    with db.writing() as tx:
        ledger = open_ledger(tx, clock)
        for name in ("sendt", "venter", "afvist"):
            facts = sample_facts(MailKind.CASE_OPENED, Settings())
            order_mail(
                ledger,
                MailTexts(),
                MailKind.CASE_OPENED,
                f"{name}@k.example",
                facts,
                order_key=name,
                sender="a@s.example",
            )
        ledger.write()
        set_row(tx, "sendt", sent_at=clock.now(), next_at=None)
        set_row(tx, "venter", attempts=2, last_error="Mailserveren svarer ikke")
        set_row(tx, "afvist", refused_at=clock.now(), next_at=None, last_error="550 findes ikke")
    return at_home


def set_row(tx: Any, name: str, **values: Any) -> None:
    mail = tables.mail
    tx.conn.execute(update(mail).where(mail.c.order_key == name).values(**values))


def listed(desk: Command, *options: object) -> list[str]:
    return [line["address"].partition("@")[0] for line in desk("mail", "list", "--json", *options).json]


def test_the_list_says_how_each_stands(desk: Command) -> None:
    assert listed(desk) == ["afvist", "venter", "sendt"]
    assert listed(desk, "--waiting") == ["venter"]
    assert listed(desk, "--refused") == ["afvist"]
    assert listed(desk, "--case", 9) == []
    shown = desk("mail", "list").out
    assert "venter: Mailserveren svarer ikke" in shown
    assert "afvist: 550 findes ikke" in shown
    assert desk("mail", "list", "--waiting", "--refused").status == 2


def test_a_mail_in_full(desk: Command) -> None:
    shown = desk("mail", "show", 3).out
    for needed in ("afvist@k.example", "550 findes ikke", "Omsorgssystem A i Prøve Kommune", "Message-ID"):
        assert needed in shown
    assert desk("mail", "show", 3, "--json").json["state"] == "refused"
    assert "ingen mail 9" in desk("mail", "show", 9).err


def test_a_refused_mail_is_sent_again_to_a_mended_address(desk: Command) -> None:
    done = desk("mail", "retry", 3, "--to", "rigtig@k.example")
    assert "sendes til rigtig@k.example" in done.out
    assert listed(desk, "--waiting") == ["venter", "rigtig"]
    assert listed(desk, "--refused") == []
    assert desk("audit", "list", "--json").json[0]["action"] == "mail-retried"


def test_a_sent_mail_is_not_sent_again(desk: Command) -> None:
    refused = desk("mail", "retry", 1)
    assert refused.status == 1
    assert "er sendt" in refused.err
    assert "ikke en gyldig adresse" in desk("mail", "retry", 3, "--to", "forkert").err


def test_those_who_only_read_send_nothing(desk: Command, as_user: Callable[[str], None]) -> None:
    desk("role", "grant", "rev", "auditor")
    as_user("rev")
    assert desk("mail", "show", 3).status == 0
    assert "kræver rollen hotline eller administrator" in desk("mail", "retry", 3).err


@pytest.mark.parametrize("kind", MailKind)
def test_every_kind_can_be_looked_at(at_home: Command, kind: MailKind) -> None:
    shown = at_home("mail", "preview", kind.value)
    assert shown.status == 0
    assert shown.out.startswith("Emne: ")
    assert "<body" in at_home("mail", "preview", kind.value, "--html").out
    assert at_home("mail", "preview", kind.value, "--fields").status == 0
    assert at_home("mail", "preview", kind.value, "--source").out.startswith(("Emne: ", "{#"))


def test_the_fields_shown_are_those_that_a_real_mail_has(at_home: Command, db: Database) -> None:
    with db.writing() as tx:
        receiver_id = connect(tx)[0]
        case = tables.alarm_case
        values = {"kind": "missing-kvittering", "kommune_code": "0751", "receiver_id": receiver_id}
        tx.conn.execute(case.insert().values(**values, opened_at=NOON))
        row = tx.conn.execute(case.select()).one()
        real = case_facts(tx.conn, Settings(), row, NOON, missing=0)
    assert set(sample_facts(MailKind.CASE_OPENED, Settings())) == {*real, "rolle"}
    assert at_home("mail", "preview", "case-opened", "--fields").out.count("\n") == len(real) + 1


def test_an_own_text_is_shown_and_its_fault_is_told(at_home: Command, new_home: Home) -> None:
    own = new_home.mail_templates / "case-opened.txt"
    own.write_text("Emne: Hov {{ kommune }}\nRing!\n", encoding="utf-8")
    assert at_home("mail", "preview", "case-opened").out == "Emne: Hov Prøve Kommune\n\nRing!\n"
    assert "egen (txt)" in at_home("mail", "preview").out
    own.write_text("Emne: {{ ukendt }}\n", encoding="utf-8")
    broken = at_home("mail", "preview", "case-opened")
    assert broken.status == 1
    assert "'ukendt'" in broken.err
    assert "Omsorgssystem A" in broken.out
