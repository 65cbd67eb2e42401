"""The catalogue: items and their variations, over pages that shift."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from zaiko_base.connector import BaseConnector
from zaiko_base.simulator import BaseSimulator
from zaiko_sdk import Listing, ListingWarning
from zaiko_sdk.testing.simulator import NewListing

Open = Callable[..., BaseConnector]

pytestmark = pytest.mark.anyio


async def _all(connector: object, cursor: str | None = None) -> list[Listing]:
    return [listing async for page in connector.list_listings(cursor) for listing in page.listings]  # type: ignore[attr-defined]


async def test_items_and_variations_are_listed_under_their_own_codes(
    connect: Open, shop: BaseSimulator
) -> None:
    ids = shop.add_listings(
        [
            NewListing("PLAIN", 3, "Soap", "4900001"),
            NewListing("W", 12, "Towel", extra={"item": "towel", "variation": "White / M"}),
            NewListing("G", 5, extra={"item": "towel", "variation": "Grey / M", "no_code": True}),
        ]
    )

    plain, white, grey = await _all(connect())

    assert [listing.ref.external_id for listing in (plain, white, grey)] == ids
    assert (plain.sku, plain.barcode, plain.quantity) == ("PLAIN", "4900001", 3)
    assert (white.title, white.sku, white.quantity, white.group_id) == (
        "Towel / White / M",
        "W",
        12,
        grey.group_id,
    )
    assert grey.sku == ""


async def test_what_a_person_should_know_is_said(connect: Open, shop: BaseSimulator) -> None:
    shop.add_listings([NewListing("A", 1), NewListing("B", 1, extra={"visible": False})])
    for item in shop.items.values():
        item.variations[0].sku = "SAME"

    first, second = await _all(connect())

    assert first.warnings == frozenset()
    assert second.warnings == {ListingWarning.OFF_SALE, ListingWarning.DUPLICATE_SKU}


@pytest.mark.parametrize("removed", [1, 3, 60])
async def test_items_that_are_deleted_while_paging_hide_no_other(
    connect: Open, shop: BaseSimulator, removed: int
) -> None:
    shop.add_listings([NewListing(f"S{number}", number) for number in range(250)])
    seen: set[str] = set()
    async for page in connect().list_listings(None):
        if not seen:
            for number in range(removed):
                shop.remove_item(f"S{number}")
        seen |= {listing.sku for listing in page.listings}

    assert seen >= {f"S{number}" for number in range(removed, 250)}


async def test_a_cursor_continues_in_another_process(connect: Open, shop: BaseSimulator) -> None:
    shop.add_listings([NewListing(f"S{number}", number) for number in range(150)])
    async for page in connect().list_listings(None):
        first, cursor = {listing.sku for listing in page.listings}, page.cursor
        break

    rest = {listing.sku for listing in await _all(connect(), cursor)}

    assert first | rest == {f"S{number}" for number in range(150)}
    assert len(rest) < 60
