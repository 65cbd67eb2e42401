"""What follows from a change of stock: the links that show it become due, their shops are
triggered, watchers are notified."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind

COALESCE = 20_000
"""µs that a triggered shop waits, so that a burst of changes becomes one run."""


def mark_products_due(uow: UnitOfWork, products: Collection[str]) -> int:
    """Mark the enabled links of these products due, because their free stock or their reserve
    changed. Return how many there are."""
    if not products:
        return 0
    links = uow.links.mark_due(products)
    uow.changed(ChangeKind.STOCK, products)
    _announce(uow, links)
    return len(links)


def mark_holders_due(uow: UnitOfWork, products: Collection[str]) -> None:
    """Mark the links of these products due, because units have become free for other links than the
    one that showed them; their stock is what it was."""
    if products:
        _announce(uow, uow.links.mark_due(products))


def mark_links_due(uow: UnitOfWork, shop: str, listings: Collection[str]) -> int:
    """Mark these links due now, also when they are backing off. Return how many are enabled."""
    links = uow.links.mark_listings_due(shop, listings)
    _announce(uow, links)
    return len(links)


def mark_links_unread(uow: UnitOfWork, shop: str, listings: Collection[str]) -> None:
    """Mark these links due now, to be read before anything is sent: what the shop shows is not
    known any longer."""
    _announce(uow, uow.links.mark_listings_due(shop, listings, unread=True))


def mark_shop_due(uow: UnitOfWork, shop: str) -> None:
    """Mark every enabled link of the shop due now, to be read before anything is sent, also when it
    is backing off."""
    _announce(uow, uow.links.mark_shop_due(shop))


def link_names(links: Iterable[tuple[str, str]]) -> list[str]:
    """Return the names of links in the change feed."""
    return [f"{shop}/{listing}" for shop, listing in links]


def _announce(uow: UnitOfWork, links: Collection[tuple[str, str]]) -> None:
    uow.changed(ChangeKind.LINK, link_names(links))
    uow.trigger({shop for shop, _ in links}, delay=COALESCE)
