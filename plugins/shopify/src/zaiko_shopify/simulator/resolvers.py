"""What each field of the schema shows of the shop."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, GraphQLResolveInfo, GraphQLSchema

from zaiko_shopify.simulator import search
from zaiko_shopify.simulator.connections import Page, page_of
from zaiko_shopify.simulator.shop import Level, Line, Location, Order, Product, Refund, RefundedLine, Shop, Variant

if TYPE_CHECKING:
    from zaiko_shopify.simulator.platform import Platform

    Info = GraphQLResolveInfo[Any]
else:
    Info = GraphQLResolveInfo


_RECENT, _EVER = timedelta(days=60), timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Item:
    """The inventory item side of a variant."""

    variant: Variant


@dataclass(frozen=True, slots=True)
class ItemLevel:
    """A level, knowing its item."""

    item: Item
    level: Level


@dataclass(slots=True)
class Run:
    """One execution. `debug`: the search block was asked for. `bulk`: paging is off."""

    platform: Platform
    bulk: bool = False
    debug: bool = False
    searches: list[dict[str, Any]] = field(default_factory=list)

    @property
    def shop(self) -> Shop:
        """The shop that is asked about."""
        return self.platform.shop


def gid(kind: str, number: object) -> str:
    """A global id."""
    return f"gid://shopify/{kind}/{number}"


def text_of(moment: datetime | None) -> str | None:
    """A DateTime."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def number_of(identity: str, kind: str) -> int | None:
    """The number in a global id of this kind, else None."""
    match = re.fullmatch(rf"gid://shopify/{kind}/(\d+)", identity)
    return int(match[1]) if match else None


def node_of(run: Run, identity: str) -> Any:
    """What a global id names, or None."""
    shop = run.shop
    found: Callable[[str, Mapping[int, Any]], Any] = lambda kind, rows: rows.get(number_of(identity, kind) or 0)  # noqa: E731
    variant = found("InventoryItem", shop.items)
    if variant is not None:
        return Item(variant)
    return (
        found("ProductVariant", shop.variants)
        or found("Order", shop.orders)
        or found("Location", shop.locations)
        or run.platform.bulk.operations.get(identity)
    )


def require(run: Run, scope: str, what: str) -> None:
    """Raises ACCESS_DENIED."""
    scopes = run.platform.scopes
    if scope in scopes or scope.replace("read_", "write_") in scopes:
        return
    raise GraphQLError(
        f"Access denied for {what} field. Required access: `{scope}` access scope.",
        extensions={
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
            "requiredAccess": f"`{scope}` access scope.",
        },
    )


def _require_approval(run: Run) -> None:
    if not run.platform.protected_data_approved:
        raise GraphQLError(
            "This app is not approved to access the Order object. "
            "See https://shopify.dev/docs/apps/launch/protected-customer-data for more details.",
            extensions={"code": "ACCESS_DENIED", "documentation": "https://shopify.dev/api/usage/access-scopes"},
        )


def attach(schema: GraphQLSchema, resolvers: Mapping[str, Mapping[str, Callable[..., Any]]]) -> None:
    """Put resolvers on the fields of a schema."""
    for name, fields in resolvers.items():
        kind: Any = schema.type_map[name]
        for each, resolve in fields.items():
            kind.fields[each].resolve = resolve


def type_name(value: Any, *_: Any) -> str:
    """Which type of the schema implements Node for this object."""
    names = {Item: "InventoryItem", ItemLevel: "InventoryLevel", Variant: "ProductVariant"}
    return names.get(type(value), type(value).__name__)


# Searches


def _run(info: Info) -> Run:
    run = info.context
    assert isinstance(run, Run)
    return run


def _searched(
    info: Info,
    rows: Sequence[Any],
    text: str | None,
    readers: Mapping[str, search.Reader],
    enums: Mapping[str, frozenset[str]],
) -> list[Any]:
    if not text or not text.strip():
        return list(rows)
    run = _run(info)
    parsed = search.parse(text, readers, enums)
    if parsed.warnings or run.debug:
        run.searches.append(parsed.extension([str(info.path.key)]))
    return [row for row in rows if parsed.matches(row, readers, run.shop.zone)]


_ORDER_STATUS = frozenset({"open", "closed", "cancelled", "not_closed", "any"})
_SHIPPED = {"UNFULFILLED": {"unshipped", "unfulfilled"}, "PARTIALLY_FULFILLED": {"partial"}, "FULFILLED": {"shipped", "fulfilled"}}


