"""The server as a whole: health, reflection, channelz, start and stop, and what it never
reveals."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from api.bench import KEY, SECRET, Answers, Api, World, refused, served, toy_registry
from api.requests import REQUESTS, all_rpcs, furnish
from api.rpcs.links import linked
from google.protobuf import struct_pb2
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from pydantic import ValidationError
from structlog.testing import capture_logs
from zaiko.v1 import (
    merchant_service_pb2,
    operation_service_pb2,
    operation_service_pb2_grpc,
    shop_pb2,
    shop_service_pb2,
    stock_service_pb2,
    stock_service_pb2_grpc,
    sync_service_pb2,
    sync_service_pb2_grpc,
)
from zaiko_core.bootstrap import Engine
from zaiko_server import lifecycle
from zaiko_server.app import SERVICES
from zaiko_server.config import Config
from zaiko_server.options import FILES
from zaiko_server.watch import watch_server
from zaiko_server.watch.slots import WatchLimits

SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.mark.anyio
@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_every_service_is_healthy(service: str, api: Api) -> None:
    stub = health_pb2_grpc.HealthStub(api.channel)
    assert (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status == SERVING


@pytest.mark.anyio
async def test_reflection_shows_the_protos_of_a_running_server(api: Api) -> None:
    def read() -> tuple[set[str], list[str]]:
        with grpc.insecure_channel(api.address) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            file = database.FindFileContainingSymbol("zaiko.v1.StockService")
            return set(database.get_services()), [service.name for service in file.service]

    services, found = await asyncio.to_thread(read)

    assert set(SERVICES) <= services
    assert found == ["StockService"]


@pytest.mark.anyio
async def test_channelz_counts_calls(api: Api) -> None:
    answer = await channelz_pb2_grpc.ChannelzStub(api.channel).GetServers(
        channelz_pb2.GetServersRequest()
    )
    assert answer.server[0].data.calls_started > 0


@pytest.mark.anyio
async def test_credentials_are_in_no_reply_log_line_or_repr(api: Api, world: World) -> None:
    settings = struct_pb2.Struct()
    settings.update(
        {"domain": "shop.example", "token": SECRET}
    )  # a secret in the wrong place is a secret
    shop = shop_pb2.Shop(connector="connectors/toy", display_name="S", settings=settings)
    request = shop_service_pb2.CreateShopRequest(parent=world.name, shop_id="new", shop=shop)

    with capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        answer = await api.call("ShopService.CreateShop", request)
        request.shop.settings["colour"] = SECRET
        request.shop_id = "other"
        error = await api.refusal("ShopService.CreateShop", request)

    assert list(answer.shop.secret_names) == ["token"]
    assert "token" not in answer.shop.settings
    assert SECRET not in f"{answer}{error}{logs}"
    record = await world.write(lambda uow: uow.shops.get(["new"])["new"])
    assert SECRET not in repr(record)
    assert SECRET.encode() not in record.secrets
    assert api.engine.secrets.open(record.secrets) == {"token": SECRET}


@pytest.mark.anyio
async def test_a_bug_in_a_handler_reaches_the_client_as_an_incident(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise KeyError(SECRET)

    monkeypatch.setattr("zaiko_server.services.stocks.stocks.stock", broken)
    with capture_logs() as logs:
        request = stock_service_pb2.GetStockRequest(name=world("products/apple/stock"))
        error = await api.refusal("StockService.GetStock", request)

    assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert SECRET not in f"{error}"
    (line,) = [line for line in logs if line["event"] == "incident"]
    assert line["incident"] == error.metadata["incident"]


@pytest.mark.anyio
async def test_stopping_ends_watches_with_a_bookmark_and_a_reason(sqlite_url: str) -> None:
    config = Config(
        listen="127.0.0.1:0", database=sqlite_url, secret_keys=(KEY,), run_shops=False, grace=2.0
    )
    engine = Engine(config.engine(), registry=toy_registry(Answers()))
    server = lifecycle.Server(engine, config)
    async with grpc.aio.insecure_channel(await server.start()) as channel:
        world = await Api(engine, channel, Answers()).merchant()
        stream = stock_service_pb2_grpc.StockServiceStub(channel).WatchStocks(
            stock_service_pb2.WatchStocksRequest(parent=world.name)
        )
        snapshot, bookmark = await stream.read(), await stream.read()

        await server.stop()

        last = await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
    assert snapshot.HasField("changes")
    assert bookmark.bookmark.snapshot_complete
    assert last.HasField("bookmark")
    assert refused(caught.value).reason == "SERVER_DRAINING"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "waiting", ["WatchOperation", "WaitOperation", "WaitSettled", "Health.Watch"]
)
async def test_calls_that_only_wait_do_not_delay_a_stopping_server(
    waiting: str, sqlite_url: str
) -> None:
    config = Config(
        listen="127.0.0.1:0", database=sqlite_url, secret_keys=(KEY,), run_shops=False, grace=200.0
    )
    engine = Engine(config.engine(), registry=toy_registry(Answers()))
    server = lifecycle.Server(engine, config)
    async with grpc.aio.insecure_channel(await server.start()) as channel:
        api = Api(engine, channel, Answers())
        world = await api.merchant()
        refresh = shop_service_pb2.RefreshListingsRequest(parent=world("shops/one"))
        name = (await api.call("ShopService.RefreshListings", refresh)).operation.name
        stubs = operation_service_pb2_grpc.OperationServiceStub(channel)
        received = []
        if waiting in ("WaitOperation", "WaitSettled"):
            call: Any
            if waiting == "WaitOperation":
                call = stubs.WaitOperation(
                    operation_service_pb2.WaitOperationRequest(name=name), timeout=100
                )
            else:
                await linked(api, world)
                call = sync_service_pb2_grpc.SyncServiceStub(channel).WaitSettled(
                    sync_service_pb2.WaitSettledRequest(merchant=world.name), timeout=100
                )
            async with asyncio.timeout(60):
                while not any(waiting in task.get_name() for task in asyncio.all_tasks()):  # noqa: ASYNC110 - seen from outside, a call has no event for it
                    await asyncio.sleep(0.02)
        else:
            call = stubs.WatchOperation(operation_service_pb2.WatchOperationRequest(name=name))
            if waiting == "Health.Watch":
                call = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            received.append(await call.read())

        async with asyncio.timeout(60):
            await server.stop()

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _to_its_end(call, received)
    assert refused(caught.value).reason == "SERVER_DRAINING"
    assert "RetryInfo" in refused(caught.value).details
    if waiting == "Health.Watch":
        assert [answer.status for answer in received] == [
            SERVING,
            health_pb2.HealthCheckResponse.NOT_SERVING,
        ]


@pytest.mark.anyio
async def test_streams_do_not_delay_a_stopping_server(sqlite_url: str) -> None:
    config = Config(
        listen="127.0.0.1:0", database=sqlite_url, secret_keys=(KEY,), run_shops=False, grace=200.0
    )
    engine = Engine(config.engine(), registry=toy_registry(Answers()))
    server = lifecycle.Server(engine, config)
    async with grpc.aio.insecure_channel(await server.start()) as channel:
        api = Api(engine, channel, Answers())
        world = await api.merchant()
        await world.write(furnish)
        streams = [rpc for rpc in all_rpcs() if _method(rpc).server_streaming]
        calls = {rpc: api.method(rpc)(REQUESTS[rpc](world)) for rpc in streams}
        for call in calls.values():
            await call.read()

        async with asyncio.timeout(60):
            await server.stop()

        ends = {rpc: await _end_of(call) for rpc, call in calls.items()}
    assert len(streams) > 4
    assert ends == dict.fromkeys(streams, "SERVER_DRAINING")


def _method(rpc: str) -> Any:
    service, name = rpc.split(".")
    return next(
        file.DESCRIPTOR.services_by_name[service].methods_by_name[name]
        for file in FILES
        if service in file.DESCRIPTOR.services_by_name
    )


async def _end_of(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _to_its_end(call, [])
    return refused(caught.value).reason


async def _to_its_end(call: Any, received: list[Any]) -> None:
    if isinstance(call, grpc.aio.UnaryUnaryCall):
        received.append(await call)
        return
    while (answer := await call.read()) is not grpc.aio.EOF:
        received.append(answer)


@pytest.mark.anyio
async def test_a_watched_operation_takes_a_stream_slot(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_server, "WatchLimits", lambda: WatchLimits(principal=1))
    async with served(sqlite_url) as api:
        world = await api.merchant()
        refresh = shop_service_pb2.RefreshListingsRequest(parent=world("shops/one"))
        name = (await api.call("ShopService.RefreshListings", refresh)).operation.name
        request = operation_service_pb2.WatchOperationRequest(name=name)
        first = api.method("OperationService.WatchOperation")(request)
        await first.read()

        assert (
            await api.refusal("OperationService.WatchOperation", request)
        ).reason == "TOO_MANY_STREAMS"

        first.cancel()
        async with asyncio.timeout(60):
            while (
                answer := await _reason(api.method("OperationService.WatchOperation")(request))
            ) is not None:
                assert answer == "TOO_MANY_STREAMS"


async def _reason(call: Any) -> str | None:
    """Return why a stream was refused, or None when it answers."""
    try:
        await call.read()
    except grpc.aio.AioRpcError as error:
        return refused(error).reason
    call.cancel()
    return None


@pytest.mark.anyio
async def test_a_signal_stops_the_server(sqlite_url: str) -> None:
    config = Config(
        listen="127.0.0.1:0", database=sqlite_url, secret_keys=(KEY,), run_shops=False, grace=1.0
    )
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    engine = Engine(config.engine(), registry=toy_registry(Answers()))
    serving = asyncio.create_task(lifecycle.serve(config, ready=ready.set_result, engine=engine))
    async with grpc.aio.insecure_channel(await ready) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING

    os.kill(os.getpid(), signal.SIGTERM)

    await asyncio.wait_for(serving, 60)


@pytest.mark.anyio
async def test_a_port_in_use_is_an_error_and_nothing_keeps_running(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with served(sqlite_url) as running:
        config = Config(
            listen=running.address,
            database=f"sqlite:///{tmp_path}/other.db",
            secret_keys=(KEY,),
            run_shops=False,
        )
        server = lifecycle.Server(Engine(config.engine(), registry=toy_registry(Answers())), config)
        with pytest.raises(RuntimeError):
            await server.start()


@pytest.mark.anyio
async def test_a_unix_socket(sqlite_url: str, tmp_path: Path) -> None:
    config = Config(
        listen=f"unix:{tmp_path}/zaiko.sock",
        database=sqlite_url,
        secret_keys=(KEY,),
        run_shops=False,
    )
    async with (
        lifecycle.running(
            Engine(config.engine(), registry=toy_registry(Answers())), config
        ) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        listed = await Api(None, channel, Answers()).call(  # type: ignore[arg-type] # no engine is needed
            "MerchantService.ListMerchants", merchant_service_pb2.ListMerchantsRequest()
        )
        assert not listed.merchants


def test_options_override_the_environment_which_overrides_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = {
        "ZAIKO_LISTEN": "0.0.0.0:1",
        "ZAIKO_CAPACITY": "8",
        "ZAIKO_SECRET_KEYS": f"{KEY}, {KEY}",
        "OTHER": "x",
    }

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    config = Config.read({"listen": "127.0.0.1:2", "database": None})

    assert (config.listen, config.capacity, config.grace) == ("127.0.0.1:2", 8, 20.0)
    assert config.keys() == [KEY, KEY]
    assert config.database == "sqlite:///zaiko.db"


def test_an_invalid_setting_is_named_without_its_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Config.read({"capacity": 0, "colour": SECRET})
    assert "capacity" in str(caught.value)
    assert "colour" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_keys_are_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZAIKO_SECRET_KEYS", KEY)
    config = Config()
    assert KEY not in repr(config)
    assert KEY not in repr(config.engine())


@pytest.mark.parametrize(
    ("given", "state_directory", "expected"),
    [
        ({"database": "/data/a.db"}, "", "/data/a.seen"),
        ({"database": "postgresql://db/zaiko"}, "", None),
        (
            {"database": "postgresql://db/zaiko"},
            "/var/lib/zaiko:/var/lib/more",
            "/var/lib/zaiko/zaiko.seen",
        ),
        ({"database": "/data/a.db"}, "/var/lib/zaiko", "/var/lib/zaiko/zaiko.seen"),
        ({"database": "/data/a.db", "state_dir": "/state"}, "/var/lib/zaiko", "/state/zaiko.seen"),
        ({"database": "postgresql://db/zaiko", "state_dir": "."}, "", "zaiko.seen"),
        ({"witness_file": "/own", "state_dir": "/state"}, "/var/lib/zaiko", "/own"),
        ({"database": "/data/a.db", "secret_keys": KEY}, "", "/data/a.seen"),
    ],
)
def test_the_record_of_a_database_is_in_the_state_folder_and_never_beside_the_key(
    given: dict[str, Any],
    state_directory: str,
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", state_directory)

    config = Config.read({"secret_key_file": "/etc/zaiko/zaiko.key"} | given)

    assert config.high_water_mark_file() == (None if expected is None else Path(expected))


def test_a_key_is_created_once_and_for_this_user_only(tmp_path: Path) -> None:
    config = Config(secret_key_file=tmp_path / "zaiko.key")

    first, second = config.keys(), config.keys()

    assert first == second
    assert stat.S_IMODE((tmp_path / "zaiko.key").stat().st_mode) == 0o600
