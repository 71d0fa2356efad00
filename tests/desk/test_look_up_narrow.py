"""Looking up adviser by their ids, by a citizen, and by what many share: within the kommuner that one may see."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert

from engine.desk.look_up import AdvisFilter, AdvisState, advis_ids, show_advis, trace_advis
from engine.desk.search import search_person
from engine.domain.advis import AdvisCode
from engine.domain.events import EventKind
from engine.errors import NotFoundError
from engine.home import Home, payload_key
from engine.simulation.made_up import BRUNO
from engine.store import tables
from engine.store.database import Database, Tx
from engine.store.payloads import PayloadBox
from tests.desk.builders import (
    AARHUS,
    FRB,
    MINUTE,
    NOON,
    a_refused_advis,
    an_act,
    an_advis,
    an_envelope_out,
    an_event,
    connect,
    uuid,
)
from tests.desk.test_look_up import found, plan

ID = "AbCdEf00-1111-4222-8333-444455556666"  # as no system would spell it, and nobody would look for it


def an_envelope_in(tx: Tx, advis_id: int | None, envelope_id: str) -> None:
    row = {
        "id": tx.next_id("envelope_in"),
        "delivery_key": str(uuid4()),
        "received_at": NOON,
        "sender_type": "EAN",
        "sender_id": "1",
        "receiver_type": "EAN",
        "receiver_id": "2",
        "envelope_id": envelope_id,
        "message_id": "m",
        "document_name": "d",
        "outcome": "received",
        "advis_id": advis_id,
    }
    tx.conn.execute(insert(tables.envelope_in).values(row))


def test_a_copy_leads_to_its_advis_by_the_bundle_id_it_had(db: Database) -> None:
    with db.writing() as tx:
        two = connect(tx)
        advis = an_advis(tx, receivers=two, message_id="m-1", bundle_id="first")
        an_advis(tx, receivers=two, message_id="m-2", bundle_id="another")
        seen = [("first", "m-1"), ("copy", "m-1"), ("another", "m-2")]
        rows = [{"bundle_id": bundle, "message_id": message} for bundle, message in seen]
        tx.conn.execute(insert(tables.bundle_seen), rows)
    assert found(db, bundle_id="first") == found(db, bundle_id="copy") == [advis]
    assert found(db, bundle_id=" COPY ") == [advis]  # kept in lower case, given in capitals
    assert found(db, bundle_id="never-seen") == []


def test_envelopes_in_and_out_lead_to_their_advis(db: Database) -> None:
    came, went = str(uuid4()), str(uuid4()).upper()
    with db.writing() as tx:
        two = connect(tx)
        advis, other = an_advis(tx, receivers=two), an_advis(tx, receivers=two)
        an_envelope_in(tx, advis, came)
        an_envelope_in(tx, None, "of-nobody")
        an_envelope_out(tx, advis, envelope_id=went)
        an_envelope_out(tx, other, kind="receipt", code=None, envelope_id="receipt")
    assert found(db, envelope_id=came) == found(db, envelope_id=f" {came.upper()} ") == [advis]
    assert found(db, envelope_id=went) == found(db, envelope_id=went.lower()) == [advis]
    assert found(db, envelope_id="receipt") == [other]
    assert found(db, envelope_id="of-nobody") == found(db, envelope_id=str(uuid4())) == []


def test_what_is_asked_for_by_id_is_found_within_the_rest_of_the_filter(db: Database) -> None:
    with db.writing() as tx:
        aarhus, frb = connect(tx), connect(tx, FRB, others=0)
        shared = {"cpr_hash": "one-citizen"}
        late = an_advis(tx, receivers=aarhus, received_at=NOON + 10 * MINUTE, code="SLHJ", **shared)
        early = an_advis(tx, receivers=aarhus, published_at=NOON, **shared)
        elsewhere = an_advis(tx, FRB, frb, received_at=NOON + 5 * MINUTE, **shared)
        an_advis(tx, receivers=aarhus, cpr_hash="another-citizen")
    for narrow in (shared, {"ids": [late, early, elsewhere]}):
        assert found(db, **narrow) == [late, elsewhere, early]  # by the time of receipt, not by number
        assert found(db, **narrow, kommuner=[AARHUS]) == [late, early]
        assert found(db, **narrow, kommuner=[AARHUS, FRB]) == [late, elsewhere, early]
        assert found(db, **narrow, kommuner=[]) == []
        assert found(db, **narrow, code=AdvisCode.SLHJ) == [late]
        assert found(db, **narrow, state=AdvisState.PUBLISHED) == [early]
        assert found(db, **narrow, since=NOON + 5 * MINUTE) == [late, elsewhere]
        assert found(db, **narrow, until=NOON + 5 * MINUTE) == [early]
        assert found(db, **narrow, since=NOON, until=NOON + 10 * MINUTE, kommuner=[FRB]) == [elsewhere]
        assert found(db, **narrow, receiver="System 2") == [late, early]
        assert found(db, **narrow, limit=1) == [late]
    assert found(db, ids=[]) == []


def test_the_ids_alone_come_oldest_first(db: Database) -> None:
    with db.writing() as tx:
        aarhus, frb = connect(tx), connect(tx, FRB, others=0)
        late = an_advis(tx, receivers=aarhus, received_at=NOON + MINUTE)
        early = an_advis(tx, receivers=aarhus)
        same = an_advis(tx, FRB, frb, received_at=NOON + MINUTE)
    with db.reading() as conn:
        assert advis_ids(conn, AdvisFilter()) == [early, late, same]
        assert advis_ids(conn, AdvisFilter(limit=2)) == [early, late]
        assert advis_ids(conn, AdvisFilter(ids=[same, late])) == [late, same]
        assert advis_ids(conn, AdvisFilter(kommuner=[AARHUS])) == [early, late]
        assert advis_ids(conn, AdvisFilter(kommuner=[])) == []


NARROW = [
    {"ids": [1]},
    {"message_id": "x"},
    {"besked_id": "x"},
    {"bundle_id": "x"},
    {"envelope_id": "x"},
    {"cpr_hash": "x"},
]
WIDE: list[dict[str, Any]] = [
    {},
    {"kommuner": [AARHUS]},
    {"code": AdvisCode.STIN},
    {"state": AdvisState.REFUSED},
    {"hospital": "x"},
    {"receiver": "x"},
    {"since": NOON, "until": NOON},
]


@pytest.mark.parametrize("asked", NARROW, ids=lambda asked: next(iter(asked)))
@pytest.mark.sqlite_only
def test_a_few_adviser_are_found_by_their_own_index_alone(db: Database, asked: dict[str, Any]) -> None:
    """Whatever else is asked: neither a kommune's adviser nor those of a time are read through."""
    with db.reading() as conn:
        for beside in ({}, {"kommuner": [AARHUS]}, {"kommuner": [AARHUS, FRB], "since": NOON, "until": NOON}):
            wanted = AdvisFilter(**asked, **beside)
            assert wanted.is_narrow
            steps = plan(conn, wanted)
            assert "SEARCH advis " in steps, steps
            assert "received_at" not in steps, steps
            assert "ix_advis_kommune_code" not in steps, steps
            assert "SCAN advis" not in steps, steps
            assert "SCAN envelope" not in steps, steps
            assert "SCAN bundle_seen" not in steps, steps


