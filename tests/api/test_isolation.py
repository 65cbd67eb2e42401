"""No merchant can read, list, watch, change or guess anything of another's: every RPC is tried with
every foreign name.

There are two locks (ADR 0015): the names of a request are checked before its handler runs, and
whatever the handler asks the store for is checked again. Each is tried alone as well, with the
other one taken out.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pytest
from api.bench import Api, Refused, World, refused, served
from api.requests import REQUESTS, all_rpcs, furnish, has, replaced
from api.test_authentication import bearing, token_of
from google.protobuf.message import Message
from zaiko.v1 import (
    error_pb2,
    merchant_service_pb2,
    stock_service_pb2,
    sync_service_pb2,
    token_service_pb2,
)
from zaiko_core.domain.access import Role
from zaiko_server.interceptors import authentication
from zaiko_server.interceptors.authentication import named
from zaiko_server.services import calls
from zaiko_server.watch import watch_server

pytestmark = pytest.mark.anyio

DENIED = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")
ABOUT_NO_MERCHANT = {
    "ConnectorService.ListConnectors",
    "ConnectorService.GetConnector",
    "MerchantService.ListMerchants",
    "TokenService.ListTokens",
}
ONE_LOCK = {
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
}


@dataclass
class Attempts:
    """What was tried with a token of `mine` to reach `theirs`."""

    api: Api
    mine: World
    theirs: World
    metadata: Any
    count: int = 0
    last: Any = None
    leaks: list[str] = field(default_factory=list)

    async def refused(self, rpc: str, request: Any) -> Refused | None:
        """Try a request. Return None when it was answered, after checking that the answer shows
        nothing of theirs."""
        self.count += 1
        call = self.api.method(rpc)(request, timeout=60, metadata=self.metadata)
        try:
            if isinstance(call, grpc.aio.UnaryUnaryCall):
                self._look(rpc, await call)
            else:
                with contextlib.suppress(StopAsyncIteration):
                    answer = await anext(aiter(call))
                    self._look(rpc, answer)
                    if rpc == "StockService.StreamMovements" and answer.HasField("problem"):
                        # One fact of a stream is refused in its own answer.
                        return _of_problem(answer.problem)
                call.cancel()
        except grpc.aio.AioRpcError as error:
            found = refused(error)
            # A refusal says what was asked for, and no more.
            self._look(
                rpc,
                str(found.details)
                .replace(self.theirs.name, "")
                .replace(f"tokens/{self.theirs.id}", ""),
            )
            return found
        return None

    def _look(self, rpc: str, answer: Any) -> None:
        self.last = answer
        if re.search(rf"{self.theirs.id}\b|Their", str(answer)):
            self.leaks.append(f"{rpc}: {answer}")


def _of_problem(problem: Any) -> Refused:
    code = next(code for code in grpc.StatusCode if code.value[0] == problem.code)
    reason = error_pb2.ErrorReason.Name(problem.reason).removeprefix("ERROR_REASON_")
    return Refused(code, problem.message, reason, dict(problem.metadata), {}, {})


@pytest.fixture(scope="module")
async def tried(module_store: str, anyio_backend: str) -> AsyncIterator[Attempts]:
    async with served(module_store, auth="tokens", rate=1_000_000.0) as api:
        mine, theirs = await api.merchant(), await api.merchant()
        for world in (mine, theirs):
            await world.write(furnish)
        await theirs.write(_marked)
        metadata = bearing(await token_of(api, Role.ADMIN, (mine.id,)))
        yield Attempts(api, mine, theirs, metadata)


def _marked(uow: Any) -> None:
    """Store texts that would show a leak."""
    uow.update_merchant(replace(uow.merchants, display_name="Their Ltd"))
    product = uow.products.get(["apple"])["apple"]
    uow.products.update(replace(product, display_name="Their apple"))


@pytest.fixture(params=["both locks", "names only", "reach only"])
def lock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Choose which checks are active."""
    if request.param == "reach only":
        monkeypatch.setattr(authentication, "check_names", lambda principal, message: None)
    if request.param == "names only":
        for module in (calls, watch_server):
            monkeypatch.setattr(module, "check_reach", lambda merchant: None)
    return str(request.param)


async def test_nothing_of_another_merchant_can_be_reached(lock: str, tried: Attempts) -> None:
    before, began = await _head(tried.theirs), tried.count
    wrong: list[str] = []
    for rpc in all_rpcs():
        if rpc in ABOUT_NO_MERCHANT:
            continue
        whole = REQUESTS[rpc](tried.theirs)
        for request in (whole, *_mixed(REQUESTS[rpc](tried.mine), tried)):
            answer = await tried.refused(rpc, request)
            answered = None if answer is None else (answer.code, answer.reason)
            # A token belongs to no merchant, so the answer may be NOT_FOUND.
            fine = answered == DENIED or (
                rpc in ("TokenService.GetToken", "TokenService.RevokeToken")
                and answered is not None
            )
            if lock == "reach only":
                # A feed answers a fact that it refuses, and goes on.
                in_stream = (
                    rpc == "StockService.StreamMovements"
                    and answer is None
                    and tried.last.HasField("problem")
                )
                fine = fine or in_stream or (answer is not None and answer.code in ONE_LOCK)
            if not fine:
                wrong.append(f"{rpc}: {answered} for {request}")

    assert wrong == []
    assert tried.leaks == []
    assert await _head(tried.theirs) == before
    print(
        f"\nisolation, {lock}: {tried.count - began} attempts on {len(all_rpcs())} RPCs, 0 "
        "let through"
    )


