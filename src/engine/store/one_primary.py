"""One primary per connected kommune, held by the database itself.

`connection.primary_receiver_id` is NOT NULL with a composite foreign key to the kommune's own receivers. SQLite
checks foreign keys only on connections that ask for it, so triggers hold the same for every connection, raw SQL
included. Its REPLACE, in an INSERT or an UPDATE, deletes rows without firing delete triggers; so the insert and
update triggers also refuse whatever would replace a primary or a connection on its way.
"""

from engine.store.triggers import Refusal

_NO_SUCH_PRIMARY = """
    NOT EXISTS (
        SELECT 1 FROM receiver
        WHERE id = NEW.primary_receiver_id AND kommune_code = NEW.kommune_code AND removed_at IS NULL
    )"""

_TAKES_ROW_OF_ANOTHER = """
    EXISTS (SELECT 1 FROM connection WHERE rowid = NEW.rowid AND kommune_code <> NEW.kommune_code)"""

_IS_MOVED = "NEW.kommune_code <> OLD.kommune_code"

_LEAVES = "NEW.id <> OLD.id OR NEW.kommune_code <> OLD.kommune_code OR NEW.removed_at IS NOT NULL"

_WAS_PRIMARY = "EXISTS (SELECT 1 FROM connection WHERE primary_receiver_id = OLD.id)"

_SAME_AS_PRIMARY = """
    SELECT 1 FROM connection JOIN receiver AS held ON held.id = connection.primary_receiver_id
    WHERE (
        held.id = NEW.id
        OR (held.kommune_code = NEW.kommune_code AND held.system_uuid = NEW.system_uuid AND NEW.removed_at IS NULL)
    )"""

_REFUSAL = "a connected kommune has exactly one primary, and it is a receiver of its own in service"


def refusals(dialect: str) -> tuple[Refusal, ...]:
    """The triggers of revision 0001. Only SQLite has row ids, and a REPLACE that moves them."""
    overtakes = f" OR {_TAKES_ROW_OF_ANOTHER}" if dialect == "sqlite" else ""
    moved = _IS_MOVED + (" OR NEW.rowid <> OLD.rowid" if dialect == "sqlite" else "")
    return tuple(
        Refusal(name, moment, condition, _REFUSAL)
        for name, moment, condition in (
            ("one_primary_connect", "BEFORE INSERT ON connection", f"{_NO_SUCH_PRIMARY}{overtakes}"),
            (
                "one_primary_replace",
                "BEFORE UPDATE ON connection",
                f"NEW.primary_receiver_id IS NULL OR {_NO_SUCH_PRIMARY} OR {moved}",
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
