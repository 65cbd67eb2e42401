"""What was sold and is not there, with what was known when it happened."""

from __future__ import annotations

from dataclasses import dataclass

from zaiko_core.app.records.links import LinkRecord
from zaiko_core.domain.oversell import Consumption, LinkSnapshot, RootCause


@dataclass(frozen=True, slots=True)
class ShownLink:
    """A link of a product at the moment when the product is oversold, with what its shop was doing.
    `shop_read_at` is when the last fetch of its orders began that was ingested whole."""

    product: str
    count: int
    link: LinkRecord
    shop_problem: str
    shop_read_at: int | None
    interval: int
    sells_below_zero: bool = False
    """Whether the platform says that the listing is sold without stock."""


@dataclass(frozen=True, slots=True)
class OversellRecord:
    """A movement (`by`) that took `units` which do not exist; `short` units were missing after it.
    `consumptions` are the movements that took units since the seller's number was computed, newest
    first. `cleared_by` is the movement that ended it."""

    product: str
    at: int
    units: int
    short: int
    by: Consumption
    root_cause: RootCause
    snapshots: tuple[LinkSnapshot, ...]
    consumptions: tuple[Consumption, ...]
    cleared_at: int | None = None
    cleared_by: int | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ClearedRecord:
    """The open oversells of a product that a movement has ended, by the numbers of the movements
    that made them."""

    product: str
    oversells: tuple[int, ...]
    at: int
