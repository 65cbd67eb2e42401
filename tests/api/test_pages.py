"""Page tokens are bound to merchant, request and database, and paging shows everything once."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import pytest
from api.bench import Api, World
from api.requests import furnish
from hypothesis import given
from hypothesis import strategies as st
from zaiko.v1 import (
    link_service_pb2,
    merchant_service_pb2,
    operation_service_pb2,
    order_pb2,
    order_service_pb2,
    product_pb2,
    product_service_pb2,
    receiving_service_pb2,
    shop_service_pb2,
    stock_service_pb2,
    sync_run_pb2,
    sync_service_pb2,
    warehouse_service_pb2,
)
from zaiko_core.app.records import RunRecord, RunState
from zaiko_core.domain.errors import InvalidPageToken
from zaiko_core.storage import history
from zaiko_server import pages
from zaiko_server.pages import Pages

PAGES = Pages(b"k" * 16)


def listing(token: str = "", size: int = 2, **fields: Any) -> Any:
    return product_service_pb2.ListProductsRequest(
        parent="merchants/acme", page_size=size, page_token=token, **fields
    )


def first_token(merchant: str = "acme", request: Any = None) -> str:
    request = request if request is not None else listing()
    position = PAGES.begin(merchant, request)
    rows = [(name,) for name in "abc"]
    return PAGES.cut(
        position, rows, lambda row: row, [product_pb2.Product(name=row[0]) for row in rows], 7
    ).next_page_token


def test_a_token_leads_to_the_row_after_the_last_one_seen() -> None:
    assert PAGES.begin("acme", listing(first_token())).after == ("b",)


def test_the_next_page_may_have_another_size() -> None:
    assert PAGES.begin("acme", listing(first_token(), size=9)).page.size == 10


@pytest.mark.parametrize(
    ("merchant", "request_"),
    [
        ("other", listing()),
        ("acme", listing(filter={"query": "x"})),
        ("acme", stock_service_pb2.ListStocksRequest(parent="merchants/acme")),
    ],
    ids=["another merchant", "another filter", "another list"],
)
def test_a_page_token_is_valid_for_its_own_request_only(merchant: str, request_: Any) -> None:
    request_.page_token = first_token()
    with pytest.raises(InvalidPageToken):
        PAGES.begin(merchant, request_)


def test_a_token_of_another_database_is_refused() -> None:
    with pytest.raises(InvalidPageToken):
        Pages(b"x" * 16).begin("acme", listing(first_token()))


@given(st.data())
def test_a_token_that_was_tampered_with_is_refused(data: st.DataObject) -> None:
    token = first_token()
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidPageToken):
        PAGES.begin("acme", listing(base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")))


@given(st.text(max_size=60))
def test_any_text_is_refused(text: str) -> None:
    if text:
        with pytest.raises(InvalidPageToken):
            PAGES.begin("acme", listing(text))


def test_a_page_ends_before_it_is_too_large_for_a_client() -> None:
    rows = [(number,) for number in range(11)]
    messages = [product_pb2.Product(display_name="x" * (pages.REPLY_LIMIT // 4)) for _ in rows]
    position = PAGES.begin("acme", listing(size=10))

    cut = PAGES.cut(position, rows, lambda row: row, messages, 1)

    assert len(cut.items) == 3
    assert PAGES.begin("acme", listing(cut.next_page_token, size=10)).after == (2,)


def test_a_single_row_that_is_too_large_is_still_returned() -> None:
    huge = product_pb2.Product(display_name="x" * (2 * pages.REPLY_LIMIT))
    cut = PAGES.cut(PAGES.begin("acme", listing()), [(1,), (2,)], lambda row: row, [huge, huge], 1)
    assert len(cut.items) == 1
    assert cut.next_page_token


def test_a_list_reads_one_row_more_than_a_page_and_puts_the_page_into_the_repeated_field() -> None:
    asked: list[Any] = []

    def rows(uow: Any, position: pages.PagePosition) -> list[tuple[str]]:
        asked.append(position.page)
        return [(name,) for name in "abc"]

    query = PAGES.list_of(
        "acme",
        listing(),
        product_service_pb2.ListProductsResponse,
        rows,
        key=lambda row: row,
        messages=lambda uow, found: (product_pb2.Product(name=row[0]) for row in found),
    )
    reply = query(SimpleNamespace(revision=7))  # type: ignore[arg-type]

    assert [page.size for page in asked] == [3]
    assert ([item.name for item in reply.products], reply.revision) == (["a", "b"], 7)
    assert reply.next_page_token == first_token()


def test_a_list_refuses_a_broken_token_before_it_reads() -> None:
    with pytest.raises(InvalidPageToken):
        PAGES.list_of(
            "acme",
            listing("broken"),
            product_service_pb2.ListProductsResponse,
            lambda uow, position: [],
            key=lambda row: row,
            messages=lambda uow, found: (),
        )


def test_filters_that_the_store_cannot_apply_work_across_pages() -> None:
    rows = [(number,) for number in range(1000)]

    def fetch(page: Any) -> list[tuple[int]]:
        start = 0 if page.after is None else page.after[0] + 1
        return rows[start : start + page.size]

    found = pages.collect(
        PAGES.begin("acme", listing(size=3)), fetch, lambda row: row, lambda row: row[0] % 300 == 0
    )

    assert found == [(0,), (300,), (600,), (900,)]


# Walks over the wire.

WALKS = [
    ("MerchantService.ListMerchants", merchant_service_pb2.ListMerchantsRequest, "merchants", None),
    (
        "WarehouseService.ListWarehouses",
        warehouse_service_pb2.ListWarehousesRequest,
        "warehouses",
        "",
    ),
    ("ProductService.ListProducts", product_service_pb2.ListProductsRequest, "products", ""),
    ("StockService.ListStocks", stock_service_pb2.ListStocksRequest, "stocks", ""),
    ("StockService.ListMovements", stock_service_pb2.ListMovementsRequest, "movements", ""),
    ("ShopService.ListShops", shop_service_pb2.ListShopsRequest, "shops", ""),
    ("ShopService.ListListings", shop_service_pb2.ListListingsRequest, "listings", "shops/-"),
    ("LinkService.ListLinks", link_service_pb2.ListLinksRequest, "links", "shops/-"),
    (
        "SyncService.ListLinkStatuses",
        sync_service_pb2.ListLinkStatusesRequest,
        "link_statuses",
        "shops/-",
    ),
    ("SyncService.ListSyncRuns", sync_service_pb2.ListSyncRunsRequest, "sync_runs", "shops/-"),
    ("OrderService.ListOrders", order_service_pb2.ListOrdersRequest, "orders", "shops/-"),
    ("ReceivingService.ListAdditions", receiving_service_pb2.ListAdditionsRequest, "additions", ""),
    (
        "OperationService.ListOperations",
        operation_service_pb2.ListOperationsRequest,
        "operations",
        "",
    ),
]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("rpc", "kind", "items", "parent"), WALKS, ids=lambda value: str(value)[:30]
)
async def test_small_pages_show_the_same_as_one_large_page(
    rpc: str, kind: Any, items: str, parent: str | None, api: Api, world: World
) -> None:
    await world.write(furnish)
    await more_of_everything(api, world)
    base: dict[str, Any] = (
        {} if parent is None else {"parent": world(parent) if parent else world.name}
    )
    whole = list(getattr(await api.call(rpc, kind(**base, page_size=1000)), items))
    assert len(whole) > 1

    walked: list[Any] = []
    token = ""
    while True:
        answer = await api.call(rpc, kind(**base, page_size=1, page_token=token))
        assert len(getattr(answer, items)) == 1
        walked += getattr(answer, items)
        token = answer.next_page_token
        if not token:
            break

    assert walked == whole


@pytest.mark.anyio
async def test_small_pages_of_filtered_orders_show_the_same_as_one_large_page(
    api: Api, world: World
) -> None:
    await more_of_everything(api, world)
    wanted = {
        "external_ids": ["gid://toy/1", "7", "8", "none"],
        "states": [order_pb2.Order.STATE_OPEN],
    }
    seen: list[str] = []
    token = ""
    while True:
        request = order_service_pb2.ListOrdersRequest(
            parent=world("shops/one"), filter=wanted, page_size=1, page_token=token
        )
        answer = await api.call("OrderService.ListOrders", request)
        seen += [order.external_id for order in answer.orders]
        token = answer.next_page_token
        if not token:
            break
    assert seen == ["7", "8", "gid://toy/1"]


@pytest.mark.anyio
async def test_rare_runs_are_found_without_reading_all_others(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def many(uow: Any) -> None:
        for number in range(300):
            uow.runs.put(
                RunRecord(
                    "one",
                    f"0003-{number:04}",
                    RunState.SUCCEEDED,
                    "INTERVAL",
                    1,
                    uow.now,
                    ended_at=uow.now,
                )
            )

    await world.write(many)
    read: list[Any] = []
    codec = history._RUNS

    def counted(row: Any) -> RunRecord:
        read.append(row)
        return codec.read(row)

    monkeypatch.setattr(history, "_RUNS", SimpleNamespace(read=counted, write=codec.write))

    failed = sync_service_pb2.ListSyncRunsRequest.Filter(states=[sync_run_pb2.SyncRun.STATE_FAILED])
    request = sync_service_pb2.ListSyncRunsRequest(parent=world("shops/-"), filter=failed)
    answer = await api.call("SyncService.ListSyncRuns", request)

    assert [run.name for run in answer.sync_runs] == [world("shops/one/runs/0002-bbbb")]
    assert len(read) == 1


async def more_of_everything(api: Api, world: World) -> None:
    """Create at least two of each resource."""
    from zaiko_core.app import links, operations, orders
    from zaiko_core.app.links import LinkDraft
    from zaiko_core.app.records import AdditionRecord
    from zaiko_core.domain.demand import DemandLine, DemandState, OrderRecord
    from zaiko_core.domain.links import Part

    def add(uow: Any) -> None:
        line = DemandLine("1", "l3", 1, 0, 0)
        for number in ("7", "8"):
            orders.ingest(
                uow,
                "one",
                [
                    OrderRecord(
                        number, f"#{number}", uow.now, uow.now, DemandState.OPEN, uow.now, (line,)
                    )
                ],
            )
        drafts = [
            LinkDraft("one", "l2", (Part("pear"),), False),
            LinkDraft("two", "l6", (Part("apple", 2),), False),
        ]
        links.create(uow, drafts, can_sync=lambda connector: None)
        uow.additions.insert([AdditionRecord("78", "pear", 2)])
        operations.refresh_listings(uow, "one", drawn="bbbb", can_sync=lambda connector: None)
        operations.refresh_listings(uow, "look", drawn="cccc", can_sync=lambda connector: None)

    await world.write(add)
    await api.merchant()
