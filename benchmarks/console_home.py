"""A home as large as years of traffic make it, and a writer that lets life go on in it without an engine.

`fill` makes the home: the 98 kommuner connected, and adviser with their publications, expected kvitteringer, answers
and events, put into the database by SQL. Nearly all is acknowledged and answered; some hundred kvitteringer are waited
for, and some of them have joined open cases. `write` adds adviser to such a home and carries each of them through
publication, kvitteringer and answer, ten short transactions a second, as an engine commits them.

    python benchmarks/console_home.py fill --home DIR --adviser 1000000
    python benchmarks/console_home.py write --home DIR --rate 200 --seconds 60

Each prints one JSON line.
"""

import argparse
import json
import signal
import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from engine.clock import SystemClock
from engine.desk.access import caller_identity
from engine.desk.office import Office
from engine.domain import pulse
from engine.domain.advis import AdvisCode, EncounterClass, EncounterStatus, Unit
from engine.domain.events import EventKind, Level
from engine.domain.silence import WEEKS
from engine.home import Home, engine_lock, payload_key
from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.made_up import dice
from engine.simulation.messages import ack_bytes, hn_bytes
from engine.simulation.registered import connect_roster
from engine.simulation.roster import demo_roster, hospitals
from engine.store.json_text import to_json
from engine.store.payloads import PayloadBox
from engine.store.tables import to_microseconds

SEED, KOMMUNER, ADVISER = 7, 98, 1_000_000
LEAST = 2_000  # fewer leave no room for what is pending and overdue
PER_YEAR = 5_000_000
SECOND = 1_000_000  # instants are microseconds
MINUTE, HOUR = 60 * SECOND, 3_600 * SECOND
HISTORY_US = (WEEKS * 7 + 3) * 24 * HOUR  # a little more than what an hour of the week is learnt from
STEP_US = (
    365 * 24 * HOUR // PER_YEAR
)  # between two of the newest adviser; those before are spread over the rest

RECENT = 3_000  # adviser that came in as quickly as a year's traffic does
DETAILED = 20_000  # the newest have their envelopes and kvitteringer too, as a page of one advis shows them
UNPUBLISHED, UNANSWERED, LATELY = (
    5,
    30,
    400,
)  # of the newest: how many wait for the Beskedfordeler, for all, for one
NEGATIVE_EVERY = 1_000  # of the detailed ones
CASES, TAKEN, OF_PRIMARY = 12, 3, 2
MISSED_FROM, MISSED_TO = 1_500, 600  # before the newest: the adviser whose kvitteringer the cases miss

DEADLINE_US, LATE_US = 45 * MINUTE, 10 * MINUTE
PUBLISHED_US, KVITTERING_US, SENT_US = 400_000, 1_100_000, 200_000  # after what comes before each

_ADVIS, _BUNDLE, _BESKED, _ENVELOPE, _OUT, _KVITTERING = range(1, 7)  # what a made-up id is of
_MEDIA = "application/fhir+xml"


@dataclass(frozen=True, slots=True)
class Asked:
    """A receiver of a kommune."""

    id: int
    name: str
    uuid: str


@dataclass(frozen=True, slots=True)
class Way:
    """From one hospital to one kommune; the primary is the first receiver."""

    kommune: str
    region: str
    gln: str
    receivers: tuple[Asked, ...]
    hospital: Unit

    @property
    def names(self) -> str:
        return ", ".join(receiver.name for receiver in self.receivers)


def ways(conn: sqlite3.Connection) -> list[Way]:
    """Every way of the connected kommuner, in an order that looks like chance; the same for the same home."""
    asked: dict[str, list[Asked]] = {}
    for code, *receiver in conn.execute(
        "SELECT r.kommune_code, r.id, r.name, r.system_uuid FROM receiver r JOIN connection c USING (kommune_code)"
        " WHERE r.removed_at IS NULL ORDER BY r.kommune_code, r.id <> c.primary_receiver_id, r.id"
    ):
        asked.setdefault(code, []).append(Asked(*receiver))
    found = [
        Way(code, region_code, gln, tuple(asked[code]), hospital.unit)
        for code, region, region_code, gln in conn.execute(
            "SELECT k.code, k.region, k.region_code, u.gln FROM kommune k JOIN unit u ON u.kommune_code = k.code"
            " ORDER BY k.code"
        )
        for hospital in hospitals(region)
    ]
    dice(SEED, "ways").shuffle(found)
    return found


def made_up_uuid(kind: int, number: int) -> str:
    """As `_uuid` writes it in SQL: these grow with the number, so that their index is filled from left to right."""
    return f"{kind:08x}-0000-4000-a000-{number:012x}"


