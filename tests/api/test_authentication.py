"""Who may call: tokens and roles. What data they reach is in test_isolation.py."""

from __future__ import annotations

import contextlib
import inspect
import uuid
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from api.bench import Api, World, refused, served
from api.requests import REQUESTS, all_rpcs, furnish, has
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from sqlalchemy import text
from structlog.testing import capture_logs
from zaiko.v1 import (
    merchant_service_pb2,
    stock_service_pb2,
    sync_service_pb2,
    token_pb2,
    token_service_pb2,
)
from zaiko_core.app import tokens
from zaiko_core.app.records import TokenRecord
from zaiko_core.domain.access import LOCAL, PERMISSIONS, Permission, Principal, Role
from zaiko_server import app
from zaiko_server.app import build
from zaiko_server.security import permissions
from zaiko_server.security.authority import FRESH, Everybody

pytestmark = pytest.mark.anyio

GET = "MerchantService.GetMerchant"
MANY = 1_000_000.0


@pytest.fixture(scope="module")
async def guarded(module_store: str, anyio_backend: str) -> AsyncIterator[Api]:
    """Run a server that requires tokens. Streams check theirs ten times a second."""
    async with served(module_store, auth="tokens", recheck=0.1, rate=MANY) as api:
        yield api


@pytest.fixture(scope="module")
async def ours(guarded: Api) -> World:
    """Create a merchant that tests do not change, except for tokens."""
    return await guarded.merchant()


@pytest.fixture(scope="module")
async def worn(guarded: Api) -> World:
    """Create a merchant that tests may change."""
    world = await guarded.merchant()
    await world.write(furnish)
    return world


async def token_of(
    api: Api,
    role: Role,
    merchants: tuple[str, ...] | None,
    *,
    certificate: str = "",
    expires_at: int | None = None,
) -> str:
    """Create a token and return its text."""
    record = TokenRecord(f"t{uuid.uuid4().hex[:11]}", role, merchants, "Test", certificate, None)
    secret = uuid.uuid4().hex + "x" * 11
    await api.engine.db.tokens.write(lambda rows: tokens.create(rows, record, secret, by=LOCAL))
    if expires_at is not None:
        with api.engine.db.engine.begin() as connection:
            connection.execute(
                text("UPDATE tokens SET expires_at = :at WHERE token = :id"),
                {"at": expires_at, "id": record.token},
            )
    return tokens.text_of(record.token, secret)


def bearing(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def reading(world: World) -> Any:
    return merchant_service_pb2.GetMerchantRequest(name=world.name)


def test_every_method_that_is_served_has_a_rule_and_every_rule_a_method() -> None:
    ours = {f"/zaiko.v1.{rpc.replace('.', '/')}" for rpc in all_rpcs()}
    others = {
        f"/{service.full_name}/{method.name}"
        for file in (health_pb2, reflection_pb2, channelz_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }

    assert set(permissions.RULES) == ours | others


def test_only_health_is_open() -> None:
    assert {method for method, rule in permissions.RULES.items() if rule is permissions.OPEN} == {
        f"/grpc.health.v1.Health/{name}" for name in ("Check", "List", "Watch")
    }


def test_each_role_holds_all_of_the_one_before_it_and_more() -> None:
    for smaller, larger in (
        (Role.READER, Role.OPERATOR),
        (Role.OPERATOR, Role.INTEGRATOR),
        (Role.INTEGRATOR, Role.ADMIN),
    ):
        assert PERMISSIONS[smaller] < PERMISSIONS[larger]
    assert PERMISSIONS[Role.ADMIN] == frozenset(Permission)


def test_a_reader_can_call_nothing_that_takes_a_request_id() -> None:
    mutations = {rpc for rpc in all_rpcs() if has(rpc, "request_id")}

    assert not {
        rpc
        for rpc in mutations
        if permissions.RULES[f"/zaiko.v1.{rpc.replace('.', '/')}"] in PERMISSIONS[Role.READER]
    }


@pytest.mark.parametrize("rpc", all_rpcs())
async def test_no_method_answers_without_a_token(rpc: str, guarded: Api, ours: World) -> None:
    assert (await guarded.refusal(rpc, REQUESTS[rpc](ours))).reason == "TOKEN_MISSING"


@pytest.mark.parametrize(
    "rpc", [rpc for rpc in all_rpcs() if rpc != "MerchantService.CreateMerchant"]
)
async def test_an_admin_of_a_merchant_can_call_every_method_about_it(
    rpc: str, guarded: Api, worn: World
) -> None:
    metadata = bearing(await token_of(guarded, Role.ADMIN, (worn.id,)))
    method, request = guarded.method(rpc), REQUESTS[rpc](worn)

    call = method(request, timeout=60, metadata=metadata)
    with contextlib.suppress(grpc.aio.AioRpcError):
        await (call if isinstance(call, grpc.aio.UnaryUnaryCall) else anext(aiter(call)))
    # A stream would go on.
    call.cancel()

    assert await call.code() not in (
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("Bearer zk_nobody_" + "a" * 43, "TOKEN_INVALID"),
        ("Bearer nonsense", "TOKEN_INVALID"),
        ("Bearer ", "TOKEN_INVALID"),
        ("Basic dXNlcjpwYXNz", "TOKEN_INVALID"),
        ("", "TOKEN_INVALID"),
    ],
)
async def test_a_text_that_is_no_token_of_this_server_is_invalid(
    given: str, reason: str, guarded: Api, ours: World
) -> None:
    answer = await guarded.refusal(GET, reading(ours), metadata=(("authorization", given),))

    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason)
    assert answer.metadata["owner"] == "SYSTEM"