def _status(order: Order) -> frozenset[str]:
    if order.cancelled_at is not None:
        return frozenset({"cancelled", "any"})
    return frozenset({"closed", "any"} if order.closed_at else {"open", "not_closed", "any"})


def _orders(_: Any, info: Info, query: str | None = None, sortKey: str = "PROCESSED_AT", **paging: Any) -> Page:  # noqa: N803
    run = _run(info)
    require(run, "read_orders", "orders")
    _require_approval(run)
    now = run.shop.precise_now()
    known = {order.number: order.indexed_at(now) for order in run.shop.orders.values()}
    oldest = now - (_EVER if "read_all_orders" in run.platform.scopes else _RECENT)
    rows = [order for order in run.shop.orders.values() if known[order.number] is not None and order.created_at >= oldest]
    readers: dict[str, search.Reader] = {
        "updated_at": lambda order: known[order.number],
        "created_at": lambda order: order.created_at,
        "processed_at": lambda order: order.created_at,
        "id": lambda order: order.number,
        "name": lambda order: order.name,
        "status": _status,
        "fulfillment_status": lambda order: frozenset(_SHIPPED.get(order.fulfilment, set())),
        "financial_status": lambda order: frozenset({(order.financial or "").lower()}),
        "test": lambda order: order.test,
        "sku": lambda order: frozenset((line.sku or "").lower() for line in order.lines),
    }
    rows = _searched(info, rows, query, readers, {"status": _ORDER_STATUS})

    def key(order: Order) -> tuple[Any, int]:
        match sortKey:
            case "UPDATED_AT":
                return known[order.number] or order.updated_at, order.number
            case "ID" | "ORDER_NUMBER":
                return order.number, order.number
        return order.created_at, order.number

    return page_of(rows, key, bulk=run.bulk, **paging)


def _variants(_: Any, info: Info, query: str | None = None, sortKey: str = "ID", **paging: Any) -> Page:  # noqa: N803
    run = _run(info)
    require(run, "read_products", "productVariants")
    rows = _searched(info, list(run.shop.variants.values()), query, _VARIANT_READERS, {})

    def key(variant: Variant) -> tuple[Any, int]:
        return (variant.sku or "" if sortKey == "SKU" else variant.number), variant.number

    return page_of(rows, key, bulk=run.bulk, **paging)


_VARIANT_READERS: dict[str, search.Reader] = {
    "sku": lambda variant: variant.sku,
    "barcode": lambda variant: variant.barcode,
    "id": lambda variant: variant.number,
    "product_id": lambda variant: variant.product.number,
    "product_ids": lambda variant: frozenset({str(variant.product.number)}),
    "product_status": lambda variant: frozenset({variant.product.status.lower()}),
    "title": lambda variant: variant.title,
    "updated_at": lambda variant: variant.updated_at,
}


def _variant_count(_: Any, info: Info, query: str | None = None, limit: int | None = 10_000) -> dict[str, Any]:
    run = _run(info)
    require(run, "read_products", "productVariantsCount")
    count = len(_searched(info, list(run.shop.variants.values()), query, _VARIANT_READERS, {}))
    capped = limit is not None and count > limit
    return {"count": limit if capped else count, "precision": "AT_LEAST" if capped else "EXACT"}


def _locations(_: Any, info: Info, includeInactive: bool = False, includeLegacy: bool = False, **paging: Any) -> Page:  # noqa: N803
    run = _run(info)
    require(run, "read_locations", "locations")
    rows = [
        place
        for place in run.shop.locations.values()
        if (place.active or includeInactive) and (includeLegacy or not place.of_service)
    ]
    paging.pop("query", None), paging.pop("sortKey", None)
    return page_of(rows, lambda place: (place.name, place.number), bulk=run.bulk, **paging)


def _by_id(kind: str, scope: str) -> Callable[..., Any]:
    def resolve(_: Any, info: Info, id: str) -> Any:  # noqa: A002 - the argument's name
        require(_run(info), scope, str(info.field_name))
        if number_of(id, kind) is None:
            raise GraphQLError(f"Invalid id: {id}", extensions={"code": "RESOURCE_NOT_FOUND"})
        return node_of(_run(info), id)

    return resolve


