"""Shops and their listings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from zaiko_core.app.records import LinkState, ListingRecord, Page, RunResult, ShopRecord


class Shops(Protocol):
    def insert(self, record: ShopRecord) -> None: ...
    def get(self, ids: Collection[str]) -> dict[str, ShopRecord]: ...
    def used(self, shop: str) -> bool:
        """Whether a shop has, or once had, this id: ids are never used again."""
        ...

    def page(self, page: Page) -> list[ShopRecord]:
        """By id, without deleted ones."""
        ...

    def update(self, record: ShopRecord) -> None:
        """Everything but ingestion progress and the job; a shop that is not paused any more is due
        at once."""
        ...

    def release(
        self, shop: str, token: int, result: RunResult, *, next_in: int | None, run_id: str | None
    ) -> int | None:
        """End the run under `token`: save status, lease and next turn at once; the settings'
        revision stays. The shop is due again in `next_in` µs (None: its interval), at once when it
        was triggered meanwhile, unless runs have failed. `run_id`: None where the run did nothing
        and is not written down. Return when the shop is due again (µs); None: paused. Raises
        LeaseLost when the shop is no longer held under `token`. Locks the shop's row."""
        ...

    def save_progress(
        self, shop: str, *, cursor: str, complete_until: int | None, news: bool = False
    ) -> None:
        """`news`: the orders up to the cursor brought something new."""
        ...

    def in_shadow(self, shop: str) -> bool:
        """Whether it is in shadow mode; False for a shop that is not there."""
        ...

    def difference_counts(self, shops: Collection[str]) -> dict[str, int]:
        """Links in shadow whose shop shows another number than the target, by shop; shops without
        any are left out."""
        ...

    def save_reread(self, shop: str) -> None: ...
    def ask_reread(self, shop: str) -> None:
        """The next run reads open orders again, whenever it did last."""
        ...

    def cancel(self, shop: str, token: int) -> None:
        """The run under `token` is to end, if it holds the shop; what has asked for a run until now
        does not ask for another. A second call changes nothing."""
        ...

    def save_audited(self, shop: str) -> None: ...
    def save_check(self, shop: str, expire_at: int | None, *, status_changed: bool) -> None: ...
    def forget_check(self, shop: str) -> None:
        """Other credentials: what was found about the old ones says nothing."""
        ...

    def load_state(self, shop: str) -> bytes | None:
        """What the shop's connector remembers, sealed, or None."""
        ...

    def save_state(self, shop: str, sealed: bytes) -> None: ...
    def sealed(self) -> list[tuple[str, bytes | None, bytes | None]]:
        """Each shop's credentials and its connector's state, as they are stored."""
        ...

    def save_sealed(self, shop: str, secrets: bytes) -> None:
        """The same credentials under another key: neither the revision nor what the connector
        remembers changes."""
        ...

    def forget_state(self, shop: str) -> None: ...
    def link_counts(self, shops: Collection[str]) -> dict[str, dict[LinkState, int]]: ...


class Listings(Protocol):
    def upsert(self, shop: str, records: Sequence[ListingRecord]) -> None: ...
    def get(self, shop: str, listings: Collection[str]) -> dict[str, ListingRecord]: ...
    def forget(self, shop: str) -> None:
        """Delete all listings of a shop that has no links."""
        ...

    def vanish(self, shop: str, *, not_seen_since: int) -> int:
        """Mark listings that a full reading did not deliver; how many."""
        ...

    def page(
        self, page: Page, *, shop: str, linked: bool | None, sku: str, vanished: bool | None
    ) -> list[ListingRecord]:
        """By (shop, listing); an empty shop means all."""
        ...
