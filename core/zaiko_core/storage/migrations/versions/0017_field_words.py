"""columns are called by the field's words: a lease has a token, a trigger a sequence number, a write
is pending, units are unexplained or uncertain

A server of an older release cannot work with these names: stop every server before the first one of
this release is started (docs/operations/upgrade.md).
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None
oldest = "0017"

_SHOPS = {
    "wanted": "trigger_seq",
    "taken": "claimed_seq",
    "triggered": "pending_trigger",
    "cancelled": "cancelled_token",
    "fence": "lease_token",
    "cause": "trace_parent",
}
_LINKS = {
    "suspected": "unexplained",
    "suspected_since": "unexplained_since",
    "doubt": "uncertain",
    "taken_over_at": "adopted_at",
    "flight_key": "pending_key",
    "flight_quantity": "pending_quantity",
    "flight_absolute": "pending_absolute",
    "flight_at": "pending_at",
    "touched": "due_revision",
}
_TABLES = {"shops": _SHOPS, "links": _LINKS, "pushes": {"believed": "expected"}}


def upgrade() -> None:
    for table, names in _TABLES.items():
        for old, new in names.items():
            op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")


def downgrade() -> None:
    for table, names in _TABLES.items():
        for old, new in names.items():
            op.execute(f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}")
