"""Serve `/metrics` for Prometheus on a separate listener: it belongs to the operator's network, not
to clients or platforms."""

from __future__ import annotations

from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server
from zaiko_core.metrics import Metrics


class MetricsEndpoint:
    """Serves the metrics of this process from a thread. The constructor binds the address. Call
    `stop` once."""

    def __init__(self, metrics: Metrics, listen: str) -> None:
        host, _, port = listen.rpartition(":")
        try:
            served: tuple[WSGIServer, Thread] = start_http_server(
                int(port), addr=host.strip("[]"), registry=metrics.registry
            )
        except (OSError, ValueError) as error:
            raise RuntimeError(f"Failed to bind {listen} for metrics: {error}") from None
        self._server, self._thread = served
        self.address = f"{host}:{self._server.server_port}"

    def stop(self) -> None:
        """Close the listener and end the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
