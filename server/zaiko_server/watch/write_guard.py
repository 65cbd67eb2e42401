"""End a stream whose client does not read (a slow consumer)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc

from zaiko_server.refusals import SlowConsumer
from zaiko_server.status import code_for, status_for, trailers_for, wants_japanese

_SLICES = 8
_ABORT_TIMEOUT = 2.0
"""Seconds that `abort` may take. Behind messages that the client does not read it never returns."""


class WriteGuard:
    """Ends the call when the client has not taken a message for `seconds`. The generator itself
    cannot watch the clock: it is suspended in `yield` until flow control lets the message through.

    The time is counted in slices, and each slice is started by a running event loop. So a process
    that was suspended (a VM migration, a long garbage collection) does not blame the pause on every
    client that it was writing to.
    """

    def __init__(self, context: grpc.aio.ServicerContext[Any, Any], seconds: float) -> None:
        self._context, self._seconds = context, seconds
        self._handler = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._slices = 0
        self._ending: asyncio.Task[None] | None = None

    def arm(self) -> None:
        """Start the clock: a message is about to be written."""
        self._slices = 0
        self._start_slice()

    def disarm(self) -> None:
        """Stop the clock: the message was taken."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_slice(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(
            self._seconds / _SLICES, self._end_slice
        )

    def _end_slice(self) -> None:
        self._slices += 1
        if self._slices < _SLICES:
            self._start_slice()
            return
        self._ending = asyncio.create_task(self._end_call(), name="zaiko watch: slow consumer")

    async def _end_call(self) -> None:
        # The status queues behind the unread messages, so a client that reads on still finds it.
        # `abort` always raises, even when the call has ended, and blocks while the client does not
        # read.
        with contextlib.suppress(grpc.aio.BaseError, TimeoutError):
            async with asyncio.timeout(_ABORT_TIMEOUT):
                error = SlowConsumer(self._seconds)
                trailers = trailers_for(error, japanese=wants_japanese(self._context))
                await self._context.abort(code_for(error), status_for(error).message, trailers)
        if self._handler is not None:
            self._handler.cancel()
