"""The journal, the balances, the demands behind them, and what people set per product."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
    true,
)

from zaiko_core.storage.schema.columns import id_, metadata, string, time, units

stock = Table(
    "stock",
    metadata,
    id_("merchant"),
    id_("product"),
    units("physical"),
    units("allocated"),
    units("ordered"),
    units("unallocated"),
    units("reserve"),
    units("escrow_below"),  # in escrow while synced is at most this; 0: never (ADR 0012)
    time("updated_at"),
    time("revision"),
    PrimaryKeyConstraint("merchant", "product"),
    CheckConstraint("ordered = allocated + unallocated", name="both_forms_of_free_agree"),
    CheckConstraint(
        "physical >= 0 AND allocated >= 0 AND unallocated >= 0 AND reserve >= 0",
        name="not_negative",
    ),
)

warehouse_stock = Table(
    "warehouse_stock",
    metadata,
    id_("merchant"),
    id_("product"),
    id_("warehouse"),
    units("physical"),
    units("allocated"),
    PrimaryKeyConstraint("merchant", "product", "warehouse"),
    CheckConstraint("physical >= 0 AND allocated >= 0", name="not_negative"),
)

movements = Table(
    "movements",
    metadata,
    id_("merchant"),
    Column("seq", BigInteger, nullable=False),
    id_("product"),
    string("warehouse"),
    id_("kind"),
    units("physical"),
    units("allocated"),
    units("ordered"),
    units("unallocated"),
    string("shop"),
    string("order_id"),
    id_("cause"),
    string("note"),
    time("occurred_at"),
    time("recorded_at"),
    time("revision"),
    time("as_of"),  # the revision that a count was as of (ADR 0038)
    PrimaryKeyConstraint("merchant", "seq"),
    UniqueConstraint("merchant", "cause"),
    Index(None, "merchant", "product", "seq"),
)

demands = Table(
    "demands",
    metadata,
    id_("merchant"),
    string("shop"),  # empty for a warehouse's own shipment
    id_("order_id"),
    id_("product"),
    units("wanted"),
    units("fulfilled"),
    units("shipped"),
    units("alloc"),
    # Shipped as the shop says, and for the warehouse to report (ADR 0035).
    units("awaited"),
    time("awaited_at"),
    Column("frees", Boolean, nullable=False, server_default=true()),
    PrimaryKeyConstraint("merchant", "shop", "order_id", "product"),
    Index(None, "merchant", "product"),
    Index(
        "ix_demands_unshipped",
        "merchant",
        "awaited_at",
        postgresql_where=text("awaited > shipped"),
        sqlite_where=text("awaited > shipped"),
    ),
)

allocations = Table(
    "allocations",
    metadata,
    id_("merchant"),
    string("shop"),
    id_("order_id"),
    id_("product"),
    id_("warehouse"),
    units("alloc"),
    PrimaryKeyConstraint("merchant", "shop", "order_id", "product", "warehouse"),
    CheckConstraint("alloc >= 0", name="not_negative"),
)

stock_settings = Table(
    "stock_settings",  # changes of what people set per product
    metadata,
    id_("merchant"),
    id_("product"),
    Column("revision", BigInteger, nullable=False),
    time("at"),
    units("reserve_before"),
    units("reserve"),
    units("escrow_before"),
    units("escrow_below"),
    PrimaryKeyConstraint("merchant", "product", "revision"),
    Index(None, "merchant", "at"),
)
