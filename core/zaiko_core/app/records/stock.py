"""A product's stock, and what its numbers were made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zaiko_core.domain.stock import Balance, Delta, DemandRef


@dataclass(frozen=True, slots=True)
class StockRecord:
    """A product's balance over all warehouses, and per warehouse (physical, allocated)."""

    product: str
    balance: Balance
    warehouses: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    updated_at: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Shelf:
    """One product in one warehouse, as its movements add up: received + adjusted + shipped (≤ 0) +
    transferred = physical."""

    warehouse: str
    received: int
    adjusted: int
    shipped: int
    transferred: int
    physical: int
    allocated: int


@dataclass(frozen=True, slots=True)
class Promise:
    """One demand as its movements add up. `number` is the shop's, empty if the order was never
    read. `since` is when it was placed, or first known."""

    demand: DemandRef
    number: str
    delta: Delta
    since: int


@dataclass(frozen=True, slots=True)
class StockSettings:
    """What people had set for a product, and since when (0: before anything that is stored)."""

    reserve: int
    escrow_below: int
    since: int = 0
