"""Sealing everything with a new key, after it was put first."""

from __future__ import annotations

from collections.abc import Callable

from zaiko_core.app.ports import UnitOfWork

Reseal = Callable[[bytes], bytes | None]
"""What was sealed, sealed by the newest key; None when it is already. Raises SecretKeyMissing when
no key opens it."""


def reseal(uow: UnitOfWork, again: Reseal) -> int:
    """Seal a merchant's credentials and connectors' states with the newest key, and return how many
    were changed. It runs under the merchant's lock, so nothing that is saved meanwhile is lost. It
    changes nothing that a client sees, and uses no revision."""
    changed = 0
    for shop, secrets, state in uow.shops.sealed():
        new_secrets = again(secrets) if secrets is not None else None
        new_state = again(state) if state is not None else None
        if new_secrets is not None:
            uow.shops.save_sealed(shop, new_secrets)
        if new_state is not None:
            uow.shops.save_state(shop, new_state)
        changed += (new_secrets is not None) + (new_state is not None)
    return changed
