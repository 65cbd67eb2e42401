"""What is kept for people and for callers that repeat themselves: runs, operations, answered
requests, notifications that have come, and the change feed."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    text,
)

from zaiko_core.storage.schema.columns import (
    JSON_VALUE,
    count,
    id_,
    maybe_time,
    metadata,
    string,
    time,
)

runs = Table(
    "runs",
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("run"),
    id_("state"),
    id_("trigger"),
    Column("token", BigInteger, nullable=False),
    time("started_at"),
    time("started_revision"),
    maybe_time("ended_at"),
    Column("counts", JSON_VALUE, nullable=False),
    Column("problem", JSON_VALUE),
    time("revision"),
    PrimaryKeyConstraint("merchant", "shop", "run"),
    Index(
        None,
        "merchant",
        "shop",
        postgresql_where=text("state = 'RUNNING'"),
        sqlite_where=text("state = 'RUNNING'"),
    ),
)

operations = Table(
    "operations",
    metadata,
    id_("merchant"),
    id_("operation"),
    id_("kind"),
    id_("state"),
    string("shop"),
    Column("arguments", JSON_VALUE, nullable=False),
    count("done"),
    count("total"),
    Column("result", JSON_VALUE),
    Column("problem", JSON_VALUE),
    Column("cancel_asked", Boolean, nullable=False, server_default=false()),
    Column("owner", Text),
    maybe_time("lease_until"),
    time("created_at"),
    maybe_time("started_at"),
    maybe_time("ended_at"),
    time("revision"),
    PrimaryKeyConstraint("merchant", "operation"),
    Index(
        "ix_operations_open",
        "state",
        postgresql_where=text("ended_at IS NULL"),
        sqlite_where=text("ended_at IS NULL"),
    ),
)

requests = Table(
    "requests",
    metadata,
    id_("merchant"),
    id_("principal"),  # who asked first
    id_("method"),
    id_("request_id"),
    Column("digest", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    time("created_at"),
    time("revision"),
    PrimaryKeyConstraint("merchant", "request_id"),
    Index(None, "merchant", "created_at"),
)

webhook_deliveries = Table(
    "webhook_deliveries",  # notifications that have arrived, kept for a while (ADR 0014)
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("delivery"),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("merchant", "shop", "delivery"),
    Index(None, "merchant", "at"),
)

named_orders = Table(
    "named_orders",  # orders that notifications name, until they are read by id (ADR 0040)
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("order_id"),
    time("named_at"),
    time("due_at"),
    count("reads"),
    PrimaryKeyConstraint("merchant", "shop", "order_id"),
)

changes = Table(
    "changes",
    metadata,
    id_("merchant"),
    Column("revision", BigInteger, nullable=False),
    id_("kind"),
    id_("name"),
    time("at"),
    PrimaryKeyConstraint("merchant", "revision", "kind", "name"),
)
