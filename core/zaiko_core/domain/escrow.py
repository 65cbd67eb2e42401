"""Disjoint quotas for scarce goods: all shops together never offer more than there is (ADR 0012).
Pure.

All numbers are units of one product. A listing that shows n of a bundle with k units of the product
holds n × k of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zaiko_core.domain.fence import InventoryBelief

Key = tuple[str, str]
"""(shop, listing)"""

PERIOD = 6 * 3_600_000_000
"""µs. Sales are counted per period; the last two say how much a shop sold lately."""


@dataclass(frozen=True, slots=True)
class Sales:
    """Units sold in the period `period` (µs since 1970 // PERIOD) and in the one before it."""

    period: int = 0
    now: int = 0
    before: int = 0

    def recent(self, at: int) -> int:
        """Return the units sold lately, as seen at `at`: those of the present period, and the share
        of the previous one that a window of one period still covers."""
        period, elapsed = divmod(at, PERIOD)
        now, before = (
            (self.now, self.before)
            if period == self.period
            else (0, self.now if period == self.period + 1 else 0)
        )
        return now + before * (PERIOD - elapsed) // PERIOD


@dataclass(frozen=True, slots=True)
class Holder:
    """One enabled link of the product.

    `exposed` is None until the shop's number was read. `recent` are units that it sold lately.
    `movable` says whether its number can be changed now.
    """

    key: Key
    exposed: int | None
    recent: int = 0
    movable: bool = True


@dataclass(frozen=True, slots=True)
class ScarcePart:
    """A part of a listing whose product is in escrow: `units` of it are left for all shops,
    `count` go into one unit of the listing. `recent` is as in Holder."""

    units: int
    count: int
    recent: int
    others: tuple[Holder, ...]
    """Everyone else who shows the product."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What the link `key` competes for. Without parts it shows no scarce product."""

    key: Key
    parts: tuple[ScarcePart, ...] = ()

    def allowed(self, belief: InventoryBelief) -> tuple[int | None, bool]:
        """Return how many units of the listing the link may show, unexplained units included
        (None: as many as it likes), and whether it waits for units that others still show."""
        limits: list[int] = []
        waits = False
        shown = exposed(belief)
        for part in self.parts:
            mine = Holder(self.key, None if shown is None else shown * part.count, part.recent)
            holders = [*part.others, mine]
            now = allowed(part.units, holders, self.key)
            waits = waits or now < quotas(part.units, holders).get(self.key, 0)
            limits.append(now // part.count)
        return (min(limits) if limits else None), waits


def exposed(belief: InventoryBelief) -> int | None:
    """Return the most units of the listing that the shop may sell before we learn of it; None when
    unknown."""
    if belief.expected is None and belief.must_read:
        return None
    pending = (belief.pending.quantity, belief.pending.absolute or 0) if belief.pending else ()
    return (
        max(0, belief.expected or 0, *pending)
        + belief.released
        + belief.unexplained
        + belief.uncertain
        + belief.reserved
    )


def apportion(units: int, holders: Sequence[Holder]) -> dict[Key, int]:
    """Share `units` by demand (`recent` + 1), by largest remainders. A tie goes to the holder of
    more units, then by key. The shares add up to `units` when there is a holder."""
    weights = {holder.key: holder.recent + 1 for holder in holders}
    total = sum(weights.values())
    shares = {key: units * weight // total for key, weight in weights.items()}
    left = units - sum(shares.values()) if holders else 0
    held = {holder.key: holder.exposed or 0 for holder in holders}
    order = sorted(weights, key=lambda key: (-(units * weights[key] % total), -held[key], key))
    for key in order[:left]:
        shares[key] += 1
    return shares


def quotas(units: int, holders: Sequence[Holder]) -> dict[Key, int]:
    """Return how many of `units` each movable holder should have. They add up to what the others
    leave of `units`.

    While no holder starves (holds less than half of its share) and no unit is missing, each keeps
    what it has and only new units are shared out: units that move between shops are on sale
    nowhere meanwhile.
    """
    fixed = sum(holder.exposed or 0 for holder in holders if not holder.movable)
    movable = [holder for holder in holders if holder.movable]
    units = max(0, units - fixed)
    shares = apportion(units, movable)
    held = {holder.key: holder.exposed or 0 for holder in movable}
    spare = units - sum(held.values())
    starving = any(2 * held[key] < share for key, share in shares.items())
    if spare < 0 or starving:
        return shares
    result = dict(held)
    for key in sorted(held, key=lambda key: (held[key] - shares[key], key)):
        given = min(spare, max(0, shares[key] - held[key]))
        result[key] += given
        spare -= given
    return result


def allowed(units: int, holders: Sequence[Holder], key: Key) -> int:
    """Return how many units the holder `key` may expose now: down to its quota at once, up only by
    units that no holder exposes. So the sum of what is exposed never rises above `units`, whatever
    becomes of the writes that follow."""
    quota = quotas(units, holders)
    mine = next(holder for holder in holders if holder.key == key)
    own = mine.exposed or 0
    wanted = quota.get(key, own)
    if wanted <= own:
        return wanted
    others = [holder.exposed for holder in holders if holder.key != key]
    if any(other is None for other in others):
        return own
    return min(wanted, max(own, units - sum(other or 0 for other in others)))