async def test_another_secret_of_a_real_token_is_invalid(guarded: Api, ours: World) -> None:
    token = await token_of(guarded, Role.ADMIN, None)
    other = token[:-1] + ("y" if token[-1] == "x" else "x")

    assert (
        await guarded.refusal(GET, reading(ours), metadata=bearing(other))
    ).reason == "TOKEN_INVALID"
    await guarded.call(GET, reading(ours), metadata=bearing(token))


async def test_two_tokens_in_one_call_are_refused(guarded: Api, ours: World) -> None:
    token = bearing(await token_of(guarded, Role.ADMIN, None))

    assert (await guarded.refusal(GET, reading(ours), metadata=token * 2)).reason == "TOKEN_INVALID"


async def test_a_token_ends_when_it_expires_and_only_its_owner_learns_of_it(
    guarded: Api, ours: World
) -> None:
    token = await token_of(guarded, Role.ADMIN, None, expires_at=1)

    assert (
        await guarded.refusal(GET, reading(ours), metadata=bearing(token))
    ).reason == "TOKEN_EXPIRED"
    assert (
        await guarded.refusal(GET, reading(ours), metadata=bearing(token[:-1] + "-"))
    ).reason == "TOKEN_INVALID"


async def test_a_revoked_token_is_refused_at_once(guarded: Api, ours: World) -> None:
    token, admin = (
        await token_of(guarded, Role.READER, (ours.id,)),
        bearing(await token_of(guarded, Role.ADMIN, None)),
    )
    await guarded.call(GET, reading(ours), metadata=bearing(token))

    revoke = token_service_pb2.RevokeTokenRequest(name=f"tokens/{token.split('_')[1]}")
    await guarded.call("TokenService.RevokeToken", revoke, metadata=admin)

    assert (
        await guarded.refusal(GET, reading(ours), metadata=bearing(token))
    ).reason == "TOKEN_INVALID"


@pytest.mark.parametrize("rpc", ["SyncService.WatchSync", "StockService.WatchStocks"])
async def test_a_watch_ends_when_its_token_does(rpc: str, guarded: Api, ours: World) -> None:
    token, admin = (
        await token_of(guarded, Role.READER, (ours.id,)),
        bearing(await token_of(guarded, Role.ADMIN, None)),
    )
    watch = guarded.method(rpc)(REQUESTS[rpc](ours), metadata=bearing(token), timeout=20)
    messages = aiter(watch)
    await anext(messages)

    revoke = token_service_pb2.RevokeTokenRequest(name=f"tokens/{token.split('_')[1]}")
    await guarded.call("TokenService.RevokeToken", revoke, metadata=admin)

    with pytest.raises(grpc.aio.AioRpcError) as ended:
        async for _ in messages:
            pass
    assert refused(ended.value).reason == "TOKEN_INVALID"


