"""Orders of unknown content in the transactions of a run: what they withhold, in their shop and in
others (ADR 0034)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

from zaiko_core.app.due_marks import mark_holders_due
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind, DueLink, LinkRecord
from zaiko_core.domain.demand import OrderRecord
from zaiko_core.domain.fence import InventoryBelief
from zaiko_core.domain.unknown_orders import UnknownOrders

Key = tuple[str, str]
NOTHING = UnknownOrders()


class UnknownOrderBook:
    """What orders of unknown content mean for some due links of one shop, within one transaction.
    Units are rarely missing, so orders are not read before some are."""

    def __init__(self, uow: UnitOfWork, shop: str, due: Sequence[DueLink]) -> None:
        self._uow, self._shop = uow, shop
        products = {part.product for item in due for part in item.link.parts}
        self._missing = uow.links.missing(products) if products else []

    def of_shop(self, belief: InventoryBelief) -> UnknownOrders:
        """Return those of the shop, as far as they matter for a link with this belief."""
        is_doubtful = belief.unexplained or belief.uncertain or belief.expected is None
        return self._own if is_doubtful else NOTHING

    def elsewhere(self, link: LinkRecord) -> Mapping[str, int]:
        """Return the units of each product that other links miss, and that may be sold."""
        taken: Counter[str] = Counter()
        for product, key, count, belief in self._missing:
            if key != (link.shop, link.listing):
                taken[product] += self._others[key[0]].taken(belief) * count
        return {part.product: taken[part.product] for part in link.parts if taken[part.product]}

    def wake(self, before: Mapping[Key, InventoryBelief], after: Iterable[LinkRecord]) -> None:
        """Make the links due from which more or less is withheld because of these, which were
        saved."""
        changed = {
            part.product
            for link in after
            if self._taken(before.get((link.shop, link.listing))) != self._taken(link.belief)
            for part in link.parts
        }
        mark_holders_due(self._uow, changed)

    def _taken(self, belief: InventoryBelief | None) -> int:
        return 0 if belief is None or not belief.unexplained else self._own.taken(belief)

    @cached_property
    def _own(self) -> UnknownOrders:
        return self._uow.orders.unknown([self._shop])[self._shop]

    @cached_property
    def _others(self) -> Mapping[str, UnknownOrders]:
        return self._uow.orders.unknown({key[0] for _, key, _, _ in self._missing})


def note(
    uow: UnitOfWork, shop: str, before: Mapping[str, OrderRecord], after: Collection[OrderRecord]
) -> None:
    """Note orders that were stored: where the content of one became known, or is not known any
    longer, what is missing in the shop is judged again."""
    unreadable = unknown = False
    for record in after:
        was = before.get(record.order)
        known = (False, False) if was is None else (was.is_unreadable, was.is_uncounted)
        unreadable = unreadable or record.is_unreadable != known[0]
        unknown = unknown or (record.is_unreadable, record.is_uncounted) != known
    if unreadable:
        uow.shops.count_unreadable(shop)
        uow.changed(ChangeKind.SHOP, [shop])
    if unknown:
        mark_holders_due(uow, uow.links.missing_in(shop))