def _uuid(kind: int, number: str) -> str:
    return f"printf('%08x-0000-4000-a000-%012x', {kind}, {number})"


_SORTS = (
    (AdvisCode.STIN, EncounterClass.IMP, EncounterStatus.IN_PROGRESS),
    (AdvisCode.SLHJ, EncounterClass.IMP, EncounterStatus.FINISHED),
    (AdvisCode.STAA, EncounterClass.EMER, EncounterStatus.IN_PROGRESS),
    (AdvisCode.SLHJ, EncounterClass.EMER, EncounterStatus.FINISHED),
    (AdvisCode.STIN, EncounterClass.IMP, EncounterStatus.IN_PROGRESS),
    (AdvisCode.STOR, EncounterClass.IMP, EncounterStatus.ONLEAVE),
    (AdvisCode.SLOR, EncounterClass.IMP, EncounterStatus.IN_PROGRESS),
    (AdvisCode.SLHJ, EncounterClass.IMP, EncounterStatus.FINISHED),
    (AdvisCode.RE_STIN, EncounterClass.IMP, EncounterStatus.IN_PROGRESS),
    (AdvisCode.AN_SLHJ, EncounterClass.IMP, EncounterStatus.IN_PROGRESS),
    (AdvisCode.MORS, EncounterClass.IMP, EncounterStatus.FINISHED),
)


# --- filling ----------------------------------------------------------------------------------------------------------


def fill(home_folder: Path, adviser: int = ADVISER, seed: int = SEED) -> dict[str, Any]:
    """Make the home in an empty or missing folder; what it holds and how long it took."""
    if adviser < LEAST:
        raise ValueError(f"at least {LEAST} adviser")
    begun = time.perf_counter()
    home = Home.create(home_folder, SystemClock(), caller_identity())
    with Office(home) as office, office.administering() as act:
        connect_roster(act, demo_roster(KOMMUNER, seed))
    with closing(sqlite3.connect(home.database_file, isolation_level=None)) as conn:
        # A home that is lost half-way is made anew: nothing needs to survive a crash yet.
        for pragma in (
            "journal_mode=OFF",
            "synchronous=OFF",
            "cache_size=-400000",
            "temp_store=MEMORY",
            "foreign_keys=OFF",  # the rows refer to what the same statements made; see `faults`
        ):
            conn.execute(f"PRAGMA {pragma}")
        with _without_indexes(conn):
            conn.execute("BEGIN")
            _fill(conn, PayloadBox(payload_key(home)), adviser)
            conn.execute("COMMIT")
        conn.execute("BEGIN")
        _open_cases(conn, adviser)
        _count_traffic(conn)
        _note_pulses(conn, to_microseconds(datetime.now(UTC)))
        conn.execute("COMMIT")
        conn.execute("PRAGMA journal_mode=WAL")
        counted = {
            name: conn.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("advis", "expected_kvittering", "event", "alarm_case")
        }
        pending = "SELECT count(*) FROM expected_kvittering WHERE state = 'pending'"
        counted["pending"] = conn.execute(pending).fetchone()[0]
        overdue = f"{pending} AND case_id IS NOT NULL"
        counted["overdue"] = conn.execute(overdue).fetchone()[0]
    size = home.database_file.stat().st_size / 1_000_000
    return counted | {"mb": round(size), "seconds": round(time.perf_counter() - begun, 1)}


@contextmanager
def _without_indexes(conn: sqlite3.Connection) -> Iterator[None]:
    """Take out what can be made again from whole tables, which is several times quicker than row by row."""
    big = (
        "advis",
        "expected_kvittering",
        "publication",
        "event",
        "kvittering",
        "envelope_in",
        "envelope_out",
    )
    found = conn.execute(
        f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        f" AND tbl_name IN ({','.join('?' * len(big))})",
        big,
    ).fetchall()
    for name, _ in found:
        conn.execute(f"DROP INDEX {name}")
    yield
    for _, sql in found:
        conn.execute(sql)


# One line per advis of what it is made of: its number, its way and its instant.
_MADE = """
INSERT INTO temp.made
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
SELECT i, i % :ways, i % :sorts, :newest - CASE WHEN i > :count - :recent THEN (:count - i) * :step
    ELSE :recent * :step + (:count - :recent - i) * :old_step END
FROM n
"""
_WAITS = """(made.id > :count - :unanswered
    OR (made.id > :count - :lately AND made.id % 3 = 0 AND asked.is_last))"""
