"""Adviser sent once more to the Beskedfordeler, under the same BeskedId: one, or all that a filter shows.

A receiver that has lost its messages gets them again. Nothing that is waited for begins anew: a clock that runs goes
on, and what was settled stays so.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from engine.desk.act import Act
from engine.desk.look_up import AdvisFilter, advis_ids
from engine.domain.audit import Action
from engine.domain.events import EventKind
from engine.domain.registration import checked_remark
from engine.errors import RuleError
from engine.store import tables
from engine.store.ledger import Ledger

_MOST = 10_000
_JUST_NOW = timedelta(seconds=60)
_AT_ONCE = 500
_IDS_TOLD = 20  # more are told by the filter, the count, and an event of each


@dataclass(frozen=True, slots=True)
class Resend:
    """What a resend would do, or has done. `kommuner` counts those to send, by code."""

    ids: tuple[int, ...]
    kommuner: dict[str, int]
    oldest: datetime | None
    newest: datetime | None
    refused: int  # never published, and never to be
    waiting: int  # on their way to the Beskedfordeler already
    just_sent: int  # resent within the last minute: pressed twice


def plan_resend(conn: Connection, wanted: AdvisFilter, now: datetime) -> Resend:
    """What would be sent; RuleError where the filter shows more than can be sent at once."""
    return _plan(conn, _limited(advis_ids(conn, replace(wanted, limit=_MOST + 1))), now)


def resend(act: Act, wanted: AdvisFilter, reason: str) -> Resend:
    """Order a further publication of each."""
    why = checked_remark(reason, "begrundelsen")
    plan = plan_resend(act.conn, wanted, act.now)
    ledger, publication, advis = Ledger(act.tx, act.now), tables.publication, tables.advis
    for ids in _chunks(plan.ids):
        rounds = (
            select(publication.c.advis_id, advis.c.kommune_code, func.max(publication.c.round).label("round"))
            .join(advis, advis.c.id == publication.c.advis_id)
            .where(publication.c.advis_id.in_(ids))
            .group_by(publication.c.advis_id, advis.c.kommune_code)
        )
        for row in act.conn.execute(rounds).all():
            ledger.add(
                publication,
                id=act.tx.next_id("publication"),
                advis_id=row.advis_id,
                round=row.round + 1,
                ordered_at=act.now,
                next_at=act.now,
                delayed_at=None,
            )
            ledger.event(
                EventKind.ADVIS_RESENT,
                actor=act.actor,
                advis_id=row.advis_id,
                kommune_code=row.kommune_code,
                round=row.round + 1,
                reason=why,
            )
    ledger.write()
    if plan.ids:
        act.audit(
            Action.ADVIS_RESENT,
            f"advis:{plan.ids[0]}" if len(plan.ids) == 1 else "advis",
            kommune_code=next(iter(plan.kommuner)) if len(plan.kommuner) == 1 else None,
            after=_told(wanted) | {"count": len(plan.ids)},
            reason=why,
        )
    return plan


def _plan(conn: Connection, ids: Sequence[int], now: datetime) -> Resend:
    rows = [row for chunk in _chunks(ids) for row in conn.execute(_states(chunk))]
    to_send, counts = [], Counter[str]()
    for row in rows:
        if row.refused:
            counts["refused"] += 1
        elif row.waiting:
            counts["waiting"] += 1
        elif row.round > 1 and now - row.ordered_at < _JUST_NOW:
            counts["just_sent"] += 1
        else:
            to_send.append(row)
    times = [row.received_at for row in to_send]
    return Resend(
        tuple(row.id for row in to_send),
        dict(Counter(row.kommune_code for row in to_send)),
        min(times, default=None),
        max(times, default=None),
        counts["refused"],
        counts["waiting"],
        counts["just_sent"],
    )


def _states(ids: Sequence[int]) -> Any:
    advis, publication = tables.advis, tables.publication
    return (
        select(
            advis.c.id,
            advis.c.kommune_code,
            advis.c.received_at,
            advis.c.refused,
            func.count(publication.c.next_at).label("waiting"),
            func.max(publication.c.round).label("round"),
            func.max(publication.c.ordered_at).label("ordered_at"),
        )
        .outerjoin(publication, publication.c.advis_id == advis.c.id)
        .where(advis.c.id.in_(ids))
        .group_by(advis.c.id)
        .order_by(advis.c.id)
    )


def _limited(ids: list[int]) -> list[int]:
    if len(ids) > _MOST:
        raise RuleError(
            f"Der passer mere end {_MOST:,} adviser; så mange sendes ikke på én gang. ".replace(",", ".")
            + "Vælg en kortere periode med --since og --until."
        )
    return ids


def _told(wanted: AdvisFilter) -> dict[str, Any]:
    """The filter as the audit log keeps it; a person's hash is not among what can be filtered by here."""
    ids = None if wanted.ids is None else list(wanted.ids)
    shown = {
        "ids": ids if ids is not None and len(ids) <= _IDS_TOLD else None,
        "kommuner": sorted(wanted.kommuner) if wanted.kommuner is not None else None,
        "code": wanted.code,
        "state": wanted.state,
        "message_id": wanted.message_id,
        "besked_id": wanted.besked_id,
        "bundle_id": wanted.bundle_id,
        "envelope_id": wanted.envelope_id,
        "hospital": wanted.hospital,
        "receiver": wanted.receiver,
        "since": wanted.since.isoformat() if wanted.since else None,
        "until": wanted.until.isoformat() if wanted.until else None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
