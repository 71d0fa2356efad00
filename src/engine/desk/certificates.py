"""Our own certificates that end soon, have ended or cannot be used, with what to do."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.domain.events import Level
from engine.domain.expiry import left_text, level, uses_text, where_text
from engine.local_time import date_text, local_date
from engine.store.certificates import Held, by_identity, held


@dataclass(frozen=True, slots=True)
class CertificateWarning:
    """What is told of one. `what` and `do` are Danish."""

    identity: str
    uses: tuple[str, ...]
    since: datetime  # when it was first told
    expires_at: datetime | None  # None: it cannot be used
    level: Level
    what: str
    do: str


def certificate_warnings(conn: Connection, now: datetime) -> tuple[CertificateWarning, ...]:
    """The one that is told longest first."""
    told = by_identity(row for row in held(conn) if row.told is not None)
    found = (_warning(rows, now) for rows in told.values())
    return tuple(sorted(found, key=lambda each: (each.since, each.identity)))


def _warning(rows: list[Held], now: datetime) -> CertificateWarning:
    first, days, since = rows[0], rows[0].told, rows[0].told_at
    assert days is not None
    assert since is not None
    uses = tuple(dict.fromkeys(row.use for row in rows))
    what = f"Certifikatet til {uses_text(uses)}{where_text(row.holder for row in rows)}"
    files = " og ".join(dict.fromkeys(row.file for row in rows))
    do = f"Forny det, og læg det nye i {files}: motoren tager det i brug af sig selv."
    ends = first.expires_at
    if ends is None:
        what, do = f"{what} kan ikke bruges: {first.fault}", "Ret filerne. Se mere med: sundhedsagent doctor"
    elif ends < now:
        what += f" udløb {date_text(local_date(ends))}"
    else:
        what += f" udløber {date_text(local_date(ends))}, {left_text(ends, now)}"
    return CertificateWarning(first.identity, uses, since, ends, level(days), what, do)
