"""`overview`: Kvitteringsoverblik on the command line."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from engine.clock import SimulatedClock
from engine.store import tables
from engine.store.database import Database
from tests.commands.conftest import Command
from tests.desk.builders import FRB, an_advis, connect, uuid

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
    assert (
        desk("overview", "--receiver", uuid(1).upper(), "--json").json["receivers"][0]["receiver"]
        == "System 1"
    )
    assert desk("overview", "--kommune", "0147", "--json").json["receivers"] == []
    assert 'til et system med navn eller UUID "Sytsem 1"' in desk("overview", "--receiver", "Sytsem 1").out


def test_a_day_is_a_danish_one_and_the_last_is_part_of_it(desk: Command, db: Database) -> None:
    """21 November in Denmark ends at 23 UTC."""
    for at, days in (
        (datetime(2026, 11, 20, 23, tzinfo=UTC), 1),
        (datetime(2026, 11, 21, 23, tzinfo=UTC), 0),
    ):
        with db.writing() as tx:
            tx.conn.execute(update(tables.advis).values(published_at=at - timedelta(microseconds=1)))
        before = desk("overview", "--from", "2026-11-21", "--to", "2026-11-21", "--json").json["receivers"]
        with db.writing() as tx:
            tx.conn.execute(update(tables.advis).values(published_at=at))
        after = desk("overview", "--from", "2026-11-21", "--to", "2026-11-21", "--json").json["receivers"]
        assert [bool(before), bool(after)] == [days == 0, days == 1]


def test_one_form_at_a_time(desk: Command) -> None:
    answer = desk("overview", "--csv", "--json")
    assert answer.status == 1
    assert "enten --csv eller --json" in answer.err


def test_csv_opens_in_excel(desk: Command) -> None:
    text = desk("overview", "--csv").out
    assert text.startswith("\N{ZERO WIDTH NO-BREAK SPACE}fra;til;kommunekode;")
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\N{ZERO WIDTH NO-BREAK SPACE}")), delimiter=";"))
    assert [(row["modtagersystem"], row["mangler"], row["median_sekunder"]) for row in rows] == [
        ("System 1", "0", "120"),
        ("System 2", "1", ""),
    ]
    assert [row["ældste_mangler"] for row in rows] == ["", "2026-11-22 10:00:00"]


def test_no_name_is_a_formula_in_excel(desk: Command, db: Database) -> None:
    with db.writing() as tx:
        tx.conn.execute(update(tables.receiver).values(name="=HYPERLINK(A1)"))
    assert ";'=HYPERLINK(A1);" in desk("overview", "--csv").out


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
