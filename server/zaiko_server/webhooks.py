"""The HTTP listener to which platforms post their notifications (ADR 0014)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import structlog
import uvicorn
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.contextvars import bound_contextvars
from zaiko_core import tracing
from zaiko_core.bootstrap import Engine
from zaiko_core.domain.errors import ServiceError, StorageUnavailable
from zaiko_core.metrics import WEBHOOKS
from zaiko_sdk import ConnectorError, CredentialsRejected

PATH = "/webhooks/merchants/{merchant}/shops/{shop}"
LARGEST_BODY = 1 << 20
"""The largest body in bytes; Shopify's largest orders are smaller. A larger one is answered with
413, and polling finds the order."""
_BODY_TIMEOUT = 10.0
"""Seconds in which the whole body must arrive."""
_MAX_CONCURRENT = 200
_NO_SUCH_SHOP = "There is no such shop, or it takes no notifications."


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals to the gRPC server."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class WebhookServer:
    """Serves `PATH` on one address. Call `start` once and `stop` once."""

    def __init__(self, engine: Engine, listen: str) -> None:
        self._engine, self._listen = engine, listen
        self._log: Any = structlog.get_logger("zaiko")
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Bind and begin to serve, and return the address. Raises RuntimeError when the address
        cannot be bound."""
        host, _, port = self._listen.rpartition(":")
        try:
            bound = socket.create_server(
                (host.strip("[]"), int(port)),
                family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            )
        except (OSError, ValueError) as error:
            raise RuntimeError(f"Failed to bind {self._listen} for webhooks: {error}") from None
        app = Starlette(
            routes=[Route(PATH, self._handle, methods=["POST"]), Route("/healthz", _alive)]
        )
        config = uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            limit_concurrency=_MAX_CONCURRENT,
            timeout_keep_alive=15,
            h11_max_incomplete_event_size=32 << 10,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(
            self._server.serve(sockets=[bound]), name="zaiko webhooks"
        )
        await self._server.ready.wait()
        address = f"{host}:{bound.getsockname()[1]}"
        self._log.info("webhooks", address=address)
        return address

    async def stop(self) -> None:
        """Answer the requests that have arrived, then close."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await asyncio.gather(self._serving, return_exceptions=True)

    async def _handle(self, request: Request) -> Response:
        # A trace of the platform's is not continued here.
        about = {"http.request.method": "POST", "http.route": PATH}
        with tracing.span(
            self._engine.tracer, f"POST {PATH}", about, kind=SpanKind.SERVER, root=True
        ) as span:
            with bound_contextvars(**tracing.ids()):
                reply = await self._answer(request)
            span.set_attribute("http.response.status_code", reply.status_code)
            if reply.status_code >= 500:
                tracing.failed(span, str(reply.status_code))
        self._engine.metrics.add(WEBHOOKS, status=str(reply.status_code))
        return reply

    async def _answer(self, request: Request) -> Response:
        merchant, shop = request.path_params["merchant"], request.path_params["shop"]
        try:
            async with asyncio.timeout(_BODY_TIMEOUT):
                body = await _body(request)
        except TimeoutError:
            return PlainTextResponse("The body did not arrive in time.", 408)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return PlainTextResponse(f"At most {LARGEST_BODY} bytes.", 413)
        try:
            reply = await self._engine.receive_webhook(merchant, shop, dict(request.headers), body)
        except CredentialsRejected as error:
            self._log.warning(
                "webhook_refused", merchant=merchant, shop=shop, problem=error.message
            )
            return PlainTextResponse("The notification could not be authenticated.", 401)
        except ConnectorError as error:
            self._log.error(
                "webhook_not_understood",
                merchant=merchant,
                shop=shop,
                reason=error.reason,
                problem=error.message,
            )
            return PlainTextResponse("The notification could not be parsed.", 400)
        except StorageUnavailable:
            return PlainTextResponse("Try again later.", 503, {"retry-after": "30"})
        except ServiceError:
            return PlainTextResponse(_NO_SUCH_SHOP, 404)
        return Response(reply.body, media_type=reply.content_type)


async def _body(request: Request) -> bytes | None:
    """Return the whole body, or None when it is too large. Never keeps more than LARGEST_BODY and
    one chunk."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)


async def _alive(request: Request) -> Response:
    return PlainTextResponse("ok")
