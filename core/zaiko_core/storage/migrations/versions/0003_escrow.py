"""escrow of scarce goods"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stock", sa.Column("escrow_below", sa.Integer(), server_default="0", nullable=False))
    op.add_column("links", sa.Column("sold_period", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("links", sa.Column("sold_now", sa.Integer(), server_default="0", nullable=False))
    op.add_column("links", sa.Column("sold_before", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    for column in ("sold_before", "sold_now", "sold_period"):
        op.drop_column("links", column)
    op.drop_column("stock", "escrow_below")
