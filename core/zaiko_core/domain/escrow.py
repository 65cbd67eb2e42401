"""Disjoint quotas for scarce goods: what all shops together may sell is never more than there is
(ADR 0012). Pure.

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
"""µs. Sales are counted per period; the last two tell how much a shop sold lately."""


@dataclass(frozen=True, slots=True)
class Sales:
    """Units sold in the period `period` (µs since 1970 // PERIOD) and in the one before it."""

    period: int = 0
    now: int = 0
    before: int = 0

    def recent(self, at: int) -> int:
        """Units sold lately, as seen at `at`: those of the present period, and of the one before as
        much as is left of the window that slides over both."""
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

    `exposed` is None while nobody has read the shop's number. `recent` are units that it sold
    lately. `movable` says whether its number can be changed now.
    """

    key: Key
    exposed: int | None
    recent: int = 0
    movable: bool = True


def exposed(belief: InventoryBelief) -> int | None:
    """The most units of the listing that the shop may sell before we hear of it, in units of the
    listing; None when unknown."""
    if belief.expected is None and belief.must_read:
        return None
    pending = (belief.pending.quantity, belief.pending.absolute or 0) if belief.pending else ()
    return (
        max(0, belief.expected or 0, *pending)
        + belief.released
        + belief.unexplained
        + belief.uncertain
    )


def apportion(units: int, holders: Sequence[Holder]) -> dict[Key, int]:
    """Share `units` by demand (`recent` + 1), by largest remainders; a tie goes to whoever holds
    more already, then by key. The shares add up to `units` when there is a holder."""
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
    """How many of `units` each movable holder should have. They add up to what those that cannot be
    moved leave of `units`.

    While nobody starves (holds less than half of its share) and no unit is missing, everybody keeps
    what it has and only new units are shared out: units on their way from shop to shop are on sale
    nowhere.
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
    """How many units the holder `key` may expose now: down to its quota at once, up only by units
    that nobody exposes. So the sum of what is exposed never rises above `units`, whatever becomes
    of the writes that follow."""
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
