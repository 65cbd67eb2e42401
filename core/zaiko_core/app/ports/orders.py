"""Orders with their lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from zaiko_core.app.records import Page, StoredOrder
from zaiko_core.domain.demand import OrderRecord


class Orders(Protocol):
    def get(self, shop: str, orders: Collection[str]) -> dict[str, OrderRecord]: ...
    def stored(self, shop: str, orders: Collection[str]) -> dict[str, StoredOrder]:
        """As `get`, with what is shown to people."""
        ...

    def put(self, shop: str, records: Sequence[OrderRecord], *, known: Collection[str]) -> None:
        """Insert or replace orders with all their lines; `known` are those that are stored
        already."""
        ...

    def seen(self, shop: str, records: Sequence[OrderRecord]) -> None:
        """Only note a newer version and reading of orders that say the same."""
        ...

    def sold_unlinked(self, shop: str, *, since: int) -> bool:
        """Whether an order of the shop that was changed at or after `since` has a line that is
        counted for no product."""
        ...

    def with_listings(
        self, shop: str, listings: Collection[str], *, counted: bool, limit: int, after: str
    ) -> list[str]:
        """Ids of orders that have a line of one of these listings which is (not) counted, by id,
        after `after`."""
        ...

    def holding(self, shop: str, *, limit: int, after: str) -> list[str]:
        """Ids of orders that hold units by the shop's account, by id."""
        ...

    def suspect(self, shop: str, *, limit: int, after: str) -> list[StoredOrder]:
        """Orders of the shop that something is odd about (`domain.suspicion`), by id."""
        ...

    def count(self, *, suspect: bool = False, uncounted: bool = False) -> int:
        """Orders with open units; only those that `page` would give."""
        ...

    def page(
        self, page: Page, *, shop: str, states: Collection[str], suspect: bool, uncounted: bool
    ) -> list[StoredOrder]:
        """By (shop, order). Suspect: holding units while archived, vanished or of an unknown
        state."""
        ...
