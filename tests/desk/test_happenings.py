"""The events as one long list, read page by page."""

from typing import Any

from engine.desk.happenings import HappeningFilter, happenings
from engine.domain.events import EventKind, Level
from engine.store.database import Database
from tests.desk.builders import AARHUS, FRB, MINUTE, NOON, a_refused_advis, an_event, connect


def texts(
    db: Database, *, below: int | None = None, limit: int = 200, **wanted: Any
) -> list[tuple[Any, ...]]:
    with db.reading() as conn:
        found = happenings(conn, HappeningFilter(**wanted), below=below, limit=limit)
        return [(item.line.kind, item.line.at, item.advis_id, item.kommune) for item in found]


def test_the_newest_first_and_page_by_page(db: Database) -> None:
    with db.writing() as tx:
        for minute in range(5):
            an_event(
                tx,
                EventKind.RECEIVER_REMOVED,
                NOON + minute * MINUTE,
                actor="mette",
                receiver=f"System {minute}",
            )
    with db.reading() as conn:
        first = happenings(conn, HappeningFilter(), limit=2)
        rest = happenings(conn, HappeningFilter(), below=first[-1].id, limit=10)
    assert [item.line.at for item in (*first, *rest)] == [
        NOON + minute * MINUTE for minute in (4, 3, 2, 1, 0)
    ]


def test_by_kommune_level_kind_actor_and_time(db: Database) -> None:
    with db.writing() as tx:
        connect(tx)
        connect(tx, FRB)
        advis = a_refused_advis(tx)
        removed, missed = EventKind.RECEIVER_REMOVED, EventKind.RECEIPT_MISSING
        an_event(tx, removed, NOON, actor="mette", kommune_code=AARHUS, receiver="A")
        an_event(tx, removed, NOON + MINUTE, actor="karl", kommune_code=FRB, receiver="B")
        an_event(
            tx,
            missed,
            NOON + 2 * MINUTE,
            kommune_code=AARHUS,
            advis_id=advis,
            envelope_id="k",
            level=Level.ALARM,
        )
    mine = {"since": NOON, "kinds": [removed, missed]}
    late = (missed, NOON + 2 * MINUTE, advis, AARHUS)
    by_karl = (removed, NOON + MINUTE, None, FRB)
    by_mette = (removed, NOON, None, AARHUS)
    assert texts(db, **mine) == [late, by_karl, by_mette]
    assert texts(db, **mine, kommuner=[AARHUS]) == [late, by_mette]
    assert texts(db, **mine, kommuner=[]) == []
    assert texts(db, **mine, actor="karl") == [by_karl]
    assert texts(db, **mine, levels=[Level.WARNING, Level.ALARM]) == [late]
    assert texts(db, kinds=[removed], since=NOON + MINUTE) == [by_karl]
