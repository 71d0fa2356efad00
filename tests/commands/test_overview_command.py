"""`overview`: Kvitteringsoverblik on the command line."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from engine.clock import SimulatedClock
from engine.store import tables
from engine.store.database import Database
from tests.commands.conftest import Command
from tests.desk.builders import FRB, an_advis, connect

MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(at_home: Command, db: Database, clock: SimulatedClock) -> Command:
    """Yesterday: one advis of Aarhus that the primary acknowledged after two minutes, and the other never did."""
    yesterday = clock.now() - timedelta(days=1)
    with db.writing() as tx:
        receivers = connect(tx)
        due = yesterday + 45 * MINUTE
        advis_id = an_advis(tx, receivers=receivers, states=["ok"], due_at=due, published_at=yesterday)
        expected = tables.expected_kvittering
        tx.conn.execute(update(expected).values(clock_from=yesterday))
        row = update(expected).where(expected.c.advis_id == advis_id, expected.c.receiver_id == receivers[0])
        tx.conn.execute(row.values(settled_at=yesterday + 2 * MINUTE))
        connect(tx, FRB)
    return at_home


def test_yesterday_unless_another_period_is_named(desk: Command) -> None:
    shown = desk("overview").out
    assert "Kvitteringsoverblik for 22.11.2026" in shown
    assert "System 1 *" in shown
    assert "2 min" in shown
    found = desk("overview", "--json").json
    assert (found["from"], found["to"]) == ("2026-11-22", "2026-11-22")
    assert [(line["acknowledged"], line["missing"]) for line in found["receivers"]] == [(1, 0), (0, 1)]
    assert "Intet er fordelt" in desk("overview", "--from", "2026-11-01", "--to", "2026-11-02").out
    assert len(desk("overview", "--from", "2026-11-01", "--json").json["receivers"]) == 2


def test_one_kommune_and_one_system(desk: Command) -> None:
    assert len(desk("overview", "--receiver", "system 2", "--json").json["receivers"]) == 1
    assert desk("overview", "--kommune", "0147", "--json").json["receivers"] == []


def test_csv_opens_in_excel(desk: Command) -> None:
    text = desk("overview", "--csv").out
    assert text.startswith("\N{ZERO WIDTH NO-BREAK SPACE}fra;til;kommunekode;")
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\N{ZERO WIDTH NO-BREAK SPACE}")), delimiter=";"))
    assert [(row["modtagersystem"], row["mangler"], row["median_sekunder"]) for row in rows] == [
        ("System 1", "0", "120"),
        ("System 2", "1", ""),
    ]


def test_a_period_that_is_none(desk: Command) -> None:
    assert "ligger før" in desk("overview", "--from", "2026-11-02", "--to", "2026-11-01").err
    assert "højst 92 dage" in desk("overview", "--from", "2026-01-01", "--to", "2026-11-01").err
    whole = desk("overview", "--from", "2026-01-01", "--to", "2026-11-22", "--kommune", "0751", "--json")
    assert len(whole.json["receivers"]) == 2


def test_a_kommune_sees_its_own(desk: Command, as_user: Callable[[str], None]) -> None:
    desk("role", "grant", "mette", "kommune", "--kommune", "0147")
    as_user("mette")
    assert desk("overview", "--json").json["receivers"] == []
    assert desk("overview", "--kommune", "0751").status == 1
