"""A span per call (ADR 0019), by OpenTelemetry's conventions for RPC."""

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

_OURS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
"""Codes that are a server's fault; the others are answers."""


class Traces(Interceptor):
    """The outermost interceptor. A client's `traceparent` is the span's parent and means nothing
    else; `tracestate` and `baggage` are not read. The span of a call whose server streams has no
    children: a watch of days would make a trace without end."""

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
            if code in _OURS:
                tracing.failed(span, code)
            span.end()
