"""The invariants of behaviour section 2 under any order of arrivals, copies, kvitteringer, refusals and crashes.

Hypothesis plays the world; after every step what the outside has seen is judged without looking into the database.
"""

import asyncio
import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.domain.acknowledgement import ResponseCode
from engine.flow.claims import release_all
from engine.ports import Delivery, Finished, SendResult
from engine.simulation.messages import HnSpec
from engine.store import tables
from engine.wire import acknowledgement, beskedkuvert, fhir
from engine.wire.vans_envelope import ReceiptKind
from tests.flow.world import FRB, KBH, OTHER_PRIMARY, PRIMARY, SECOND, THIRD, Sent, World

RECEIVERS = {KBH.gln: (PRIMARY, SECOND, THIRD), FRB.gln: (OTHER_PRIMARY, SECOND)}


class Crash(Exception):  # noqa: N818 - it is no error
    """The process dies here."""


class CrashingInbox:
    """An inbox that outlives the engine: what was not confirmed is delivered again, under the same key."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.out: dict[str, Delivery] = {}
        self.crash: str | None = None

    async def take(self, limit: int) -> Any:
        taken = await self.real.take(limit)
        self.out |= {delivery.key: delivery for delivery in taken}
        if taken and self.crash == "taken":
            raise Crash
        return taken

    async def finish(self, finished: list[Finished]) -> None:
        if self.crash == "committed":
            raise Crash
        for item in finished:
            del self.out[item.delivery.key]
        await self.real.finish(finished)

    async def give_back(self, deliveries: Any) -> None:
        """The process is dead: `restart` delivers them again."""

    async def oldest(self) -> Any:
        return await self.real.oldest()

    async def restart(self) -> None:
        await self.real.give_back(list(self.out.values()))
        self.out.clear()
        self.crash = None


class CrashingLink:
    """A link whose engine dies before or after the other side took over."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.crash: str | None = None

    async def _call(self, method: Any, items: Any) -> Any:
        if self.crash == "before":
            raise Crash
        results = await method(items)
        if self.crash == "after":
            raise Crash
        return results

    async def publish(self, items: Any) -> Any:
        return await self._call(self.real.publish, items)

    async def send(self, items: Any) -> Any:
        return await self._call(self.real.send, items)


