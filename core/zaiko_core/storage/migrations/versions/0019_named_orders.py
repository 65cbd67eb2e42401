"""orders that notifications name, until they are read"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shops", sa.Column("named_due_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "named_orders",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("named_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("due_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reads", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("merchant", "shop", "order_id", name=op.f("pk_named_orders")),
    )


def downgrade() -> None:
    op.drop_table("named_orders")
    op.drop_column("shops", "named_due_at")
