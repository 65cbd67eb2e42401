"""What people see of a shop with orders that cannot be read (ADR 0034)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from api.bench import served
from support.world import order
from zaiko.v1 import (
    error_pb2,
    order_pb2,
    order_service_pb2,
    shop_pb2,
    sync_service_pb2,
)
from zaiko_core.app import orders

pytestmark = pytest.mark.anyio


def unreadable(uow: Any) -> None:
    """Ingest an order of shop one that cannot be read."""
    orders.ingest(uow, "one", [replace(order("x1", {}, version=9), lines_known=False)])


async def test_an_order_that_cannot_be_read_is_a_problem_of_its_shop_until_it_is_released(
    module_store: str,
) -> None:
    async with served(module_store) as api:
        world = await api.merchant()
        stream = api.method("SyncService.WatchSync")(
            sync_service_pb2.WatchSyncRequest(parent=world.name), timeout=60
        )
        await stream.read()

        async def watched(count: int) -> shop_pb2.ShopStatus:
            """Return the status of shop one as soon as the watch shows that many."""
            async with asyncio.timeout(60):
                while True:
                    for item in (await stream.read()).changes.items:
                        status = item.shop_status
                        is_one = status.shop.endswith("/one")
                        if is_one and status.unreadable_order_count == count:
                            return status

        await world.write(unreadable)
        status = await watched(1)
        assert status.problem.reason == error_pb2.ERROR_REASON_ORDER_UNREADABLE
        assert status.problem.owner == error_pb2.OWNER_SYSTEM
        assert status.state != shop_pb2.ShopStatus.STATE_BACKING_OFF

        request = order_service_pb2.ListOrdersRequest(parent=world("shops/one"))
        request.filter.suspect = True
        (found,) = (await api.call("OrderService.ListOrders", request)).orders
        assert list(found.suspicions) == [order_pb2.Order.SUSPICION_ORDER_UNREADABLE]

        release = order_service_pb2.ReleaseOrderRequest(name=found.name)
        await api.call("OrderService.ReleaseOrder", release)
        assert not (await watched(0)).HasField("problem")
        stream.cancel()
