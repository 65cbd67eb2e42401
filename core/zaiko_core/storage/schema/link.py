"""Links with what we believe that their shops show, the numbers that were sent to them, and the
differences that were found."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
    true,
)

from zaiko_core.storage.schema.columns import JSON_VALUE, count, id_, maybe_time, metadata, time

links = Table(
    "links",
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("listing"),
    Column("sync_enabled", Boolean, nullable=False),
    # What we believe the shop shows (domain/fence.py).
    Column("expected", Integer),
    count("unexplained"),
    time("unexplained_since"),
    count("uncertain"),
    count("released"),
    time("adopted_at"),
    Column("must_read", Boolean, nullable=False, server_default=true()),
    Column("pending_key", Text),
    Column("pending_quantity", Integer),
    Column("pending_absolute", Integer),
    maybe_time("pending_at"),
    Column("replaced", Integer),
    count("ineffective"),  # writes in a row without effect (ADR 0036)
    time("read_at"),  # when the shop's number was last read and settled (ADR 0013)
    maybe_time("differ_since"),  # in shadow (ADR 0018)
    # What the shop sold lately: units of the present period and of the previous one
    # (domain/escrow.py).
    time("sold_period"),
    count("sold_now"),
    count("sold_before"),
    # Work: when the link is to be handled next (null: nothing to do), and the revision of the
    # change that asked for it.
    maybe_time("due_at"),
    time("due_revision"),
    count("attempt"),
    # Status.
    id_("state"),
    Column("target", Integer),
    Column("confirmed", Integer),
    maybe_time("last_success_at"),
    maybe_time("last_attempt_at"),
    Column("problem", JSON_VALUE),
    time("created_at"),
    time("updated_at"),
    time("revision"),
    PrimaryKeyConstraint("merchant", "shop", "listing"),
    Index(
        "ix_links_audit",
        "merchant",
        "shop",
        "read_at",
        postgresql_where=text("sync_enabled"),
        sqlite_where=text("sync_enabled"),
    ),
    Index(
        "ix_links_due",
        "merchant",
        "shop",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
)

link_parts = Table(
    "link_parts",
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("listing"),
    id_("product"),
    count("units", 1),
    PrimaryKeyConstraint("merchant", "shop", "listing", "product"),
    Index(
        "ix_link_parts_product", "merchant", "product", "shop", "listing"
    ),  # covers what is asked of a product
    CheckConstraint("units >= 1", name="at_least_one"),
)

pushes = Table(
    "pushes",  # every write that was about to be sent (ADR 0011)
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("listing"),
    Column("at", BigInteger, nullable=False),
    id_("key"),
    Column("expected", Integer),  # what the shop was taken to show
    Column("target", Integer, nullable=False),
    Column("terms", JSON_VALUE, nullable=False),  # [[label, units], …]: target − Σ units = quantity
    Column("quantity", Integer, nullable=False),
    id_("outcome"),
    maybe_time("settled_at"),
    Column("settled_revision", BigInteger),
    Column("shown", Integer),  # what a reading that settled it showed
    time("revision"),
    PrimaryKeyConstraint("merchant", "shop", "listing", "at", "key"),
    Index(None, "merchant", "at"),
)

drifts = Table(
    "drifts",
    metadata,
    id_("merchant"),
    Column("at", BigInteger, nullable=False),
    id_("shop"),
    id_("listing"),
    id_("cause"),
    Column("expected", Integer, nullable=False),
    Column("shown", Integer, nullable=False),
    Column("held", Boolean, nullable=False),
    time("revision"),
    PrimaryKeyConstraint("merchant", "at", "shop", "listing"),
    Index(None, "merchant", "shop", "listing", "at"),
)
