"""Counting order lines that no link can count: a line without a listing, or whose listing is no
longer in the shop, is assigned to a product by a person (ADR 0035)."""

from __future__ import annotations

from dataclasses import replace

from zaiko_core.app import catalogue, orders
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import StoredOrder
from zaiko_core.domain.demand import DemandLine, OrderRecord
from zaiko_core.domain.errors import NotFound, OrderLineNotAssignable
from zaiko_core.domain.links import Part
from zaiko_core.domain.stock import MovementKind


def assign(
    uow: UnitOfWork, shop: str, order: str, *, line: str = "", product: str = ""
) -> tuple[StoredOrder, int]:
    """Count lines of an order as `product`, or else as the product whose code is the line's SKU.
    `line` names one of them; empty: all that can be assigned. Return the order, and how many open
    units are counted from now on. Raises NotFound, OrderLineNotAssignable."""
    record = uow.orders.get(shop, [order]).get(order)
    if record is None:
        raise NotFound(f"merchants/{uow.merchant}/shops/{shop}/orders/{order}")
    if product:
        catalogue.product(uow, product)
    meant = _meant(uow, shop, record, line, product)
    if not meant:
        raise OrderLineNotAssignable(
            f"order {record.number or order} has no such line: each is counted already, or its "
            "listing can be linked, or no product has its code; link the listing, or name the "
            "product",
            order=order,
        )
    lines = tuple(
        replace(each, parts=(Part(meant[each.line]),)) if each.line in meant else each
        for each in record.lines
    )
    counted = replace(record, lines=lines)
    orders.recount(uow, shop, [counted], MovementKind.ORDER_LINKED)
    open_units = sum(max(0, each.wanted - each.fulfilled) for each in lines if each.line in meant)
    return uow.orders.stored(shop, [order])[order], open_units if record.holds else 0


def _meant(
    uow: UnitOfWork, shop: str, record: OrderRecord, line: str, product: str
) -> dict[str, str]:
    """Return the product of each line that can be assigned, by line."""
    waiting = [
        each for each in record.lines if each.parts is None and (not line or each.line == line)
    ]
    listings = uow.listings.get(shop, {each.listing for each in waiting if each.listing})
    bare = [
        each for each in waiting if each.listing not in listings or listings[each.listing].vanished
    ]
    if product:
        return {each.line: product for each in bare}
    codes = uow.products.by_code({_code(each) for each in bare if _code(each)})
    return {
        each.line: codes[_code(each)].product
        for each in bare
        if _code(each) in codes and not codes[_code(each)].archived
    }


def _code(line: DemandLine) -> str:
    return line.sku.strip()
