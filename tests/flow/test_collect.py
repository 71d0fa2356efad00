"""Kvitteringer: the eight rules of behaviour section 4."""

import sqlite3
from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from engine.domain.acknowledgement import ResponseCode
from engine.errors import HomeError
from engine.ports import SendResult
from engine.simulation.builders import an_acknowledgement
from engine.simulation.envelopes import Correspondence, kvittering_besked
from engine.simulation.messages import HnSpec, ack_bytes
from engine.store import tables
from engine.wire import fhir
from tests.flow.world import (
    BESKEDTYPE,
    CVRS,
    FRB,
    KBH,
    OTHER_PRIMARY,
    PRIMARY,
    SECOND,
    THIRD,
    UNWATCHED,
    World,
    add_receiver,
)

LEFT_OUT = UNWATCHED

OK, TRANSIENT, FATAL = ResponseCode.OK, ResponseCode.TRANSIENT_ERROR, ResponseCode.FATAL_ERROR
NOBODY = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
async def spec(world: World) -> HnSpec:
    """An advis to København that is published."""
    spec = world.hn()
    world.send(spec)
    await world.drain()
    return spec


def dispositions(world: World) -> list[str]:
    return [row.disposition for row in world.rows(tables.kvittering, "disposition")]


async def resend(world: World, spec: HnSpec) -> None:
    world.send(spec.resent(bundle_id=str(uuid4()), at=world.clock.now()))
    await world.drain()


# --- 1: correlation -------------------------------------------------------------------------------------------------


async def test_correlation_is_by_kommune_too(world):
    spec = world.hn()
    twin = world.hn(kommune=FRB, message_id=spec.message_id)
    world.send(spec)
    world.send(twin)
    await world.drain()
    world.acknowledge(twin, OTHER_PRIMARY)
    await world.drain()
    answered = [
        row.kommune_code for row in world.rows(tables.advis, "kommune_code", "verdict") if row.verdict
    ]
    assert answered == ["0147"]


def with_systems(data: bytes, **systems: str) -> bytes:
    """The besked as the Beskedfordeler delivers it: with Kildesystem and Leveranceruter filled in."""
    source = systems.get("kildesystem")
    route = systems.get("modtaget_fra_system")
    filled = b""
    if source:
        filled += f"<b:Kildesystem><UUIDIdentifikator>{source}</UUIDIdentifikator></b:Kildesystem>".encode()
    if route:
        filled += (
            "<b:Leveranceruter><b:Leverancerute><b:ModtagetFraSystem><UUIDIdentifikator>"
            f"{route}</UUIDIdentifikator></b:ModtagetFraSystem></b:Leverancerute></b:Leveranceruter>"
        ).encode()
    mark = data.index(b"</b:Leveranceinformation>")
    return data[:mark] + filled + data[mark:]


@pytest.mark.parametrize(
    ("systems", "settled"),
    [
        ({}, SECOND),
        ({"modtaget_fra_system": THIRD}, THIRD),
        ({"kildesystem": PRIMARY, "modtaget_fra_system": THIRD}, PRIMARY),
        ({"kildesystem": PRIMARY.upper()}, PRIMARY),
    ],
)
async def test_the_system_is_found_by_kildesystem_then_route_then_responsible_actor(
    world, spec, systems, settled
):
    data = kvittering_besked(
        ack_bytes(an_acknowledgement(spec)),
        who=Correspondence(SECOND, CVRS[KBH.gln], BESKEDTYPE),
        besked_id=str(uuid4()),
        related_besked_id=None,
        made_at=world.clock.now(),
    )
    world.kvitteringer.drop(with_systems(data, **systems))
    await world.drain()
    rows = world.rows(tables.kvittering, "system_uuid", "disposition")
    assert [(row.system_uuid, row.disposition) for row in rows] == [(settled, "settled")]


async def test_a_kvittering_without_a_known_cvr_is_matched_by_system(world, spec):
    world.acknowledge(spec, cvr="12345674")
    await world.drain()
    assert world.codes == ["ok"]


async def test_a_kvittering_without_a_known_cvr_that_fits_two_kommuner_is_unmatched(world, spec):
    world.send(world.hn(kommune=FRB, message_id=spec.message_id))
    await world.drain()
    world.acknowledge(spec, SECOND, cvr="12345674")
    await world.drain()
    assert dispositions(world) == ["unmatched"]


# --- 2 and 3: settling, and the primary's answer --------------------------------------------------------------------


