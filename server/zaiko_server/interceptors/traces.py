"""A span per call (ADR 0019), by OpenTelemetry's conventions for RPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Tracer
from structlog.contextvars import bound_contextvars
from zaiko_core import tracing

from zaiko_server.interceptors.access_log import code_of, merchant_of
from zaiko_server.interceptors.around import Around, Call

TRACEPARENT = "traceparent"

_OURS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""Codes that are a server's fault; the others are answers."""


class Traces(Around):
    """The outermost interceptor. A client's `traceparent` is the span's parent and means nothing else; `tracestate` and `baggage`
    are not read. The span of a call whose server streams has no children: a watch of days would make a trace without end."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See Around."""
        if not call.method.startswith("/zaiko."):
            yield
            return
        method = call.method.removeprefix("/")
        attributes = {"rpc.system.name": "grpc", "rpc.method": method}
        if merchant := merchant_of(call.request):
            attributes["zaiko.merchant"] = merchant
        span = self._tracer.start_span(method, _parent(call), SpanKind.SERVER, attributes)
        current = trace.INVALID_SPAN if call.streams else span
        outcome = ""
        try:
            with (
                trace.use_span(current, record_exception=False, set_status_on_exception=False),
                bound_contextvars(**tracing.ids(span.get_span_context())),
            ):
                yield
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        finally:
            code = outcome or code_of(call.context)
            span.set_attribute("rpc.response.status_code", code)
            if code in _OURS:
                tracing.failed(span, code)
            span.end()


def _parent(call: Call) -> Context:
    headers = [value for key, value in call.context.invocation_metadata() or () if key == TRACEPARENT]
    return tracing.sent(str(headers[0]) if headers else "")
