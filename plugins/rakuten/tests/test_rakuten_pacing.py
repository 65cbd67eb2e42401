"""The limits of RMS: used, and not overstepped. The simulator counts on the connector's virtual
clock here."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from zaiko_rakuten.function_queue import FunctionQueue, queues_of
from zaiko_rakuten.functions import GET_STOCK, SET_STOCK
from zaiko_rakuten.settings import RakutenSettings
from zaiko_rakuten.simulator import RakutenSimulator
from zaiko_sdk import InventoryWrite, ListingRef
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.simulator import NewListing

pytestmark = pytest.mark.anyio

TEA = ListingRef("tea-100/TEA-100")


@pytest.fixture
def strict(shop: RakutenSimulator, clock: Any, monkeypatch: pytest.MonkeyPatch) -> RakutenSimulator:
    shop.switch("quotas", True)
    monkeypatch.setattr(shop.quotas, "monotonic", clock.monotonic)
    return shop


async def test_reading_and_writing_keep_to_their_limits_and_use_them(
    connect: Any, strict: RakutenSimulator, clock: Any
) -> None:
    connector, begun = connect(), clock.monotonic()
    for quantity in range(20):
        await connector.set_inventory([InventoryWrite(TEA, 10 + quantity, 9 + quantity)], "key")
        await connector.read_inventory([TEA])
        await connector.read_inventory([TEA])

    assert strict.counters()["throttled"] == 0
    assert 20 / (clock.monotonic() - begun) > 0.95


async def test_checks_and_runs_share_the_limit(connect: Any, strict: RakutenSimulator) -> None:
    connectors = [connect() for _ in range(3)]
    async with anyio.create_task_group() as group:
        for connector in connectors:
            group.start_soon(connector.check)
            group.start_soon(connector.read_inventory, [TEA])

    assert strict.counters()["throttled"] == 0


async def test_another_tool_on_the_same_key_costs_waiting_only(
    connect: Any, strict: RakutenSimulator, clock: Any
) -> None:
    other = connect(quota_share=0.5)
    connector = connect()
    for quantity in range(3):
        await other.set_inventory([InventoryWrite(TEA, 10 + quantity, 9 + quantity)], "key")
        await connector.set_inventory([InventoryWrite(TEA, 9 + quantity, 10 + quantity)], "key")

    assert strict.counters()["throttled"] > 0
    assert strict.stock()["TEA-100"] == 10


async def test_a_large_catalogue_is_written_at_four_hundred_a_second(
    connect: Any, strict: RakutenSimulator, clock: Any
) -> None:
    strict.add_listings([NewListing(f"S{index}", 5) for index in range(4000)])
    connector, begun = connect(), clock.monotonic()
    writes = [InventoryWrite(ListingRef(f"s{index}/S{index}"), 7, 5) for index in range(4000)]
    for first in range(0, len(writes), 400):
        await connector.set_inventory(writes[first : first + 400], "key")

    assert 4000 / (clock.monotonic() - begun) > 0.95 * 400
    assert set(strict.stock().values()) == {7, 10, 5, 0}
    assert strict.counters()["throttled"] == 0


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [(1, [0, 1.1, 2.7, 3.7, 4.7, 5.7, 6.7, 7.7]), (5, [0, 0.15, 0.85, 1.0, 1.15, 1.3, 1.75, 1.9])],
)
async def test_a_call_that_took_long_may_have_arrived_late(
    rate: float, wanted: list[float]
) -> None:
    clock = FakeClock()
    queue, sent = FunctionQueue(clock, rate=rate, share=1.0), []
    for took in (0.1, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1):
        async with queue:
            sent.append(round(clock.monotonic(), 2))
            clock.advance(took)

    assert sent == wanted


async def test_lanes_belong_to_a_key() -> None:
    clock = FakeClock()
    one, same, other = (
        queues_of(
            RakutenSettings.model_validate({"service_secret": "SP", "license_key": key}), clock
        )
        for key in ("a", "a", "b")
    )

    assert one is same
    assert one is not other
    assert one.to(GET_STOCK) is not one.to(SET_STOCK)


async def test_the_simulator_refuses_the_second_call_in_a_second(
    strict: RakutenSimulator, connect: Any
) -> None:
    rude = connect(quota_share=0.98)
    await rude.read_orders(["987001-20261123-0000000001"])
    rude._client._queues._queues.clear()
    await rude.read_orders(["987001-20261123-0000000001"])

    assert strict.counters()["throttled"] == 1
