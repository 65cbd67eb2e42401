"""when the last fetch of a shop's orders began that was ingested whole"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shops", sa.Column("orders_read_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("shops", "orders_read_at")
