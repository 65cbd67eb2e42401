"""a request is known by its merchant and its id, whoever sent it

Where one id was used twice, by two callers or for two methods, the newer reply stays.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "DELETE FROM requests WHERE EXISTS (SELECT 1 FROM requests AS newer"
        " WHERE newer.merchant = requests.merchant AND newer.request_id = requests.request_id"
        " AND (newer.created_at, newer.principal, newer.method)"
        " > (requests.created_at, requests.principal, requests.method))"
    )
    _key("merchant", "request_id")


def downgrade() -> None:
    _key("merchant", "principal", "method", "request_id")


def _key(*names: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("pk_requests", "requests")
        op.create_primary_key("pk_requests", "requests", list(names))
        return
    op.create_table(
        "requests_next",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint(*names, name=op.f("pk_requests")),
    )
    columns = "merchant, principal, method, request_id, digest, response, created_at, revision"
    op.execute(f"INSERT INTO requests_next ({columns}) SELECT {columns} FROM requests")
    op.drop_table("requests")
    op.rename_table("requests_next", "requests")
    op.create_index("ix_requests_merchant_created_at", "requests", ["merchant", "created_at"])
