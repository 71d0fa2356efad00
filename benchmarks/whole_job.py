"""The whole job against its floor: one advis in, stored, published, three kvitteringer in, one answer out.

The engine does all of it with validation on and every commit durable. The floor, in the same run and in turn with it,
does what no implementation could leave out: it parses the same bytes with plain lxml, and commits the same rows with
plain sqlite3, in batches of the same size with as many commits. Prints one JSON line; rates are jobs per second,
medians over the rounds.
"""

import argparse
import asyncio
import base64
import itertools
import json
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from lxml import etree
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import event

from engine.clock import SystemClock
from engine.desk.access import caller_identity
from engine.desk.act import Act
from engine.domain.ids import Cvr
from engine.home import Home
from engine.links.memory import MemoryBeskedfordeler, MemoryInbox, MemoryMail, MemoryVansOutbox
from engine.service import Engine, Links
from engine.settings import Settings
from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.envelopes import Correspondence, hn_envelope, kvittering_besked
from engine.simulation.messages import HnSpec, ack_bytes, hn_bytes
from engine.simulation.registered import connect_roster
from engine.simulation.roster import SimKommune, demo_roster

BATCH = 200  # the settings' default
RECEIVERS = 3


@dataclass(frozen=True, slots=True)
class Job:
    """One advis as it comes in, and the kvitteringer of its receivers."""

    envelope: bytes
    kvitteringer: tuple[bytes, ...]


# --- the material -----------------------------------------------------------------------------------------------------


def jobs(home: Home, kommuner: Sequence[SimKommune], count: int) -> list[Job]:
    """Messages built once per kommune and receiver; each job gets ids of its own in them."""
    beskedtype = Settings.load(home).beskedtype_medcomkvittering
    at = datetime.now(UTC)
    patterns = []
    for kommune, cvr in zip(kommuner, cvrs(home, kommuner), strict=True):
        spec = an_advis(kommune=kommune.unit, sent_at=at)
        receivers = kommune.receivers[:RECEIVERS]
        acks = [
            (ack_bytes(an_acknowledgement(spec)), Correspondence(r.uuid, cvr, beskedtype)) for r in receivers
        ]
        patterns.append((spec, hn_bytes(spec), acks))
    fresh = (str(UUID(int=number, version=4)) for number in itertools.count(1))
    return [_job(*patterns[number % len(patterns)], fresh, at) for number in range(count)]


def _job(
    spec: HnSpec, hn: bytes, acks: list[tuple[bytes, Correspondence]], fresh: Iterator[str], at: datetime
) -> Job:
    message_id = next(fresh)
    own = replace(spec, message_id=message_id)
    data = hn.replace(spec.message_id.encode(), message_id.encode())
    data = data.replace(spec.bundle_id.encode(), next(fresh).encode())
    kvitteringer = tuple(
        kvittering_besked(
            ack.replace(spec.message_id.encode(), message_id.encode()),
            who=who,
            besked_id=next(fresh),
            related_besked_id=None,
            made_at=at,
        )
        for ack, who in acks
    )
    return Job(hn_envelope(own, data, envelope_id=next(fresh)), kvitteringer)


def cvrs(home: Home, kommuner: Sequence[SimKommune]) -> list[Cvr]:
    with sqlite3.connect(home.database_file) as conn:
        found = dict(conn.execute("SELECT code, cvr FROM kommune").fetchall())
    return [Cvr(found[kommune.code]) for kommune in kommuner]


def a_home(folder: Path, kommuner: Sequence[SimKommune]) -> Home:
    home = Home.create(folder, SystemClock(), caller_identity())
    db = home.open_database()
    with db.writing() as tx:
        roster = [replace(kommune, receivers=kommune.receivers[:RECEIVERS]) for kommune in kommuner]
        connect_roster(Act(tx, datetime.now(UTC), "bench"), roster)
    db.close()
    return home


# --- the engine -------------------------------------------------------------------------------------------------------


class Commits:
    """Counts the transactions that wrote something, on whatever engine: each waits for the disk once."""

    def __init__(self) -> None:
        self._count = 0
        self._changes: dict[int, int] = {}
        event.listen(SqlEngine, "commit", self._on_commit)

    def _on_commit(self, conn: Any) -> None:
        driver = conn.connection.driver_connection
        if self._changes.get(id(driver), 0) != driver.total_changes:
            self._changes[id(driver)] = driver.total_changes
            self._count += 1

    def close(self) -> int:
        """Stop counting; the count."""
        event.remove(SqlEngine, "commit", self._on_commit)
        return self._count


async def in_memory(home: Home, work: Sequence[Job]) -> tuple[float, int]:
    """Seconds for all jobs with links in memory, and the commits that it took."""
    vans_in, kvitteringer, out = MemoryInbox(), MemoryInbox(), MemoryVansOutbox()
    links = Links(vans_in, out, MemoryBeskedfordeler(), kvitteringer, MemoryMail(), None)
    engine = Engine.open(home, links=links)
    commits = Commits()
    begun = time.perf_counter()
    for start in range(0, len(work), BATCH):
        for job in work[start : start + BATCH]:
            vans_in.drop(job.envelope)
        await engine.drain()
        for job in work[start : start + BATCH]:
            for kvittering in job.kvitteringer:
                kvitteringer.drop(kvittering)
        await engine.drain()
    seconds = time.perf_counter() - begun
    assert len(out.sent) == 2 * len(work), "each job ends in a receipt and an answer"
    engine.close()
    return seconds, commits.close()


