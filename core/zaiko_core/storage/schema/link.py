"""Links with what we believe that their shops show, the numbers that were sent to them, and the
differences that were found."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    text,
    true,
)

from zaiko_core.storage.schema.columns import (
    JSON_VALUE,
    UNITS,
    count,
    id_,
    maybe_time,
    metadata,
    terms,
    time,
    units,
)

links = Table(
    "links",
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("listing"),
    Column("sync_enabled", Boolean, nullable=False),
    # What we believe the shop shows (domain/fence.py).
    Column("expected", UNITS),
    units("unexplained"),
    time("unexplained_since"),
    units("uncertain"),
    units("released"),
    units("unshipped"),
    time("adopted_at"),
    time("matched_at"),
    Column("must_read", Boolean, nullable=False, server_default=true()),
    Column("pending_key", Text),
    Column("pending_quantity", UNITS),
    Column("pending_absolute", UNITS),
    maybe_time("pending_at"),
    Column("replaced", UNITS),
    units("reserved"),
    Column("tells_states", Boolean, nullable=False, server_default=false()),
    Column("is_busy", Boolean, nullable=False, server_default=false()),
    count("ineffective"),  # writes in a row without effect (ADR 0036)
    time("read_at"),  # when the shop's number was last read and settled (ADR 0013)
    maybe_time("differ_since"),  # in shadow (ADR 0018)
    # The open units that the platform and we count, while they differ (domain/open_counts.py).
    Column("open_counts_committed", UNITS),
    Column("open_counts_counted", UNITS),
    maybe_time("open_counts_since"),
    Column("open_counts_is_found", Boolean),
    # What the shop sold lately: units of the present period and of the previous one
    # (domain/escrow.py).
    time("sold_period"),
    units("sold_now"),
    units("sold_before"),
    # Work: when the link is to be handled next (null: nothing to do), and the revision of the
    # change that asked for it.
    maybe_time("due_at"),
    time("due_revision"),
    time("settled_revision"),  # while it is not SYNCED: its shop shows what was so then (ADR 0039)
    count("attempt"),
    # Status.
    id_("state"),
    Column("target", UNITS),
    terms("withheld"),  # target − Σ units = what the shop is to show (domain/push.py)
    Column("confirmed", UNITS),
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
        "ix_links_missing",
        "merchant",
        "shop",
        "listing",
        postgresql_where=text("unexplained_since > 0"),
        sqlite_where=text("unexplained_since > 0"),
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
    units("units", 1),
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
    Column("expected", UNITS),  # what the shop was taken to show
    Column("target", UNITS, nullable=False),
    Column("terms", JSON_VALUE, nullable=False),  # [[label, units], …]: target − Σ units = quantity
    Column("quantity", UNITS, nullable=False),
    id_("outcome"),
    maybe_time("settled_at"),
    Column("settled_revision", BigInteger),
    Column("shown", UNITS),  # what a reading that settled it showed
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
    Column("expected", UNITS, nullable=False),
    Column("shown", UNITS, nullable=False),
    Column("held", Boolean, nullable=False),
    time("revision"),
    PrimaryKeyConstraint("merchant", "at", "shop", "listing"),
    Index(None, "merchant", "shop", "listing", "at"),
)
