"""One helper that puts an asynchronous context manager around a handler of any of the four kinds of calls."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from typing import Any

import grpc

Context = Any
"""grpc.aio.ServicerContext; its type arguments say nothing to an interceptor."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `request` is None when the client streams."""

    method: str
    request: Any
    context: Context
    streams: bool
    """Whether the server streams."""
    checks: list[Callable[[Any], None]] = field(default_factory=list)
    """For a client that streams: each is called with every message before the handler gets it; what it raises ends the stream."""

    @property
    def name(self) -> str:
        """The method without its service."""
        return self.method.rpartition("/")[2]


class Around(grpc.aio.ServerInterceptor, ABC):
    """An interceptor that is a context manager around the handler: what the handler raises is raised inside of it."""

    @abstractmethod
    def around(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Entered before the handler, left after it or after the last message of its stream."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """See grpc.aio.ServerInterceptor."""
        handler, method = await continuation(handler_call_details), handler_call_details.method
        # A server's handlers stay the same: each is wrapped once.
        known = self.__dict__.setdefault("_wrapped", {})
        inner, outer = known.get(method, (None, None))
        if inner is not handler or handler is None:
            prepared = self.prepare(handler, method)
            outer = None if prepared is None else wrap(prepared, method, self.around)
            if handler is not None:
                known[method] = (handler, outer)
        return outer

    def prepare(self, handler: Any, method: str) -> Any:
        """What is wrapped instead of a handler; None, for a method that nobody has, lets gRPC answer."""
        return handler


def wrap(handler: Any, method: str, around: Callable[[Call], AbstractAsyncContextManager[None]]) -> Any:
    """`handler` with `around` around it, of the same kind and with the same serialisers."""
    if handler.request_streaming and handler.response_streaming:
        make, inner = grpc.stream_stream_rpc_method_handler, handler.stream_stream
    elif handler.request_streaming:
        make, inner = grpc.stream_unary_rpc_method_handler, handler.stream_unary
    elif handler.response_streaming:
        make, inner = grpc.unary_stream_rpc_method_handler, handler.unary_stream
    else:
        make, inner = grpc.unary_unary_rpc_method_handler, handler.unary_unary

    def call_of(request: Any, context: Context) -> Call:
        return Call(method, None if handler.request_streaming else request, context, handler.response_streaming)

    def checked(call: Call, request: Any) -> Any:
        return _checked(call.checks, request) if handler.request_streaming and call.checks else request

    async def answer(request: Any, context: Context) -> Any:
        call = call_of(request, context)
        async with around(call):
            result = inner(checked(call, request), context)
            # Servicers of other packages may be plain functions.
            return await result if inspect.isawaitable(result) else result

    async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
        call = call_of(request, context)
        async with around(call):
            result = inner(checked(call, request), context)
            if inspect.isawaitable(result):
                # A handler that writes through the context instead of yielding.
                await result
                return
            async with aclosing(result) as messages:
                async for message in messages:
                    yield message

    behaviour: Any = stream if handler.response_streaming else answer
    return make(behaviour, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer)


async def _checked(checks: list[Callable[[Any], None]], requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        for check in checks:
            check(request)
        yield request
