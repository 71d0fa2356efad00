"""Administration, traffic, switchovers, crashes and clock jumps in any order: a connected kommune never has zero or two
primaries, and an advis gets at most one verdict, from the primary of its receipt time.

The traffic and its judge are those of test_invariants.py; here the registry changes under it.
"""

import sqlite3
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from engine.desk.facts import GivenFacts
from engine.desk.receivers import add_receiver, receivers_in_service, remove_receiver
from engine.desk.switchovers import (
    PlanSwitchover,
    cancel_switchover,
    change_switchover,
    list_switchovers,
    plan_switchover,
    undo_switchover,
)
from engine.domain.acknowledgement import ResponseCode
from engine.errors import RuleError
from engine.store import tables
from tests.flow.test_invariants import Crash, Machine, run_machine
from tests.flow.world import FRB, KBH, OTHER_PRIMARY, PRIMARY, SECOND, START, THIRD

CODES = {KBH.gln: "0101", FRB.gln: "0147"}
SYSTEMS = (PRIMARY, SECOND, THIRD, OTHER_PRIMARY, "55555555-5555-4555-8555-555555555555")
DAY = timedelta(hours=24)
KOMMUNER = st.sampled_from(sorted(CODES.values()))
DELAYS = st.sampled_from([None, 1, 60, 1_800, 7_200])

RAW = (
    "UPDATE connection SET primary_receiver_id = NULL",
    "DELETE FROM connection",
    "UPDATE receiver SET removed_at = 9, removed_by_force = 1",
    "DELETE FROM receiver WHERE id IN (SELECT primary_receiver_id FROM connection)",
    "UPDATE OR REPLACE receiver SET kommune_code = '0151'",
    (
        "INSERT OR REPLACE INTO connection (kommune_code, primary_receiver_id, contact_email, connected_at)"
        " SELECT '0101', min(primary_receiver_id), 'e', 1 FROM connection WHERE kommune_code = '0147'"
    ),
    "UPDATE switchover SET state = 'planned', carried_out_at = NULL WHERE state = 'done'",
    "UPDATE switchover SET to_receiver_id = 99 WHERE state = 'planned'",
)


