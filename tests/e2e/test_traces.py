"""One change is followed from its call to the push on the wire, by the spans of a real server and a
real simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import pytest
import structlog
from e2e.local_server import Zaiko, run
from e2e.test_secrets import Seen, quoter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from support.waiting import until
from zaiko.v1 import shop_service_pb2, stock_service_pb2, sync_service_pb2, watch_pb2
from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection
from zaiko_core.bootstrap import Engine
from zaiko_core.plugin_host.loader import load
from zaiko_core.storage.jobs import Jobs, job_door
from zaiko_core.storage.secrets import SecretBox
from zaiko_sdk.testing.faults import Fault
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer
from zaiko_server import logs
from zaiko_server.config import Config
from zaiko_server.lifecycle import Server

TEA = "TEA-100"
PARENT = "merchants/acme"
RECEIPT, RESUME = "zaiko.v1.StockService/RecordReceipt", "zaiko.v1.ShopService/ResumeShop"
NOTIFICATION = "POST /webhooks/merchants/{merchant}/shops/{shop}"
CLIENTS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Stage:
    """A server that tells its spans, a shop of one platform, and the lines that were logged."""

    server: Server
    client: ApiClient
    exporter: InMemorySpanExporter
    platform_name: str
    platform: SimulatorServer
    log: list[str]

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def trace(self, span: ReadableSpan) -> list[ReadableSpan]:
        return [other for other in self.spans if other.context.trace_id == span.context.trace_id]

    def caused_by(self, span: ReadableSpan) -> list[ReadableSpan]:
        """The runs whose link leads into the trace of this span."""
        wanted = span.context.trace_id
        return [
            run
            for run in self.named("run")
            if any(link.context.trace_id == wanted for link in run.links)
        ]

    def receive(self, units: int, *headers: tuple[str, str]) -> ReadableSpan:
        """Stock arrives, recorded by one call with this metadata; return the span of the call."""
        before = len(self.named(RECEIPT))
        request = stock_service_pb2.RecordReceiptRequest(
            product=f"{PARENT}/products/tea",
            warehouse=f"{PARENT}/warehouses/tokyo",
            quantity=units,
            cause_key=f"truck-{before}",
        )
        self.client.stocks.RecordReceipt(request, timeout=30, metadata=headers)
        return until(lambda: self.named(RECEIPT)[before:])[0]

    def lines(self, event: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log if json.loads(line)["event"] == event]


class Lines:
    """A stream whose lines are kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.lines.extend(line for line in text.splitlines() if line)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return False


# The slower platforms, which make their own pace, with --thorough only.
PLATFORMS = [
    "shopify",
    *(pytest.param(name, marks=pytest.mark.thorough) for name in ("ecforce", "rakuten")),
]


@pytest.fixture
def stage(
    sqlite_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Stage]:
    """Everything is linked, and the first push has been made."""
    monkeypatch.setenv("ZAIKO_MERCHANT", "acme")
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    config = Config(
        listen="127.0.0.1:0",
        webhooks="127.0.0.1:0",
        database=sqlite_url,
        secret_keys=(SecretBox.new_key(),),
    )
    before, lines = structlog.get_config(), Lines()
    logs.configure(logs.Format.JSON, quiet=False, stream=lines)
    server = Server(Engine(config.engine(), traces=provider), config)
    address = run(server.start())
    zaiko = Zaiko(address, capsys)
    platform = getattr(request, "param", "shopify")
    simulator = load().simulators()[platform].create()
    simulator.add_listings([NewListing(sku=TEA, quantity=3, title="tea")])
    with SimulatorServer(simulator) as shop:
        zaiko("merchants", "create", "acme", "--name", "Acme")
        zaiko("warehouses", "create", "tokyo")
        zaiko("products", "create", TEA, "--id", "tea")
        zaiko("stock", "receive", TEA, "10")
        zaiko(
            "shops",
            "create",
            "mall",
            "--connector",
            platform,
            "--simulator",
            shop.base_url,
            "--interval",
            "3600",
        )
        zaiko("listings", "refresh", "mall")
        zaiko("link", "bulk", "mall", "--enable-sync")
        # What a run under way takes with it is pushed without a link of its own.
        until(
            lambda: (
                simulator.stock()[TEA] == 10
                and (run(job_door(server.engine.db.transactions).read(Jobs.next_due)).first or 0)
                > 10_000_000
            )
        )
        client = ApiClient(ServerConnection(address), "acme")
        yield Stage(server, client, exporter, platform, shop, lines.lines)
        client.close()
        run(server.stop(grace=1))
    provider.shutdown()
    structlog.configure(**before)


