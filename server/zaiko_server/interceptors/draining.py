"""End the calls that only wait, once the server drains."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from zaiko_core.domain.errors import ServiceError

from zaiko_server.interceptors.cancellation import cancelled_when
from zaiko_server.interceptors.interceptor import Call, Interceptor, Proceed
from zaiko_server.refusals import ServerDraining

_WAITING = frozenset(
    {
        "/zaiko.v1.OperationService/WaitOperation",
        "/zaiko.v1.OperationService/WatchOperation",
        "/zaiko.v1.SyncService/WaitSettled",
    }
)
"""The other streams of this server end without help when it drains, after a last bookmark or
answer."""
_HEALTH_GRACE = 0.05
"""Seconds that a client of the health service has to read NOT_SERVING before its call ends."""


class Draining(Interceptor):
    """Ends with SERVER_DRAINING, once `drained` is set, calls that only wait and streams of other
    packages' services (health, reflection). A stopping server lets running calls end, and these
    would use up its whole grace period."""

    def __init__(self, drained: asyncio.Event) -> None:
        self._drained = drained

    async def intercept(self, call: Call, proceed: Proceed) -> Any:
        """See Interceptor."""
        if call.method not in _WAITING and (
            call.method.startswith("/zaiko.") or not (call.streams or call.request is None)
        ):
            return await proceed()
        if self._drained.is_set():
            raise _draining()
        async with cancelled_when(self._drain, name=f"zaiko drain of {call.name}"):
            return await proceed()

    async def _drain(self) -> ServiceError:
        await self._drained.wait()
        await asyncio.sleep(_HEALTH_GRACE)
        return _draining()


def _draining() -> ServerDraining:
    # Spread over two seconds, so that clients do not all reconnect at once (as in watch/watch.py).
    return ServerDraining(2 * random.random())  # noqa: S311 - no secret
