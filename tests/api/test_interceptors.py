"""Interceptors wrap all four kinds of calls: a servicer of this file has one of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import structlog
from api.bench import refused
from google.protobuf import wrappers_pb2
from structlog.testing import capture_logs
from zaiko_core.domain.errors import CodeTaken, StorageUnavailable
from zaiko_core.metrics import Metrics
from zaiko_server.interceptors import serialize_once
from zaiko_server.interceptors.access_log import AccessLog
from zaiko_server.interceptors.chain import InterceptorChain
from zaiko_server.interceptors.deadline import Deadline
from zaiko_server.interceptors.errors import Errors
from zaiko_server.interceptors.intercepted_handlers import InterceptedHandlers
from zaiko_server.interceptors.interceptor import Call, Interceptor, Proceed

pytestmark = pytest.mark.anyio

Text = wrappers_pb2.StringValue
KINDS = ["UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"]


class Four:
    """Does what the request says, in four kinds: `ok`, `refuse`, `busy`, `fail`, `abort`,
    `wait`."""

    async def behave(self, word: str, context: Any) -> Any:
        if word == "refuse":
            raise CodeTaken("A-1")
        if word == "busy":
            raise StorageUnavailable("the database does not answer; try again")
        if word == "fail":
            token = "hunter" + "2"  # a variable that a traceback must not show
            raise ZeroDivisionError(f"{len(token)} secrets")
        if word == "abort":
            await context.abort(grpc.StatusCode.DATA_LOSS, "its own way")
        if word == "wait":
            await asyncio.sleep(30)
        return Text(value=word)

    async def unary_unary(self, request: Any, context: Any) -> Any:
        return await self.behave(request.value, context)

    async def unary_stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield Text(value="first")
        yield await self.behave(request.value, context)

    async def stream_unary(self, requests: Any, context: Any) -> Any:
        words = [request.value async for request in requests]
        return await self.behave(words[-1], context)

    async def stream_stream(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield await self.behave(request.value, context)

    async def writing(self, request: Any, context: Any) -> None:
        """Write to a stream instead of yielding, as the official health service does."""
        await context.write(Text(value="written"))
        await self.behave(request.value, context)

    def handlers(self) -> grpc.GenericRpcHandler:
        coding = {
            "request_deserializer": Text.FromString,
            "response_serializer": Text.SerializeToString,
        }
        return grpc.method_handlers_generic_handler(
            "test.Four",
            {
                "UnaryUnary": grpc.unary_unary_rpc_method_handler(self.unary_unary, **coding),
                "UnaryStream": grpc.unary_stream_rpc_method_handler(self.unary_stream, **coding),
                "StreamUnary": grpc.stream_unary_rpc_method_handler(self.stream_unary, **coding),
                "StreamStream": grpc.stream_stream_rpc_method_handler(self.stream_stream, **coding),
                "Writing": grpc.unary_stream_rpc_method_handler(self.writing, **coding),
            },
        )


class Seen(Interceptor):
    """Remembers the calls that it wrapped."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, bool]] = []
        self.ended = 0

    async def intercept(self, call: Call, proceed: Proceed) -> Any:
        self.calls.append((call.name, call.request and call.request.value, call.streams))
        try:
            return await proceed()
        finally:
            self.ended += 1


@asynccontextmanager
async def serving(*interceptors: Interceptor) -> AsyncIterator[Callable[[str, str], Any]]:
    """Serve Four, and yield a function that calls a kind with a word and returns every message."""
    methods = InterceptedHandlers(*interceptors)
    methods.add_generic_rpc_handlers((Four().handlers(),))
    server = grpc.aio.server(handlers=[methods])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:

        async def call(kind: str, word: str, **options: Any) -> list[str]:
            coding = {
                "request_serializer": Text.SerializeToString,
                "response_deserializer": Text.FromString,
            }
            path = f"/test.Four/{kind}"
            message: Any = Text(value=word)
            if kind == "UnaryUnary":
                return [(await channel.unary_unary(path, **coding)(message, **options)).value]
            if kind == "StreamUnary":
                return [
                    (await channel.stream_unary(path, **coding)(iter([message]), **options)).value
                ]
            if kind in ("UnaryStream", "Writing"):
                return [
                    item.value
                    async for item in channel.unary_stream(path, **coding)(message, **options)
                ]
            return [
                item.value
                async for item in channel.stream_stream(path, **coding)(iter([message]), **options)
            ]

        yield call
    await server.stop(None)


async def ended(*seen: Seen) -> None:
    """Wait until each has seen its one call end, which is after the client has the answer."""
    for _ in range(6000):
        if all(one.ended == 1 for one in seen):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"calls ended: {[one.ended for one in seen]}")


