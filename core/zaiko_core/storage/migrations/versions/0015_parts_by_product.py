"""an index that has all that is asked of a product's links: without it SQLite reads all parts of
the merchant"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_link_parts_product", "link_parts", ["merchant", "product", "shop", "listing"])
    op.drop_index("ix_link_parts_merchant_product", table_name="link_parts")


def downgrade() -> None:
    op.create_index("ix_link_parts_merchant_product", "link_parts", ["merchant", "product"])
    op.drop_index("ix_link_parts_product", table_name="link_parts")
