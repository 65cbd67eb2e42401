"""Health follows the store: a server without its database reports NOT_SERVING, refuses calls with a
reason, and recovers without help."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from api.bench import Api, served
from api.requests import REQUESTS
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.stores import PostgreSQL
from zaiko.v1 import sync_service_pb2
from zaiko_core.domain.errors import StorageUnavailable
from zaiko_server import health
from zaiko_server.health import HealthReporter

pytestmark = pytest.mark.anyio

SERVING, NOT_SERVING = (
    health_pb2.HealthCheckResponse.SERVING,
    health_pb2.HealthCheckResponse.NOT_SERVING,
)
GET = "MerchantService.GetMerchant"


@pytest.fixture
async def api(
    own_postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> AsyncIterator[Api]:
    monkeypatch.setattr(health, "INTERVAL", 0.05)
    async with served(own_postgresql.new_url()) as running:
        yield running


async def test_without_its_database_a_server_is_not_serving_and_recovers_without_help(
    api: Api, own_postgresql: PostgreSQL
) -> None:
    world = await api.merchant()
    health = health_pb2_grpc.HealthStub(api.channel)
    seen = aiter(health.Watch(health_pb2.HealthCheckRequest()))
    assert (await anext(seen)).status == SERVING
    watch = aiter(
        api.method("SyncService.WatchSync")(
            sync_service_pb2.WatchSyncRequest(parent=world.name), timeout=60
        )
    )
    await _until_complete(watch)

    await asyncio.to_thread(own_postgresql.halt)
    assert (await anext(seen)).status == NOT_SERVING
    refused = await api.refusal(GET, REQUESTS[GET](world), timeout=30)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    assert refused.details["RetryInfo"].retry_delay.ToMilliseconds() > 0

    await asyncio.to_thread(own_postgresql.resume)
    assert (await anext(seen)).status == SERVING
    await api.call(GET, REQUESTS[GET](world))
    # A watch that was idle meanwhile has not ended, and delivers the next change.
    await api.call("ShopService.PauseShop", REQUESTS["ShopService.PauseShop"](world))
    async for message in watch:
        if message.HasField("changes"):
            break


async def _until_complete(watch: Any) -> None:
    async for message in watch:
        if message.bookmark.snapshot_complete:
            return


class _Store:
    """Answers each check by the next character: x = StorageUnavailable."""

    def __init__(self, answers: str) -> None:
        self._answers = iter(answers)

    async def ping(self) -> None:
        answer = next(self._answers, None)
        if answer is None:
            await asyncio.sleep(3600)
        if answer == "x":
            raise StorageUnavailable("away")


@pytest.mark.parametrize(
    ("answers", "published"),
    [
        ("....", []),
        (".x.x.x.", []),
        (".xx", [False]),
        (".xxxx", [False]),
        (".xx..xx.", [False, True, False, True]),
    ],
)
async def test_one_failed_check_changes_nothing_and_two_in_a_row_make_it_unhealthy(
    answers: str, published: list[bool]
) -> None:
    heard: list[bool] = []
    checks = 0
    done = asyncio.Event()

    async def publish(serving: bool) -> None:
        heard.append(serving)

    async def sleep(seconds: float) -> None:
        nonlocal checks
        checks += 1
        if checks > len(answers):
            done.set()
            await asyncio.sleep(3600)

    await _run(HealthReporter(_Store(answers).ping, publish, sleep=sleep), done.wait)

    assert heard == published


async def _run(health: HealthReporter, until: Callable[[], Awaitable[Any]]) -> None:
    health.start()
    await until()
    await health.stop()
