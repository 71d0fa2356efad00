"""Every table, once. Instants are microseconds since 1970 UTC (`Instant`), so that they sort, compare and index alike
on every database. Only `payload.sealed` and `advis.sealed_person` hold personal data, both sealed.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    literal_column,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as whole microseconds since 1970 UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else _EPOCH + timedelta(microseconds=value)


# SQLite gives a rowid only to a column declared INTEGER; PostgreSQL wants 64 bits.
Id = BigInteger().with_variant(Integer, "sqlite")


# --- the registry -----------------------------------------------------------------------------------------------


def _agreement_columns() -> tuple[Column[Any], ...]:
    """What a kommune has agreed about a system, whether it acknowledges or not."""
    return (
        Column("area", Text, nullable=False, server_default=""),  # forvaltningsområde
        Column("agreed_by", Text, nullable=False, server_default=""),  # who agreed on its behalf
        Column("agreement", String(16), nullable=False, server_default="kladde"),  # domain.registration
        Column("agreement_dates", Text, nullable=False, server_default="{}"),  # JSON: state → ISO date
        Column("certification", String(16), nullable=False, server_default="ukendt"),
        Column("certified_on", String(10)),  # ISO date of that state
        Column("connected_on", String(10)),  # ISO date; NULL: the day it was added
    )


kommune = Table(
    "kommune",
    metadata,
    Column("code", String(4), primary_key=True),
    Column("name", Text, nullable=False),
    Column("cvr", String(8), nullable=False, unique=True),
    Column("fk_organisation_uuid", String(36), nullable=False),
    Column("region", Text, nullable=False),
    Column("region_code", String(4), nullable=False),
    Column("epj", Text, nullable=False),
)

receiver = Table(
    "receiver",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kommune_code", ForeignKey("kommune.code"), nullable=False),
    Column("system_uuid", String(36), nullable=False),
    Column("name", Text, nullable=False),
    Column("vendor", Text, nullable=False),
    Column("vendor_email", Text, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("removed_at", Instant),
    *_agreement_columns(),
    Column("only_kvittering", Boolean, nullable=False, server_default="0"),  # sends no other beskedtype
    Column("monitored_from", Instant),  # NULL: from the first day; before it, no clock runs
    Column("overview_enrolled", Boolean, nullable=False, server_default="0"),  # in Kvitteringsoverblik
    Column("overview_emails", Text, nullable=False, server_default=""),  # its further addresses, with commas
    Column("removed_by_force", Boolean, nullable=False, server_default="0"),  # though it owed a verdict
    Column("version", Integer, nullable=False, server_default="1"),  # counts its changes
    UniqueConstraint("kommune_code", "id"),
    CheckConstraint("system_uuid = lower(system_uuid)", name="uuid_lower_case"),
    Index(
        "uq_receiver_in_service",
        "kommune_code",
        "system_uuid",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
)

# A kommune is connected when it has a row here, and the row cannot be without a primary that is its own receiver.
# Triggers (in the migration) hold the same where foreign keys are off.
connection = Table(
    "connection",
    metadata,
    Column("kommune_code", ForeignKey("kommune.code"), primary_key=True),
    Column("primary_receiver_id", Id, nullable=False),
    Column("contact_email", Text, nullable=False),
    Column("connected_at", Instant, nullable=False),
    Column("contact_note", Text, nullable=False, server_default=""),  # supplementary channels
    Column("version", Integer, nullable=False, server_default="1"),
    ForeignKeyConstraint(
        ["kommune_code", "primary_receiver_id"],
        ["receiver.kommune_code", "receiver.id"],
        name="fk_connection_primary",
    ),
)

unit = Table(
    "unit",  # "Sygehusadviser, X kommune": what hospitals address
    metadata,
    Column("gln", String(13), primary_key=True),
    Column("sor", Text, nullable=False),
    Column("kommune_code", ForeignKey("kommune.code"), nullable=False, index=True),
)

role_grant = Table(
    "role_grant",
    metadata,
    Column("identity", Text, primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("kommune_code", String(4), primary_key=True, server_default=""),  # only for the role kommune
    Column("granted_at", Instant, nullable=False),
    Column("granted_by", Text, nullable=False),
)

# Systems that receive without acknowledging: known for information only, never asked and never watched.
noted_receiver = Table(
    "noted_receiver",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kommune_code", ForeignKey("kommune.code"), nullable=False, index=True),
    Column("system_uuid", String(36)),
    Column("name", Text, nullable=False),
    Column("vendor", Text, nullable=False),
    Column("vendor_email", Text, nullable=False),
    Column("noted_at", Instant, nullable=False),
    Column("removed_at", Instant),
    *_agreement_columns(),
    Column("version", Integer, nullable=False, server_default="1"),
    CheckConstraint("system_uuid = lower(system_uuid)", name="uuid_lower_case"),
)

# At `at` the second receiver becomes primary instead of the first. Triggers (in the migration) hold the same.
switchover = Table(
    "switchover",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kommune_code", ForeignKey("kommune.code"), nullable=False),
    Column("from_receiver_id", Id, nullable=False),
    Column("to_receiver_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", String(16), nullable=False),  # domain.switchover.SwitchoverState
    Column("planned_at", Instant, nullable=False),
    Column("planned_by", Text, nullable=False),
    Column("carried_out_at", Instant),
    Column("undoes_id", Id),  # the switchover that this one takes back
    Column("version", Integer, nullable=False, server_default="1"),
    ForeignKeyConstraint(
        ["kommune_code", "from_receiver_id"],
        ["receiver.kommune_code", "receiver.id"],
        name="fk_switchover_from",
    ),
    ForeignKeyConstraint(
        ["kommune_code", "to_receiver_id"], ["receiver.kommune_code", "receiver.id"], name="fk_switchover_to"
    ),
    ForeignKeyConstraint(["undoes_id"], ["switchover.id"], name="fk_switchover_undoes"),
    CheckConstraint("from_receiver_id <> to_receiver_id", name="two_receivers"),
    CheckConstraint("(state = 'done') = (carried_out_at IS NOT NULL)", name="done_has_its_time"),
    Index("ix_switchover_kommune_code", "kommune_code"),
    Index(
        "uq_switchover_undone_once",
        "undoes_id",
        unique=True,
        sqlite_where=text("state <> 'cancelled'"),
        postgresql_where=text("state <> 'cancelled'"),
    ),
    Index(
        "uq_switchover_planned",
        "kommune_code",
        unique=True,
        sqlite_where=text("state = 'planned'"),
        postgresql_where=text("state = 'planned'"),
    ),
    Index(
        "ix_switchover_due",
        "at",
        sqlite_where=text("state = 'planned'"),
        postgresql_where=text("state = 'planned'"),
    ),
)

# One carrying-out of a procedure of the handbook, for one system or switchover of a kommune.
procedure = Table(
    "procedure",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kommune_code", ForeignKey("kommune.code"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),  # its id in data/procedures.toml
    Column("subject", Text, nullable=False),  # what it is about, as people call it
    Column("receiver_id", ForeignKey("receiver.id")),
    Column("noted_receiver_id", ForeignKey("noted_receiver.id")),
    Column("switchover_id", ForeignKey("switchover.id")),
    Column("started_at", Instant, nullable=False),
    Column("started_by", Text, nullable=False),
)

# A step without a row is open: a procedure's text can gain steps.
procedure_step = Table(
    "procedure_step",
    metadata,
    Column("procedure_id", ForeignKey("procedure.id"), primary_key=True),
    Column("step", String(32), primary_key=True),
    Column("state", String(16), nullable=False),  # domain.procedure.StepState
    Column("person", Text, nullable=False),  # who did it
    Column("on_date", String(10), nullable=False),  # ISO date on which it was done
    Column("note", Text, nullable=False),
    Column("set_at", Instant, nullable=False),
    Column("set_by", Text, nullable=False),  # who said so
    Column("version", Integer, nullable=False, server_default="1"),
)

# An anmodning: what a kommune's own administrator asks to be done.
request = Table(
    "request",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kommune_code", ForeignKey("kommune.code"), nullable=False),
    Column("kind", String(16), nullable=False),  # 3.1, 3.2 or 3.3
    Column("fields", Text, nullable=False),  # JSON: the handbook's fields
    Column("state", String(16), nullable=False),  # domain.procedure.RequestState
    Column("handed_in_at", Instant, nullable=False),
    Column("handed_in_by", Text, nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", Text),
    Column("reason", Text),
    Column("procedure_id", ForeignKey("procedure.id")),
    Column("version", Integer, nullable=False, server_default="1"),
    CheckConstraint("(state = 'handed-in') = (decided_at IS NULL)", name="decided_has_its_time"),
    CheckConstraint("state <> 'returned' OR reason <> ''", name="returned_with_a_reason"),
    Index("ix_request_kommune_code_state", "kommune_code", "state"),
)

# What the registry does not know of a kommune's template: typed in, with who and when.
typed_field = Table(
    "typed_field",
    metadata,
    Column("kommune_code", ForeignKey("kommune.code"), primary_key=True),
    Column("sheet_row", String(32), primary_key=True),  # kommune, receiver:<id> or noted:<id>
    Column("field", String(32), primary_key=True),  # domain.template.TypedField
    Column("value", Text, nullable=False),
    Column("typed_at", Instant, nullable=False),
    Column("typed_by", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
)

# Every change that a person made, chained by hash; the database refuses to change or cut the chain.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(32), nullable=False),  # domain.audit.Action
    Column("kommune_code", String(4), index=True),
    Column("subject", Text, nullable=False),  # what was changed: "receiver:7"
    Column("before", Text),  # JSON object
    Column("after", Text),
    Column("reason", Text),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_audit_subject", "subject"),
)

# --- what comes in and what becomes of it -------------------------------------------------------------------------

payload = Table(
    "payload",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

envelope_in = Table(
    "envelope_in",
    metadata,
    Column("id", Id, primary_key=True),
    Column("delivery_key", Text, nullable=False, unique=True),  # the link's own: one delivery is taken once
    Column("received_at", Instant, nullable=False),
    Column("sender_type", String(4), nullable=False),
    Column("sender_id", Text, nullable=False),
    Column("receiver_type", String(4), nullable=False),
    Column("receiver_id", Text, nullable=False),
    Column("envelope_id", Text, nullable=False),
    Column("message_id", Text, nullable=False),  # the VANS Message identifier
    Column("document_name", Text, nullable=False),
    Column("outcome", String(16), nullable=False),  # domain.intake.Outcome
    Column("advis_id", Id, index=True),
    Column("payload_id", ForeignKey("payload.id")),  # content that stands nowhere else
    Index("ix_envelope_in_envelope_id", "envelope_id"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Id, primary_key=True),
    Column("delivery_key", Text, nullable=False, unique=True),
    Column("channel", String(16), nullable=False),  # vans | beskedfordeler
    Column("name", Text, nullable=False),  # the name it was given in the quarantine folder
    Column("quarantined_at", Instant, nullable=False),
    Column("reason", String(32), nullable=False),  # domain.intake.QuarantineReason
    Column("detail", Text, nullable=False),
    Column("envelope_in_id", Id),
    Column("advis_id", Id),
    Column("payload_id", ForeignKey("payload.id")),
    Column("decision", String(16)),  # domain.intake.QuarantineDecision; NULL: it waits for a person
    Column("decided_at", Instant),
    Column("decided_by", Text),
    Column("decision_reason", Text),
    Column("handed_in", Boolean, nullable=False, server_default="0"),  # it waits to be taken in again
    Index(
        "ix_quarantine_waiting",
        "quarantined_at",
        sqlite_where=text("decision IS NULL"),
        postgresql_where=text("decision IS NULL"),
    ),
    Index(
        "ix_quarantine_handed_in",
        "id",
        sqlite_where=text("handed_in = 1"),
        postgresql_where=text("handed_in"),
    ),
)

advis = Table(
    "advis",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kommune_code", ForeignKey("kommune.code")),  # NULL: refused, for the addressee is nobody's
    Column("addressee", Text, nullable=False),  # the envelope's ReceiverID
    Column("message_id", Text),  # MessageHeader.id; NULL: refused, for it has none
    Column("bundle_id", Text),
    Column("besked_id", String(36), unique=True),  # NULL: refused, never published
    Column("received_at", Instant, nullable=False),
    Column("refused", Boolean, nullable=False),
    Column("primary_receiver_id", Id),  # the primary of receipt time
    Column("code", String(8)),
    Column("encounter_class", Text),  # as the hospital wrote it, and so is the status
    Column("encounter_status", Text),
    Column("period_start", Instant),
    Column("period_end", Instant),
    Column("leave_start", Instant),
    Column("leave_end", Instant),
    Column("created_at", Instant),  # Bundle.timestamp
    Column("episodes", Text, nullable=False),  # JSON list
    Column("report_of_admission", Boolean, nullable=False),
    Column("sender_gln", Text),
    Column("sender_sor", Text),
    Column("sender_name", Text),
    Column("source_endpoint", Text),
    Column("vans_sender_type", String(4), nullable=False),  # whom the answer goes to
    Column("vans_sender_id", Text, nullable=False),
    Column("vans_receiver_type", String(4), nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("encoding", Text, nullable=False),  # as declared
    Column("findings", Text, nullable=False),  # JSON list of {path, code, text, severity}
    Column("cpr_hash", String(64), index=True),
    Column("sealed_person", LargeBinary),  # JSON {cpr, name}
    Column("payload_id", ForeignKey("payload.id")),
    Column("published_at", Instant),  # first StatusKode 20
    Column("verdict", String(16)),  # the final answer given to the EPJ: ok | fatal-error
    Column("verdict_at", Instant),
    Column("verdict_payload_id", ForeignKey("payload.id")),
    Column("verdict_media_type", String(32)),
    Column("copies", Integer, nullable=False, server_default="0"),
    UniqueConstraint("kommune_code", "message_id"),
    Index(
        "uq_advis_addressee_message_id",
        "addressee",
        "message_id",
        unique=True,
        sqlite_where=text("kommune_code IS NULL"),
        postgresql_where=text("kommune_code IS NULL"),
    ),
    Index("ix_advis_received_at", "received_at"),
    Index("ix_advis_kommune_code_received_at", "kommune_code", "received_at"),
    Index("ix_advis_progress", "refused", "verdict", "published_at"),  # all that the status counts
    Index("ix_advis_message_id", "message_id"),
    CheckConstraint(
        "refused OR (kommune_code IS NOT NULL AND message_id IS NOT NULL AND besked_id IS NOT NULL"
        " AND primary_receiver_id IS NOT NULL AND payload_id IS NOT NULL)",
        name="taken_is_whole",
    ),
    CheckConstraint("verdict IN ('ok', 'fatal-error')", name="verdict_is_final"),
)

# Every Bundle.id ever taken, and the MessageHeader.id that it belongs to: one Bundle.id, one message.
bundle_seen = Table(
    "bundle_seen",
    metadata,
    Column("bundle_id", Text, primary_key=True),
    Column("message_id", Text, nullable=False),
)

expected_kvittering = Table(
    "expected_kvittering",
    metadata,
    Column("advis_id", ForeignKey("advis.id"), primary_key=True),
    Column("receiver_id", ForeignKey("receiver.id"), primary_key=True),
    Column("state", String(16), nullable=False),  # domain.acknowledgement.PendingState
    Column("clock_from", Instant),  # StatusKode 20 of the publication that it waits for
    Column("due_at", Instant),
    Column("settled_at", Instant),
    Column("case_id", Id),  # the case that it joined when it was missed
    Index(
        "ix_expected_kvittering_negative",
        "state",
        sqlite_where=text("state IN ('transient-error', 'fatal-error')"),
        postgresql_where=text("state IN ('transient-error', 'fatal-error')"),
    ),
    Index(
        "ix_expected_kvittering_due",
        "due_at",
        sqlite_where=text("state = 'pending' AND case_id IS NULL"),
        postgresql_where=text("state = 'pending' AND case_id IS NULL"),
    ),
    Index(
        "ix_expected_kvittering_missed",
        "case_id",
        "due_at",
        sqlite_where=text("state = 'pending' AND case_id IS NOT NULL"),
        postgresql_where=text("state = 'pending' AND case_id IS NOT NULL"),
    ),
)

kvittering = Table(
    "kvittering",
    metadata,
    Column("id", Id, primary_key=True),
    Column("delivery_key", Text, nullable=False, unique=True),
    Column("besked_id", Text),
    Column("received_at", Instant, nullable=False),
    Column("kommune_code", String(4)),
    Column("system_uuid", String(36)),
    Column("response_identifier", Text, nullable=False),
    Column("code", String(16), nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("disposition", String(16), nullable=False),  # domain.acknowledgement.Disposition
    Column("reason", Text),  # why it is unmatched or what it contradicts, Danish
    Column("receiver_id", Id),
    Column("advis_id", Id, index=True),
    Column("payload_id", ForeignKey("payload.id"), nullable=False),
    Index(
        "ix_kvittering_unmatched",
        "response_identifier",
        sqlite_where=text("disposition = 'unmatched'"),
        postgresql_where=text("disposition = 'unmatched'"),
    ),
)

# --- what is to go out ---------------------------------------------------------------------------------------------

publication = Table(
    "publication",
    metadata,
    Column("id", Id, primary_key=True),
    Column("advis_id", ForeignKey("advis.id"), nullable=False),
    Column("round", Integer, nullable=False),  # 1; more only after a transient-error and a resend
    Column("ordered_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", Instant),  # NULL: accepted
    Column("claimed_by", Text),
    Column("claimed_until", Instant),
    Column("accepted_at", Instant),
    Column("last_error", Text),
    Column("late_alarmed_at", Instant),
    Column("delayed_at", Instant),  # when it is late enough for a case; NULL: a resend, which opens none
    Column("case_id", Id),
    UniqueConstraint("advis_id", "round"),
    Index(
        "ix_publication_delayed",
        "delayed_at",
        sqlite_where=text("next_at IS NOT NULL AND case_id IS NULL"),
        postgresql_where=text("next_at IS NOT NULL AND case_id IS NULL"),
    ),
    Index(
        "ix_publication_case_id",
        "case_id",
        sqlite_where=text("next_at IS NOT NULL AND case_id IS NOT NULL"),
        postgresql_where=text("next_at IS NOT NULL AND case_id IS NOT NULL"),
    ),
    Index(
        "ix_publication_waiting",
        "next_at",
        sqlite_where=text("next_at IS NOT NULL"),
        postgresql_where=text("next_at IS NOT NULL"),
    ),
)

envelope_out = Table(
    "envelope_out",
    metadata,
    Column("id", Id, primary_key=True),
    Column("envelope_id", String(36), nullable=False, unique=True),
    Column("message_id", String(36), nullable=False),
    Column("kind", String(8), nullable=False),  # receipt | answer
    Column("ordered_at", Instant, nullable=False),
    Column("sender_type", String(4), nullable=False),
    Column("sender_id", Text, nullable=False),
    Column("receiver_type", String(4), nullable=False),
    Column("receiver_id", Text, nullable=False),
    Column("envelope_in_id", Id),  # what it answers
    Column("advis_id", Id, index=True),
    Column("receipt", Text),  # JSON: what a receipt says
    Column("code", String(16)),  # an answer's response code
    Column("media_type", String(32)),
    Column("payload_id", ForeignKey("payload.id")),  # an answer's Acknowledgement
    Column("repeats_id", Id),  # an earlier row whose content this one sends again
    Column(
        "sending", Integer, nullable=False
    ),  # 1; counts up while VANS gives no receipt for the same message
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", Instant),  # NULL: sent
    Column("claimed_by", Text),
    Column("claimed_until", Instant),
    Column("sent_at", Instant),
    Column("receipt_due_at", Instant),  # NULL: none awaited (any more)
    Column("receipt_kind", String(16)),  # the VANS receipt that came for it
    Column("receipt_at", Instant),
    Column("last_error", Text),
    Index(
        "ix_envelope_out_waiting",
        "next_at",
        sqlite_where=text("next_at IS NOT NULL"),
        postgresql_where=text("next_at IS NOT NULL"),
    ),
    Index(
        "ix_envelope_out_receipt_due",
        "receipt_due_at",
        sqlite_where=text("receipt_due_at IS NOT NULL"),
        postgresql_where=text("receipt_due_at IS NOT NULL"),
    ),
    # One verdict: the database itself refuses a second first final answer to an advis.
    Index(
        "uq_envelope_out_verdict",
        "advis_id",
        unique=True,
        sqlite_where=text("code IN ('ok', 'fatal-error') AND repeats_id IS NULL AND advis_id IS NOT NULL"),
        postgresql_where=text(
            "code IN ('ok', 'fatal-error') AND repeats_id IS NULL AND advis_id IS NOT NULL"
        ),
    ),
)

# --- alarms, mails and incidents -------------------------------------------------------------------------------------

# A window that the vendor has planned: what is missed in it is recorded, and no mail tells of it.
maintenance = Table(
    "maintenance",
    metadata,
    Column("id", Id, primary_key=True),
    Column("receiver_id", ForeignKey("receiver.id"), nullable=False, index=True),
    Column("from_at", Instant, nullable=False),  # inclusive
    Column("until_at", Instant, nullable=False),  # exclusive
    Column("reason", Text, nullable=False),
    Column("planned_at", Instant, nullable=False),
    Column("planned_by", Text, nullable=False),
    Column("cancelled_at", Instant),
    Column("cancelled_by", Text),
    CheckConstraint("from_at < until_at", name="begins_before_it_ends"),
)

# What is missing of one kommune: kvitteringer of one receiver, or adviser that the Beskedfordeler has not accepted.
# Instants that end in `_due` are timers; they move along when the machine's clock is set.
alarm_case = Table(
    "alarm_case",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(20), nullable=False),  # domain.alarm.CaseKind
    Column("kommune_code", ForeignKey("kommune.code"), nullable=False),
    Column("receiver_id", ForeignKey("receiver.id")),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("misses", Integer, nullable=False, server_default="0"),  # all that ever joined
    Column("quiet_misses", Integer, nullable=False, server_default="0"),  # of them inside maintenance
    Column("told_misses", Integer, nullable=False, server_default="0"),  # when the last mail was written
    Column("stage", Integer, nullable=False, server_default="0"),  # domain.alarm.Stage
    Column("mail_due", Instant),  # when the next mail is to be considered
    Column("mailed_at", Instant),  # the last mail
    Column("taken_by", Text),
    Column("taken_at", Instant),
    Column("taken_note", Text),
    Column("taken_misses", Integer, nullable=False, server_default="0"),
    Column("retake_due", Instant),  # when a taken case is raised again
    Column("worsened_due", Instant),  # from when on it is raised again where it has grown
    Column("escalate_due", Instant),
    Column("escalated_at", Instant),
    Column("held_by", ForeignKey("incident.id")),  # the major incident that explains it
    Column("version", Integer, nullable=False, server_default="1"),
    CheckConstraint(
        "(kind = 'missing-kvittering') = (receiver_id IS NOT NULL)", name="missing_of_a_receiver"
    ),
    CheckConstraint("(taken_by IS NULL) = (taken_at IS NULL)", name="taken_has_its_time"),
    Index(
        "uq_alarm_case_open_of_receiver",
        "receiver_id",
        unique=True,
        sqlite_where=text("closed_at IS NULL AND kind = 'missing-kvittering'"),
        postgresql_where=text("closed_at IS NULL AND kind = 'missing-kvittering'"),
    ),
    Index(
        "uq_alarm_case_open_of_kommune",
        "kommune_code",
        unique=True,
        sqlite_where=text("closed_at IS NULL AND kind = 'delayed-publication'"),
        postgresql_where=text("closed_at IS NULL AND kind = 'delayed-publication'"),
    ),
    Index(
        "ix_alarm_case_open",
        "opened_at",
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
)

mail = Table(
    "mail",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "order_key", Text, nullable=False, unique=True
    ),  # what it is: the database refuses the same mail twice
    Column(
        "message_id", Text, nullable=False, unique=True
    ),  # without the angle brackets; the same on every attempt
    Column("kind", String(24), nullable=False),  # domain.alarm.MailKind
    Column("address", Text, nullable=False),
    Column("kommune_code", String(4)),
    Column("case_id", ForeignKey("alarm_case.id"), index=True),
    Column("incident_id", ForeignKey("incident.id"), index=True),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("ordered_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("attempted_at", Instant, index=True),  # the last attempt: what the rate limit counts
    Column("next_at", Instant),  # NULL: sent, or refused for good
    Column("claimed_by", Text),
    Column("claimed_until", Instant),
    Column("sent_at", Instant),
    Column("refused_at", Instant),
    Column("last_error", Text),
    CheckConstraint("sent_at IS NULL OR refused_at IS NULL", name="sent_or_refused"),
    Index(
        "ix_mail_waiting",
        "next_at",
        sqlite_where=text("next_at IS NOT NULL"),
        postgresql_where=text("next_at IS NOT NULL"),
    ),
    Index(
        "ix_mail_refused",
        "refused_at",
        sqlite_where=text("refused_at IS NOT NULL"),
        postgresql_where=text("refused_at IS NOT NULL"),
    ),
)

incident = Table(
    "incident",
    metadata,
    Column("id", Id, primary_key=True),
    Column("cause", String(20), nullable=False),  # domain.incident.Cause
    Column("state", String(12), nullable=False),  # domain.incident.IncidentState
    Column("phase", String(16)),  # domain.incident.Phase; NULL until it is declared
    Column("title", Text, nullable=False),
    Column("basis", Text, nullable=False),  # what was seen, Danish
    Column("began_at", Instant, nullable=False),
    Column("over_at", Instant),  # when what was seen had ended by itself
    Column("proposed_at", Instant, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("declared_at", Instant),
    Column("declared_by", Text),
    Column("dismissed_at", Instant),
    Column("dismissed_by", Text),
    Column("reason", Text),
    Column("next_update_at", Instant),  # what was promised
    Column("reminded_at", Instant),
    Column("resolved_at", Instant),
    Column("resolved_by", Text),
    Column("version", Integer, nullable=False, server_default="1"),
    CheckConstraint("state <> 'dismissed' OR reason <> ''", name="dismissed_with_a_reason"),
    CheckConstraint("(state = 'resolved') = (resolved_at IS NOT NULL)", name="resolved_has_its_time"),
    Index(
        "uq_incident_open",
        "cause",
        unique=True,
        sqlite_where=text("state IN ('proposed', 'declared') AND cause <> 'other'"),
        postgresql_where=text("state IN ('proposed', 'declared') AND cause <> 'other'"),
    ),
    Index(
        "ix_incident_open",
        "proposed_at",
        sqlite_where=text("state IN ('proposed', 'declared')"),
        postgresql_where=text("state IN ('proposed', 'declared')"),
    ),
)

# The condition of both indexes: SQLite uses a partial index only where a query has its very words.
incident_is_open = incident.c.state.in_((literal_column("'proposed'"), literal_column("'declared'")))

# One step of the handbook's list, or one update sent by a channel. A row with `next_at` is to be sent by the engine.
incident_step = Table(
    "incident_step",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("step", String(24), nullable=False),  # its key in data/incident.toml, or update-<n>-<channel>
    Column("target", String(16), nullable=False),  # the first step that goes the same way
    Column("phase", String(16), nullable=False),  # domain.incident.Phase, when it was written
    Column("title", Text, nullable=False),
    Column("channel", String(8), nullable=False),  # domain.incident.Channel
    Column("state", String(12), nullable=False),  # domain.incident.IncidentStepState
    Column("text", Text, nullable=False),  # what to say, ready to paste; or what is sent
    Column("due_at", Instant, nullable=False),
    Column("person", Text),
    Column("done_at", Instant),
    Column("note", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", Instant),
    Column("claimed_by", Text),
    Column("claimed_until", Instant),
    Column("last_error", Text),
    Column("external_id", Text),  # what the other side calls it
    UniqueConstraint("incident_id", "step"),
    Index(
        "ix_incident_step_waiting",
        "next_at",
        sqlite_where=text("next_at IS NOT NULL"),
        postgresql_where=text("next_at IS NOT NULL"),
    ),
)

incident_update = Table(
    "incident_update",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("next_update_at", Instant),
)

# What a person has seen to without more to be done: it waits for nobody any more.
handled = Table(
    "handled",
    metadata,
    Column("subject", Text, primary_key=True),  # "negative:<advis>:<receiver>", "unmatched:<kvittering>"
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("note", Text, nullable=False),
)

# --- is it alive? -----------------------------------------------------------------------------------------------------

# Adviser taken in, by region and hour: what an hour of the week usually brings is learnt from it.
traffic = Table(
    "traffic",
    metadata,
    Column("hour", Instant, primary_key=True),  # its beginning
    Column("region_code", String(4), primary_key=True),
    Column("count", Integer, nullable=False),
)

# Stations and channels: when each last did its work, and since when it has not. The instants are timers.
pulse = Table(
    "pulse",
    metadata,
    Column("name", Text, primary_key=True),  # domain.pulse
    Column("good_at", Instant),
    # Since when it has been good without a break that counts, for those that beat; since when an inbox's oldest lies.
    Column("since", Instant),
    Column("bad_since", Instant),  # NULL: the last attempt was good
    Column("error", Text),  # Danish; never personal data
)

# What has not moved for longer than its limit, from when it was noticed until it moves again.
stall = Table(
    "stall",
    metadata,
    Column("name", Text, primary_key=True),
    Column("since", Instant, nullable=False),
    Column("noticed_at", Instant, nullable=False),
    Column("detail", Text, nullable=False),
)

# Our own certificates, as each engine's files were when it last looked. What is told of one is told once for all
# engines that have the same.
certificate = Table(
    "certificate",
    metadata,
    Column("holder", Text, primary_key=True),  # where the files lie; empty where the home is alone
    Column("use", String(16), primary_key=True),  # domain.expiry.USES
    Column(
        "identity", Text, nullable=False
    ),  # its fingerprint; of one that cannot be read, its use and holder
    Column("file", Text, nullable=False),
    Column("expires_at", Instant),  # NULL: it cannot be used
    Column("fault", Text),  # why not, Danish
    Column("seen_at", Instant, nullable=False),
    Column("told", Integer),  # for how many days ahead its end was told last (domain.expiry)
    Column("told_at", Instant),  # when it first was
)

# The clock that all go by beside one that nobody sets: what separates them is how far it was set. A row per boot of a
# machine, for each has a steady clock of its own.
timekeeping = Table(
    "timekeeping",
    metadata,
    Column("boot", Text, primary_key=True),
    Column("elapsed", BigInteger, nullable=False),  # microseconds since that boot
    Column("wall", Instant, nullable=False),
    Column("own", Instant, nullable=False),  # the engine's own time, never a second away
)

# --- what happened -------------------------------------------------------------------------------------------------

event = Table(
    "event",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", String(32), nullable=False),  # domain.events.EventKind
    Column("severity", String(8), nullable=False),
    Column("actor", Text, nullable=False),
    Column("advis_id", Id),
    Column("kommune_code", String(4)),
    Column("data", Text, nullable=False),  # JSON object; never personal data
    Column("case_id", Id),
    Column("incident_id", Id),
    Index("ix_event_advis_id", "advis_id"),
    Index(
        "ix_event_case_id",
        "case_id",
        sqlite_where=text("case_id IS NOT NULL"),
        postgresql_where=text("case_id IS NOT NULL"),
    ),
    Index(
        "ix_event_incident_id",
        "incident_id",
        sqlite_where=text("incident_id IS NOT NULL"),
        postgresql_where=text("incident_id IS NOT NULL"),
    ),
    # What happened to a kommune, and to none of its adviser alone.
    Index(
        "ix_event_of_kommune",
        "kommune_code",
        "at",
        sqlite_where=text("advis_id IS NULL"),
        postgresql_where=text("advis_id IS NULL"),
    ),
    Index(
        "ix_event_severity",
        "severity",
        "at",
        sqlite_where=text("severity <> 'info'"),
        postgresql_where=text("severity <> 'info'"),
    ),
)

# Which key seals the payloads, so that no engine comes with another one. One row; the key cannot be told from it.
sealing_key = Table(
    "sealing_key",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("noted_at", Instant, nullable=False),
)

# Ids that a transaction must know before it inserts many rows at once.
id_sequence = Table(
    "id_sequence",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("next_id", BigInteger, nullable=False),
)
