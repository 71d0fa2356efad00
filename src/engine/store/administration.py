"""The rules of switchovers, removals and the audit chain, held by the database itself.

As in one_primary.py: SQLite checks foreign keys only on connections that ask for it, so triggers hold the rules for
every connection, raw SQL included.
"""

from engine.store.triggers import Refusal

GENESIS = "0" * 64
"""What stands before the audit's first entry."""


_NOT_BOTH_OF_THE_KOMMUNE = """
    NOT EXISTS (
        SELECT 1 FROM receiver
        WHERE id = NEW.from_receiver_id AND kommune_code = NEW.kommune_code
    ) OR NOT EXISTS (
        SELECT 1 FROM receiver
        WHERE id = NEW.to_receiver_id AND kommune_code = NEW.kommune_code
        AND (removed_at IS NULL OR NEW.state <> 'planned')
    )"""

_TWO_OF_THE_KOMMUNE = "a switchover is between two receivers of its kommune, the new one in service"

_IS_TARGET = "EXISTS (SELECT 1 FROM switchover WHERE to_receiver_id = OLD.id AND state = 'planned')"

# The literal states let SQLite use the partial indexes on them.
_OWES_VERDICT = """
    EXISTS (
        SELECT 1 FROM expected_kvittering AS expected JOIN advis ON advis.id = expected.advis_id
        WHERE expected.state = 'pending' AND expected.receiver_id = OLD.id
        AND advis.primary_receiver_id = OLD.id AND advis.verdict IS NULL
    ) OR EXISTS (
        SELECT 1 FROM expected_kvittering AS expected JOIN advis ON advis.id = expected.advis_id
        WHERE expected.state IN ('transient-error', 'fatal-error') AND expected.receiver_id = OLD.id
        AND advis.primary_receiver_id = OLD.id AND advis.verdict IS NULL
    )"""

# REPLACE would delete the row that stands in its way, without firing the delete trigger.
_STANDS_ALREADY = """
    EXISTS (
        SELECT 1 FROM switchover
        WHERE id = NEW.id OR (kommune_code = NEW.kommune_code AND state = 'planned' AND NEW.state = 'planned')
    )"""

_NOT_NEXT_IN_CHAIN = f"""
    EXISTS (SELECT 1 FROM audit WHERE id >= NEW.id)
    OR NEW.previous_hash <> coalesce((SELECT hash FROM audit ORDER BY id DESC LIMIT 1), '{GENESIS}')"""  # noqa: S608

_NOT_AS_AGREED = """
    NEW.removed_at IS NULL
    AND (NEW.area = '' OR NEW.agreed_by = '' OR NOT NEW.only_kvittering)
    AND EXISTS (SELECT 1 FROM connection WHERE kommune_code = NEW.kommune_code)"""

REFUSALS = (
    Refusal(
        "receiver_added",
        "BEFORE INSERT ON receiver",
        _NOT_AS_AGREED,
        "a receiver is added with its area, who agreed, and MedComKvittering as all that it sends",
    ),
    Refusal(
        "switchover_planned",
        "BEFORE INSERT ON switchover",
        f"({_NOT_BOTH_OF_THE_KOMMUNE}) OR {_STANDS_ALREADY}",
        _TWO_OF_THE_KOMMUNE + ", and one at a time",
    ),
    Refusal(
        "switchover_changed", "BEFORE UPDATE ON switchover", _NOT_BOTH_OF_THE_KOMMUNE, _TWO_OF_THE_KOMMUNE
    ),
    Refusal(
        "switchover_settled",
        "BEFORE UPDATE ON switchover",
        "OLD.state <> 'planned'",
        "a switchover that is done or cancelled is not changed",
    ),
    Refusal("switchover_deleted", "BEFORE DELETE ON switchover", "TRUE", "a switchover is never deleted"),
    Refusal(
        "switchover_target_removed",
        "BEFORE UPDATE OF removed_at ON receiver",
        f"NEW.removed_at IS NOT NULL AND {_IS_TARGET}",
        "the receiver is to become primary by a planned switchover",
    ),
    Refusal(
        "receiver_owes_verdict",
        "BEFORE UPDATE OF removed_at ON receiver",
        f"OLD.removed_at IS NULL AND NEW.removed_at IS NOT NULL AND NOT NEW.removed_by_force AND ({_OWES_VERDICT})",
        "the receiver owes a verdict",
    ),
    Refusal(
        "audit_chained",
        "BEFORE INSERT ON audit",
        _NOT_NEXT_IN_CHAIN,
        "an audit entry follows the last one",
    ),
    Refusal("audit_changed", "BEFORE UPDATE ON audit", "TRUE", "an audit entry is never changed"),
    Refusal(
        "audit_cut",
        "BEFORE DELETE ON audit",
        "EXISTS (SELECT 1 FROM audit WHERE id < OLD.id)",
        "the audit is deleted from its oldest entry only",
    ),
)
