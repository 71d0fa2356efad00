"""`status` in the hours when it is needed: what stands still, which channel fails, and an engine that is gone."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import insert

from engine.clock import SimulatedClock
from engine.domain import pulse
from engine.home import Home, engine_lock
from engine.store import tables
from engine.store.database import Database
from tests.commands.conftest import Command

MINUTE = timedelta(minutes=1)


@pytest.fixture
def running(new_home: Home) -> Iterator[None]:
    """Somebody holds the engine's lock."""
    with engine_lock(new_home):
        yield


@pytest.fixture
def seen(db: Database, clock: SimulatedClock) -> None:
    """An engine beats now."""
    now = clock.now()
    with db.writing() as tx:
        tx.conn.execute(insert(tables.pulse).values(name=pulse.ENGINE, good_at=now, since=now - 60 * MINUTE))


def first_line(command: Command) -> str:
    return command("status").out.splitlines()[0]


@pytest.mark.usefixtures("seen", "running")
@pytest.mark.sqlite_only
def test_an_engine_that_hangs_is_told_though_it_holds_the_lock(
    at_home: Command, clock: SimulatedClock
) -> None:
    clock.advance(2 * MINUTE)
    assert first_line(at_home) == "Motoren kører. Tilsluttede kommuner: 0"
    clock.advance(MINUTE)
    told = "Motoren kører, men gav sidst livstegn for 3 min siden. Genstart den."
    assert first_line(at_home).startswith(told)
    assert at_home("status").status == 0
    found = at_home("status", "--json").json
    assert (found["engine_running"], found["engine_seen_at"]) == (True, "2026-11-23T09:00:00.000Z")


@pytest.mark.usefixtures("seen")
def test_an_engine_that_is_gone_was_last_seen(at_home: Command, clock: SimulatedClock) -> None:
    clock.advance(MINUTE)
    assert first_line(at_home).startswith("Motoren kører ikke. Sidst set for 1 min siden.")


def test_what_stands_still_and_which_channel_fails(
    at_home: Command, db: Database, clock: SimulatedClock
) -> None:
    now = clock.now()
    row = {"since": now - 40 * MINUTE, "noticed_at": now - 30 * MINUTE}
    good = {"name": pulse.VANS_OUT, "good_at": now - MINUTE}
    bad = {"name": pulse.MAIL, "bad_since": now - 40 * MINUTE, "error": "Serveren svarer ikke"}
    with db.writing() as tx:
        tx.conn.execute(insert(tables.stall).values(name="queue:mails", detail="Mails: 3 venter", **row))
        tx.conn.execute(insert(tables.pulse).values(**good))
        tx.conn.execute(insert(tables.pulse).values(**bad))
    lines = at_home("status").out.splitlines()
    assert (
        "! Står stille siden 23.11. kl. 09:20: Mails: 3 venter. Se fejlen: sundhedsagent mail list --waiting"
        in lines
    )
    assert "✗ Mail                fejler siden 23.11. kl. 09:20: Serveren svarer ikke" in lines
    assert "✓ VANS ud             i orden, senest for 1 min siden" in lines
    assert "· driftstatus         ikke brugt endnu" in lines
    found = at_home("status", "--json").json
    assert [stall["name"] for stall in found["stalls"]] == ["queue:mails"]
    ups = {channel["name"]: channel["up"] for channel in found["channels"]}
    assert (ups[pulse.MAIL], ups[pulse.VANS_OUT], ups[pulse.DRIFTSTATUS]) == (False, True, None)


def test_a_certificate_that_ends_soon_and_where_the_new_one_is_put(
    at_home: Command, db: Database, clock: SimulatedClock
) -> None:
    now = clock.now()
    seen = {"holder": "", "identity": "aa", "file": "/etc/vans.pem", "seen_at": now}
    soon = {"expires_at": now + timedelta(days=7), "told": 7, "told_at": now - timedelta(days=53)}
    with db.writing() as tx:
        tx.conn.execute(insert(tables.certificate).values(use="vans", **seen, **soon))
    told = "Certifikatet til VANS ud udløber 30.11.2026, om 7 dage"
    do = "Forny det, og læg det nye i /etc/vans.pem: motoren tager det i brug af sig selv."
    assert f"! {told}. {do}" in at_home("status").out.splitlines()
    (found,) = at_home("status", "--json").json["certificates"]
    assert (found["what"], found["level"], found["uses"]) == (told, "alarm", ["vans"])
    assert found["expires_at"] == "2026-11-30T09:00:00.000Z"
    out = at_home("todo").out
    assert f"{told}  [certifikat:aa, 53 d siden]" in out
    assert "Åbn:  sundhedsagent doctor" in out