def _nodes(_: Any, info: Info, ids: list[str]) -> list[Any]:
    run = _run(info)
    found = [node_of(run, identity) for identity in ids]
    if any(isinstance(node, Order) for node in found):
        _require_approval(run)
    for kind, scope, name in ((Order, "read_orders", "Order"), (Item, "read_inventory", "InventoryItem")):
        if any(isinstance(node, kind) for node in found):
            require(run, scope, name)
    return found


def _bulk_operation(_: Any, info: Info, id: str) -> Any:  # noqa: A002 - the argument's name
    return _run(info).platform.bulk.polled(id)


# Objects


def _level(item: Item, info: Info, locationId: str, includeInactive: bool = False) -> ItemLevel | None:  # noqa: N803
    require(_run(info), "read_inventory", "inventoryLevel")
    level = item.variant.levels.get(number_of(locationId, "Location") or 0)
    if level is None or not (level.active or includeInactive):
        return None
    return ItemLevel(item, level)


def _quantities(row: ItemLevel, info: Info, names: list[str]) -> list[dict[str, Any]]:
    level = row.level
    values = {"available": level.available, "committed": level.committed, "on_hand": level.on_hand}
    touched = text_of(level.touched_at)
    return [
        {"name": name, "quantity": values.get(name, 0), "updatedAt": touched if name in ("available", "committed") else None}
        for name in names
    ]


def _unfulfilled(line: Line, info: Info) -> int:
    return line.to_ship + (line.removed if _run(info).platform.unfulfilled_includes_refunded else 0)


def _line_page(order: Order, info: Info, **paging: Any) -> Page:
    return page_of(order.lines, lambda line: (line.number, line.number), bulk=_run(info).bulk, **paging)


def _refund_page(refund: Refund, info: Info, **paging: Any) -> Page:
    return page_of(refund.lines, lambda row: (row.number, row.number), bulk=_run(info).bulk, **paging)


def _named(kind: str) -> dict[str, Callable[..., Any]]:
    return {"id": lambda row, _: gid(kind, row.number), "legacyResourceId": lambda row, _: str(row.number)}


_CONNECTION: dict[str, Callable[..., Any]] = {
    "nodes": lambda page, _: page.nodes,
    "edges": lambda page, _: [
        {"node": node, "cursor": page.cursors[index] if page.cursors else ""} for index, node in enumerate(page.nodes)
    ],
    "pageInfo": lambda page, _: {
        "hasNextPage": page.has_next,
        "hasPreviousPage": page.has_previous,
        "startCursor": page.cursors[0] if page.cursors else None,
        "endCursor": page.cursors[-1] if page.cursors else None,
    },
}

QUERIES: dict[str, dict[str, Callable[..., Any]]] = {
    "QueryRoot": {
        "bulkOperation": _bulk_operation,
        "currentAppInstallation": lambda _, info: {
            "id": gid("AppInstallation", 1),
            "accessScopes": [{"handle": scope, "description": scope} for scope in sorted(_run(info).platform.scopes)],
        },
        "inventoryItem": _by_id("InventoryItem", "read_inventory"),
        "location": lambda _, info, id=None: node_of(_run(info), id) if id else _run(info).shop.main,  # noqa: A006 - the argument's name
        "locations": _locations,
        "node": lambda _, info, id: _nodes(_, info, [id])[0],  # noqa: A006 - the argument's name
        "nodes": _nodes,
        "order": _by_id("Order", "read_orders"),
        "orders": _orders,
        "productVariant": _by_id("ProductVariant", "read_products"),
        "productVariants": _variants,
        "productVariantsCount": _variant_count,
        "shop": lambda _, info: _run(info).shop,
    },
    "Shop": {
        "id": lambda shop, _: gid("Shop", 1),
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
            variant.product.title if variant.title == "Default Title" else f"{variant.product.title} - {variant.title}"
        ),
        "updatedAt": lambda variant, _: text_of(variant.updated_at),
        "inventoryPolicy": lambda variant, _: variant.policy,
        "inventoryQuantity": lambda variant, info: _run(info).shop.sellable(variant),
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
        "duplicateSkuCount": lambda item, info: _run(info).shop.duplicates(item.variant),
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

__all__ = ["QUERIES", "Item", "ItemLevel", "Location", "Product", "RefundedLine", "Run", "attach", "gid", "number_of", "require"]
