"""what becomes of suspect demand"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("archived_at", sa.BigInteger(), nullable=True))
    op.add_column("orders", sa.Column("released_at", sa.BigInteger(), nullable=True))
    op.add_column("orders", sa.Column("released_for", sa.Text(), server_default="", nullable=False))
    op.add_column("orders", sa.Column("kept", sa.Boolean(), server_default=sa.false(), nullable=False))
    # Since when is not known: no earlier than it last changed here.
    op.execute("UPDATE orders SET archived_at = updated_at WHERE archived")
    op.add_column("shops", sa.Column("release_archived", sa.Integer(), nullable=True))
    op.add_column("shops", sa.Column("release_vanished", sa.Integer(), nullable=True))
    op.add_column("shops", sa.Column("release_unpaid", sa.Integer(), nullable=True))
    op.add_column("shops", sa.Column("unpaid_after", sa.Integer(), server_default="14", nullable=False))


def downgrade() -> None:
    for column in ("unpaid_after", "release_unpaid", "release_vanished", "release_archived"):
        op.drop_column("shops", column)
    for column in ("kept", "released_for", "released_at", "archived_at"):
        op.drop_column("orders", column)
