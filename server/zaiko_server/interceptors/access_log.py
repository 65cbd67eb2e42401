"""Log one line per call, under an id that is on every log line of the call. The line never has a
request's content: requests carry credentials."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import grpc
import structlog
from structlog.contextvars import bind_contextvars
from zaiko_core.metrics import RPC_SECONDS, RPCS, Metrics

from zaiko_server.interceptors import trailers
from zaiko_server.interceptors.interceptor import Call, Interceptor, Proceed

REQUEST_KEY = "zaiko-request"
CLIENT_KEY = "zaiko-client"

_NAMES = {status.value[0]: status.name for status in grpc.StatusCode}
_UNKNOWN_METHOD = "unknown"
_QUIET = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"})


class AccessLog(Interceptor):
    """Gives each call an id (trailer `zaiko-request`), binds it to the call's log lines, and logs
    how the call ended."""

    def __init__(self, new_id: Callable[[], str], metrics: Metrics | None = None) -> None:
        self._new_id, self._metrics = new_id, metrics

    @cached_property
    def _log(self) -> Any:
        # Bound on first use, once the process has configured logging.
        return structlog.get_logger("zaiko.calls").bind()

    async def intercept(self, call: Call, proceed: Proceed) -> Any:
        """See Interceptor."""
        call_id, began = self._new_id(), time.monotonic()
        trailers.add(call.context, (REQUEST_KEY, call_id))
        outcome: Any = None
        # Never unbound: gRPC runs each call in its own task, and so in its own context.
        bind_contextvars(call=call_id, merchant=call.merchant)
        try:
            return await proceed()
        except asyncio.CancelledError:
            outcome = "CANCELLED"
            raise
        finally:
            if call.method not in _QUIET:
                self._log_call(call, outcome or code_of(call.context), time.monotonic() - began)

    def _log_call(self, call: Call, code: str, seconds: float) -> None:
        if self._metrics is not None:
            # A client may call any number of methods that do not exist; each would be a new time
            # series.
            self._metrics.add(
                RPCS, method=_UNKNOWN_METHOD if code == "UNIMPLEMENTED" else call.method, code=code
            )
            if not call.streams and code != "UNIMPLEMENTED":
                self._metrics.observe(RPC_SECONDS, seconds, method=call.method)
        self._log.info(
            "call",
            method=call.method,
            merchant=call.merchant,
            code=code,
            ms=round(seconds * 1000, 1),
            client=str(call.headers.get(CLIENT_KEY, ""))[:100],
        )


def code_of(context: Any) -> str:
    """Return the name of the status code that a call ended with."""
    code = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    # grpc.aio keeps the number; 0 and None mean OK.
    return _NAMES.get(code, "OK")
