"""The drift audit in the transactions of a run (ADR 0013): which links are read again, and why a
number differed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import DriftRecord, DueLink, ShopRecord
from zaiko_core.domain import drift
from zaiko_core.domain.drift import Cause, Circumstances, Difference
from zaiko_core.domain.fence import Drift, InventoryBelief
from zaiko_core.domain.problem import Problem

PERIOD = 24 * 3_600_000_000
"""µs in which every synced link is read at least once, where the shop's quota allows it."""
HOLD = 24 * 3_600_000_000
"""µs after which a held difference is looked at again by itself."""

_LEFT_TO_PEOPLE = {Cause.EDITED_IN_SHOP, Cause.WRONG_LINK, Cause.BUNDLE_PART}


@dataclass(frozen=True, slots=True)
class Summary:
    """How well the numbers of shops were compared lately. `oldest` is when the link that was read
    longest ago was read (0: never; None: there are no enabled links)."""

    enabled: int
    verified: int
    oldest: int | None
    differences: Mapping[str, int]


def begin(uow: UnitOfWork, shop: str, token: int, *, least: int, period: int = PERIOD) -> int:
    """Make a slice of the shop's links due with a reading, once per interval of the shop; how
    many."""
    uow.hold_lease(shop, token)
    record = uow.shops.get([shop]).get(shop)
    if record is None or (
        record.audited_at is not None and uow.now - record.audited_at < record.interval
    ):
        return 0
    uow.shops.save_audited(shop)
    return uow.links.audit(shop, period=period, interval=record.interval, least=least)


def summary(uow: UnitOfWork, shop: str, *, since: int) -> Summary:
    """Of one shop, or of all of the merchant when it is empty."""
    enabled, verified, oldest = uow.links.verified(shop, since=since)
    return Summary(enabled, verified, oldest, uow.drifts.counts(shop, since=since))


@dataclass(slots=True)
class Findings:
    """Collects the differences that one transaction of a run settles. What it needs to know beside
    the numbers is asked only when there is a difference, which is rare."""

    uow: UnitOfWork
    shop: str
    _shop: ShopRecord | None = None
    _found: dict[str, DriftRecord] = field(default_factory=dict)

    def reading(
        self,
        item: DueLink,
        before: InventoryBelief,
        after: InventoryBelief,
        verdict: Drift,
        quantity: int | None,
    ) -> Difference | None:
        """The link was read."""
        found = drift.on_reading(before, after, verdict, quantity)
        return None if found is None else self._add(item, found, Circumstances())

    def expired(
        self, item: DueLink, before: InventoryBelief, after: InventoryBelief
    ) -> Difference | None:
        """A suspicion of the link was dropped."""
        if before.unexplained <= after.unexplained:
            return None
        complete = self._record().orders_complete_until
        around = Circumstances(
            orders_complete=complete is None or complete >= before.unexplained_since,
            sold_unlinked=self.uow.orders.sold_unlinked(
                self.shop, since=before.unexplained_since - PERIOD
            ),
        )
        found = drift.on_outlived(before, after, around)
        return None if found is None else self._add(item, found, around)

    def left_to_people(self, item: DueLink) -> Problem | None:
        """Why the link is not set right by itself, or None."""
        found = self._found.get(item.link.listing)
        if found is None or not found.held:
            return None
        shown, expected = found.difference.shown, found.difference.expected
        return Problem(
            "DIFFERENCE_UNEXPLAINED",
            f"the shop shows {shown} where {expected} was left; cause: {found.difference.cause}",
            metadata={
                "shown": str(shown),
                "expected": str(expected),
                "cause": str(found.difference.cause),
            },
        )

    def write(self) -> None:
        """Write down what was found."""
        self.uow.drifts.insert(list(self._found.values()))

    def _add(self, item: DueLink, found: Difference, around: Circumstances) -> Difference:
        name = item.link.listing
        if found.cause is Cause.EDITED_IN_SHOP:
            edits = self.uow.drifts.edits(self.shop, [name], since=self.uow.now - drift.WITHIN).get(
                name, 0
            )
            differ = edits + 1 >= drift.EDITS and self._codes_differ(item)
            found = drift.weighed(found, Circumstances(edits=edits, codes_differ=differ))
        held = found.cause in _LEFT_TO_PEOPLE and self._record().hold_drift
        self._found[name] = DriftRecord(self.uow.now, self.shop, name, found, held)
        return found

    def _record(self) -> ShopRecord:
        if self._shop is None:
            self._shop = self.uow.shops.get([self.shop])[self.shop]
        return self._shop

    def _codes_differ(self, item: DueLink) -> bool:
        sku = self.uow.listings.get(self.shop, [item.link.listing])[item.link.listing].sku
        parts: Sequence[str] = [part.product for part in item.link.parts]
        codes = {product.code for product in self.uow.products.get(parts).values()}
        return bool(sku) and len(parts) == 1 and sku not in codes
