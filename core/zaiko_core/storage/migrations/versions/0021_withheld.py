"""a link says what is withheld of its target, and why"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "links",
        sa.Column("withheld", sa.JSON(none_as_null=True), server_default="[]", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("links", "withheld")
