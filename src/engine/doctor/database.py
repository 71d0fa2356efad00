"""The database: reached, of the right version, writable; and the clocks."""

import ctypes
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text, update
from sqlalchemy.exc import SQLAlchemyError

from engine.database_errors import database_trouble
from engine.doctor.home import size_text
from engine.domain.checkup import Checked, Subject
from engine.errors import HomeError, SettingsError
from engine.home import Home
from engine.store.database import Database
from engine.store.revisions import newest_revision
from engine.store.tables import id_sequence

DATABASE = Subject("database", "Database")
CLOCK = Subject("clock", "Ur")

_SLOW_MS = 100.0
_MUST_BE_ON = ("fsync", "full_page_writes")
_DIFFERS, _DIFFERS_MUCH = timedelta(seconds=2), timedelta(seconds=60)
_UNSYNCHRONISED = 5  # TIME_ERROR, adjtimex(2)
_TIMEX_BYTES = 512  # more than the struct takes; all zero: nothing is to be set
_RESTORE = "Er den væk, så genskab den fra en sikkerhedskopi."
_REACH = (
    "Kører serveren, og er adressen i database.url rigtig? Adgangskoden står i miljøet eller i ~/.pgpass, "
    "og pg_hba.conf skal lade brugeren komme ind."
)


def look_at_database(home: Home) -> list[Checked]:
    try:
        is_on_server, name = bool(home.database_url), home.database_name
    except SettingsError:
        return [DATABASE.unknown("hvor den er, kan ikke læses", "Ret indstillingerne først.")]
    if not is_on_server and not home.database_file.is_file():
        return [DATABASE.fault(f"{name} findes ikke", _RESTORE)]
    try:
        other_version = _other_version(home.revision(), name)
    except HomeError as error:
        return [DATABASE.fault(str(error).rstrip("."), _REACH if is_on_server else _RESTORE)]
    if other_version is not None:
        return [other_version]
    with closing(home.open_database()) as db:
        try:
            facts = _on_server(db) if is_on_server else _in_file(home)
            _rehearse_write(db)
        except SQLAlchemyError as error:
            trouble = database_trouble(error) or f"svarer ikke, som den skal ({type(error).__name__})"
            do = _REACH if is_on_server else "Kør som den bruger, motoren kører som, og se på disken."
            return [DATABASE.fault(f"{name}: {trouble}", do)]
    found = f"{name}: {facts.told}, revision {newest_revision()}; der kan skrives"
    if facts.unsafe:
        settings = " og ".join(facts.unsafe)
        do = (
            f"Et strømsvigt kan ødelægge den. Sæt {settings} til on i postgresql.conf, og genindlæs serveren."
        )
        return [DATABASE.fault(f"{found}, men {settings} er slået fra", do)]
    if facts.latency_ms > _SLOW_MS:
        return [DATABASE.advice(found, "Den svarer langsomt. Er den eller netværket belastet?")]
    return [DATABASE.good(found)]


def _other_version(found: str, name: str) -> Checked | None:
    newest = newest_revision()
    if found == newest:
        return None
    said = f"{name} har revision {found}; denne version bruger {newest}"
    if found < newest:
        return DATABASE.fault(said, "Stop motoren, og kør: sundhedsagent db upgrade")
    return DATABASE.fault(said, "Installer en nyere udgave af Sundhedsagenten her.")


@dataclass(frozen=True, slots=True)
class _Facts:
    told: str
    latency_ms: float = 0.0
    unsafe: tuple[str, ...] = ()  # settings of the server that are off and must be on


def _in_file(home: Home) -> _Facts:
    return _Facts(f"SQLite, {size_text(home.database_file.stat().st_size)}")


def _on_server(db: Database) -> _Facts:
    from engine.store.postgresql import engines_on  # noqa: PLC0415 - only where it is used

    with db.reading() as conn:
        began = time.monotonic()
        version = conn.execute(text("SHOW server_version")).scalar_one()
        latency_ms = (time.monotonic() - began) * 1000
        size = conn.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        engines = engines_on(conn)
        unsafe = tuple(key for key in _MUST_BE_ON if conn.execute(text(f"SHOW {key}")).scalar_one() != "on")
    told = f"PostgreSQL {str(version).split()[0]}, {size_text(size)}, {latency_ms:.0f} ms"
    return _Facts(f"{told}, {engines} {'motor' if engines == 1 else 'motorer'} på den", latency_ms, unsafe)


def _rehearse_write(db: Database) -> None:
    """Change something to what it is, and roll that back."""
    with db.writing() as tx, tx.conn.begin_nested() as tried:
        tx.conn.execute(update(id_sequence).values(next_id=id_sequence.c.next_id))
        tried.rollback()


# --- clocks -----------------------------------------------------------------------------------------------------------


def look_at_clock(home: Home, is_synchronised: Callable[[], bool | None] | None = None) -> list[Checked]:
    """The kernel's own word, and where the database has a clock, whether this machine's agrees with it."""
    found = [_kernel((is_synchronised or kernel_is_synchronised)())]
    try:
        if not home.database_url:
            return found  # a file has no clock
        with closing(home.open_database()) as db, db.reading() as conn:
            return [*found, _beside_database(_ahead(conn))]
    except (SQLAlchemyError, SettingsError):
        do = "Ret databasen først; se dens linje."
        return [*found, CLOCK.unknown("databasens ur kan ikke spørges", do)]


def kernel_is_synchronised() -> bool | None:
    """Whether the kernel's clock follows a time server; None where it does not say."""
    try:
        adjtimex: Any = ctypes.CDLL(None).adjtimex
    except (AttributeError, OSError):
        return None
    state = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else bool(state != _UNSYNCHRONISED)


def _kernel(is_synchronised: bool | None) -> Checked:
    if is_synchronised:
        return CLOCK.good("følger en tidsserver, siger kernen")
    do = "Se efter med: timedatectl. Slå tidssynkronisering til (chrony eller systemd-timesyncd)."
    if is_synchronised is None:
        return CLOCK.unknown("kernen siger ikke, om uret følger en tidsserver", do)
    return CLOCK.advice("følger ingen tidsserver, siger kernen", do)


def _ahead(conn: Connection) -> timedelta:
    """How far the database's clock is ahead of the machine's."""
    before = datetime.now(UTC)
    there: datetime = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    return there - (before + (datetime.now(UTC) - before) / 2)


def _beside_database(ahead: timedelta) -> Checked:
    seconds = f"{abs(ahead).total_seconds():.1f} s".replace(".", ",")
    if abs(ahead) < _DIFFERS:
        return CLOCK.good(f"databasens ur afviger {seconds}")
    found = f"databasens ur er {seconds} {'foran' if ahead > timedelta() else 'bagud'}"
    do = "Frister går efter databasens ur; certifikater og tokens efter maskinens. Ret det, der går forkert."
    return CLOCK.fault(found, do) if abs(ahead) >= _DIFFERS_MUCH else CLOCK.advice(found, do)
