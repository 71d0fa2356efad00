"""A planned switchover happens at its instant: another receiver becomes the kommune's primary, in one transaction.

Receive carries out what is due before it takes an advis in, in the same transaction, so that the planned instant is in
force for every advis by its receipt time, however late the engine is. An advis received at the instant belongs to the
new primary. The station does the same where nothing comes in.
"""

from datetime import timedelta
from typing import ClassVar

import structlog
from sqlalchemy import Connection, literal_column, select, update
from sqlalchemy.exc import IntegrityError

from engine.clock import Clock
from engine.domain.audit import Action
from engine.domain.events import EventKind
from engine.domain.procedure import StepState
from engine.domain.switchover import DueSwitchover, SwitchoverState
from engine.flow.timekeeping import open_ledger
from engine.flow.trouble import told
from engine.local_time import local_date
from engine.store import tables
from engine.store.audit import append_audit
from engine.store.database import Database, Tx
from engine.store.ledger import Ledger

log = structlog.get_logger(__name__)

CARRIED_OUT = "carried-out"  # the step of its checklist, in data/procedures.toml
_LATE = timedelta(minutes=1)  # below it, an engine that looks every quarter of a second is on time


class SwitchOver:
    """Carries out what is due."""

    name: ClassVar[str] = "switch-over"

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def step(self) -> int:
        """Carry out all that is due; how many."""
        return await self._db.write(self._carry_out) if await self._db.read(self._is_any_due) else 0

    def _is_any_due(self, conn: Connection) -> bool:
        table = tables.switchover
        query = select(table.c.id).where(_IS_PLANNED, table.c.at <= self._clock.now()).limit(1)
        return conn.execute(query).scalar() is not None

    def _carry_out(self, tx: Tx) -> int:
        ledger = open_ledger(tx, self._clock)
        done = carry_out_due(ledger)
        ledger.write()
        return len(done)


def carry_out_due(ledger: Ledger, actor: str = "motor") -> list[DueSwitchover]:
    """Carry out every switchover whose instant has come, each once; those that were carried out.

    The connection rows are locked by it, so that a receipt falls clearly before or after.
    """
    done = [due for due in _due(ledger) if _carry_out(ledger, due, actor)]
    for due in done:
        late = ledger.now - due.at >= _LATE
        ledger.event(
            EventKind.SWITCHOVER_CARRIED_OUT,
            actor=actor,
            kommune_code=due.kommune_code,
            switchover_id=due.id,
            old=due.from_name,
            new=due.to_name,
            at=due.at.isoformat(),
            late=" (forsinket)" if late else "",
        )
    return done


# A literal: the partial index on what is planned is used only where the query has its very condition.
_IS_PLANNED = tables.switchover.c.state == literal_column("'planned'")


def _due(ledger: Ledger) -> list[DueSwitchover]:
    table = tables.switchover
    old, new = tables.receiver.alias("old"), tables.receiver.alias("new")
    query = (
        select(
            table.c.id,
            table.c.kommune_code,
            table.c.from_receiver_id,
            table.c.to_receiver_id,
            old.c.name,
            new.c.name,
            table.c.at,
        )
        .join(old, old.c.id == table.c.from_receiver_id)
        .join(new, new.c.id == table.c.to_receiver_id)
        .where(_IS_PLANNED, table.c.at <= ledger.now)
        .order_by(table.c.at, table.c.id)
        .with_for_update(of=table)
    )
    return [DueSwitchover(*row) for row in ledger.tx.conn.execute(query)]


def _carry_out(ledger: Ledger, due: DueSwitchover, actor: str) -> bool:
    """Both changes, or neither: what the database refuses for one kommune must hold up no other one's adviser."""
    conn, connection, table = ledger.tx.conn, tables.connection, tables.switchover
    try:
        with conn.begin_nested():
            conn.execute(
                update(connection)
                .where(connection.c.kommune_code == due.kommune_code)
                .values(primary_receiver_id=due.to_receiver_id)
            )
            conn.execute(
                update(table)
                .where(table.c.id == due.id)
                .values(
                    state=SwitchoverState.DONE.value,
                    carried_out_at=ledger.now,
                    version=table.c.version + 1,
                )
            )
            _tick_off(ledger, due, actor)
    except IntegrityError as error:
        log.error("switchover-refused", switchover=due.id, kommune=due.kommune_code, **told(error))
        return False
    append_audit(
        ledger.tx,
        ledger.now,
        actor,
        Action.SWITCHOVER_CARRIED_OUT,
        f"switchover:{due.id}",
        kommune_code=due.kommune_code,
        before={"primary": due.from_name, "receiver_id": due.from_receiver_id},
        after={"primary": due.to_name, "receiver_id": due.to_receiver_id, "at": due.at.isoformat()},
    )
    return True


def _tick_off(ledger: Ledger, due: DueSwitchover, actor: str) -> None:
    """The checklist of the switchover says so too, unless a person has said something of that step already."""
    procedure, step, now = tables.procedure, tables.procedure_step, ledger.now
    said = select(step.c.procedure_id).where(step.c.step == CARRIED_OUT)
    ids = select(procedure.c.id).where(procedure.c.switchover_id == due.id, procedure.c.id.not_in(said))
    rows = [
        {
            "procedure_id": procedure_id,
            "step": CARRIED_OUT,
            "state": StepState.DONE.value,
            "person": actor,
            "on_date": local_date(now).isoformat(),
            "note": "",
            "set_at": now,
            "set_by": actor,
        }
        for procedure_id in ledger.tx.conn.execute(ids).scalars()
    ]
    ledger.tx.insert(step, rows)
