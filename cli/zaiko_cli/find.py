"""Find resource names from what a person types: a product by code or id, a listing by SKU or id,
the only warehouse."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable

import grpc
from zaiko.v1 import (
    listing_pb2,
    order_service_pb2,
    product_service_pb2,
    shop_service_pb2,
    warehouse_service_pb2,
)

from zaiko_cli.client import ApiClient
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.names import CHOSEN_ID, is_listing
from zaiko_cli.show import last

_BATCH = 1000


def product(client: ApiClient, typed: str) -> str:
    """Return the name of the product with this code, or else with this id. Raises Failed if there
    is none."""
    return products(client, [typed])[0]


def products(client: ApiClient, typed: Iterable[str]) -> list[str]:
    """Return the names of several products, in the same order."""
    wanted = list(typed)
    request = product_service_pb2.ListProductsRequest(parent=client.parent)
    request.filter.codes.extend({item for item in wanted if not item.startswith("merchants/")})
    found = (
        {p.code: p.name for p in client.pages(client.products.ListProducts, request, "products")}
        if request.filter.codes
        else {}
    )
    return [found.get(item) or _as_id(client, item) for item in wanted]


def _as_id(client: ApiClient, typed: str) -> str:
    if typed.startswith("merchants/"):
        return typed
    if re.fullmatch(CHOSEN_ID, typed):
        name = f"{client.parent}/products/{typed}"
        request = product_service_pb2.BatchGetProductsRequest(parent=client.parent, names=[name])
        with contextlib.suppress(grpc.RpcError):
            return client.call(client.products.BatchGetProducts, request).products[0].name
    raise Failed(
        f"No product has the code or id {typed!r}. See `zaiko products list`, or create it "
        "with `zaiko products create`."
    )


def codes(client: ApiClient, names: Iterable[str]) -> dict[str, str]:
    """Return the codes of products by name."""
    wanted = sorted(set(names))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _BATCH):
        request = product_service_pb2.BatchGetProductsRequest(
            parent=client.parent, names=wanted[start : start + _BATCH]
        )
        found |= {
            item.name: item.code
            for item in client.call(client.products.BatchGetProducts, request).products
        }
    return found


def warehouse(client: ApiClient, typed: str) -> str:
    """Return the name of the warehouse with this id, or of the only warehouse if `typed` is empty.
    Raises Failed if there are several, or none."""
    if typed:
        return client.name("warehouses", typed)
    request = warehouse_service_pb2.ListWarehousesRequest(parent=client.parent, page_size=10)
    names = [
        item.name for item in client.call(client.warehouses.ListWarehouses, request).warehouses
    ]
    if len(names) == 1:
        return names[0]
    if not names:
        raise Failed("There is no warehouse yet. Create one with `zaiko warehouses create ID`.")
    raise Failed(
        f"Which warehouse? Say it with --warehouse; there are {', '.join(map(last, names))}.", USAGE
    )


def listing(client: ApiClient, shop: str, typed: str) -> str:
    """Return the name of the listing of a shop with this SKU, or else with this id. Raises Failed
    if there is none, or several."""
    if typed.startswith("merchants/"):
        return typed
    candidates = [item for item in _with_sku(client, shop, typed) if not item.vanished]
    if len(candidates) == 1:
        return candidates[0].name
    if candidates:
        ids = ", ".join(last(item.name) for item in candidates)
        raise Failed(
            f"{len(candidates)} listings of {last(shop)} have the sku {typed!r}. Name one "
            f"by its id: {ids}."
        )
    name = f"{shop}/listings/{typed}"
    if is_listing(name):
        return name
    raise Failed(
        f"No listing of {last(shop)} has the sku or id {typed!r}. See `zaiko listings list "
        f"{last(shop)}`."
    )


def link(client: ApiClient, shop: str, typed: str) -> str:
    """Return the name of the link of a shop whose listing has this SKU, or else this id. Listings
    without a link are not meant, and vanished ones are. Raises Failed if several are linked: a
    listing that was made again has the SKU of the one that is gone."""
    if typed.startswith("merchants/"):
        return typed.replace("/listings/", "/links/")
    linked = _with_sku(client, shop, typed, linked=True)
    if len(linked) > 1:
        which = ", ".join(
            f"{last(item.name)} ({'no longer in the shop' if item.vanished else 'in the shop'})"
            for item in linked
        )
        raise Failed(
            f"{len(linked)} linked listings of {last(shop)} have the sku {typed!r}. Name one by "
            f"its id: {which}."
        )
    if linked:
        return linked[0].name.replace("/listings/", "/links/")
    if is_listing(f"{shop}/listings/{typed}"):
        return f"{shop}/links/{typed}"
    raise Failed(
        f"No linked listing of {last(shop)} has the sku or id {typed!r}. See `zaiko link list "
        f"{last(shop)}`."
    )


def order(client: ApiClient, typed: str) -> str:
    """Return the name of the order that is given as SHOP/ORDER, with the platform's id or the
    number of the order. Raises Failed if none was read, or if several have the number."""
    if typed.startswith("merchants/"):
        return typed
    shop, slash, named = typed.partition("/")
    if not (shop and slash and named):
        raise Failed(
            "The order has the form SHOP/ORDER, with the shop's id and the order's id or number.",
            USAGE,
        )
    request = order_service_pb2.ListOrdersRequest(parent=client.name("shops", shop))
    for field in (request.filter.external_ids, request.filter.numbers):
        field.append(named)
        found = client.call(client.orders.ListOrders, request).orders
        del field[:]
        if len(found) == 1:
            return found[0].name
        if found:
            ids = ", ".join(item.external_id for item in found)
            raise Failed(
                f"{len(found)} orders of {shop} have the number {named!r}. Name one by its id: "
                f"{ids}."
            )
    raise Failed(f"No order {named!r} of {shop} has been read. See `zaiko orders list {shop}`.")


def _with_sku(
    client: ApiClient, shop: str, sku: str, *, linked: bool | None = None
) -> list[listing_pb2.Listing]:
    request = shop_service_pb2.ListListingsRequest(parent=shop)
    request.filter.query = sku[:100]
    if linked is not None:
        request.filter.linked = linked
    return [
        item
        for item in client.pages(client.shops.ListListings, request, "listings")
        if item.sku == sku
    ]
