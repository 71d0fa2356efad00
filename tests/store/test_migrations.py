from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from engine.store import administration, one_primary
from engine.store.database import Database, alembic_config
from engine.store.revisions import newest_revision, revision_of
from engine.store.tables import metadata


def test_migrations_make_the_tables_of_the_package(tmp_path: Path) -> None:
    db = Database.sqlite(tmp_path / "x.db")
    db.upgrade()
    with db.engine.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
        triggers = conn.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").scalar()
        indexes = set(conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index'").scalars())
    assert triggers == len(one_primary.SQLITE_TRIGGERS) + len(administration.SQLITE_TRIGGERS)
    # compare_metadata overlooks partial indexes that are missing.
    assert {str(index.name) for table in metadata.sorted_tables for index in table.indexes} <= indexes
    db.close()


def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    db = Database.sqlite(path)
    db.upgrade()
    db.upgrade()
    db.close()
    assert revision_of(path) == newest_revision()


def test_file_names_tell_the_newest_revision() -> None:
    assert newest_revision() == ScriptDirectory.from_config(alembic_config()).get_current_head()


def test_a_database_without_tables_has_no_revision(tmp_path: Path) -> None:
    assert revision_of(tmp_path / "new.db") is None
