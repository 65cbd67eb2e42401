"""Linking listings to products, and switching their sync."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from zaiko_core.app import escrow, receiving
from zaiko_core.app.due_marks import link_names, mark_links_due
from zaiko_core.app.orders import Counted, count_listings, release_listings
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind, LinkRecord, LinkState, ListingRecord, ShopRecord
from zaiko_core.domain.errors import (
    ConnectorCannotSetInventory,
    ConnectorNotLoaded,
    ListingAlreadyLinked,
    ListingVanished,
    NotFound,
    ProductArchived,
    ServiceError,
    SyncNotOffered,
)
from zaiko_core.domain.fence import InventoryBelief
from zaiko_core.domain.links import Part

CanSync = Callable[[str], ServiceError | None]
"""Whether shops of a connector can be synced: None, or the refusal that says why not (see
`sync_refusal`)."""


@dataclass(frozen=True, slots=True)
class LinkDraft:
    """A link to be created."""

    shop: str
    listing: str
    parts: tuple[Part, ...]
    sync_enabled: bool


def sync_refusal(connector: str, *, loaded: bool, can_set: bool) -> ServiceError | None:
    """Return why a connector's shops cannot be synced, or None. The only place that decides it."""
    if not loaded:
        return ConnectorNotLoaded(
            f"the connector {connector!r} is not loaded; see ListConnectors for the reason",
            connector=connector,
        )
    if not can_set:
        return ConnectorCannotSetInventory(
            f"{connector!r} can be linked but not synced: its platform's stock cannot be set",
            connector=connector,
        )
    return None


def create(
    uow: UnitOfWork, drafts: Sequence[LinkDraft], *, can_sync: CanSync
) -> tuple[list[LinkRecord], list[Counted]]:
    """Create links, all or none, and count the orders that waited for them. Return both. A link
    that is enabled becomes due. Raises NotFound, ListingAlreadyLinked, ListingVanished,
    ProductArchived, SyncNotOffered, ConnectorCannotSetInventory, ConnectorNotLoaded. The caller has
    checked that no listing comes twice and that parts are not empty."""
    shops = uow.shops.get({draft.shop for draft in drafts})
    by_shop: dict[str, list[LinkDraft]] = defaultdict(list)
    for draft in drafts:
        if draft.shop not in shops:
            raise NotFound(f"merchants/{uow.merchant}/shops/{draft.shop}")
        by_shop[draft.shop].append(draft)
    _check_products(uow, drafts)
    counted: list[Counted] = []
    for shop, wanted in by_shop.items():
        if any(draft.sync_enabled for draft in wanted):
            check_sync_offered(uow, shops[shop], can_sync)
        listings = uow.listings.get(shop, [draft.listing for draft in wanted])
        for draft in wanted:
            _check_listing(uow, draft, listings)
        uow.links.insert([_new(uow, draft) for draft in wanted])
        counted += count_listings(uow, shop, {draft.listing for draft in wanted})
        mark_links_due(uow, shop, [draft.listing for draft in wanted if draft.sync_enabled])
    uow.changed(ChangeKind.LINK, link_names((draft.shop, draft.listing) for draft in drafts))
    synced = {part.product for draft in drafts if draft.sync_enabled for part in draft.parts}
    receiving.end(uow, synced)
    receiving.lay_out(uow, {part.product for draft in drafts for part in draft.parts} - synced)
    stored = {
        shop: uow.links.get(shop, [draft.listing for draft in wanted])
        for shop, wanted in by_shop.items()
    }
    return [stored[draft.shop][draft.listing] for draft in drafts], counted


