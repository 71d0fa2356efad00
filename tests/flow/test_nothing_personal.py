"""The search that every test's texts go through finds what it is to find: see tests/nothing_personal.py."""

import sqlite3
from pathlib import Path

import pytest
import structlog

from engine.flow.oversee import Heartbeats
from engine.flow.vitals import Vitals
from engine.simulation.made_up import BRUNO, dice, made_up_person
from engine.store import tables
from tests.flow.world import World
from tests.nothing_personal import SEARCH, TEXTS, Search, persons_in


@pytest.mark.parametrize(
    "text",
    [
        f"CPR {BRUNO.cpr}",
        f"{BRUNO.cpr[:6]}-{BRUNO.cpr[6:]}",
        f'{{"cpr":"{made_up_person(dice(1)).cpr}"}}',
        " ".join(BRUNO.given),
        f"Kære {BRUNO.family}!",
        f"{made_up_person(dice(2)).given[0]} Test",
    ],
)
def test_a_person_is_found(text: str) -> None:
    assert persons_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "BeskedId 01020304-0506-4708-8901-020304050607",
        "GLN 5799999007514, SOR 325421000016001, tlf. (+45) 7572 5475",
        "1764000000000000",
        "anna har taget sag 7 kl. 14:05",
    ],
)
def test_what_is_no_person_is_not(text: str) -> None:
    assert persons_in(text) == []


def test_a_leak_in_any_table_is_found_once(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as conn:
        for table, columns in TEXTS.items():
            conn.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
            conn.execute(f"INSERT INTO {table} ({columns[-1]}) VALUES (?)", (f"x {BRUNO.cpr} x",))
    search = Search()
    search.look_in_database(path)
    search.look_in_database(path)
    assert len(search.found) == len(TEXTS)


def test_a_leak_in_a_log_line_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[str] = []
    monkeypatch.setattr(SEARCH, "found", found)
    structlog.reset_defaults()  # an earlier test may have silenced it
    structlog.get_logger().warning("something", patient=BRUNO.cpr)
    assert len(found) == 1
    written = capsys.readouterr()
    assert BRUNO.cpr in written.out + written.err  # wherever an earlier test has sent the log


async def test_a_leak_in_a_metric_is_found(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    found: list[str] = []
    monkeypatch.setattr(SEARCH, "found", found)
    with world.db.writing() as tx:
        row = {"since": world.clock.now(), "noticed_at": world.clock.now(), "detail": "x"}
        tx.insert(tables.stall, [{"name": BRUNO.cpr, **row}])
    beats = Heartbeats(world.clock, [])
    await Vitals(beats, world.db, world.clock, world.settings).metrics()
    assert len(found) == 1
