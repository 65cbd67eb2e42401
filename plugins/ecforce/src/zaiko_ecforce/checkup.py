"""What `check` finds out about a shop before it is synced."""

from __future__ import annotations

from collections.abc import Sequence

from zaiko_sdk import ConnectorError, Finding, FindingLevel, Pause, Skip, Stop

from zaiko_ecforce.client import Client
from zaiko_ecforce.settings import EcforceSettings
from zaiko_ecforce.stock_items import StockItems

_READS = (("orders", "order_items"), ("products", "variants"))


async def check_shop(client: Client, settings: EcforceSettings) -> Sequence[Finding]:
    """Read one row of everything that a run needs. Raises Retry when the shop could not be
    asked."""
    findings: list[Finding] = []
    try:
        findings += await _location(StockItems(client), settings.location_code)
    except (Pause, Skip, Stop) as error:
        # The other requests would get the same reply.
        return [_failure("stock", error)]
    for resource, include in _READS:
        try:
            await client.list(resource, (), page=1, sort="id", include=include, per=1)
        except (Pause, Skip, Stop) as error:
            findings.append(_failure(resource, error))
    if not any(finding.level is FindingLevel.ERROR for finding in findings):
        findings.append(
            Finding(FindingLevel.OK, "CONNECTED", "Orders, products and stock can be read.")
        )
    return findings


async def _location(items: StockItems, code: str) -> list[Finding]:
    here, complete = await items.first(code)
    here = [item for item in here if item.location == code]
    if not here:
        others, _ = await items.first()
        codes = ", ".join(sorted({item.location for item in others})) or "none"
        message = (
            f"No stock record has the location {code!r}. Locations seen: {codes}. Set "
            "location_code to one of them."
        )
        # A shop without any stock record may still have the location.
        return [
            Finding(
                FindingLevel.ERROR if others else FindingLevel.WARNING, "UNKNOWN_LOCATION", message
            )
        ]
    unlimited = sum(item.unlimited for item in here)
    if not unlimited:
        return []
    count = f"{unlimited} of the {'' if complete else 'first '}{len(here)} stock records"
    message = (
        f"{count} at {code!r} are set to unlimited stock (在庫無制限); these cannot be synced."
    )
    return [Finding(FindingLevel.WARNING, "UNLIMITED_STOCK", message)]


def _failure(what: str, error: ConnectorError) -> Finding:
    words = f" ({error.platform_message})" if error.platform_message else ""
    return Finding(FindingLevel.ERROR, error.reason, f"{what}: {error.message}{words}")