def set_sync(
    uow: UnitOfWork, shop: str, listing: str, enabled: bool, *, can_sync: CanSync
) -> LinkRecord:
    """Switch a link's sync. Switching on reads the shop before anything is sent; switching off
    leaves the shop's number."""
    link = get(uow, shop, listing)
    if link.sync_enabled == enabled:
        return link
    if enabled:
        check_sync_offered(uow, uow.shops.get([shop])[shop], can_sync)
    state = LinkState.PENDING if enabled else LinkState.DISABLED
    # Whatever was known of the shop's number grew old while nobody looked.
    changed = replace(
        link,
        sync_enabled=enabled,
        state=state,
        belief=InventoryBelief(),
        due_at=None,
        attempt=0,
        problem=None,
        due_revision=uow.revision,
        settled_revision=uow.revision - 1,
    )
    uow.links.save([changed])
    uow.changed(ChangeKind.LINK, link_names([(shop, listing)]))
    if enabled:
        mark_links_due(uow, shop, [listing])
        receiving.end(uow, {part.product for part in link.parts})
    escrow.wake(uow, {part.product for part in link.parts})
    return get(uow, shop, listing)


def delete(
    uow: UnitOfWork, keys: Sequence[tuple[str, str]], *, release_orders: bool
) -> list[Counted]:
    """Delete links, all or none. Open orders that were counted through them stay counted as what
    they were sold as, because the goods are still to be shipped. `release_orders` releases them,
    and returns them line by line."""
    by_shop: dict[str, list[str]] = defaultdict(list)
    for shop, listing in keys:
        by_shop[shop].append(listing)
    released: list[Counted] = []
    for shop, listings in by_shop.items():
        stored = uow.links.get(shop, listings)
        for listing in listings:
            if listing not in stored:
                raise _no_link(uow, shop, listing)
        uow.links.delete(shop, listings)
        parts = {part.product for link in stored.values() for part in link.parts}
        escrow.wake(uow, parts)
        receiving.lay_out(uow, parts)
        if release_orders:
            released += release_listings(uow, shop, listings)
    uow.changed(ChangeKind.LINK, link_names(keys))
    return released


def get(uow: UnitOfWork, shop: str, listing: str) -> LinkRecord:
    """Return one link. Raises NotFound."""
    link = uow.links.get(shop, [listing]).get(listing)
    if link is None:
        raise _no_link(uow, shop, listing)
    return link


def _no_link(uow: UnitOfWork, shop: str, listing: str) -> NotFound:
    return NotFound(f"merchants/{uow.merchant}/shops/{shop}/links/{listing}")


def _new(uow: UnitOfWork, draft: LinkDraft) -> LinkRecord:
    return LinkRecord(
        shop=draft.shop,
        listing=draft.listing,
        parts=draft.parts,
        sync_enabled=draft.sync_enabled,
        state=LinkState.PENDING if draft.sync_enabled else LinkState.DISABLED,
    )


def _check_products(uow: UnitOfWork, drafts: Sequence[LinkDraft]) -> None:
    wanted = {part.product for draft in drafts for part in draft.parts}
    products = uow.products.get(wanted)
    for product in sorted(wanted):
        if product not in products:
            raise NotFound(f"merchants/{uow.merchant}/products/{product}")
        if products[product].archived:
            raise ProductArchived(
                f"product {product} is archived; link another one", product=product
            )


def check_sync_offered(uow: UnitOfWork, shop: ShopRecord, can_sync: CanSync) -> None:
    """Raise SyncNotOffered, ConnectorNotLoaded or ConnectorCannotSetInventory when links of this
    shop cannot be synced."""
    if not uow.merchants.sync_available:
        raise SyncNotOffered(
            (
                "inventory sync is not offered to this merchant; link without sync, or ask the "
                "operator to offer it"
            ),
            merchant=uow.merchant,
        )
    refusal = can_sync(shop.connector)
    if refusal is not None:
        raise refusal


def _check_listing(
    uow: UnitOfWork, draft: LinkDraft, listings: Mapping[str, ListingRecord]
) -> None:
    listing = listings.get(draft.listing)
    name = f"merchants/{uow.merchant}/shops/{draft.shop}"
    if listing is None:
        raise NotFound(f"{name}/listings/{draft.listing}")
    if listing.linked:
        raise ListingAlreadyLinked(f"{name}/links/{draft.listing}")
    if listing.vanished:
        raise ListingVanished(
            f"{name}/listings/{draft.listing} is no longer in the shop; refresh the listings",
            listing=draft.listing,
        )