_IS_NEGATIVE = "(asked.is_last AND made.id > :count - :detailed AND made.id % :negative_every = 500)"
_STATE = f"CASE WHEN {_WAITS} THEN 'pending' WHEN {_IS_NEGATIVE} THEN 'fatal-error' ELSE 'ok' END"
_SETTLED = "made.at + :published + (asked.nr + 1) * :kvittering"
_ANSWERED = "made.id <= :count - :unanswered"
_PUBLISHED = "made.id <= :count - :unpublished"

_ADVISER = f"""
INSERT INTO advis (id, kommune_code, addressee, message_id, bundle_id, besked_id, received_at, refused,
    primary_receiver_id, code, encounter_class, encounter_status, period_start, created_at, episodes,
    report_of_admission, sender_gln, sender_sor, sender_name, vans_sender_type, vans_sender_id, vans_receiver_type,
    media_type, encoding, findings, cpr_hash, payload_id,
    published_at, verdict, verdict_at, verdict_payload_id, verdict_media_type)
SELECT made.id, way.kommune, way.gln, {_uuid(_ADVIS, "made.id")}, {_uuid(_BUNDLE, "made.id")},
    {_uuid(_BESKED, "made.id")}, made.at, 0,
    way.primary_id, sort.code, sort.class, sort.status, made.at - 300000000, made.at - 2000000, '["episode"]',
    1, way.sender_gln, way.sender_sor, way.sender_name, 'EAN', way.sender_gln, 'EAN',
    '{_MEDIA}', 'UTF-8', '[]', printf('%064x', made.id * 7919 % 333333), 1,
    CASE WHEN {_PUBLISHED} THEN made.at + :published END,
    CASE WHEN {_ANSWERED} THEN 'ok' END, CASE WHEN {_ANSWERED} THEN made.at + :published + :kvittering END,
    CASE WHEN {_ANSWERED} THEN 2 END, CASE WHEN {_ANSWERED} THEN '{_MEDIA}' END
FROM temp.made JOIN temp.way USING (place) JOIN temp.sort USING (sort) ORDER BY made.id
"""
_EXPECTED = f"""
INSERT INTO expected_kvittering (advis_id, receiver_id, state, clock_from, due_at, settled_at)
SELECT made.id, asked.receiver_id, {_STATE},
    CASE WHEN {_PUBLISHED} THEN made.at + :published END,
    CASE WHEN {_PUBLISHED} THEN made.at + :published + :deadline END,
    CASE WHEN NOT {_WAITS} THEN {_SETTLED} END
FROM temp.made CROSS JOIN temp.asked ON asked.place = made.place
"""
_PUBLICATIONS = f"""
INSERT INTO publication (advis_id, round, ordered_at, attempts, next_at, accepted_at, delayed_at)
SELECT made.id, 1, made.at, {_PUBLISHED}, CASE WHEN NOT ({_PUBLISHED}) THEN made.at END,
    CASE WHEN {_PUBLISHED} THEN made.at + :published END, made.at + :late
FROM temp.made
"""
# Where a receiver is asked but has not acknowledged, that event is left out, and so is what follows from it.
_EVENTS = f"""
INSERT INTO event (at, kind, severity, actor, advis_id, kommune_code, data)
SELECT made.at + told.after, told.kind, CASE WHEN {_IS_NEGATIVE} THEN 'warning' ELSE 'info' END, told.actor, made.id,
    told.kommune,
    CASE told.step
        WHEN 'received' THEN replace(told.data, '$', {_uuid(_ENVELOPE, "made.id")})
        WHEN 'published' THEN replace(replace(told.data, '$', {_uuid(_BESKED, "made.id")}), '&',
            strftime('%Y-%m-%dT%H:%M:%S+00:00', (made.at + :published + :deadline) / 1000000, 'unixepoch'))
        WHEN 'kvittering' THEN CASE WHEN {_IS_NEGATIVE} THEN replace(told.data, '"ok"', '"fatal-error"')
            ELSE told.data END
        ELSE replace(told.data, '$', {_uuid(_OUT, "made.id")})
    END
FROM temp.made CROSS JOIN temp.told ON told.place = made.place
    LEFT JOIN temp.asked ON asked.place = told.place AND asked.nr = told.nr
WHERE CASE told.step WHEN 'received' THEN 1 WHEN 'published' THEN {_PUBLISHED}
    WHEN 'kvittering' THEN NOT {_WAITS} ELSE {_ANSWERED} END
"""
_ENVELOPES_IN = f"""
INSERT INTO envelope_in (delivery_key, received_at, sender_type, sender_id, receiver_type, receiver_id, envelope_id,
    message_id, document_name, outcome, advis_id)
SELECT 'in-' || made.id, made.at, 'EAN', way.sender_gln, 'EAN', way.gln, {_uuid(_ENVELOPE, "made.id")},
    {_uuid(_ADVIS, "made.id")}, 'MCM:FDIS20', 'advis', made.id
FROM temp.made JOIN temp.way USING (place) WHERE made.id > :count - :detailed
"""
_ANSWERS = f"""
INSERT INTO envelope_out (envelope_id, message_id, kind, ordered_at, sender_type, sender_id, receiver_type,
    receiver_id, advis_id, code, media_type, payload_id, sending, attempts, sent_at, receipt_kind, receipt_at)
SELECT {_uuid(_OUT, "made.id")}, {_uuid(_OUT, "made.id")}, 'answer', made.at + :published + :kvittering, 'EAN',
    way.gln, 'EAN', way.sender_gln, made.id, 'ok', '{_MEDIA}', 2, 1, 1, made.at + :published + :kvittering + :sent,
    'PositiveMessage', made.at + :published + :kvittering + 2 * :sent
FROM temp.made JOIN temp.way USING (place) WHERE made.id > :count - :detailed AND {_ANSWERED}
"""
_KVITTERINGER = f"""
INSERT INTO kvittering (delivery_key, besked_id, received_at, kommune_code, system_uuid, response_identifier, code,
    media_type, disposition, receiver_id, advis_id, payload_id)
SELECT 'kvit-' || made.id || '-' || asked.nr, {_uuid(_KVITTERING, "made.id * 8 + asked.nr")}, {_SETTLED}, way.kommune,
    asked.uuid, {_uuid(_ADVIS, "made.id")}, CASE WHEN {_IS_NEGATIVE} THEN 'fatal-error' ELSE 'ok' END, '{_MEDIA}',
    'settled', asked.receiver_id, made.id, 2
FROM temp.made JOIN temp.way USING (place) CROSS JOIN temp.asked ON asked.place = made.place
WHERE made.id > :count - :detailed AND NOT {_WAITS}
"""
_TEMPORARY = """
CREATE TABLE temp.made (id INTEGER PRIMARY KEY, place INTEGER, sort INTEGER, at INTEGER);
CREATE TABLE temp.sort (sort INTEGER PRIMARY KEY, code, class, status);
CREATE TABLE temp.way (place INTEGER PRIMARY KEY, kommune, gln, primary_id, sender_gln, sender_sor, sender_name);
CREATE TABLE temp.asked (place, nr, receiver_id, uuid, is_last, PRIMARY KEY (place, nr)) WITHOUT ROWID;
CREATE TABLE temp.told (place, k, step, kind, after, actor, nr, kommune, data, PRIMARY KEY (place, k)) WITHOUT ROWID;
"""


