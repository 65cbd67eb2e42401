"""Whether a shop is set up so that it can be synced, as findings for its merchant."""

from __future__ import annotations

from zaiko_sdk import Finding, FindingLevel, Pause, Skip, Stop, read_row

from zaiko_base.client import Client
from zaiko_base.rows import UserRow, part_of
from zaiko_base.settings import BaseSettings

_READS = ("/1/items", "/1/orders")


async def user_of(client: Client) -> UserRow:
    """Return whose consent the tokens are. Raises Retry, Pause and Stop."""
    reply = await client.get("/1/users/me")
    return read_row(UserRow, part_of(reply, "user", what="/1/users/me"), what="/1/users/me")


async def check_shop(client: Client, settings: BaseSettings) -> list[Finding]:
    """See Connector.check. Whether numbers can be set is not tried, because that would set one."""
    try:
        user = await user_of(client)
        for path in _READS:
            await client.get(path, {"limit": "1"})
        await client.tokens.current()
    except (Pause, Skip, Stop) as error:
        return [Finding(FindingLevel.ERROR, error.reason, error.message)]
    if settings.shop_id and user.shop_id != settings.shop_id:
        message = (
            f"The consent is for the shop {user.shop_id}, not for {settings.shop_id}. Let the "
            "right owner agree."
        )
        return [Finding(FindingLevel.ERROR, "ANOTHER_SHOP", message)]
    message = (
        f"{user.shop_name or user.shop_id} can be read. The consent ends when it is not used "
        "for 30 days."
    )
    return [Finding(FindingLevel.OK, "CONNECTED", message)]
