"""Whether what is in a database keeps the rules: one primary, one verdict, numbers that are free, an audit log that is
whole, and payloads that its key opens.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from sqlalchemy import Connection, Integer, and_, bindparam, func, select

from engine.domain.checkup import Checked, Subject
from engine.errors import PayloadError
from engine.store import checks, structure, tables
from engine.store.audit import verify_chain
from engine.store.checks import FROM_OUTSIDE, fault, some, tried
from engine.store.database import Database
from engine.store.payloads import PayloadBox

Look = Callable[[Connection], str]

_NO_PRIMARY = (
    "SELECT kommune_code FROM connection WHERE NOT EXISTS (SELECT 1 FROM receiver WHERE"
    " receiver.id = connection.primary_receiver_id AND receiver.kommune_code = connection.kommune_code"
    " AND removed_at IS NULL) ORDER BY kommune_code"
)
_OUT = tables.envelope_out
_FIRST_FINAL = and_(
    _OUT.c.code.in_(("ok", "fatal-error")), _OUT.c.repeats_id.is_(None), _OUT.c.advis_id.is_not(None)
)
_TWO_VERDICTS = (
    select(_OUT.c.advis_id).where(_FIRST_FINAL).group_by(_OUT.c.advis_id).having(func.count() > 1)
).order_by(_OUT.c.advis_id)
_OTHER_VERDICT = (
    select(_OUT.c.advis_id)
    .join(tables.advis, tables.advis.c.id == _OUT.c.advis_id)
    .where(_FIRST_FINAL, func.coalesce(tables.advis.c.verdict, "") != _OUT.c.code)
    .order_by(_OUT.c.advis_id)
)
_SAMPLE = 50
_FROM_ON = (
    select(tables.payload.c.id, tables.payload.c.sealed)
    .where(tables.payload.c.id >= bindparam("first", type_=Integer))
    .order_by(tables.payload.c.id)
    .limit(1)
)


def database_checks(db: Database, box: PayloadBox | None, no_key: str) -> Iterator[Checked]:
    """Every check of a database of this version; `no_key` says why there is no key to try."""
    yield whole(db)
    yield from content_checks(db, box, no_key)


def content_checks(db: Database, box: PayloadBox | None, no_key: str) -> Iterator[Checked]:
    """Every check of a database that can be read."""
    looks: tuple[tuple[Subject, Look], ...] = (
        (checks.SCHEMA, structure.schema),
        (checks.TRIGGERS, structure.triggers),
        (checks.FOREIGN_KEYS, structure.foreign_keys),
        (checks.ONE_PRIMARY, one_primary),
        (checks.ONE_VERDICT, one_verdict),
        (checks.NUMBERS, numbers),
        (checks.AUDIT, audit),
    )
    for subject, look in looks:
        yield tried(subject, partial(seen, db, look))
    if box is None:
        yield checks.KEY.unknown(no_key, "Uden nøglen kan meddelelserne ikke prøves.")
    else:
        yield tried(checks.KEY, partial(seen, db, partial(key, box=box)))


def whole(db: Database) -> Checked:
    return tried(checks.INTEGRITY, partial(seen, db, structure.integrity))


def seen(db: Database, look: Look) -> str:
    """What a check sees, each in a view of its own: none of them holds up the engines' housekeeping for long."""
    with db.reading() as conn:
        return look(conn)


def one_primary(conn: Connection) -> str:
    without = list(conn.exec_driver_sql(_NO_PRIMARY).scalars())
    if without:
        fault(f"kommuner uden et primært system i drift: {some(without)}", FROM_OUTSIDE)
    count = conn.execute(select(func.count()).select_from(tables.connection)).scalar_one()
    return f"hver af de {count} tilsluttede kommuner har netop ét"


def one_verdict(conn: Connection) -> str:
    for query, wrong in (
        (_TWO_VERDICTS, "adviser med to svar"),
        (_OTHER_VERDICT, "adviser, hvis svar er et andet"),
    ):
        found = [str(advis_id) for advis_id in conn.execute(query).scalars()]
        if found:
            fault(f"{wrong}: {some(found)}", FROM_OUTSIDE)
    count = select(func.count()).where(tables.advis.c.verdict.is_not(None))
    return f"{conn.execute(count).scalar_one()} adviser er besvaret, hver med ét svar"