def _fill(conn: sqlite3.Connection, box: PayloadBox, count: int) -> None:
    for statement in filter(str.strip, _TEMPORARY.split(";")):
        conn.execute(statement)
    found = ways(conn)
    _insert(conn, "temp.sort", [(number, *map(str, sort)) for number, sort in enumerate(_SORTS)])
    _insert(conn, "temp.way", [_way_row(place, way) for place, way in enumerate(found)])
    _insert(conn, "temp.asked", [row for place, way in enumerate(found) for row in _asked_rows(place, way)])
    _insert(conn, "temp.told", [row for place, way in enumerate(found) for row in _told_rows(place, way)])
    spec = an_advis(sent_at=datetime.now(UTC))
    payloads = (hn_bytes(spec), ack_bytes(an_acknowledgement(spec)))
    _insert(conn, "payload", [(number, box.seal(data)) for number, data in enumerate(payloads, start=1)])
    recent = min(RECENT, count)
    older = max(1, count - recent)
    numbers = {
        "count": count,
        "ways": len(found),
        "sorts": len(_SORTS),
        "newest": to_microseconds(datetime.now(UTC)) - 2 * SECOND,
        "recent": recent,
        "step": STEP_US,
        "old_step": max(STEP_US, (HISTORY_US - recent * STEP_US) // older),
        "unpublished": UNPUBLISHED,
        "unanswered": UNANSWERED,
        "lately": LATELY,
        "detailed": DETAILED,
        "negative_every": NEGATIVE_EVERY,
        "published": PUBLISHED_US,
        "kvittering": KVITTERING_US,
        "sent": SENT_US,
        "deadline": DEADLINE_US,
        "late": LATE_US,
    }
    for statement in (
        _MADE,
        _ADVISER,
        _EXPECTED,
        _PUBLICATIONS,
        _EVENTS,
        _ENVELOPES_IN,
        _ANSWERS,
        _KVITTERINGER,
    ):
        conn.execute(statement, numbers)
    for name in ("advis", "payload", "publication", "envelope_in", "envelope_out", "kvittering"):
        conn.execute(
            f"UPDATE id_sequence SET next_id = (SELECT coalesce(max(id), 0) + 1 FROM {name}) WHERE name = ?",
            (name,),
        )


def _insert(conn: sqlite3.Connection, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    conn.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(rows[0]))})", rows)