async def test_a_watch_goes_on_as_long_as_its_token_does(guarded: Api, ours: World) -> None:
    token = bearing(await token_of(guarded, Role.READER, (ours.id,)))
    request = sync_service_pb2.WatchSyncRequest(parent=ours.name)
    request.start.bookmark_interval.FromSeconds(1)
    marks = 0
    async for message in guarded.method("SyncService.WatchSync")(
        request, metadata=token, timeout=20
    ):
        marks += message.HasField("bookmark")
        if marks == 2:
            return


async def test_a_token_is_stored_as_a_hash_and_shown_once(guarded: Api, ours: World) -> None:
    admin = bearing(await token_of(guarded, Role.ADMIN, (ours.id,)))
    made = await guarded.call(
        "TokenService.CreateToken",
        token_service_pb2.CreateTokenRequest(
            token=token_pb2.Token(display_name="New", role="ROLE_READER", merchants=[ours.name])
        ),
        metadata=admin,
    )
    await guarded.call(GET, reading(ours), metadata=bearing(made.secret))

    with guarded.engine.db.engine.connect() as connection:
        rows = [
            row
            for table in ("tokens", "requests")
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        ]
    secret = made.secret.split("_", 2)[2]
    assert secret not in repr(rows)
    assert secret.encode() not in b"".join(
        bytes(value) for row in rows for value in row if isinstance(value, (bytes, memoryview))
    )
    listed = await guarded.call(
        "TokenService.ListTokens", token_service_pb2.ListTokensRequest(), metadata=admin
    )
    assert secret not in str(listed)
    found = next(token for token in listed.tokens if token.name == made.token.name)
    assert found.HasField("last_use_time")
    assert found.creator.startswith("tokens/t")


@pytest.mark.parametrize("role", [Role.READER, Role.OPERATOR, Role.INTEGRATOR])
async def test_only_admins_create_tokens(role: Role, guarded: Api, ours: World) -> None:
    metadata = bearing(await token_of(guarded, role, (ours.id,)))
    for rpc in ("CreateToken", "ListTokens", "GetToken", "RevokeToken"):
        answer = await guarded.refusal(
            f"TokenService.{rpc}", REQUESTS[f"TokenService.{rpc}"](ours), metadata=metadata
        )
        assert (answer.code, answer.reason) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "PERMISSION_MISSING",
        )


async def test_an_admin_of_one_merchant_cannot_give_more_than_it_has(
    guarded: Api, ours: World
) -> None:
    metadata = bearing(await token_of(guarded, Role.ADMIN, (ours.id,)))
    other = await guarded.merchant()
    for wanted in (
        token_pb2.Token(display_name="N", role="ROLE_READER", all_merchants=True),
        token_pb2.Token(display_name="N", role="ROLE_READER", merchants=[ours.name, other.name]),
        token_pb2.Token(
            display_name="N", role="ROLE_READER", merchants=[ours.name], certificate="spiffe://x/y"
        ),
    ):
        request = token_service_pb2.CreateTokenRequest(token=wanted)
        assert (
            await guarded.refusal("TokenService.CreateToken", request, metadata=metadata)
        ).reason == "PERMISSION_MISSING"


async def test_the_missing_permission_is_named(guarded: Api, ours: World) -> None:
    metadata = bearing(await token_of(guarded, Role.READER, (ours.id,)))
    request = stock_service_pb2.SetReserveRequest(product=ours("products/apple"), reserve=1)

    answer = await guarded.refusal("StockService.SetReserve", request, metadata=metadata)

    assert (answer.code, answer.metadata["permission"]) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "stock.reserve",
    )
    assert answer.metadata["owner"] == "SYSTEM"


async def test_permission_is_checked_before_the_request_is(guarded: Api, ours: World) -> None:
    metadata = bearing(await token_of(guarded, Role.READER, (ours.id,)))
    wrong = stock_service_pb2.SetReserveRequest(product="x", reserve=-1)

    assert (
        await guarded.refusal("StockService.SetReserve", wrong, metadata=metadata)
    ).reason == "PERMISSION_MISSING"