def numbers(conn: Connection) -> str:
    """The next number of each kind is free: else the next row of that kind could not be written."""
    known = conn.execute(select(tables.id_sequence.c.name, tables.id_sequence.c.next_id)).all()
    next_ids = {row.name: row.next_id for row in known}
    if conn.dialect.name == "postgresql":
        next_ids |= _own_sequences(conn, set(next_ids))
    taken = []
    for name, next_id in next_ids.items():
        table = tables.metadata.tables[name]
        last = conn.execute(select(func.max(table.c.id))).scalar() or 0
        if last >= next_id:
            taken.append(f"{name} (næste {next_id}, sidste {last})")
    if taken:
        fault(f"det næste nummer er taget: {some(taken)}", FROM_OUTSIDE)
    return "det næste nummer af hver slags er frit"


def _own_sequences(conn: Connection, ours: set[str]) -> dict[str, int]:
    """What PostgreSQL numbers by itself, and the number that it gives next."""
    found = {}
    for name, table in tables.metadata.tables.items():
        if name in ours or "id" not in table.c:
            continue
        sequence = conn.execute(select(func.pg_get_serial_sequence(name, "id"))).scalar()
        if sequence is not None:
            row = conn.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()  # noqa: S608
            found[name] = row[0] + 1 if row[1] else row[0]
    return found


def audit(conn: Connection) -> str:
    found = verify_chain(conn)
    if not found.is_whole:
        fault(
            f"loggen er brudt ved post {found.broken_at}: den eller den før er ændret eller fjernet",
            "Sammenhold med en tidligere sikkerhedskopi.",
        )
    return (
        f"{found.entries} poster hænger sammen; den sidste hash er {found.head}"
        if found.entries
        else "loggen er tom"
    )


def key(conn: Connection, box: PayloadBox) -> str:
    """The key is the one that the database knows, and opens payloads from all of its time."""
    fingerprint = conn.execute(select(tables.sealing_key.c.fingerprint)).scalar()
    if fingerprint not in {None, box.fingerprint}:
        fault(
            "nøglen er en anden end den, som meddelelserne er forseglet med", "Find den rigtige payload.key."
        )
    opened = 0
    for sealed in (*_payloads(conn), *_persons(conn)):
        try:
            box.open(sealed)
        except PayloadError:
            fault("nøglen åbner ikke gemte meddelelser", "Find den rigtige payload.key.")
        opened += 1
    return f"nøglen passer, og {opened} af {opened} udtagne meddelelser kan åbnes"


def _payloads(conn: Connection) -> Iterator[bytes]:
    """A sample, spread over all that there are."""
    first, last = conn.execute(select(func.min(tables.payload.c.id), func.max(tables.payload.c.id))).one()
    if first is None:
        return
    step = max(1, (last - first) // _SAMPLE)
    for begin in range(first, last + 1, step):
        row = conn.execute(_FROM_ON, {"first": begin}).one_or_none()
        if row is not None:
            yield row.sealed


def _persons(conn: Connection) -> list[bytes]:
    person = tables.advis.c.sealed_person
    return list(
        conn.execute(
            select(person).where(person.is_not(None)).order_by(tables.advis.c.id.desc()).limit(_SAMPLE)
        ).scalars()
    )


def rows(conn: Connection, expected: Mapping[str, int]) -> str:
    """As many rows in each table as there were when the backup was taken."""
    wrong = []
    for name, count in expected.items():
        found = conn.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one()  # noqa: S608
        if found != count:
            wrong.append(f"{name} {found} i stedet for {count}")
    if wrong:
        fault(f"der mangler eller er for meget: {some(wrong)}", "Brug en anden sikkerhedskopi.")
    return f"{sum(expected.values())} rækker i {len(expected)} tabeller, som da kopien blev taget"
