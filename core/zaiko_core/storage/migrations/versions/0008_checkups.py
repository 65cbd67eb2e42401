"""when a shop was looked at last, and when its credentials end"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shops", sa.Column("checked_at", sa.BigInteger(), nullable=True))
    op.add_column("shops", sa.Column("credentials_expire_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("shops", "credentials_expire_at")
    op.drop_column("shops", "checked_at")
