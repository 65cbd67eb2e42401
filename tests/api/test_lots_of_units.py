"""Sums of units have no bound: whatever was accepted, every RPC can read it, and every fact can be
recorded after it."""

from __future__ import annotations

import random

import pytest
from api.bench import Api, World
from api.requests import REQUESTS, all_rpcs, furnish
from api.test_fuzz import BUGS, _method, _outcome
from zaiko.v1 import stock_service_pb2 as pb
from zaiko_core.app import links, orders
from zaiko_core.app.links import LinkDraft
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.stock import Receipt, receive, set_escrow, set_reserves
from zaiko_core.domain.demand import DemandLine, DemandState, OrderRecord
from zaiko_core.domain.errors import ServiceError
from zaiko_core.domain.links import Part

pytestmark = pytest.mark.anyio

SINGLES = 900_000_000
"""Units of one order: below the largest quantity that is accepted, and three are above 2³¹."""


def read(number: str, now: int, **units: int) -> OrderRecord:
    """An order of so many units of each listing."""
    lines = tuple(
        DemandLine(listing, listing, count, 0, 0, listing, listing)
        for listing, count in units.items()
    )
    return OrderRecord(number, f"#{number}", now, now, DemandState.OPEN, now, lines)


def link(uow: UnitOfWork) -> None:
    """Link l1 to an apple, and l3 to a bundle of 10,000 apples."""
    drafts = [
        LinkDraft("one", "l1", (Part("apple"),), True),
        LinkDraft("one", "l3", (Part("apple", 10_000), Part("pear", 9_999)), True),
    ]
    links.create(uow, drafts, can_sync=lambda connector: None)


async def test_a_sum_of_orders_beyond_32_bits_is_answered_as_it_is(api: Api, world: World) -> None:
    await world.write(link)
    await world.write(
        lambda uow: orders.ingest(uow, "one", [read(str(n), n, l1=SINGLES) for n in (7, 8, 9)])
    )
    await world.write(lambda uow: orders.ingest(uow, "one", [read("10", 10, l3=SINGLES)]))

    name = world("products/apple/stock")
    stock = (await api.call("StockService.GetStock", pb.GetStockRequest(name=name))).stock
    ordered = 3 * SINGLES + 10_000 * SINGLES + 2
    assert (stock.physical, stock.ordered, stock.unallocated) == (10, ordered, ordered)
    assert (stock.free, stock.oversold, stock.sent) == (10 - ordered, ordered - 10, 0)


def anything(rng: random.Random, uow: UnitOfWork, step: int) -> None:
    """Do one thing with a large number, or have it refused."""
    units = rng.choice((1, 10_000, SINGLES, SINGLES, 1_000_000_000))
    what = rng.randrange(6)
    if what < 3:
        lines = {rng.choice(("l1", "l3")): units, "l5": units}
        orders.ingest(uow, "one", [read(f"big{rng.randrange(8)}", step, **lines)])
    elif what == 3:
        receive(uow, [Receipt(rng.choice(("apple", "pear")), "tokyo", units, f"in {step}")])
    elif what == 4:
        set_reserves(uow, {"apple": units, "pear": units})
    else:
        set_escrow(uow, "apple", units)


def _changes(rpc: str) -> bool:
    """Return whether a call changes anything."""
    options = _method(rpc).GetOptions()
    return bool(options.idempotency_level != options.NO_SIDE_EFFECTS)


@pytest.mark.parametrize("seed", range(2))
async def test_any_accepted_sequence_of_inputs_can_be_read_by_every_rpc(
    api: Api, world: World, seed: int
) -> None:
    await world.write(furnish)
    await world.write(link)
    rng = random.Random(seed)
    for step in range(20):
        try:
            await world.write(lambda uow, at=step: anything(rng, uow, uow.now + at))
        except ServiceError:
            continue

    for rpc in sorted(all_rpcs(), key=_changes):
        outcome = await _outcome(api, rpc, REQUESTS[rpc](world).SerializeToString())
        assert outcome[0] not in BUGS, f"seed {seed}: {rpc} answers {outcome}"