@pytest.mark.parametrize("code", [OK, TRANSIENT, FATAL])
async def test_a_match_settles_its_own_pending_row_only(world, spec, code):
    world.acknowledge(spec, SECOND, code)
    await world.drain()
    assert world.states() == ["pending", code.value, "pending"]
    assert world.answers == []


@pytest.mark.parametrize("code", [OK, TRANSIENT, FATAL])
@pytest.mark.parametrize("media_type", [fhir.XML, fhir.JSON])
async def test_the_primarys_code_is_passed_on_unchanged(world, spec, code, media_type):
    data = world.acknowledge(spec, PRIMARY, code, media_type=media_type)
    await world.drain()
    assert [answer.content for answer in world.answers] == [data]
    assert world.answers[0].envelope.meta.name == f"MCM:FCTL#{code.value}"


async def test_a_negative_kvittering_is_flagged(world, spec):
    world.acknowledge(spec, SECOND, FATAL)
    await world.drain()
    rows = world.rows(tables.event, "kind", "severity")
    assert ("kvittering-received", "warning") in [(row.kind, row.severity) for row in rows]


async def test_no_kvittering_from_others_ever_answers_the_hospital(world, spec):
    world.acknowledge(spec, SECOND)
    world.acknowledge(spec, THIRD)
    await world.after(hours=3)
    assert world.answers == []


# --- 4: duplicates and conflicts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [OK, FATAL])
async def test_a_duplicate_changes_nothing(world, spec, code):
    for _ in range(2):
        world.acknowledge(spec, PRIMARY, code)
        await world.drain()
    assert dispositions(world) == ["settled", "duplicate"]
    assert world.codes == [code.value]


@pytest.mark.parametrize(("first", "then"), [(OK, FATAL), (FATAL, OK), (OK, TRANSIENT), (FATAL, TRANSIENT)])
@pytest.mark.parametrize("together", [True, False])
async def test_a_contradiction_is_recorded_and_not_passed_on(world, spec, first, then, together):
    world.acknowledge(spec, PRIMARY, first)
    if not together:
        await world.drain()
    world.acknowledge(spec, PRIMARY, then)
    await world.drain()
    assert dispositions(world) == ["settled", "conflict"]
    assert world.codes == [first.value]
    assert world.states()[0] == first.value


async def test_a_redelivered_kvittering_is_finished_without_a_trace(world, spec):
    for _ in range(2):
        world.acknowledge(spec, key="the-same-file")
        await world.drain()
    assert dispositions(world) == ["settled"]
    assert len(world.kvitteringer.finished) == 2


# --- 5: unmatched ---------------------------------------------------------------------------------------------------


async def test_a_kvittering_from_an_unregistered_system_is_kept_and_never_forwarded(world, spec):
    world.acknowledge(spec, NOBODY)
    await world.drain()
    assert dispositions(world) == ["unmatched"]
    assert world.answers == []
    assert world.states() == ["pending"] * 3
    assert "kvittering-unmatched" in world.events()


async def test_a_kvittering_for_no_advis_is_kept(world):
    world.acknowledge(world.hn())
    await world.drain()
    assert dispositions(world) == ["unmatched"]


@pytest.mark.parametrize("same_batch", [True, False])
async def test_an_early_kvittering_counts_when_its_advis_turns_up(world, same_batch):
    spec = world.hn()
    data = world.acknowledge(spec)
    await world.drain()
    world.send(spec)
    if same_batch:
        world.send(world.hn())
    await world.drain()
    assert dispositions(world) == ["settled"]
    assert [answer.content for answer in world.answers] == [data]
    assert world.states()[0] == "ok"


async def test_an_early_kvittering_that_writes_the_id_in_the_other_case_counts_too(world):
    spec = world.hn()
    data = ack_bytes(an_acknowledgement(spec)).replace(
        spec.message_id.encode(), spec.message_id.upper().encode()
    )
    world.acknowledge(spec, data=data)
    await world.drain()
    world.send(spec)
    await world.drain()
    assert world.states()[0] == "ok"


async def test_an_early_kvittering_of_a_stranger_stays_unmatched(world):
    spec = world.hn()
    world.acknowledge(spec, NOBODY)
    await world.drain()
    world.send(spec)
    await world.drain()
    assert dispositions(world) == ["unmatched"]
    assert world.answers == []


async def test_a_receiver_registered_later_was_not_asked(world, spec):
    with world.db.writing() as tx:
        add_receiver(tx, "0101", NOBODY, "Ny")
    world.acknowledge(spec, NOBODY)
    await world.drain()
    assert dispositions(world) == ["unexpected"]
    assert world.states() == ["pending"] * 3


