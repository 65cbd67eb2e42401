"""runs can be cancelled; what triggered a run is kept"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shops", sa.Column("triggered", sa.Integer(), server_default="0", nullable=False))
    op.add_column("shops", sa.Column("cancelled", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("shops", "cancelled")
    op.drop_column("shops", "triggered")