@pytest.mark.parametrize("stage", PLATFORMS, indirect=True)
def test_a_call_is_followed_through_transaction_run_and_phase_to_the_push_on_the_wire(
    stage: Stage,
) -> None:
    call = stage.receive(5)
    until(lambda: stage.platform.simulator.stock()[TEA] == 15)
    run_span = until(lambda: stage.caused_by(call))[0]
    in_run = {span.context.span_id: span for span in stage.trace(run_span)}

    [write] = [span for span in stage.trace(call) if span.name == "write"]
    assert write.parent is not None
    assert write.parent.span_id == call.context.span_id
    assert [link.context.span_id for link in run_span.links] == [write.context.span_id], (
        "the link is to the change itself"
    )
    assert run_span.context.trace_id != call.context.trace_id
    pushes = [
        span
        for span in in_run.values()
        if span.kind is SpanKind.CLIENT and above(span, in_run) == ["push", "run"]
    ]
    assert pushes, [(span.name, above(span, in_run)) for span in in_run.values()]
    assert {span.attributes["http.response.status_code"] for span in pushes} <= {200, 204}
    assert {span.attributes["server.port"] for span in pushes} == {
        httpx.URL(stage.platform.base_url).port
    }
    assert {span.name for span in in_run.values()} >= {"run", "read", "fetch", "push", "write"}


def above(span: ReadableSpan, spans: dict[int, ReadableSpan]) -> list[str]:
    """The names of what a span lies in, innermost first."""
    names = []
    while span.parent is not None:
        span = spans[span.parent.span_id]
        names.append(span.name)
    return names


def test_a_call_has_the_attributes_of_the_conventions(stage: Stage) -> None:
    call = stage.receive(1)

    assert call.kind is SpanKind.SERVER
    assert dict(call.attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": RECEIPT,
        "rpc.response.status_code": "OK",
        "zaiko.merchant": "acme",
    }


def test_a_clients_traceparent_is_the_parent_and_a_broken_one_is_not(stage: Stage) -> None:
    followed = stage.receive(
        1, ("traceparent", CLIENTS), ("tracestate", "vendor=1"), ("baggage", "user=1")
    )
    broken = [
        stage.receive(1, ("traceparent", text))
        for text in ("00-zz", CLIENTS * 9, "00-" + "0" * 32 + "-b7ad6b7169203331-01")
    ]

    assert f"{followed.context.trace_id:032x}" == CLIENTS.split("-")[1]
    assert followed.parent is not None
    assert f"{followed.parent.span_id:016x}" == CLIENTS.split("-")[2]
    assert not followed.context.trace_state
    assert [span.parent for span in broken] == [None] * 3


def test_a_refusal_is_an_answer_and_not_an_error_of_the_server(stage: Stage) -> None:
    nowhere = f"{PARENT}/warehouses/nowhere"
    request = stock_service_pb2.RecordReceiptRequest(
        product=f"{PARENT}/products/tea", warehouse=nowhere, quantity=1
    )
    with pytest.raises(grpc.RpcError) as refused:
        stage.client.stocks.RecordReceipt(request, timeout=30)
    call = until(
        lambda: [
            span
            for span in stage.named(RECEIPT)
            if span.attributes["rpc.response.status_code"] != "OK"
        ]
    )[0]

    assert call.attributes["rpc.response.status_code"] == refused.value.code().name  # type: ignore[attr-defined]
    assert call.status.status_code is StatusCode.UNSET


