"""What each field of the shop's objects shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zaiko_shopify.simulator.connections import Page, page_of
from zaiko_shopify.simulator.ids import gid, number_of, text_of
from zaiko_shopify.simulator.records import SimLine, SimOrder, SimRefund
from zaiko_shopify.simulator.run import Info, Item, ItemLevel, require, run_of


def _level(
    item: Item,
    info: Info,
    locationId: str,  # noqa: N803
    includeInactive: bool = False,  # noqa: N803
) -> ItemLevel | None:
    require(run_of(info), "read_inventory", "inventoryLevel")
    level = item.variant.levels.get(number_of(locationId, "Location") or 0)
    if level is None or not (level.active or includeInactive):
        return None
    return ItemLevel(item, level)


def _quantities(row: ItemLevel, info: Info, names: list[str]) -> list[dict[str, Any]]:
    level = row.level
    values = {"available": level.available, "committed": level.committed, "on_hand": level.on_hand}
    changed = text_of(level.changed_at)
    return [
        {
            "name": name,
            "quantity": values.get(name, 0),
            "updatedAt": changed if name in ("available", "committed") else None,
        }
        for name in names
    ]


def _unfulfilled(line: SimLine, info: Info) -> int:
    return line.to_ship + (
        line.removed if run_of(info).platform.unfulfilled_includes_refunded else 0
    )


def _line_page(order: SimOrder, info: Info, **paging: Any) -> Page:
    return page_of(
        order.lines, lambda line: (line.number, line.number), bulk=run_of(info).bulk, **paging
    )


def _refund_page(refund: SimRefund, info: Info, **paging: Any) -> Page:
    return page_of(
        refund.lines, lambda row: (row.number, row.number), bulk=run_of(info).bulk, **paging
    )


def _named(kind: str) -> dict[str, Callable[..., Any]]:
    return {
        "id": lambda row, _: gid(kind, row.number),
        "legacyResourceId": lambda row, _: str(row.number),
    }


_CONNECTION: dict[str, Callable[..., Any]] = {
    "nodes": lambda page, _: page.nodes,
    "edges": lambda page, _: [
        {"node": node, "cursor": page.cursors[index] if page.cursors else ""}
        for index, node in enumerate(page.nodes)
    ],
    "pageInfo": lambda page, _: {
        "hasNextPage": page.has_next,
        "hasPreviousPage": page.has_previous,
        "startCursor": page.cursors[0] if page.cursors else None,
        "endCursor": page.cursors[-1] if page.cursors else None,
    },
}

OBJECTS: dict[str, dict[str, Callable[..., Any]]] = {
    "Shop": {
        "id": lambda shop, _: gid("Shop", shop.account),
        "name": lambda shop, _: shop.title,
        "myshopifyDomain": lambda shop, _: shop.domain,
        "ianaTimezone": lambda shop, _: shop.zone,
    },
    "Location": {
        **_named("Location"),
        "isActive": lambda place, _: place.active,
        "fulfillsOnlineOrders": lambda place, _: place.sells_online,
        "isFulfillmentService": lambda place, _: place.of_service,
    },
    "Product": _named("Product"),
    "ProductVariant": {
        **_named("ProductVariant"),
        "displayName": lambda variant, _: (
            variant.product.title
            if variant.title == "Default Title"
            else f"{variant.product.title} - {variant.title}"
        ),
        "updatedAt": lambda variant, _: text_of(variant.updated_at),
        "inventoryPolicy": lambda variant, _: variant.policy,
        "inventoryQuantity": lambda variant, info: run_of(info).shop.sellable(variant),
        "requiresComponents": lambda variant, _: variant.bundle,
        "inventoryItem": lambda variant, _: Item(variant),
    },
    "InventoryItem": {
        "id": lambda item, _: gid("InventoryItem", item.variant.item_number),
        "legacyResourceId": lambda item, _: str(item.variant.item_number),
        "sku": lambda item, _: item.variant.sku,
        "tracked": lambda item, _: item.variant.tracked,
        "requiresShipping": lambda item, _: item.variant.requires_shipping,
        "updatedAt": lambda item, _: text_of(item.variant.updated_at),
        "duplicateSkuCount": lambda item, info: run_of(info).shop.duplicates(item.variant),
        "inventoryLevel": _level,
    },
    "InventoryLevel": {
        "id": lambda row, _: (
            f"gid://shopify/InventoryLevel/{row.level.location.number}?inventory_item_id={row.item.variant.item_number}"
        ),
        "isActive": lambda row, _: row.level.active,
        "quantities": _quantities,
        "location": lambda row, _: row.level.location,
    },
    "Order": {
        **_named("Order"),
        "createdAt": lambda order, _: text_of(order.created_at),
        "updatedAt": lambda order, _: text_of(order.updated_at),
        "processedAt": lambda order, _: text_of(order.created_at),
        "cancelledAt": lambda order, _: text_of(order.cancelled_at),
        "cancelReason": lambda order, _: order.cancel_reason,
        "closed": lambda order, _: order.closed_at is not None,
        "closedAt": lambda order, _: text_of(order.closed_at),
        "confirmed": lambda order, _: True,
        "displayFulfillmentStatus": lambda order, _: order.fulfilment,
        "displayFinancialStatus": lambda order, _: order.financial,
        "sourceName": lambda order, _: "web",
        "refunds": lambda order, _, first=None: order.refunds[:first],
        "lineItems": _line_page,
    },
    "LineItem": {
        "id": lambda line, _: gid("LineItem", line.number),
        "currentQuantity": lambda line, _: line.quantity - line.removed - line.returned,
        "refundableQuantity": lambda line, _: line.quantity - line.removed - line.returned,
        "unfulfilledQuantity": _unfulfilled,
        "nonFulfillableQuantity": lambda line, _: line.removed,
        "requiresShipping": lambda line, _: line.requires_shipping,
    },
    "Refund": {
        "id": lambda refund, _: gid("Refund", refund.number),
        "createdAt": lambda refund, _: text_of(refund.created_at),
        "refundLineItems": _refund_page,
    },
    "RefundLineItem": {
        "restockType": lambda row, _: row.restock_type,
        "restocked": lambda row, _: row.restock_type in ("CANCEL", "RETURN"),
        "lineItem": lambda row, _: row.line,
        "location": lambda row, _: row.line.location,
    },
    "LocationConnection": _CONNECTION,
    "ProductVariantConnection": _CONNECTION,
    "OrderConnection": _CONNECTION,
    "LineItemConnection": _CONNECTION,
    "RefundLineItemConnection": _CONNECTION,
}
