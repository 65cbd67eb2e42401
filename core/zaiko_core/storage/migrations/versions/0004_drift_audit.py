"""the drift audit"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("replaced", sa.Integer(), nullable=True))
    op.add_column("links", sa.Column("read_at", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(
        "ix_links_audit",
        "links",
        ["merchant", "shop", "read_at"],
        postgresql_where=sa.text("sync_enabled"),
        sqlite_where=sa.text("sync_enabled"),
    )
    op.add_column("shops", sa.Column("audited_at", sa.BigInteger(), nullable=True))
    op.add_column("shops", sa.Column("hold_drift", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "drifts",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("listing", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("merchant", "at", "shop", "listing", name=op.f("pk_drifts")),
    )
    op.create_index(op.f("ix_drifts_merchant_shop_listing_at"), "drifts", ["merchant", "shop", "listing", "at"])


def downgrade() -> None:
    op.drop_table("drifts")
    op.drop_column("shops", "hold_drift")
    op.drop_column("shops", "audited_at")
    op.drop_index("ix_links_audit", "links")
    op.drop_column("links", "read_at")
    op.drop_column("links", "replaced")
