"""Gather what a reply shows beyond one record, in a fixed number of statements. The watch and the
services share these functions, so both show the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from zaiko.v1 import (
    addition_pb2,
    link_pb2,
    listing_pb2,
    order_pb2,
    shop_pb2,
    sync_service_pb2,
)
from zaiko_core.app import settling
from zaiko_core.app.links import CanSync
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import (
    AdditionRecord,
    LinkRecord,
    ListingRecord,
    Page,
    ShopRecord,
    StoredOrder,
)
from zaiko_core.domain.addition import ReceivingOnly
from zaiko_core.domain.demand import Demand
from zaiko_core.domain.errors import ServiceError, SyncNotOffered
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.suspicion import SuspectPolicy, suspicions

from zaiko_server.convert import additions as addition_messages
from zaiko_server.convert import links as link_messages
from zaiko_server.convert import listings as listing_messages
from zaiko_server.convert import orders as order_messages
from zaiko_server.convert import shops as shop_messages

T = TypeVar("T")
_PAGE = 1000

SecretNames = Callable[[bytes | None], Sequence[str]]
"""Returns the names of a shop's stored secrets, from their sealed bytes."""


def link_statuses(
    uow: UnitOfWork, records: Sequence[LinkRecord], can_sync: CanSync
) -> list[link_pb2.LinkStatus]:
    """Return the status of each link, in the same order."""
    shops = uow.shops.get({record.shop for record in records})
    listings = _listings(uow, ((record.shop, record.listing) for record in records))
    return [
        link_messages.status(
            uow.merchant,
            record,
            sku=listing.sku if listing else "",
            held_by=_held_by(uow, shops.get(record.shop), listing, can_sync),
        )
        for record in records
        for listing in [listings.get((record.shop, record.listing))]
    ]


def links(uow: UnitOfWork, records: Sequence[LinkRecord], can_sync: CanSync) -> list[link_pb2.Link]:
    """Return the links with their statuses, in the same order."""
    statuses = link_statuses(uow, records, can_sync)
    # An enabled link is never receiving-only, so only the others are read.
    others = {
        part.product for record in records if not record.sync_enabled for part in record.parts
    }
    modes = uow.additions.modes(others) if others else {}
    return [
        link_messages.link(
            uow.merchant,
            record,
            status,
            receiving_only=not record.sync_enabled
            and any(modes.get(part.product) is ReceivingOnly.ON for part in record.parts),
        )
        for record, status in zip(records, statuses, strict=True)
    ]


def additions(uow: UnitOfWork, records: Sequence[AdditionRecord]) -> list[addition_pb2.Addition]:
    """Return the additions in the same order. An open one has the problem of its place."""
    places: dict[tuple[str, str], Problem | None] = {}
    waiting = (
        (record.shop, record.listing)
        for record in records
        if record.shop and record.settled_at is None
    )
    for shop, ids in _grouped(waiting).items():
        places |= {
            (shop, listing): place.problem
            for listing, place in uow.additions.places(shop, ids).items()
        }
    return [
        addition_messages.addition(
            uow.merchant,
            record,
            places.get((record.shop, record.listing)) if record.settled_at is None else None,
        )
        for record in records
    ]


def shop_statuses(
    uow: UnitOfWork, records: Sequence[ShopRecord], can_sync: CanSync
) -> list[shop_pb2.ShopStatus]:
    """Return the status of each shop, in the same order."""
    counts = uow.shops.link_counts({record.shop for record in records})
    shadows = [record.shop for record in records if record.shadow]
    differing = uow.shops.difference_counts(shadows) if shadows else {}
    synced = settling.synced_revisions(uow, records)
    return [
        shop_messages.status(
            uow.merchant,
            _with_run(uow, record),
            counts.get(record.shop, {}),
            differing=differing.get(record.shop, 0),
            synced=synced[record.shop],
            missing=_missing(record, can_sync),
            now=uow.now,
        )
        for record in records
    ]


def unsettled_shops(
    uow: UnitOfWork, found: Sequence[settling.UnsettledShop], can_sync: CanSync
) -> list[sync_service_pb2.WaitSettledResponse.UnsettledShop]:
    """Return the shops that are not settled, in the same order, each with its problem."""
    return [
        shop_messages.unsettled(
            uow.merchant,
            item,
            (item.link.problem if item.link is not None else None)
            or _held_by(uow, item.shop, None, can_sync),
        )
        for item in found
    ]


