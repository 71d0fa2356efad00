"""Whether a database is built as this version of the package builds it, and whether it is whole."""

import warnings
from collections.abc import Iterable
from typing import Any

from sqlalchemy import CheckConstraint, Connection, inspect

from engine.store import administration, one_primary
from engine.store.checks import FROM_OUTSIDE, RESTORE, fault, some
from engine.store.tables import metadata

_SQLITE_TRIGGERS = "SELECT name, sql, 'O' FROM sqlite_master WHERE type = 'trigger'"
_POSTGRESQL_TRIGGERS = (
    "SELECT t.tgname, p.prosrc, t.tgenabled::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace"
)
_ENABLED = {"O", "A"}
_SQLITE_INDEXES = "SELECT name FROM sqlite_master WHERE type = 'index'"
_POSTGRESQL_INDEXES = "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
# What PostgreSQL itself holds only while these are so.
_NOT_HELD = {
    "ikke efterprøvede regler": (
        "SELECT conname FROM pg_constraint WHERE NOT convalidated AND connamespace = current_schema()::regnamespace"
    ),
    "indekser, der ikke er færdige": (
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE NOT (i.indisvalid AND i.indisready) AND c.relnamespace = current_schema()::regnamespace"
    ),
    "tabeller, hvis fremmednøgler er slået fra": (
        "SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE t.tgisinternal AND t.tgenabled IN ('D', 'R') AND c.relnamespace = current_schema()::regnamespace"
    ),
}
_DAMAGED_PAGES = (
    "SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()"
)


def integrity(conn: Connection) -> str:
    """SQLite reads every page; PostgreSQL is asked whether it has met a damaged one, and what it has not checked."""
    if conn.dialect.name == "sqlite":
        found = list(conn.exec_driver_sql("PRAGMA integrity_check(5)").scalars())
        if found != ["ok"]:
            fault(f"databasefilen er beskadiget ({some(found, 2)})", f"Stop motoren. {RESTORE}")
        return "hele databasefilen er læst og hænger sammen"
    damaged = conn.exec_driver_sql(_DAMAGED_PAGES).scalar_one()
    if damaged:
        fault(f"serveren har mødt {damaged} beskadigede sider", f"Undersøg serverens disk. {RESTORE}")
    _refuse_not_held(conn, ("ikke efterprøvede regler", "indekser, der ikke er færdige"))
    return "serveren har ikke mødt beskadigede sider, og alle regler og indekser gælder"


def foreign_keys(conn: Connection) -> str:
    if conn.dialect.name == "sqlite":
        found = conn.exec_driver_sql("PRAGMA foreign_key_check").all()
        if found:
            pairs = sorted({f"{row[0]} → {row[2]}" for row in found})
            fault(f"{len(found)} rækker henviser til noget, der ikke er der ({some(pairs)})", RESTORE)
        return "alt, der henvises til, er der"
    _refuse_not_held(conn, ("tabeller, hvis fremmednøgler er slået fra",))
    return "serveren holder dem"


def _refuse_not_held(conn: Connection, kinds: Iterable[str]) -> None:
    for kind in kinds:
        found = sorted(conn.exec_driver_sql(_NOT_HELD[kind]).scalars())
        if found:
            fault(f"{kind}: {some(found)}", FROM_OUTSIDE)


def schema(conn: Connection) -> str:
    """Tables, columns, indexes and checks against the package's own."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - heavy, and few ask
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy's, about what others have added and it cannot read
        differences = compare_metadata(MigrationContext.configure(conn), metadata)
    # What compare_metadata overlooks stands beside it: partial indexes and checks that are missing.
    lacking = sorted((_indexes() - _indexes_of(conn)) | (_checks() - _checks_of(conn)))
    found = list(dict.fromkeys([_told(each) for each in differences] + [f"uden {name}" for name in lacking]))
    if found:
        fault(f"tabellerne er ikke som i denne version: {some(found)}", FROM_OUTSIDE)
    return f"{len(metadata.tables)} tabeller med indekser og regler er som i denne version"


def _told(difference: Any) -> str:
    """One of Alembic's differences: ("add_index", index), ("remove_column", schema, table, column), or what has changed
    in one column.
    """
    kind, *rest = difference[0] if isinstance(difference, list) else difference
    names = [str(getattr(part, "name", part)) for part in rest if part is not None]
    what, _, _ = kind.partition("_")
    return f"{_DIFFERENCES.get(what, what)} {'.'.join(names[:2])}"


_DIFFERENCES = {"add": "uden", "remove": "for meget er", "modify": "anderledes er"}


def _indexes() -> set[str]:
    return {str(index.name) for table in metadata.tables.values() for index in table.indexes}


def _indexes_of(conn: Connection) -> set[str]:
    query = _SQLITE_INDEXES if conn.dialect.name == "sqlite" else _POSTGRESQL_INDEXES
    return set(conn.exec_driver_sql(query).scalars())


def _checks() -> set[str]:
    return {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }


def _checks_of(conn: Connection) -> set[str]:
    found = inspect(conn).get_multi_check_constraints()
    return {str(check["name"]) for checks in found.values() for check in checks}


def triggers(conn: Connection) -> str:
    """The rules that the database itself holds are there, do what they should, and are not switched off."""
    dialect = conn.dialect.name
    rows = conn.exec_driver_sql(_SQLITE_TRIGGERS if dialect == "sqlite" else _POSTGRESQL_TRIGGERS)
    found = {name: (text, state) for name, text, state in rows}
    expected: dict[str, str] = {}
    for refusal in (*one_primary.refusals(dialect), *administration.REFUSALS):
        expected |= refusal.kept_as(dialect)
    wrong = [
        f"{name} ({state})"
        for name, text in expected.items()
        if (state := _wrong(text, *found.get(name, (None, "")))) is not None
    ]
    if wrong:
        fault(f"regler, som databasen skulle holde, gælder ikke: {some(wrong)}", FROM_OUTSIDE)
    return f"{len(expected)} regler holdes af databasen selv"


def _wrong(expected: str, text: str | None, state: str) -> str | None:
    if text is None:
        return "mangler"
    if state not in _ENABLED:
        return "slået fra"
    return None if text == expected else "ændret"
