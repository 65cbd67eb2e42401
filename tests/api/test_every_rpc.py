"""What holds for every RPC: unknown and malformed names, page tokens, request ids, etags."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import grpc
import pytest
from api.bench import Api, World
from api.requests import REQUESTS, all_rpcs, furnish, has, replaced
from zaiko.v1 import product_pb2, product_service_pb2

pytestmark = pytest.mark.anyio

TOKENS = {rpc for rpc in all_rpcs() if rpc.startswith("TokenService.")}
GLOBAL = {
    "ConnectorService.ListConnectors",
    "ConnectorService.GetConnector",
    "MerchantService.ListMerchants",
} | TOKENS
CONVERSATIONS = {"SyncService.WatchSyncSession"}
"""An invalid request is an event of the stream and not its end:
tests/watch/test_watch_sessions.py."""
NUMBERED = {"StockService.StreamMovements"}
"""An empty request is first of all a gap in the sequence: tests/api/test_stream_movements.py."""
OF_A_MERCHANT = [
    rpc
    for rpc in all_rpcs()
    if rpc not in GLOBAL | CONVERSATIONS | {"MerchantService.CreateMerchant"}
]
WITHOUT_REQUEST_ID = {"TokenService.CreateToken", "TokenService.RevokeToken", *NUMBERED}
"""Their protos say why."""
NEED_NOTHING = GLOBAL - TOKENS - {"ConnectorService.GetConnector"} | {"TokenService.ListTokens"}
MUTATIONS = [rpc for rpc in all_rpcs() if has(rpc, "request_id")]
LISTS = [rpc for rpc in all_rpcs() if has(rpc, "page_token")]


def test_every_rpc_has_a_request() -> None:
    assert sorted(REQUESTS) == sorted(all_rpcs())


def test_every_mutation_takes_a_request_id_and_no_read_does() -> None:
    readings = ("Get", "List", "BatchGet", "Watch", "Check", "Wait", "Explain", "Preview")
    assert {
        rpc for rpc in all_rpcs() if not rpc.split(".")[1].startswith(readings)
    } - WITHOUT_REQUEST_ID == set(MUTATIONS)


@pytest.fixture(scope="module")
async def still(api: Api) -> World:
    """Create a world that tests only read."""
    world = await api.merchant()
    await world.write(furnish)
    return world


@pytest.fixture
async def furnished(world: World) -> World:
    await world.write(furnish)
    return world


@pytest.mark.parametrize("rpc", OF_A_MERCHANT)
async def test_a_merchant_that_does_not_exist_is_not_found(
    rpc: str, api: Api, still: World
) -> None:
    request = replaced(REQUESTS[rpc](still), still.name, "merchants/nobody")

    refused = await api.refusal(rpc, request)

    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")
    assert refused.metadata["resource"] == "merchants/nobody"
    info = refused.details["ResourceInfo"]
    assert (info.resource_type, info.resource_name) == ("zaiko.v1.Merchant", "merchants/nobody")


@pytest.mark.parametrize("rpc", OF_A_MERCHANT)
async def test_a_name_of_another_form_is_an_invalid_name(rpc: str, api: Api, still: World) -> None:
    request = replaced(REQUESTS[rpc](still), still.name, "merchants/UPPER")

    refused = await api.refusal(rpc, request)

    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_NAME")
    assert "name.form" in refused.violations.values()


@pytest.mark.parametrize(
    "rpc", [rpc for rpc in all_rpcs() if rpc not in NEED_NOTHING | CONVERSATIONS | NUMBERED]
)
async def test_an_empty_request_is_refused_naming_what_it_needs(
    rpc: str, api: Api, still: World
) -> None:
    refused = await api.refusal(rpc, type(REQUESTS[rpc](still))())

    assert refused.reason == "INVALID_FIELD"
    assert "required" in refused.violations.values()
    assert refused.message.endswith(".")


@pytest.mark.parametrize("rpc", MUTATIONS)
async def test_a_repeat_with_the_same_request_id_gets_the_first_answer(
    rpc: str, api: Api, furnished: World
) -> None:
    request = REQUESTS[rpc](furnished)
    request.request_id = str(uuid.uuid4())

    first = api.method(rpc)(request, timeout=60)
    answer = await first
    second = api.method(rpc)(request, timeout=60)

    assert await second == answer
    assert "zaiko-replayed" not in {key for key, _ in await first.trailing_metadata()}
    assert dict(await second.trailing_metadata())["zaiko-replayed"] == "1"


@pytest.mark.parametrize("rpc", MUTATIONS)
async def test_a_request_id_is_valid_for_one_request_only(
    rpc: str, api: Api, furnished: World
) -> None:
    request = REQUESTS[rpc](furnished)
    request.request_id = str(uuid.uuid4())
    await api.call(rpc, request)
    others = {
        "apple": "pear",
        "/one": "/two",
        "N-1": "N-2",
        "Other": "Third",
        "nagoya": "kobe",
        "New": "Newer",
        "new": "newer",
    }
    others |= {
        "toy": "toy-readonly",
        "l5": "l3",
        "0001": "0002",
        "shops/two": "shops/one",
        "fig": "pear",
        "additions/77": "additions/78",
    }
    candidates = [replaced(request, old, new) for old, new in others.items()]
    other = next(candidate for candidate in candidates if candidate != request)

    refused = await api.refusal(rpc, other)

    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert refused.metadata["requestId"] == request.request_id


@pytest.mark.parametrize("rpc", MUTATIONS)
async def test_a_request_id_is_a_uuid(rpc: str, api: Api, still: World) -> None:
    request = REQUESTS[rpc](still)
    request.request_id = "again"
    assert (await api.refusal(rpc, request)).violations == {"request_id": "string.uuid"}


@pytest.mark.parametrize("rpc", MUTATIONS)
async def test_the_nil_uuid_is_no_request_id(rpc: str, api: Api, still: World) -> None:
    request = REQUESTS[rpc](still)
    request.request_id = str(uuid.UUID(int=0))
    assert (await api.refusal(rpc, request)).violations == {"request_id": "string.uuid_nil"}


async def test_a_request_id_is_valid_for_one_method_only(api: Api, world: World) -> None:
    receipt = REQUESTS["StockService.RecordReceipt"](world)
    reserve = REQUESTS["StockService.SetReserve"](world)
    receipt.request_id = reserve.request_id = str(uuid.uuid4())
    await api.call("StockService.RecordReceipt", receipt)

    assert (await api.refusal("StockService.SetReserve", reserve)).reason == "REQUEST_ID_REUSED"


async def test_a_refusal_is_not_remembered(api: Api, world: World) -> None:
    request = product_service_pb2.CreateProductRequest(
        parent=world.name, product=product_pb2.Product(code="A-1")
    )
    request.request_id = str(uuid.uuid4())
    assert (await api.refusal("ProductService.CreateProduct", request)).reason == "CODE_TAKEN"

    freed = product_pb2.Product(name=world("products/apple"), code="A-0")
    await api.call(
        "ProductService.UpdateProduct", product_service_pb2.UpdateProductRequest(product=freed)
    )

    assert (await api.call("ProductService.CreateProduct", request)).product.code == "A-1"


async def test_overlapping_repeats_are_applied_once(api: Api, world: World) -> None:
    request = product_service_pb2.CreateProductRequest(
        parent=world.name, product=product_pb2.Product(code="once")
    )
    request.request_id = str(uuid.uuid4())

    answers = await asyncio.gather(
        *(api.call("ProductService.CreateProduct", request) for _ in range(8))
    )

    assert len({answer.product.name for answer in answers}) == 1


async def test_overlapping_repeats_create_a_merchant_once(api: Api, still: World) -> None:
    request = REQUESTS["MerchantService.CreateMerchant"](still)
    request.merchant_id += "-once"
    request.request_id = str(uuid.uuid4())

    answers = await asyncio.gather(
        *(api.call("MerchantService.CreateMerchant", request) for _ in range(8))
    )

    assert all(answer == answers[0] for answer in answers)


async def test_request_ids_are_each_merchants_own(api: Api, world: World) -> None:
    other, request_id = await api.merchant(), str(uuid.uuid4())
    made = [
        await api.call(
            "ProductService.CreateProduct",
            product_service_pb2.CreateProductRequest(
                parent=owner.name, product=product_pb2.Product(code="same"), request_id=request_id
            ),
        )
        for owner in (world, other)
    ]
    assert made[0].product.name != made[1].product.name


@pytest.mark.parametrize("rpc", LISTS)
async def test_a_broken_page_token_is_refused(rpc: str, api: Api, still: World) -> None:
    request = REQUESTS[rpc](still)
    for token in ("x", "AAAAAAAAAAAAAAAAAAAAAAAA", "äöü"):
        request.page_token = token
        refused = await api.refusal(rpc, request)
        assert (refused.code, refused.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_PAGE_TOKEN",
        )


@pytest.mark.parametrize("rpc", LISTS)
async def test_a_negative_page_size_is_refused_and_a_huge_one_is_reduced(
    rpc: str, api: Api, still: World
) -> None:
    request = REQUESTS[rpc](still)
    request.page_size = -1
    assert (await api.refusal(rpc, request)).violations == {"page_size": "int32.gte"}
    request.page_size = 2**31 - 1
    await api.call(rpc, request)


@pytest.mark.parametrize("rpc", [rpc for rpc in LISTS if rpc not in GLOBAL])
async def test_every_list_says_which_revision_it_read(rpc: str, api: Api, still: World) -> None:
    assert (await api.call(rpc, REQUESTS[rpc](still))).revision > 1


def _etag_holder(request: Any) -> Any:
    """Return the part of a request that carries the etag."""
    if hasattr(request, "etag"):
        return request
    return next(value for _, value in request.ListFields() if hasattr(value, "etag"))


@pytest.mark.parametrize(
    "rpc",
    [rpc for rpc in all_rpcs() if rpc.split(".")[1].startswith("Update") or has(rpc, "etag")],
)
async def test_a_stale_etag_is_refused_with_the_current_one(
    rpc: str, api: Api, furnished: World
) -> None:
    request = REQUESTS[rpc](furnished)
    _etag_holder(request).etag = 'W/"r0"'

    refused = await api.refusal(rpc, request)

    assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    _etag_holder(request).etag = refused.metadata["currentEtag"]
    await api.call(rpc, request)
