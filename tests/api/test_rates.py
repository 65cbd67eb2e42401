"""Rates of calls: each caller has its own limit, and so have the guesses of a host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from api.bench import Api, Refused, World, refused, served
from api.test_authentication import GET, bearing, reading, token_of
from zaiko.v1 import (
    sync_service_pb2,
    sync_service_pb2_grpc,
)
from zaiko_core.app import tokens
from zaiko_core.app.records import TokenRecord
from zaiko_core.domain.access import Principal, Role
from zaiko_core.domain.errors import ServiceError, TokenInvalid
from zaiko_server.security.authority import FRESH, TokenAuthority

pytestmark = pytest.mark.anyio


async def test_a_caller_that_calls_too_often_gets_the_time_to_wait(module_store: str) -> None:
    async with served(module_store, auth="tokens", rate=5.0) as api:
        world = await api.merchant()
        eager, calm = [bearing(await token_of(api, Role.READER, (world.id,))) for _ in range(2)]
        answers = [await _outcome(api, world, eager) for _ in range(30)]
        limited = [answer for answer in answers if isinstance(answer, Refused)]

        assert answers[0] is None
        assert {(answer.code, answer.reason) for answer in limited} == {
            (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        }
        assert limited[0].details["RetryInfo"].retry_delay.ToMilliseconds() > 0
        assert limited[0].details["QuotaFailure"].violations
        # Another caller does not notice.
        assert await _outcome(api, world, calm) is None


async def test_a_watch_that_is_created_on_a_session_counts_as_a_call(module_store: str) -> None:
    async with served(module_store, auth="tokens", rate=1.0) as api:
        world = await api.merchant()
        token = await token_of(api, Role.READER, (world.id,))
        session = sync_service_pb2_grpc.SyncServiceStub(api.channel).WatchSyncSession(
            metadata=bearing(token), timeout=30
        )
        watch = sync_service_pb2.WatchSyncRequest(parent=world.name)

        async def churn() -> None:
            for watch_id in range(1, 31):
                await session.write(
                    sync_service_pb2.WatchSyncSessionRequest(watch_id=watch_id, create=watch)
                )
                # Answered before the next is written: grpc.aio makes INTERNAL of what it writes
                # when the call's end arrives.
                while (await session.read()).watch_id != watch_id:
                    pass
                await session.write(
                    sync_service_pb2.WatchSyncSessionRequest(watch_id=watch_id, cancel={})
                )

        with pytest.raises(grpc.aio.AioRpcError) as error:
            await churn()

    assert refused(error.value).reason == "RATE_LIMITED"


async def _outcome(api: Api, world: World, metadata: Any) -> Refused | None:
    try:
        await api.call(GET, reading(world), metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return refused(error)
    return None


async def test_a_host_that_guesses_tokens_is_limited_and_known_callers_behind_it_are_not(
    module_store: str,
) -> None:
    async with served(module_store, auth="tokens") as api:
        world = await api.merchant()
        known = bearing(await token_of(api, Role.READER, (world.id,)))
        await api.call(GET, reading(world), metadata=known)
        guesses = [bearing(f"zk_guess{number}_" + "a" * 43) for number in range(60)]
        reasons = [
            (await api.refusal(GET, reading(world), metadata=guess)).reason for guess in guesses
        ]
        await api.call(GET, reading(world), metadata=known)

    assert reasons[:20] == ["TOKEN_INVALID"] * 20
    assert "RATE_LIMITED" in reasons


class Kept:
    """A store with one token, and a call with it."""

    def __init__(self) -> None:
        self.record = TokenRecord("known", "READER", ("acme",), "Known")
        self.reads = 0

    async def read(self, query: Any) -> Any:
        return query(self)

    async def write(self, command: Any) -> None:
        """Forget when it was used."""

    def get(self, token: str) -> TokenRecord | None:
        self.reads += 1
        return self.record if token == "known" else None


@dataclass
class From:
    """A call from the host that all callers behind a proxy share."""

    token: str

    def peer(self) -> str:
        return "ipv4:10.0.0.1:4711"

    def invocation_metadata(self) -> Any:
        return bearing(f"zk_{self.token}_{'a' * 43}")


async def test_a_known_caller_is_not_limited_by_guesses_of_its_host_when_its_token_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokens, "principal_of", lambda record, secret, now: _known(record))
    store, clock = Kept(), [1000.0]
    authority = TokenAuthority(store, now=lambda: 1, clock=lambda: clock[0])
    assert (await authority.principal(From("known"))).id == "known"
    clock[0] += FRESH + 1

    reasons = []
    for number in range(40):
        with pytest.raises(ServiceError) as caught:
            await authority.principal(From(f"guess{number}"))
        reasons.append(caught.value.reason)

    assert (await authority.principal(From("known"))).id == "known"
    assert reasons == ["TOKEN_INVALID"] * 20 + ["RATE_LIMITED"] * 20
    assert "unknown tokens" in caught.value.message
    assert store.reads == 1 + 20 + 1


def _known(record: TokenRecord | None) -> Principal:
    if record is None:
        raise TokenInvalid
    return Principal(record.token, Role.READER, frozenset({"acme"}))
