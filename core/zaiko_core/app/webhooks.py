"""What follows from a platform's notification that was proven (ADR 0014)."""

from __future__ import annotations

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import Trigger


def receive(uow: UnitOfWork, shop: str, delivery: str, *, reread: bool) -> bool:
    """Trigger the shop, unless this delivery has come before; whether it is new. `reread`: open
    orders are read again in the run, because fetching does not tell of their changes. One
    transaction: a delivery that is known has triggered its run."""
    if not uow.webhooks.insert(shop, delivery):
        return False
    if reread:
        uow.shops.ask_reread(shop)
    uow.trigger([shop], by=Trigger.WEBHOOK)
    return True
