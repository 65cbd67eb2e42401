"""Escrow in the transactions of a run: what links of scarce goods may show now, and whom it
concerns when one shows less."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from zaiko_core.app.due_marks import touch_holders
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import DueLink, Holding, LinkRecord
from zaiko_core.domain import escrow
from zaiko_core.domain.escrow import Holder, Key
from zaiko_core.domain.fence import InventoryBelief
from zaiko_core.domain.links import Part

RECHECK = 10_000_000
"""µs after which a link that waits for units of other shops looks again, should nobody wake it."""


class Quotas:
    """The quotas of the scarce products of some due links, within one transaction: `note` every
    change of a fence, so that the next `allowed` takes account of it."""

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

    def concerns(self, part: Part) -> bool:
        """Whether this part's product is in escrow."""
        return part.product in self._units

    def allowed(self, link: LinkRecord, belief: InventoryBelief) -> tuple[int | None, bool]:
        """How many the link may show by its scarce parts, suspected units included (None: it has
        none), and whether it waits for units that others still show."""
        limits: list[int] = []
        waits = False
        for part in link.parts:
            if not self.concerns(part):
                continue
            self.note(link, belief)
            key, holders = (link.shop, link.listing), list(self._holders[part.product].values())
            now = escrow.allowed(self._units[part.product], holders, key)
            waits = waits or now < escrow.quotas(self._units[part.product], holders).get(key, 0)
            limits.append(now // part.count)
        return (min(limits) if limits else None), waits

    def note(self, link: LinkRecord, belief: InventoryBelief, *, movable: bool = True) -> None:
        """The link is being handled, so it is not stuck whatever its state said before, and its
        fence is now `belief`. One in shadow is not `movable`: it goes on showing what it shows."""
        shown = escrow.exposed(belief)
        for part in link.parts:
            if self.concerns(part):
                key = (link.shop, link.listing)
                known = self._holders[part.product].get(key)
                units = None if shown is None else shown * part.count
                self._holders[part.product][key] = Holder(
                    key, units, known.recent if known else 0, movable=movable
                )


def quotas_of(uow: UnitOfWork, due: Sequence[DueLink]) -> Quotas:
    """The quotas that these links need."""
    units = {
        product: balance.sent
        for item in due
        for product, balance in item.balances.items()
        if balance.in_escrow
    }
    return Quotas(units, uow.links.holders(units) if units else (), uow.now)


def freed(
    uow: UnitOfWork, before: Mapping[Key, InventoryBelief], after: Collection[LinkRecord]
) -> None:
    """These fences were saved. Where one exposes less of a scarce product than before, whoever
    waits for its units goes on."""
    products = {
        part.product
        for link in after
        if _less(before.get((link.shop, link.listing)), link.belief)
        for part in link.parts
    }
    wake(uow, products)


def wake(uow: UnitOfWork, products: Collection[str]) -> None:
    """Let every link of those of these products that are in escrow look at its quota."""
    if products:
        touch_holders(uow, uow.stocks.in_escrow(products))


def _less(before: InventoryBelief | None, after: InventoryBelief) -> bool:
    was, now = (None if before is None else escrow.exposed(before)), escrow.exposed(after)
    if now is None:
        return False
    return was is None or now < was
