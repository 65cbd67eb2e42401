"""What was sold and is not there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from zaiko_core.app.records import OversellRecord, Page, ShownLink
from zaiko_core.domain.oversell import Consumption
from zaiko_core.domain.stock import Balance


class Oversells(Protocol):
    def concerned(self, products: Collection[str]) -> dict[str, Balance]:
        """Those of these products that are oversold, or that have an oversell which was not
        cleared."""
        ...

    def snapshot(self, products: Collection[str]) -> list[ShownLink]:
        """Every link of these products, once per product."""
        ...

    def taken(
        self, since: Mapping[str, int], *, limit: int
    ) -> dict[str, list[tuple[int, Consumption]]]:
        """Per product the movements after the given revision that took free units, the newest
        first, with their revisions; at most `limit` of each product."""
        ...

    def orders(self, refs: Collection[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, int]]:
        """Number and time of placing, by (shop, order)."""
        ...

    def insert(self, records: Sequence[OversellRecord]) -> None: ...
    def clear(self, products: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """What is open of these products has been ended by the movement with that number. What was
        open, by product."""
        ...

    def get(self, seq: int) -> OversellRecord | None: ...
    def page(
        self, page: Page, *, product: str, causes: Collection[str], open_only: bool
    ) -> list[OversellRecord]:
        """Newest first; the key is (seq,)."""
        ...

    def forget(self, *, older_than: int) -> None:
        """Delete what was cleared before that time."""
        ...