async def in_folders(home: Home, work: Sequence[Job]) -> float:
    """Seconds for all jobs through the home's folders."""
    engine = Engine.open(home)
    seconds = 0.0
    for start in range(0, len(work), BATCH):
        seconds += await through_folders(engine, home, work[start : start + BATCH], start)
    engine.close()
    assert len(list(home.vans_out.glob("*.xml"))) == 2 * len(work)
    return seconds


async def through_folders(engine: Engine, home: Home, batch: Sequence[Job], start: int) -> float:
    """Seconds for some jobs, the first of them number `start`; what hospitals and receivers write is not counted."""
    for number, job in enumerate(batch, start):
        (home.vans_in / f"{number}.xml").write_bytes(job.envelope)
    seconds = await _drained(engine)
    for number, job in enumerate(batch, start):
        for position, kvittering in enumerate(job.kvitteringer):
            (home.afsend / f"{number}-{position}.xml").write_bytes(kvittering)
    return seconds + await _drained(engine)


async def _drained(engine: Engine) -> float:
    begun = time.perf_counter()
    await engine.drain()
    return time.perf_counter() - begun


# --- the floor --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that the engine left behind, and the statements that make tables like its own."""

    schema: list[str]
    tables: dict[str, list[tuple[Any, ...]]]


def rows_of(home: Home) -> Rows:
    skipped = {"kommune", "receiver", "connection", "unit", "role_grant", "id_sequence", "alembic_version"}
    with sqlite3.connect(home.database_file) as conn:
        schema = conn.execute(
            "SELECT name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'trigger'"
        )
        kept = [(name, sql) for name, table, sql in schema.fetchall() if table not in skipped]
        names = [name for name, sql in kept if sql.startswith("CREATE TABLE")]
        contents = {name: conn.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}
    return Rows([sql for _, sql in kept], {name: content for name, content in contents.items() if content})


def floor(path: Path, work: Sequence[Job], rows: Rows, commits: int) -> float:
    """Seconds to parse the same bytes and commit the same rows, as plainly as it can be done."""
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute("PRAGMA synchronous=FULL")
    for statement in rows.schema:
        conn.execute(statement)
    batches = len(work) // BATCH
    per_batch = round(commits / batches)
    names = list(rows.tables)
    begun = time.perf_counter()
    for number in range(batches):
        for job in work[number * BATCH : (number + 1) * BATCH]:
            parse(job.envelope)
            for kvittering in job.kvitteringer:
                parse(kvittering)
        # As many commits as the engine made for such a batch, the tables dealt out over them.
        for commit in range(per_batch):
            conn.execute("BEGIN IMMEDIATE")
            for name in names[commit::per_batch]:
                content = rows.tables[name]
                part = content[number * len(content) // batches : (number + 1) * len(content) // batches]
                if part:
                    conn.executemany(f'INSERT INTO "{name}" VALUES ({",".join("?" * len(part[0]))})', part)
            conn.execute("INSERT INTO commits VALUES (?)", (number,))
            conn.execute("COMMIT")
    seconds = time.perf_counter() - begun
    conn.close()
    return seconds


def parse(data: bytes) -> None:
    outer = etree.fromstring(data)
    inner = next(element for element in outer.iter("{*}Data", "{*}Base64"))
    etree.fromstring(base64.b64decode(inner.text or ""))


# --- the run ----------------------------------------------------------------------------------------------------------


def measure(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    kommuner = [kommune for kommune in demo_roster(98, 7) if len(kommune.receivers) >= RECEIVERS][:20]
    work = jobs(a_home(folder / "first", kommuner), kommuner, count)
    memory, folders, floors = [], [], []
    for number in range(rounds):
        home = a_home(folder / f"memory-{number}", kommuner)
        seconds, commits = asyncio.run(in_memory(home, work))
        memory.append(count / seconds)
        rows = rows_of(home)
        rows.schema.append("CREATE TABLE commits (batch INTEGER)")
        floors.append(count / floor(folder / f"floor-{number}.db", work, rows, commits))
        home = a_home(folder / f"folders-{number}", kommuner)
        folders.append(count / asyncio.run(in_folders(home, work)))
    return {
        "jobs": count,
        "rounds": rounds,
        "batch": BATCH,
        "commits_per_batch": round(commits / (count // BATCH), 1),
        "rows_per_job": round(sum(map(len, rows.tables.values())) / count, 1),
        "memory_jobs_per_s": round(statistics.median(memory), 1),
        "folders_jobs_per_s": round(statistics.median(folders), 1),
        "floor_jobs_per_s": round(statistics.median(floors), 1),
        "memory_of_floor": round(statistics.median(a / b for a, b in zip(memory, floors, strict=True)), 3),
        "folders_of_floor": round(statistics.median(a / b for a, b in zip(folders, floors, strict=True)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the databases lie; a disk, not memory"
    )
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder or Path.cwd()))
    try:
        print(json.dumps(measure(folder, options.jobs, options.rounds)))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
