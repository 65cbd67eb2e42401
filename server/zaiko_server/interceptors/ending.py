"""Calls that are ended from beside, with a reason, while their handler waits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from zaiko_core.domain.errors import ServiceError

from zaiko_server.interceptors.around import Call, Interceptor, Proceed
from zaiko_server.refusals import ServerDraining

_WAITING = frozenset(
    {"/zaiko.v1.OperationService/WaitOperation", "/zaiko.v1.OperationService/WatchOperation"}
)
"""Our other streams end by themselves when the server drains, after a last mark or answer."""
_WORD = 0.05
"""Seconds in which those who watch the health are told that it is over before their call is."""


@asynccontextmanager
async def ended_by(
    wait: Callable[[], Awaitable[ServiceError]], *, name: str
) -> AsyncIterator[None]:
    """Inside, the current task is cancelled as soon as `wait` ends, and what it returned, or
    raised, is raised instead."""
    handler = asyncio.current_task()
    ended: list[Exception] = []

    async def end() -> None:
        try:
            ended.append(await wait())
        except Exception as error:  # noqa: BLE001 - a guard that broke lets nothing through; what broke it is told of the call
            ended.append(error)
        if handler is not None:
            handler.cancel()

    beside = asyncio.create_task(end(), name=name)
    try:
        yield
    except asyncio.CancelledError:
        if not ended:
            raise
        if handler is not None:
            handler.uncancel()
        raise ended[0] from None
    finally:
        beside.cancel()


class Draining(Interceptor):
    """Calls that only wait, and streams of other packages' services (health, reflection), end with
    SERVER_DRAINING once `drained` is set. A server that stops lets calls under way end, and would
    wait out its whole grace for these."""

    def __init__(self, drained: asyncio.Event) -> None:
        self._drained = drained

    async def around(self, call: Call, proceed: Proceed) -> Any:
        """See Around."""
        if call.method not in _WAITING and (
            call.method.startswith("/zaiko.") or not (call.streams or call.request is None)
        ):
            return await proceed()
        if self._drained.is_set():
            raise _draining()
        async with ended_by(self._drain, name=f"zaiko drain of {call.name}"):
            return await proceed()

    async def _drain(self) -> ServiceError:
        await self._drained.wait()
        await asyncio.sleep(_WORD)
        return _draining()


def _draining() -> ServerDraining:
    # Not all at once, as watches (watch/session.py).
    return ServerDraining(2 * random.random())  # noqa: S311 - no secret
