"""a link knows whether own orders came since its number was settled, and whether its shop says what
it reserves and commits"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("tells_states", "is_busy"):
        op.add_column("links", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    for name in ("tells_states", "is_busy"):
        op.drop_column("links", name)
