"""Orders with their lines."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, PrimaryKeyConstraint, Table, false, text, true

from zaiko_core.storage.schema.columns import (
    JSON_VALUE,
    count,
    id_,
    maybe_time,
    metadata,
    string,
    time,
    units,
)

orders = Table(
    "orders",
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("order_id"),
    string("number"),
    time("version"),
    time("read_at"),
    id_("state"),
    Column("state_known", Boolean, nullable=False, server_default=true()),
    string("platform_state"),
    Column("archived", Boolean, nullable=False, server_default=false()),
    Column("paid", Boolean),
    time("placed_at"),
    maybe_time("vanished_at"),
    maybe_time("archived_at"),
    maybe_time("released_at"),  # ADR 0022
    string("released_for"),
    Column("kept", Boolean, nullable=False, server_default=false()),
    maybe_time("unreadable_at"),  # since when what is in it cannot be read (ADR 0034)
    maybe_time("lines_missing_at"),
    count("applied"),
    units("holds"),  # units still open by the shop's account
    Column(
        "uncounted", Boolean, nullable=False, server_default=false()
    ),  # has a line that is counted for no product
    units("doubtful"),  # units refunded without restocking, with which nobody has dealt (ADR 0035)
    time("created_at"),
    time("updated_at"),
    time("revision"),
    PrimaryKeyConstraint("merchant", "shop", "order_id"),
    Index(
        "ix_orders_holding",
        "merchant",
        "shop",
        "order_id",
        postgresql_where=text("holds > 0"),
        sqlite_where=text("holds > 0"),
    ),
    Index(
        "ix_orders_unreadable",
        "merchant",
        "shop",
        "order_id",
        postgresql_where=text("unreadable_at IS NOT NULL"),
        sqlite_where=text("unreadable_at IS NOT NULL"),
    ),
    Index(
        "ix_orders_doubtful",
        "merchant",
        "shop",
        "order_id",
        postgresql_where=text("doubtful > 0"),
        sqlite_where=text("doubtful > 0"),
    ),
    Index(None, "merchant", "shop", "number"),
)

order_lines = Table(
    "order_lines",
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("order_id"),
    id_("line"),
    string("listing"),
    string("sku"),
    string("title"),
    units("ordered"),
    units("cancelled"),
    units("fulfilled"),
    units("unrestocked"),
    units("settled"),
    Column("parts", JSON_VALUE),  # null: not counted; [[product, count], …]
    PrimaryKeyConstraint("merchant", "shop", "order_id", "line"),
    Index(None, "merchant", "shop", "listing"),
)
