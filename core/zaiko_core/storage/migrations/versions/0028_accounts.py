"""which account of its platform a shop is"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shops", sa.Column("account", sa.Text(), server_default="", nullable=False))
    op.add_column("shops", sa.Column("account_name", sa.Text(), server_default="", nullable=False))
    op.add_column("shops", sa.Column("account_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "accounts",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("shop", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "account", name=op.f("pk_accounts")),
    )
    op.create_index("ix_accounts_shop", "accounts", ["merchant", "shop"])


def downgrade() -> None:
    op.drop_table("accounts")
    op.drop_column("shops", "account_at")
    op.drop_column("shops", "account_name")
    op.drop_column("shops", "account")
