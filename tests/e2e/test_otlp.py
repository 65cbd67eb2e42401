"""`zaiko serve --otlp` sends its spans to a collector, and its lines are JSON where nobody sits
before them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from e2e.local_server import Zaiko
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from support.waiting import until


class Collector(trace_service_pb2_grpc.TraceServiceServicer):  # type: ignore[misc]
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.resources: list[dict[str, str]] = []
        self.spans: list[Any] = []

    def Export(self, request: Any, context: Any) -> Any:
        for exported in request.resource_spans:
            self.resources.append(
                {item.key: item.value.string_value for item in exported.resource.attributes}
            )
            self.spans += [span for scope in exported.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[str, Collector]]:
    server, kept = grpc.server(ThreadPoolExecutor(2)), Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(kept, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}", kept
    server.stop(None).wait()


@contextlib.contextmanager
def serving(folder: Path, *options: str, **variables: str) -> Iterator[str]:
    """The address of a server process, whose lines are in `log`; it ends with 0."""
    port = folder / "port"
    own = [
        "--db",
        "zaiko.db",
        "--secret-key-file",
        "zaiko.key",
        "--listen",
        "127.0.0.1:0",
        "--port-file",
        str(port),
    ]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ZAIKO_", "OTEL_"))
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "zaiko_cli", "serve", *own, *options],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=kept | variables,
        )
        try:
            until(lambda: port.exists() or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text()
            yield port.read_text()
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("by_option", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_spans_reach_the_collector_also_those_of_the_last_moment(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    collector: tuple[str, Collector],
    by_option: bool,
) -> None:
    endpoint, kept = collector
    options = ["--otlp", endpoint] if by_option else []
    variables = (
        {} if by_option else {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": "stock"}
    )
    with serving(tmp_path, *options, **variables) as address:
        Zaiko(address, capsys)("merchants", "create", "acme")

    assert "zaiko.v1.MerchantService/CreateMerchant" in {span.name for span in kept.spans}
    assert {resource["service.name"] for resource in kept.resources} == {
        "zaiko" if by_option else "stock"
    }
    assert all(resource["service.version"] for resource in kept.resources)


@pytest.mark.thorough
def test_a_collector_that_is_away_costs_no_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(
        tmp_path, "--otlp", "http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TIMEOUT="1"
    ) as address:
        assert Zaiko(address, capsys)("merchants", "create", "acme").code == 0


def test_lines_are_json_where_there_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path) as address:
        Zaiko(address, capsys)("merchants", "create", "acme")
    lines = [
        json.loads(line)
        for line in (tmp_path / "log").read_text().splitlines()
        if line.startswith("{")
    ]
    [call] = [
        line
        for line in lines
        if line["event"] == "call" and line["method"].endswith("CreateMerchant")
    ]
    assert {"timestamp", "level", "call", "merchant", "code"} <= call.keys()
    assert "trace_id" not in call, "there is no trace"

    with serving(tmp_path, "--log-format", "text"):
        pass
    text = (tmp_path / "log").read_text()
    assert "draining" in text
    assert not [line for line in text.splitlines() if line.startswith("{")]
