"""Databases on a PostgreSQL server into which a dump may be loaded: a temporary one, or an empty one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from psycopg import errors, sql

from engine.database_url import without_password
from engine.errors import BackupError
from engine.store.postgresql import reached
from engine.store.postgresql_programs import load

# The encoding goes with any of a server's locales only where the database has none.
_CREATE = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
_DROP = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
_IN_USE = (
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
    " AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
    " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') LIMIT 1"
)


@contextmanager
def temporary_database(url: str) -> Iterator[str | None]:
    """An empty database on the server of `url`, gone at the end of the block; None where the user may make none.

    HomeError where the server cannot be reached.
    """
    name = f"sundhedsagent_verify_{os.urandom(6).hex()}"
    with reached(url) as conn:
        try:
            conn.execute(_CREATE.format(sql.Identifier(name)))
        except errors.InsufficientPrivilege:
            yield None
            return
    try:
        yield _beside(url, name)
    finally:
        with reached(url) as conn:
            conn.execute(_DROP.format(sql.Identifier(name)))


def refuse_used(url: str) -> None:
    """BackupError where the database is not empty; HomeError where it cannot be reached."""
    with reached(url) as conn:
        found = conn.execute(_IN_USE).fetchone()
    if found is not None:
        raise BackupError(
            f"Databasen {without_password(url)} er ikke tom (den har {found[0]}). Opret en ny og tom: "
            "createdb --encoding=UTF8 --template=template0 NAVN, og giv dens adresse med --database."
        )


def load_dump(url: str, dump: Path, *, server: int) -> None:
    """Load a dump that a server of that major version wrote, into an empty database: all of it, or nothing."""
    with reached(url) as conn:
        here = conn.info.server_version // 10_000
    load(url, dump, server=max(here, server))


def _beside(url: str, name: str) -> str:
    """The address of another database on the same server."""
    parts = urlsplit(url)
    # What stands in the parameters would win over the path.
    kept = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key != "dbname"]
    return urlunsplit((parts.scheme, parts.netloc, f"/{name}", urlencode(kept), ""))
