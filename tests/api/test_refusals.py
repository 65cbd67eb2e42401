"""Every reason that the protos document for an RPC, made to happen; and nothing is left out: the
cases are in `refusals/`."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest
from api.bench import SECRET, Api, World
from api.refusals import CASES, Case
from api.requests import REQUESTS
from zaiko.v1 import shop_service_pb2
from zaiko_sdk import ContractBroken, CredentialsRejected
from zaiko_server.reasons import REASONS

pytestmark = pytest.mark.anyio

PROTOS = Path(__file__).parents[2] / "proto" / "zaiko" / "v1"


def documented() -> set[tuple[str, str]]:
    """(RPC, reason) of every reason in the comment of an RPC."""
    found: set[tuple[str, str]] = set()
    for path in PROTOS.glob("*_service.proto"):
        text = path.read_text()
        service = re.search(r"^service (\w+)", text, re.MULTILINE)
        assert service is not None
        for comment, rpc in re.findall(r"((?:  //.*\n)+)  rpc (\w+)", text[service.start() :]):
            found |= {
                (f"{service[1]}.{rpc}", word)
                for word in re.findall(r"\b[A-Z][A-Z_]{4,}\b", comment)
                if word in REASONS
            }
    return found


ELSEWHERE: set[tuple[str, str]] = {
    # test_every_rpc.py: every RPC with an etag
    (rpc, "ETAG_MISMATCH")
    for rpc in (
        "LinkService.UpdateLink",
        "LinkService.DeleteLink",
        "MerchantService.UpdateMerchant",
        "ProductService.UpdateProduct",
        "ShopService.UpdateShop",
        "ShopService.DeleteShop",
        "ShopService.PauseShop",
        "ShopService.ResumeShop",
        "StockService.SetEscrow",
        "StockService.SetReserve",
        "StockService.AdjustStock",
        "OrderService.ReleaseOrder",
        "OrderService.HoldOrder",
        "OrderService.AssignOrderLines",
        "ReceivingService.SetReceivingOnly",
    )
} | {
    # test_stream_movements.py
    ("StockService.StreamMovements", "SEQUENCE_GAP"),
    ("StockService.StreamMovements", "SERVER_DRAINING"),
    ("StockService.StreamMovements", "STORAGE_UNAVAILABLE"),
    # tests/watch/test_watch_sessions.py, and tests/watch/test_watch_streams.py for what both share
    ("SyncService.WatchSyncSession", "TOO_MANY_STREAMS"),
    ("SyncService.WatchSyncSession", "SERVER_DRAINING"),
    ("SyncService.WatchSyncSession", "SLOW_CONSUMER"),
    # test_rates.py
    ("SyncService.WatchSyncSession", "RATE_LIMITED"),
    # test_server.py, and tests/watch/test_watch_streams.py for what all streams share
    ("OperationService.WaitOperation", "SERVER_DRAINING"),
    ("SyncService.WaitSettled", "SERVER_DRAINING"),
    ("OperationService.WatchOperation", "SERVER_DRAINING"),
    ("OperationService.WatchOperation", "TOO_MANY_STREAMS"),
    ("OperationService.WatchOperation", "SLOW_CONSUMER"),
    # test_troubled_shops.py
    ("ShopService.CheckShop", "SECRET_KEY_MISSING"),
    # tests/e2e/test_accounts.py
    ("ShopService.CreateShop", "ACCOUNT_TAKEN"),
    ("ShopService.UpdateShop", "ACCOUNT_CHANGED"),
    ("ShopService.UpdateShop", "ACCOUNT_TAKEN"),
    # test_authentication.py
    ("TokenService.CreateToken", "PERMISSION_MISSING"),
    ("TokenService.RevokeToken", "PERMISSION_MISSING"),
}


UNIVERSAL = {
    "RESOURCE_NOT_FOUND",
    "INVALID_FIELD",
    "INVALID_NAME",
    "BATCH_TOO_LARGE",
    "MESSAGE_TOO_LARGE",
}
"""What any request with such a name, field, batch or answer is refused with, which its RPC need not
say."""


def test_every_documented_refusal_has_a_case_and_every_case_is_documented() -> None:
    cases = ELSEWHERE | {(case.rpc, case.reason) for case in CASES}

    assert documented() - cases == set()
    assert {
        (rpc, reason) for rpc, reason in cases - documented() if reason not in UNIVERSAL
    } == set()


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.rpc}-{case.reason}-{case.setup.__name__}"
)
async def test_refusal(case: Case, api: Api, world: World) -> None:
    request = await case.setup(api, world)

    refused = await api.refusal(case.rpc, request)

    assert refused.reason == case.reason
    assert refused.code == REASONS[case.reason][1]
    expected = {key: value.replace("{}", world.name) for key, value in case.metadata.items()}
    assert expected.items() <= refused.metadata.items()
    assert case.violations.items() <= refused.violations.items()
    if case.violations:
        assert refused.metadata["field"] in refused.violations
    if refused.code == grpc.StatusCode.FAILED_PRECONDITION:
        assert refused.details["PreconditionFailure"].violations[0].type == case.reason
    if refused.code == grpc.StatusCode.UNAVAILABLE:
        assert refused.details["RetryInfo"].retry_delay.ToMilliseconds() > 0
    assert SECRET not in f"{refused}"
    assert refused.message.endswith(".")


async def test_what_a_shop_says_no_to_is_a_finding(api: Api, world: World) -> None:
    for error in (CredentialsRejected("the token is expired"), ContractBroken("no such field")):
        api.answers.check = error
        answer = await api.call(
            "ShopService.CheckShop", shop_service_pb2.CheckShopRequest(name=world("shops/one"))
        )
        assert [(item.level, item.reason) for item in answer.findings] == [(3, error.reason)]


async def test_an_id_is_never_used_again(api: Api, world: World) -> None:
    await api.call(
        "ShopService.DeleteShop", shop_service_pb2.DeleteShopRequest(name=world("shops/two"))
    )
    request = REQUESTS["ShopService.CreateShop"](world)
    request.shop_id = "two"

    assert (await api.refusal("ShopService.CreateShop", request)).reason == "RESOURCE_EXISTS"


async def test_one_order_and_a_page_of_orders_show_the_same(api: Api, world: World) -> None:
    listed = await api.call("OrderService.ListOrders", REQUESTS["OrderService.ListOrders"](world))
    read = await api.call("OrderService.GetOrder", REQUESTS["OrderService.GetOrder"](world))

    assert read.order == listed.orders[0]
