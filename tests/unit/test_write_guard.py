"""Who is ended for not reading, and who is not."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import pytest
from zaiko_server.watch.write_guard import WriteGuard

pytestmark = pytest.mark.anyio

PATIENCE = 0.4


class Call:
    """A call that only its guard ends."""

    def __init__(self) -> None:
        self.code: grpc.StatusCode | None = None

    def invocation_metadata(self) -> tuple[()]:
        return ()

    async def abort(self, code: grpc.StatusCode, details: str, trailers: Any) -> None:
        self.code = code
        raise grpc.aio.InternalError(details)  # as when the client is gone


async def written(call: Call, *, stands_still: float = 0, seconds: float) -> None:
    """A message that takes so many seconds to go, in the first of which the whole process stands
    still."""
    guard = WriteGuard(call, PATIENCE)  # type: ignore[arg-type]
    guard.arm()
    time.sleep(stands_still)  # noqa: ASYNC251 - that is what is tried
    await asyncio.sleep(seconds - stands_still)
    guard.disarm()


async def test_a_client_that_does_not_read_is_ended_and_its_handler_cancelled() -> None:
    call = Call()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(written(call, seconds=60))

    assert call.code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_message_that_went_ends_nothing() -> None:
    call = Call()

    for _ in range(3):
        await written(call, seconds=0)
    await asyncio.sleep(2 * PATIENCE)

    assert call.code is None


async def test_a_process_that_stood_still_does_not_hold_that_against_its_clients() -> None:
    call = Call()

    await written(call, stands_still=3 * PATIENCE, seconds=3 * PATIENCE + 0.01)

    assert call.code is None
