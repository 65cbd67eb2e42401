"""pushes, changes of reserves and escrow limits, oversells"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("merchants", sa.Column("explained_from", sa.BigInteger(), server_default="0", nullable=False))
    # What was pushed and reserved before was not written down.
    op.execute("UPDATE merchants SET explained_from = head")
    op.create_table(
        "pushes",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("listing", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("believed", sa.Integer(), nullable=True),
        sa.Column("target", sa.Integer(), nullable=False),
        sa.Column("terms", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_revision", sa.BigInteger(), nullable=True),
        sa.Column("shown", sa.Integer(), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("merchant", "shop", "listing", "at", "key", name=op.f("pk_pushes")),
    )
    op.create_index(op.f("ix_pushes_merchant_at"), "pushes", ["merchant", "at"])
    op.create_table(
        "stock_settings",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), server_default="0", nullable=False),
        *(
            sa.Column(name, sa.Integer(), server_default="0", nullable=False)
            for name in ("reserve_before", "reserve", "escrow_before", "escrow_below")
        ),
        sa.PrimaryKeyConstraint("merchant", "product", "revision", name=op.f("pk_stock_settings")),
    )
    op.create_index(op.f("ix_stock_settings_merchant_at"), "stock_settings", ["merchant", "at"])
    op.create_table(
        "oversells",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.Integer(), server_default="0", nullable=False),
        sa.Column("short", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("cleared_at", sa.BigInteger(), nullable=True),
        sa.Column("cleared_by", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("merchant", "seq", name=op.f("pk_oversells")),
    )
    op.create_index(op.f("ix_oversells_merchant_product_seq"), "oversells", ["merchant", "product", "seq"])
    op.create_index(
        "ix_oversells_open",
        "oversells",
        ["merchant", "product"],
        postgresql_where=sa.text("cleared_at IS NULL"),
        sqlite_where=sa.text("cleared_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("oversells")
    op.drop_table("stock_settings")
    op.drop_table("pushes")
    op.drop_column("merchants", "explained_from")
