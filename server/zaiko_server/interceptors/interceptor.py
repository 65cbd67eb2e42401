"""One helper that puts a coroutine around a handler of any of the four kinds of calls."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import cache, cached_property
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor

from zaiko_server import names

Context = Any
"""grpc.aio.ServicerContext; its type arguments say nothing to an interceptor."""

Proceed = Callable[[], Awaitable[Any]]
"""The rest of a call, to be awaited once: to its reply, or, where the server streams, until its
last message is sent."""

Intercept = Callable[["Call", Proceed], Awaitable[Any]]


class Call:
    """One call. `request` is None when the client streams; `streams`: whether the server does."""

    def __init__(self, method: str, request: Any, context: Context, *, streams: bool) -> None:
        self.method, self.request, self.context, self.streams = method, request, context, streams
        self.checks: list[Callable[[Any], None]] = []
        """For a client that streams: each is called with every message before the handler gets it,
        and ends the stream by raising."""

    @property
    def name(self) -> str:
        """The method without its service."""
        return self.method.rpartition("/")[2]

    @cached_property
    def headers(self) -> dict[str, str | bytes]:
        """What the client sent beside its messages; of a key that comes twice, the first."""
        return dict(reversed(tuple(self.context.invocation_metadata() or ())))

    @cached_property
    def merchant(self) -> str:
        """The merchant that a request is about, from the first of its fields that names one; else
        empty. Nothing is checked yet."""
        # A client that streams has none, and of what could not be read nothing is known.
        kind = getattr(self.request, "DESCRIPTOR", None)
        for field in () if kind is None else _naming(kind):
            value = getattr(self.request, field)
            name = value if isinstance(value, str) else getattr(value, "name", "")
            if merchant := names.merchant_of(name):
                return merchant[:64]
        return ""


@cache
def _naming(kind: Descriptor) -> tuple[str, ...]:
    """Those fields of a kind of request that may name a merchant."""
    return tuple(
        field
        for field in ("parent", "name", "product", "shop", "link", "merchant")
        if field in kind.fields_by_name
    )


class Interceptor:
    """Surrounds the handlers of a server (surrounded.py): what a handler raises is raised inside of
    it."""

    async def intercept(self, call: Call, proceed: Proceed) -> Any:
        """Called once for each call. Awaits `proceed()` once and returns what it returns, or
        raises, before or after."""
        return await proceed()

    def prepare(self, handler: Any, method: str) -> Any:
        """What is wrapped instead of a handler; None, for a method that nobody has, lets gRPC
        answer."""
        return handler


def wrap(handler: Any, method: str, intercept: Intercept) -> Any:
    """`handler` with `around` around it, of the same kind and with the same serialisers."""
    if handler.request_streaming and handler.response_streaming:
        make, inner = grpc.stream_stream_rpc_method_handler, handler.stream_stream
    elif handler.request_streaming:
        make, inner = grpc.stream_unary_rpc_method_handler, handler.stream_unary
    elif handler.response_streaming:
        make, inner = grpc.unary_stream_rpc_method_handler, handler.unary_stream
    else:
        make, inner = grpc.unary_unary_rpc_method_handler, handler.unary_unary
    many, streams = handler.request_streaming, handler.response_streaming

    async def behave(request: Any, context: Context) -> Any:
        call = Call(method, None if many else request, context, streams=streams)

        async def proceed() -> Any:
            result = inner(
                _checked(call.checks, request) if many and call.checks else request, context
            )
            # Servicers of other packages may be plain functions; one that streams may write instead
            # of yielding.
            if inspect.isawaitable(result):
                return await result
            if not streams:
                return result
            async with aclosing(result) as messages:
                async for message in messages:
                    await context.write(message)
            return None

        return await intercept(call, proceed)

    return make(
        behave,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


async def _checked(
    checks: list[Callable[[Any], None]], requests: AsyncIterator[Any]
) -> AsyncIterator[Any]:
    async for request in requests:
        for check in checks:
            check(request)
        yield request
