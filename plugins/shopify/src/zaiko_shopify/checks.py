"""What `check` looks at, and the findings for the merchant."""

from __future__ import annotations

from zaiko_sdk import ConnectorError, Finding, FindingLevel, Retry

from zaiko_shopify.client import Client
from zaiko_shopify.documents import API_VERSION, ORDER_ACCESS, SHOP
from zaiko_shopify.locations import Locations
from zaiko_shopify.settings import ShopifySettings

NEEDED_SCOPES = (
    "read_products",
    "read_inventory",
    "write_inventory",
    "read_locations",
    "read_orders",
)
_ALL_ORDERS = "read_all_orders"
_DAYS_WITHOUT = 60


async def findings_of(
    client: Client, settings: ShopifySettings, locations: Locations
) -> list[Finding]:
    """See Connector.check."""
    findings: list[Finding] = []
    try:
        data = await client.query(SHOP)
        shop = data.inner("shop")
        scopes = {
            scope.text("handle")
            for scope in data.inner("currentAppInstallation").each("accessScopes")
        }
        domain = shop.text_or_empty("myshopifyDomain")
        findings.append(
            Finding(
                FindingLevel.OK,
                "CONNECTED",
                f"Connected to {shop.text_or_empty('name')} ({domain}).",
            )
        )
        if domain != settings.shop:
            text = (
                f"The token is for {domain}, not for {settings.shop}; correct `shop`, or "
                "webhooks will not be recognised."
            )
            findings.append(Finding(FindingLevel.WARNING, "OTHER_SHOP", text))
        findings += _scope_findings(scopes, settings)
        await client.query(ORDER_ACCESS)
        findings.append(
            Finding(
                FindingLevel.OK,
                "LOCATION",
                f"Stock is kept at the location {await locations.find()}.",
            )
        )
    except Retry:
        raise
    except ConnectorError as error:
        findings.append(Finding(FindingLevel.ERROR, error.reason, error.message))
    if client.served_version not in (None, API_VERSION):
        text = (
            f"Shopify answers with API version {client.served_version} instead of "
            f"{API_VERSION}; update this connector."
        )
        findings.append(Finding(FindingLevel.WARNING, "API_VERSION", text))
    if settings.client_secret is None:
        text = (
            "No client secret is set, so Shopify's notifications cannot be verified; orders are "
            "fetched by the clock alone."
        )
        findings.append(Finding(FindingLevel.OK, "NO_WEBHOOKS", text))
    return findings


def _scope_findings(granted: set[str], settings: ShopifySettings) -> list[Finding]:
    # write_x includes read_x.
    granted = granted | {
        scope.replace("write_", "read_", 1) for scope in granted if scope.startswith("write_")
    }
    missing = [scope for scope in NEEDED_SCOPES if scope not in granted]
    findings = []
    if missing:
        text = (
            f"The app lacks the scopes {', '.join(missing)}. Grant them and install the app again."
        )
        findings.append(Finding(FindingLevel.ERROR, "PERMISSION_MISSING", text))
    if settings.first_fetch_days > _DAYS_WITHOUT and _ALL_ORDERS not in granted:
        text = (
            f"Orders older than {_DAYS_WITHOUT} days are invisible without the scope "
            f"{_ALL_ORDERS}; ask Shopify for it."
        )
        findings.append(Finding(FindingLevel.WARNING, "OLD_ORDERS_INVISIBLE", text))
    return findings
