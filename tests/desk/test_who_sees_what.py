"""What each role sees of the read models behind the console: the whole, their own kommune, or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import insert, select

from engine.desk.access import Role
from engine.desk.glance import glance
from engine.desk.happenings import HappeningFilter, happenings
from engine.desk.kommune_state import kommune_page, kommune_states
from engine.desk.look_up import AdvisFilter, show_advis
from engine.desk.message import full_message, masked_message
from engine.desk.office import Office, Visit
from engine.desk.roles import grant_role
from engine.desk.stream import numbers
from engine.domain.events import EventKind
from engine.errors import AccessError, NotFoundError
from engine.home import Home, payload_key
from engine.simulation import builders as simulated
from engine.simulation.messages import hn_bytes
from engine.store import tables
from engine.store.database import Database
from engine.store.payloads import PayloadBox
from tests.desk.builders import AARHUS, FRB, MINUTE, NOON, an_act, an_advis, an_event, connect
from tests.desk.test_stream import a_case

OF_ALL = pytest.mark.parametrize("who", ["hotline", "administrator", "auditor"])
AARHUSIAN, OF_BOTH, STRANGER = "aarhusianer", "af-begge", "fremmed"


@pytest.fixture
def adviser(db: Database) -> dict[str, int]:
    """An advis of each of two kommuner, with an event, and a case of the second; and somebody in each role."""
    with db.writing() as tx:
        act = an_act(tx)
        aarhus, frb = connect(tx), connect(tx, FRB, others=0)
        for role in (Role.HOTLINE, Role.ADMINISTRATOR, Role.AUDITOR):
            grant_role(act, role.value, role)
        grant_role(act, AARHUSIAN, Role.KOMMUNE, AARHUS)
        for code in (AARHUS, FRB):
            grant_role(act, OF_BOTH, Role.KOMMUNE, code)
        found = {
            AARHUS: an_advis(tx, receivers=aarhus, due_at=NOON - MINUTE),
            FRB: an_advis(tx, FRB, frb, due_at=NOON - MINUTE),
        }
        a_case(tx, frb[0], FRB)
        for code, advis in found.items():
            an_event(tx, EventKind.PUBLICATION_DELAYED, advis_id=advis, kommune_code=code, hours=24)
        an_event(tx, EventKind.STALLED, what="Udsendelsen", minutes=5, detail="3 venter")
        rows = [{"name": "publish", "detail": "3 venter", "since": NOON, "noticed_at": NOON}]
        tx.conn.execute(insert(tables.stall), rows)
    return found


@contextmanager
def visiting(home: Home, who: str) -> Iterator[Visit]:
    with Office(home, who) as office, office.visiting() as visit:
        yield visit


def what(visit: Visit) -> dict[str, Any]:
    """All that the console reads for its lists, as it reads it."""
    conn, only = visit.conn, visit.only
    seen = glance(conn, NOON, only=only)
    events = happenings(conn, HappeningFilter(kommuner=only, kinds=_KINDS))
    return {
        "pending": seen.pending,
        "overdue": seen.overdue,
        "cases": seen.cases,
        "stalls": seen.stalls,
        "kommuner": len(kommune_states(conn, NOON, only=only)),
        "events": sorted(event.kommune or "-" for event in events),
        "adviser": set(numbers(conn, AdvisFilter(kommuner=only), limit=10)),
    }


_KINDS = [EventKind.PUBLICATION_DELAYED, EventKind.STALLED]


@OF_ALL
def test_those_who_read_of_all_see_the_whole(new_home: Home, adviser: dict[str, int], who: str) -> None:
    with visiting(new_home, who) as seen:
        assert what(seen) == {
            "pending": 3,
            "overdue": 3,
            "cases": 1,
            "stalls": 1,
            "kommuner": 98,
            "events": ["-", FRB, AARHUS],
            "adviser": set(adviser.values()),
        }
        for code in (AARHUS, FRB):
            assert kommune_page(seen.conn, seen.kommune(code).code, NOON).view.code == code


def test_a_kommune_sees_its_own(new_home: Home, adviser: dict[str, int]) -> None:
    with visiting(new_home, AARHUSIAN) as seen:
        assert what(seen) == {
            "pending": 2,
            "overdue": 2,
            "cases": 0,
            "stalls": 0,
            "kommuner": 1,
            "events": [AARHUS],
            "adviser": {adviser[AARHUS]},
        }
        assert seen.kommune("aarhus").code == AARHUS
        with pytest.raises(AccessError, match=f"rollen kommune for {FRB}"):
            seen.kommune(FRB)


def test_who_has_the_role_for_two_kommuner_sees_both_and_nothing_of_the_whole(
    new_home: Home, adviser: dict[str, int]
) -> None:
    with visiting(new_home, OF_BOTH) as seen:
        found = what(seen)
        assert (found["pending"], found["cases"], found["kommuner"]) == (3, 1, 2)
        assert (found["stalls"], found["events"]) == (0, [FRB, AARHUS])
        assert found["adviser"] == set(adviser.values())


def test_who_has_no_role_sees_nothing(new_home: Home, adviser: dict[str, int]) -> None:
    with pytest.raises(AccessError, match=f"{STRANGER} har ingen rolle"), visiting(new_home, STRANGER):
        pass


# --- the message ------------------------------------------------------------------------------------------------------


@pytest.fixture
def messages(db: Database, new_home: Home, adviser: dict[str, int]) -> dict[str, int]:
    """The adviser have messages that can be read."""
    box, payload = PayloadBox(payload_key(new_home)), tables.payload
    with db.writing() as tx:
        sealed = {"sealed": box.seal(hn_bytes(simulated.an_advis()))}
        tx.conn.execute(payload.update().values(sealed))
        tx.conn.execute(tables.advis.update().values(sealed_person=box.seal(b"{}")))
    return adviser


def shown(db: Database) -> list[tuple[str, str, str]]:
    audit = tables.audit
    query = select(audit.c.actor, audit.c.subject, audit.c.kommune_code).where(
        audit.c.action == "person-shown"
    )
    with db.reading() as conn:
        return [tuple(row) for row in conn.execute(query)]  # type: ignore[misc]


@pytest.mark.parametrize("who", ["hotline", "administrator"])
def test_the_hotline_and_administrators_may_see_the_whole_message(
    db: Database, new_home: Home, messages: dict[str, int], who: str
) -> None:
    with Office(new_home, who) as office, office.serving() as act:
        message = full_message(act, office.box(), messages[FRB], "Leverandøren spørger")
    assert not message.masked
    assert shown(db) == [(who, f"advis:{messages[FRB]}", FRB)]


@pytest.mark.parametrize("who", ["auditor", AARHUSIAN, OF_BOTH, STRANGER])
def test_nobody_else_may_see_the_whole_message(
    db: Database, new_home: Home, messages: dict[str, int], who: str
) -> None:
    with Office(new_home, who) as office, pytest.raises(AccessError), office.serving() as act:
        full_message(act, office.box(), messages[AARHUS], "Jeg vil se det")
    assert shown(db) == []


def test_a_kommune_reads_its_own_messages_masked_and_no_others(
    new_home: Home, messages: dict[str, int]
) -> None:
    with Office(new_home, AARHUSIAN) as office, office.visiting() as seen:
        own, other = messages[AARHUS], messages[FRB]
        assert show_advis(seen.conn, str(own), only=seen.only).id == own
        assert masked_message(seen.conn, office.box(), own).masked
        with pytest.raises(NotFoundError):
            show_advis(seen.conn, str(other), only=seen.only)