def shadow_differences(
    uow: UnitOfWork, records: Sequence[LinkRecord]
) -> list[shop_pb2.ShadowDifference]:
    """Return what shadow mode found for each link, in the same order."""
    listings = _listings(uow, {(record.shop, record.listing) for record in records})
    return [
        link_messages.difference(uow.merchant, record, sku=listing.sku if listing else "")
        for record in records
        for listing in [listings.get((record.shop, record.listing))]
    ]


def shops(
    uow: UnitOfWork, records: Sequence[ShopRecord], can_sync: CanSync, secret_names: SecretNames
) -> list[shop_pb2.Shop]:
    """Return the shops with their statuses, in the same order."""
    statuses = shop_statuses(uow, records, can_sync)
    return [
        shop_messages.shop(uow.merchant, record, secret_names(record.secrets), status)
        for record, status in zip(records, statuses, strict=True)
    ]


def listings(
    uow: UnitOfWork, records: Sequence[ListingRecord], can_sync: CanSync
) -> list[listing_pb2.Listing]:
    """Return the listings in the same order, each with the reason why it cannot be synced."""
    owners = uow.shops.get({record.shop for record in records})
    errors = {shop: sync_refusal(uow, owner.connector, can_sync) for shop, owner in owners.items()}
    return [
        listing_messages.listing(uow.merchant, record, errors.get(record.shop))
        for record in records
    ]


def orders(uow: UnitOfWork, records: Sequence[StoredOrder]) -> list[order_pb2.Order]:
    """Return the orders with their demands, in the same order."""
    demands: dict[tuple[str, str], dict[str, Demand]] = defaultdict(dict)
    for shop, ids in _grouped((record.shop, record.record.order) for record in records).items():
        for (order, product), demand in uow.demands.get(shop, ids).items():
            demands[shop, order][product] = demand
    policies = {
        shop: owner.suspect_policy
        for shop, owner in uow.shops.get({record.shop for record in records}).items()
    }
    sold = {
        (record.shop, line.listing)
        for record in records
        for line in record.record.lines
        if line.listing
    }
    external: dict[str, dict[str, str]] = defaultdict(dict)
    for (shop, listing), found in _listings(uow, sold).items():
        external[shop][listing] = found.external_id
    return [
        order_messages.order(
            uow.merchant,
            record,
            demands[record.shop, record.record.order],
            external[record.shop],
            suspicions(record.record, policies.get(record.shop, SuspectPolicy()), uow.now),
        )
        for record in records
    ]


def sync_refusal(uow: UnitOfWork, connector: str, can_sync: CanSync) -> ServiceError | None:
    """Return why sync cannot be enabled on links of this connector's shops, or None."""
    if not uow.merchants.sync_available:
        return SyncNotOffered(
            "inventory sync is not offered to this merchant", merchant=uow.merchant
        )
    return can_sync(connector)


def every(fetch: Callable[[Page], list[T]], key: Callable[[T], tuple[Any, ...]]) -> Iterator[T]:
    """Yield all rows of a list, read page by page."""
    after: tuple[Any, ...] | None = None
    while rows := fetch(Page(_PAGE, after)):
        yield from rows
        if len(rows) < _PAGE:
            return
        after = key(rows[-1])


def _with_run(uow: UnitOfWork, record: ShopRecord) -> ShopRecord:
    """Return the shop with its current run as the last one. The stored record names only runs that
    have ended."""
    newest = uow.runs.page(Page(1), shop=record.shop) if record.running else []
    return replace(record, last_run=newest[0].run) if newest else record


def _held_by(
    uow: UnitOfWork, shop: ShopRecord | None, listing: ListingRecord | None, can_sync: CanSync
) -> Problem | None:
    if not uow.merchants.sync_available:
        return Problem("SYNC_NOT_OFFERED", "inventory sync is no longer offered to this merchant")
    if shop is None:
        return None
    if shop.paused:
        return Problem("SHOP_PAUSED", "the shop is paused")
    if listing is not None and listing.vanished:
        return Problem("LISTING_GONE", "the listing no longer exists in the shop")
    return _missing(shop, can_sync) or shop.problem


def _missing(shop: ShopRecord, can_sync: CanSync) -> Problem | None:
    error = can_sync(shop.connector)
    if error is None or error.reason != "CONNECTOR_NOT_LOADED":
        return None
    return Problem(error.reason, error.message, metadata=error.metadata)


def _listings(
    uow: UnitOfWork, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], ListingRecord]:
    found: dict[tuple[str, str], ListingRecord] = {}
    for shop, ids in _grouped(keys).items():
        found |= {
            (shop, listing): record for listing, record in uow.listings.get(shop, ids).items()
        }
    return found


def _grouped(keys: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    grouped: dict[str, set[str]] = defaultdict(set)
    for shop, thing in keys:
        grouped[shop].add(thing)
    return grouped
