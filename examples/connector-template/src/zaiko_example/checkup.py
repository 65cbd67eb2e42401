"""Whether a shop is set up so that it can be synced, as findings for its merchant."""

from __future__ import annotations

from zaiko_sdk import Account, Finding, FindingLevel, Pause, Skip, Stop, read_row

from zaiko_example.client import Client
from zaiko_example.rows import ShopRow

_SCOPES = ("orders:read", "listings:read", "stock:write")


async def account_of(client: Client) -> Account:
    """See Connector.account."""
    shop = read_row(ShopRow, await client.get("/api/shop"), what="/api/shop")
    return Account(shop.id, shop.name)


async def check_shop(client: Client) -> list[Finding]:
    """See Connector.check. A refusal of the shop is a finding; only a shop that cannot be asked
    (Retry) is an error."""
    try:
        shop = read_row(ShopRow, await client.get("/api/shop"), what="/api/shop")
    except (Pause, Skip, Stop) as error:
        return [Finding(FindingLevel.ERROR, error.reason, error.message)]
    missing = [scope for scope in _SCOPES if scope not in shop.scopes]
    if missing:
        message = f"The API token lacks {', '.join(missing)}. Make a new one with all scopes."
        return [Finding(FindingLevel.ERROR, "PERMISSION_MISSING", message)]
    return [
        Finding(
            FindingLevel.OK,
            "CONNECTED",
            f"{shop.name} can be read and written.",
            expires_at=shop.token_expires_at,
        )
    ]
