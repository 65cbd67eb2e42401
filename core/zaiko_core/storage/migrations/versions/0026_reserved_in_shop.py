"""a link knows what its shop keeps off sale without an order, and the open units that the platform
counts where they differ from ours"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_UNITS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("links", sa.Column("reserved", _UNITS, server_default="0", nullable=False))
    op.add_column("links", sa.Column("open_counts_committed", _UNITS, nullable=True))
    op.add_column("links", sa.Column("open_counts_counted", _UNITS, nullable=True))
    op.add_column("links", sa.Column("open_counts_since", sa.BigInteger(), nullable=True))
    op.add_column("links", sa.Column("open_counts_is_found", sa.Boolean(), nullable=True))


def downgrade() -> None:
    for name in ("reserved", "open_counts_committed", "open_counts_counted", "open_counts_since", "open_counts_is_found"):
        op.drop_column("links", name)
