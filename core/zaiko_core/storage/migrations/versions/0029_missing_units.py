"""when a shop's number was last right, and how many of its orders cannot be read"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("matched_at", sa.BigInteger(), server_default="0", nullable=False))
    op.execute("UPDATE links SET matched_at = read_at")
    op.create_index(
        "ix_links_missing",
        "links",
        ["merchant", "shop", "listing"],
        postgresql_where=sa.text("unexplained_since > 0"),
        sqlite_where=sa.text("unexplained_since > 0"),
    )
    op.add_column(
        "shops", sa.Column("unreadable_orders", sa.Integer(), server_default="0", nullable=False)
    )
    op.execute(
        "UPDATE shops SET unreadable_orders = (SELECT count(*) FROM orders"
        " WHERE orders.merchant = shops.merchant AND orders.shop = shops.shop"
        " AND orders.unreadable_at IS NOT NULL AND orders.released_at IS NULL)"
    )


def downgrade() -> None:
    op.drop_column("shops", "unreadable_orders")
    op.drop_index("ix_links_missing", "links")
    op.drop_column("links", "matched_at")
