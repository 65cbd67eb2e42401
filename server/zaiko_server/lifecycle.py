"""Start and stop a server in an order that loses nothing.

Start: engine (migrations, scheduler) → services → bind → start → health. Stop: health says
NOT_SERVING → no notifications are accepted → no run begins → watches end with a bookmark → running
calls end → engine (runs end, leases are released, connectors and store close) → metrics. A second
signal stops at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import structlog
from zaiko_core.bootstrap import Engine
from zaiko_core.domain.errors import StorageUnavailable

from zaiko_server import gc_tuning, telemetry
from zaiko_server.app import App, build, publish_health
from zaiko_server.config import Config
from zaiko_server.health import HealthReporter
from zaiko_server.metrics_endpoint import MetricsEndpoint

if TYPE_CHECKING:
    from zaiko_server.webhooks import WebhookServer

_WATCH_GRACE = 5.0
"""Seconds that watches have to send their last bookmarks."""


class Server:
    """One server on one engine. Call `start` once and `stop` once."""

    def __init__(self, engine: Engine, config: Config, **options: Any) -> None:
        self.engine, self.config = engine, config
        self._options = options
        self._app: App | None = None
        self._webhooks: WebhookServer | None = None
        self._metrics_endpoint: MetricsEndpoint | None = None
        self._health_reporter: HealthReporter | None = None
        self.webhooks = self.metrics = ""
        """The addresses of the webhook listener and the metrics endpoint, with the ports that were
        bound."""
        self._log: Any = structlog.get_logger("zaiko")

    async def start(self) -> str:
        """Begin to serve, and return the address with the port that was bound. Raises Exposed and
        CertificateUnusable before anything is started."""
        tls = self.config.tls()
        await self.engine.start()
        try:
            config = self.config
            settings = {
                "tokens": config.auth == "tokens",
                "rate": config.rate or None,
                "share_port": config.share_port,
            }
            app = build(self.engine, **(settings | self._options))
            if tls is None:
                port = app.server.add_insecure_port(self.config.listen)
            else:
                port = app.server.add_secure_port(self.config.listen, tls.credentials())
            await app.server.start()
            if self.config.webhooks:
                self._webhooks = _webhook_server(self.engine, self.config.webhooks)
                self.webhooks = await self._webhooks.start()
            if self.config.metrics:
                self._metrics_endpoint = MetricsEndpoint(self.engine.metrics, self.config.metrics)
                self.metrics = self._metrics_endpoint.address
            await publish_health(app, serving=True)
            self._health_reporter = HealthReporter(
                self.engine.db.ping, lambda serving: publish_health(app, serving=serving)
            )
            self._health_reporter.start()
        except BaseException:
            await self.engine.stop(grace=0)
            raise
        self._app = app
        address = _address(self.config.listen, port)
        self._log.info("serving", address=address)
        return address

    async def stop(self, *, grace: float | None = None) -> None:
        """Stop within about `grace` seconds, or at once for 0. Without it the configuration
        decides."""
        grace = self.config.grace if grace is None else grace
        app, self._app = self._app, None
        if app is not None:
            self._log.info("draining", grace=grace)
            if self._health_reporter is not None:
                await self._health_reporter.stop()
            await publish_health(app, serving=False)
            if self._webhooks is not None:
                await self._webhooks.stop()
            self.engine.stop_accepting()
            await app.watch_server.drain(min(grace, _WATCH_GRACE))
            await app.server.stop(grace)
            await app.server.wait_for_termination()
        await self.engine.stop(grace=grace)
        if self._metrics_endpoint is not None:
            await asyncio.to_thread(self._metrics_endpoint.stop)
        self._log.info("stopped")


def _webhook_server(engine: Engine, listen: str) -> WebhookServer:
    # Imported on use: a server without webhooks does not load an HTTP server.
    from zaiko_server.webhooks import WebhookServer

    return WebhookServer(engine, listen)


@contextlib.asynccontextmanager
async def running(engine: Engine, config: Config, **options: Any) -> AsyncIterator[str]:
    """Run a server while the context lasts, and yield its address."""
    server = Server(engine, config, **options)
    address = await server.start()
    try:
        yield address
    finally:
        await server.stop()


async def serve(
    config: Config,
    *,
    ready: Callable[[str], None] = lambda address: None,
    engine: Engine | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. `ready` gets the address. Raises telemetry.ExtraMissing, and
    StorageUnavailable when the database was replaced under the server."""
    traces = None if engine is not None else telemetry.provider(config.otlp, os.environ)
    server = Server(engine or Engine(config.engine(), traces=traces), config)
    stopping, hurry = asyncio.Event(), asyncio.Event()

    def signalled() -> None:
        (hurry if stopping.is_set() else stopping).set()

    def orphaned() -> None:
        # The process group has died: nothing would forward a signal to this process or restart it.
        loop.remove_reader(sys.stdin)
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    if config.share_port:
        loop.add_reader(sys.stdin, orphaned)
    try:
        address = await server.start()
        gc_tuning.settle()
        ready(address)
        await _either(stopping, server.engine.replaced)
        await _stop(server, hurry)
        if not stopping.is_set():
            raise StorageUnavailable(
                "the database was restored or replaced under this server; restart it"
            )
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        if config.share_port:
            loop.remove_reader(sys.stdin)
        if traces is not None:
            await asyncio.to_thread(traces.shutdown)


async def _either(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _stop(server: Server, hurry: asyncio.Event) -> None:
    ending = asyncio.create_task(server.stop(), name="zaiko stop")
    waiting = asyncio.create_task(hurry.wait(), name="zaiko second signal")
    done, _ = await asyncio.wait({ending, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if ending not in done:
        ending.cancel()
    waiting.cancel()
    await asyncio.gather(ending, waiting, return_exceptions=True)


def _address(listen: str, port: int) -> str:
    return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"
