"""how many writes in a row had no effect on a link's number"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("ineffective", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("links", "ineffective")
