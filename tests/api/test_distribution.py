"""The statements behind every RPC name the merchant for each of their tables (see
tests/store/test_distribution.py)."""

from __future__ import annotations

import contextlib

import grpc
import pytest
from api.bench import Api, World
from api.requests import REQUESTS, all_rpcs, furnish
from store.test_distribution import watched

pytestmark = pytest.mark.anyio


async def test_every_statement_behind_an_rpc_names_the_merchant_for_each_of_its_tables(
    api: Api, world: World
) -> None:
    await world.write(furnish)
    with watched(api.engine.db) as (seen, wrong):
        for rpc in all_rpcs():
            request = REQUESTS[rpc](world)
            call = api.method(rpc)(request, timeout=60)
            with contextlib.suppress(grpc.aio.AioRpcError, StopAsyncIteration):
                await (call if isinstance(call, grpc.aio.UnaryUnaryCall) else anext(aiter(call)))
            call.cancel()

    assert wrong == {}
    print(f"\n{len(seen)} statements of {len(all_rpcs())} RPCs, each bound to its merchant")
    assert len(seen) > 80
