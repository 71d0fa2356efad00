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
    Column("encounter_class", String(8)),
    Column("encounter_status", String(20)),
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
    Column("encoding", String(32), nullable=False),
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
    Index(
        "ix_expected_kvittering_negative",
        "state",
        sqlite_where=text("state IN ('transient-error', 'fatal-error')"),
        postgresql_where=text("state IN ('transient-error', 'fatal-error')"),
    ),
    Index(
        "ix_expected_kvittering_due",
        "due_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
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
    UniqueConstraint("advis_id", "round"),
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
    Index("ix_event_advis_id", "advis_id"),
    Index(
        "ix_event_severity",
        "severity",
        "at",
        sqlite_where=text("severity <> 'info'"),
        postgresql_where=text("severity <> 'info'"),
    ),
)

# Ids that a transaction must know before it inserts many rows at once.
id_sequence = Table(
    "id_sequence",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("next_id", BigInteger, nullable=False),
)
