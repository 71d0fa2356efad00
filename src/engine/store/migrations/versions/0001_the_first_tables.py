"""The first tables"""

import sqlalchemy as sa
from alembic import op

from engine.store.one_primary import refusals

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bundle_seen",
        sa.Column("bundle_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("bundle_id", name=op.f("pk_bundle_seen")),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("advis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kommune_code", sa.String(length=4), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_advis_id", "event", ["advis_id"], unique=False)
    op.create_index(
        "ix_event_severity",
        "event",
        ["severity", "at"],
        unique=False,
        sqlite_where=sa.text("severity <> 'info'"),
        postgresql_where=sa.text("severity <> 'info'"),
    )
    op.create_table(
        "id_sequence",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("next_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_id_sequence")),
    )
    op.create_table(
        "kommune",
        sa.Column("code", sa.String(length=4), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cvr", sa.String(length=8), nullable=False),
        sa.Column("fk_organisation_uuid", sa.String(length=36), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("region_code", sa.String(length=4), nullable=False),
        sa.Column("epj", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_kommune")),
        sa.UniqueConstraint("cvr", name=op.f("uq_kommune_cvr")),
    )
    op.create_table(
        "payload",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payload")),
    )
    op.create_table(
        "role_grant",
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("kommune_code", sa.String(length=4), server_default="", nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("identity", "role", "kommune_code", name=op.f("pk_role_grant")),
    )
    op.create_table(
        "advis",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kommune_code", sa.String(length=4), nullable=True),
        sa.Column("addressee", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("bundle_id", sa.Text(), nullable=True),
        sa.Column("besked_id", sa.String(length=36), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("primary_receiver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("code", sa.String(length=8), nullable=True),
        sa.Column("encounter_class", sa.Text(), nullable=True),
        sa.Column("encounter_status", sa.Text(), nullable=True),
        sa.Column("period_start", sa.BigInteger(), nullable=True),
        sa.Column("period_end", sa.BigInteger(), nullable=True),
        sa.Column("leave_start", sa.BigInteger(), nullable=True),
        sa.Column("leave_end", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("episodes", sa.Text(), nullable=False),
        sa.Column("report_of_admission", sa.Boolean(), nullable=False),
        sa.Column("sender_gln", sa.Text(), nullable=True),
        sa.Column("sender_sor", sa.Text(), nullable=True),
        sa.Column("sender_name", sa.Text(), nullable=True),
        sa.Column("source_endpoint", sa.Text(), nullable=True),
        sa.Column("vans_sender_type", sa.String(length=4), nullable=False),
        sa.Column("vans_sender_id", sa.Text(), nullable=False),
        sa.Column("vans_receiver_type", sa.String(length=4), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("cpr_hash", sa.String(length=64), nullable=True),
        sa.Column("sealed_person", sa.LargeBinary(), nullable=True),
        sa.Column("payload_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("published_at", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("verdict_at", sa.BigInteger(), nullable=True),
        sa.Column("verdict_payload_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("verdict_media_type", sa.String(length=32), nullable=True),
        sa.Column("copies", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("verdict IN ('ok', 'fatal-error')", name=op.f("ck_advis_verdict_is_final")),
        sa.CheckConstraint(
            "refused OR (kommune_code IS NOT NULL AND message_id IS NOT NULL AND besked_id IS NOT NULL AND primary_receiver_id IS NOT NULL AND payload_id IS NOT NULL)",
            name=op.f("ck_advis_taken_is_whole"),
        ),
        sa.ForeignKeyConstraint(["kommune_code"], ["kommune.code"], name=op.f("fk_advis_kommune_code")),
        sa.ForeignKeyConstraint(["payload_id"], ["payload.id"], name=op.f("fk_advis_payload_id")),
        sa.ForeignKeyConstraint(
            ["verdict_payload_id"], ["payload.id"], name=op.f("fk_advis_verdict_payload_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advis")),
        sa.UniqueConstraint("besked_id", name=op.f("uq_advis_besked_id")),
        sa.UniqueConstraint("kommune_code", "message_id", name=op.f("uq_advis_kommune_code_message_id")),
    )
    op.create_index(op.f("ix_advis_cpr_hash"), "advis", ["cpr_hash"], unique=False)
    op.create_index(
        "ix_advis_kommune_code_received_at", "advis", ["kommune_code", "received_at"], unique=False
    )
    op.create_index("ix_advis_message_id", "advis", ["message_id"], unique=False)
    op.create_index("ix_advis_progress", "advis", ["refused", "verdict", "published_at"], unique=False)
    op.create_index("ix_advis_received_at", "advis", ["received_at"], unique=False)
    op.create_index(
        "uq_advis_addressee_message_id",
        "advis",
        ["addressee", "message_id"],
        unique=True,
        sqlite_where=sa.text("kommune_code IS NULL"),
        postgresql_where=sa.text("kommune_code IS NULL"),
    )
    op.create_table(
        "envelope_in",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery_key", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("sender_type", sa.String(length=4), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("receiver_type", sa.String(length=4), nullable=False),
        sa.Column("receiver_id", sa.Text(), nullable=False),
        sa.Column("envelope_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("document_name", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("advis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("payload_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["payload_id"], ["payload.id"], name=op.f("fk_envelope_in_payload_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_envelope_in")),
        sa.UniqueConstraint("delivery_key", name=op.f("uq_envelope_in_delivery_key")),
    )
    op.create_index(op.f("ix_envelope_in_advis_id"), "envelope_in", ["advis_id"], unique=False)
    op.create_index("ix_envelope_in_envelope_id", "envelope_in", ["envelope_id"], unique=False)
    op.create_table(
        "envelope_out",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("envelope_id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("ordered_at", sa.BigInteger(), nullable=False),
        sa.Column("sender_type", sa.String(length=4), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("receiver_type", sa.String(length=4), nullable=False),
        sa.Column("receiver_id", sa.Text(), nullable=False),
        sa.Column("envelope_in_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("advis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("code", sa.String(length=16), nullable=True),
        sa.Column("media_type", sa.String(length=32), nullable=True),
        sa.Column("payload_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("repeats_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sending", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("receipt_due_at", sa.BigInteger(), nullable=True),
        sa.Column("receipt_kind", sa.String(length=16), nullable=True),
        sa.Column("receipt_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["payload_id"], ["payload.id"], name=op.f("fk_envelope_out_payload_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_envelope_out")),
        sa.UniqueConstraint("envelope_id", name=op.f("uq_envelope_out_envelope_id")),
    )
    op.create_index(op.f("ix_envelope_out_advis_id"), "envelope_out", ["advis_id"], unique=False)
    op.create_index(
        "ix_envelope_out_receipt_due",
        "envelope_out",
        ["receipt_due_at"],
        unique=False,
        sqlite_where=sa.text("receipt_due_at IS NOT NULL"),
        postgresql_where=sa.text("receipt_due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_envelope_out_waiting",
        "envelope_out",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index(
        "uq_envelope_out_verdict",
        "envelope_out",
        ["advis_id"],
        unique=True,
        sqlite_where=sa.text("code IN ('ok', 'fatal-error') AND repeats_id IS NULL AND advis_id IS NOT NULL"),
        postgresql_where=sa.text(
            "code IN ('ok', 'fatal-error') AND repeats_id IS NULL AND advis_id IS NOT NULL"
        ),
    )
    op.create_table(
        "kvittering",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery_key", sa.Text(), nullable=False),
        sa.Column("besked_id", sa.Text(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("kommune_code", sa.String(length=4), nullable=True),
        sa.Column("system_uuid", sa.String(length=36), nullable=True),
        sa.Column("response_identifier", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("disposition", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("receiver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("advis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("payload_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["payload_id"], ["payload.id"], name=op.f("fk_kvittering_payload_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kvittering")),
        sa.UniqueConstraint("delivery_key", name=op.f("uq_kvittering_delivery_key")),
    )
    op.create_index(op.f("ix_kvittering_advis_id"), "kvittering", ["advis_id"], unique=False)
    op.create_index(
        "ix_kvittering_unmatched",
        "kvittering",
        ["response_identifier"],
        unique=False,
        sqlite_where=sa.text("disposition = 'unmatched'"),
        postgresql_where=sa.text("disposition = 'unmatched'"),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery_key", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("quarantined_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("envelope_in_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("advis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("payload_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["payload_id"], ["payload.id"], name=op.f("fk_quarantine_payload_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("delivery_key", name=op.f("uq_quarantine_delivery_key")),
    )
    op.create_table(
        "receiver",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kommune_code", sa.String(length=4), nullable=False),
        sa.Column("system_uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("vendor_email", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("system_uuid = lower(system_uuid)", name=op.f("ck_receiver_uuid_lower_case")),
        sa.ForeignKeyConstraint(["kommune_code"], ["kommune.code"], name=op.f("fk_receiver_kommune_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiver")),
        sa.UniqueConstraint("kommune_code", "id", name=op.f("uq_receiver_kommune_code_id")),
    )
    op.create_index(
        "uq_receiver_in_service",
        "receiver",
        ["kommune_code", "system_uuid"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "unit",
        sa.Column("gln", sa.String(length=13), nullable=False),
        sa.Column("sor", sa.Text(), nullable=False),
        sa.Column("kommune_code", sa.String(length=4), nullable=False),
        sa.ForeignKeyConstraint(["kommune_code"], ["kommune.code"], name=op.f("fk_unit_kommune_code")),
        sa.PrimaryKeyConstraint("gln", name=op.f("pk_unit")),
    )
    op.create_index(op.f("ix_unit_kommune_code"), "unit", ["kommune_code"], unique=False)
    op.create_table(
        "connection",
        sa.Column("kommune_code", sa.String(length=4), nullable=False),
        sa.Column(
            "primary_receiver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("contact_email", sa.Text(), nullable=False),
        sa.Column("connected_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["kommune_code", "primary_receiver_id"],
            ["receiver.kommune_code", "receiver.id"],
            name="fk_connection_primary",
        ),
        sa.ForeignKeyConstraint(["kommune_code"], ["kommune.code"], name=op.f("fk_connection_kommune_code")),
        sa.PrimaryKeyConstraint("kommune_code", name=op.f("pk_connection")),
    )
    op.create_table(
        "expected_kvittering",
        sa.Column("advis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("receiver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("clock_from", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["advis_id"], ["advis.id"], name=op.f("fk_expected_kvittering_advis_id")),
        sa.ForeignKeyConstraint(
            ["receiver_id"], ["receiver.id"], name=op.f("fk_expected_kvittering_receiver_id")
        ),
        sa.PrimaryKeyConstraint("advis_id", "receiver_id", name=op.f("pk_expected_kvittering")),
    )
    op.create_index(
        "ix_expected_kvittering_due",
        "expected_kvittering",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_expected_kvittering_negative",
        "expected_kvittering",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state IN ('transient-error', 'fatal-error')"),
        postgresql_where=sa.text("state IN ('transient-error', 'fatal-error')"),
    )
    op.create_table(
        "publication",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("advis_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("ordered_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("accepted_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("late_alarmed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["advis_id"], ["advis.id"], name=op.f("fk_publication_advis_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication")),
        sa.UniqueConstraint("advis_id", "round", name=op.f("uq_publication_advis_id_round")),
    )
    op.create_index(
        "ix_publication_waiting",
        "publication",
        ["next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    for refusal in refusals(op.get_bind().dialect.name):
        for statement in refusal.statements(op.get_bind().dialect.name):
            op.execute(statement)
