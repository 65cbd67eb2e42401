"""Creating, changing, pausing and deleting shops. Secrets are sealed and settings validated before
they come here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from zaiko_core.app import orders
from zaiko_core.app.catalogue import hold_links
from zaiko_core.app.due_marks import link_names, mark_links_due, mark_links_unread
from zaiko_core.app.links import CanSync
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind, ListingRecord, Page, ShopRecord, Trigger
from zaiko_core.domain.errors import ConnectorNotLoaded, NotFound, ResourceExists
from zaiko_core.domain.fence import differs
from zaiko_core.domain.stock import MovementKind

_ALL = 1000


def create(uow: UnitOfWork, draft: ShopRecord) -> ShopRecord:
    """Create a shop whose first run is due at once. Raises ResourceExists."""
    if uow.shops.used(draft.shop):
        raise ResourceExists(f"merchants/{uow.merchant}/shops/{draft.shop}")
    uow.shops.insert(draft)
    uow.changed(ChangeKind.SHOP, [draft.shop])
    uow.trigger([draft.shop])
    return get(uow, draft.shop)


def update(uow: UnitOfWork, changed: ShopRecord) -> ShopRecord:
    """Change name, settings, secrets, interval or shadow. Other settings or secrets end a hold.
    They, and another interval, make a run due at once, which plans the next one."""
    before = get(uow, changed.shop)
    reconfigured = (before.settings, before.secrets) != (changed.settings, changed.secrets)
    uow.shops.update(replace(changed, problem=None) if reconfigured else changed)
    if reconfigured:
        uow.shops.forget_account_check(changed.shop)
    if before.secrets != changed.secrets:
        uow.shops.forget_state(changed.shop)
        uow.shops.forget_check(changed.shop)
    _count_word(uow, before, changed)
    uow.changed(ChangeKind.SHOP, [changed.shop])
    if reconfigured and not changed.paused:
        _go_on(uow, changed.shop)
    if before.interval != changed.interval:
        uow.trigger([changed.shop], by=Trigger.REQUEST)
    if before.shadow != changed.shadow:
        uow.changed(ChangeKind.LINK, link_names(uow.links.mark_for_reading(changed.shop)))
        uow.trigger([changed.shop], by=Trigger.REQUEST)
    return get(uow, changed.shop)


def _count_word(uow: UnitOfWork, before: ShopRecord, changed: ShopRecord) -> None:
    """Count the orders again for which another setting says what the shop's word counts for."""
    shop = changed.shop
    if before.shipped_frees is not changed.shipped_frees:
        kind = MovementKind.ORDER_RELEASED
        if not uow.shops.word(shop).frees:
            kind = MovementKind.ORDER_RESTORED
        orders.recount(uow, shop, uow.orders.get(shop, uow.demands.awaited(shop)).values(), kind)
    if before.keeps_unrestocked is not changed.keeps_unrestocked:
        kind = MovementKind.ORDER_WRITTEN_OFF
        if changed.keeps_unrestocked:
            kind = MovementKind.ORDER_RESTORED
        orders.recount(uow, shop, uow.orders.get(shop, uow.orders.doubtful(shop)).values(), kind)


def set_shadow(uow: UnitOfWork, shop: str, shadow: bool) -> ShopRecord:
    """Enter shadow mode, in which everything but the write is done (ADR 0018), or leave it. Either
    way every enabled link is read next. A mode that is set already changes nothing."""
    record = get(uow, shop)
    return record if record.shadow == shadow else update(uow, replace(record, shadow=shadow))


def pause(uow: UnitOfWork, shop: str) -> ShopRecord:
    """Pause a shop: no run begins after the present one. Pausing a paused shop changes nothing."""
    record = get(uow, shop)
    if record.paused:
        return record
    uow.shops.update(replace(record, paused=True))
    hold_links(uow, shop, held=True)
    return get(uow, shop)


def resume(uow: UnitOfWork, shop: str) -> ShopRecord:
    """Resume a shop. A hold ends, and a run is due at once."""
    record = get(uow, shop)
    if record.paused or record.problem is not None:
        uow.shops.update(replace(record, paused=False, problem=None))
    uow.changed(ChangeKind.SHOP, [shop])
    _go_on(uow, shop)
    return get(uow, shop)


def take_listings(uow: UnitOfWork, shop: str, read: Sequence[ListingRecord]) -> tuple[int, int]:
    """Store a page of a shop's catalogue. Return how many listings are new and how many have
    changed. The links of listings that had vanished and are back become due at once, and those of
    which another number was read than the shop is believed to show: it is read for the link."""
    latest = {listing.listing: listing for listing in read}
    known = uow.listings.get(shop, latest)
    uow.listings.upsert(shop, list(latest.values()))
    uow.changed(ChangeKind.SHOP, [shop])
    mark_links_due(uow, shop, [name for name, before in known.items() if before.vanished])
    beliefs = uow.links.beliefs(shop, known)
    mark_links_unread(
        uow,
        shop,
        [name for name, belief in beliefs.items() if differs(belief, latest[name].quantity)],
    )
    changed = [name for name, before in known.items() if _content(before) != _content(latest[name])]
    return len(latest) - len(known), len(changed)


def _content(listing: ListingRecord) -> ListingRecord:
    """Return the listing without its times and its number."""
    return replace(
        listing, seen_at=0, created_at=0, updated_at=0, revision=0, linked=False, quantity=None
    )


def sync_product(uow: UnitOfWork, product: str, *, can_sync: CanSync) -> list[str]:
    """Make every enabled link of a product due at once, even when it backs off. Return the shops
    that were triggered, without those that are paused or whose connector is not loaded."""
    listings: dict[str, list[str]] = defaultdict(list)
    page = Page(_ALL)
    while links := uow.links.page(page, shop="", products=[product], states=(), sync_enabled=True):
        for link in links:
            listings[link.shop].append(link.listing)
        page = Page(_ALL, (links[-1].shop, links[-1].listing))
    owners = uow.shops.get(listings)
    runnable = sorted(
        shop
        for shop, owner in owners.items()
        if not owner.paused and not _not_loaded(owner, can_sync)
    )
    for shop in runnable:
        mark_links_unread(uow, shop, listings[shop])
    uow.trigger(runnable, by=Trigger.REQUEST)
    return runnable


def _not_loaded(shop: ShopRecord, can_sync: CanSync) -> bool:
    refusal = can_sync(shop.connector)
    return isinstance(refusal, ConnectorNotLoaded)


def get(uow: UnitOfWork, shop: str) -> ShopRecord:
    """Return one shop. Raises NotFound."""
    found = uow.shops.get([shop]).get(shop)
    if found is None:
        raise NotFound(f"merchants/{uow.merchant}/shops/{shop}")
    return found


def known(uow: UnitOfWork, shop: str) -> str:
    """Return the id of a shop that exists or once existed: its orders stay. Raises NotFound."""
    if not uow.shops.used(shop):
        raise NotFound(f"merchants/{uow.merchant}/shops/{shop}")
    return shop


def _go_on(uow: UnitOfWork, shop: str) -> None:
    uow.shops.resume_sending(shop)
    if uow.merchants.sync_available:
        hold_links(uow, shop, held=False)
    uow.trigger([shop], by=Trigger.REQUEST)