async def calls_in(
    logs: Sequence[MutableMapping[str, Any]], count: int
) -> list[MutableMapping[str, Any]]:
    """Return the log lines of calls once there are `count`: a line is written after the client has
    the answer."""
    for _ in range(6000):
        lines = [line for line in logs if line["event"] == "call"]
        if len(lines) >= count:
            return lines
        await asyncio.sleep(0.01)
    raise AssertionError(f"{len(lines)} of {count} calls were logged")


@pytest.mark.parametrize("kind", [*KINDS, "Writing"])
async def test_an_interceptor_wraps_the_whole_call(kind: str) -> None:
    seen = Seen()
    async with serving(seen) as call:
        answers = await call(kind, "ok")
        await ended(seen)

    assert answers == {"UnaryStream": ["first", "ok"], "Writing": ["written"]}.get(kind, ["ok"])
    request = None if kind.startswith("Stream") else "ok"
    assert seen.calls == [(kind, request, kind.endswith("Stream") or kind == "Writing")]


@pytest.mark.parametrize("kind", [*KINDS, "Writing"])
async def test_a_refusal_ends_every_kind_of_call_with_its_details(kind: str) -> None:
    async with serving(Errors(lambda: "id")) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(kind, "refuse")

    error = refused(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "CODE_TAKEN")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_bug_shows_only_its_incident_and_is_logged_with_its_traceback(kind: str) -> None:
    with capture_logs() as logs:
        async with serving(Errors(lambda: "incident-7")) as call:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(kind, "fail")

    error = refused(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert error.metadata == {"owner": "SYSTEM", "incident": "incident-7"}
    assert "secret" not in error.message
    (line,) = [line for line in logs if line["event"] == "incident"]
    assert line["incident"] == "incident-7"
    assert "ZeroDivisionError" in line["exception"]


async def test_a_logged_traceback_shows_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(Errors(lambda: "incident-8")) as call:
        with pytest.raises(grpc.aio.AioRpcError):
            await call("UnaryUnary", "fail")

    logged = "".join(capsys.readouterr())
    assert "incident-8" in logged
    assert "ZeroDivisionError" in logged
    assert "hunter2" not in logged


@pytest.mark.parametrize("kind", KINDS)
async def test_a_handler_may_end_the_call_itself(kind: str) -> None:
    async with serving(Errors(lambda: "id")) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(kind, "abort")
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.DATA_LOSS,
        "its own way",
    )


