"""receipts that are added to one shop's number"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("receiving_only", sa.Text(), server_default="OFF", nullable=False))
    op.add_column("shops", sa.Column("additions_due_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "additions",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("addition", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("units", sa.Integer(), server_default="0", nullable=False),
        sa.Column("shop", sa.Text(), server_default="", nullable=False),
        sa.Column("listing", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("updated_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("merchant", "addition", name=op.f("pk_additions")),
    )
    op.create_index("ix_additions_merchant_product", "additions", ["merchant", "product"])
    op.create_index(
        "ix_additions_open",
        "additions",
        ["merchant", "shop", "listing"],
        postgresql_where=sa.text("state IN ('QUEUED', 'SENT')"),
        sqlite_where=sa.text("state IN ('QUEUED', 'SENT')"),
    )
    op.create_table(
        "addition_places",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("listing", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("base", sa.Integer(), nullable=True),
        sa.Column("units", sa.Integer(), nullable=True),
        sa.Column("base_at", sa.BigInteger(), nullable=True),
        sa.Column("base_until", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("seen", sa.Integer(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("seen_until", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("merchant", "shop", "listing", name=op.f("pk_addition_places")),
    )


def downgrade() -> None:
    op.drop_table("addition_places")
    op.drop_table("additions")
    op.drop_column("shops", "additions_due_at")
    op.drop_column("products", "receiving_only")
