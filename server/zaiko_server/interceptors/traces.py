"""Record a span per call (ADR 0019), by OpenTelemetry's conventions for RPC."""

from __future__ import annotations

import asyncio
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Tracer
from structlog.contextvars import bound_contextvars
from zaiko_core import tracing

from zaiko_server.interceptors.access_log import code_of
from zaiko_server.interceptors.interceptor import Call, Interceptor, Proceed

TRACEPARENT = "traceparent"

_SERVER_FAULTS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
"""Status codes that mean a fault of the server. The others are answers."""


class Traces(Interceptor):
    """The outermost interceptor. A client's `traceparent` becomes the span's parent, and has no
    other effect. `tracestate` and `baggage` are ignored. The span of a server-streaming call has no
    children: a watch of several days would make an endless trace."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def intercept(self, call: Call, proceed: Proceed) -> Any:
        """See Interceptor."""
        parent = str(call.headers.get(TRACEPARENT, ""))
        if not call.method.startswith("/zaiko.") or (self._tracer is tracing.OFF and not parent):
            return await proceed()
        method = call.method.removeprefix("/")
        attributes = {"rpc.system.name": "grpc", "rpc.method": method}
        if call.merchant:
            attributes["zaiko.merchant"] = call.merchant
        span = self._tracer.start_span(method, tracing.sent(parent), SpanKind.SERVER, attributes)
        current = trace.INVALID_SPAN if call.streams else span
        outcome = ""
        try:
            with (
                trace.use_span(current, record_exception=False, set_status_on_exception=False),
                bound_contextvars(**tracing.ids(span.get_span_context())),
            ):
                return await proceed()
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        finally:
            code = outcome or code_of(call.context)
            span.set_attribute("rpc.response.status_code", code)
            if code in _SERVER_FAULTS:
                tracing.failed(span, code)
            span.end()
