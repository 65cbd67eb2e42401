"""Links with their fences, the numbers that were sent to them, and the differences that were
found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from zaiko_core.app.records import (
    DriftRecord,
    DueLink,
    Holding,
    LinkRecord,
    LinkState,
    Page,
    PushRecord,
    PushResult,
)
from zaiko_core.domain.fence import InventoryBelief
from zaiko_core.domain.links import Part


class Links(Protocol):
    def insert(self, records: Sequence[LinkRecord]) -> None: ...
    def delete(self, shop: str, listings: Collection[str]) -> None: ...
    def get(self, shop: str, listings: Collection[str]) -> dict[str, LinkRecord]: ...
    def parts_of(self, shop: str, listings: Collection[str]) -> dict[str, tuple[Part, ...]]: ...
    def page(
        self,
        page: Page,
        *,
        shop: str,
        products: Collection[str],
        states: Collection[LinkState],
        sync_enabled: bool | None,
        differing: bool = False,
    ) -> list[LinkRecord]:
        """By (shop, listing); an empty shop means all. `differing`: only those in shadow whose shop
        shows another number."""
        ...

    def of_products(self, products: Collection[str]) -> int:
        """How many links have one of these products as a part."""
        ...

    def synced(self, products: Collection[str]) -> dict[str, int]:
        """How many links with sync enabled have each of these products."""
        ...

    def touch(self, products: Collection[str]) -> list[tuple[str, str]]:
        """Mark the enabled links of these products due; their (shop, listing). One that is backing
        off after a failure stays so."""
        ...

    def touch_listings(self, shop: str, listings: Collection[str]) -> list[tuple[str, str]]:
        """Mark these links due if they are enabled, also when they are backing off; their (shop,
        listing)."""
        ...

    def mark_shop_due(self, shop: str) -> list[tuple[str, str]]:
        """As `touch_listings`, for every link of the shop."""
        ...

    def due(self, shop: str, *, limit: int) -> list[DueLink]:
        """Enabled links that are to be handled now, longest due first, with listing and
        balances."""
        ...

    def next_due(self, shop: str) -> int | None:
        """When the shop's next link becomes due, or None."""
        ...

    def fence(self, shop: str, listings: Collection[str]) -> dict[str, InventoryBelief]: ...
    def save_sold(
        self, shop: str, fence: Mapping[str, InventoryBelief], units: Mapping[str, int]
    ) -> None:
        """The fences after orders of the shop, and how many units (≥ 0, of the listing) it sold now
        through these links, for the quotas of an escrow. No revision; nobody is told."""
        ...

    def save(self, records: Sequence[LinkRecord]) -> None:
        """Fence and status. `due_at` is taken over only where the stored `touched` equals the
        record's: a later change that marked the link due is never lost."""
        ...

    def look_again(self, shop: str) -> list[tuple[str, str]]:
        """Every enabled link of the shop is due, and read before anything is sent; their (shop,
        listing)."""
        ...

    def start_over(self) -> list[tuple[str, str]]:
        """Every link as if it had just been created: nothing is known of what its shop shows,
        nothing is in flight, and the enabled ones are due; their (shop, listing)."""
        ...

    def save_verified(self, records: Sequence[LinkRecord]) -> None:
        """InventoryBelief, due time and time of reading of links that are as they were: no
        revision, nobody is told."""
        ...

    def audit(self, shop: str, *, period: int, interval: int, least: int) -> int:
        """Make the synced links that were read longest ago due with a reading: as many as make all
        enabled ones once in `period` when done every `interval` (µs), at least `least`. How
        many."""
        ...

    def verified(self, shop: str, *, since: int) -> tuple[int, int, int | None]:
        """Enabled links of the shop (empty: of all), those read at or after `since`, and when the
        one read longest ago was read (0: never; None: no links)."""
        ...

    def holders(self, products: Collection[str]) -> list[Holding]:
        """Every enabled link that has one of these products as a part, once per product."""
        ...

    def hold(self, shop: str, held: bool) -> list[tuple[str, str]]:
        """Show the enabled links of a shop as HELD, or as PENDING again; those that changed, as
        (shop, listing)."""
        ...


class Pushes(Protocol):
    def insert(self, records: Sequence[PushRecord]) -> None: ...
    def settle(self, shop: str, results: Sequence[PushResult]) -> None:
        """Record outcomes, with this unit of work's time and revision. Pushes that are not there
        are left out."""
        ...

    def newest(
        self, links: Mapping[tuple[str, str], int], *, upto: int, acknowledged: bool = False
    ) -> dict[tuple[str, str], PushRecord]:
        """The last push of each link (shop, listing) since the given time that was recorded up to
        revision `upto`, as it was known then; or of those that had been acknowledged by then."""
        ...

    def forget(self, *, older_than: int) -> int:
        """Delete what was recorded before that time, apart from the last acknowledged push of each
        link and what followed it. The newest revision that this may concern, or 0."""
        ...


class Drifts(Protocol):
    def insert(self, records: Sequence[DriftRecord]) -> None: ...
    def edits(self, shop: str, listings: Collection[str], *, since: int) -> dict[str, int]:
        """How many unexplained edits each of these links had since then; links without any are left
        out."""
        ...

    def counts(self, shop: str, *, since: int) -> dict[str, int]:
        """Differences by cause; an empty shop means all."""
        ...

    def page(
        self, page: Page, *, shop: str, listing: str, causes: Collection[str]
    ) -> list[DriftRecord]:
        """Newest first; the key is (at, shop, listing)."""
        ...

    def forget(self, *, older_than: int) -> None: ...
