"""One log line per call, and an id that finds it. Never a request's content: requests carry credentials."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import structlog
from structlog.contextvars import bound_contextvars
from zaiko_core.metrics import RPC_SECONDS, RPCS, Metrics

from zaiko_server import names
from zaiko_server.interceptors import trailers
from zaiko_server.interceptors.around import Around, Call

REQUEST_KEY = "zaiko-request"
CLIENT_KEY = "zaiko-client"

_NAMES = {status.value[0]: status.name for status in grpc.StatusCode}
_QUIET = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"})


class AccessLog(Around):
    """Gives each call an id (trailer `zaiko-request`), binds it to every log line of the call, and logs how the call ended."""

    def __init__(self, new_id: Callable[[], str], metrics: Metrics | None = None) -> None:
        self._new_id, self._metrics = new_id, metrics
        self._log: Any = structlog.get_logger("zaiko.calls")

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """See Around."""
        call_id, began = self._new_id(), time.monotonic()
        trailers.add(call.context, (REQUEST_KEY, call_id))
        outcome: Any = None
        with bound_contextvars(call=call_id, merchant=merchant_of(call.request)):
            try:
                yield
            except asyncio.CancelledError:
                outcome = "CANCELLED"
                raise
            finally:
                if call.method not in _QUIET:
                    self._line(call, outcome or code_of(call.context), time.monotonic() - began)

    def _line(self, call: Call, code: str, seconds: float) -> None:
        if self._metrics is not None:
            self._metrics.add(RPCS, method=call.method, code=code)
            if not call.streams:
                self._metrics.observe(RPC_SECONDS, seconds, method=call.method)
        metadata = {key: value for key, value in call.context.invocation_metadata() or () if key == CLIENT_KEY}
        self._log.info(
            "call",
            method=call.method,
            merchant=merchant_of(call.request),
            code=code,
            ms=round(seconds * 1000, 1),
            client=str(metadata.get(CLIENT_KEY, ""))[:100],
        )


def merchant_of(request: Any) -> str:
    """The merchant that a request is about, from the first of its fields that names one."""
    for field in ("parent", "name", "product", "shop", "link", "merchant"):
        value = getattr(request, field, "")
        name = value if isinstance(value, str) else getattr(value, "name", "")
        if merchant := names.merchant_of(name):
            return merchant[:64]
    return ""


def code_of(context: Any) -> str:
    """The name of the status that a call has ended with."""
    code = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    # grpc.aio keeps the number; 0 or none is OK.
    return _NAMES.get(code, "OK")
