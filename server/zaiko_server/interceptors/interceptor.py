"""The interface of an interceptor, and how it wraps a handler of any of the four kinds of calls."""

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
"""grpc.aio.ServicerContext. Its type arguments mean nothing to an interceptor."""

Proceed = Callable[[], Awaitable[Any]]
"""The rest of a call. Await it once: it returns the reply or, where the server streams, ends after
the last message is sent."""

Intercept = Callable[["Call", Proceed], Awaitable[Any]]


class Call:
    """One call. `request` is None when the client streams. `streams` says whether the server
    does."""

    def __init__(self, method: str, request: Any, context: Context, *, streams: bool) -> None:
        self.method, self.request = method, request
        self.context, self.streams = context, streams
        self.checks: list[Callable[[Any], None]] = []
        """For a client that streams: each check is called with every message before the handler
        receives it, and ends the stream by raising."""

    @property
    def name(self) -> str:
        """The method without its service."""
        return self.method.rpartition("/")[2]

    @cached_property
    def headers(self) -> dict[str, str | bytes]:
        """The call's metadata. Of a key that occurs twice, the first value."""
        return dict(reversed(tuple(self.context.invocation_metadata() or ())))

    @cached_property
    def merchant(self) -> str:
        """The merchant of the request, from the first field that names one, or empty. Not checked
        yet."""
        # None for a client that streams; an unreadable request has no descriptor.
        kind = getattr(self.request, "DESCRIPTOR", None)
        for field in () if kind is None else _naming_fields(kind):
            value = getattr(self.request, field)
            name = value if isinstance(value, str) else getattr(value, "name", "")
            if merchant := names.merchant_of(name):
                return merchant[:64]
        return ""


@cache
def _naming_fields(kind: Descriptor) -> tuple[str, ...]:
    """Return the fields of a kind of request that may name a merchant."""
    return tuple(
        field
        for field in ("parent", "name", "product", "shop", "link", "merchant")
        if field in kind.fields_by_name
    )


class Interceptor:
    """Wraps the handlers of a server (intercepted_handlers.py). An error of the handler is raised
    inside `intercept`."""

    async def intercept(self, call: Call, proceed: Proceed) -> Any:
        """Run one call: await `proceed()` once and return its result, or raise before or after it.
        Called once per call."""
        return await proceed()

    def prepare(self, handler: Any, method: str) -> Any:
        """Return the handler to wrap in place of this one. None, for a method that does not exist,
        lets gRPC answer."""
        return handler


def wrap(handler: Any, method: str, intercept: Intercept) -> Any:
    """Return a handler of the same kind, with the same serializers, that calls `intercept`."""
    if handler.request_streaming and handler.response_streaming:
        make, inner = grpc.stream_stream_rpc_method_handler, handler.stream_stream
    elif handler.request_streaming:
        make, inner = grpc.stream_unary_rpc_method_handler, handler.stream_unary
    elif handler.response_streaming:
        make, inner = grpc.unary_stream_rpc_method_handler, handler.unary_stream
    else:
        make, inner = grpc.unary_unary_rpc_method_handler, handler.unary_unary
    client_streams, streams = handler.request_streaming, handler.response_streaming

    async def behavior(request: Any, context: Context) -> Any:
        call = Call(method, None if client_streams else request, context, streams=streams)

        async def proceed() -> Any:
            checked = client_streams and call.checks
            result = inner(_checked(call.checks, request) if checked else request, context)
            # Servicers of other packages may be plain functions, and a streaming one may write
            # instead of yielding.
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
        behavior,
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
