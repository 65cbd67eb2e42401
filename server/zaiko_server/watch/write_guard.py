"""A stream whose client does not read is ended."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc

from zaiko_server.refusals import SlowConsumer
from zaiko_server.status import code_for, status_for, trailers_for, wants_japanese

_SLICES = 8
_LAST_WORDS = 2.0
"""Seconds that the status of a call may take to leave; behind a client that does not read, it
cannot."""


class WriteGuard:
    """Ends the call when the client has not taken a message for `seconds`. A generator waits in
    `yield` until flow control lets the message go, so it cannot look at the clock itself.

    The time is counted in slices, each begun by a loop that runs: a process that was stopped for a
    while (a machine that is moved, a long collection) has been late itself, and does not hold that
    against every client that it was writing to.
    """

    def __init__(self, context: grpc.aio.ServicerContext[Any, Any], seconds: float) -> None:
        self._context, self._seconds = context, seconds
        self._handler = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._slices = 0
        self._ending: asyncio.Task[None] | None = None

    def arm(self) -> None:
        """A message is being written."""
        self._slices = 0
        self._wait()

    def disarm(self) -> None:
        """It has gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(
            self._seconds / _SLICES, self._slice_over
        )

    def _slice_over(self) -> None:
        self._slices += 1
        if self._slices < _SLICES:
            self._wait()
            return
        self._ending = asyncio.create_task(self._end(), name="zaiko watch: slow consumer")

    async def _end(self) -> None:
        # The status queues up behind what the client has not read: it is what the client finds when
        # it does read on. `abort` always raises, also when the call is over meanwhile, and waits
        # for as long as the client does not read.
        with contextlib.suppress(grpc.aio.BaseError, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                slow = SlowConsumer(self._seconds)
                trailers = trailers_for(slow, japanese=wants_japanese(self._context))
                await self._context.abort(code_for(slow), status_for(slow).message, trailers)
        if self._handler is not None:
            self._handler.cancel()
