"""Whether an account is set up so that it can be synced, as findings for its merchant."""

from __future__ import annotations

from pydantic import Field
from zaiko_sdk import (
    Account,
    ContractBroken,
    Finding,
    FindingLevel,
    Pause,
    Row,
    Skip,
    Stop,
    read_row,
)

from zaiko_nextengine.client import SHOPS, Client

_COMPANY = "/api_v1_login_company/info"
_READS = (
    ("/api_v1_master_stock/search", "stock_goods_id"),
    ("/api_v1_receiveorder_row/search", "receive_order_row_receive_order_id"),
    ("/api_v1_system_que/search", "que_id"),
)


class CompanyRow(Row):
    """The part of a company that is used."""

    company_ne_id: str = Field(min_length=1)
    company_name: str = ""


async def account_of(client: Client) -> Account:
    """Return which company the tokens are of. The user who logged in may change."""
    rows, _ = await client.search(_COMPANY, {})
    if len(rows) != 1:
        raise ContractBroken(f"{_COMPANY} answered with {len(rows)} companies")
    company = read_row(CompanyRow, rows[0], what=_COMPANY)
    return Account(company.company_ne_id, company.company_name)


async def check_shop(client: Client) -> list[Finding]:
    """See Connector.check. Whether stock can be uploaded is not tried, because that would change
    some."""
    try:
        shops, _ = await client.search(SHOPS, {"fields": "shop_id,shop_name", "limit": "100"})
        for path, field in _READS:
            await client.search(path, {"fields": field, "limit": "1"})
        await client.tokens.current()
    except (Pause, Skip, Stop) as error:
        return [Finding(FindingLevel.ERROR, error.reason, error.message)]
    message = (
        f"Next Engine can be read; it serves {len(shops)} shops. Do not connect the same "
        "shops to zaiko directly: their orders "
        "would count twice. The login ends when it is not used for 3 days."
    )
    return [Finding(FindingLevel.OK, "CONNECTED", message)]
