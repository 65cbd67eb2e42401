"""Escrow in the transactions of a run: what links of scarce goods may show now, and which links go
on when one shows less."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from zaiko_core.app.due_marks import mark_holders_due
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import DueLink, Holding, LinkRecord
from zaiko_core.domain import escrow
from zaiko_core.domain.escrow import Holder, Key, Quota, ScarcePart
from zaiko_core.domain.fence import InventoryBelief
from zaiko_core.domain.links import Part


class QuotaBook:
    """Who holds the scarce products of some due links, within one transaction: `note` each change
    of a belief, so that the next quota takes account of it."""

    def __init__(self, units: Mapping[str, int], holdings: Iterable[Holding], now: int) -> None:
        self._units = units
        self._holders: dict[str, dict[Key, Holder]] = defaultdict(dict)
        for holding in holdings:
            key = (holding.shop, holding.listing)
            shown = escrow.exposed(holding.belief)
            self._holders[holding.product][key] = Holder(
                key,
                exposed=None if shown is None else shown * holding.count,
                recent=holding.sales.recent(now) * holding.count,
                movable=holding.movable,
            )

    def quota(self, link: LinkRecord) -> Quota:
        """Return what the link competes for now."""
        key = (link.shop, link.listing)
        return Quota(
            key,
            tuple(
                ScarcePart(
                    self._units[part.product],
                    part.count,
                    self._recent(part.product, key),
                    tuple(
                        holder
                        for other, holder in self._holders[part.product].items()
                        if other != key
                    ),
                )
                for part in self._scarce(link)
            ),
        )

    def note(self, link: LinkRecord, belief: InventoryBelief, *, movable: bool = True) -> None:
        """Remember the new belief of a link. It is being handled, so it is not stuck, whatever its
        state was; one in shadow is not `movable`: it goes on showing what it shows."""
        shown = escrow.exposed(belief)
        key = (link.shop, link.listing)
        for part in self._scarce(link):
            units = None if shown is None else shown * part.count
            self._holders[part.product][key] = Holder(
                key, units, self._recent(part.product, key), movable=movable
            )

    def _scarce(self, link: LinkRecord) -> list[Part]:
        return [part for part in link.parts if part.product in self._units]

    def _recent(self, product: str, key: Key) -> int:
        known = self._holders[product].get(key)
        return known.recent if known else 0


def quotas_of(uow: UnitOfWork, due: Sequence[DueLink]) -> QuotaBook:
    """Load who holds the scarce products of these links."""
    units = {
        product: balance.sent
        for item in due
        for product, balance in item.balances.items()
        if balance.in_escrow
    }
    return QuotaBook(units, uow.links.holders(units) if units else (), uow.now)


def freed(
    uow: UnitOfWork, before: Mapping[Key, InventoryBelief], after: Collection[LinkRecord]
) -> None:
    """Wake the links that wait for units of a scarce product where one of the links that were saved
    exposes less of it than before."""
    products = {
        part.product
        for link in after
        if _less(before.get((link.shop, link.listing)), link.belief)
        for part in link.parts
    }
    wake(uow, products)


def wake(uow: UnitOfWork, products: Collection[str]) -> None:
    """Let each link of those of these products that are in escrow check its quota again."""
    if products:
        mark_holders_due(uow, uow.stocks.in_escrow(products))


def _less(before: InventoryBelief | None, after: InventoryBelief) -> bool:
    was, now = (None if before is None else escrow.exposed(before)), escrow.exposed(after)
    if now is None:
        return False
    return was is None or now < was
