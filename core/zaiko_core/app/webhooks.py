"""What a verified notification of a platform causes (ADR 0014, 0040)."""

from __future__ import annotations

from collections.abc import Sequence

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import Trigger


def receive(
    uow: UnitOfWork, shop: str, delivery: str, *, orders: Sequence[str] = (), reread: bool
) -> bool:
    """Trigger the shop unless this delivery has arrived before, and return whether it is new. The
    run reads `orders` by id first. `reread`: without them it reads all open orders again, because
    fetching orders does not show their changes. All happens in one transaction, so a known delivery
    has triggered its run."""
    if not uow.webhooks.insert(shop, delivery):
        return False
    are_all_read = bool(orders) and uow.named_orders.add(shop, orders)
    if reread and not are_all_read:
        uow.shops.ask_reread(shop)
    uow.trigger([shop], by=Trigger.WEBHOOK)
    return True
