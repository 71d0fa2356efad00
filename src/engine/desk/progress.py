"""How much has been done, for a screen that asks again and again."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from engine.desk.look_up import AdvisFilter, AdvisView, list_advis
from engine.domain.acknowledgement import Disposition, PendingState, ResponseCode
from engine.store import tables


@dataclass(frozen=True, slots=True)
class Progress:
    """Adviser and kvitteringer so far; `latest` is the newest adviser, the newest first."""

    received: int
    copies: int
    published: int
    answered: int  # adviser whose hospital has been sent a receiver's verdict
    expected: int  # kvitteringer
    pending: int
    kvitteringer: dict[str, int]  # those that settled something, by response code
    latest: tuple[AdvisView, ...]


def progress(conn: Connection, *, latest: int) -> Progress:
    """The whole, with the `latest` newest adviser."""
    advis, expected, kvittering, out = (
        tables.advis,
        tables.expected_kvittering,
        tables.kvittering,
        tables.envelope_out,
    )
    received, copies, published = conn.execute(
        select(func.count(), func.coalesce(func.sum(advis.c.copies), 0), func.count(advis.c.published_at))
    ).one()
    answered = select(func.count(out.c.advis_id.distinct())).where(
        out.c.kind == "answer",
        out.c.sent_at.is_not(None),
        out.c.code.in_(code.value for code in ResponseCode if code.is_final),
    )
    by_state = select(expected.c.state, func.count()).group_by(expected.c.state)
    states: dict[str, int] = dict(conn.execute(by_state).all())
    settled = (
        select(kvittering.c.code, func.count())
        .where(kvittering.c.disposition == Disposition.SETTLED.value)
        .group_by(kvittering.c.code)
    )
    return Progress(
        received=received,
        copies=copies,
        published=published,
        answered=conn.execute(answered).scalar_one(),
        expected=sum(states.values()),
        pending=states.get(PendingState.PENDING.value, 0),
        kvitteringer=dict(conn.execute(settled).all()),
        latest=tuple(list_advis(conn, AdvisFilter(limit=latest))),
    )
