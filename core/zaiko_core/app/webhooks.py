"""What a verified notification of a platform causes (ADR 0014)."""

from __future__ import annotations

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import Trigger


def receive(uow: UnitOfWork, shop: str, delivery: str, *, reread: bool) -> bool:
    """Trigger the shop unless this delivery has arrived before, and return whether it is new.
    `reread`: the run reads open orders again, because fetching orders does not show their changes.
    Both happen in one transaction, so a known delivery has triggered its run."""
    if not uow.webhooks.insert(shop, delivery):
        return False
    if reread:
        uow.shops.ask_reread(shop)
    uow.trigger([shop], by=Trigger.WEBHOOK)
    return True
