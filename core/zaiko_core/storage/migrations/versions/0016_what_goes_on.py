"""indexes of the runs that have not ended and of the shops that are held: every claim asks for
both"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_HELD = sa.text("owner IS NOT NULL")
_RUNNING = sa.text("state = 'RUNNING'")


def upgrade() -> None:
    op.create_index("ix_runs_merchant_shop", "runs", ["merchant", "shop"], sqlite_where=_RUNNING, postgresql_where=_RUNNING)
    op.create_index("ix_shops_lease_until", "shops", ["lease_until"], sqlite_where=_HELD, postgresql_where=_HELD)


def downgrade() -> None:
    op.drop_index("ix_shops_lease_until", table_name="shops")
    op.drop_index("ix_runs_merchant_shop", table_name="runs")
