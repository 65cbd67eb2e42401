"""What `check` finds out about a shop before it is synced, with reads only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from zaiko_sdk import (
    ConnectorError,
    CredentialsRejected,
    Finding,
    FindingLevel,
    Pause,
    ShopContext,
    Skip,
    Stop,
)

from zaiko_rakuten.catalogue import FIRST_MARK
from zaiko_rakuten.client import Client, KeyNotLiveYet
from zaiko_rakuten.functions import LICENCE_EXPIRY, SEARCH_ITEMS
from zaiko_rakuten.order_source import OrderApi, Window
from zaiko_rakuten.stock import Stock
from zaiko_rakuten.times import JAPAN

WARN_DAYS = 14
"""From so many days before its end, `check` warns about the licence key. Rakuten mails the shop 7
days before."""
_NOBODY = ("zaiko-check", "zaiko-check")
"""A SKU that no shop has: reading its stock shows whether stock can be read."""
_REJECTED = (
    "RMS does not accept the keys. Check in RMS (WEB APIサービス) that the licence key has not "
    "expired and that both keys were entered as shown there. A key issued within the last 30 "
    "minutes may not work yet: then try again a little later."
)


async def check_shop(
    context: ShopContext, client: Client, orders: OrderApi, stock: Stock
) -> Sequence[Finding]:
    """Try everything that a run needs. Raises Retry when RMS could not be asked."""
    now = context.clock.now()
    findings: list[Finding] = []
    expiry = await _licence(client, now)

    async def search_orders() -> object:
        return await orders.search(Window(now - timedelta(hours=1), now), 1)

    async def search_items() -> object:
        return await client.call(SEARCH_ITEMS, query={"cursorMark": FIRST_MARK, "hits": "1"})

    async def read_stock() -> object:
        return await stock.numbers([_NOBODY])

    for what, question in (
        ("orders", search_orders),
        ("items", search_items),
        ("stock", read_stock),
    ):
        findings += await _asked(what, question)
    if (
        all(finding.reason == CredentialsRejected.reason for finding in findings)
        and len(findings) == 3
    ):
        return [Finding(FindingLevel.ERROR, CredentialsRejected.reason, _REJECTED)]
    if not findings:
        findings.append(
            Finding(FindingLevel.OK, "CONNECTED", "Orders, items and stock can be read.")
        )
    return [*findings, expiry]


async def _asked(what: str, question: Callable[[], Awaitable[object]]) -> list[Finding]:
    try:
        await question()
    except KeyNotLiveYet as error:
        return [Finding(FindingLevel.ERROR, CredentialsRejected.reason, f"{what}: {error.message}")]
    except (Pause, Skip, Stop) as error:
        return [_failure(what, error)]
    return []


async def _licence(client: Client, now: datetime) -> Finding:
    """Return how long the licence key still works."""
    try:
        expiry = await client.licence_expiry()
    except (Pause, Skip, Stop) as error:
        return Finding(
            FindingLevel.WARNING,
            "LICENSE_KEY_EXPIRY_UNKNOWN",
            f"the licence key's end could not be read: {error.message}",
        )
    if expiry is None:
        message = (
            f"RMS does not say when the licence key ends. Enable {LICENCE_EXPIRY.api} for it, "
            "to be warned in time."
        )
        return Finding(FindingLevel.WARNING, "LICENSE_KEY_EXPIRY_UNKNOWN", message)
    days = (expiry - now) // timedelta(days=1)
    when = expiry.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M:%S")
    if expiry <= now:
        message = (
            f"The licence key ended on {when} (Japan time). Issue a new one in RMS and enter it "
            "here."
        )
        return Finding(FindingLevel.ERROR, "LICENSE_KEY_EXPIRED", message, expiry.astimezone(UTC))
    message = f"The licence key works until {when} (Japan time): {days} days left."
    if days <= WARN_DAYS:
        message += (
            " Issue a new one in RMS (WEB APIサービス) and enter it here; it may take 30 minutes "
            "until it works."
        )
        return Finding(
            FindingLevel.WARNING, "LICENSE_KEY_EXPIRES_SOON", message, expiry.astimezone(UTC)
        )
    return Finding(FindingLevel.OK, "LICENSE_KEY_VALID", message, expiry.astimezone(UTC))


def _failure(what: str, error: ConnectorError) -> Finding:
    words = f" ({error.platform_message})" if error.platform_message else ""
    return Finding(FindingLevel.ERROR, error.reason, f"{what}: {error.message}{words}")
