"""the trace of the change that made a shop due"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shops", sa.Column("cause", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("shops", "cause")
