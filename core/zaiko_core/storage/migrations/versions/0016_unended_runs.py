"""an index of the runs that have not ended: a claim asks whether its shop has one"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_RUNNING = sa.text("state = 'RUNNING'")


def upgrade() -> None:
    op.create_index("ix_runs_merchant_shop", "runs", ["merchant", "shop"], sqlite_where=_RUNNING, postgresql_where=_RUNNING)


def downgrade() -> None:
    op.drop_index("ix_runs_merchant_shop", table_name="runs")
