"""The Beskedfordeler is away for an hour: what is taken in meanwhile, proposed, told, and made up for."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from engine.domain.advis import Unit
from engine.domain.incident import Cause
from engine.flow.incidents import declare
from engine.flow.mail_texts import MailTexts
from engine.flow.timekeeping import open_ledger
from engine.ports import OutgoingBesked, SendResult
from engine.simulation.messages import HnSpec
from engine.store import tables
from tests.flow.world import CVRS, FRB, KBH, OTHER_PRIMARY, PRIMARY, SECOND, THIRD, World

MINUTE, SECOND_ = timedelta(minutes=1), timedelta(seconds=1)
SYSTEMS = {KBH.gln: (PRIMARY, SECOND, THIRD), FRB.gln: (OTHER_PRIMARY, SECOND)}
GLNS = {cvr: gln for gln, cvr in CVRS.items()}
HOTLINE, CONTACT = "hotline@multimed.dk", "a@b.example"


@dataclass
class Away:
    """The Beskedfordeler as it is told to be; it remembers what was tried, and when."""

    world: World
    is_away: bool = False
    failed: list[tuple[datetime, str]] = field(default_factory=list)  # when, and whose kommune's
    accepted: dict[str, list[datetime]] = field(default_factory=dict)  # BeskedId → when

    def __call__(self, besked: OutgoingBesked) -> SendResult:
        now = self.world.clock.now()
        if self.is_away:
            self.failed.append((now, besked.kommune_cvr))
            return SendResult("Ingen forbindelse til Beskedfordeleren")
        self.accepted.setdefault(besked.besked_id, []).append(now)
        return SendResult()

    @property
    def condition_held_at(self) -> datetime:
        """Every publication had failed for `incident.bfo_after`, and over two kommuner."""
        first: dict[str, datetime] = {}
        for at, cvr in self.failed:
            first.setdefault(cvr, at)
        return max(self.failed[0][0] + self.world.settings.incident.bfo_after, sorted(first.values())[1])


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(incident={})  # as it is in production: others of these tests hear no silence


@pytest.fixture
def bfo(world: World) -> Away:
    away = Away(world)
    world.beskedfordeler.verdict = away
    return away


def sent(world: World, kommune: Unit, envelopes: list[str]) -> HnSpec:
    spec = world.hn(kommune=kommune)
    envelopes.append(str(uuid4()))
    world.send(spec, envelope_id=envelopes[-1])
    return spec


def besked_ids(world: World) -> dict[str, str]:
    """By MessageHeader.id."""
    return {row.message_id: row.besked_id for row in world.rows(tables.advis, "message_id", "besked_id")}


async def passes(world: World, *, minutes: int, looks: int = 1) -> None:
    """As an engine sees it that looks around now and then; `looks` times a minute it looks whether all flows."""
    detect = next(station for station in world.engine.stations if station.name == "detect")
    for _ in range(minutes):
        for _ in range(looks):
            world.clock.advance(MINUTE / looks)
            await detect.step()
        await world.drain()


async def minutes_away(
    world: World, bfo: Away, minutes: int, between: dict[int, Callable[[], None]] | None = None
) -> list[HnSpec]:
    """Adviser come in, now for one kommune and now for the other; `between` is done at its minute."""
    bfo.is_away = True
    specs: list[HnSpec] = []
    envelopes: list[str] = []
    for minute in range(minutes):
        if minute < 2 or minute % 4 == 0:
            specs.append(sent(world, FRB if len(specs) % 2 else KBH, envelopes))
        (between or {}).get(minute, lambda: None)()
        await passes(world, minutes=1, looks=6 if minute < 8 else 1)
        assert [receipt.original_envelope_id for receipt in world.receipts][-len(envelopes) :] == envelopes
    assert {receipt.kind.value for receipt in world.receipts} == {"PositiveMessage"}
    return specs


def cases(world: World, kind: str) -> list[Any]:
    return [row for row in world.rows(tables.alarm_case) if row.kind == kind]


def mails(world: World, kind: str = "case-") -> list[tuple[str, str]]:
    """Of the kinds that begin so: kind and address."""
    return [(row.kind, row.address) for row in world.rows(tables.mail) if row.kind.startswith(kind)]


def declared(world: World) -> None:
    with world.db.writing() as tx:
        ledger = open_ledger(tx, world.clock)
        declare(ledger, world.settings, MailTexts(), 1, by="anna")
        ledger.write()


async def test_an_hour_without_the_beskedfordeler(world: World, bfo: Away) -> None:
    envelopes: list[str] = []
    before = [sent(world, kommune, envelopes) for kommune in (KBH, FRB)]
    await world.drain()
    for spec in before:
        for system in SYSTEMS[spec.kommune.gln]:
            world.acknowledge(spec, system)
    await passes(world, minutes=1)

    specs = await minutes_away(world, bfo, 60, {30: world.start_engine})
    # All is taken in, nothing is accepted, and no clock runs.
    assert len(world.rows(tables.advis)) == 2 + len(specs)
    assert len(world.published) == 2
    assert {row.due_at for row in world.rows(tables.expected_kvittering) if row.state == "pending"} == {None}
    assert cases(world, "missing-kvittering") == []
    # One proposal, within a minute after its condition held.
    (incident,) = world.rows(tables.incident)
    assert (incident.cause, incident.state, incident.over_at) == (Cause.BESKEDFORDELER, "proposed", None)
    assert timedelta(0) <= incident.proposed_at - bfo.condition_held_at <= 60 * SECOND_
    assert mails(world, "incident-proposed") == [("incident-proposed", HOTLINE)]

    bfo.is_away = False
    back_at = world.clock.now()
    await passes(world, minutes=6)  # publish.longest_pause, and a look
    ids = besked_ids(world)
    assert Counter(besked.besked_id for besked in world.published) == Counter(ids.values())
    for besked in world.published:
        assert set(besked.receivers) == set(SYSTEMS[GLNS[besked.kommune_cvr]])
    assert world.rows(tables.incident)[0].over_at is not None

    # From here on each has its 45 minutes: all but one are acknowledged.
    forgotten = specs[7]
    for spec in specs:
        for system in SYSTEMS[spec.kommune.gln]:
            if (spec, system) != (forgotten, SECOND):
                world.acknowledge(spec, system)
    await world.drain()
    (accepted_at,) = bfo.accepted[ids[forgotten.message_id]]
    assert accepted_at >= back_at
    world.clock.advance(accepted_at + 45 * MINUTE - SECOND_ - world.clock.now())
    await world.drain()
    assert cases(world, "missing-kvittering") == []
    await world.after(seconds=1)
    (case,) = cases(world, "missing-kvittering")
    assert (case.kommune_code, case.misses, case.opened_at) == ("0147", 1, accepted_at + 45 * MINUTE)
    (missed,) = [row for row in world.rows(tables.event) if row.kind == "kvittering-missed"]
    assert missed.at == accepted_at + 45 * MINUTE
    assert {row.verdict for row in world.rows(tables.advis)} == {"ok"}


async def test_the_condition_holds_when_the_second_kommune_fails(world: World, bfo: Away) -> None:
    bfo.is_away = True
    envelopes: list[str] = []
    sent(world, KBH, envelopes)
    await world.drain()
    await passes(world, minutes=8, looks=6)
    assert world.rows(tables.incident) == []
    sent(world, FRB, envelopes)
    await world.drain()
    assert bfo.condition_held_at == world.clock.now()
    await passes(world, minutes=1, looks=6)
    (incident,) = world.rows(tables.incident)
    assert timedelta(0) <= incident.proposed_at - bfo.condition_held_at <= 60 * SECOND_
    await passes(world, minutes=3)
    assert len(world.rows(tables.incident)) == 1


@pytest.mark.long_on_server
async def test_what_is_delayed_is_told_once_to_each_and_called_off(world: World, bfo: Away) -> None:
    await minutes_away(world, bfo, 28)
    delayed = cases(world, "delayed-publication")
    # The first of each kommune was sent at 0 and at 1 minute, and delayed ten minutes later.
    opened = [(case.kommune_code, case.opened_at - bfo.failed[0][0]) for case in delayed]
    assert [code for code, _ in opened] == ["0101", "0147"]
    assert [after // MINUTE for _, after in opened] == [10, 11]
    told = Counter(mails(world))
    # Two cases: each opened, and grown a quarter of an hour later.
    assert told == {(kind, who): 2 for kind in ("case-opened", "case-grown") for who in (CONTACT, HOTLINE)}
    bfo.is_away = False
    await passes(world, minutes=6)
    assert all(case.closed_at is not None for case in cases(world, "delayed-publication"))
    assert Counter(mails(world)) - told == {("case-closed", who): 2 for who in (CONTACT, HOTLINE)}


@pytest.mark.long_on_server
async def test_a_declared_incident_holds_the_mails_about_what_is_delayed(world: World, bfo: Away) -> None:
    await minutes_away(world, bfo, 28, {7: lambda: declared(world)})
    delayed = cases(world, "delayed-publication")
    assert [(case.kommune_code, case.held_by, case.closed_at) for case in delayed] == [
        ("0101", 1, None),
        ("0147", 1, None),
    ]
    assert world.events().count("case-held") == 2
    bfo.is_away = False
    await passes(world, minutes=6)
    assert all(case.closed_at is not None for case in cases(world, "delayed-publication"))
    assert mails(world) == []  # who was never told need not be told that it is over


@pytest.mark.long_on_server
@pytest.mark.parametrize("is_declared", [False, True])
async def test_what_had_been_accepted_before_has_its_alarm_all_the_same(
    world: World, bfo: Away, *, is_declared: bool
) -> None:
    """Its receivers have had it for 45 minutes; whether that is the incident's doing, a person has said or not."""
    spec = sent(world, KBH, [])
    await world.drain()
    for system in (PRIMARY, THIRD):
        world.acknowledge(spec, system)
    await world.drain()
    accepted_at = world.clock.now()
    await minutes_away(world, bfo, 47, {7: lambda: declared(world)} if is_declared else {})
    (case,) = cases(world, "missing-kvittering")
    assert (case.misses, case.held_by) == (1, 1 if is_declared else None)
    assert timedelta(0) <= case.opened_at - accepted_at - 45 * MINUTE <= MINUTE
    of_case = [row.address for row in world.rows(tables.mail) if row.case_id == case.id]
    assert sorted(of_case) == ([] if is_declared else [CONTACT, "v@v.example"])
