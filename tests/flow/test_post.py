"""Mails go out one at a time, no faster than the server may be asked, and are tried until they are refused."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from engine.domain.alarm import MailKind
from engine.flow.mail_texts import MailTexts
from engine.flow.mailing import order_mail
from engine.flow.timekeeping import open_ledger
from engine.ports import OutgoingMail, SendResult
from engine.store import tables
from tests.flow.world import UNWATCHED, World
from tests.process.test_kill_mail import FACTS

LEFT_OUT = UNWATCHED

MINUTE = timedelta(minutes=1)


def order(world: World, *names: str, texts: MailTexts | None = None) -> list[bool]:
    with world.db.writing() as tx:
        ledger = open_ledger(tx, world.clock)
        done = [
            order_mail(
                ledger,
                texts or MailTexts(),
                MailKind.INCIDENT_UPDATE_DUE,
                f"{name}@k.example",
                FACTS,
                order_key=name,
                sender="agent@s.example",
            )
            for name in names
        ]
        ledger.write()
    return done


def addresses(world: World) -> list[str]:
    return [mail.address.partition("@")[0] for mail in world.mails.sent]


def the(world: World) -> Any:
    (row,) = world.rows(tables.mail)
    return row


async def test_the_same_mail_is_ordered_once(world: World) -> None:
    assert order(world, "a") == [True]
    assert order(world, "a") == [False]
    await world.drain()
    assert addresses(world) == ["a"]


async def test_the_oldest_goes_first_and_each_once(world: World) -> None:
    order(world, "c")
    world.clock.advance(MINUTE)
    order(world, "a", "b")
    await world.drain()
    await world.after(hours=1)
    assert addresses(world) == ["c", "a", "b"]
    assert [kind for kind in world.events() if kind == "mail-sent"] == ["mail-sent"] * 3


@pytest.mark.long_on_server
async def test_what_fails_is_tried_again_with_the_same_message_id_after_growing_pauses(world: World) -> None:
    tried: list[tuple[OutgoingMail, Any]] = []

    def down(mail: OutgoingMail) -> SendResult:
        tried.append((mail, world.clock.now()))
        return SendResult("Mailserveren svarer ikke inden for tiden")

    world.mails.verdict = down
    order(world, "a")
    for _ in range(200):
        await world.after(seconds=30)
    assert len({mail.message_id for mail, _ in tried}) == 1
    assert len({mail.ordered_at for mail, _ in tried}) == 1
    pauses = [after - before for (_, before), (_, after) in pairwise(tried)]
    assert pauses == sorted(pauses)
    assert max(pauses) == 15 * MINUTE
    assert the(world).last_error == "Mailserveren svarer ikke inden for tiden"


async def test_a_refused_address_is_an_alarm_and_is_not_tried_for_ever(world: World) -> None:
    order(world, "a")
    world.mails.verdict = lambda _: SendResult("Modtageren afvises: 550 findes ikke", final=True)
    await world.drain()
    world.mails.verdict = lambda _: SendResult()
    await world.after(hours=24)
    assert addresses(world) == []
    assert (the(world).next_at, the(world).attempts) == (None, 1)
    assert the(world).refused_at is not None
    (event,) = [row for row in world.rows(tables.event) if row.kind == "mail-refused"]
    assert event.severity == "alarm"


async def test_one_that_fails_does_not_hold_up_the_others(world: World) -> None:
    world.mails.verdict = lambda mail: SendResult("nej" if mail.address.startswith("a") else None)
    order(world, "a", "b")
    await world.drain()
    assert addresses(world) == ["b"]


async def test_no_more_are_tried_in_a_minute_than_the_settings_say(make_world: Callable[..., World]) -> None:
    world = make_world(mail={"per_minute": 3})
    order(world, *"abcdefg")
    await world.drain()
    assert addresses(world) == [*"abc"]
    await world.after(seconds=59)
    assert addresses(world) == [*"abc"]
    await world.after(seconds=2)
    assert addresses(world) == [*"abcdef"]
    await world.after(minutes=1)
    assert addresses(world) == [*"abcdefg"]


async def test_a_clock_set_back_neither_stops_mails_nor_opens_the_gates(
    make_world: Callable[..., World],
) -> None:
    world = make_world(mail={"per_minute": 3})
    order(world, *"abcd")
    await world.drain()
    world.clock.step(timedelta(hours=-3))
    await world.after(minutes=2)
    assert addresses(world) == [*"abcd"]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("Emne: {{ haendelse }\n", "linje 1"),
        ("Emne: {{ findes_ikke }}\n", "findes_ikke"),
        ("Uden emne\n", "første linje"),
    ],
)
async def test_a_slip_in_an_own_template_loses_no_mail_and_is_told(
    world: World, tmp_path: Any, source: str, fault: str
) -> None:
    (tmp_path / "incident-update-due.txt").write_text(source, encoding="utf-8")
    order(world, "a", texts=MailTexts(tmp_path))
    await world.drain()
    assert world.mails.sent[0].subject == "Hændelse 1 skal opdateres: Prøve"
    (event,) = [row for row in world.rows(tables.event) if row.kind == "mail-text-broken"]
    assert fault in event.data


async def test_an_own_template_is_used(world: World, tmp_path: Any) -> None:
    (tmp_path / "incident-update-due.txt").write_text("Emne: Husk {{ titel }}\nNu.\n", encoding="utf-8")
    order(world, "a", texts=MailTexts(tmp_path))
    await world.drain()
    assert (world.mails.sent[0].subject, world.mails.sent[0].text) == ("Husk Prøve", "Nu.\n")
