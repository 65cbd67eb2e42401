"""receiving_only (入荷実績連携): each receipt adds its units to one shop's number, instead of sync of the
product (ADR 0017).

A mode of the product, exclusive with sync: while it is on, no link of the product may be synced,
and enabling sync on one ends the mode permanently. The shop is that of the product's oldest link
that is of one unit of it and nothing else. Runs of the shop add the units (app/adding.py)."""  # noqa: E501

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import AdditionRecord, Page, PlaceRecord, ProductRecord
from zaiko_core.domain.addition import AdditionState, ReceivingOnly
from zaiko_core.domain.errors import (
    AdditionSettled,
    ModeConflict,
    NotFound,
    ReceivingOnlyEnded,
    ServiceError,
)
from zaiko_core.domain.stock import Movement

_COALESCE = 20_000
"""µs that a shop waits, so that receipts that come together are added together."""


def switch(
    uow: UnitOfWork, product: str, on: bool, *, can_sync: Callable[[str], ServiceError | None]
) -> ProductRecord:
    """Switch the mode of a product. When it is switched off, what was received before is still
    added. A mode that is set already changes nothing. Raises NotFound, ReceivingOnlyEnded, and when
    it is switched on ModeConflict (a link is synced, or none takes the units) and the error of a
    connector that cannot set numbers."""
    record = _product(uow, product)
    wanted = ReceivingOnly.ON if on else ReceivingOnly.OFF
    if record.receiving_only is ReceivingOnly.ENDED:
        if not on:
            return record
        raise ReceivingOnlyEnded(
            (
                f"product {product} has been synced, which ended receiving-only permanently; "
                "receipts reach its shops by sync"
            ),
            product=product,
        )
    if record.receiving_only is wanted:
        return record
    if on:
        _check_may_begin(uow, product, can_sync)
    uow.products.update(replace(record, receiving_only=wanted))
    uow.advance()
    return _product(uow, product)


def queue(
    uow: UnitOfWork, products: Collection[ProductRecord], receipts: Sequence[Movement]
) -> None:
    """Queue the receipts of this transaction that are of products in this mode."""
    concerned = {record.product for record in products if record.receiving_only is ReceivingOnly.ON}
    wanted = [movement for movement in receipts if movement.entry.product in concerned]
    if not wanted:
        return
    places = uow.additions.first_links({movement.entry.product for movement in wanted})
    records = [
        AdditionRecord(
            str(movement.seq),
            movement.entry.product,
            movement.entry.delta.physical,
            *places.get(movement.entry.product, ("", "")),
        )
        for movement in wanted
    ]
    uow.additions.insert(records)
    _call(uow, {(record.shop, record.listing) for record in records})


def lay_out(uow: UnitOfWork, products: Collection[str]) -> None:
    """Assign queued units to their links again, after links of these products were created or
    deleted."""
    concerned = uow.additions.queued(products)
    if not concerned:
        return
    places = uow.additions.first_links({record.product for record in concerned})
    moved = []
    for record in concerned:
        shop, listing = places.get(record.product, ("", ""))
        if (record.shop, record.listing) != (shop, listing):
            moved.append(replace(record, shop=shop, listing=listing))
    uow.additions.put(moved)
    _call(uow, {(record.shop, record.listing) for record in moved})


def end(uow: UnitOfWork, products: Collection[str]) -> None:
    """End the mode of these products permanently, because a link of them is synced now. Nothing
    more is added: sync reads the number before it sends, and sends free − reserve, which contains
    every receipt."""
    concerned = [
        product
        for product, mode in uow.additions.modes(products).items()
        if mode is ReceivingOnly.ON
    ]
    if not concerned:
        return
    for record in uow.products.get(concerned).values():
        uow.products.update(replace(record, receiving_only=ReceivingOnly.ENDED))
    uow.additions.supersede(concerned)
    uow.advance()


def resolve(uow: UnitOfWork, addition: str, *, added: bool) -> AdditionRecord:
    """Record what a person found in the shop: its number contains the units, or they are to be
    added now. Raises NotFound, and AdditionSettled when there is nothing to decide. Repeating a
    decision changes nothing."""
    record = get(uow, addition)
    if record.state is not AdditionState.UNDECIDED:
        if added and record.state is AdditionState.ADDED:
            return record
        raise AdditionSettled(
            f"the addition is {record.state.value}, nobody needs to decide it",
            addition=addition,
            state=record.state.value,
        )
    uow.advance()
    if added:
        uow.additions.put([replace(record, state=AdditionState.ADDED)])
    else:
        shop, listing = uow.additions.first_links([record.product]).get(record.product, ("", ""))
        uow.additions.put([replace(record, state=AdditionState.QUEUED, shop=shop, listing=listing)])
        _call(uow, {(shop, listing)})
    return get(uow, addition)


def get(uow: UnitOfWork, addition: str) -> AdditionRecord:
    """Return one addition. Raises NotFound."""
    record = uow.additions.get(addition)
    if record is None:
        raise NotFound(f"merchants/{uow.merchant}/additions/{addition}")
    return record


def _call(uow: UnitOfWork, places: Collection[tuple[str, str]]) -> None:
    """Make these places due. The write that is under way for each, or that it waits for, stays as
    it is."""
    by_shop: dict[str, set[str]] = defaultdict(set)
    for shop, listing in places:
        if shop:
            by_shop[shop].add(listing)
    for shop, listings in by_shop.items():
        known = uow.additions.places(shop, listings)
        fresh = [PlaceRecord(shop, listing, uow.now) for listing in sorted(listings - known.keys())]
        # A place that waits only because there was too little to take off, or because nothing may
        # be sent, is due again.
        idle = [
            replace(place, due_at=uow.now)
            for place in known.values()
            if place.under_way is None and place.problem is None
        ]
        uow.additions.save_places(shop, fresh + idle)
    uow.advance()
    uow.trigger(by_shop, delay=_COALESCE)


def _check_may_begin(
    uow: UnitOfWork, product: str, can_sync: Callable[[str], ServiceError | None]
) -> None:
    synced = uow.links.page(Page(1), shop="", products=[product], states=(), sync_enabled=True)
    if synced:
        name = f"merchants/{uow.merchant}/shops/{synced[0].shop}/links/{synced[0].listing}"
        raise ModeConflict(
            f"{name} is synced: a product is either synced or receiving-only; disable sync first",
            link=name,
        )
    place = uow.additions.first_links([product]).get(product)
    if place is None:
        raise ModeConflict(
            f"no listing is linked to one unit of product {product} alone, so nothing takes "
            "its receipts; link one first"
        )
    shop = uow.shops.get([place[0]]).get(place[0])
    refusal = (
        can_sync(shop.connector)
        if shop is not None
        else NotFound(f"merchants/{uow.merchant}/shops/{place[0]}")
    )
    if refusal is not None:
        raise refusal


def _product(uow: UnitOfWork, product: str) -> ProductRecord:
    found = uow.products.get([product]).get(product)
    if found is None:
        raise NotFound(f"merchants/{uow.merchant}/products/{product}")
    return found