@pytest.mark.parametrize("asked", WIDE, ids=lambda asked: next(iter(asked), "everything"))
@pytest.mark.sqlite_only
def test_what_many_share_is_read_in_the_order_of_time(db: Database, asked: dict[str, Any]) -> None:
    wanted = AdvisFilter(**asked)
    assert not wanted.is_narrow
    with db.reading() as conn:
        steps = plan(conn, wanted)
    assert "received_at" in steps
    assert "TEMP B-TREE" not in steps


def test_an_advis_of_another_kommune_is_as_unknown_as_none(db: Database) -> None:
    with db.writing() as tx:
        own = an_advis(tx, receivers=connect(tx), message_id=ID, besked_id=uuid(77))
        other = an_advis(tx, FRB, connect(tx, FRB), message_id=ID, besked_id=uuid(78))
        nobodys = a_refused_advis(tx, message_id="of-nobody")
    with db.reading() as conn:
        for ref in (
            str(own),
            uuid(77),
            ID,
        ):  # one of the two with this id is out of sight: it is no ambiguity
            assert show_advis(conn, ref, only=[AARHUS]).id == own
        for ref in (str(other), uuid(78), str(nobodys), "of-nobody", "999"):
            with pytest.raises(NotFoundError) as caught:
                show_advis(conn, ref, only=[AARHUS])
            assert str(caught.value) == f"Intet advis har id, MessageHeader.id eller BeskedId {ref}."
            with pytest.raises(NotFoundError):
                trace_advis(conn, ref, only=[AARHUS])
        with pytest.raises(NotFoundError):
            show_advis(conn, str(own), only=[])
        with pytest.raises(NotFoundError, match="Flere adviser"):
            show_advis(conn, ID, only=[AARHUS, FRB])


def test_the_trace_within_a_kommune_is_the_whole_one(db: Database) -> None:
    with db.writing() as tx:
        two = connect(tx)
        advis = an_advis(tx, receivers=two)
        about = {"advis_id": advis, "kommune_code": AARHUS}
        an_event(tx, EventKind.ADVIS_PUBLISHED, **about, besked_id="b", due=str(NOON + timedelta(hours=1)))
    with db.reading() as conn:
        traced = trace_advis(conn, str(advis), only=[AARHUS])
        assert traced == trace_advis(conn, str(advis))
        assert [line.kind for line in traced] == [EventKind.ADVIS_PUBLISHED]


def test_a_citizen_is_found_in_the_kommuner_that_the_filter_names(db: Database, new_home: Home) -> None:
    box, cpr = PayloadBox(payload_key(new_home)), BRUNO.cpr
    with db.writing() as tx:
        aarhus, frb = connect(tx), connect(tx, FRB, others=0)
        own = an_advis(tx, receivers=aarhus, cpr_hash=box.cpr_hash(cpr))
        other = an_advis(tx, FRB, frb, cpr_hash=box.cpr_hash(cpr))
        an_advis(tx, receivers=aarhus)
        act = an_act(tx)
        everywhere = search_person(act, box, cpr, "Borgeren ringer", AdvisFilter())
        here = search_person(act, box, cpr, "Borgeren ringer", AdvisFilter(kommuner=[AARHUS]))
    assert [view.id for view in everywhere] == [other, own]
    assert [view.id for view in here] == [own]
