"""kill -9 while mails go out to a real server: none is lost, and at most the one in flight comes twice."""

import asyncio
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.domain.alarm import MailKind
from engine.flow.mail_texts import MailTexts
from engine.flow.mailing import order_mail
from engine.home import Home
from engine.settings import MailSettings
from engine.store.ledger import Ledger
from tests.links.smtp_server import Letterbox, smtp_server
from tests.process.outside import Outside, command

FACTS = {"haendelse": 1, "titel": "Prøve", "naeste": datetime(2026, 7, 1, tzinfo=UTC), "fase": "Undersøges"}


class Postman:
    """The server's side: it tells when the mail at which the engine is to be killed has begun."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.box = Letterbox(on_data=self.on_data, on_taken=self.on_taken)
        self.reached = threading.Event()
        self.kill_at: int | None = None
        self.answers = True

    def kill_within(self, mails: int, *, unanswered: bool) -> None:
        """At one of the next so many; `unanswered`: that one is taken, and the engine never hears it."""
        self.reached.clear()
        self.answers = not unanswered
        self.kill_at = self.box.data_begun + self.rng.randint(1, mails)

    def on_data(self, number: int) -> str | None:
        if self.kill_at is not None and number >= self.kill_at:
            self.reached.set()
        time.sleep(
            self.rng.uniform(0, 0.01)
        )  # as slow as servers are, so that the kill falls before and after
        return None

    async def on_taken(self, number: int) -> None:
        while not self.answers and self.kill_at is not None and number >= self.kill_at:  # noqa: ASYNC110
            await asyncio.sleep(0.002)

    @property
    def ids(self) -> list[str]:
        return [str(message["Message-ID"]) for message in self.box.messages]


def order(home: Home, count: int) -> set[str]:
    """Mails that wait; their Message-IDs."""
    db = home.open_database()
    with db.writing() as tx:
        ledger = Ledger(tx, datetime.now(UTC))
        for number in range(count):
            order_mail(
                ledger,
                MailTexts(),
                MailKind.INCIDENT_UPDATE_DUE,
                f"k{number}@k.example",
                FACTS,
                order_key=f"test:{number}",
                sender="agent@s.example",
            )
        ledger.write()
    with db.reading() as conn:
        ids = {f"<{row[0]}>" for row in conn.exec_driver_sql("SELECT message_id FROM mail")}
    db.close()
    return ids


def by_smtp(settings: MailSettings) -> dict[str, str]:
    chosen: dict[str, Any] = {
        "SEND_BY": "smtp",
        "SERVER": settings.server,
        "PORT": settings.port,
        "SECURITY": settings.security,
        "SENDER": settings.sender,
        "PER_MINUTE": 2_000,
    }
    return os.environ | {f"SUNDHEDSAGENT_MAIL__{name}": str(value) for name, value in chosen.items()}


def run(outside: Outside, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    ordered, postman = order(outside.home, 20 * kills), Postman(rng)
    with smtp_server(postman.box) as settings:
        for number in range(kills):
            before = postman.ids
            postman.kill_within(12, unanswered=number == 0)  # one falls there for certain, others may
            engine = subprocess.Popen(
                command(outside.home, "run"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=by_smtp(settings),
            )
            try:
                assert postman.reached.wait(30), "the engine sent nothing"
                time.sleep(rng.uniform(0, 0.03))
            finally:
                engine.send_signal(signal.SIGKILL)
                engine.wait(10)
                postman.answers = True
            again = [each for each in postman.ids[len(before) :] if each in before]
            # The one that was in flight when the engine died, and it comes first.
            assert again in ([], [before[-1] if before else None])
        postman.kill_at = None
        assert len(postman.ids) < len(ordered), "all were sent before the last kill"
        subprocess.run(command(outside.home, "run", "--drain"), env=by_smtp(settings), check=True, timeout=60)
    counts = Counter(postman.ids)
    assert set(counts) == ordered
    repeats = sum(counts.values()) - len(ordered)
    assert repeats <= kills
    assert repeats > 0, "no kill fell between a mail and its record: the test proves nothing"


@pytest.mark.timeout(200)
def test_kills_lose_no_mail_and_repeat_at_most_the_one_in_flight(outside: Outside) -> None:
    run(outside, kills=6, seed=int(os.environ.get("KILL_SEED", "1")))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_kills(outside: Outside, seed: int) -> None:
    run(outside, kills=20, seed=seed)