def _way_row(place: int, way: Way) -> tuple[Any, ...]:
    sender = way.hospital
    return (place, way.kommune, way.gln, way.receivers[0].id, sender.gln, sender.sor, sender.name)


def _asked_rows(place: int, way: Way) -> Iterator[tuple[Any, ...]]:
    for nr, receiver in enumerate(way.receivers):
        yield place, nr, receiver.id, receiver.uuid, nr == len(way.receivers) - 1


def _told_rows(place: int, way: Way) -> Iterator[tuple[Any, ...]]:
    """What is told of each advis on this way; $ and & stand for what differs."""
    primary = way.receivers[0].name
    rows: list[tuple[str, EventKind, int, str | None, int | None, dict[str, Any]]] = [
        (
            "received",
            EventKind.ADVIS_RECEIVED,
            0,
            way.hospital.name,
            None,
            {"hospital": way.hospital.name, "envelope_id": "$", "receivers": way.names},
        ),
        (
            "published",
            EventKind.ADVIS_PUBLISHED,
            PUBLISHED_US,
            "motor",
            None,
            {"besked_id": "$", "round": 1, "due": "&"},
        ),
    ]
    for nr, receiver in enumerate(way.receivers):
        at = PUBLISHED_US + (nr + 1) * KVITTERING_US
        told = {"receiver": receiver.name, "code": "ok", "late": ""}
        rows.append(("kvittering", EventKind.KVITTERING_RECEIVED, at, receiver.name, nr, told))
        if nr == 0:
            ordered, sent = EventKind.ANSWER_ORDERED, EventKind.ANSWER_SENT
            rows.append(("ordered", ordered, at, "motor", None, {"receiver": primary, "code": "ok"}))
            told_sent = {"code": "ok", "envelope_id": "$"}
            rows.append(("sent", sent, at + SENT_US, "motor", None, told_sent))
    for k, (step, kind, after, actor, nr_, data) in enumerate(rows):
        yield place, k, step, kind.value, after, actor, nr_, way.kommune, to_json(data)


