"""Administration: switchovers, procedures, requests, template, audit"""

import sqlalchemy as sa
from alembic import op

from engine.store.administration import REFUSALS

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("kommune_code", sa.String(length=4), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_kommune_code"), "audit", ["kommune_code"], unique=False)
    op.create_index("ix_audit_subject", "audit", ["subject"], unique=False)
    op.create_table(
        "noted_receiver",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kommune_code", sa.String(length=4), nullable=False),
        sa.Column("system_uuid", sa.String(length=36), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("vendor_email", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("area", sa.Text(), server_default="", nullable=False),
        sa.Column("agreed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("agreement", sa.String(length=16), server_default="kladde", nullable=False),
        sa.Column("agreement_dates", sa.Text(), server_default="{}", nullable=False),
        sa.Column("certification", sa.String(length=16), server_default="ukendt", nullable=False),
        sa.Column("certified_on", sa.String(length=10), nullable=True),
        sa.Column("connected_on", sa.String(length=10), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "system_uuid = lower(system_uuid)", name=op.f("ck_noted_receiver_uuid_lower_case")
        ),
        sa.ForeignKeyConstraint(
            ["kommune_code"], ["kommune.code"], name=op.f("fk_noted_receiver_kommune_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_noted_receiver")),
    )
    op.create_index(op.f("ix_noted_receiver_kommune_code"), "noted_receiver", ["kommune_code"], unique=False)
    op.create_table(
        "typed_field",
        sa.Column("kommune_code", sa.String(length=4), nullable=False),
        sa.Column("sheet_row", sa.String(length=32), nullable=False),
        sa.Column("field", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("typed_at", sa.BigInteger(), nullable=False),
        sa.Column("typed_by", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["kommune_code"], ["kommune.code"], name=op.f("fk_typed_field_kommune_code")),
        sa.PrimaryKeyConstraint("kommune_code", "sheet_row", "field", name=op.f("pk_typed_field")),
    )
    op.create_table(
        "switchover",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kommune_code", sa.String(length=4), nullable=False),
        sa.Column("from_receiver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("to_receiver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.Column("planned_by", sa.Text(), nullable=False),
        sa.Column("carried_out_at", sa.BigInteger(), nullable=True),
        sa.Column("undoes_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(state = 'done') = (carried_out_at IS NOT NULL)", name=op.f("ck_switchover_done_has_its_time")
        ),
        sa.CheckConstraint("from_receiver_id <> to_receiver_id", name=op.f("ck_switchover_two_receivers")),
        sa.ForeignKeyConstraint(
            ["kommune_code", "from_receiver_id"],
            ["receiver.kommune_code", "receiver.id"],
            name="fk_switchover_from",
        ),
        sa.ForeignKeyConstraint(
            ["kommune_code", "to_receiver_id"],
            ["receiver.kommune_code", "receiver.id"],
            name="fk_switchover_to",
        ),
        sa.ForeignKeyConstraint(["kommune_code"], ["kommune.code"], name=op.f("fk_switchover_kommune_code")),
        sa.ForeignKeyConstraint(["undoes_id"], ["switchover.id"], name="fk_switchover_undoes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_switchover")),
    )
    op.create_index(
        "ix_switchover_due",
        "switchover",
        ["at"],
        unique=False,
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index("ix_switchover_kommune_code", "switchover", ["kommune_code"], unique=False)
    op.create_index(
        "uq_switchover_planned",
        "switchover",
        ["kommune_code"],
        unique=True,
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index(
        "uq_switchover_undone_once",
        "switchover",
        ["undoes_id"],
        unique=True,
        sqlite_where=sa.text("state <> 'cancelled'"),
        postgresql_where=sa.text("state <> 'cancelled'"),
    )
    op.create_table(
        "procedure",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kommune_code", sa.String(length=4), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("receiver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("noted_receiver_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("switchover_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["receiver_id"], ["receiver.id"], name=op.f("fk_procedure_receiver_id")),
        sa.ForeignKeyConstraint(
            ["noted_receiver_id"], ["noted_receiver.id"], name=op.f("fk_procedure_noted_receiver_id")
        ),
        sa.ForeignKeyConstraint(
            ["switchover_id"], ["switchover.id"], name=op.f("fk_procedure_switchover_id")
        ),
        sa.ForeignKeyConstraint(["kommune_code"], ["kommune.code"], name=op.f("fk_procedure_kommune_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_procedure")),
    )
    op.create_index(op.f("ix_procedure_kommune_code"), "procedure", ["kommune_code"], unique=False)
    op.create_table(
        "procedure_step",
        sa.Column("procedure_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("on_date", sa.String(length=10), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_procedure_step_procedure_id")
        ),
        sa.PrimaryKeyConstraint("procedure_id", "step", name=op.f("pk_procedure_step")),
    )
    op.create_table(
        "request",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kommune_code", sa.String(length=4), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("handed_in_at", sa.BigInteger(), nullable=False),
        sa.Column("handed_in_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("procedure_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(state = 'handed-in') = (decided_at IS NULL)", name=op.f("ck_request_decided_has_its_time")
        ),
        sa.CheckConstraint(
            "state <> 'returned' OR reason <> ''", name=op.f("ck_request_returned_with_a_reason")
        ),
        sa.ForeignKeyConstraint(["kommune_code"], ["kommune.code"], name=op.f("fk_request_kommune_code")),
        sa.ForeignKeyConstraint(["procedure_id"], ["procedure.id"], name=op.f("fk_request_procedure_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request")),
    )
    op.create_index("ix_request_kommune_code_state", "request", ["kommune_code", "state"], unique=False)
    op.add_column("connection", sa.Column("contact_note", sa.Text(), server_default="", nullable=False))
    op.add_column("connection", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.create_index(
        "ix_event_of_kommune",
        "event",
        ["kommune_code", "at"],
        unique=False,
        sqlite_where=sa.text("advis_id IS NULL"),
        postgresql_where=sa.text("advis_id IS NULL"),
    )
    op.add_column("receiver", sa.Column("area", sa.Text(), server_default="", nullable=False))
    op.add_column("receiver", sa.Column("agreed_by", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "receiver", sa.Column("agreement", sa.String(length=16), server_default="kladde", nullable=False)
    )
    op.add_column("receiver", sa.Column("agreement_dates", sa.Text(), server_default="{}", nullable=False))
    op.add_column(
        "receiver", sa.Column("certification", sa.String(length=16), server_default="ukendt", nullable=False)
    )
    op.add_column("receiver", sa.Column("certified_on", sa.String(length=10), nullable=True))
    op.add_column("receiver", sa.Column("connected_on", sa.String(length=10), nullable=True))
    op.add_column("receiver", sa.Column("only_kvittering", sa.Boolean(), server_default="0", nullable=False))
    op.add_column("receiver", sa.Column("monitored_from", sa.BigInteger(), nullable=True))
    op.add_column(
        "receiver", sa.Column("overview_enrolled", sa.Boolean(), server_default="0", nullable=False)
    )
    op.add_column("receiver", sa.Column("overview_emails", sa.Text(), server_default="", nullable=False))
    op.add_column("receiver", sa.Column("removed_by_force", sa.Boolean(), server_default="0", nullable=False))
    op.add_column("receiver", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.execute("INSERT INTO id_sequence (name, next_id) VALUES ('audit', 1)")
    for refusal in REFUSALS:
        for statement in refusal.statements(op.get_bind().dialect.name):
            op.execute(statement)
