"""Export spans to a collector over OTLP (ADR 0019), when one is configured and the extra `otel` is
installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

INSTALL = "pip install 'zaiko[otel]'"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class ExtraMissing(Exception):
    """Traces were requested by an option, but their libraries are not installed."""


def is_configured(otlp: str, environment: Mapping[str, str]) -> bool:
    """Return whether a collector is configured, by the option or by the standard variables, and
    traces are not switched off."""
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    off = off or environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    return not off and bool(otlp or any(environment.get(name) for name in _ENDPOINTS))


def provider(otlp: str, environment: Mapping[str, str]) -> TracerProvider | None:
    """Return the provider that exports spans, or None when no collector is configured. Shut it down
    at the end, off the event loop, because that sends the queued spans. Sampling, headers,
    certificates and the resource follow the standard `OTEL_*` variables. Without the libraries, an
    option raises ExtraMissing; a variable, which a whole cluster may share, only logs a
    warning."""
    if not is_configured(otlp, environment):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        if otlp:
            raise ExtraMissing(f"Traces need more libraries. Install them: {INSTALL}.") from None
        structlog.get_logger("zaiko").warning(
            "traces_off", why="OTEL_EXPORTER_OTLP_ENDPOINT is set", install=INSTALL
        )
        return None
    own = {"service.version": version("zaiko")} | (
        {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": "zaiko"}
    )
    made = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=otlp or None)))
    return made
