"""The queue of uploads: one result per write, nothing added twice, and no number read while one of
ours waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from zaiko_nextengine.connector import NextEngineConnector
from zaiko_nextengine.simulator import NextEngineSimulator
from zaiko_sdk import (
    InventoryWrite,
    ItemRefused,
    ListingGone,
    ListingRef,
    MemoryState,
    PermissionMissing,
    PlatformDown,
    StateUnavailable,
    Throttled,
    Timeout,
    WriteOutcome,
    WriteResult,
)
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

Open = Callable[..., NextEngineConnector]

pytestmark = pytest.mark.anyio


def writes(*changes: tuple[str, int, int]) -> list[InventoryWrite]:
    """(code, expected, quantity)"""
    return [
        InventoryWrite(ListingRef(code), quantity, expected) for code, expected, quantity in changes
    ]


def by_code(results: object) -> dict[str, WriteResult]:
    assert isinstance(results, list)
    assert len({result.external_id for result in results}) == len(results)
    return {result.external_id: result for result in results}


@pytest.fixture
def stocked(shop: NextEngineSimulator) -> NextEngineSimulator:
    shop.add_listings([NewListing("A", 5), NewListing("B", 5), NewListing("C", 5)])
    return shop


async def test_a_batch_is_one_upload_of_differences(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    results = by_code(
        await connect(reason="same, day").set_inventory(
            writes(("A", 5, 9), ("B", 5, 0), ("C", 5, 5)), "key"
        )
    )

    assert {result.outcome for result in results.values()} == {WriteOutcome.APPLIED}
    assert stocked.stock() == {"A": 9, "B": 0, "C": 5}
    assert (
        stocked.queue.jobs[0].data
        == 'syohin_code,zaiko_su,nyusyukko_riyu\nA,4,"same, day"\nB,-5,"same, day"\n'
    )
    assert stocked.counters()["upload"] == 1


async def test_no_difference_is_no_upload(connect: Open, stocked: NextEngineSimulator) -> None:
    (result,) = await connect().set_inventory(writes(("A", 5, 5)), "key")

    assert result.outcome is WriteOutcome.APPLIED
    assert "upload" not in stocked.counters()


async def test_a_bad_line_is_refused_and_the_good_ones_are_left_to_be_read(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    stocked.remove_listing("B")

    results = by_code(
        await connect().set_inventory(writes(("A", 5, 6), ("B", 5, 6), ("C", 5, 6)), "key")
    )

    assert {code: result.outcome for code, result in results.items()} == {
        "A": WriteOutcome.UNKNOWN,
        "B": WriteOutcome.REFUSED,
        "C": WriteOutcome.UNKNOWN,
    }
    assert isinstance(results["B"].error, ListingGone)
    assert stocked.stock() == {"A": 6, "C": 6}


async def test_a_line_that_an_order_has_overtaken_is_stale_with_the_number_seen(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    stocked.place_order({"A": 4})

    results = by_code(await connect().set_inventory(writes(("A", 5, 2), ("B", 5, 6)), "key"))

    assert (results["A"].outcome, results["A"].quantity) == (WriteOutcome.STALE, 1)
    assert results["B"].outcome is WriteOutcome.UNKNOWN


@pytest.mark.parametrize("form", ["row", "none"])
async def test_a_failed_file_that_names_no_code_leaves_every_line_open(
    connect: Open, stocked: NextEngineSimulator, form: str
) -> None:
    stocked.switch("que_message_form", form)
    stocked.remove_listing("B")

    results = await connect().set_inventory(writes(("A", 5, 6), ("B", 5, 6)), "key")

    assert [result.outcome for result in results] == [WriteOutcome.UNKNOWN] * 2


@pytest.mark.parametrize("form", ["row", "none"])
async def test_the_only_line_of_a_failed_file_is_the_bad_one(
    connect: Open, stocked: NextEngineSimulator, form: str
) -> None:
    stocked.switch("que_message_form", form)
    stocked.remove_listing("B")

    (result,) = await connect().set_inventory(writes(("B", 5, 6)), "key")

    assert result.outcome is WriteOutcome.REFUSED
    assert isinstance(result.error, ListingGone)


async def test_a_refused_line_whose_listing_is_there_says_the_platforms_words(
    connect: Open, stocked: NextEngineSimulator, server: SimulatorServer
) -> None:
    body = '{"result":"success","count":"1","data":[{"que_id":"8801","que_status_id":"-1","que_message":"A: 在庫管理しない商品です"}]}'  # noqa: E501
    server.inject(Fault(FaultKind.REFUSE, match="system_que", status=200, body=body))

    results = by_code(await connect().set_inventory(writes(("A", 5, 6), ("B", 5, 6)), "key"))

    assert isinstance(results["A"].error, ItemRefused)
    assert results["A"].error.platform_message == "A: 在庫管理しない商品です"


async def test_an_outcome_that_cannot_be_read_back_is_still_reported(
    connect: Open, stocked: NextEngineSimulator, server: SimulatorServer
) -> None:
    stocked.remove_listing("A")
    server.inject(Fault(FaultKind.REFUSE, match="master_stock", status=500))

    (result,) = await connect().set_inventory(writes(("A", 5, 6)), "key")

    # Whether it is gone is not known; that it was refused is.
    assert (result.outcome, type(result.error)) == (WriteOutcome.REFUSED, ItemRefused)


async def test_an_unknown_status_leaves_every_line_open_and_blocks_nothing(
    connect: Open, stocked: NextEngineSimulator, state: MemoryState
) -> None:
    stocked.switch("queue_status", 7)
    connector = connect()

    (result,) = await connector.set_inventory(writes(("A", 5, 6)), "key")

    assert result.outcome is WriteOutcome.UNKNOWN
    assert (await connector.read_inventory([ListingRef("A")]))[0].quantity == 6


async def test_a_slow_queue_leaves_the_writes_open_and_they_are_not_sent_again(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    stocked.switch("queue_stuck", True)
    connector = connect(queue_poll_seconds=10.0)
    (result,) = await connector.set_inventory(writes(("A", 5, 6)), "key")
    assert result.outcome is WriteOutcome.UNKNOWN

    # While it waits, no number is reported, which would soon be wrong, and nothing is sent.
    with pytest.raises(PlatformDown, match="earlier upload"):
        await connector.read_inventory([ListingRef("A")])
    with pytest.raises(PlatformDown, match="earlier upload"):
        await connect().set_inventory(writes(("A", 5, 6)), "again")
    stocked.switch("queue_stuck", False)
    (level,) = await connector.read_inventory([ListingRef("A")])

    assert (level.quantity, stocked.counters()["upload"]) == (6, 1)


async def test_a_change_computed_before_an_upload_ended_is_stale(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    stocked.switch("queue_stuck", True)
    await connect(queue_poll_seconds=10.0).set_inventory(writes(("A", 5, 6)), "key")
    stocked.switch("queue_stuck", False)

    # Another process, which has not read since; had it sent the difference again, there would be 7.
    second = connect()
    (result,) = await second.set_inventory(writes(("A", 5, 6)), "again")

    assert (result.outcome, stocked.stock()["A"]) == (WriteOutcome.STALE, 6)
    (fresh,) = await second.set_inventory(writes(("A", 6, 8)), "once more")
    assert (fresh.outcome, stocked.stock()["A"]) == (WriteOutcome.APPLIED, 8)


@pytest.mark.parametrize(
    "kind", [FaultKind.DROP_AFTER, FaultKind.MALFORMED, FaultKind.REFUSE_AFTER]
)
async def test_an_upload_whose_reply_is_lost_is_left_open_and_waited_for(
    connect: Open, stocked: NextEngineSimulator, server: SimulatorServer, kind: FaultKind
) -> None:
    stocked.switch("queue_stuck", True)
    server.inject(Fault(kind, match="/upload"))
    connector = connect(queue_poll_seconds=10.0)
    with pytest.raises(Timeout) as caught:
        await connector.set_inventory(writes(("A", 5, 6)), "key")
    assert caught.value.sent is not False

    with pytest.raises(PlatformDown):
        await connector.read_inventory([ListingRef("A")])
    stocked.switch("queue_stuck", False)

    assert (await connector.read_inventory([ListingRef("A")]))[0].quantity == 6
    assert stocked.counters()["upload"] == 1


async def test_a_lost_upload_that_never_arrived_is_waited_for_a_moment_only(
    connect: Open, stocked: NextEngineSimulator, server: SimulatorServer, clock: FakeClock
) -> None:
    server.inject(Fault(FaultKind.DROP, match="/upload"))
    connector = connect(queue_poll_seconds=5.0)
    with pytest.raises(Timeout):
        await connector.set_inventory(writes(("A", 5, 6)), "key")

    before = clock.monotonic()
    (level,) = await connector.read_inventory([ListingRef("A")])

    assert level.quantity == 5
    # It might still have been on its way.
    assert 15 <= clock.monotonic() - before <= 20


async def test_an_upload_is_noted_before_it_is_sent(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    class Away(MemoryState):
        async def save(self, values: Mapping[str, str]) -> None:
            if "upload" in values:
                raise StateUnavailable("the store is away")
            await super().save(values)

    with pytest.raises(StateUnavailable):
        await connect(remember=Away()).set_inventory(writes(("A", 5, 6)), "key")

    assert "upload" not in stocked.counters()


async def test_a_store_that_goes_away_after_an_upload_does_not_change_its_outcome(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    class Going(MemoryState):
        async def save(self, values: Mapping[str, str]) -> None:
            if "upload" in self.values:
                raise StateUnavailable("the store has gone away")
            await super().save(values)

    connector = connect(remember=Going())
    await connector.read_orders(["1"])  # the tokens' end is known and saved now

    (result,) = await connector.set_inventory(writes(("A", 5, 6)), "key")

    assert (result.outcome, stocked.stock()["A"]) == (WriteOutcome.APPLIED, 6)


async def test_a_process_that_dies_while_it_waits_leaves_a_note_for_the_next(
    connect: Open, stocked: NextEngineSimulator, state: MemoryState
) -> None:
    stocked.switch("queue_stuck", True)
    dying = asyncio.ensure_future(
        connect(queue_poll_seconds=0.1).set_inventory(writes(("A", 5, 6)), "key")
    )
    while "upload" not in stocked.counters():  # noqa: ASYNC110 - the server is in another thread
        await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.wait([dying])

    with pytest.raises(PlatformDown):
        await connect(queue_poll_seconds=10.0).read_inventory([ListingRef("A")])
    stocked.switch("queue_stuck", False)

    assert (await connect().read_inventory([ListingRef("A")]))[0].quantity == 6
    assert "upload" not in state.values
    assert "access" in state.values


async def test_an_upload_that_is_never_finished_is_given_up_after_hours(
    connect: Open, stocked: NextEngineSimulator, clock: FakeClock, log: object
) -> None:
    stocked.switch("queue_stuck", True)
    connector = connect(queue_poll_seconds=10.0)
    await connector.set_inventory(writes(("A", 5, 6)), "key")

    clock.advance(timedelta(hours=7).total_seconds())
    (level,) = await connector.read_inventory([ListingRef("A")])

    assert level.quantity == 5
    assert "upload_given_up" in log.events  # type: ignore[attr-defined]


async def test_an_upload_that_ended_while_zaiko_was_off_for_days_is_not_given_up(
    connect: Open, stocked: NextEngineSimulator, clock: FakeClock, log: object
) -> None:
    stocked.switch("queue_stuck", True)
    connector = connect(queue_poll_seconds=10.0)
    await connector.set_inventory(writes(("A", 5, 6)), "key")
    stocked.switch("queue_stuck", False)
    clock.advance(timedelta(hours=20).total_seconds())

    (level,) = await connector.read_inventory([ListingRef("A")])

    assert level.quantity == 6
    assert "upload_given_up" not in log.events  # type: ignore[attr-defined]


async def test_a_queue_that_cannot_be_looked_at_leaves_the_writes_open(
    connect: Open, stocked: NextEngineSimulator, server: SimulatorServer
) -> None:
    server.inject(Fault(FaultKind.REFUSE, match="system_que", status=500))
    connector = connect()

    (result,) = await connector.set_inventory(writes(("A", 5, 6)), "key")

    assert result.outcome is WriteOutcome.UNKNOWN
    assert (await connector.read_inventory([ListingRef("A")]))[0].quantity == 6


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("003002", Throttled),
        ("003001", Throttled),
        ("003003", PlatformDown),
        ("002099", PermissionMissing),
        ("020500", ItemRefused),
    ],
)
async def test_a_refused_upload_leaves_no_note(
    connect: Open,
    stocked: NextEngineSimulator,
    server: SimulatorServer,
    state: MemoryState,
    code: str,
    error: type[Exception],
) -> None:
    server.inject(
        Fault(
            FaultKind.REFUSE,
            match="/upload",
            status=200,
            body=f'{{"result":"error","code":"{code}","message":"x"}}',
        )
    )

    with pytest.raises(error):
        await connect().set_inventory(writes(("A", 5, 6)), "key")

    assert "upload" not in state.values
    assert stocked.stock()["A"] == 5


async def test_stocktaking_refuses_an_upload_and_passes(
    connect: Open, stocked: NextEngineSimulator
) -> None:
    stocked.switch("stocktaking", True)
    connector = connect()
    with pytest.raises(PlatformDown) as caught:
        await connector.set_inventory(writes(("A", 5, 6)), "key")
    stocked.switch("stocktaking", False)

    (result,) = await connector.set_inventory(writes(("A", 5, 6)), "key")

    assert caught.value.retry_after == 300
    assert (result.outcome, stocked.stock()["A"]) == (WriteOutcome.APPLIED, 6)