@pytest.mark.parametrize("raw", [b"", b"<a/>", b"<!DOCTYPE a><a/>", b"\xff\xfe"])
async def test_what_is_no_kvittering_is_moved_aside_and_the_good_one_goes_on(world, spec, raw):
    world.kvitteringer.drop(raw)
    world.acknowledge(spec)
    await world.drain()
    assert len(world.kvitteringer.quarantined) == 1
    assert world.codes == ["ok"]


async def test_an_acknowledgement_that_cannot_be_read_is_moved_aside(world, spec):
    world.kvitteringer.drop(
        kvittering_besked(
            ack_bytes(an_acknowledgement(spec)).replace(b'<code value="ok"/>', b'<code value="fine"/>'),
            who=Correspondence(PRIMARY, CVRS[KBH.gln], BESKEDTYPE),
            besked_id=str(uuid4()),
            related_besked_id=None,
            made_at=world.clock.now(),
        )
    )
    await world.drain()
    assert [row.reason for row in world.rows(tables.quarantine, "reason")] == ["not-a-kvittering"]


# --- 6 and 7: late ones, and confirming after the commit ------------------------------------------------------------


async def test_a_late_kvittering_is_passed_on_where_the_epj_has_no_verdict(world, spec):
    world.clock.advance(timedelta(minutes=46))
    data = world.acknowledge(spec)
    await world.drain()
    assert [answer.content for answer in world.answers] == [data]
    (event,) = [row for row in world.rows(tables.event) if row.kind == "kvittering-received"]
    assert "efter fristen" in event.data


async def test_nothing_is_confirmed_before_the_commit(world, spec, monkeypatch):
    world.acknowledge(spec)

    def broken(*_args, **_kwargs):
        raise sqlite_is_full()

    monkeypatch.setattr("engine.store.ledger.Ledger.write", broken)
    with pytest.raises(HomeError, match="ikke plads på disken"):
        await world.drain()
    assert world.kvitteringer.finished == []
    monkeypatch.undo()
    await world.drain()
    assert world.codes == ["ok"]


def sqlite_is_full() -> Exception:
    return OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))


async def test_a_confirmation_that_fails_is_made_up_for(world, spec, monkeypatch):
    world.acknowledge(spec, key="a-file")
    real = world.kvitteringer.finish

    async def fail(_finished):
        raise OSError("the folder is gone")

    monkeypatch.setattr(world.kvitteringer, "finish", fail)
    with pytest.raises(OSError, match="gone"):
        await world.drain()
    monkeypatch.setattr(world.kvitteringer, "finish", real)
    await world.drain()
    assert dispositions(world) == ["settled"]
    assert len(world.kvitteringer.finished) == 1


@pytest.mark.parametrize("error", [ZeroDivisionError(), IntegrityError("INSERT", {}, Exception("UNIQUE"))])
async def test_a_message_that_cannot_be_recorded_does_not_stop_the_others(world, spec, monkeypatch, error):
    from engine.flow import collect

    poison = world.hn()
    real = collect._record_kvittering

    def record(ledger, item, match):
        if item.acknowledgement.response_identifier == poison.message_id:
            raise error
        real(ledger, item, match)

    monkeypatch.setattr(collect, "_record_kvittering", record)
    world.acknowledge(poison)
    world.acknowledge(spec)
    await world.drain()
    assert world.codes == ["ok"]
    assert [row.reason for row in world.rows(tables.quarantine, "reason")] == ["internal-error"]


# --- 8: transient-error ---------------------------------------------------------------------------------------------


async def test_transient_then_ok(world, spec):
    world.acknowledge(spec, PRIMARY, TRANSIENT)
    await world.drain()
    world.acknowledge(spec, PRIMARY, OK)
    await world.drain()
    assert world.codes == ["transient-error", "ok"]


async def test_a_resend_after_transient_is_published_again_under_the_same_besked_id(world, spec):
    world.acknowledge(spec, PRIMARY, TRANSIENT)
    world.acknowledge(spec, SECOND, OK)
    world.acknowledge(spec, THIRD, TRANSIENT)
    await world.after(minutes=20)
    await resend(world, spec)
    assert len(world.published) == 2
    assert len({besked.besked_id for besked in world.published}) == 1
    assert len({besked.transaction_id for besked in world.published}) == 2
    assert world.states() == ["pending", "ok", "pending"]
    clocks = [row.clock_from for row in world.rows(tables.expected_kvittering, "clock_from")]
    assert clocks[0] == clocks[2] == world.clock.now()
    assert clocks[1] == world.clock.now() - timedelta(minutes=20)
    assert world.codes == ["transient-error"]  # the copy gets only its receipt
    world.acknowledge(spec, PRIMARY, OK)
    await world.drain()
    assert world.codes == ["transient-error", "ok"]


