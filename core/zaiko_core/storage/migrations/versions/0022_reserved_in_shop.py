"""a link knows what its shop keeps off sale without an order, and the open units that the platform
counts where they differ from ours"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_UNITS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("links", sa.Column("reserved", _UNITS, server_default="0", nullable=False))
    op.add_column("links", sa.Column("witness_committed", _UNITS, nullable=True))
    op.add_column("links", sa.Column("witness_counted", _UNITS, nullable=True))
    op.add_column("links", sa.Column("witness_since", sa.BigInteger(), nullable=True))
    op.add_column("links", sa.Column("witness_is_found", sa.Boolean(), nullable=True))


def downgrade() -> None:
    for name in ("reserved", "witness_committed", "witness_counted", "witness_since", "witness_is_found"):
        op.drop_column("links", name)