class Administered(Machine):
    def __init__(self) -> None:
        super().__init__()
        # (GLN, MessageHeader.id) → the primary of receipt time
        self.primaries: dict[tuple[str, str], str] = {}
        self.latest = START

    # --- what people do -------------------------------------------------------------------------------------------

    @rule(code=KOMMUNER, system=st.sampled_from(SYSTEMS))
    def a_receiver_is_added(self, code: str, system: str) -> None:
        given = GivenFacts(
            name=f"System {system[:4]}",
            uuid=system,
            vendor="V",
            vendor_email="v@v.example",
            area="Omsorg",
            agreed_by="Mette",
            only_kvittering=True,
        )
        self.act(lambda act: add_receiver(act, code, given))

    @rule(code=KOMMUNER, data=st.data(), force=st.booleans())
    def a_receiver_is_removed(self, code: str, data: Any, force: bool) -> None:
        facts = data.draw(st.sampled_from(self.receivers(code))).facts
        self.act(lambda act: remove_receiver(act, code, name=facts.name, uuid=facts.uuid, force=force))

    @rule(code=KOMMUNER, data=st.data(), delay=DELAYS, dies=st.booleans())
    def a_switchover_is_planned(self, code: str, data: Any, delay: int | None, dies: bool) -> None:
        old, *_ = self.receivers(code)
        new = data.draw(st.sampled_from(self.receivers(code))).facts
        order = PlanSwitchover(
            code=code,
            old_name=old.facts.name,
            old_uuid=old.facts.uuid,
            new_name=new.name,
            new_uuid=new.uuid,
            at=self.after(delay),
        )
        self.act(lambda act: plan_switchover(act, order), dies=dies)

    @precondition(lambda self: self.switchovers())
    @rule(data=st.data(), delay=st.sampled_from([1, 60, 7_200]))
    def a_switchover_is_moved(self, data: Any, delay: int) -> None:
        number = data.draw(st.sampled_from(self.switchovers()))
        self.act(lambda act: change_switchover(act, number, self.after(delay) or act.now))

    @precondition(lambda self: self.switchovers())
    @rule(data=st.data())
    def a_switchover_is_cancelled(self, data: Any) -> None:
        number = data.draw(st.sampled_from(self.switchovers()))
        self.act(lambda act: cancel_switchover(act, number))

    @precondition(lambda self: self.switchovers())
    @rule(data=st.data(), delay=DELAYS)
    def a_switchover_is_undone(self, data: Any, delay: int | None) -> None:
        number = data.draw(st.sampled_from(self.switchovers()))
        self.act(lambda act: undo_switchover(act, number, within=DAY, at=self.after(delay)))

    @rule(statement=st.sampled_from(RAW))
    def somebody_writes_raw_sql(self, statement: str) -> None:
        """On a connection without our pragmas; the database refuses what it must."""
        path = self.folder / "world.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as conn, suppress(sqlite3.IntegrityError):
            conn.execute(statement)

    @precondition(lambda self: self.specs)
    @rule(data=st.data(), code=st.sampled_from(ResponseCode), system=st.sampled_from(SYSTEMS))
    def any_system_acknowledges(self, data: Any, code: ResponseCode, system: str) -> None:
        spec = data.draw(st.sampled_from(self.specs))
        self.world.acknowledge(spec, system, code)
        if code.is_final:
            self.finals.setdefault((spec.kommune.gln or "", spec.message_id, system), code)

    @rule(seconds=st.sampled_from([-3_600, -30, 90_000]))
    def the_clock_jumps(self, seconds: int) -> None:
        self.world.clock.step(timedelta(seconds=seconds))

    def act(self, work: Any, *, dies: bool = False) -> None:
        """A person's change; a rule may refuse it, and the program may die before it is committed."""
        with suppress(RuleError, Crash), self.world.acting() as act:
            work(act)
            if dies:
                raise Crash

    def after(self, delay: int | None) -> datetime | None:
        return None if delay is None else self.world.clock.now() + timedelta(seconds=delay)

    def receivers(self, code: str) -> Any:
        with self.world.db.reading() as conn:
            return receivers_in_service(conn, code)

    def switchovers(self) -> list[int]:
        with self.world.db.reading() as conn:
            return [item.id for item in list_switchovers(conn)]

    # --- what the engine does ---------------------------------------------------------------------------------------

    def run(self, work: Any) -> None:
        """The clock stands still meanwhile, so that what is in force now is in force for all that is received."""
        self.latest = max(self.latest, self.world.clock.now())
        in_force = {gln: self.in_force(code) for gln, code in CODES.items()}
        super().run(work)
        for row in self.world.rows(tables.advis, "addressee", "message_id"):
            self.primaries.setdefault((row.addressee, row.message_id), in_force[row.addressee])

    def in_force(self, code: str) -> str:
        """The primary of an advis that is received now, by what was planned."""
        now = self.world.clock.now()
        with self.world.db.reading() as conn:
            planned = list_switchovers(conn, only=[code], planned_only=True)
        due = next((item.new_uuid for item in planned if item.at <= now), None)
        return due or self.receivers(code)[0].facts.uuid

    def primary_of(self, key: tuple[str, str]) -> str | None:
        return self.primaries.get(key)

    def everything_arrives(self) -> None:
        self.world.clock.step(max(timedelta(0), self.latest - self.world.clock.now()))
        super().everything_arrives()
        now = self.world.clock.now()
        with self.world.db.reading() as conn:
            assert all(item.at > now for item in list_switchovers(conn, planned_only=True)), (
                "never carried out"
            )

    # --- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def one_primary(self) -> None:
        if not hasattr(self, "world"):
            return
        with closing(sqlite3.connect(self.folder / "world.db")) as conn:
            found = conn.execute(
                "SELECT connection.kommune_code, count(receiver.id) FROM connection LEFT JOIN receiver"
                " ON receiver.id = connection.primary_receiver_id"
                " AND receiver.kommune_code = connection.kommune_code AND receiver.removed_at IS NULL"
                " GROUP BY connection.kommune_code"
            ).fetchall()
        assert found == [("0101", 1), ("0147", 1)]


@pytest.fixture(autouse=True)
def _template(seeded_file: Path) -> None:
    Machine.template = seeded_file


@pytest.mark.timeout(300)
def test_one_primary_and_one_verdict_whatever_is_administered() -> None:
    run_machine(Administered, examples=15, steps=40)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_one_primary_and_one_verdict_in_a_long_campaign() -> None:
    run_machine(Administered, examples=2000, steps=50)
