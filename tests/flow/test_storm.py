"""98 kommuner x 3 receivers x 25 misses, and a real mail server: how many mails people get."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.clock import SimulatedClock
from engine.domain.incident import Cause
from engine.flow import incidents
from engine.flow.mail_texts import MailTexts
from engine.flow.notify import Notify
from engine.flow.post import Post
from engine.flow.timekeeping import open_ledger
from engine.flow.watch import Watch
from engine.links.mail import SmtpMail
from engine.settings import AlarmSettings, Settings
from engine.store import tables
from engine.store.database import Database
from tests.flow.test_watch_campaign import SAME
from tests.flow.world import BOX, a_database
from tests.links.smtp_server import Letterbox, smtp_server

KOMMUNER, RECEIVERS, MISSES = 98, 3, 25
CASES = KOMMUNER * RECEIVERS
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOTLINE = "hotline@multimed.dk"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """25 adviser in each kommune, published 45 minutes ago to three receivers, and no kvittering."""
    db = a_database(tmp_path / "storm.db")
    codes = [f"1{number:03}" for number in range(KOMMUNER)]
    with db.writing() as tx:
        tx.insert(
            tables.kommune,
            [
                {
                    "code": code,
                    "name": f"Kommune {code}",
                    "cvr": f"1111{code}",
                    "fk_organisation_uuid": "x",
                    "region": "R",
                    "region_code": "1084",
                    "epj": "E",
                }
                for code in codes
            ],
        )
        tx.insert(tables.payload, [{"id": 1, "sealed": b""}])
        for code in codes:
            _kommune(tx, code)
    yield db
    db.close()


def _kommune(tx: Any, code: str) -> None:
    ids = []
    for number in range(RECEIVERS):
        row = {
            "kommune_code": code,
            "system_uuid": f"{code}-{number}",
            "name": f"System {number}",
            "vendor": f"Leverandør {number}",
            "vendor_email": f"v{number}@v.example",
            "added_at": START,
        }
        key = tx.conn.execute(tables.receiver.insert().values(**row)).inserted_primary_key
        ids.append(key[0])
    connection = {"primary_receiver_id": ids[0], "contact_email": f"k{code}@k.example", "connected_at": START}
    tx.insert(tables.connection, [{"kommune_code": code, **connection}])
    first = int(code) * 1_000
    published = START - timedelta(minutes=45)
    tx.insert(
        tables.advis,
        [
            {
                "id": first + number,
                "kommune_code": code,
                "primary_receiver_id": ids[0],
                "message_id": f"m{first + number}",
                "besked_id": f"b{first + number}",
                "payload_id": 1,
                "received_at": published,
                "published_at": published,
                **SAME,
            }
            for number in range(MISSES)
        ],
    )
    tx.insert(
        tables.expected_kvittering,
        [
            {
                "advis_id": first + number,
                "receiver_id": receiver_id,
                "state": "pending",
                "clock_from": published,
                "due_at": START,
            }
            for number in range(MISSES)
            for receiver_id in ids
        ],
    )


async def storm(db: Database, box: Letterbox, *, declared: bool) -> None:
    """The engine's stations over the first five minutes after the deadlines."""
    clock, texts = SimulatedClock(START), MailTexts()
    with smtp_server(box) as mail:
        settings = Settings(
            mail=mail.model_copy(update={"per_minute": 2_000}), alarm=AlarmSettings(lead_email="")
        )
        if declared:
            with db.writing() as tx:
                ledger = open_ledger(tx, clock)
                known: dict[str, Any] = {"basis": "alt fejler", "began_at": clock.now()}
                number = incidents.propose(ledger, settings, texts, Cause.BESKEDFORDELER, **known)
                incidents.declare(ledger, settings, texts, number, by="anna")
                ledger.write()
        link = SmtpMail(settings.mail)
        stations = (
            Watch(db, clock, settings),
            Notify(db, clock, settings, texts),
            Post(link, db, BOX, clock, settings, "test"),
        )
        for _ in range(10):
            while sum([await station.step() for station in stations]):
                pass
            clock.advance(timedelta(seconds=30))
        await link.close()


def count(db: Database, table: Any, *conditions: Any) -> int:
    with db.reading() as conn:
        return int(conn.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())


async def test_each_case_and_addressee_gets_one_opening_mail(db: Database) -> None:
    box = Letterbox()
    await storm(db, box, declared=False)
    assert count(db, tables.alarm_case, tables.alarm_case.c.misses == MISSES) == CASES
    assert len(box.mails) == 2 * CASES
    subjects = Counter((message["To"], message["Subject"]) for message in box.messages)
    assert set(subjects.values()) == {1}
    addresses = Counter(box.addresses)
    assert {address: n for address, n in addresses.items() if address.startswith("v")} == {
        f"v{number}@v.example": KOMMUNER for number in range(RECEIVERS)
    }
    assert {n for address, n in addresses.items() if address.startswith("k")} == {RECEIVERS}
    assert all("25 adviser uden kvittering" in str(message["Subject"]) for message in box.messages)


async def test_a_declared_incident_leaves_one_note_in_each_case_and_no_mail(db: Database) -> None:
    box = Letterbox()
    await storm(db, box, declared=True)
    assert count(db, tables.alarm_case, tables.alarm_case.c.held_by == 1) == CASES
    event = tables.event
    with db.reading() as conn:
        notes = conn.execute(
            select(event.c.case_id, func.count()).where(event.c.kind == "case-held").group_by(event.c.case_id)
        ).all()
    assert len(notes) == CASES
    assert {n for _, n in notes} == {1}
    assert box.addresses == [HOTLINE]  # of the proposal
