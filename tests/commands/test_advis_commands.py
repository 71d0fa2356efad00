import re
from datetime import timedelta
from typing import Any

import pytest

from engine.clock import SystemClock
from engine.domain.events import EventKind, Level
from engine.home import engine_lock
from engine.store.database import Database
from tests.commands.conftest import Command
from tests.desk.builders import (
    AARHUS,
    MINUTE,
    NOON,
    a_publication,
    an_advis,
    an_envelope_out,
    an_event,
    connect,
    uuid,
)

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture
def advis(db: Database) -> int:
    with db.writing() as tx:
        receivers = connect(tx)
        advis = an_advis(
            tx,
            receivers=receivers,
            states=["ok"],
            due_at=SystemClock().now() + 30 * MINUTE,
            published_at=NOON,
            verdict="ok",
            verdict_at=NOON,
            besked_id=uuid(7),
            sender_name="Test\x1b[2Jhospital",
            findings='[{"path": "Encounter.class", "code": "MSG_X", "text": "Klassen mangler", "severity": "error"}]',
        )
        an_envelope_out(tx, advis, sent_at=NOON)
        an_event(
            tx, EventKind.ADVIS_RECEIVED, advis_id=advis, kommune_code=AARHUS, actor="Test\x1b[2Jhospital"
        )
        failed = {
            "advis_id": advis,
            "envelope_id": "e",
            "error": "x",
            "attempts": 1,
            "next": NOON.isoformat(),
        }
        an_event(tx, EventKind.ENVELOPE_FAILED, NOON + MINUTE, level=Level.WARNING, **failed)
    return advis


def test_lists_are_one_array_and_shows_one_object(at_home: Command, advis: int) -> None:
    listed = at_home("advis", "list", "--json")
    shown = at_home("advis", "show", uuid(7).upper(), "--json")
    assert (listed.status, shown.status, listed.err, shown.err) == (0, 0, "", "")
    assert listed.json == [shown.json]
    assert (shown.json["id"], shown.json["state"], shown.json["received_at"]) == (
        advis,
        "answered",
        "2026-07-01T12:00:00.000Z",
    )
    traced = at_home("advis", "trace", advis, "--json").json
    assert [line["kind"] for line in traced] == ["advis-received", "envelope-failed"]
    assert traced[0]["local_time"] == "2026-07-01 14:00:00"
    assert [line["advis_id"] for line in at_home("pending", "--json").json] == [advis]


def test_empty_lists_are_empty_arrays(at_home: Command) -> None:
    assert at_home("advis", "list", "--json").json == []
    assert at_home("pending", "--json").json == []
    assert at_home("advis", "list").out == "Ingen adviser passer.\n"
    assert at_home("pending").out == "Ingen kvitteringer afventes.\n"


def test_the_list_for_people(at_home: Command, advis: int) -> None:
    assert at_home("advis", "list").out.splitlines() == [
        "Nr.  Modtaget          Kommune  Kode  Tilstand  Sygehus",
        f"  {advis}  2026-07-01 14:00  Aarhus   STIN  besvaret  Test\ufffd[2Jhospital",
    ]


def test_a_cut_list_says_so(at_home: Command, db: Database, advis: int) -> None:
    with db.writing() as tx:
        an_advis(tx, receivers=[1])
    assert "Kun de 1 nyeste er vist" in at_home("advis", "list", "--limit", "1").out
    assert "nyeste er vist" not in at_home("advis", "list").out


@pytest.mark.parametrize(
    ("words", "hit"),
    [
        (("--kommune", "0751"), True),
        (("--code", "stin"), True),
        (("--code", "STOR"), False),
        (("--state", "answered"), True),
        (("--state", "received"), False),
        (("--hospital", "5790001111111"), True),
        (("--receiver", "System 2"), True),
        (("--besked-id", uuid(7)), True),
        (("--message-id", "other"), False),
        (("--since", "2026-07-01 14:00"), True),
        (("--since", "2026-07-01 14:01"), False),
        (("--since", "2026-07-01T12:00:00Z", "--until", "2026-07-02"), True),
        (("--until", "2026-07-01T14:00"), False),
    ],
)
def test_filters(at_home: Command, advis: int, words: tuple[str, ...], hit: bool) -> None:
    assert len(at_home("advis", "list", "--json", *words).json) == hit


def test_one_advis_for_people(at_home: Command, advis: int) -> None:
    shown = at_home("advis", "show", advis).out
    assert f"nr. {advis}, besvaret" in shown
    assert "STIN: Start sygehusophold – indlagt" in shown
    assert "Aarhus Kommune (0751)" in shown
    assert re.search(rf"Svar til sygehuset +ok kl\. {TIME}", shown)
    assert re.search(rf"System 2 +nej +afventes +{TIME} +–", shown)
    assert "- Klassen mangler (Encounter.class, MSG_X)" in shown
    assert "\x1b" not in shown


def test_the_trace_for_people(at_home: Command, advis: int) -> None:
    lines = at_home("advis", "trace", advis).out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(rf"{TIME}  Modtaget fra – i konvolut –; .* \[Test\ufffd\[2Jhospital\]", lines[0])
    assert "nyt forsøg kl. 14:00:00" in lines[1]


def test_what_is_not_there_is_status_1(at_home: Command) -> None:
    for verb in ("show", "trace"):
        found = at_home("advis", verb, "nope", "--json")
        assert (found.status, found.out) == (1, "")
        assert found.err == "Fejl: Intet advis har id, MessageHeader.id eller BeskedId nope.\n"


def test_pending_for_people(at_home: Command, db: Database, advis: int) -> None:
    with db.writing() as tx:
        an_advis(tx, receivers=[1], due_at=SystemClock().now() - timedelta(minutes=5, seconds=1))
        an_advis(tx, receivers=[1])
    rows = [re.split(r" {2,}", line.strip()) for line in at_home("pending").out.splitlines()[1:]]
    assert [row[1:4] for row in rows] == [
        ["Aarhus", "System 1", "ja"],
        ["Aarhus", "System 2", "nej"],
        ["Aarhus", "System 1", "ja"],
    ]
    assert rows[0][0].startswith("5 min")
    assert rows[0][0].endswith("over")
    assert rows[1][0].startswith("om 29 min")
    assert rows[2][0] == "ikke fordelt"


@pytest.mark.sqlite_only
def test_status_for_programs_and_people(at_home: Command, db: Database, advis: int, new_home: Any) -> None:
    now = SystemClock().now()
    with db.writing() as tx:
        a_publication(tx, advis, ordered_at=now - timedelta(hours=1))
        an_event(
            tx, EventKind.RECEIPT_MISSING, now, level=Level.ALARM, advis_id=advis, envelope_id="e\x1b[2J"
        )
    found = at_home("status", "--json").json
    assert (found["engine_running"], found["received"], found["published"]) == (False, 1, 1)
    assert (found["delayed_publications"], found["alarm_count"]) == (1, 1)
    assert found["answered"] == {"ok": 1, "fatal-error": 0}
    text = at_home("status").out
    assert text.startswith("Motoren kører ikke. Tilsluttede kommuner: 1\n")
    assert re.search(r"Venter på Beskedfordeleren +1   ældste: 1 t", text)
    assert re.search(r"konvolut e\ufffd\[2J .* \(advis 1\)", text)
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines() if "konvolut e" not in line) <= 80
    with engine_lock(new_home):
        assert at_home("status", "--json").json["engine_running"] is True
        assert at_home("status").out.startswith("Motoren kører. ")
