"""The hooks. ZAIKO_NOTIFIER_URL is where they post, ZAIKO_NOTIFIER_SECRET signs; without both
nothing is posted.

Hooks run on this plugin's own thread, one after the other: waiting for the receiver delays nothing
else.
"""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from typing import Any

from zaiko_sdk import (
    CredentialsExpiring,
    Oversold,
    OversoldCleared,
    RunFinished,
    ShopHeld,
    ShopResumed,
    hookimpl,
)

from zaiko_notifier.webhook import Webhook

_log = logging.getLogger(__name__)
_failing: dict[str, str] = {}
"""Why each shop's last run failed: the same reason is reported once, not at every run."""


@hookimpl
def zaiko_shop_held(event: ShopHeld) -> None:
    """Post that a person must act."""
    _post("shop_held", asdict(event))


@hookimpl
def zaiko_shop_resumed(event: ShopResumed) -> None:
    """Post that the shop is synced again."""
    _post("shop_resumed", asdict(event))


@hookimpl
def zaiko_credentials_expiring(event: CredentialsExpiring) -> None:
    """Post that new credentials are needed before that day."""
    _post("credentials_expiring", asdict(event))


@hookimpl
def zaiko_oversold(event: Oversold) -> None:
    """Post that a buyer waits for goods that are not there."""
    _post("oversold", asdict(event))


@hookimpl
def zaiko_oversold_cleared(event: OversoldCleared) -> None:
    """Post that there are goods for every buyer again."""
    _post("oversold_cleared", asdict(event))


@hookimpl
def zaiko_run_finished(event: RunFinished) -> None:
    """Post that a shop's runs begin to fail."""
    if event.trouble is None:
        _failing.pop(event.shop, None)
    elif _failing.get(event.shop) != event.trouble.reason:
        _failing[event.shop] = event.trouble.reason
        _post("run_failed", asdict(event))


def _post(kind: str, fields: dict[str, Any]) -> None:
    url, secret = os.environ.get("ZAIKO_NOTIFIER_URL"), os.environ.get("ZAIKO_NOTIFIER_SECRET")
    if not url or not secret:
        return
    document = {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in fields.items()
    }
    if not Webhook(url, secret).post({"kind": kind, **document}):
        _log.error(
            "the receiver did not take %s of %s", kind, fields.get("shop") or fields["product"]
        )
