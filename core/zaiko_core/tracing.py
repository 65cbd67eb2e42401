"""Spans without messages, and the transport that makes one per request to a platform (ADR 0019)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import httpx
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    TracerProvider,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Attributes = Mapping[str, str | int]

_PROPAGATOR = TraceContextTextMapPropagator()
_HEADER = "traceparent"
_PLAIN = re.compile(r"[A-Za-z][a-z_]*(?:[-.A-Z][a-z_]+)*|v\d{1,2}|\d{1,2}\.\d{1,2}|20\d\d-\d\d")
_LONGEST = 24
"""A segment of a path is shown when it is a word of code or a version; everything longer or odder
may be an id, or a secret."""


OFF = trace.NoOpTracerProvider().get_tracer("zaiko")
"""Every span is a shadow of its parent, and is not exported."""


def tracer(provider: TracerProvider | None) -> Tracer:
    """zaiko's own; OFF without a provider."""
    return OFF if provider is None else provider.get_tracer("zaiko")


@contextmanager
def span(
    tracer: Tracer,
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] = (),
    root: bool = False,
) -> Iterator[Span]:
    """Open the current span for as long as the context lasts. An exception marks it with its class
    and nothing else: messages may quote what was sent. With `root` it begins a trace of its own."""
    begun = tracer.start_span(name, contexts.Context() if root else None, kind, attributes, links)
    with trace.use_span(
        begun, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ) as made:
        try:
            yield made
        except BaseException as error:
            failed(made, type(error).__name__)
            raise


def part(
    tracer: Tracer,
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
) -> AbstractContextManager[Span]:
    """Open a span below the current one; none where nothing is recorded, so that polling makes no
    traces."""
    above = trace.get_current_span()
    return span(tracer, name, attributes, kind=kind) if above.is_recording() else nullcontext(above)


def failed(made: Span, kind: str) -> None:
    """Mark a span as failed. `kind` is the name of a class or a code, never a message."""
    made.set_attribute("error.type", kind)
    made.set_status(Status(StatusCode.ERROR))


def sent(header: str) -> contexts.Context:
    """Read a client's `traceparent`; an empty context for none and for a broken one."""
    return (
        _PROPAGATOR.extract({_HEADER: header}, contexts.Context())
        if 0 < len(header) <= 64
        else contexts.Context()
    )


def written() -> str | None:
    """Return the current span as a `traceparent`, for a database's row; None where nothing is
    recorded."""
    if not trace.get_current_span().is_recording():
        return None
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(_HEADER)


def caused(header: str | None) -> list[Link]:
    """Return the link to what `written` kept; empty for nothing."""
    found = context_of(sent(header or ""))
    return [Link(found)] if found.is_valid else []


def context_of(context: contexts.Context) -> SpanContext:
    """Return the span of a context; an invalid one where it has none."""
    return trace.get_current_span(context).get_span_context()


def ids(of: SpanContext | None = None) -> dict[str, str]:
    """`trace_id` for log lines: of this span, else of the current one; empty where there is
    none."""
    found = of or trace.get_current_span().get_span_context()
    return {"trace_id": trace.format_trace_id(found.trace_id)} if found.is_valid else {}


def template(path: str) -> str:
    """Return a path without what may be an id: `/admin/orders/{}.json` for
    `/admin/orders/4711.json`."""
    return "/".join(_segment(segment) for segment in path.split("/"))


def _segment(segment: str) -> str:
    if not segment or (len(segment) <= _LONGEST and _PLAIN.fullmatch(segment)):
        return segment
    _, dot, end = segment.rpartition(".")
    return "{}.json" if dot and end == "json" else "{}"


class TracedTransport(httpx.AsyncBaseTransport):
    """Another transport, with a span per request below the current span: method, host, port,
    template, status. Never the query, headers or a body. `redact` takes the shop's credentials out
    of what is left."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, tracer: Tracer, redact: Callable[[str], str]
    ) -> None:
        self._inner, self._tracer, self._redact = inner, tracer, redact

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx.AsyncBaseTransport."""
        if not trace.get_current_span().is_recording():
            return await self._inner.handle_async_request(request)
        url = request.url
        attributes: dict[str, str | int] = {
            "http.request.method": request.method,
            "server.address": self._redact(url.host),
            "url.scheme": url.scheme,
            "url.template": self._redact(template(url.path)),
        }
        attributes["server.port"] = url.port or (443 if url.scheme == "https" else 80)
        with span(self._tracer, request.method, attributes, kind=SpanKind.CLIENT) as made:
            response = await self._inner.handle_async_request(request)
            made.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 400:
                failed(made, str(response.status_code))
            return response

    async def aclose(self) -> None:
        """Close the inner one."""
        await self._inner.aclose()
