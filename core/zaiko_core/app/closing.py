"""Deleting a shop: what becomes of its open orders is decided, never left open (ADR 0035)."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import replace

from zaiko_core.app import orders, shops
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind
from zaiko_core.app.suspects import BY_HAND
from zaiko_core.domain.errors import ShopHasLinks, ShopHasOpenOrders
from zaiko_core.domain.stock import MovementKind

_BATCH = 500


class OpenOrders(enum.StrEnum):
    """What becomes of the open orders of a shop that is deleted."""

    KEEP = "KEEP"
    """They stay promised. A warehouse can ship them, and a person release them."""
    RELEASE = "RELEASE"
    """Their units may be sold again, apart from what a warehouse holds."""


def delete(uow: UnitOfWork, shop: str, open_orders: OpenOrders | None = None) -> None:
    """Delete a shop with its credentials and listings; its orders and movements stay. Raises
    NotFound, ShopHasLinks, and ShopHasOpenOrders where it is not said what becomes of them."""
    record = shops.get(uow, shop)
    name = f"merchants/{uow.merchant}/shops/{shop}"
    links = sum(uow.shops.link_counts([shop]).get(shop, {}).values())
    if links:
        raise ShopHasLinks(
            f"{links} listings of {name} are linked; delete those links first",
            shop=name,
            count=str(links),
        )
    if open_orders is None and (count := sum(len(batch) for batch in _open(uow, shop))):
        raise ShopHasOpenOrders(
            f"{count} orders of {name} hold stock; say whether they are kept or released",
            shop=name,
            count=str(count),
        )
    if open_orders is OpenOrders.RELEASE:
        _release(uow, shop)
    uow.shops.update(replace(record, deleted=True, secrets=None, problem=None))
    uow.listings.forget(shop)
    uow.additions.give_up(shop)
    uow.named_orders.forget(shop)
    uow.accounts.leave(shop)
    uow.shops.forget_state(shop)
    uow.changed(ChangeKind.SHOP, [shop])


def _open(uow: UnitOfWork, shop: str) -> Iterator[list[str]]:
    after = ""
    while found := uow.demands.unsettled(shop, limit=_BATCH, after=after):
        after = found[-1]
        yield found


def _release(uow: UnitOfWork, shop: str) -> None:
    for batch in _open(uow, shop):
        gone = [
            replace(
                record,
                released_at=record.released_at or uow.now,
                released_for=record.released_for or BY_HAND,
                kept=False,
                lines=tuple(replace(line, settled=line.unrestocked) for line in record.lines),
            )
            for record in uow.orders.get(shop, batch).values()
        ]
        orders.recount(uow, shop, gone, MovementKind.ORDER_WRITTEN_OFF)
