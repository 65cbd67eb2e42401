"""orders that cannot be read, and lines that a shop leaves out"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    units = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("links", sa.Column("unshipped", units, server_default="0", nullable=False))
    op.add_column("orders", sa.Column("unreadable_at", sa.BigInteger(), nullable=True))
    op.add_column("orders", sa.Column("lines_missing_at", sa.BigInteger(), nullable=True))
    # An order that was never understood has no version.
    op.execute(
        "UPDATE orders SET unreadable_at = read_at"
        " WHERE version = 0 AND NOT state_known AND state = 'OPEN'"
    )
    op.create_index(
        "ix_orders_unreadable",
        "orders",
        ["merchant", "shop", "order_id"],
        postgresql_where=sa.text("unreadable_at IS NOT NULL"),
        sqlite_where=sa.text("unreadable_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_orders_unreadable", "orders")
    for column in ("lines_missing_at", "unreadable_at"):
        op.drop_column("orders", column)
    op.drop_column("links", "unshipped")
