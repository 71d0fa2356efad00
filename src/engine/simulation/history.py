"""Traffic of weeks gone by, made up: so that a young home knows what an hour of the week usually brings."""

from datetime import datetime, timedelta

from sqlalchemy import select

from engine.domain.silence import WEEKS
from engine.local_time import local
from engine.simulation.made_up import dice
from engine.store import tables
from engine.store.database import Tx
from engine.store.traffic import hour_of

# Adviser in an hour of a weekday, as a share of a day's: few at night, most before and after noon.
_DAY = (1, 1, 1, 1, 1, 2, 4, 7, 11, 14, 15, 14, 12, 13, 14, 12, 10, 8, 7, 6, 5, 4, 3, 2)
_WEEKEND = 0.55
_SHARES = {"1084": 31, "1085": 15, "1083": 21, "1082": 23, "1081": 10}  # of each region, as its people are


def seed_traffic(tx: Tx, now: datetime, seed: int, *, per_day: int = 1_200) -> None:
    """Put in the hours of the last weeks up to the present day; the same seed gives the same weeks."""
    codes = tx.conn.execute(select(tables.kommune.c.region_code).distinct()).scalars()
    shares = {code: _SHARES.get(code, 20) / sum(_SHARES.values()) for code in sorted(codes)}
    hour, rows = hour_of(now), []
    for back in range(1, WEEKS * 7 * 24 + 1):
        at = hour - timedelta(hours=back)
        there = local(at)
        if there.date() == local(now).date():
            continue  # what is said to have come today has come
        share = _DAY[there.hour] / sum(_DAY) * (_WEEKEND if there.weekday() >= 5 else 1.0)
        for code, part in shares.items():
            usual = per_day * share * part
            count = round(usual * dice(seed, "traffic", code, at.isoformat()).uniform(0.8, 1.2))
            if count:
                rows.append({"hour": at, "region_code": code, "count": count})
    tx.insert(tables.traffic, rows)