async def test_health_needs_no_token_and_channelz_needs_an_admin_of_all(
    guarded: Api, ours: World
) -> None:
    health = health_pb2_grpc.HealthStub(guarded.channel)
    assert (
        await health.Check(health_pb2.HealthCheckRequest())
    ).status == health_pb2.HealthCheckResponse.SERVING

    async def list_servers(metadata: Any) -> tuple[Any, Any]:
        channelz = channelz_pb2_grpc.ChannelzStub(guarded.channel).GetServers(
            channelz_pb2.GetServersRequest(), metadata=metadata, timeout=60
        )
        listing = reflection_pb2_grpc.ServerReflectionStub(guarded.channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")]),
            metadata=metadata,
            timeout=60,
        )
        return await channelz, [answer async for answer in listing]

    servers, answers = await list_servers(bearing(await token_of(guarded, Role.ADMIN, None)))
    assert servers.server
    assert answers
    for metadata in (
        (),
        bearing(await token_of(guarded, Role.ADMIN, (ours.id,))),
        bearing(await token_of(guarded, Role.READER, None)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await list_servers(metadata)
        assert error.value.code() in (
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.PERMISSION_DENIED,
        )


async def test_a_repetition_under_a_renewed_token_gets_the_first_answer(guarded: Api) -> None:
    ours = await guarded.merchant()
    request = REQUESTS["StockService.RecordReceipt"](ours)
    request.request_id = str(uuid.uuid4())
    old, renewed, admin = [
        bearing(await token_of(guarded, role, (ours.id,)))
        for role in (Role.INTEGRATOR, Role.INTEGRATOR, Role.ADMIN)
    ]
    first = await guarded.call("StockService.RecordReceipt", request, metadata=old)

    for other in (renewed, admin):
        call = guarded.method("StockService.RecordReceipt")(request, metadata=other, timeout=60)
        assert await call == first
        assert dict(await call.trailing_metadata())["zaiko-replayed"] == "1"


async def test_a_stored_answer_is_for_callers_who_may_make_the_call(guarded: Api) -> None:
    ours, theirs = await guarded.merchant(), await guarded.merchant()
    request = REQUESTS["StockService.RecordReceipt"](ours)
    request.request_id = str(uuid.uuid4())
    maker = bearing(await token_of(guarded, Role.INTEGRATOR, (ours.id,)))
    await guarded.call("StockService.RecordReceipt", request, metadata=maker)

    for role, merchant in ((Role.READER, ours), (Role.INTEGRATOR, theirs)):
        other = bearing(await token_of(guarded, role, (merchant.id,)))
        refused = await guarded.refusal("StockService.RecordReceipt", request, metadata=other)
        assert refused.code is grpc.StatusCode.PERMISSION_DENIED


def test_streams_of_a_revoked_token_end_within_thirty_seconds_on_every_server() -> None:
    # A check of a stream's token may use one that was cached up to FRESH seconds before.
    recheck = inspect.signature(build).parameters["recheck"].default
    assert recheck + FRESH <= 30


class BrokenLater(Everybody):
    """Knows the caller once, and then fails by a bug."""

    def __init__(self) -> None:
        self.asked = 0

    def forget(self) -> None:
        """Remember nothing."""

    async def principal(self, context: Any) -> Principal:
        self.asked += 1
        if self.asked > 1:
            raise KeyError("bug")
        return Principal("someone", Role.ADMIN, None)


async def test_a_stream_whose_token_can_no_longer_be_checked_ends(
    module_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "TokenAuthority", lambda db, now: BrokenLater())
    async with served(module_store, auth="tokens", recheck=0.05) as api:
        world = await api.merchant()
        watch = api.method("SyncService.WatchSync")(
            REQUESTS["SyncService.WatchSync"](world), timeout=60
        )
        with capture_logs(), pytest.raises(grpc.aio.AioRpcError) as error:
            async for _ in watch:
                pass

    assert refused(error.value).reason == "INTERNAL"


# What a principal covers, which nothing but tables could say.


def test_no_principal_covers_more_than_it_reaches() -> None:
    everything, some = (
        Principal("a", Role.ADMIN, None),
        Principal("b", Role.ADMIN, frozenset({"m1", "m2"})),
    )
    assert everything.covers(Role.ADMIN, None)
    assert everything.covers(Role.ADMIN, frozenset({"m1"}))
    assert some.covers(Role.ADMIN, frozenset({"m1"}))
    assert not some.covers(Role.READER, None)
    assert not some.covers(Role.READER, frozenset({"m1", "m3"}))
    assert not Principal("c", Role.READER, None).covers(Role.OPERATOR, frozenset({"m1"}))
    assert not some.may(Permission.MERCHANTS_CREATE)
    assert everything.may(Permission.MERCHANTS_CREATE)
