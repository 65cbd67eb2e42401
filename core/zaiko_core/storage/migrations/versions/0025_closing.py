"""what a shop's own word counts for, refunds without restocking, and catalogues that orders ask for

Shops that exist begin with AUTO: their «shipped» frees units until the merchant's warehouse reports
what it does for orders of shops. What has been freed stays free.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)


def _units(name: str) -> sa.Column[Any]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, server_default="0", nullable=False)


def _time(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


_ADDED: dict[str, Callable[[], list[sa.Column[Any]]]] = {
    "demands": lambda: [
        _units("awaited"),
        _time("awaited_at"),
        sa.Column("frees", sa.Boolean(), server_default=sa.true(), nullable=False),
    ],
    "order_lines": lambda: [_units("unrestocked"), _units("settled")],
    "orders": lambda: [_units("doubtful")],
    "shops": lambda: [
        sa.Column("shipped_frees", sa.Text(), server_default="AUTO", nullable=False),
        sa.Column("keeps_unrestocked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("auto_link", sa.Text(), server_default="OFF", nullable=False),
        _time("catalogue_asked_at"),
        _count("catalogue_asks"),
        _time("catalogue_due_at"),
    ],
}


def _index(name: str, table: str, columns: list[str], only: str) -> None:
    where = sa.text(only)
    op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)


def upgrade() -> None:
    for table, columns in _ADDED.items():
        for column in columns():
            op.add_column(table, column)
    _index("ix_demands_unshipped", "demands", ["merchant", "awaited_at"], "awaited > shipped")
    _index("ix_orders_doubtful", "orders", ["merchant", "shop", "order_id"], "doubtful > 0")
    op.create_index("ix_orders_merchant_shop_number", "orders", ["merchant", "shop", "number"])


def downgrade() -> None:
    op.drop_index("ix_orders_merchant_shop_number", "orders")
    op.drop_index("ix_orders_doubtful", "orders")
    op.drop_index("ix_demands_unshipped", "demands")
    for table, columns in _ADDED.items():
        for column in columns():
            op.drop_column(table, column.name)
