"""The catalogue, page by page."""

from __future__ import annotations

import pytest
from zaiko_rakuten.connector import RakutenConnector
from zaiko_rakuten.simulator import RakutenSimulator
from zaiko_sdk import ContractBroken, Listing, ListingPage, ListingWarning
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

pytestmark = pytest.mark.anyio


async def pages_of(connector: RakutenConnector, cursor: str | None = None) -> list[ListingPage]:
    return [page async for page in connector.list_listings(cursor)]


async def listings_of(connector: RakutenConnector, cursor: str | None = None) -> dict[str, Listing]:
    return {
        listing.ref.external_id: listing
        for page in await pages_of(connector, cursor)
        for listing in page.listings
    }


@pytest.mark.parametrize("last", ["same", "missing"])
async def test_a_catalogue_of_many_pages_is_delivered_whole(
    connector: RakutenConnector, shop: RakutenSimulator, last: str
) -> None:
    shop.switch("last_cursor", last)
    ids = shop.add_listings([NewListing(f"S{index}", index) for index in range(450)])

    assert set(ids) < (await listings_of(connector)).keys()
    assert len(await listings_of(connector)) == 453


async def test_reading_goes_on_after_any_page(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.add_listings([NewListing(f"S{index}", index) for index in range(250)])
    whole = await listings_of(connector)

    pages = await pages_of(connector)
    seen = {listing.ref.external_id for listing in pages[0].listings}
    rest = await listings_of(connector, pages[0].cursor)

    assert len(pages) == 3
    assert seen | rest.keys() == whole.keys()
    assert not seen & rest.keys()


async def test_items_with_many_skus_make_pages_of_a_bearable_size(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.add_listings(
        [
            NewListing(f"S{item}-{sku}", extra={"manage_number": f"m{item}"})
            for item in range(7)
            for sku in range(400)
        ]
    )

    pages = await pages_of(connector)
    resumed = await listings_of(connector, pages[0].cursor)

    assert [len(page.listings) for page in pages] == [1000, 1000, 803]
    assert len({listing.ref.external_id for page in pages for listing in page.listings}) == 2803
    assert len(resumed) == 2803, "in the middle of a page of RMS, going on repeats that page"


async def test_flags_become_warnings(connector: RakutenConnector, shop: RakutenSimulator) -> None:
    shop.add_listings(
        [
            NewListing("A", extra={"restock_on_cancel": True}),
            NewListing("B", extra={"back_order": True}),
            NewListing("C", extra={"hide_item": True}),
            NewListing("D", extra={"unlimited": True}),
        ]
    )

    listings = await listings_of(connector)

    assert {name: set(listings[f"{name.lower()}/{name}"].warnings) for name in "ABCD"} == {
        "A": {ListingWarning.RESTOCKS_ON_CANCEL},
        "B": {ListingWarning.SELLS_BELOW_ZERO},
        "C": {ListingWarning.OFF_SALE},
        "D": {ListingWarning.UNTRACKED},
    }


async def test_a_code_that_two_skus_carry_is_marked(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.add_listings(
        [NewListing("A", extra={"code": "SAME"}), NewListing("B", extra={"code": "SAME"})]
    )

    listings = await listings_of(connector)

    assert [
        name
        for name, listing in listings.items()
        if ListingWarning.DUPLICATE_SKU in listing.warnings
    ] == ["a/A", "b/B"]


async def test_a_deleted_item_that_search_still_shows_is_left_out(
    connector: RakutenConnector, shop: RakutenSimulator
) -> None:
    shop.delete_item("TEA-100")

    assert "tea-100/TEA-100" not in await listings_of(connector)


async def test_an_item_that_cannot_be_read_never_stops_the_page(
    connector: RakutenConnector, server: SimulatorServer, log: object
) -> None:
    good = '{"item":{"manageNumber":"good","variants":{"v":{}}}}'
    bad = ",".join(
        [
            '{"item":{"manageNumber":"bad","variants":"?"}}',
            "null",
            "{}",
            '{"item":{"manageNumber":["x"]}}',
        ]
    )
    server.inject(
        Fault(
            FaultKind.REFUSE, match="items/search", status=200, body=f'{{"results":[{bad},{good}]}}'
        )
    )

    assert list(await listings_of(connector)) == ["good/v"]
    assert log.events.count("item_unreadable") == 4  # type: ignore[attr-defined]


async def test_a_reply_without_results_is_not_taken_for_an_empty_catalogue(
    connector: RakutenConnector, server: SimulatorServer
) -> None:
    server.inject(Fault(FaultKind.REFUSE, match="items/search", status=200, body="{}"))

    with pytest.raises(ContractBroken):
        await pages_of(connector)