async def test_a_republication_restarts_no_clock_that_runs(world, spec):
    world.acknowledge(spec, PRIMARY, TRANSIENT)
    await world.after(minutes=20)
    await resend(world, spec)
    clocks = [row.clock_from for row in world.rows(tables.expected_kvittering, "clock_from")]
    published = world.clock.now() - timedelta(minutes=20)
    assert clocks == [world.clock.now(), published, published]


async def test_a_resend_while_the_primary_has_not_answered_is_not_published_again(world, spec):
    world.acknowledge(spec, SECOND, TRANSIENT)
    await world.drain()
    await resend(world, spec)
    assert len(world.published) == 1


async def test_without_the_setting_a_resend_after_transient_is_a_plain_copy(make_world):
    world = make_world(republish_after_transient=False)
    spec = world.hn()
    world.send(spec)
    await world.drain()
    world.acknowledge(spec, PRIMARY, TRANSIENT)
    await world.drain()
    await resend(world, spec)
    assert len(world.published) == 1
    assert world.states()[0] == "transient-error"


async def test_no_transient_error_goes_out_after_the_verdict(world, spec):
    world.acknowledge(spec, PRIMARY, TRANSIENT)
    await world.drain()
    await resend(world, spec)
    world.acknowledge(spec, PRIMARY, OK)
    world.acknowledge(spec, PRIMARY, TRANSIENT)
    await world.drain()
    await resend(world, spec)
    assert world.codes == ["transient-error", "ok", "ok"]


# --- publishing -----------------------------------------------------------------------------------------------------


@pytest.mark.long_on_server
async def test_publishing_is_retried_with_growing_pauses_under_one_besked_id(world):
    tried = []

    def refuse(besked):
        tried.append((world.clock.now(), besked.besked_id, besked.transaction_id))
        return SendResult("StatusKode 53")

    world.beskedfordeler.verdict = refuse
    world.send(world.hn())
    end = world.clock.now() + timedelta(hours=24, minutes=5)
    while world.clock.now() < end:
        await world.drain()
        ((next_at,),) = world.rows(tables.publication, "next_at")
        world.clock.advance(next_at - world.clock.now())
    pauses = [later[0] - earlier[0] for earlier, later in pairwise(tried)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(minutes=5)
    assert len({(besked_id, transaction_id) for _, besked_id, transaction_id in tried}) == 1
    assert world.events().count("publication-delayed") == 1
    assert all(row.clock_from is None for row in world.rows(tables.expected_kvittering, "clock_from"))
    world.beskedfordeler.verdict = lambda _: SendResult()
    await world.after(minutes=5)
    assert len(world.published) == 1
    assert [row.due_at - row.clock_from for row in world.rows(tables.expected_kvittering)] == [
        timedelta(minutes=45)
    ] * 3


async def test_one_kommunes_trouble_does_not_hold_up_another(world):
    world.beskedfordeler.verdict = lambda besked: SendResult(
        "nej" if besked.kommune_cvr == "64942212" else None
    )
    world.send(world.hn())
    world.send(world.hn(kommune=FRB))
    await world.drain()
    assert [besked.kommune_cvr for besked in world.published] == ["11259979"]


async def test_an_advis_that_cannot_be_made_into_a_besked_does_not_hold_up_the_others(world):
    world.send(world.hn())
    world.send(world.hn())
    await world.engine.stations[0].step()
    with world.db.writing() as tx:
        first = tables.payload.c.id == 1
        tx.conn.execute(tables.payload.update().where(first).values(sealed=b"damaged"))
    await world.drain()
    assert len(world.published) == 1
    (event,) = [row for row in world.rows(tables.event) if row.kind == "publication-failed"]
    assert "kan ikke dannes (PayloadError)" in event.data
    assert [row.attempts for row in world.rows(tables.publication, "attempts")] == [1, 1]


async def test_a_kvittering_quicker_than_the_commit_of_its_publication_counts(world):
    spec = world.hn()

    def accept(_besked):
        world.acknowledge(spec)
        return SendResult()

    world.beskedfordeler.verdict = accept
    world.send(spec)
    await world.drain()
    assert world.codes == ["ok"]
    assert world.states() == ["ok", "pending", "pending"]