def _open_cases(conn: sqlite3.Connection, count: int) -> None:
    """Some receivers have not acknowledged for a while: their rows are pending, overdue, and in an open case."""
    kommuner = [row[0] for row in conn.execute("SELECT kommune_code FROM connection ORDER BY kommune_code")]
    now = to_microseconds(datetime.now(UTC))
    for number, kommune in enumerate(kommuner[:: len(kommuner) // CASES][:CASES]):
        is_primary = number < OF_PRIMARY
        receiver_id, name = conn.execute(
            "SELECT r.id, r.name FROM receiver r JOIN connection c USING (kommune_code) WHERE kommune_code = ?"
            " ORDER BY (r.id = c.primary_receiver_id) = ? DESC, r.id DESC LIMIT 1",
            (kommune, is_primary),
        ).fetchone()
        missed = conn.execute(
            "SELECT advis_id, due_at FROM expected_kvittering JOIN advis ON advis.id = advis_id"
            " WHERE receiver_id = ? AND advis_id BETWEEN ? AND ? AND due_at < ?",
            (receiver_id, count - MISSED_FROM, count - MISSED_TO, now),
        ).fetchall()
        if not missed:
            continue
        opened = missed[0][1]
        taken = ("mette", opened + 20 * MINUTE, len(missed)) if number < TAKEN else (None, None, 0)
        conn.execute(
            "INSERT INTO alarm_case (id, kind, kommune_code, receiver_id, opened_at, misses, told_misses, stage,"
            " mail_due, mailed_at, taken_by, taken_at, taken_misses, retake_due)"
            " VALUES (?, 'missing-kvittering', ?, ?, ?, ?, ?, 2, ?, ?, ?, ?, ?, ?)",
            (
                number + 1,
                kommune,
                receiver_id,
                opened,
                len(missed),
                len(missed),
                now + 3 * HOUR,
                opened + 30 * SECOND,
                *taken,
                now + 7 * HOUR if taken[0] else None,
            ),
        )
        rows = [(advis_id, receiver_id) for advis_id, _ in missed]
        conn.executemany(
            f"UPDATE expected_kvittering SET state = 'pending', settled_at = NULL, case_id = {number + 1}"
            " WHERE advis_id = ? AND receiver_id = ?",
            rows,
        )
        conn.executemany("DELETE FROM kvittering WHERE advis_id = ? AND receiver_id = ?", rows)
        undone = {EventKind.KVITTERING_RECEIVED}
        if is_primary:
            undone |= {EventKind.ANSWER_ORDERED, EventKind.ANSWER_SENT}
            conn.executemany(
                "UPDATE advis SET verdict = NULL, verdict_at = NULL, verdict_payload_id = NULL,"
                " verdict_media_type = NULL WHERE id = ?",
                [row[:1] for row in rows],
            )
            conn.executemany("DELETE FROM envelope_out WHERE advis_id = ?", [row[:1] for row in rows])
        kinds = ",".join(f"'{kind.value}'" for kind in undone)
        conn.executemany(
            f"DELETE FROM event WHERE advis_id = ? AND kind IN ({kinds}) AND actor IN (?, 'motor')",
            [(advis_id, name) for advis_id, _ in rows],
        )
        what = {"case": number + 1, "what": f"manglende kvittering fra {name}"}
        told = [
            _event(opened, EventKind.CASE_OPENED, None, kommune, what, level=Level.ALARM, case=number + 1)
        ]
        told += [
            _event(
                due_at,
                EventKind.KVITTERING_MISSED,
                advis_id,
                kommune,
                {"case": number + 1, "receiver": name},
                level=Level.WARNING,
                case=number + 1,
            )
            for advis_id, due_at in missed
        ]
        _insert_events(conn, told)


def _event(
    at: int,
    kind: EventKind,
    advis_id: int | None,
    kommune: str,
    data: dict[str, Any],
    *,
    actor: str | None = "motor",
    level: Level = Level.INFO,
    case: int | None = None,
) -> tuple[Any, ...]:
    return at, kind.value, level.value, actor, advis_id, kommune, to_json(data), case


def _insert_events(conn: sqlite3.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    conn.executemany(
        "INSERT INTO event (at, kind, severity, actor, advis_id, kommune_code, data, case_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def _count_traffic(conn: sqlite3.Connection) -> None:
    conn.execute(
        f"INSERT INTO traffic SELECT received_at / {HOUR} * {HOUR}, region_code, count(*)"
        " FROM advis JOIN kommune ON kommune.code = advis.kommune_code GROUP BY 1, 2"
    )


def _note_pulses(conn: sqlite3.Connection, now: int) -> None:
    """As an engine at work notes them."""
    conn.executemany(
        "INSERT INTO pulse (name, good_at, since) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET good_at = excluded.good_at",
        [
            (name, now, now)
            for name in (pulse.ENGINE, pulse.WATCH, pulse.VANS_IN, pulse.VANS_OUT, pulse.BESKEDFORDELER)
        ],
    )


def faults(home: Home) -> list[tuple[Any, ...]]:
    """What a home that was filled may not have: rows that refer to nothing. Slow on a large one."""
    with closing(sqlite3.connect(home.database_file)) as conn:
        return conn.execute("PRAGMA foreign_key_check").fetchall()


# --- writing ----------------------------------------------------------------------------------------------------------

TICKS = 10  # transactions a second
_PUBLISHED_AFTER, _KVITTERING_AFTER = 3, 11  # ticks, after what comes before each
_SILENT_EVERY = 200  # so often the last receiver of an advis does not acknowledge


@dataclass(slots=True)
class Step:
    """What happens next to an advis, in which tick: nr is None for its publication, else which receiver."""

    tick: int
    advis_id: int
    way: Way
    nr: int | None


@dataclass
class Rows:
    """What one transaction writes, gathered table by table."""

    advis: list[tuple[Any, ...]] = field(default_factory=list)
    expected: list[tuple[Any, ...]] = field(default_factory=list)
    publication: list[tuple[Any, ...]] = field(default_factory=list)
    published: list[tuple[Any, ...]] = field(default_factory=list)
    kvittering: list[tuple[Any, ...]] = field(default_factory=list)
    settled: list[tuple[Any, ...]] = field(default_factory=list)
    answered: list[tuple[Any, ...]] = field(default_factory=list)
    traffic: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)


class Writer:
    """Holds no more in memory than what is under way."""

    def __init__(self, home: Home, rate: int) -> None:
        self.conn = sqlite3.connect(home.database_file, isolation_level=None, timeout=30)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-65536"):
            self.conn.execute(f"PRAGMA {pragma}")
        self._ways = ways(self.conn)
        self._rate = rate
        (self._next,) = self.conn.execute("SELECT max(id) + 1 FROM advis").fetchone()
        (self._kvittering,) = self.conn.execute("SELECT coalesce(max(id), 0) + 1 FROM kvittering").fetchone()
        self._under_way: list[deque[Step]] = []
        self.written = 0
        self.longest_s = 0.0

    def tick(self, number: int) -> None:
        """One transaction: what is new, and what has come of the others."""
        rows, at = Rows(), to_microseconds(datetime.now(UTC))
        for _ in range(self._rate * (number + 1) // TICKS - self._rate * number // TICKS):
            self._receive(rows, number, at)
        for steps in self._under_way:
            while steps and steps[0].tick <= number:
                self._go_on(rows, steps.popleft(), number, at)
        begun = time.perf_counter()
        self.conn.execute("BEGIN IMMEDIATE")
        self._save(rows)
        if number % TICKS == 0:
            _note_pulses(self.conn, at)
        self.conn.execute("COMMIT")
        self.longest_s = max(self.longest_s, time.perf_counter() - begun)

    def _later(self, step: Step, queue: int) -> None:
        # One queue for each kind of step: what is put in last is due last.
        while len(self._under_way) <= queue:
            self._under_way.append(deque())
        self._under_way[queue].append(step)

    def _receive(self, rows: Rows, number: int, at: int) -> None:
        advis_id, way = self._next, self._ways[self._next % len(self._ways)]
        self._next += 1
        self.written += 1
        message_id, sender = made_up_uuid(_ADVIS, advis_id), way.hospital
        rows.advis.append(
            (
                *(advis_id, way.kommune, way.gln, message_id, made_up_uuid(_BUNDLE, advis_id)),
                *(made_up_uuid(_BESKED, advis_id), at, 0, way.receivers[0].id),
                *map(str, _SORTS[advis_id % len(_SORTS)]),
                *(at - 5 * MINUTE, at - 2 * SECOND, '["episode"]', 1, sender.gln, sender.sor, sender.name),
                *("EAN", sender.gln, "EAN", _MEDIA, "UTF-8", "[]", f"{advis_id * 7919 % 333333:064x}", 1),
            )
        )
        rows.expected += [(advis_id, receiver.id, "pending") for receiver in way.receivers]
        rows.publication.append((advis_id, at, at, at + LATE_US))
        rows.traffic.append((at // HOUR * HOUR, way.region))
        told = {
            "hospital": sender.name,
            "envelope_id": made_up_uuid(_ENVELOPE, advis_id),
            "receivers": way.names,
        }
        rows.events.append(
            _event(at, EventKind.ADVIS_RECEIVED, advis_id, way.kommune, told, actor=sender.name)
        )
        self._later(Step(number + _PUBLISHED_AFTER, advis_id, way, None), 0)

    def _go_on(self, rows: Rows, step: Step, number: int, at: int) -> None:
        if step.nr is None:
            self._publish(rows, step, at)
        else:
            self._acknowledge(rows, step, at)
        following = 0 if step.nr is None else step.nr + 1
        is_silent = following == len(step.way.receivers) - 1 and step.advis_id % _SILENT_EVERY == 0
        if following < len(step.way.receivers) and not is_silent:
            self._later(Step(number + _KVITTERING_AFTER, step.advis_id, step.way, following), following + 1)

    def _publish(self, rows: Rows, step: Step, at: int) -> None:
        rows.published.append((at, at + DEADLINE_US, step.advis_id))
        due = datetime.fromtimestamp((at + DEADLINE_US) / SECOND, UTC).isoformat()
        told = {"besked_id": made_up_uuid(_BESKED, step.advis_id), "round": 1, "due": due}
        rows.events.append(_event(at, EventKind.ADVIS_PUBLISHED, step.advis_id, step.way.kommune, told))

    def _acknowledge(self, rows: Rows, step: Step, at: int) -> None:
        assert step.nr is not None
        advis_id, kommune = step.advis_id, step.way.kommune
        receiver = step.way.receivers[step.nr]
        rows.settled.append((at, advis_id, receiver.id))
        rows.kvittering.append(
            (
                *(self._kvittering, f"kvit-{advis_id}-{step.nr}"),
                *(made_up_uuid(_KVITTERING, advis_id * 8 + step.nr), at, kommune, receiver.uuid),
                *(made_up_uuid(_ADVIS, advis_id), "ok", _MEDIA, "settled", receiver.id, advis_id, 2),
            )
        )
        self._kvittering += 1
        told = {"receiver": receiver.name, "code": "ok", "late": ""}
        rows.events.append(
            _event(at, EventKind.KVITTERING_RECEIVED, advis_id, kommune, told, actor=receiver.name)
        )
        if step.nr == 0:
            rows.answered.append((at, _MEDIA, advis_id))
            ordered = {"receiver": receiver.name, "code": "ok"}
            sent = {"code": "ok", "envelope_id": made_up_uuid(_OUT, advis_id)}
            rows.events.append(_event(at, EventKind.ANSWER_ORDERED, advis_id, kommune, ordered))
            rows.events.append(_event(at, EventKind.ANSWER_SENT, advis_id, kommune, sent))

    def _save(self, rows: Rows) -> None:
        many = self.conn.executemany
        many(
            "INSERT INTO advis (id, kommune_code, addressee, message_id, bundle_id, besked_id, received_at, refused,"
            " primary_receiver_id, code, encounter_class, encounter_status, period_start, created_at, episodes,"
            " report_of_admission, sender_gln, sender_sor, sender_name, vans_sender_type, vans_sender_id,"
            f" vans_receiver_type, media_type, encoding, findings, cpr_hash, payload_id) VALUES ({_marks(27)})",
            rows.advis,
        )
        many("INSERT INTO expected_kvittering (advis_id, receiver_id, state) VALUES (?, ?, ?)", rows.expected)
        many(
            "INSERT INTO publication (advis_id, round, ordered_at, next_at, delayed_at) VALUES (?, 1, ?, ?, ?)",
            rows.publication,
        )
        accepted = [(at, advis_id) for at, _, advis_id in rows.published]
        many(
            "UPDATE publication SET accepted_at = ?, next_at = NULL, attempts = 1 WHERE advis_id = ? AND round = 1",
            accepted,
        )
        many("UPDATE advis SET published_at = ? WHERE id = ?", accepted)
        many(
            "UPDATE expected_kvittering SET clock_from = ?, due_at = ? WHERE advis_id = ? AND state = 'pending'",
            rows.published,
        )
        many(
            "INSERT INTO kvittering (id, delivery_key, besked_id, received_at, kommune_code, system_uuid,"
            " response_identifier, code, media_type, disposition, receiver_id, advis_id, payload_id)"
            f" VALUES ({_marks(13)})",
            rows.kvittering,
        )
        many(
            "UPDATE expected_kvittering SET state = 'ok', settled_at = ? WHERE advis_id = ? AND receiver_id = ?",
            rows.settled,
        )
        many(
            "UPDATE advis SET verdict = 'ok', verdict_at = ?, verdict_payload_id = 2, verdict_media_type = ?"
            " WHERE id = ?",
            rows.answered,
        )
        many(
            "INSERT INTO traffic VALUES (?, ?, 1) ON CONFLICT (hour, region_code) DO UPDATE SET count = count + 1",
            rows.traffic,
        )
        _insert_events(self.conn, rows.events)
        many(
            "UPDATE id_sequence SET next_id = ? WHERE name = ?",
            [(self._next, "advis"), (self._kvittering, "kvittering")],
        )
        self.conn.execute(
            "UPDATE id_sequence SET next_id = (SELECT coalesce(max(id), 0) + 1 FROM publication)"
            " WHERE name = 'publication'"
        )


def _marks(count: int) -> str:
    return ",".join("?" * count)


def write(home: Home, rate: int, seconds: float) -> dict[str, Any]:
    """Write until the time is over or a signal comes. Holds the engine's lock: an engine must not work beside it."""
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with engine_lock(home):
        writer = Writer(home, rate)
        begun, tick = time.monotonic(), 0
        print(json.dumps({"writing": rate}), flush=True)  # whoever waits for this line may begin to measure
        while not stopped and time.monotonic() - begun < seconds:
            writer.tick(tick)
            tick += 1
            # A tick that is late is not made up for at once: the average stays, and no burst is written.
            time.sleep(max(0.0, min(0.1, begun + tick / TICKS - time.monotonic())))
        lasted = time.monotonic() - begun
        writer.conn.close()
    return {
        "written": writer.written,
        "seconds": round(lasted, 1),
        "per_s": round(writer.written / lasted, 1),
        "longest_transaction_ms": round(1000 * writer.longest_s),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("fill", "write"))
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--adviser", type=int, default=ADVISER)
    parser.add_argument("--rate", type=int, default=200, help="adviser a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="so long is written, at most")
    options = parser.parse_args()
    if options.what == "fill":
        print(json.dumps(fill(options.home, options.adviser)))
    else:
        print(json.dumps(write(Home.open(options.home), options.rate, options.seconds)))


if __name__ == "__main__":
    main()
