"""How many adviser came in, by region and hour: counted as they come, so that nothing needs to look through them."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from engine.domain import pulse
from engine.store import tables
from engine.store.ledger import Ledger
from engine.store.pulse import note_good


def hour_of(at: datetime) -> datetime:
    """The beginning of its hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def note_traffic(ledger: Ledger, kommune_codes: Iterable[str]) -> None:
    """Adviser of these kommuner came in now; one entry per advis, copies too."""
    kommuner = Counter(kommune_codes)
    if not kommuner:
        return
    conn, table, kommune = ledger.tx.conn, tables.traffic, tables.kommune
    query = select(kommune.c.code, kommune.c.region_code).where(kommune.c.code.in_(list(kommuner)))
    regions: Counter[str] = Counter()
    for code, region_code in conn.execute(query):
        regions[region_code] += kommuner[code]
    hour = hour_of(ledger.now)
    for region_code, count in regions.items():
        known = update(table).where(table.c.hour == hour, table.c.region_code == region_code)
        if conn.execute(known.values(count=table.c.count + count)).rowcount == 0:
            conn.execute(insert(table).values(hour=hour, region_code=region_code, count=count))
    note_good(ledger, [pulse.VANS_IN, *map(pulse.region, regions)])


def traffic(conn: Connection, begins: datetime, ends: datetime) -> dict[str, dict[datetime, int]]:
    """Adviser by region code and hour, for the hours from `begins` up to and without `ends`."""
    table = tables.traffic
    query = select(table.c.region_code, table.c.hour, table.c.count)
    found: dict[str, dict[datetime, int]] = {}
    for region_code, hour, count in conn.execute(query.where(table.c.hour >= begins, table.c.hour < ends)):
        found.setdefault(region_code, {})[hour] = count
    return found
