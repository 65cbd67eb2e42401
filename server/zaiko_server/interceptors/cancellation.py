"""End a call from another task, with a reason, while its handler waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from zaiko_core.domain.errors import ServiceError


@asynccontextmanager
async def cancelled_when(
    wait: Callable[[], Awaitable[ServiceError]], *, name: str
) -> AsyncIterator[None]:
    """Cancel the current task as soon as `wait` ends, and raise the error that `wait` returned or
    raised in place of the CancelledError. A cancellation from elsewhere passes through unchanged.
    `name` is the name of the task that runs `wait`."""
    handler = asyncio.current_task()
    ended: list[Exception] = []

    async def end() -> None:
        try:
            ended.append(await wait())
        except Exception as error:  # noqa: BLE001 - a guard that failed must not let the call go on; the call gets its error
            ended.append(error)
        if handler is not None:
            handler.cancel()

    guard = asyncio.create_task(end(), name=name)
    try:
        yield
    except asyncio.CancelledError:
        if not ended:
            raise
        if handler is not None:
            handler.uncancel()
        raise ended[0] from None
    finally:
        guard.cancel()
