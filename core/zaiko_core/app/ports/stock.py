"""The journal, the balances, the demands behind them, and the journal read back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from zaiko_core.app.records import Page, Promise, Shelf, StockRecord, StockSettings
from zaiko_core.domain.demand import Demand
from zaiko_core.domain.stock import Balance, Delta, DemandRef, Entry, Movement, MovementKind


class Stocks(Protocol):
    def get(self, products: Collection[str]) -> dict[str, StockRecord]: ...
    def page(self, page: Page, *, products: Collection[str], oversold: bool) -> list[StockRecord]:
        """By product id."""
        ...

    def count_oversold(self) -> int:
        """Products of which more was promised than there is."""
        ...

    def set_reserves(self, reserves: Mapping[str, int]) -> None: ...
    def set_escrow(self, product: str, below: int) -> None: ...
    def in_escrow(self, products: Collection[str]) -> set[str]:
        """Those of these products that are in escrow now (domain.stock.Balance.in_escrow)."""
        ...

    def exceeding(self, most: Mapping[str, int]) -> set[str]:
        """Those of these products that have more physical units than given for each; that may be
        below 0."""
        ...

    def post(self, entries: Sequence[Entry]) -> list[Movement]:
        """Write entries into the journal and add their deltas to the balances; the caller has
        checked that no cause is known."""
        ...

    def by_cause(self, causes: Collection[str]) -> dict[str, Movement]: ...
    def movements(
        self,
        page: Page,
        *,
        products: Collection[str],
        warehouse: str,
        kinds: Collection[MovementKind],
    ) -> list[Movement]:
        """Newest first; the key is (seq,)."""
        ...

    def recompute(self) -> dict[str, tuple[Delta, Balance]]:
        """Products whose journal does not add up to their balance, with both: empty, always."""
        ...


class Demands(Protocol):
    def get(self, shop: str, orders: Collection[str]) -> dict[tuple[str, str], Demand]:
        """By (order, product)."""
        ...

    def put(self, shop: str, demands: Mapping[tuple[str, str], Demand]) -> None: ...
    def allocated(self, ref: DemandRef, product: str) -> dict[str, int]:
        """Units that each warehouse holds for it."""
        ...

    def set_allocated(self, ref: DemandRef, product: str, warehouse: str, units: int) -> None: ...


class Ledger(Protocol):
    """What a product's numbers were made of at the revision `upto`, from the journal."""

    def known_from(self) -> int:
        """Numbers of earlier revisions cannot be explained any more."""
        ...

    def shelves(self, product: str, *, upto: int) -> list[Shelf]:
        """By warehouse."""
        ...

    def promises(self, product: str, *, upto: int, limit: int) -> list[Promise]:
        """Demands that held units, the largest first."""
        ...

    def promised(self, product: str, *, upto: int) -> tuple[int, Delta]:
        """How many demands held units, and how many units."""
        ...

    def settings(self, product: str, *, upto: int) -> StockSettings: ...
    def forget(self, *, older_than: int, known_from: int) -> None:
        """Delete changes of settings made before that time; from now on `known_from` is at least
        the one given."""
        ...
