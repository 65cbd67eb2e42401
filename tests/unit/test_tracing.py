"""What spans may say, and when there are any."""

from __future__ import annotations

import sys

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs
from zaiko_core import tracing
from zaiko_server import telemetry

HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def observed() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(observed: InMemorySpanExporter) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(observed))
    return made


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/admin/api/2026-01/graphql.json", "/admin/api/2026-01/graphql.json"),
        ("/rms/es/2.0/order/searchOrder/", "/rms/es/2.0/order/searchOrder/"),
        ("/api/v2/variants/bulk-get", "/api/v2/variants/bulk-get"),
        ("/api/v2/orders/4711", "/api/v2/orders/{}"),
        ("/api/v2/orders/4711.json", "/api/v2/orders/{}.json"),
        ("/items/TEA-100", "/items/{}"),
        ("/hooks/shpss_4f8c9d2e", "/hooks/{}"),
        ("/hooks/abcdefghijklmnopqrstuvwxyzabcdef", "/hooks/{}"),
        ("/お茶", "/{}"),
        ("", ""),
    ],
)
def test_a_template_keeps_words_and_versions_only(path: str, shown: str) -> None:
    assert tracing.template(path) == shown


@pytest.mark.anyio
async def test_a_request_tells_no_query_and_no_credential(
    observed: InMemorySpanExporter, provider: TracerProvider
) -> None:
    tracer = tracing.tracer(provider)
    inner = httpx.MockTransport(lambda request: httpx.Response(429, text="secret"))
    transport = tracing.TracedTransport(inner, tracer, lambda text: text.replace("hunter", "***"))
    async with httpx.AsyncClient(transport=transport) as client:
        with tracing.span(tracer, "run"):
            await client.post(
                "https://shop.test/api/hunter/orders/1?token=hunter",
                headers={"authorization": "hunter"},
                content="hunter",
            )

    request, _ = observed.get_finished_spans()
    assert "hunter" not in request.to_json()
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "server.address": "shop.test",
        "server.port": 443,
        "url.scheme": "https",
        "url.template": "/api/***/orders/{}",
        "http.response.status_code": 429,
        "error.type": "429",
    }


@pytest.mark.anyio
async def test_a_request_outside_of_a_span_makes_none(
    observed: InMemorySpanExporter, provider: TracerProvider
) -> None:
    transport = tracing.TracedTransport(
        httpx.MockTransport(lambda request: httpx.Response(200)), tracing.tracer(provider), str
    )
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("https://shop.test/")

    assert observed.get_finished_spans() == ()


def test_an_exception_leaves_its_class_and_not_its_message(
    observed: InMemorySpanExporter, provider: TracerProvider
) -> None:
    with pytest.raises(ValueError, match="hunter"), tracing.span(tracing.tracer(provider), "run"):
        raise ValueError("the key hunter is wrong")

    [span] = observed.get_finished_spans()
    assert "hunter" not in span.to_json()
    assert (span.attributes or {})["error.type"] == "ValueError"
    assert not span.events


def test_what_is_written_of_a_span_leads_back_to_it(provider: TracerProvider) -> None:
    with tracing.span(tracing.tracer(provider), "write") as span:
        [link] = tracing.caused(tracing.written())

    assert link.context.span_id == span.get_span_context().span_id
    assert link.context.trace_id == span.get_span_context().trace_id


def test_without_a_provider_tracing_is_known_to_be_off() -> None:
    assert tracing.tracer(None) is tracing.OFF


def test_nothing_is_written_where_nothing_is_recorded() -> None:
    with tracing.span(tracing.OFF, "write"):
        assert tracing.written() is None
    with trace.use_span(trace.get_current_span(tracing.sent(HEADER))):
        assert tracing.written() is None, "a client's header alone is kept nowhere"


@pytest.mark.parametrize(
    "header",
    [None, "", "nonsense", HEADER.replace("7", "x"), "ff" + HEADER[2:], HEADER + "-" + "a" * 60],
)
def test_a_broken_header_is_no_link(header: str | None) -> None:
    assert tracing.caused(header) == []


def test_lines_have_the_clients_trace_also_without_a_collector() -> None:
    with (
        trace.use_span(trace.get_current_span(tracing.sent(HEADER))),
        tracing.span(tracing.OFF, "call") as span,
    ):
        assert (
            tracing.ids()
            == tracing.ids(span.get_span_context())
            == {"trace_id": HEADER.split("-")[1]}
        )
    assert tracing.ids() == {}


@pytest.mark.parametrize(
    ("otlp", "environment", "wanted"),
    [
        ("", {}, False),
        ("http://c:4317", {}, True),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, True),
        ("", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317"}, True),
        ("", {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4317"}, False),
        ("http://c:4317", {"OTEL_SDK_DISABLED": "TRUE"}, False),
        ("http://c:4317", {"OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_sent_only_where_a_collector_is_named(
    otlp: str, environment: dict[str, str], wanted: bool
) -> None:
    assert telemetry.is_configured(otlp, environment) is wanted
    if not wanted:
        assert telemetry.provider(otlp, environment) is None


def test_without_the_extra_an_option_is_refused_and_a_variable_only_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)

    with pytest.raises(telemetry.ExtraMissing, match=r"zaiko\[otel\]"):
        telemetry.provider("http://c:4317", {})
    with capture_logs() as lines:
        assert telemetry.provider("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}) is None
    assert [line["event"] for line in lines] == ["traces_off"]
