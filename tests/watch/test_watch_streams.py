"""Single behaviours of a watch, over a socket."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.world import MERCHANT
from watch.watch_bench import PARENT, SNAPSHOT, Bench, Reader, refusal_of, serve
from zaiko.v1 import link_pb2, sync_service_pb2, watch_pb2
from zaiko_core.app.records import ChangeKind, MerchantRecord, RunResult, RunState
from zaiko_core.domain.ids import listing_id
from zaiko_core.storage.jobs import job_door
from zaiko_core.sync.leased_run import LeasedRun
from zaiko_server.watch import topics
from zaiko_server.watch.slots import WatchLimits

pytestmark = pytest.mark.anyio
SHOPS = ["aa", "bb", "cc"]
SUBJECTS = sync_service_pb2.WatchSyncRequest


@pytest.fixture
async def bench(sqlite_url: str) -> AsyncIterator[Bench]:
    async with serve(sqlite_url, lambda world: world.begin(["rice", "tea"], SHOPS)) as started:
        yield started


def every(seconds: float, token: str = "") -> watch_pb2.WatchStart:
    """Return a start with `seconds` between bookmarks."""
    start = (
        watch_pb2.WatchStart(resume_token=token)
        if token
        else watch_pb2.WatchStart(snapshot=watch_pb2.WatchSnapshot())
    )
    start.bookmark_interval.FromNanoseconds(int(seconds * 1e9))
    return start


async def watches(bench: Bench, number: int) -> None:
    """Wait until `number` watches are open."""
    async with asyncio.timeout(60):
        while bench.watch_server.hub.slots.taken != number:  # noqa: ASYNC110 - seen from outside, the hub has no event for it
            await asyncio.sleep(0.02)


# Resuming


async def test_a_resumed_watch_delivers_what_was_missed_and_nothing_else(
    bench: Bench,
) -> None:
    reader = Reader(bench.watch_stocks())
    await reader.until_bookmark()
    reader.call.cancel()
    missed = await bench.reserve({"tea": 5})

    again = Reader(bench.watch_stocks(reader.resume()))
    await again.until_bookmark(missed)

    assert [(name, state.reserve) for name, state in again.known.items()] == [
        (f"{PARENT}/products/tea/stock", 5)
    ]


async def test_a_resumed_watch_gets_a_bookmark_at_once_when_it_has_caught_up(bench: Bench) -> None:
    reader = Reader(bench.watch_stocks())
    revision = await reader.until_bookmark()

    again = Reader(bench.watch_stocks(every(300, reader.token)))
    first = await again.next()

    assert (first.bookmark.revision, first.bookmark.snapshot_complete) == (revision, False)


async def test_a_watch_resumes_after_a_restart_of_the_server(sqlite_url: str) -> None:
    async with serve(sqlite_url, lambda world: world.begin(["rice", "tea"])) as bench:
        reader = Reader(bench.watch_stocks())
        await reader.until_bookmark()
        missed = await bench.reserve({"tea": 7})

    async with serve(sqlite_url) as bench:
        again = Reader(bench.watch_stocks(reader.resume()))
        await again.until_bookmark(missed)

    assert [state.reserve for state in again.known.values()] == [7]


async def test_a_watch_resumes_on_another_replica_and_receives_its_commits(store_url: str) -> None:
    async with (
        serve(store_url, lambda world: world.begin(["rice", "tea"])) as one,
        serve(store_url) as other,
    ):
        reader = Reader(one.watch_stocks())
        await reader.until_bookmark()
        await reader.until_revision(await other.reserve({"tea": 1}))
        reader.call.cancel()

        again = Reader(other.watch_stocks(reader.resume()))
        await again.until_revision(await one.reserve({"tea": 2}))

    assert [state.reserve for state in again.known.values()] == [2]


async def test_a_token_of_another_filter_is_refused(bench: Bench) -> None:
    reader = Reader(bench.watch_stocks())
    await reader.until_bookmark()

    narrower = await refusal_of(bench.watch_stocks(reader.resume(), "tea"))
    other_watch = await refusal_of(bench.watch_sync(reader.resume()))

    assert (
        narrower[:2]
        == other_watch[:2]
        == (grpc.StatusCode.INVALID_ARGUMENT, "RESUME_TOKEN_INVALID")
    )


async def test_the_order_of_a_filter_does_not_matter(bench: Bench) -> None:
    reader = Reader(bench.watch_stocks(SNAPSHOT, "tea", "rice"))
    await reader.until_bookmark()

    again = Reader(bench.watch_stocks(reader.resume(), "rice", "tea", "tea"))

    assert await again.until_bookmark()


async def test_a_token_of_another_merchant_is_refused(bench: Bench) -> None:
    await bench.db.directory.write(lambda directory: directory.create(MerchantRecord("other")))
    reader = Reader(bench.watch_stocks())
    await reader.until_bookmark()

    code, reason, _ = await refusal_of(
        bench.watch_stocks(reader.resume(), parent="merchants/other")
    )

    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "RESUME_TOKEN_INVALID")


async def test_a_token_from_before_a_restored_backup_is_refused(bench: Bench) -> None:
    reader = Reader(bench.watch_stocks())
    await reader.until_bookmark()
    bench.identity.epoch = "restored"

    code, reason, _ = await refusal_of(bench.watch_stocks(reader.resume()))

    assert (code, reason) == (grpc.StatusCode.OUT_OF_RANGE, "HISTORY_REPLACED")


async def test_a_token_of_a_revision_that_was_lost_is_refused_as_in_the_future(
    sqlite_url: str, tmp_path: Path
) -> None:
    older = tmp_path / "older.db"
    async with serve(sqlite_url, lambda world: world.begin()):
        pass
    shutil.copy(sqlite_url.removeprefix("sqlite:///"), older)
    async with serve(sqlite_url) as bench:
        await bench.reserve({"tea": 7})
        reader = Reader(bench.watch_stocks())
        revision = await reader.until_bookmark()

    async with serve(f"sqlite:///{older}") as bench:
        code, reason, metadata = await refusal_of(bench.watch_stocks(reader.resume()))

    assert (code, reason) == (grpc.StatusCode.OUT_OF_RANGE, "REVISION_IN_FUTURE")
    assert metadata["currentRevision"] == str(revision - 1)


async def test_a_merchant_that_does_not_exist_is_refused(bench: Bench) -> None:
    code, reason, metadata = await refusal_of(
        bench.watch_stocks(SNAPSHOT, parent="merchants/nobody")
    )

    assert (code, reason, metadata["resource"]) == (
        grpc.StatusCode.NOT_FOUND,
        "RESOURCE_NOT_FOUND",
        "merchants/nobody",
    )


async def test_names_of_another_merchant_in_the_filter_are_refused(bench: Bench) -> None:
    request = sync_service_pb2.WatchSyncRequest(parent=PARENT)
    request.filter.shops.append("merchants/other/shops/a")

    code, reason, _ = await refusal_of(bench.syncs.WatchSync(request))

    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_NAME")


# Compaction


async def _compact(bench: Bench) -> int:
    """Compact all changes but the newest."""
    return await bench.db.write(
        MERCHANT, lambda uow: uow.feed.compact(older_than=uow.now + 1, keep=1)
    )


async def test_a_token_from_before_the_compaction_is_refused_and_a_snapshot_succeeds(
    bench: Bench,
) -> None:
    reader = Reader(bench.watch_stocks())
    await reader.until_bookmark()
    reader.call.cancel()
    for units in range(1, 5):
        await bench.reserve({"tea": units})
    compacted = await _compact(bench)

    code, reason, metadata = await refusal_of(bench.watch_stocks(reader.resume()))
    fresh = Reader(bench.watch_stocks())
    await fresh.until_bookmark()

    assert (code, reason) == (grpc.StatusCode.OUT_OF_RANGE, "REVISION_COMPACTED")
    assert metadata["compactRevision"] == str(compacted)
    assert fresh.known[f"{PARENT}/products/tea/stock"].reserve == 4


async def test_bookmarks_keep_an_idle_watch_ahead_of_the_compaction(bench: Bench) -> None:
    reader = Reader(bench.watch_stocks(every(1), "rice"))
    await reader.until_bookmark()
    last = 0
    for units in range(1, 5):
        last = await bench.reserve({"tea": units})
    await reader.until_bookmark(last)
    await _compact(bench)
    reader.call.cancel()

    again = Reader(bench.watch_stocks(reader.resume(), "rice"))

    assert await again.until_bookmark() >= last


# Bookmarks


async def test_bookmarks_come_while_nothing_happens(bench: Bench) -> None:
    reader = Reader(bench.watch_stocks(every(1)))
    sent_at = []
    for _ in range(3):
        bookmark = await reader.until(
            lambda response: response.WhichOneof("delivery") == "bookmark"
        )
        sent_at.append(bookmark.bookmark.send_time.ToNanoseconds() / 1e9)

    assert sent_at[2] - sent_at[0] >= 1.8


async def test_bookmarks_have_the_time_and_only_the_first_ends_a_snapshot(bench: Bench) -> None:
    reader = Reader(bench.watch_stocks(every(0.001)))
    await reader.until_bookmark()
    await reader.until_bookmark()

    ends = [
        delivery.bookmark.snapshot_complete
        for delivery in reader.deliveries
        if delivery.WhichOneof("delivery") == "bookmark"
    ]
    lag = time.time() - reader.deliveries[-1].bookmark.send_time.ToNanoseconds() / 1e9
    assert ends == [True, False]
    assert -1 < lag < 60


async def test_an_empty_snapshot_is_a_bookmark(bench: Bench) -> None:
    await bench.db.directory.write(lambda directory: directory.create(MerchantRecord("other")))

    reader = Reader(bench.watch_stocks(parent="merchants/other"))
    first = await reader.next()

    assert first.bookmark.snapshot_complete


# Large revisions


async def test_a_large_revision_is_split_and_a_token_within_it_repeats_it(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "MAX_MESSAGE_BYTES", 4096)
    names = [f"p{number:03d}" for number in range(100)]
    async with serve(sqlite_url, lambda world: world.begin(names, shops=())) as bench:
        reader = Reader(bench.watch_stocks())
        await reader.until_bookmark()
        snapshot = reader.deliveries[:-1]
        before = reader.token
        revision = await bench.reserve(dict.fromkeys(names, 9))
        await reader.until_revision(revision)
        pieces = reader.deliveries[len(snapshot) + 1 :]

        within = Reader(
            bench.watch_stocks(watch_pb2.WatchStart(resume_token=pieces[1].resume_token))
        )
        await within.until_revision(revision)

    assert len(pieces) > 2
    assert [piece.changes.continued for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    assert all(piece.ByteSize() <= 4096 for piece in reader.deliveries)
    assert {piece.resume_token for piece in pieces[:-1]} == {before}
    assert len(within.known) == 100
    assert len({piece.resume_token for piece in snapshot}) == 1
    assert [piece.changes.continued for piece in snapshot] == [True] * (len(snapshot) - 1) + [False]


async def test_a_token_from_within_a_snapshot_begins_it_again(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "MAX_MESSAGE_BYTES", 4096)
    names = [f"p{number:03d}" for number in range(100)]
    async with serve(sqlite_url, lambda world: world.begin(names, shops=())) as bench:
        reader = Reader(bench.watch_stocks())
        await reader.next()
        reader.call.cancel()

        again = Reader(bench.watch_stocks(reader.resume()))
        await again.until_bookmark()

    assert again.deliveries[-1].bookmark.snapshot_complete
    assert len(again.known) == 100


def test_a_message_has_one_mebibyte_at_most() -> None:
    assert topics.MAX_MESSAGE_BYTES == 1 << 20


# The sync watch


async def test_sync_shows_links_shops_and_runs_and_names_what_was_deleted(
    bench: Bench,
) -> None:
    bench.world.link("aa", "tea")
    reader = Reader(bench.watch_sync())
    await reader.until_bookmark()
    link = f"{PARENT}/shops/aa/links/{listing_id('tea')}"
    assert reader.known[link].sku == "tea"
    assert reader.known[f"{PARENT}/shops/aa"].link_counts.pending == 1
    assert set(reader.known) == {link, *(f"{PARENT}/shops/{shop}" for shop in SHOPS)}

    await asyncio.to_thread(bench.world.unlink, "aa", "tea")
    deleted = await reader.until(lambda response: bool(response.changes.deleted_names))

    assert list(deleted.changes.deleted_names) == [link]
    assert reader.known[f"{PARENT}/shops/aa"].link_counts == link_pb2.LinkCounts()


async def test_a_deleted_name_that_comes_back_is_a_state_again(bench: Bench) -> None:
    reader = Reader(bench.watch_sync(SNAPSHOT, subjects=[SUBJECTS.SUBJECT_LINK_STATUS]))
    await reader.until_bookmark()
    for _ in range(2):
        await asyncio.to_thread(bench.world.link, "aa", "tea")
        await reader.until(lambda response: len(response.changes.items) == 1)
        await asyncio.to_thread(bench.world.unlink, "aa", "tea")
        await reader.until(lambda response: len(response.changes.deleted_names) == 1)

    assert reader.known == {}


async def test_what_was_created_and_deleted_while_the_client_was_away_is_only_named_as_deleted(
    bench: Bench,
) -> None:
    reader = Reader(bench.watch_sync())
    await reader.until_bookmark()
    reader.call.cancel()
    bench.world.link("aa", "tea")
    bench.world.unlink("aa", "tea")

    again = Reader(bench.watch_sync(reader.resume()))
    await again.until_bookmark()

    assert [list(delivery.changes.deleted_names) for delivery in again.deliveries[:-1]] == [
        [f"{PARENT}/shops/aa/links/{listing_id('tea')}"]
    ]


async def test_sync_filters_by_shop_and_by_subject(bench: Bench) -> None:
    for shop in ["aa", "bb"]:
        bench.world.link(shop, "tea")
    only_b = Reader(bench.watch_sync(SNAPSHOT, "bb"))
    only_links = Reader(bench.watch_sync(SNAPSHOT, subjects=[SUBJECTS.SUBJECT_LINK_STATUS]))
    await only_b.until_bookmark()
    await only_links.until_bookmark()
    for shop in ["cc", "bb"]:
        await asyncio.to_thread(bench.world.link, shop, "rice")
    expected = f"{PARENT}/shops/bb/links/{listing_id('rice')}"
    await only_b.until(lambda response: expected in only_b.known)
    await only_links.until(lambda response: expected in only_links.known)

    assert all(name.startswith(f"{PARENT}/shops/bb") for name in only_b.known)
    assert f"{PARENT}/shops/bb" in only_b.known
    assert len(only_links.known) == 4
    assert all("/links/" in name for name in only_links.known)


async def test_sync_shows_a_run_while_it_goes_on_and_the_last_one_in_a_snapshot(
    bench: Bench,
) -> None:
    reader = Reader(bench.watch_sync(SNAPSHOT, subjects=[SUBJECTS.SUBJECT_SYNC_RUN]))
    await reader.until_bookmark()
    claim = job_door(bench.db.transactions, owner="test", lease=60_000_000).write_sync(
        lambda jobs: jobs.claim(1)
    )[0]

    run = LeasedRun(bench.db, claim, "r1")
    await run.begin()
    await reader.until(lambda response: bool(response.changes.items))
    fresh = Reader(bench.watch_sync(SNAPSHOT, subjects=[SUBJECTS.SUBJECT_SYNC_RUN]))
    await fresh.until_bookmark()
    await run.end(RunResult(RunState.SUCCEEDED))
    await reader.until(lambda response: bool(response.changes.items))

    name = f"{PARENT}/shops/{claim.shop}/runs/r1"
    states = [
        delivery.changes.items[0].sync_run.state
        for delivery in reader.deliveries
        if delivery.changes.items
    ]
    assert states == [1, 2]
    assert fresh.known[name].state == 1


# Sharing a process


async def test_many_watches_of_one_topic_share_one_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = [Reader(bench.watch_stocks()) for _ in range(20)]
    for reader in readers:
        await reader.until_bookmark()
    readings = 0
    read = bench.db.read

    async def counting(merchant: str, work: Any) -> Any:
        nonlocal readings
        readings += 1
        return await read(merchant, work)

    monkeypatch.setattr(bench.db, "read", counting)
    revision = await bench.reserve({"tea": 3})
    for reader in readers:
        await reader.until_revision(revision)

    assert readings <= 3


async def test_a_slow_consumer_delays_no_other_watch(sqlite_url: str) -> None:
    limit = 120.0
    names = [f"p{number:03d}" for number in range(150)]
    async with serve(
        sqlite_url,
        lambda world: world.begin(names, shops=()),
        limits=WatchLimits(slow_consumer_after=limit),
    ) as bench:
        stuck, brisk = Reader(bench.watch_stocks()), Reader(bench.watch_stocks())
        await stuck.until_bookmark()
        await brisk.until_bookmark()
        async with asyncio.timeout(limit / 2):
            for units in range(1, 21):
                await brisk.until_revision(await bench.reserve(dict.fromkeys(names, units)))

        assert bench.watch_server.hub.slots.taken == 2
    assert brisk.known[f"{PARENT}/products/p000/stock"].reserve == 20


async def test_a_slow_consumer_is_ended_and_may_resume(sqlite_url: str) -> None:
    names = [f"p{number:03d}" for number in range(150)]
    async with serve(
        sqlite_url,
        lambda world: world.begin(names, shops=()),
        limits=WatchLimits(slow_consumer_after=0.5),
    ) as bench:
        stuck = Reader(bench.watch_stocks())
        await stuck.until_bookmark()
        for units in range(1, 21):
            revision = await bench.reserve(dict.fromkeys(names, units))
        await watches(bench, 0)

        # A client that reads on finds the messages it had not read, the reason of the end, and a
        # token that still resumes.
        with pytest.raises(grpc.aio.AioRpcError):
            await stuck.until_revision(revision)
        code, reason, _ = await refusal_of(stuck.call)
        again = Reader(bench.watch_stocks(stuck.resume()))
        await again.until_bookmark(revision)

    assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_CONSUMER")
    assert (stuck.known | again.known)[f"{PARENT}/products/p149/stock"].reserve == 20


async def test_watches_have_limits_and_an_ended_one_releases_its_slot(sqlite_url: str) -> None:
    async with serve(
        sqlite_url, lambda world: world.begin(), limits=WatchLimits(process=5, principal=2)
    ) as bench:
        first, second = Reader(bench.watch_stocks()), Reader(bench.watch_stocks())
        await first.until_bookmark()
        await second.until_bookmark()

        code, reason, metadata = await refusal_of(bench.watch_stocks())
        first.call.cancel()
        await watches(bench, 1)
        third = Reader(bench.watch_stocks())
        await third.until_bookmark()

    assert (code, reason, metadata["limit"]) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_STREAMS",
        "2",
    )


async def test_drain_ends_every_watch_with_a_bookmark_and_refuses_new_ones(bench: Bench) -> None:
    readers = [Reader(bench.watch_stocks()), Reader(bench.watch_sync())]
    for reader in readers:
        await reader.until_bookmark()

    drained = await bench.watch_server.drain(2)

    assert drained
    for reader in readers:
        last = await reader.next()
        assert last.WhichOneof("delivery") == "bookmark"
        assert (await refusal_of(reader.call))[:2] == (
            grpc.StatusCode.UNAVAILABLE,
            "SERVER_DRAINING",
        )
    assert (await refusal_of(bench.watch_stocks()))[1] == "SERVER_DRAINING"


async def test_changes_outside_the_topic_are_skipped(bench: Bench) -> None:
    reader = Reader(bench.watch_stocks(every(1)))
    await reader.until_bookmark()
    await bench.db.write(MERCHANT, lambda uow: uow.advance())
    newest = await bench.db.write(
        MERCHANT, lambda uow: (uow.changed(ChangeKind.SHOP, ["aa"]), uow.answer_revision)[1]
    )

    await reader.until_bookmark(newest)

    assert all(delivery.WhichOneof("delivery") == "bookmark" for delivery in reader.deliveries[1:])