async def test_a_method_that_does_not_exist_is_refused_with_a_reason() -> None:
    async with serving(AccessLog(lambda: "id"), Errors(lambda: "id")) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call("UnaryUnary2", "ok")

    error = refused(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED")
    assert error.metadata["method"] == "/test.Four/UnaryUnary2"


async def test_methods_that_do_not_exist_are_counted_as_one() -> None:
    metrics = Metrics()
    async with serving(AccessLog(lambda: "id", metrics), Errors(lambda: "id")) as call:
        await call("UnaryUnary", "ok")
        for number in range(5):
            with pytest.raises(grpc.aio.AioRpcError):
                await call(f"UnaryUnary{number}", "ok")
        counted: dict[str, float] = {}
        for _ in range(6000):
            samples = [sample for family in metrics.registry.collect() for sample in family.samples]
            counted = {
                sample.labels["method"]: sample.value
                for sample in samples
                if sample.name == "zaiko_rpcs_total"
            }
            if sum(counted.values()) == 6:
                break
            await asyncio.sleep(0.01)

    assert counted == {"/test.Four/UnaryUnary": 1, "unknown": 5}
    timed = {
        sample.labels["method"] for sample in samples if sample.name == "zaiko_rpc_seconds_count"
    }
    assert timed == {"/test.Four/UnaryUnary"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_caller_that_prefers_japanese_gets_the_advice_in_japanese(kind: str) -> None:
    async with serving(Errors(lambda: "id")) as call:
        received = []
        for metadata in ((), (("accept-language", "ja"),)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(kind, "refuse", metadata=metadata)
            received.append(refused(caught.value))

    english, japanese = received
    assert "LocalizedMessage" not in english.details
    assert japanese.message == english.message
    assert japanese.details["LocalizedMessage"].locale == "ja"
    assert "別のコード" in japanese.details["LocalizedMessage"].message


@pytest.mark.parametrize("kind", KINDS)
async def test_every_call_is_logged_once_with_its_id_and_outcome(kind: str) -> None:
    with capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        async with serving(AccessLog(lambda: "call-1"), Errors(lambda: "id")) as call:
            await call(kind, "ok", metadata=(("zaiko-client", "pytest/1"),))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(kind, "refuse")
            lines = await calls_in(logs, 2)

    assert dict(caught.value.trailing_metadata())["zaiko-request"] == "call-1"
    assert [(line["method"], line["code"], line["client"]) for line in lines] == [
        (f"/test.Four/{kind}", "OK", "pytest/1"),
        (f"/test.Four/{kind}", "ALREADY_EXISTS", ""),
    ]


async def test_a_call_that_the_client_cancels_is_logged_as_cancelled() -> None:
    with capture_logs() as logs:
        seen = Seen()
        async with serving(AccessLog(lambda: "id"), Errors(lambda: "id"), seen) as call:
            waiting = asyncio.create_task(call("UnaryUnary", "wait"))
            async with asyncio.timeout(60):
                while not seen.calls:  # noqa: ASYNC110 - a call that never arrives is not logged
                    await asyncio.sleep(0.01)
            waiting.cancel()
            lines = await calls_in(logs, 1)

    assert [line["code"] for line in lines] == ["CANCELLED"]


async def test_the_servers_own_limit_ends_a_call_with_its_reason() -> None:
    async with serving(Errors(lambda: "id"), Deadline(unary=0.05)) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call("UnaryUnary", "wait")

    error = refused(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert error.metadata["limit"] == "0.05"


async def test_streams_last_as_long_as_their_client_wants() -> None:
    async with serving(Errors(lambda: "id"), Deadline(unary=0.01, batch=0.01)) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call("UnaryStream", "wait", timeout=0.1)
    assert "zaiko-request" not in dict(caught.value.trailing_metadata())
    assert caught.value.details() != "limit"


async def test_clients_that_retry_automatically_get_the_time_to_wait() -> None:
    async with serving(Errors(lambda: "id")) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call("UnaryUnary", "busy")
    assert dict(caught.value.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"


@pytest.mark.parametrize("kind", [*KINDS, "Writing"])
@pytest.mark.parametrize("word", ["ok", "refuse", "abort"])
async def test_a_chain_does_the_same_as_its_interceptors_one_by_one(kind: str, word: str) -> None:
    async def outcome(*interceptors: Interceptor) -> Any:
        async with serving(*interceptors) as call:
            try:
                return await call(kind, word)
            except grpc.aio.AioRpcError as error:
                return error.code(), error.details()

    one, other, both = Seen(), Seen(), (Seen(), Seen())
    apart = await outcome(one, Errors(lambda: "id"), other)
    assert await outcome(InterceptorChain(both[0], Errors(lambda: "id"), both[1])) == apart
    await ended(one, other, *both)
    assert [seen.calls for seen in both] == [one.calls, other.calls]


async def test_a_chain_with_errors_refuses_a_method_that_does_not_exist() -> None:
    async with serving(InterceptorChain(Errors(lambda: "id"))) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call("../Nothing", "ok")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_each_method_is_wrapped_once_and_methods_that_do_not_exist_are_not_kept() -> None:
    class Counting(Interceptor):
        prepared = 0

        def prepare(self, handler: Any, method: str) -> Any:
            self.prepared += 1
            return Errors(lambda: "id").prepare(handler, method)

    counting = Counting()
    methods = InterceptedHandlers(counting)
    methods.add_generic_rpc_handlers((Four().handlers(),))

    def asked(name: str) -> Any:
        return methods.service(SimpleNamespace(method=f"/test.Four/{name}"))

    assert asked("UnaryUnary") is asked("UnaryUnary")
    assert counting.prepared == 1
    assert asked("Nothing") is not asked("Nothing")


def test_a_message_that_many_streams_send_is_serialized_once() -> None:
    made: list[Any] = []

    def serialize(message: Any) -> bytes:
        made.append(message)
        return message.SerializeToString()  # type: ignore[no-any-return]

    serialized, shared = serialize_once.memoized(serialize), Text(value="shared")
    assert [serialized(shared) for _ in range(5)] == [shared.SerializeToString()] * 5
    assert made == [shared]
    # Equal is not the same: its sender may change it yet.
    assert serialized(Text(value="shared")) == shared.SerializeToString()
    assert len(made) == 2


def test_few_serialized_messages_are_kept_and_no_large_one() -> None:
    made: list[Any] = []

    def serialize(message: Any) -> bytes:
        made.append(message)
        return message.SerializeToString()  # type: ignore[no-any-return]

    serialized = serialize_once.memoized(serialize)
    first, large = Text(value="first"), Text(value="x" * (65 << 10))
    for message in (large, large, first, *(Text(value=str(number)) for number in range(16)), first):
        serialized(message)
    assert made.count(large) == 2
    assert made.count(first) == 2


async def test_only_watches_of_this_server_serialize_once() -> None:
    handler = grpc.unary_stream_rpc_method_handler(
        Four().unary_stream, response_serializer=Text.SerializeToString
    )
    prepare = serialize_once.SerializeOnce().prepare
    assert (
        prepare(handler, "/zaiko.v1.SyncService/WatchSync").response_serializer
        is not handler.response_serializer
    )
    assert prepare(handler, "/grpc.health.v1.Health/Watch") is handler
    assert prepare(handler, "/zaiko.v1.StockService/StreamMovements") is handler
    assert prepare(None, "/zaiko.v1.SyncService/WatchNothing") is None