class Machine(RuleBasedStateMachine):
    template: Path

    @initialize(batch=st.sampled_from([1, 2, 100]))
    def start(self, batch: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        shutil.copy(self.template, self.folder / "world.db")
        self.world = World(self.folder / "world.db", engine={"batch": batch}, publish={"batch": batch})
        world = self.world
        self.inboxes = [CrashingInbox(world.vans_in), CrashingInbox(world.kvitteringer)]
        self.links = [CrashingLink(world.beskedfordeler), CrashingLink(world.vans_out)]
        self.build()
        self.specs: list[HnSpec] = []
        self.bytes: dict[tuple[str, str], bytes] = {}  # (kommune's GLN, MessageHeader.id) → the first Bundle
        self.envelopes: list[str] = []
        self.finals: dict[
            tuple[str, str, str], ResponseCode
        ] = {}  # (GLN, id, receiver) → its first final kvittering
        self.receipted = 0

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.everything_arrives()
        finally:
            self.world.close()
            self.loop.close()
            shutil.rmtree(self.folder)

    def build(self) -> None:
        """A new process on the same database, as `Engine.open` does it."""
        from engine.service import Engine, Links
        from tests.flow.world import BOX

        with self.world.db.writing() as tx:
            release_all(tx, tables.publication)
            release_all(tx, tables.envelope_out)
        links = Links(
            self.inboxes[0],
            self.links[1],
            self.links[0],
            self.inboxes[1],
            self.world.mails,
            self.world.status_page,
        )
        self.engine = Engine(self.world.db, BOX, self.world.clock, self.world.settings, links)

    def run(self, work: Any) -> None:
        try:
            self.loop.run_until_complete(work)
        except Crash:
            for inbox in self.inboxes:
                self.loop.run_until_complete(inbox.restart())
            for link in self.links:
                link.crash = None
            self.build()

    # --- what the outside does --------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.specs) < 4)
    @rule(kommune=st.sampled_from([KBH, FRB]), media_type=st.sampled_from([fhir.XML, fhir.JSON]))
    def hospital_sends(self, kommune: Any, media_type: str) -> None:
        spec = self.world.hn(kommune=kommune)
        self.specs.append(spec)
        self.bytes[spec.kommune.gln or "", spec.message_id] = self._send(spec, media_type)

    @precondition(lambda self: self.specs)
    @rule(data=st.data())
    def hospital_sends_again(self, data: Any) -> None:
        spec = data.draw(st.sampled_from(self.specs))
        first = self.bytes[spec.kommune.gln, spec.message_id]
        media_type = fhir.JSON if first.startswith(b"{") else fhir.XML
        self._send(spec.resent(bundle_id=str(uuid4()), at=self.world.clock.now()), media_type)

    def _send(self, spec: HnSpec, media_type: str) -> bytes:
        self.envelopes.append(str(uuid4()))
        return self.world.send(spec, media_type=media_type, envelope_id=self.envelopes[-1])

    @precondition(lambda self: self.specs)
    @rule(data=st.data(), code=st.sampled_from(ResponseCode))
    def receiver_acknowledges(self, data: Any, code: ResponseCode) -> None:
        spec = data.draw(st.sampled_from(self.specs))
        receiver = data.draw(st.sampled_from(RECEIVERS[spec.kommune.gln]))
        self.world.acknowledge(spec, receiver, code)
        if code.is_final:
            self.finals.setdefault((spec.kommune.gln or "", spec.message_id, receiver), code)

    def primary_of(self, key: tuple[str, str]) -> str | None:
        """Who was primary when the advis was received; None before it was."""
        return RECEIVERS[key[0]][0]

    def verdict(self, key: tuple[str, str]) -> ResponseCode | None:
        """The verdict that the hospital is owed: the first final kvittering of the primary of receipt time."""
        return self.finals.get((*key, self.primary_of(key) or ""))

    @rule(kind=st.sampled_from([ReceiptKind.POSITIVE_MESSAGE, ReceiptKind.NEGATIVE_MESSAGE]))
    def hospital_gives_a_receipt(self, kind: ReceiptKind) -> None:
        answers = self.answers()
        if self.receipted < len(answers):
            self.world.drop_receipt(answers[self.receipted], kind)
            self.receipted += 1

    @rule(seconds=st.sampled_from([1, 10, 300, 900, 1800]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(timedelta(seconds=seconds))

    @rule(up=st.booleans())
    def beskedfordeler_goes_up_or_down(self, up: bool) -> None:
        self.world.beskedfordeler.verdict = lambda _: SendResult(None if up else "nede")

    @rule(up=st.booleans())
    def vans_goes_up_or_down(self, up: bool) -> None:
        self.world.vans_out.verdict = lambda _: SendResult(None if up else "nede")

    # --- what the engine does ---------------------------------------------------------------------------------------

    @rule(number=st.integers(0, 5))
    def a_station_steps(self, number: int) -> None:
        self.run(self.engine.stations[number].step())

    @rule(number=st.integers(0, 5), where=st.integers(0, 1))
    def a_station_dies(self, number: int, where: int) -> None:
        for inbox in self.inboxes:
            inbox.crash = ("taken", "committed")[where]
        for link in self.links:
            link.crash = ("before", "after")[where]
        self.run(self.engine.stations[number].step())
        for item in (*self.inboxes, *self.links):
            item.crash = None

    @rule()
    def the_engine_drains(self) -> None:
        self.run(self.engine.drain())

    # --- what must hold ---------------------------------------------------------------------------------------------

    def answers(self) -> list[Sent]:
        """What the EPJ sees: the first sending of each envelope, for a crash may repeat an envelope as it was."""
        seen: dict[str, Sent] = {}
        for answer in self.world.answers:
            seen.setdefault(answer.envelope.head.envelope_id, answer)
        return list(seen.values())

    @invariant()
    def one_verdict(self) -> None:
        if not hasattr(self, "world"):
            return
        given: dict[tuple[str, str], list[ResponseCode]] = {}
        for answer in self.answers():
            read = acknowledgement.read(answer.content)
            key = (answer.envelope.head.sender.id, read.response_identifier)
            given.setdefault(key, []).append(read.code)
        for key, codes in given.items():
            final = [code for code in codes if code.is_final]
            assert len(set(final)) <= 1, f"two verdicts: {codes}"
            assert all(code.is_final for code in codes[len(codes) - len(final) :]), (
                f"transient after final: {codes}"
            )
            if final:
                assert final[0] is self.verdict(key), "the verdict is not the primary's first"

    @invariant()
    def one_publication_with_the_bytes_unchanged(self) -> None:
        if not hasattr(self, "world"):
            return
        of_advis: dict[tuple[str, str], set[str]] = {}
        for besked in self.world.published:
            read = beskedkuvert.read(besked.data)
            assert read.payload is not None
            key = next(key for key, data in self.bytes.items() if data == read.payload)
            of_advis.setdefault(key, set()).add(besked.besked_id)
        assert all(len(ids) == 1 for ids in of_advis.values())
        all_ids = [next(iter(ids)) for ids in of_advis.values()]
        assert len(set(all_ids)) == len(all_ids)

    def everything_arrives(self) -> None:
        """No loss: once all is up, every advis is published, receipted, and has the verdict that is owed."""
        self.beskedfordeler_goes_up_or_down(up=True)
        self.vans_goes_up_or_down(up=True)
        for _ in range(3):
            self.world.clock.advance(timedelta(minutes=6))
            self.run(self.engine.drain())
        self.one_verdict()
        payloads = {beskedkuvert.read(besked.data).payload for besked in self.world.published}
        assert payloads == set(self.bytes.values())
        receipted = {receipt.original_envelope_id for receipt in self.world.receipts}
        assert receipted == set(self.envelopes)
        answered = set()
        for answer in self.answers():
            read = acknowledgement.read(answer.content)
            if read.code.is_final:
                answered.add((answer.envelope.head.sender.id, read.response_identifier))
        assert answered == {key for key in self.bytes if self.verdict(key) is not None}


@pytest.fixture(autouse=True)
def _template(seeded_file: Path) -> None:
    Machine.template = seeded_file


def run_machine(machine: type[Machine], examples: int, steps: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


@pytest.mark.timeout(300)
def test_invariants_hold_for_any_order_of_events() -> None:
    run_machine(Machine, examples=40, steps=40)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_invariants_hold_in_a_long_campaign() -> None:
    run_machine(Machine, examples=2000, steps=50)
