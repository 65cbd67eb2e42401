"""What a check of a shop's credentials and permissions leaves in the store."""

from __future__ import annotations

from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind, ShopRecord

EVERY = 24 * 3_600_000_000
"""µs between two checks that the engine makes without a request."""


def is_due(shop: ShopRecord, now: int) -> bool:
    """Return whether the engine should check."""
    return shop.checked_at is None or now - shop.checked_at >= EVERY


def record(
    uow: UnitOfWork, shop: str, expire_at: int | None, *, token: int | None = None
) -> ShopRecord | None:
    """Record that the shop was checked now, by a run under `token` or because a person asked; its
    credentials end at `expire_at` (µs; None: not known). Watchers are notified when the end has
    changed. Return the shop as it was before; None when it is gone. Raises LeaseLost."""
    if token is not None:
        uow.hold_lease(shop, token)
    before = uow.shops.get([shop]).get(shop)
    if before is None:
        return None
    changed = before.credentials_expire_at != expire_at
    uow.shops.save_check(shop, expire_at, status_changed=changed)
    if changed:
        uow.changed(ChangeKind.SHOP, [shop])
    return before
