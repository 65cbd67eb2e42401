"""units have 64 bits: what one caller gives is bounded, a sum of orders is not

SQLite's INTEGER has them already. PostgreSQL rewrites each table once.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_UNITS = {
    "addition_places": "base units seen",
    "additions": "units",
    "allocations": "alloc",
    "demands": "wanted fulfilled shipped alloc",
    "drifts": "expected shown",
    "link_parts": "units",
    "links": "expected unexplained uncertain released pending_quantity pending_absolute replaced "
    "sold_now sold_before target confirmed",
    "listings": "quantity",
    "movements": "physical allocated ordered unallocated",
    "order_lines": "ordered cancelled fulfilled",
    "orders": "holds",
    "oversells": "units short",
    "pushes": "expected target quantity shown",
    "stock": "physical allocated ordered unallocated reserve escrow_below",
    "stock_settings": "reserve_before reserve escrow_before escrow_below",
    "warehouse_stock": "physical allocated",
}


def upgrade() -> None:
    _retype("BIGINT")


def downgrade() -> None:
    _retype("INTEGER")


def _retype(kind: str) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in _UNITS.items():
        changes = ", ".join(f"ALTER COLUMN {column} TYPE {kind}" for column in columns.split())
        op.execute(f"ALTER TABLE {table} {changes}")
