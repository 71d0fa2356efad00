"""Which version of the tables a database has, and which one this package has: told without Alembic."""

import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path


def newest_revision() -> str:
    """The revision of this package. The scripts are numbered (0001_…), so their names tell it."""
    scripts = (resources.files("engine.store") / "migrations" / "versions").iterdir()
    return max(script.name[:4] for script in scripts if script.name[:4].isdigit())


def revision_of(database_file: Path) -> str | None:
    """The revision of a database file; None where it has no tables of ours. Raises sqlite3.Error."""
    with closing(sqlite3.connect(database_file)) as conn:
        if conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return None
        row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])
