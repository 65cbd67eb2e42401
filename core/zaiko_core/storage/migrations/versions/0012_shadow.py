"""everything but the write"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shops", sa.Column("shadow", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("links", sa.Column("differ_since", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("links", "differ_since")
    op.drop_column("shops", "shadow")
