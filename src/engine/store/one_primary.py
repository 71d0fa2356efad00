"""One primary per connected kommune, held by the database itself.

`connection.primary_receiver_id` is NOT NULL with a composite foreign key to the kommune's own receivers. SQLite
checks foreign keys only on connections that ask for it, so triggers hold the same for every connection, raw SQL
included. REPLACE, in an INSERT or an UPDATE, deletes rows without firing delete triggers; so the insert and update
triggers also refuse whatever would replace a primary or a connection on its way.
"""

_NO_SUCH_PRIMARY = """
    NOT EXISTS (
        SELECT 1 FROM receiver
        WHERE id = NEW.primary_receiver_id AND kommune_code = NEW.kommune_code AND removed_at IS NULL
    )"""

_TAKES_ROW_OF_ANOTHER = """
    EXISTS (SELECT 1 FROM connection WHERE rowid = NEW.rowid AND kommune_code <> NEW.kommune_code)"""

_IS_MOVED = "NEW.kommune_code <> OLD.kommune_code OR NEW.rowid <> OLD.rowid"

_LEAVES = "NEW.id <> OLD.id OR NEW.kommune_code <> OLD.kommune_code OR NEW.removed_at IS NOT NULL"

_WAS_PRIMARY = "EXISTS (SELECT 1 FROM connection WHERE primary_receiver_id = OLD.id)"

_SAME_AS_PRIMARY = """
    SELECT 1 FROM connection JOIN receiver AS held ON held.id = connection.primary_receiver_id
    WHERE (
        held.id = NEW.id
        OR (held.kommune_code = NEW.kommune_code AND held.system_uuid = NEW.system_uuid AND NEW.removed_at IS NULL)
    )"""

_REFUSAL = "a connected kommune has exactly one primary, and it is a receiver of its own in service"

SQLITE_TRIGGERS = tuple(
    f"CREATE TRIGGER {name} {moment} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}') WHERE {condition}; END"
    for name, moment, condition in (
        (
            "one_primary_connect",
            "BEFORE INSERT ON connection",
            f"{_NO_SUCH_PRIMARY} OR {_TAKES_ROW_OF_ANOTHER}",
        ),
        (
            "one_primary_replace",
            "BEFORE UPDATE ON connection",
            f"NEW.primary_receiver_id IS NULL OR {_NO_SUCH_PRIMARY} OR {_IS_MOVED}",
        ),
        ("one_primary_disconnect", "BEFORE DELETE ON connection", "TRUE"),
        ("one_primary_receiver_deleted", "BEFORE DELETE ON receiver", _WAS_PRIMARY),
        (
            "one_primary_receiver_changed",
            "BEFORE UPDATE OF id, kommune_code, removed_at ON receiver",
            f"{_WAS_PRIMARY} AND ({_LEAVES})",
        ),
        ("one_primary_receiver_inserted", "BEFORE INSERT ON receiver", f"EXISTS ({_SAME_AS_PRIMARY})"),
        (
            "one_primary_receiver_overtaken",
            "BEFORE UPDATE ON receiver",
            f"EXISTS ({_SAME_AS_PRIMARY} AND held.id <> OLD.id)",
        ),
    )
)
