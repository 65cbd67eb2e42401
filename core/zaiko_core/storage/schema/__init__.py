"""The tables. Every one leads with the merchant. Times are µs since 1970 (BIGINT) on both stores;
`revision` is the merchant's revision of the last change. Changes to these files need a migration
(`../migrations/README.md`)."""

# The modules are named in the singular: `schema.links` is the table.

from zaiko_core.storage.schema.addition import addition_places, additions
from zaiko_core.storage.schema.catalogue import merchants, products, warehouses
from zaiko_core.storage.schema.columns import metadata
from zaiko_core.storage.schema.history import (
    changes,
    named_orders,
    operations,
    requests,
    runs,
    webhook_deliveries,
)
from zaiko_core.storage.schema.installation import accounts, system, tokens
from zaiko_core.storage.schema.journal import (
    allocations,
    demands,
    movements,
    stock,
    stock_settings,
    warehouse_stock,
)
from zaiko_core.storage.schema.link import drifts, link_parts, links, pushes
from zaiko_core.storage.schema.order import order_lines, orders
from zaiko_core.storage.schema.oversell import oversells
from zaiko_core.storage.schema.shop import listings, shop_states, shops

__all__ = [
    "accounts",
    "addition_places",
    "additions",
    "allocations",
    "changes",
    "demands",
    "drifts",
    "link_parts",
    "links",
    "listings",
    "merchants",
    "metadata",
    "movements",
    "named_orders",
    "operations",
    "order_lines",
    "orders",
    "oversells",
    "products",
    "pushes",
    "requests",
    "runs",
    "shop_states",
    "shops",
    "stock",
    "stock_settings",
    "system",
    "tokens",
    "warehouse_stock",
    "warehouses",
    "webhook_deliveries",
]
