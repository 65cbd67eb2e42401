"""Every method of a server, each with what surrounds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from zaiko_server.interceptors.interceptor import Interceptor, wrap


class InterceptedHandlers(grpc.GenericRpcHandler):
    """Servicers are added to it as to a server, and it is given to a server as its only handler,
    before it starts. `layers`, the outermost first, surround each method once and for all: gRPC
    itself goes through its interceptors anew for each call, which takes longer than what ours
    do."""

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
        """See grpc.aio.Server, which does without them as well."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """See grpc.GenericRpcHandler. A method that nobody has is what the layers make of it."""
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
            # Only those: a stranger may call any number of methods that are not there.
            self._known[method] = intercepted
        return intercepted
