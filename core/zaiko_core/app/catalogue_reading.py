"""When a shop's catalogue is read although nobody asked: an order names a listing that it does not
have; and what becomes of listings that such a reading finds (ADR 0035)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from zaiko_core.app import operations, shops
from zaiko_core.app.bulk_link import BulkLinkOrder
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.domain.matching import AutoLink

SOONEST, LATEST = 60_000_000, 24 * 3_600_000_000
"""µs between two readings that orders ask for: the first two, and the longest that the time grows
to while they bring no new listing."""


def ask(uow: UnitOfWork, shop: str, sold: Collection[str], token: int) -> None:
    """Have the catalogue read if an order names one of these listings and the shop's catalogue does
    not have it, as far as was read. It is read less and less often while that brings nothing new: a
    later run sees to what is too early. `token` is that of the run."""
    known = uow.listings.get(shop, sold)
    if any(listing not in known or known[listing].vanished for listing in sold):
        record = shops.get(uow, shop)
        asked_at = record.catalogue_asked_at
        due = asked_at + _wait(record.catalogue_asks) if asked_at else 0
        if due > uow.now:
            uow.shops.save_catalogue(shop, {"catalogue_due_at": due})
        else:
            begin(uow, shop, token)


def _wait(asks: int) -> int:
    """Return how long (µs) the next reading waits after so many that brought no new listing."""
    return min(LATEST, SOONEST << min(asks, 20))


def begin(uow: UnitOfWork, shop: str, token: int) -> None:
    """Begin the reading that orders wait for. One that goes on may have passed the listing: then
    another one follows."""
    record = shops.get(uow, shop)
    asks = record.catalogue_asks + 1
    state = {"catalogue_asked_at": uow.now, "catalogue_asks": asks, "catalogue_due_at": 0}
    if uow.operations.active(operations.REFRESH_LISTINGS, shop) is None:
        drawn = hashlib.sha256(f"{shop}/{token}".encode()).hexdigest()
        operations.begin(uow, operations.REFRESH_LISTINGS, shop, {}, drawn)
    else:
        state["catalogue_due_at"] = uow.now + _wait(asks)
    uow.shops.save_catalogue(shop, state)


def done(uow: UnitOfWork, shop: str, *, new: int, since: int, drawn: str) -> None:
    """Begin to link what a reading of the catalogue that began at `since` found: `new` listings,
    where the shop says so. `drawn` makes the operation's id unique."""
    if not new:
        return
    uow.shops.save_catalogue(shop, {"catalogue_asks": 0})
    record = shops.get(uow, shop)
    if record.auto_link is AutoLink.OFF or uow.operations.active(operations.BULK_LINK, shop):
        return
    asked = BulkLinkOrder(
        shop,
        match_barcode=False,
        enable_sync=record.auto_link is AutoLink.SYNC,
        dry_run=False,
        since=since,
    )
    # Another id than that of the reading, also where both begin at one time.
    operations.begin_bulk_link(uow, asked, f"auto{drawn}")
