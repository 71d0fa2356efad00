"""Raw SQL, as somebody with a database tool would write it: on a connection that asks for nothing."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from engine.home import Home

REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)

# Integers for booleans, as SQLite has them.
_NUMBERS_ARE_BOOLEANS = (
    "UPDATE pg_cast SET castcontext = 'i' WHERE castsource = 'int4'::regtype AND casttarget = 'bool'::regtype"
)


class Raw:
    """A connection in SQLite's dialect, to either kind of database: PostgreSQL has no OR REPLACE, and other marks."""

    def __init__(self, conn: Any, *, is_sqlite: bool) -> None:
        self.conn = conn
        self.is_sqlite = is_sqlite

    def execute(self, statement: str, parameters: tuple[Any, ...] = ()) -> Any:
        if not self.is_sqlite:
            statement = re.sub(r" OR (REPLACE|IGNORE)", "", statement).replace("?", "%s")
        return self.conn.execute(statement, parameters)


@pytest.fixture
def raw(new_home: Home) -> Iterator[Raw]:
    url = new_home.database_url
    if not url:
        with closing(sqlite3.connect(new_home.database_file, isolation_level=None)) as conn:
            yield Raw(conn, is_sqlite=True)
        return
    with closing(psycopg.connect(url, autocommit=True)) as server:
        server.execute(_NUMBERS_ARE_BOOLEANS)
        yield Raw(server, is_sqlite=False)
