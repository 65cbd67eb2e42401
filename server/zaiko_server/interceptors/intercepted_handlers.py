"""Every method of a server, wrapped in its interceptors once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from zaiko_server.interceptors.interceptor import Interceptor, wrap


class InterceptedHandlers(grpc.GenericRpcHandler):
    """Takes servicers like a server, and is a server's only handler. Add the servicers before the
    server starts. `interceptors` are outermost first. Each method is wrapped once, on its first
    call: gRPC's own interceptors are run again for every call, which takes longer than ours take
    (ADR 0021)."""

    def __init__(self, *interceptors: Interceptor) -> None:
        self._interceptors = interceptors
        self._services: list[grpc.GenericRpcHandler] = []
        self._known: dict[str, Any] = {}

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]
    ) -> None:
        """See grpc.aio.Server."""
        self._services += generic_rpc_handlers

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Any]
    ) -> None:
        """See grpc.aio.Server. The generic handlers suffice."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """See grpc.GenericRpcHandler. The interceptors decide about a method that does not
        exist."""
        method = handler_call_details.method
        if (known := self._known.get(method)) is not None:
            return known
        found = (service.service(handler_call_details) for service in self._services)
        handler = next((each for each in found if each is not None), None)
        intercepted = handler
        for interceptor in reversed(self._interceptors):
            prepared = interceptor.prepare(intercepted, method)
            intercepted = (
                None if prepared is None else wrap(prepared, method, interceptor.intercept)
            )
        if handler is not None:
            # Methods that do not exist are not kept: a client may call any number of them.
            self._known[method] = intercepted
        return intercepted
