"""Units that are added to the numbers of shops, and the places where."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from zaiko_core.app.records import AdditionRecord, Page, PlaceRecord
from zaiko_core.domain.addition import AdditionState, ReceivingOnly, Sale


class Additions(Protocol):
    """Units that are added to the numbers of shops (ADR 0017)."""

    def insert(self, records: Sequence[AdditionRecord]) -> None: ...
    def get(self, addition: str) -> AdditionRecord | None: ...
    def page(
        self, page: Page, *, product: str, shop: str, states: Collection[AdditionState]
    ) -> list[AdditionRecord]:
        """Oldest first; the key is (created_at, addition)."""
        ...

    def of_places(self, shop: str, listings: Collection[str]) -> dict[str, list[AdditionRecord]]:
        """Those QUEUED or SENT, by listing, oldest first."""
        ...

    def queued(self, products: Collection[str]) -> list[AdditionRecord]: ...
    def put(self, records: Sequence[AdditionRecord]) -> None:
        """Units, place and state of additions that exist; an end is stamped now."""
        ...

    def supersede(self, products: Collection[str]) -> list[str]:
        """Sync takes over: nothing of these products is open any more, and what was under way is
        forgotten; the shops concerned."""
        ...

    def give_up(self, shop: str, *, queued: bool = False) -> None:
        """Nobody will find out what became of what was sent to the shop: it is UNDECIDED, also what
        is `queued` if asked for. There are no places in it any more."""
        ...

    def first_links(self, products: Collection[str]) -> dict[str, tuple[str, str]]:
        """The link (shop, listing) of each product that was made first, among those that are of one
        unit of it and nothing else."""
        ...

    def places(self, shop: str, listings: Collection[str]) -> dict[str, PlaceRecord]: ...
    def due(self, shop: str, *, limit: int) -> list[PlaceRecord]:
        """Places that are to be looked after now, longest due first."""
        ...

    def next_due(self, shop: str) -> int | None:
        """When the shop's next place is due, or None."""
        ...

    def save_places(
        self, shop: str, records: Sequence[PlaceRecord], *, done: Collection[str] = ()
    ) -> None:
        """Insert or replace places, and forget those of the listings in `done`; the shop then knows
        when the next is due."""
        ...

    def sales(self, shop: str, listing: str, *, since: int) -> list[Sale]:
        """Lines of the shop's orders that are of the listing, of orders that changed here at or
        after `since`."""
        ...

    def modes(self, products: Collection[str]) -> dict[str, ReceivingOnly]: ...
