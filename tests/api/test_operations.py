"""Operations that the engine really runs, requested, awaited and reported over the wire."""

from __future__ import annotations

from typing import Any

import pytest
from api.bench import Api, World, served
from structlog.testing import capture_logs
from zaiko.v1 import (
    bulk_link_pb2,
    error_pb2,
    link_pb2,
    link_service_pb2,
    operation_pb2,
    operation_service_pb2,
    product_pb2,
    product_service_pb2,
    shop_service_pb2,
)
from zaiko_core.sync import operations
from zaiko_sdk import Listing, ListingRef

pytestmark = pytest.mark.anyio

ROW = bulk_link_pb2.BulkLinkReport.Row


def sold(number: int, sku: str, barcode: str = "") -> Listing:
    return Listing(ListingRef(f"ext/{number}"), f"Title {number}", sku, barcode)


async def ended(api: Api, begun: Any) -> Any:
    request = operation_service_pb2.WaitOperationRequest(name=begun.operation.name)
    operation = (await api.call("OperationService.WaitOperation", request, timeout=20)).operation
    assert operation.HasField("end_time")
    return operation


async def test_a_catalogue_is_read_and_linked_in_bulk(module_store: str) -> None:
    async with served(module_store, run_shops=True) as api:
        world = await api.merchant()
        # Pausing keeps runs, which the toy platform does not have, out of the way.
        await api.call(
            "ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=world("shops/two"))
        )
        api.answers.catalogue = [
            sold(11, "A-1"),
            sold(12, "P-1"),
            sold(13, "P-1"),
            sold(14, "none", "4900000000028"),
            sold(15, "none"),
        ]

        refreshed = await ended(api, await refresh(api, world))
        api.answers.catalogue = [sold(11, "A-2"), *api.answers.catalogue[1:]]
        again = await ended(api, await refresh(api, world))
        api.answers.catalogue = [sold(11, "A-1"), *api.answers.catalogue[1:]]
        await ended(api, await refresh(api, world))
        found = await api.call(
            "ShopService.ListListings",
            shop_service_pb2.ListListingsRequest(parent=world("shops/look")),
        )
        dry = await ended(api, await bulk_link(api, world, dry_run=True))
        untouched = await api.call(
            "LinkService.ListLinks", link_service_pb2.ListLinksRequest(parent=world("shops/look"))
        )
        wet = await ended(api, await bulk_link(api, world))
        links = await api.call(
            "LinkService.ListLinks", link_service_pb2.ListLinksRequest(parent=world("shops/look"))
        )

    assert refreshed.state == operation_pb2.Operation.STATE_SUCCEEDED
    assert (
        refreshed.refresh_listings_report.listing_count,
        refreshed.refresh_listings_report.vanished_count,
    ) == (5, 1)
    assert (
        refreshed.refresh_listings_report.new_count,
        refreshed.refresh_listings_report.changed_count,
    ) == (5, 0)
    assert (
        again.refresh_listings_report.new_count,
        again.refresh_listings_report.changed_count,
    ) == (0, 1)
    assert [item.vanished for item in found.listings if item.external_id == "ext/7"] == [True]
    report = dry.bulk_link_report
    assert report.dry_run
    assert (report.matched_count, report.ambiguous_count, report.unmatched_count) == (2, 2, 1)
    assert [row.outcome for row in report.rows] == [
        ROW.OUTCOME_AMBIGUOUS,
        ROW.OUTCOME_AMBIGUOUS,
        ROW.OUTCOME_UNMATCHED,
        ROW.OUTCOME_MATCHED,
        ROW.OUTCOME_MATCHED,
    ]
    assert [row.matched_by for row in report.rows[-2:]] == [
        ROW.MATCHED_BY_CODE,
        ROW.MATCHED_BY_BARCODE,
    ]
    assert report.rows[-2].product == world("products/apple")
    assert list(report.rows[0].candidates) == [world("products/pear")]
    assert not untouched.links
    assert wet.bulk_link_report.matched_count == 2
    assert (wet.progress.done, wet.progress.total) == (5, 5)
    assert {link.product for link in links.links} == {
        world("products/apple"),
        world("products/pear"),
    }
    assert {link.status.state for link in links.links} == {link_pb2.LinkStatus.STATE_DISABLED}


async def test_an_operation_that_fails_says_why(module_store: str) -> None:
    async with served(module_store, run_shops=True) as api:
        world = await api.merchant()
        api.answers.catalogue = [Listing(ListingRef(""), "without an id")]

        failed = await ended(api, await refresh(api, world))

    assert failed.state == operation_pb2.Operation.STATE_FAILED
    assert failed.WhichOneof("result") == "problem"
    assert failed.problem.message
    assert failed.problem.action_ja


async def test_an_operation_with_a_bug_ends_and_says_so(
    module_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: Any) -> Any:
        raise KeyError("bug")

    monkeypatch.setattr(operations, "matcher_for", bug)
    with capture_logs() as logs:
        async with served(module_store, run_shops=True) as api:
            failed = await ended(api, await bulk_link(api, await api.merchant()))

    assert failed.state == operation_pb2.Operation.STATE_FAILED
    assert failed.problem.reason == error_pb2.ERROR_REASON_INTERNAL
    assert failed.name.rpartition("/")[2] in failed.problem.message
    (line,) = [line for line in logs if line["event"] == "operation_crashed"]
    assert line["error"] == "KeyError('bug')"


async def test_a_product_that_takes_the_code_is_not_matched(module_store: str) -> None:
    async with served(module_store, run_shops=True) as api:
        world = await api.merchant()
        renamed = product_pb2.Product(name=world("products/apple"), code="Z-9")
        await api.call(
            "ProductService.UpdateProduct",
            product_service_pb2.UpdateProductRequest(product=renamed),
        )
        request = link_service_pb2.BulkLinkRequest(parent=world("shops/one"), dry_run=True)

        report = (
            await ended(api, await api.call("LinkService.BulkLink", request))
        ).bulk_link_report

    assert [row.sku for row in report.rows if row.outcome == ROW.OUTCOME_MATCHED] == ["P-1"]


async def refresh(api: Api, world: World) -> Any:
    request = shop_service_pb2.RefreshListingsRequest(parent=world("shops/look"))
    return await api.call("ShopService.RefreshListings", request)


async def bulk_link(api: Api, world: World, **fields: Any) -> Any:
    request = link_service_pb2.BulkLinkRequest(
        parent=world("shops/look"), match_barcode=True, **fields
    )
    return await api.call("LinkService.BulkLink", request)
