"""Several engines on one database"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sealing_key",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_sealing_key")),
    )
    op.create_table(
        "certificate",
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("use", sa.String(length=16), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=True),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("holder", "use", name=op.f("pk_certificate")),
    )
    op.create_table(
        "timekeeping_by_boot",
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("elapsed", sa.BigInteger(), nullable=False),
        sa.Column("wall", sa.BigInteger(), nullable=False),
        sa.Column("own", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("boot", name="pk_timekeeping_by_boot"),
    )
    op.execute("INSERT INTO timekeeping_by_boot SELECT boot, elapsed, wall, own FROM timekeeping")
    op.drop_table("timekeeping")
    op.rename_table("timekeeping_by_boot", "timekeeping")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_timekeeping_by_boot RENAME TO pk_timekeeping")
        # Made as varchar by earlier editions of 0001. SQLite heeds no length.
        for name in ("encounter_class", "encounter_status", "encoding"):
            op.alter_column("advis", name, type_=sa.Text())
    # What is counted by its numbers is numbered without gaps.
    op.execute(
        "INSERT INTO id_sequence (name, next_id) SELECT 'publication', coalesce(max(id), 0) + 1 FROM publication"
    )
    op.add_column("quarantine", sa.Column("handed_in", sa.Boolean(), server_default="0", nullable=False))
    op.create_index(
        "ix_quarantine_handed_in",
        "quarantine",
        ["id"],
        unique=False,
        sqlite_where=sa.text("handed_in = 1"),
        postgresql_where=sa.text("handed_in"),
    )
    # What is an engine's own has its machine and its home in its name.
    for name in ("pulse", "stall"):
        with op.batch_alter_table(name) as table:
            table.alter_column(
                "name", type_=sa.Text(), existing_type=sa.String(length=32), existing_nullable=False
            )
