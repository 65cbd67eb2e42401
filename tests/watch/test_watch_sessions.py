"""Several watches on one stream: each has its own flow control, and an error of one does not affect
the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from support.world import MERCHANT
from watch.watch_bench import PARENT, SNAPSHOT, Bench, Reader, refusal_of, serve
from zaiko.v1 import error_pb2, sync_service_pb2, watch_pb2
from zaiko_core.app.records import ChangeKind
from zaiko_core.domain.ids import listing_id
from zaiko_core.storage.database import Database
from zaiko_server.watch.slots import WatchLimits
from zaiko_server.watch.watch_stream import UNACKNOWLEDGED, WATCHES

pytestmark = pytest.mark.anyio
SHOPS = ["aa", "bb", "cc"]
Request = sync_service_pb2.WatchSyncSessionRequest


@pytest.fixture
async def bench(sqlite_url: str) -> AsyncIterator[Bench]:
    async with serve(sqlite_url, lambda world: world.begin(["rice", "tea"], SHOPS)) as started:
        yield started


@dataclass
class Client:
    """One stream: its events, and a Reader of what each watch knows."""

    call: Any
    acknowledging: bool = True
    readers: dict[int, Reader] = field(default_factory=dict)
    numbers: dict[int, list[int]] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)

    async def create(
        self,
        watch_id: int,
        *shops: str,
        start: watch_pb2.WatchStart = SNAPSHOT,
        parent: str = PARENT,
    ) -> None:
        request = sync_service_pb2.WatchSyncRequest(parent=parent, start=start)
        request.filter.shops.extend(f"{PARENT}/shops/{shop}" for shop in shops)
        await self.call.write(Request(watch_id=watch_id, create=request))

    async def acknowledge(self, watch_id: int, delivery: int) -> None:
        await self.call.write(
            Request(watch_id=watch_id, ack=Request.Acknowledgement(delivery=delivery))
        )

    async def next(self) -> Any:
        event = await asyncio.wait_for(self.call.read(), 60)
        assert event is not grpc.aio.EOF
        self.events.append(event)
        if event.WhichOneof("event") == "update":
            self.readers.setdefault(event.watch_id, Reader(None)).take(event.update)
            self.numbers.setdefault(event.watch_id, []).append(event.delivery)
            if self.acknowledging:
                await self.acknowledge(event.watch_id, event.delivery)
        return event

    async def until(self, kind: str, watch_id: int) -> Any:
        """Read on until an event of this kind of this watch."""
        while (event := await self.next()).WhichOneof(
            "event"
        ) != kind or event.watch_id != watch_id:
            pass
        return event

    async def until_bookmark(self, watch_id: int, revision: int = 0) -> int:
        """Read on until a bookmark of this watch at or above `revision`. Return its revision."""
        while True:
            event = await self.until("update", watch_id)
            if (
                event.update.WhichOneof("delivery") == "bookmark"
                and event.update.bookmark.revision >= revision
            ):
                return int(event.update.bookmark.revision)


def reason(event: Any) -> str:
    problem = getattr(event, event.WhichOneof("event")).problem
    return (
        error_pb2.ErrorReason.Name(problem.reason).removeprefix("ERROR_REASON_")
        if problem.reason
        else ""
    )


def shop_changed(shop: str) -> Any:
    """Return a unit of work that changes what a watch shows of a shop, and returns its revision."""
    return lambda uow: (uow.changed(ChangeKind.SHOP, [shop]), uow.answer_revision)[1]


async def test_each_watch_of_a_stream_has_its_own_filter_and_delivery_numbers(
    bench: Bench,
) -> None:
    client = Client(bench.syncs.WatchSyncSession())
    await client.create(1, "aa")
    await client.create(7, "bb", "cc")
    await client.until_bookmark(1)
    if 7 not in client.readers:
        await client.until_bookmark(7)
    await asyncio.to_thread(bench.world.link, "bb", "tea")
    link = f"{PARENT}/shops/bb/links/{listing_id('tea')}"
    while link not in client.readers[7].known:
        await client.next()

    assert set(client.readers[1].known) == {f"{PARENT}/shops/aa"}
    assert set(client.readers[7].known) == {f"{PARENT}/shops/bb", f"{PARENT}/shops/cc", link}
    for watch_id, numbers in client.numbers.items():
        assert numbers == list(range(1, len(numbers) + 1)), watch_id
    created = [event.watch_id for event in client.events if event.WhichOneof("event") == "created"]
    assert sorted(created) == [1, 7]


async def test_without_acknowledgements_a_watch_pauses_and_then_delivers_only_the_newest_states(
    bench: Bench,
) -> None:
    client = Client(bench.syncs.WatchSyncSession(), acknowledging=False)
    await client.create(1, "aa")
    await client.create(2, "bb")
    # Each change is read before the next one is made, so that none is coalesced before the limit.
    while len(client.numbers.get(1, [])) < UNACKNOWLEDGED:
        if client.numbers.get(1) and client.readers[1].deliveries[-1].WhichOneof("delivery"):
            await bench.db.write(MERCHANT, shop_changed("aa"))
        await client.until("update", 1)
    for _ in range(50):
        newest = await bench.db.write(MERCHANT, shop_changed("aa"))
    newest = await bench.db.write(MERCHANT, shop_changed("bb"))
    await client.acknowledge(2, client.numbers[2][-1])
    # The other watch goes on, so only the first one is paused and not the stream.
    while client.readers[2].deliveries[-1].changes.revision < newest:
        await client.until("update", 2)
    assert len(client.numbers[1]) == UNACKNOWLEDGED

    await client.acknowledge(1, UNACKNOWLEDGED)
    await client.until("update", 1)

    assert client.numbers[1][-1] == UNACKNOWLEDGED + 1
    [item] = client.readers[1].deliveries[-1].changes.items
    assert item.shop_status.shop == f"{PARENT}/shops/aa"
    assert client.readers[1].deliveries[-1].changes.revision == newest


async def test_a_progress_request_gets_a_bookmark_at_the_newest_commit_of_any_process(
    bench: Bench, sqlite_url: str
) -> None:
    elsewhere = Database(sqlite_url)  # its commits wake no watch here
    client = Client(bench.syncs.WatchSyncSession())
    slow = watch_pb2.WatchStart(snapshot=watch_pb2.WatchSnapshot())
    slow.bookmark_interval.FromSeconds(300)
    await client.create(1, "aa", start=slow)
    await client.until_bookmark(1)
    newest = await elsewhere.write(MERCHANT, shop_changed("bb"))
    await client.call.write(Request(watch_id=1, progress=Request.Question()))
    elsewhere.close()

    assert await client.until_bookmark(1) == newest


async def test_a_cancelled_watch_sends_nothing_more_and_the_others_go_on(bench: Bench) -> None:
    client = Client(bench.syncs.WatchSyncSession())
    await client.create(1, "aa")
    await client.create(2, "aa")
    await client.until_bookmark(1)
    await client.call.write(Request(watch_id=1, cancel=Request.Cancellation()))
    ended = await client.until("cancelled", 1)
    place = len(client.events)
    newest = await bench.db.write(MERCHANT, shop_changed("aa"))
    while not client.readers.get(2) or client.readers[2].deliveries[-1].changes.revision < newest:
        await client.next()

    assert not ended.cancelled.HasField("problem")
    assert {event.watch_id for event in client.events[place:]} == {2}


async def test_a_watch_that_cannot_begin_is_cancelled_with_its_problem_and_the_others_go_on(
    bench: Bench,
) -> None:
    client = Client(bench.syncs.WatchSyncSession())
    await client.create(1, "aa")
    await client.until_bookmark(1)
    token = client.readers[1].token
    await client.create(2, "aa", start=watch_pb2.WatchStart(resume_token="broken"))
    await client.create(3, "bb", start=watch_pb2.WatchStart(resume_token=token))
    for _ in range(3):
        newest = await bench.db.write(MERCHANT, shop_changed("aa"))
    while client.readers[1].deliveries[-1].changes.revision < newest:
        await client.until("update", 1)
    await bench.db.write(MERCHANT, lambda uow: uow.feed.compact(older_than=uow.now + 1, keep=1))
    await client.create(4, "aa", start=watch_pb2.WatchStart(resume_token=token))
    await client.create(5, parent="merchants/nobody")
    problems: dict[int, str] = {}
    while len(problems) < 4:
        await client.next()
        problems = {
            event.watch_id: reason(event)
            for event in client.events
            if event.WhichOneof("event") == "cancelled"
        }
    newest = await bench.db.write(MERCHANT, shop_changed("aa"))
    while client.readers[1].deliveries[-1].changes.revision < newest:
        await client.until("update", 1)

    assert problems == {
        2: "RESUME_TOKEN_INVALID",
        3: "RESUME_TOKEN_INVALID",
        4: "REVISION_COMPACTED",
        5: "RESOURCE_NOT_FOUND",
    }


async def test_a_watch_resumes_from_the_token_of_another_call(bench: Bench) -> None:
    reader = Reader(bench.watch_sync(SNAPSHOT, "aa"))
    await reader.until_bookmark()
    reader.call.cancel()
    newest = await bench.db.write(MERCHANT, shop_changed("aa"))
    client = Client(bench.syncs.WatchSyncSession())
    await client.create(1, "aa", start=reader.resume())
    await client.until_bookmark(1, newest)

    assert [delivery.WhichOneof("delivery") for delivery in client.readers[1].deliveries] == [
        "changes",
        "bookmark",
    ]
    assert not client.readers[1].deliveries[-1].bookmark.snapshot_complete


async def test_invalid_requests_are_rejected_and_the_stream_goes_on(bench: Bench) -> None:
    client = Client(bench.syncs.WatchSyncSession())
    await client.create(5, "aa")
    await client.until_bookmark(5)
    for request, expected in [
        (Request(watch_id=9, cancel=Request.Cancellation()), "RESOURCE_NOT_FOUND"),
        (Request(watch_id=9, progress=Request.Question()), "RESOURCE_NOT_FOUND"),
        (Request(watch_id=9, ack=Request.Acknowledgement(delivery=1)), "RESOURCE_NOT_FOUND"),
        (Request(watch_id=5, ack=Request.Acknowledgement(delivery=1000)), "INVALID_FIELD"),
        (Request(watch_id=5, ack=Request.Acknowledgement()), "INVALID_FIELD"),
        (Request(watch_id=5), "INVALID_FIELD"),
        (Request(watch_id=0, progress=Request.Question()), "INVALID_FIELD"),
        (
            Request(watch_id=5, create=sync_service_pb2.WatchSyncRequest(parent=PARENT)),
            "INVALID_FIELD",
        ),
        (
            Request(watch_id=4, create=sync_service_pb2.WatchSyncRequest(parent=PARENT)),
            "INVALID_FIELD",
        ),
        (
            Request(watch_id=6, create=sync_service_pb2.WatchSyncRequest(parent="nonsense")),
            "INVALID_NAME",
        ),
    ]:
        await client.call.write(request)
        event = await client.until("rejected", request.watch_id)
        assert reason(event) == expected, request
        assert event.rejected.problem.message
    await client.call.write(Request(watch_id=5, progress=Request.Question()))

    assert await client.until_bookmark(5)


async def test_a_watch_id_cannot_be_reused_after_its_watch_has_ended(bench: Bench) -> None:
    client = Client(bench.syncs.WatchSyncSession())
    await client.create(1, "aa")
    await client.until_bookmark(1)
    await client.call.write(Request(watch_id=1, cancel=Request.Cancellation()))
    await client.until("cancelled", 1)
    await client.create(1, "aa")

    assert reason(await client.until("rejected", 1)) == "INVALID_FIELD"


async def test_more_watches_than_a_stream_may_have_are_refused(bench: Bench) -> None:
    client = Client(bench.syncs.WatchSyncSession(), acknowledging=False)

    async def create_all() -> None:
        for number in range(1, WATCHES + 2):
            await client.create(number, "aa")

    writing = asyncio.create_task(create_all())
    refused = await client.until("rejected", WATCHES + 1)
    await writing

    assert reason(refused) == "TOO_MANY_STREAMS"
    assert refused.rejected.problem.metadata["limit"] == str(WATCHES)


async def test_the_stream_and_each_of_its_watches_take_a_slot_and_release_it(
    sqlite_url: str,
) -> None:
    async with serve(
        sqlite_url,
        lambda world: world.begin(shops=SHOPS),
        limits=WatchLimits(process=5, principal=2),
    ) as bench:
        client = Client(bench.syncs.WatchSyncSession())
        await client.create(1, "aa")
        await client.until_bookmark(1)
        await client.create(2, "aa")
        over = await client.until("cancelled", 2)
        other = await refusal_of(bench.watch_sync())
        await client.call.write(Request(watch_id=1, cancel=Request.Cancellation()))
        await client.until("cancelled", 1)
        await client.create(3, "aa")
        await client.until_bookmark(3)
        await client.call.done_writing()
        while await client.call.read() is not grpc.aio.EOF:
            pass
        code = await client.call.code()
        async with asyncio.timeout(60):
            while bench.watch_server.hub.slots.taken:  # noqa: ASYNC110 - seen from outside, the hub has no event for it
                await asyncio.sleep(0.02)

    assert reason(over) == other[1] == "TOO_MANY_STREAMS"
    assert code is grpc.StatusCode.OK


async def test_drain_sends_each_watch_a_last_bookmark_even_past_its_limit_and_then_ends_the_stream(
    bench: Bench,
) -> None:
    client = Client(bench.syncs.WatchSyncSession(), acknowledging=False)
    await client.create(1, "aa")
    await client.create(2, "bb")
    while len(client.numbers.get(1, [])) < UNACKNOWLEDGED:
        await bench.db.write(MERCHANT, shop_changed("aa"))
        await client.until("update", 1)
    assert 2 in client.numbers

    draining = asyncio.create_task(bench.watch_server.drain(5))
    last: dict[int, Any] = {}

    async def until_the_end() -> None:
        while True:
            event = await client.next()
            last[event.watch_id] = event.update

    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await until_the_end()

    assert await draining
    assert (await refusal_of(client.call))[:2] == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert {watch_id: update.WhichOneof("delivery") for watch_id, update in last.items()} == {
        1: "bookmark",
        2: "bookmark",
    }


async def test_a_stream_that_is_not_read_is_ended_and_leaves_no_task(
    sqlite_url: str,
) -> None:
    names = [f"p{number:03d}" for number in range(150)]
    async with serve(
        sqlite_url,
        lambda world: world.begin(names, ["aa"]),
        limits=WatchLimits(slow_consumer_after=0.5),
    ) as bench:
        for name in names:
            bench.world.link("aa", name)
        client = Client(bench.syncs.WatchSyncSession())
        await client.create(1)
        await client.until_bookmark(1)

        def all_changed(uow: Any) -> None:
            uow.changed(ChangeKind.LINK, [f"aa/{listing_id(name)}" for name in names])

        async with asyncio.timeout(60):
            while bench.watch_server.hub.slots.taken:
                await bench.db.write(MERCHANT, all_changed)
                await asyncio.sleep(0.02)
        code, why, _ = await refusal_of(client.call)

    assert (code, why) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_CONSUMER")
    left = [
        task for task in asyncio.all_tasks() if task.get_name().startswith("zaiko watch stream")
    ]
    assert left == []