def test_polling_and_watching_make_no_spans_but_the_watchs_own(stage: Stage) -> None:
    request = sync_service_pb2.WatchSyncRequest(
        parent=PARENT, start=watch_pb2.WatchStart(snapshot=watch_pb2.WatchSnapshot())
    )
    watch = stage.client.syncs.WatchSync(request, timeout=30)
    next(response for response in watch if response.bookmark.snapshot_complete)
    watch.cancel()
    [own] = until(lambda: stage.named("zaiko.v1.SyncService/WatchSync"))
    assert stage.trace(own) == [own]
    roots = {span.name for span in stage.spans if span.parent is None}

    assert {name for name in roots if not name.startswith("zaiko.v1.")} <= {"run", "operation"}


def test_a_notification_is_a_cause_like_a_call(stage: Stage) -> None:
    simulator = stage.platform.simulator
    headers, body = simulator.notification(simulator.place_order({TEA: 2}))
    where = f"http://{stage.server.webhooks}/webhooks/merchants/acme/shops/mall"
    httpx.post(where, headers={**headers, "traceparent": CLIENTS}, content=body, timeout=60)
    httpx.post(where, content=b"{}", timeout=60)
    proven, refused = until(lambda: (found := stage.named(NOTIFICATION))[1:] and found)

    assert proven.attributes["http.response.status_code"] == 200
    assert proven.parent is None, "a platform's own trace is not ours to join"
    assert until(lambda: stage.caused_by(proven))
    assert refused.attributes["http.response.status_code"] == 401
    assert not stage.caused_by(refused), "without proof it causes nothing"


def test_the_lines_of_a_call_and_of_a_run_have_their_ids(stage: Stage) -> None:
    stage.platform.inject(Fault(500, times=10_000))
    call = stage.receive(1)
    run_span = until(lambda: stage.caused_by(call))[0]
    [line] = [
        line for line in stage.lines("call") if line["trace_id"] == f"{call.context.trace_id:032x}"
    ]
    failed = until(
        lambda: [
            line
            for line in stage.lines("run_failed")
            if line["run"] == run_span.attributes["zaiko.run"]
        ]
    )[0]

    assert line["merchant"] == "acme"
    assert line["call"]
    assert (failed["merchant"], failed["shop"]) == ("acme", "mall")
    assert failed["trace_id"] == f"{run_span.context.trace_id:032x}"
    assert failed["cause"] == f"{call.context.trace_id:032x}"
    assert run_span.status.status_code is StatusCode.ERROR
    assert run_span.status.description is None


@pytest.mark.parametrize("stage", PLATFORMS, indirect=True)
def test_no_credential_is_in_a_span_or_a_line_also_when_the_platform_quotes_it(
    stage: Stage,
) -> None:
    settings, kind = stage.platform.settings(), load().types[stage.platform_name]
    secrets = {
        name: str(settings[name]) for name in kind.settings.secret_fields() & settings.keys()
    }
    standing = quoter(stage.platform)
    for status in (401, 400, 500, 200):
        standing.status = status
        # A shop that failed runs when somebody asks.
        before = len(stage.named(RESUME))
        stage.client.shops.ResumeShop(
            shop_service_pb2.ResumeShopRequest(name=f"{PARENT}/shops/mall"), timeout=30
        )
        call = until(lambda before=before: stage.named(RESUME)[before:])[0]
        until(lambda call=call: stage.caused_by(call))
    standing.status = 0
    seen = Seen()
    for span in stage.spans:
        seen.add(f"the span {span.name}", span.to_json())
    for line in stage.log:
        seen.add("a log line", line)

    assert len(secrets) >= 1
    assert seen.leaks(secrets) == []
    assert not [event for span in stage.spans for event in span.events], "events carry messages"
    names = {name for span in stage.spans for name in span.attributes or {}}
    assert not [
        name for name in names if name.startswith(("url.full", "url.query", "http.request.header"))
    ]
    templates = {
        str(span.attributes["url.template"]) for span in stage.spans if span.kind is SpanKind.CLIENT
    }
    assert templates
    assert not [template for template in templates if "?" in template]
