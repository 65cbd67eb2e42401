"""Runs, statuses, drifts, and the streams that watch them."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.requests import REQUESTS, furnish
from api.rpcs import happy
from api.rpcs.links import linked
from zaiko.v1 import drift_pb2, error_pb2, shop_service_pb2, sync_run_pb2, sync_service_pb2


@happy("SyncService.SyncNow")
async def sync_now(api: Api, world: World) -> None:
    made = await linked(api, world)

    async def shops(**subject: str) -> list[str]:
        answer = await api.call("SyncService.SyncNow", sync_service_pb2.SyncNowRequest(**subject))
        return [item.shop.rpartition("/")[2] for item in answer.shops]

    assert await shops(shop=world("shops/one")) == ["one"]
    assert await shops(link=made.link.name) == ["one"]
    assert await shops(product=world("products/apple")) == ["one"]
    assert await shops(product=world("products/pear")) == []


@happy("SyncService.WaitSettled")
async def wait_settled(api: Api, world: World) -> None:
    made = await linked(api, world)

    async def unsettled(**fields: Any) -> sync_service_pb2.WaitSettledResponse:
        request = sync_service_pb2.WaitSettledRequest(**fields)
        request.timeout.FromMilliseconds(1)
        return await api.call("SyncService.WaitSettled", request)  # type: ignore[no-any-return]

    kind = sync_service_pb2.WaitSettledResponse.UnsettledShop
    for subject in ({"merchant": world.name}, {"product": world("products/apple")}):
        answer = await unsettled(**subject)
        (shop,) = answer.unsettled_shops
        assert (shop.shop, shop.link, shop.link_count) == (world("shops/one"), made.link.name, 1)
        assert shop.cause == kind.CAUSE_ON_ITS_WAY
        assert shop.synced_revision < answer.revision
        assert not shop.HasField("problem")
        assert not (await unsettled(**subject, revision=shop.synced_revision)).unsettled_shops
    assert not (await unsettled(product=world("products/pear"))).unsettled_shops
    assert not (await unsettled(shop=world("shops/two"))).unsettled_shops

    # Nobody needs to wait where a person must act.
    await api.call("ShopService.PauseShop", shop_service_pb2.PauseShopRequest(name=shop.shop))
    request = sync_service_pb2.WaitSettledRequest(shop=shop.shop)
    (paused,) = (await api.call("SyncService.WaitSettled", request)).unsettled_shops
    assert paused.cause == kind.CAUSE_PROBLEM
    assert paused.problem.reason == error_pb2.ERROR_REASON_SHOP_PAUSED


@happy("SyncService.GetSyncRun")
async def get_sync_run(api: Api, world: World) -> None:
    request = sync_service_pb2.GetSyncRunRequest(name=world("shops/one/runs/0001-aaaa"))

    run = (await api.call("SyncService.GetSyncRun", request)).sync_run

    assert run.state == sync_run_pb2.SyncRun.STATE_SUCCEEDED
    assert run.trigger == sync_run_pb2.SyncRun.TRIGGER_INTERVAL
    assert run.end_time.ToMicroseconds() - run.start_time.ToMicroseconds() == 5


@happy("SyncService.CancelSyncRun")
async def cancel_sync_run(api: Api, world: World) -> None:
    await world.write(furnish)
    request = REQUESTS["SyncService.CancelSyncRun"](world)

    answer = await api.call("SyncService.CancelSyncRun", request)
    again = await api.call("SyncService.CancelSyncRun", request)

    assert answer.sync_run == again.sync_run
    assert (
        answer.sync_run.state == sync_run_pb2.SyncRun.STATE_RUNNING
    )  # until it comes to the end of its step


@happy("SyncService.ListSyncRuns")
async def list_sync_runs(api: Api, world: World) -> None:
    async def found(parent: str, **fields: Any) -> list[str]:
        wanted = sync_service_pb2.ListSyncRunsRequest.Filter(**fields)
        request = sync_service_pb2.ListSyncRunsRequest(parent=world(parent), filter=wanted)
        return [
            item.name.rpartition("/")[2]
            for item in (await api.call("SyncService.ListSyncRuns", request)).sync_runs
        ]

    assert await found("shops/one") == await found("shops/-") == ["0002-bbbb", "0001-aaaa"]
    assert await found("shops/one", states=[sync_run_pb2.SyncRun.STATE_FAILED]) == ["0002-bbbb"]
    assert await found("shops/two") == []


@happy("SyncService.GetAuditSummary")
async def get_audit_summary(api: Api, world: World) -> None:
    await linked(api, world)

    async def summary(parent: str, **fields: Any) -> sync_service_pb2.GetAuditSummaryResponse:
        request = sync_service_pb2.GetAuditSummaryRequest(parent=world(parent), **fields)
        return await api.call("SyncService.GetAuditSummary", request)  # type: ignore[no-any-return]

    one, two = await summary("shops/one"), await summary("shops/two")
    assert (one.enabled_link_count, one.verified_link_count, one.verified_share) == (1, 0, 0.0)
    assert [(item.cause, item.count) for item in one.cause_counts] == [
        (drift_pb2.Drift.CAUSE_EDITED_IN_SHOP, 1),
        (drift_pb2.Drift.CAUSE_PUSH_LOST, 1),
    ]
    assert (two.enabled_link_count, two.verified_share, list(two.cause_counts)) == (0, 1.0, [])
    assert (await summary("shops/-")).enabled_link_count == 1


@happy("SyncService.ListDrifts")
async def list_drifts(api: Api, world: World) -> None:
    async def found(parent: str, **fields: Any) -> list[tuple[str, int, int]]:
        wanted = sync_service_pb2.ListDriftsRequest.Filter(**fields)
        request = sync_service_pb2.ListDriftsRequest(parent=world(parent), filter=wanted)
        reply = await api.call("SyncService.ListDrifts", request)
        return [(item.link.rpartition("/")[2], item.expected, item.shown) for item in reply.drifts]

    assert await found("shops/one") == await found("shops/-") == [("l2", 5, 9), ("l1", 5, 9)]
    assert await found("shops/-", causes=[drift_pb2.Drift.CAUSE_PUSH_LOST]) == [("l2", 5, 9)]
    assert await found("shops/-", link=world("shops/one/links/l1")) == [("l1", 5, 9)]
    assert await found("shops/two") == []


@happy("SyncService.GetSyncStatus")
async def get_sync_status(api: Api, world: World) -> None:
    await linked(api, world, "l2", "pear")

    answer = await api.call(
        "SyncService.GetSyncStatus", sync_service_pb2.GetSyncStatusRequest(parent=world.name)
    )

    assert answer.link_counts.pending == 1
    assert [status.shop.rpartition("/")[2] for status in answer.shop_statuses] == [
        "look",
        "lost",
        "one",
        "two",
    ]
    assert (
        answer.oversold_product_count,
        answer.unlinked_order_count,
        answer.suspect_order_count,
    ) == (1, 1, 0)


@happy("SyncService.ListLinkStatuses")
async def list_link_statuses(api: Api, world: World) -> None:
    made = await linked(api, world)
    request = sync_service_pb2.ListLinkStatusesRequest(parent=world("shops/-"))
    assert list((await api.call("SyncService.ListLinkStatuses", request)).link_statuses) == [
        made.link.status
    ]


@happy("SyncService.WatchSync")
async def watch_sync(api: Api, world: World) -> None:
    stream = api.method("SyncService.WatchSync")(
        sync_service_pb2.WatchSyncRequest(parent=world.name), timeout=60
    )

    first = await stream.read()

    kinds = {item.WhichOneof("item") for item in first.changes.items}
    assert kinds == {"shop_status", "sync_run"}
    stream.cancel()


@happy("SyncService.WatchSyncSession")
async def watch_sync_session(api: Api, world: World) -> None:
    stream = api.method("SyncService.WatchSyncSession")(
        REQUESTS["SyncService.WatchSyncSession"](world), timeout=60
    )

    created, states, bookmark = [await stream.read() for _ in range(3)]

    assert [event.watch_id for event in (created, states, bookmark)] == [1, 1, 1]
    assert created.HasField("created")
    assert [
        (event.delivery, event.update.WhichOneof("delivery")) for event in (states, bookmark)
    ] == [
        (1, "changes"),
        (2, "bookmark"),
    ]
    assert bookmark.update.bookmark.snapshot_complete
    stream.cancel()