async def test_the_same_attempts_succeed_without_both_checks(
    tried: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "check_names", lambda principal, message: None)
    for module in (calls, watch_server):
        monkeypatch.setattr(module, "check_reach", lambda merchant: None)
    open_door = replace(tried, leaks=[])

    reads = [
        rpc
        for rpc in all_rpcs()
        if rpc.split(".")[1].startswith(("Get", "List", "Watch")) and rpc not in ABOUT_NO_MERCHANT
    ]
    for rpc in reads:
        await open_door.refused(rpc, REQUESTS[rpc](tried.theirs))

    assert len(open_door.leaks) > 20


async def test_a_foreign_merchant_is_refused_alike_whether_it_exists_or_not(
    tried: Attempts,
) -> None:
    for rpc in all_rpcs():
        if (
            rpc in ABOUT_NO_MERCHANT
            or rpc.startswith("TokenService.")
            or rpc == "MerchantService.CreateMerchant"
        ):
            continue
        there = await tried.refused(rpc, REQUESTS[rpc](tried.theirs))
        nowhere = await tried.refused(
            rpc, replaced(REQUESTS[rpc](tried.theirs), tried.theirs.name, "merchants/nobody")
        )

        assert there is not None
        assert nowhere is not None
        assert (there.code, there.reason, there.metadata) == (
            nowhere.code,
            nowhere.reason,
            nowhere.metadata,
        )
        assert there.message.replace(tried.theirs.name, "X") == nowhere.message.replace(
            "merchants/nobody", "X"
        )


async def test_lists_about_no_merchant_show_only_what_is_mine(tried: Attempts) -> None:
    merchants = await tried.api.call(
        "MerchantService.ListMerchants",
        merchant_service_pb2.ListMerchantsRequest(),
        metadata=tried.metadata,
    )
    tokens = await tried.api.call(
        "TokenService.ListTokens", token_service_pb2.ListTokensRequest(), metadata=tried.metadata
    )

    assert [merchant.name for merchant in merchants.merchants] == [tried.mine.name]
    assert {name for token in tokens.tokens for name in token.merchants} == {tried.mine.name}
    assert not any(token.all_merchants for token in tokens.tokens)


async def test_page_tokens_of_another_merchant_are_refused(tried: Attempts) -> None:
    theirs = bearing(await token_of(tried.api, Role.ADMIN, (tried.theirs.id,)))
    used = 0
    for rpc in all_rpcs():
        if not has(rpc, "page_token") or rpc == "ConnectorService.ListConnectors":
            continue
        request = REQUESTS[rpc](tried.theirs)
        request.page_size = 1
        for _ in range(2 if rpc == "TokenService.ListTokens" else 0):
            await token_of(tried.api, Role.READER, (tried.theirs.id,))
        token = (await tried.api.call(rpc, request, metadata=theirs)).next_page_token
        if token:
            request = REQUESTS[rpc](tried.mine)
            request.page_size, request.page_token = 1, token
            answer = await tried.refused(rpc, request)
            assert answer is not None, rpc
            assert answer.reason == "INVALID_PAGE_TOKEN"
            used += 1
    assert used >= 5
    assert tried.leaks == []


@pytest.mark.parametrize("rpc", ["SyncService.WatchSync", "StockService.WatchStocks"])
async def test_resume_tokens_of_another_merchant_are_refused(rpc: str, tried: Attempts) -> None:
    theirs = bearing(await token_of(tried.api, Role.READER, (tried.theirs.id,)))
    watch = tried.api.method(rpc)(REQUESTS[rpc](tried.theirs), metadata=theirs, timeout=60)
    token = (await anext(aiter(watch))).resume_token
    watch.cancel()
    kind = (
        sync_service_pb2.WatchSyncRequest
        if rpc.startswith("Sync")
        else stock_service_pb2.WatchStocksRequest
    )
    request = kind(parent=tried.mine.name)
    request.start.resume_token = token

    answer = await tried.refused(rpc, request)

    assert answer is not None
    assert answer.reason == "RESUME_TOKEN_INVALID"


async def test_a_caller_with_only_some_merchants_cannot_create_one(tried: Attempts) -> None:
    taken = merchant_service_pb2.CreateMerchantRequest(
        merchant_id=tried.theirs.id, merchant={"display_name": "N"}
    )
    free = merchant_service_pb2.CreateMerchantRequest(
        merchant_id="nobody-at-all", merchant={"display_name": "N"}
    )

    answers = [
        await tried.refused("MerchantService.CreateMerchant", request) for request in (taken, free)
    ]

    assert [(answer.code, answer.reason) for answer in answers if answer] == [DENIED] * 2


def _mixed(request: Message, tried: Attempts) -> Iterator[Message]:
    """Yield copies of my request, each with one of its names replaced by one of theirs."""
    for name in sorted(set(named(request))):
        if name.startswith(tried.mine.name):
            other = tried.theirs.name + name.removeprefix(tried.mine.name)
            mixed = _with(request, name, other)
            if mixed != request:
                yield mixed


def _with(message: Message, old: str, new: str) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    _swap(copy, old, new)
    return copy


def _swap(message: Any, old: str, new: str) -> None:
    for entry, value in message.ListFields():
        if entry.message_type is not None and entry.message_type.GetOptions().map_entry:
            continue
        if entry.message_type is not None:
            for item in value if entry.is_repeated else [value]:
                _swap(item, old, new)
        elif entry.type == entry.TYPE_STRING and entry.is_repeated:
            value[:] = [new if item == old else item for item in value]
        elif entry.type == entry.TYPE_STRING and value == old:
            setattr(message, entry.name, new)


async def _head(world: World) -> int:
    return int(await world.api.engine.db.read(world.id, lambda uow: uow.revision))
