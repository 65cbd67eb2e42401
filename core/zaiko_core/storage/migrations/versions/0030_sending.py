"""until when a shop's orders are read and its numbers are not sent"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shops", sa.Column("sending_retry_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("shops", "sending_retry_at")
