"""when a shop's orders last brought something new"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shops", sa.Column("ordered_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("shops", "ordered_at")
