"""What the fields of QueryRoot answer: searches, and things by their id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from graphql import GraphQLError

from zaiko_shopify.simulator import search
from zaiko_shopify.simulator.connections import Page, page_of
from zaiko_shopify.simulator.ids import gid, number_of
from zaiko_shopify.simulator.records import SimOrder, SimVariant
from zaiko_shopify.simulator.run import Info, Item, Run, node_of, require, run_of

_RECENT, _EVER = timedelta(days=60), timedelta(days=36_500)


def _require_approval(run: Run) -> None:
    if not run.platform.protected_data_approved:
        raise GraphQLError(
            "This app is not approved to access the Order object. See "
            "https://shopify.dev/docs/apps/launch/protected-customer-data for more details.",
            extensions={
                "code": "ACCESS_DENIED",
                "documentation": "https://shopify.dev/api/usage/access-scopes",
            },
        )


def _searched(
    info: Info,
    rows: Sequence[Any],
    text: str | None,
    readers: Mapping[str, search.Reader],
    enums: Mapping[str, frozenset[str]],
) -> list[Any]:
    if not text or not text.strip():
        return list(rows)
    run = run_of(info)
    parsed = search.parse(text, readers, enums)
    if parsed.warnings or run.debug:
        run.searches.append(parsed.extension([str(info.path.key)]))
    return [row for row in rows if parsed.matches(row, readers, run.shop.zone)]


_ORDER_STATUS = frozenset({"open", "closed", "cancelled", "not_closed", "any"})
_SHIPPED = {
    "UNFULFILLED": {"unshipped", "unfulfilled"},
    "PARTIALLY_FULFILLED": {"partial"},
    "FULFILLED": {"shipped", "fulfilled"},
}


def _status(order: SimOrder) -> frozenset[str]:
    if order.cancelled_at is not None:
        return frozenset({"cancelled", "any"})
    return frozenset({"closed", "any"} if order.closed_at else {"open", "not_closed", "any"})


def _orders(
    _: Any,
    info: Info,
    query: str | None = None,
    sortKey: str = "PROCESSED_AT",  # noqa: N803
    **paging: Any,
) -> Page:
    run = run_of(info)
    require(run, "read_orders", "orders")
    _require_approval(run)
    now = run.shop.precise_now()
    known = {order.number: order.indexed_at(now) for order in run.shop.orders.values()}
    oldest = now - (_EVER if "read_all_orders" in run.platform.scopes else _RECENT)
    rows = [
        order
        for order in run.shop.orders.values()
        if known[order.number] is not None and order.created_at >= oldest
    ]
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

    def key(order: SimOrder) -> tuple[Any, int]:
        match sortKey:
            case "UPDATED_AT":
                return known[order.number] or order.updated_at, order.number
            case "ID" | "ORDER_NUMBER":
                return order.number, order.number
        return order.created_at, order.number

    return page_of(rows, key, bulk=run.bulk, pages=run.platform.pages, **paging)


def _variants(
    _: Any,
    info: Info,
    query: str | None = None,
    sortKey: str = "ID",  # noqa: N803
    **paging: Any,
) -> Page:
    run = run_of(info)
    require(run, "read_products", "productVariants")
    rows = _searched(info, list(run.shop.variants.values()), query, _VARIANT_READERS, {})

    def key(variant: SimVariant) -> tuple[Any, int]:
        return (variant.sku or "" if sortKey == "SKU" else variant.number), variant.number

    return page_of(rows, key, bulk=run.bulk, pages=run.platform.pages, **paging)


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


def _variant_count(
    _: Any, info: Info, query: str | None = None, limit: int | None = 10_000
) -> dict[str, Any]:
    run = run_of(info)
    require(run, "read_products", "productVariantsCount")
    count = len(_searched(info, list(run.shop.variants.values()), query, _VARIANT_READERS, {}))
    capped = limit is not None and count > limit
    return {"count": limit if capped else count, "precision": "AT_LEAST" if capped else "EXACT"}


def _locations(
    _: Any,
    info: Info,
    includeInactive: bool = False,  # noqa: N803
    includeLegacy: bool = False,  # noqa: N803
    **paging: Any,
) -> Page:
    run = run_of(info)
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
        require(run_of(info), scope, str(info.field_name))
        if number_of(id, kind) is None:
            raise GraphQLError(f"Invalid id: {id}", extensions={"code": "RESOURCE_NOT_FOUND"})
        return node_of(run_of(info), id)

    return resolve


def _nodes(_: Any, info: Info, ids: list[str]) -> list[Any]:
    run = run_of(info)
    found = [node_of(run, identity) for identity in ids]
    if any(isinstance(node, SimOrder) for node in found):
        _require_approval(run)
    for kind, scope, name in (
        (SimOrder, "read_orders", "Order"),
        (Item, "read_inventory", "InventoryItem"),
    ):
        if any(isinstance(node, kind) for node in found):
            require(run, scope, name)
    return found


def _bulk_operation(_: Any, info: Info, id: str) -> Any:  # noqa: A002 - the argument's name
    return run_of(info).platform.bulk.polled(id)


QUERIES: dict[str, dict[str, Callable[..., Any]]] = {
    "QueryRoot": {
        "bulkOperation": _bulk_operation,
        "currentAppInstallation": lambda _, info: {
            "id": gid("AppInstallation", 1),
            "accessScopes": [
                {"handle": scope, "description": scope}
                for scope in sorted(run_of(info).platform.scopes)
            ],
        },
        "inventoryItem": _by_id("InventoryItem", "read_inventory"),
        "location": lambda _, info, id=None: (  # noqa: A006
            node_of(run_of(info), id) if id else run_of(info).shop.main
        ),
        "locations": _locations,
        "node": lambda _, info, id: _nodes(_, info, [id])[0],  # noqa: A006 - the argument's name
        "nodes": _nodes,
        "order": _by_id("Order", "read_orders"),
        "orders": _orders,
        "productVariant": _by_id("ProductVariant", "read_products"),
        "productVariants": _variants,
        "productVariantsCount": _variant_count,
        "shop": lambda _, info: run_of(info).shop,
    },
}
