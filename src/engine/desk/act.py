"""One person's change: everything in it is committed together, and stands in the audit log with before and after."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from engine.clock import Clock
from engine.domain.audit import Action, Values
from engine.domain.events import EventKind, Level
from engine.errors import OutdatedError
from engine.local_time import local_text
from engine.store import tables
from engine.store.audit import append_audit
from engine.store.database import Tx
from engine.store.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Act:
    """What a use case of the desk needs: the transaction, the moment, and who acts."""

    tx: Tx
    now: datetime
    actor: str

    @property
    def conn(self) -> Connection:
        return self.tx.conn

    def event(
        self,
        kind: EventKind,
        *,
        kommune_code: str | None = None,
        level: Level = Level.INFO,
        advis_id: int | None = None,
        case_id: int | None = None,
        incident_id: int | None = None,
        **data: Any,
    ) -> None:
        """Record a fact that touches the flow."""
        ledger = Ledger(self.tx, self.now)
        ledger.event(
            kind,
            actor=self.actor,
            level=level,
            kommune_code=kommune_code,
            advis_id=advis_id,
            case_id=case_id,
            incident_id=incident_id,
            **data,
        )
        ledger.write()

    def audit(
        self,
        action: Action,
        subject: str,
        *,
        kommune_code: str | None = None,
        before: Values | None = None,
        after: Values | None = None,
        reason: str | None = None,
    ) -> None:
        """Add an entry to the audit log. `subject` names a row, as "receiver:7"; nothing of citizens."""
        append_audit(
            self.tx,
            self.now,
            self.actor,
            action,
            subject,
            kommune_code=kommune_code,
            before=before,
            after=after,
            reason=reason,
        )

    def refuse_outdated(
        self, subject: str, what: str, *, seen: int | None, version: int, now: Values, wanted: Values
    ) -> None:
        """OutdatedError where the caller saw another version than there is; it shows both, field by field.

        `seen` is None where the caller read in this very transaction.
        """
        if seen is None or seen == version:
            return
        table = tables.audit
        last = select(table.c.at, table.c.actor).where(table.c.subject == subject)
        row = self.conn.execute(last.order_by(table.c.id.desc()).limit(1)).one_or_none()
        by = f", senest af {row.actor} {local_text(row.at)}" if row else ""
        lines = [
            f"  {name}: nu {_shown(now.get(name))}, du ville skrive {_shown(value)}"
            for name, value in wanted.items()
        ]
        raise OutdatedError(
            "\n".join(
                (
                    f"{what} er ændret, siden du så det (du så version {seen}, nu er det {version}{by}).",
                    *lines,
                    "Intet er ændret. Se det, som det er nu, og prøv igen.",
                )
            )
        )


def open_act(tx: Tx, clock: Clock, actor: str) -> Act:
    """A change of the registry as it is in force: a switchover whose instant has come is carried out first, also where
    no engine runs.
    """
    from engine.flow.switch_over import carry_out_due  # noqa: PLC0415 - heavy, and readers need none of it
    from engine.flow.timekeeping import open_ledger  # noqa: PLC0415

    ledger = open_ledger(tx, clock)
    carry_out_due(ledger)
    ledger.write()
    return Act(tx, ledger.now, actor)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that differ: as they were, and as they are."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}


def _shown(value: object) -> str:
    return "–" if value in {None, ""} else json.dumps(value, ensure_ascii=False)
